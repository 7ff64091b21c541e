// Every pod with its slots as squares: hollow is idle, filled is busy, deeper is longer, red is silent.

import { fill, h, keyed, name, plain, text } from "../dom.js";
import { busySlots, rows } from "../feed.js";
import { coarse, counted, number, storeNow } from "../words.js";

const AGES = [10_000, 60_000, 600_000];

export function workers(root, ui) {
  const all = [...rows("workers")];
  if (!all.length) return fill(root, "none", () => h("div", { class: "empty" }, h("p", {}, "No worker is there."), h("p", {}, "Start one: ", h("code", {}, "headgate worker QUEUE"), ", or all of them: ", h("code", {}, "headgate up policies/"))));
  fill(root, "some", () => [h("div", { class: "pods" }), h("p", { class: "legend" }, h("i", { class: "slot" }), "idle", h("i", { class: "slot", data: { age: "0" } }), "just started", h("i", { class: "slot", data: { age: "3" } }), "over 10 min", h("i", { class: "slot", data: { late: "" } }), "worker silent")]);
  const jobs = new Map();
  for (const job of rows("jobs").values()) jobs.set(job[4], job);
  const groups = new Map();
  for (const [instance, worker] of all) {
    if (!ui.matches(worker.queue) && !ui.matches(worker.pod)) continue;
    if (!groups.has(worker.queue)) groups.set(worker.queue, []);
    groups.get(worker.queue).push([instance, worker]);
  }
  const order = [...groups].sort(([a], [b]) => (a < b ? -1 : 1));
  keyed(root.firstElementChild, order.map(([queue, pods]) => [queue, { pods: pods.sort(([a], [b]) => (a < b ? -1 : 1)), jobs }]), group);
}

function group(queue) {
  const list = h("div", { class: "pod-list" }), count = h("small", {});
  return {
    node: h("div", { class: "pod-group" }, h("h3", {}, h("a", { href: `#/queue/${encodeURIComponent(queue)}`, data: { row: "" } }, name(queue)), count), list),
    update({ pods, jobs }) {
      const busy = pods.reduce((sum, [instance]) => sum + (busySlots().get(instance) ?? 0), 0), slots = pods.reduce((sum, [, worker]) => sum + (worker.slots ?? 0), 0);
      text(count, `${number(busy)} / ${number(slots)}`);
      keyed(list, pods.map(([instance, worker]) => [instance, { worker, jobs }]), pod);
    },
  };
}

function pod(instance) {
  const node = h("div", { class: "pod", role: "img" });
  let squares = [];
  return {
    node,
    update({ worker, jobs }) {
      const slots = worker.slots ?? 0, behind = worker.revision !== rows("queues").get(worker.queue)?.revision;
      if (squares.length !== slots) node.replaceChildren(...(squares = Array.from({ length: slots }, () => h("i", { class: "slot" }))));
      squares.forEach((square, index) => paint(square, jobs.get(`${instance}.${index}`)));
      node.classList.toggle("behind", behind);
      const said = `${plain(worker.pod)}: ${number(busySlots().get(instance))} of ${counted(slots, "slot")} busy${behind ? ", not at the newest revision yet" : ""}`;
      if (node.title !== said) {
        node.title = said;
        node.setAttribute("aria-label", said);
      }
    },
  };
}

function paint(square, job) {
  const age = job ? String(AGES.filter((limit) => job[3] && storeNow() - job[3] > limit).length) : "";
  if ((square.dataset.age ?? "") !== age) age ? (square.dataset.age = age) : delete square.dataset.age;
  const late = Boolean(job?.[5]);
  if (("late" in square.dataset) !== late) late ? (square.dataset.late = "") : delete square.dataset.late;
  square.dataset.job = job?.[1] ?? "";
  const said = job ? `${plain(job[2] || job[1])}${job[3] ? `, ${coarse(storeNow() - job[3])}` : ""}` : "idle";
  if (square.title !== said) square.title = said;
}
