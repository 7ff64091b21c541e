// The table of queues: what runs, waits, is due and dead, and which gate holds it until when.

import { attribute, fill, h, keyed, moment, name, plain, text } from "../dom.js";
import { busySlots, rows } from "../feed.js";
import { gauge } from "../gauge.js";
import { counted, gateLabel, number } from "../words.js";

const CHIPS = [
  ["all", "all", () => true],
  ["held", "held", (row) => row.held],
  ["busy", "busy", (row) => row.running || row.queued],
  ["dead", "with dead jobs", (row) => row.dead],
  ["trouble", "trouble", (row) => row.foreign || row.poison || row.keyless || !row.workers],
];

export function queues(root, ui) {
  const all = [...rows("queues")];
  const pods = podsByQueue();
  for (const [queue, row] of all) row.workers = pods.get(queue);
  if (!all.length) return fill(root, "none", empty);
  fill(root, "some", () => frame(ui));
  const [chips, table, none] = root.children;
  const matching = all.filter(([queue]) => ui.matches(queue));
  [...chips.children].forEach((chip, index) => {
    const [key, label, test] = CHIPS[index];
    const count = matching.filter(([, row]) => test(row)).length;
    text(chip, `${label} ${number(count)}`);
    attribute(chip, "aria-pressed", String(ui.chip === key));
    chip.hidden = !count && key !== "all" && ui.chip !== key;
  });
  const test = CHIPS.find(([key]) => key === ui.chip)[2];
  const shown = matching.filter(([, row]) => test(row)).sort(([a], [b]) => (a < b ? -1 : 1));
  keyed(table.tBodies[0], shown, line);
  table.hidden = !shown.length;
  text(none, shown.length ? "" : `No queue matches${ui.filter ? ` “${plain(ui.filter)}”` : ""}. Press Escape in the filter to see all.`);
}

function podsByQueue() {
  const found = new Map();
  for (const [instance, worker] of rows("workers")) {
    const sum = found.get(worker.queue) ?? { pods: 0, slots: 0, busy: 0 };
    found.set(worker.queue, { pods: sum.pods + 1, slots: sum.slots + (worker.slots ?? 0), busy: sum.busy + (busySlots().get(instance) ?? 0) });
  }
  return found;
}

const empty = () => h("div", { class: "empty" }, h("p", {}, "No queue is declared in this store yet."),
  h("p", {}, "Declare one and publish it: ", h("code", {}, "headgate publish policies/"), ", or run the whole fleet here: ", h("code", {}, "headgate up policies/")));

function frame(ui) {
  const chips = h("div", { class: "chips", role: "group", "aria-label": "Show" }, CHIPS.map(([key]) =>
    h("button", { type: "button", onclick: () => ui.show(key) })));
  const head = ["queue", "running", "", "waiting", "due", "dead", "held by", "workers"].map((label, index) =>
    h("th", { scope: "col", role: "columnheader", class: `c${index}` }, label || h("span", { class: "hidden" }, "how full")));
  return [chips, h("table", { class: "queues", role: "table", "aria-labelledby": "queues-title" }, h("thead", { role: "rowgroup" }, h("tr", { role: "row" }, head)), h("tbody", { role: "rowgroup" })), h("p", { class: "calm" })];
}

function line(queue) {
  const cell = (index, ...inside) => h("td", { role: "cell", class: `c${index}` }, ...inside);
  const meter = gauge(), running = h("span", {}), queued = h("span", {}), due = h("span", {}), dead = h("a", { href: `#/dead/${encodeURIComponent(queue)}` });
  const tags = h("span", { class: "tags" }), gate = h("span", { class: "gate" }), until = h("span", { class: "until" }), pods = h("span", {});
  const label = h("a", { href: `#/queue/${encodeURIComponent(queue)}`, class: "row-link", data: { row: "" } }, name(queue));
  const cells = [h("th", { scope: "row", role: "rowheader", class: "c0" }, label, tags), cell(1, running), cell(2, meter.node), cell(3, queued), cell(4, due), cell(5, dead), cell(6, gate, until), cell(7, pods)];
  ["", "running", "", "waiting", "due", "dead", "", ""].forEach((word, index) => word && (cells[index].dataset.label = word));
  return {
    node: h("tr", { role: "row" }, cells),
    update(row) {
      const limit = row.total ?? row.workers?.slots ?? 0;
      text(running, `${number(row.running)} of ${number(row.most ?? limit)}`);
      meter.update({ used: row.running ?? 0, limit, held: Boolean(row.held), shadow: row.shadow });
      for (const [node, count] of [[queued, row.queued], [due, row.due], [dead, row.dead]]) {
        text(node, number(count));
        node.parentElement.classList.toggle("zero", !count);
      }
      dead.tabIndex = row.dead ? 0 : -1;
      const full = !row.held && row.queued && row.workers && row.workers.busy >= row.workers.slots;
      text(gate, row.held ? gateLabel(row.held.by) : full ? "all slots busy" : "");
      cells[6].classList.toggle("soft", Boolean(full));
      cells[6].classList.toggle("zero", !row.held && !full);
      until.dataset.before = "";
      moment(until, row.held?.until);
      if (!row.held?.until) text(until, "");
      text(pods, row.workers ? `${row.workers.pods} × ${Math.round(row.workers.slots / row.workers.pods)}` : "none");
      cells[7].title = row.workers ? `${counted(row.workers.pods, "worker")}, ${row.workers.busy} of ${counted(row.workers.slots, "slot")} busy` : "no worker serves it";
      cells[7].classList.toggle("bad", !row.workers);
      marks(tags, row);
    },
  };
}

function marks(node, row) {
  const found = [row.stop && ["held", row.stop === "Hold" ? "on hold" : "draining"], row.override && ["held", "override"], row.shadow && ["", "shadow"], row.foreign && ["bad", "not enforced"], row.poison && ["bad", "poison"], row.keyless && ["", "jobs without a key"]].filter(Boolean);
  fill(node, JSON.stringify(found), () => found.map(([tone, word]) => h("em", { class: "tag", data: { tone } }, word)));
}
