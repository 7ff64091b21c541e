// One job: where it stands and why, what it was called with, what came of it. All of it is text.

import { cancel, explainJob, job, requeue } from "../api.js";
import { fill, h, lines, moment, name, plain } from "../dom.js";
import { live } from "../feed.js";
import { action, facts, waiting } from "../panel.js";
import { dateTime } from "../words.js";

const EVERY_MS = 5000;
const GOING = new Set(["queued", "started", "deferred", "scheduled"]);
const SHOWN = { __proto__: null, started: "running", failed: "dead", finished: "done" };

export function jobPanel(id, { title, body, ui }) {
  let found = null, why = null, asked = 0, gone = false;
  title.replaceChildren(name(id));
  waiting(body, "Looking…");
  async function look() {
    asked = performance.now();
    try {
      [found, why] = await Promise.all([job(id), explainJob(id)]);
    } catch (error) {
      if (!gone && (!found || error.status === 404)) waiting(body, error.status === 404 ? "There is no such job (any more): RQ forgets finished jobs after their result_ttl." : error.message);
      return;
    }
    if (!gone) show(title, body, id, found, why, ui, look);
  }
  look();
  return {
    update() {
      if (found && GOING.has(found.status) && live.connected && performance.now() - asked > EVERY_MS) look();
    },
    close() { gone = true; },
  };
}

function show(title, body, id, found, why, ui, look) {
  title.replaceChildren(name(found.function || id));
  fill(body, JSON.stringify([found, { ...why, queue: null }, ui.me.operate]), () => {
    const lease = h("span", { class: "until", data: { before: "renewed, else lost in ", over: "over" } });
    moment(lease, why.lease_ends);
    return [
      h("p", { class: "verdict", data: { tone: found.status === "failed" ? "bad" : "" } }, h("b", {}, SHOWN[found.status] ?? plain(found.status)), ": ", plain(why.sentence)),
      actions(id, found, ui, look),
      facts([
        ["job", name(id, "mono")],
        ["queue", h("a", { href: `#/queue/${encodeURIComponent(found.queue)}` }, name(found.queue))],
        ["enqueued", time(found.enqueued_at)], ["started", time(found.started_at)], ["ended", time(found.ended_at)],
        ["slot", found.worker && name(found.worker, "mono")],
        ["lease", why.lease_ends && found.status === "started" ? lease : ""],
        ["timeout", found.timeout_seconds && `${plain(found.timeout_seconds)} s`],
      ]),
      block("Arguments", shownCall(found)),
      found.error ? block("Error", found.error) : "",
      found.traceback ? block("Traceback", found.traceback) : "",
      found.status === "finished" ? block("Result", found.result) : "",
    ];
  });
}

function actions(id, found, ui, look) {
  if (!ui.me.operate) return "";
  const then = (act, said) => async () => { const answer = await act(id); setTimeout(look, 400); return said ?? answer?.outcome; };
  const offered = [];
  if (found.status === "failed") offered.push(action("Requeue", then(requeue, "requeued")));
  if (GOING.has(found.status)) offered.push(action(found.status === "started" ? "Stop it" : "Cancel", then(cancel), { danger: true, sure: "Sure?" }));
  return offered.length ? h("p", { class: "actions" }, offered) : "";
}

const time = (iso) => (iso ? dateTime(Date.parse(iso.includes("Z") || iso.includes("+") ? iso : `${iso}Z`)) : "");

function shownCall({ args, kwargs }) {
  if (typeof args === "string" && args.startsWith("<")) return args;
  const plainArgs = Array.isArray(args) && args.length ? args.map((one) => JSON.stringify(one)).join("\n") : "";
  const named = kwargs && typeof kwargs === "object" ? Object.entries(kwargs).map(([key, one]) => `${key} = ${JSON.stringify(one)}`).join("\n") : "";
  return [plainArgs, named].filter(Boolean).join("\n") || "none";
}

function block(label, content) {
  const pre = h("pre", { tabindex: "0", "aria-label": label });
  pre.textContent = lines(typeof content === "string" ? content : JSON.stringify(content, null, 1));
  return h("section", { class: "block" }, h("h3", {}, label), pre);
}
