// The headline: at most N at once, what runs and waits, and the last minutes as a line.

import { h, svg, text } from "../dom.js";
import { busySlots, live, rows } from "../feed.js";
import { counted, number } from "../words.js";

const KEPT = 240, WIDE = 480, HIGH = 88;
const history = [];
let parts = null, drawn = 0;

export function hero(root) {
  parts ??= build(root);
  const sum = totals();
  text(parts.most, number(live.meta.most));
  text(parts.unit, live.meta.most === 1 ? " job at once" : " jobs at once");
  text(parts.running, number(sum.running));
  text(parts.queued, number(sum.queued));
  text(parts.held, number(sum.held));
  text(parts.dead, number(sum.dead));
  text(parts.slots, `${number(sum.busy)} / ${number(sum.slots)}`);
  parts.heldTile.dataset.tone = sum.held ? "held" : "";
  parts.deadTile.dataset.tone = sum.dead ? "bad" : "";
  if (live.updates !== drawn && !live.meta.down_since) {
    drawn = live.updates;
    history.push([sum.running, sum.queued]);
    if (history.length > KEPT) history.shift();
    draw(live.meta.most || 1);
  }
  document.title = live.updates ? `${sum.running}/${live.meta.most ?? 0} Headgate` : "Headgate";
}

function build(root) {
  const most = h("strong", {}), unit = h("span", {});
  const tiles = {};
  const tile = (key, label, href) => {
    tiles[key] = h("dd", {});
    return (tiles[`${key}Tile`] = h("div", { class: "tile" }, h("dt", {}, href ? h("a", { href }, label) : label), tiles[key]));
  };
  const line = svg("polyline", { class: "line", fill: "none" }), area = svg("polygon", { class: "area" });
  const limit = svg("line", { class: "limit", x1: 0, x2: WIDE });
  const chart = svg("svg", { viewBox: `0 0 ${WIDE} ${HIGH}`, preserveAspectRatio: "none", class: "chart", "aria-hidden": "true" }, area, line, limit);
  const caption = h("figcaption", {}, "running, the last minutes; the dashed line is the most that can be");
  root.append(
    h("div", { class: "headline" }, h("h1", {}, "At most ", most, unit),
      h("dl", { class: "tiles" }, tile("running", "running"), tile("queued", "waiting"), tile("held", "queues held"), tile("slots", "slots busy"), tile("dead", "dead", "#/dead"))),
    h("figure", { class: "flow" }, chart, caption),
  );
  return { most, unit, line, area, limit, ...tiles };
}

export function totals() {
  const sum = { running: 0, queued: 0, due: 0, dead: 0, held: 0, busy: 0, slots: 0 };
  for (const queue of rows("queues").values()) {
    for (const key of ["running", "queued", "due", "dead"]) sum[key] += queue[key] ?? 0;
    if (queue.held) sum.held += 1;
  }
  for (const worker of rows("workers").values()) sum.slots += worker.slots ?? 0;
  for (const count of busySlots().values()) sum.busy += count;
  return sum;
}

function draw(most) {
  const shown = Math.max(60, history.length);
  const top = Math.max(most, ...history.map(([running]) => running)) * 1.15;
  const y = (value) => (HIGH - 2 - (value / top) * (HIGH - 6)).toFixed(1);
  const step = WIDE / (shown - 1), first = shown - history.length;
  const points = history.map(([running], index) => `${((first + index) * step).toFixed(1)},${y(running)}`);
  parts.line.setAttribute("points", points.join(" "));
  parts.area.setAttribute("points", `${(first * step).toFixed(1)},${HIGH} ${points.join(" ")} ${WIDE},${HIGH}`);
  parts.limit.setAttribute("y1", y(most));
  parts.limit.setAttribute("y2", y(most));
}

export const summary = () => {
  const sum = totals();
  return `${counted(sum.running, "job")} running, ${number(sum.queued)} waiting, ${counted(sum.held, "queue")} held back`;
};
