// Dead jobs, of one queue or of all: what was raised, and the way back into the queue.

import { dead, requeue } from "../api.js";
import { fill, h, name, plain, text } from "../dom.js";
import { rows } from "../feed.js";
import { action, waiting } from "../panel.js";
import { counted, dateTime } from "../words.js";

export function deadPanel(queue, { title, body, ui }) {
  let count = -1, busy = false, gone = false;
  title.replaceChildren("Dead jobs", ...(queue ? [" of ", name(queue)] : []));
  waiting(body, "Looking…");
  async function look() {
    busy = true;
    try {
      const found = await dead(queue);
      if (!gone) show(body, found, ui, look);
    } catch (error) {
      if (!gone) waiting(body, error.message);
    }
    busy = false;
  }
  return {
    update() {
      const now = [...rows("queues")].reduce((sum, [key, row]) => sum + (!queue || key === queue ? row.dead ?? 0 : 0), 0);
      if (now === count || busy) return;
      count = now;
      look();
    },
    close() { gone = true; },
  };
}

function show(body, { total, jobs }, ui, look) {
  if (!jobs.length) return waiting(body, "No dead jobs.");
  fill(body, JSON.stringify([total, jobs, ui.me.operate]), () => [
    h("p", { class: "verdict" }, counted(total, "job"), total > jobs.length ? `, the newest ${jobs.length} here` : ""),
    ui.me.operate && jobs.length > 1 ? h("p", { class: "actions" }, all(jobs, look)) : "",
    h("ul", { class: "dead-list", role: "list" }, jobs.map((job) => row(job, ui, look))),
  ]);
}

function row(job, ui, look) {
  return h("li", {}, h("div", { class: "card-top" }, h("a", { href: `#/job/${encodeURIComponent(job.id)}`, data: { row: "" } }, name(job.function || job.id)), h("small", {}, job.ended_at ? dateTime(Date.parse(job.ended_at)) : "")),
    h("p", { class: "reason" }, plain(job.reason || "no reason on record")), h("p", { class: "holders" }, name(job.queue), " · ", name(job.id, "mono")),
    ui.me.operate ? action("Requeue", async () => { await requeue(job.id); setTimeout(look, 300); return "requeued"; }) : "");
}

function all(jobs, look) {
  return action(`Requeue these ${jobs.length}`, async () => {
    let done = 0, refused = "";
    for (const job of jobs) {
      try {
        await requeue(job.id);
        done += 1;
      } catch (error) {
        refused = error.message;
        if (error.status === 403 || error.status === 0) break;
      }
    }
    setTimeout(look, 300);
    if (done < jobs.length) throw new Error(`${done} of ${jobs.length} requeued. ${refused}`);
    return `${done} requeued`;
  }, { sure: `Sure? ${jobs.length} jobs will run again` });
}
