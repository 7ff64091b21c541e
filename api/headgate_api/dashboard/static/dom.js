// Elements without markup: every text goes in through textContent, so whatever a name holds stays text.

// Characters that hide, turn or break a line: shown as a dot, so that one name cannot pose as another.
const UNSEEN = /[\u0000-\u001f\u007f-\u009f\u00ad\u200b-\u200f\u2028-\u202f\u2060-\u206f\ufeff\ufff9-\uffff]/g;
const UNSEEN_BUT_LINES = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u00ad\u200b-\u200f\u2028-\u202f\u2060-\u206f\ufeff\ufff9-\uffff]/g;

export const plain = (text) => String(text ?? "").replace(UNSEEN, "\u00b7");
export const lines = (text) => String(text ?? "").replace(UNSEEN_BUT_LINES, "\u00b7");

// h("a", { class: "x", href: "#/" }, "text", node, ...). `data`: an object. on*: listeners.
export function h(tag, props, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(props ?? {})) set(node, name, value);
  for (const child of children.flat(3)) if (child !== null && child !== undefined && child !== false) node.append(child);
  return node;
}

function set(node, name, value) {
  if (value === null || value === undefined || value === false) return;
  if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
  else if (name === "data") Object.assign(node.dataset, value);
  else node.setAttribute(name === "class" ? "class" : name, value === true ? "" : value);
}

const SVG = "http://www.w3.org/2000/svg";
export function svg(tag, attributes, ...children) {
  const node = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes ?? {})) node.setAttribute(name, value);
  node.append(...children);
  return node;
}

// A name that somebody else chose: isolated, so that its direction stays its own.
export const name = (text, cls) => {
  const shown = plain(text);
  const node = h("bdi", { class: `name ${cls ?? ""}`, title: shown });
  node.textContent = shown;
  return node;
};

export function text(node, value) {
  if (node.textContent !== value) node.textContent = value;
}

export function attribute(node, key, value) {
  if (value === null || value === undefined || value === false) node.removeAttribute(key);
  else if (node.getAttribute(key) !== String(value)) node.setAttribute(key, value);
}

// A moment that counts: down to `until`, or up from `since` (ms of the store's clock). words.js fills it.
export function moment(node, until, since) {
  if (until) node.dataset.until = until;
  else delete node.dataset.until;
  if (since) node.dataset.since = since;
  else delete node.dataset.since;
}

// Children of `parent` as `entries` [[key, value]] say, in their order; each made once by create(key) -> { node, update }.
// Nodes stay where they are when they may: focus and scrolling survive.
export function keyed(parent, entries, create) {
  const had = (parent.keyedRows ??= new Map());
  const wanted = new Set();
  let at = parent.firstElementChild;
  for (const [key, value] of entries) {
    wanted.add(key);
    let row = had.get(key);
    if (!row) had.set(key, (row = create(key)));
    row.update(value);
    if (row.node === at) at = at.nextElementSibling;
    else parent.insertBefore(row.node, at);
  }
  for (const [key, row] of had) {
    if (wanted.has(key)) continue;
    if (row.node.contains(document.activeElement)) (row.node.nextElementSibling ?? parent).querySelector?.("a,button")?.focus();
    row.node.remove();
    had.delete(key);
  }
}

// The one child of `parent`: rebuilt only when `signature` changes.
export function fill(parent, signature, build) {
  if (parent.filledWith === signature) return;
  parent.filledWith = signature;
  parent.keyedRows = undefined;
  parent.replaceChildren(...[build()].flat());
}
