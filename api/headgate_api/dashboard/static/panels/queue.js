// One queue: why it does not start more, its gates, what runs in it, its override.

import { fill, h, keyed, moment, name, plain, text } from "../dom.js";
import { rows } from "../feed.js";
import { gateLine } from "../parts/budgets.js";
import { stateOf } from "../parts/held.js";
import { facts } from "../panel.js";
import { counted, gateLabel, number, usage } from "../words.js";
import { overrideBox } from "./override.js";

const MOST_JOBS = 200;

export function queuePanel(queue, { title, body, ui }) {
  title.replaceChildren(name(queue));
  const verdict = h("p", { class: "verdict" }), warnings = h("div", {}), gates = h("div", { class: "gates" }), list = h("ul", { class: "jobs", role: "list" });
  const runs = h("h3", {}), none = h("p", { class: "calm" }), about = h("div", {}), change = overrideBox(queue, ui);
  const whole = [verdict, warnings, h("h3", {}, "Gates"), gates, runs, none, list, h("h3", {}, "Override"), change.node, h("h3", {}, "Declared"), about];
  return {
    update() {
      const row = rows("queues").get(queue);
      if (!row) return fill(body, "gone", () => h("p", { class: "calm" }, "No policy declares this queue in the store (any more)."));
      fill(body, "there", () => whole);
      say(verdict, row);
      fill(warnings, JSON.stringify([row.foreign, row.poison, row.keyless, row.workers]), () => troubles(row).map((found) => h("p", { class: "warning" }, found)));
      keyed(gates, gateRows(row), namedGate);
      const jobs = [...rows("jobs")].filter(([, job]) => job[0] === queue).sort(([, a], [, b]) => a[3] - b[3]);
      text(runs, `Running ${number(jobs.length)}`);
      text(none, jobs.length ? "" : "Nothing runs here now.");
      keyed(list, jobs.slice(0, MOST_JOBS), running);
      change.update(row.override);
      fill(about, JSON.stringify([row.owner, row.revision, row.total, row.per_worker, row.budgets, row.backlog, row.shadow, row.due, row.dead]), () => declared(queue, row));
    },
  };
}

function say(node, row) {
  const held = row.held;
  fill(node, JSON.stringify([held, row.queued]), () => {
    if (!held) return [row.queued ? "Nothing holds it. " : "Nothing holds it, nothing is queued."].concat(row.queued ? [h("b", {}, counted(row.queued, "job")), " wait for a free slot."] : []);
    const gate = stateOf(row, held), until = h("span", { class: "until", data: { before: "opens in ", over: "opens now" } });
    moment(until, held.until);
    return ["Held by ", h("b", {}, gateLabel(held.by)), gate ? ` (${usage(gate)})` : "", held.cure ? `: ${held.cure}` : "", held.until ? [held.cure ? ", " : ": ", until] : "", row.queued ? `. ${counted(row.queued, "job")} ${row.queued === 1 ? "waits" : "wait"}.` : "."].flat();
  });
  node.dataset.tone = held ? "held" : "";
}

const troubles = (row) => [
  row.foreign && `Not enforced: ${plain(row.foreign.join(", "))} takes jobs past every gate. Stop it.`,
  !row.workers && "No worker serves it. Start one: headgate worker QUEUE",
  row.keyless && `${counted(row.keyless, "job")} had no key, so perKey limits did not apply to them.`,
  row.poison && `${counted(row.poison, "job")} went to the dead set after too many lost workers.`,
].filter(Boolean);

function gateRows(row) {
  const shared = Object.keys(row.budgets ?? {}).flatMap((budget) => rows("budgets").get(budget)?.gates ?? []);
  return [...(row.gates ?? []), ...shared].map((gate) => [`${gate.name} ${gate.period ? "rate" : "places"}`, gate]);
}

function namedGate() {
  const line = gateLine(), label = h("span", { class: "gate-name" });
  line.node.prepend(label);
  return { node: line.node, update(gate) { text(label, plain(gate.name)); line.update(gate); } };
}

function running() {
  const link = h("a", {}), since = h("span", { class: "until" }), where = h("small", {});
  return {
    node: h("li", {}, link, where, since),
    update([, id, called, started, slot, late]) {
      fill(link, `${called} ${id}`, () => {
        link.href = `#/job/${encodeURIComponent(id)}`;
        return name(called || id);
      });
      text(where, late ? "its worker is silent, the lease ends soon" : shortSlot(plain(slot)));
      where.title = plain(slot);
      where.dataset.tone = late ? "bad" : "";
      moment(since, null, started);
      since.dataset.after = "";
    },
  };
}

// The end of `<pod>-<random>.<i>` tells slots of one queue apart.
const shortSlot = (slot) => (slot.length > 18 ? `…${slot.slice(slot.lastIndexOf("-"))}` : slot);

const declared = (queue, row) => facts([
  ["by", row.owner && name(row.owner)],
  ["revision", number(row.revision)],
  ["mode", row.shadow && "shadow: counts, holds nothing back"],
  ["slots of each worker", row.per_worker && number(row.per_worker)],
  ["most at once", row.total && number(row.total)],
  ["budgets", row.budgets && Object.entries(row.budgets).map(([budget, weight]) => plain(budget) + (weight > 1 ? ` × ${weight}` : "")).join(", ")],
  ["backlog", row.backlog && counted(row.backlog, "job")],
  ["due later", row.due && counted(row.due, "job")],
  ["dead", row.dead && h("a", { href: `#/dead/${encodeURIComponent(queue)}` }, counted(row.dead, "job"))],
]);
