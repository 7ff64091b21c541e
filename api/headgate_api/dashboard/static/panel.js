// What the address names after #: a queue, a job, the dead jobs. One panel, beside the page or over it on a phone.

import { fill, h } from "./dom.js";
import { deadPanel } from "./panels/dead.js";
import { jobPanel } from "./panels/job.js";
import { queuePanel } from "./panels/queue.js";

const KINDS = { __proto__: null, queue: queuePanel, job: jobPanel, dead: deadPanel };
const root = document.getElementById("panel");
let open = null, cameFrom = null;

function address() {
  const [kind, ...rest] = location.hash.replace(/^#\//, "").split("/");
  if (!location.hash.startsWith("#/") || !(kind in KINDS)) return null;
  let key;
  try { key = decodeURIComponent(rest.join("/")); } catch { return null; }
  return { kind, key, hash: location.hash };
}

// Called when the address changes: the old panel goes, the new one is built and gets the focus.
export function route(ui) {
  const wanted = address();
  if (open?.hash === wanted?.hash) return;
  if (!open) cameFrom = document.activeElement;
  open?.view.close?.();
  open = null;
  if (!wanted) {
    root.hidden = true;
    root.replaceChildren();
    document.body.classList.remove("with-panel");
    if (cameFrom?.isConnected) cameFrom.focus();
    return;
  }
  const title = h("h2", { id: "panel-title" }), body = h("div", { class: "panel-body" });
  root.replaceChildren(h("div", { class: "panel-head" }, title, h("a", { class: "close", href: "#/", "aria-label": "Close" }, "×")), body);
  root.hidden = false;
  root.scrollTop = 0;
  document.body.classList.add("with-panel");
  open = { ...wanted, view: KINDS[wanted.kind](wanted.key, { title, body, ui }) };
  open.view.update();
  root.focus({ preventScroll: true });
}

// After each update of the live state.
export const refresh = () => open?.view.update();
export const close = () => { if (open) location.hash = "#/"; };

// A button that asks the API: says what it does meanwhile, and what came of it.
export function action(label, act, { danger, sure } = {}) {
  const said = h("span", { class: "said", role: "status" });
  let asked = false, busy = false;
  const button = h("button", { type: "button", class: danger ? "danger" : "" }, label);
  button.addEventListener("click", async () => {
    if (busy) return;
    if (sure && !asked) {
      asked = true;
      button.textContent = sure;
      setTimeout(() => { if (!busy) { asked = false; button.textContent = label; } }, 4000);
      return;
    }
    busy = true;
    button.setAttribute("aria-disabled", "true");
    said.textContent = "…";
    try {
      said.textContent = (await act()) ?? "done";
      said.dataset.tone = "";
    } catch (error) {
      said.textContent = error.message;
      said.dataset.tone = "bad";
    } finally {
      busy = asked = false;
      button.textContent = label;
      button.removeAttribute("aria-disabled");
    }
  });
  return h("span", { class: "action" }, button, said);
}

export const facts = (pairs) => h("dl", { class: "facts" }, pairs.filter(([, value]) => value !== "" && value !== null && value !== undefined && value !== false).map(([label, value]) => h("div", {}, h("dt", {}, label), h("dd", {}, value))));

export function waiting(body, said) {
  fill(body, `wait ${said}`, () => h("p", { class: "calm" }, said));
}
