// Periodic tasks: running or when next, how the last run ended, what was skipped.

import { attribute, fill, h, keyed, moment, name, plain, text } from "../dom.js";
import { rows } from "../feed.js";
import { afterSlash, counted, dateTime, duration, number, storeNow } from "../words.js";

const OUTCOMES = { __proto__: null, ok: "ended well", failed: "failed", lost: "was lost with its pod", deadline: "hit its deadline" };

export function tasks(root, ui) {
  if (!rows("tasks").size) return fill(root, "none", () => h("p", { class: "calm" }, "None. A ", h("code", {}, "kind: PeriodicTask"), " runs on a schedule and never overlaps itself."));
  fill(root, "some", () => h("ul", { class: "cards", role: "list" }));
  keyed(root.firstElementChild, [...rows("tasks")].filter(([task]) => ui.matches(task)).sort(([a], [b]) => (a < b ? -1 : 1)), card);
}

function card(task) {
  const mark = h("i", { class: "dot", "aria-hidden": "true" }), when = h("span", { class: "until", data: { coarse: "1" } }), schedule = h("small", {}), last = h("p", {}), skips = h("p", { class: "skips" });
  const title = h("h3", {}, mark, name(afterSlash(task)), schedule);
  const node = h("li", { class: "card task", tabindex: "-1" }, h("div", { class: "card-top" }, title, when), last, skips);
  return {
    node,
    update(row) {
      attribute(mark, "data-tone", row.running ? "busy" : row.held ? "held" : row.outcome && row.outcome !== "ok" ? "bad" : "ok");
      text(schedule, plain(row.schedule) + (row.zone === "Etc/UTC" ? "" : ` ${plain(row.zone)}`));
      node.title = `${plain(row.function)}, at most ${duration((row.deadline ?? 0) * 1000)}`;
      when.dataset.before = "next in ";
      when.dataset.over = "due";
      when.dataset.after = " running";
      moment(when, row.running ? null : row.next, row.running ? row.since : null);
      if (!row.running && !row.next) text(when, row.held ? "on hold" : "");
      text(last, lastRun(row));
      text(skips, row.skipped ? `${counted(row.skipped, "tick")} skipped${row.in_a_row > 1 ? `, the last ${number(row.in_a_row)} in a row` : ""}` : "");
      skips.dataset.tone = row.in_a_row > 1 ? "held" : "";
    },
  };
}

function lastRun(row) {
  if (!row.ended) return row.running ? `first run, in ${plain(row.pod)}` : "has not run yet";
  const took = row.started && row.ended >= row.started ? ` after ${duration(row.ended - row.started)}` : "";
  const ago = storeNow() - row.ended;
  const when = ago < 3_600_000 ? `at ${new Date(row.ended).toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" })}` : dateTime(row.ended);
  const late = row.outcome !== "ok" && row.success ? `; last success ${dateTime(row.success)}` : "";
  return `last run ${OUTCOMES[row.outcome] ?? "ended"}${took}, ${when}${late}`;
}
