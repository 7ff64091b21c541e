// Other limits for a while: what, for how long, why. It ends by itself; lifting it ends it now.

import { fill, h, moment, plain, text } from "../dom.js";
import { lift, override } from "../api.js";
import { action } from "../panel.js";
import { overrideWords } from "../parts/rest.js";

const LENGTHS = [["15 minutes", 900], ["1 hour", 3600], ["4 hours", 14400], ["1 day", 86400]];

export function overrideBox(queue, ui) {
  const node = h("div", { class: "override" }), until = h("span", { class: "until", data: { before: "ends in ", over: "over" } }), what = h("b", {}), why = h("span", {});
  return {
    node,
    update(found) {
      const sort = `${Boolean(found)} ${ui.me.operate}`;
      fill(node, sort, () => (found ? [h("p", { class: "in-force" }, what, " ", until), h("p", { class: "holders" }, why), ui.me.operate ? action("Lift it now", async () => { await lift(queue); return "lifted"; }) : ""] : ui.me.operate ? form(queue) : [h("p", { class: "calm" }, "None. Setting one needs the scope operate.")]));
      if (!found) return;
      moment(until, found.until);
      text(what, overrideWords(found));
      text(why, `“${plain(found.reason)}”${found.who ? `, ${plain(found.who)}` : ""}`);
    },
  };
}

function form(queue) {
  const total = h("input", { type: "number", name: "total", min: 1, max: 1000000, step: 1, inputmode: "numeric", placeholder: "as declared" });
  const stop = h("select", { name: "stop" }, [["", "as declared"], ["Hold", "start nothing"], ["HoldAndDrain", "start nothing, drain"], ["None", "start again"]].map(([value, label]) => h("option", { value }, label)));
  const seconds = h("select", { name: "seconds" }, LENGTHS.map(([label, value]) => h("option", { value, selected: value === 3600 }, label)));
  const reason = h("input", { type: "text", name: "reason", required: true, maxlength: 256, placeholder: "why, for whoever looks next" });
  const said = h("p", { class: "said", role: "status" });
  const send = async (event) => {
    event.preventDefault();
    const body = { seconds: Number(seconds.value), reason: reason.value.trim(), ...(total.value ? { total: Number(total.value) } : {}), ...(stop.value ? { stop_policy: stop.value } : {}) };
    said.dataset.tone = "bad";
    if (!body.total && !body.stop_policy) return void (said.textContent = "Say what changes: the most at once, or whether it starts.");
    said.textContent = "…";
    try {
      await override(queue, body);
      said.textContent = "in force from the next start";
      said.dataset.tone = "";
    } catch (error) {
      said.textContent = error.message;
    }
  };
  const field = (label, input) => h("label", {}, h("span", {}, label), input);
  return h("form", { onsubmit: send }, h("div", { class: "fields" }, field("at most at once", total), field("starting", stop), field("for", seconds)), field("reason", reason), h("button", { type: "submit" }, "Set override"), said);
}
