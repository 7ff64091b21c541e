// Overrides in force, and dead jobs by queue.

import { fill, h, keyed, moment, name, plain, text } from "../dom.js";
import { rows } from "../feed.js";
import { counted, share } from "../words.js";

export function overrides(root, ui) {
  const found = [...rows("queues")].filter(([queue, row]) => row.override && ui.matches(queue));
  if (!found.length) return fill(root, "none", () => h("p", { class: "calm" }, "None in force. Open a queue to set one: it needs a reason and ends by itself."));
  fill(root, "some", () => h("ul", { class: "cards", role: "list" }));
  keyed(root.firstElementChild, found, (queue) => {
    const until = h("span", { class: "until", data: { before: "ends in ", over: "over" } }), what = h("p", {}), why = h("p", { class: "holders" });
    return {
      node: h("li", { class: "card" }, h("div", { class: "card-top" }, h("h3", {}, h("a", { href: `#/queue/${encodeURIComponent(queue)}` }, name(queue))), until), what, why),
      update({ override }) {
        moment(until, override.until);
        text(what, overrideWords(override));
        text(why, `“${plain(override.reason)}”`);
      },
    };
  });
}

export const overrideWords = (found) => [found.stop && { __proto__: null, Hold: "starts nothing", HoldAndDrain: "starts nothing and drains", None: "runs although its policy stops it" }[found.stop], found.total && `at most ${found.total} running`, found.rate && `at most ${share(found.rate)}`].filter(Boolean).join(", ");

export function dead(root, ui) {
  const found = [...rows("queues")].filter(([queue, row]) => row.dead && ui.matches(queue)).sort(([, a], [, b]) => b.dead - a.dead);
  if (!found.length) return fill(root, "none", () => h("p", { class: "calm" }, "None. Jobs that failed for good would be here, with their traceback and a way back."));
  fill(root, "some", () => h("ul", { class: "plain", role: "list" }));
  keyed(root.firstElementChild, found, (queue) => {
    const count = h("a", { href: `#/dead/${encodeURIComponent(queue)}` });
    return { node: h("li", {}, name(queue), " ", count), update: (row) => text(count, counted(row.dead, "job")) };
  });
}
