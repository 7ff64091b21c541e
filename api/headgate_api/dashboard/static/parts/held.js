// Each gate that holds something back: how full it is, who is in it, what waits before it, and until when.

import { fill, h, keyed, moment, name, plain, text } from "../dom.js";
import { live, rows } from "../feed.js";
import { gauge } from "../gauge.js";
import { counted, gateLabel, number, usage } from "../words.js";

const LINGER_MS = 4000;
const MOST_SHOWN = 12;
const seen = new Map(); // gate -> { found, at }: a rate that opens each second would flicker, so what was held stays a moment

export function held(root, ui) {
  const now = performance.now();
  const found = gather();
  for (const [key, gate] of found) seen.set(key, { gate, at: now });
  for (const [key, kept] of seen) if (!found.has(key) && (now - kept.at > LINGER_MS || live.meta.down_since)) seen.delete(key);
  const shown = [...seen].filter(([, { gate }]) => ui.matches(gate.label) || gate.queues.some(([queue]) => ui.matches(queue)));
  if (!shown.length) return fill(root, `none ${rows("queues").size > 0}`, () => h("p", { class: "calm" }, rows("queues").size ? "Nothing. Every gate that has work before it is open." : "Nothing yet."));
  fill(root, "some", () => [h("ul", { class: "held", role: "list" }), h("p", { class: "more" })]);
  const order = shown.sort(([a], [b]) => (a < b ? -1 : 1));
  keyed(root.firstElementChild, order.slice(0, MOST_SHOWN).map(([key, kept]) => [key, { ...kept, now }]), row);
  text(root.lastElementChild, order.length > MOST_SHOWN ? `and ${counted(order.length - MOST_SHOWN, "gate")} more; the table below marks each queue` : "");
}

function gather() {
  const gates = new Map();
  for (const [queue, row] of rows("queues")) {
    if (!row.held) continue;
    const shared = row.held.by.startsWith("budget/");
    const key = shared ? row.held.by : `${row.held.by} ${queue}`;
    const gate = gates.get(key) ?? { by: row.held.by, label: shared ? gateLabel(row.held.by) : queue, until: row.held.until, cure: row.held.cure, state: stateOf(row, row.held), queues: [], holders: shared ? rows("budgets").get(row.held.by.slice(7))?.holders : null };
    gate.queues.push([queue, row.queued ?? 0]);
    gates.set(key, gate);
  }
  return gates;
}

// The gate itself, of the queue or of the budget: by name, and the one that is full when rate and places share it.
export function stateOf(row, { by, until }) {
  const gates = by.startsWith("budget/") ? rows("budgets").get(by.slice(7))?.gates ?? [] : row.gates ?? [];
  const named = gates.filter((gate) => gate.name === by);
  return named.find((gate) => (until ? gate.open_at : !gate.period && gate.used >= gate.limit - (gate.reserved ?? 0))) ?? named[0];
}

function row() {
  const meter = gauge(), title = h("span", { class: "held-name" }), use = h("span", { class: "usage" });
  const until = h("span", { class: "until" }), what = h("span", { class: "holds" }), who = h("p", { class: "holders" });
  const node = h("li", { class: "held-row" }, h("div", { class: "held-top" }, title, meter.node, use, what, until), who);
  return {
    node,
    update({ gate, at, now }) {
      const open = now - at > 1500;
      node.classList.toggle("past", open);
      fill(title, gate.label + gate.by, () => [gate.by.startsWith("budget/") ? name(gate.label, "strong") : link(gate.label), h("small", {}, gate.by.startsWith("budget/") ? "shared budget" : gateLabel(gate.by))]);
      meter.node.hidden = !gate.state?.used;
      if (gate.state) meter.update({ ...gate.state, held: !open });
      text(use, gate.state ? usage(gate.state) : "");
      until.dataset.before = "opens in ";
      moment(until, open ? null : gate.until);
      if (open || !gate.until) text(until, open ? "open again" : plain(SOON[gate.by] ?? gate.cure ?? ""));
      holdsBack(what, gate.queues, gate.by.startsWith("budget/"));
      text(who, gate.holders ? `in it: ${Object.entries(gate.holders).map(([queue, count]) => `${plain(queue) || "promised"} ${number(count)}`).join(", ")}` : "");
    },
  };
}

const SOON = { __proto__: null, "concurrency.total": "until one ends" };

function holdsBack(node, queues, shared) {
  fill(node, JSON.stringify(queues), () => !shared ? ["holds back ", h("b", {}, number(queues[0][1]))] : ["holds back ", ...queues.slice(0, 6).flatMap(([queue, count], index) => [index ? ", " : "", h("b", {}, number(count)), " of ", link(queue)]), queues.length > 6 ? ` and ${queues.length - 6} more` : ""]);
}

const link = (queue) => h("a", { href: `#/queue/${encodeURIComponent(queue)}` }, name(queue));
