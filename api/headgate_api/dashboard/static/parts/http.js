// HTTP rules: admitted, near the limit, refused. Counts only: who it was is nobody's business here.

import { fill, h, keyed, name, plain, text } from "../dom.js";
import { rows } from "../feed.js";
import { counted, number, share } from "../words.js";

export function http(root, ui) {
  if (!rows("surfaces").size) return fill(root, "none", () => h("p", { class: "calm" }, "None. A ", h("code", {}, "kind: HTTPPolicy"), " and one line in the application limit its requests: ", h("code", {}, "GateMiddleware(surface=…)")));
  fill(root, "some", () => h("div", {}));
  keyed(root.firstElementChild, [...rows("surfaces")].filter(([surface, row]) => ui.matches(surface) || row.rules.some((rule) => ui.matches(rule.name))), block);
}

function block(surface) {
  const state = h("small", {}), list = h("ul", { class: "cards", role: "list" });
  return {
    node: h("div", { class: "surface" }, h("h3", { class: "surface-name" }, name(surface), state), list),
    update(row) {
      text(state, row.instances ? `${counted(row.instances, "process")}`.replace("processs", "processes") + (row.behind ? `, ${row.behind} not at the newest revision` : "") : "no process uses it yet");
      keyed(list, row.rules.map((rule) => [rule.name, rule]), ruleCard);
    },
  };
}

function ruleCard(rule) {
  const limit = h("small", {}), bar = h("span", { class: "split", "aria-hidden": "true" }, h("i", { data: { of: "ok" } }), h("i", { data: { of: "near" } }), h("i", { data: { of: "denied" } }));
  const said = h("p", {}), where = h("p", { class: "holders" });
  return {
    node: h("li", { class: "card" }, h("h3", {}, name(rule), limit), bar, said, where),
    update(row) {
      text(limit, [row.rate && share(row.rate), row.places && `${number(row.places)} at once`].filter(Boolean).join(" · ") + (row.key ? ` for each ${word(row.key)}` : "") + (row.failures ? ", failures only" : ""));
      const allowed = row.allowed ?? 0, near = Math.min(row.near ?? 0, allowed), denied = row.denied ?? row.shadowed ?? 0, all = Math.max(1, allowed + denied);
      [allowed - near, near, denied].forEach((part, index) => (bar.children[index].style.width = `${(100 * part) / all}%`));
      text(said, [`${number(allowed)} admitted`, near && `${number(near)} near the limit`, row.denied && `${number(row.denied)} refused${row.identities ? `, of about ${counted(row.identities, "caller")}` : ""}`, row.shadowed && `${number(row.shadowed)} would have been refused`, row.in_flight && `${number(row.in_flight)} in flight`].filter(Boolean).join(" · "));
      text(where, plain(row.match) + (row.shadow ? " · shadow: counts, refuses nobody" : ""));
    },
  };
}

const word = (key) => ({ __proto__: null, ClientIP: "address", User: "user", Global: "surface" })[key] ?? `${plain(key)} header`;
