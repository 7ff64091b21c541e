// Gates that several queues share: how full, who is in, how many wait.

import { fill, h, keyed, moment, name, plain, text } from "../dom.js";
import { rows } from "../feed.js";
import { gauge } from "../gauge.js";
import { afterSlash, beforeSlash, number, usage } from "../words.js";

export function budgets(root, ui) {
  const all = [...rows("budgets")].filter(([budget, row]) => ui.matches(budget) || (row.members ?? []).some(ui.matches));
  if (!rows("budgets").size) return fill(root, "none", () => h("p", { class: "calm" }, "None. A ", h("code", {}, "kind: Budget"), " is shared by the queues whose ", h("code", {}, "budgetRefs"), " name it."));
  fill(root, "some", () => h("ul", { class: "cards", role: "list" }));
  keyed(root.firstElementChild, all, card);
}

function card(budget) {
  const gates = h("div", { class: "gates" }), inside = h("p", { class: "holders" });
  return {
    node: h("li", { class: "card" }, h("h3", {}, name(afterSlash(budget)), h("small", {}, plain(beforeSlash(budget)))), gates, inside),
    update(row) {
      keyed(gates, (row.gates ?? []).map((gate) => [gate.period ? "rate" : "places", gate]), gateLine);
      const holders = Object.entries(row.holders ?? {}).map(([queue, count]) => `${plain(queue) || "promised"} ${number(count)}`);
      text(inside, holders.length ? `in it: ${holders.join(", ")}` : `for ${plain((row.members ?? []).join(", ")) || "no queue yet"}`);
    },
  };
}

export function gateLine() {
  const meter = gauge(), use = h("span", { class: "usage" }), rest = h("span", { class: "until" }), waiting = h("span", { class: "waits" });
  return {
    node: h("div", { class: "gate-line" }, meter.node, use, waiting, rest),
    update(gate) {
      const full = (gate.used ?? 0) >= (gate.limit ?? 0) - (gate.reserved ?? 0) && Boolean(gate.waiting);
      meter.update({ ...gate, held: full });
      text(use, usage(gate));
      text(waiting, gate.waiting ? `${number(gate.waiting)} wait` : "");
      rest.dataset.before = "opens in ";
      rest.dataset.over = "";
      moment(rest, gate.open_at);
      if (!gate.open_at) text(rest, "");
    },
  };
}
