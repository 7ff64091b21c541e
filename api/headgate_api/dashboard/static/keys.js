// The keyboard: / filters, arrows move between rows, Escape closes, ? says so.

import { h } from "./dom.js";
import { close } from "./panel.js";

const KEYS = [["/", "filter by name"], ["↓ ↑ or j k", "next and previous row"], ["Enter", "open it"], ["Esc", "close the panel, empty the filter"], ["d", "dead jobs"], ["?", "these keys"]];
const dialog = document.getElementById("keys"), filter = document.getElementById("filter"), panel = document.getElementById("panel");

export function listen(ui) {
  filter.addEventListener("input", () => ui.filterBy(filter.value));
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || document.querySelector("dialog[open]")) return;
    const typing = event.target.closest?.("input,select,textarea");
    if (event.key === "Escape") return escape(ui, typing);
    if (typing && !(event.target === filter && event.key === "ArrowDown")) return;
    const act = { "/": () => filter.focus(), "?": help, d: () => (location.hash = "#/dead"), ArrowDown: () => move(1), j: () => move(1), ArrowUp: () => move(-1), k: () => move(-1) }[event.key];
    if (act && act() !== false) event.preventDefault();
  });
  document.addEventListener("click", (event) => {
    const job = event.target.dataset?.job;
    if (job) location.hash = `#/job/${encodeURIComponent(job)}`;
  });
}

function escape(ui, typing) {
  if (typing === filter && filter.value) {
    filter.value = "";
    ui.filterBy("");
  } else if (typing) typing.blur();
  else if (!panel.hidden) close();
}

function move(by) {
  const within = panel.contains(document.activeElement) && panel.querySelector("[data-row]") ? panel : document.getElementById("main");
  const links = [...within.querySelectorAll("[data-row]")].filter((link) => link.offsetParent);
  if (!links.length) return false;
  const at = links.indexOf(document.activeElement);
  const next = links[at < 0 ? 0 : Math.min(links.length - 1, Math.max(0, at + by))];
  next.focus();
  next.scrollIntoView({ block: "nearest" });
  return true;
}

function help() {
  dialog.replaceChildren(h("h2", { id: "keys-title" }, "Keys"), h("dl", { class: "facts" }, KEYS.map(([key, what]) => h("div", {}, h("dt", {}, h("kbd", {}, key)), h("dd", {}, what)))), h("form", { method: "dialog" }, h("button", { autofocus: true }, "Close")));
  dialog.showModal();
}
