// How full a gate is: a cell for each place where they are few, one bar where they are many.

import { attribute, h } from "./dom.js";

const MOST_CELLS = 20;

export function gauge() {
  const node = h("span", { class: "gauge", "aria-hidden": "true" });
  let cells = -1;
  return {
    node,
    update({ used = 0, limit = 0, reserved = 0, held = false, shadow = false }) {
      const wanted = limit > 0 && limit <= MOST_CELLS ? limit : 0;
      if (wanted !== cells) {
        cells = wanted;
        node.replaceChildren(...(wanted ? Array.from({ length: wanted }, () => h("i")) : [h("b")]));
        node.classList.toggle("cells", wanted > 0);
      }
      attribute(node, "data-held", held || null);
      attribute(node, "data-shadow", shadow || null);
      if (wanted) [...node.children].forEach((cell, index) => {
        attribute(cell, "data-on", index < used || null);
        attribute(cell, "data-kept", (index >= used && index >= limit - reserved) || null);
      });
      else node.firstElementChild.style.width = `${limit ? Math.min(100, (100 * used) / limit) : 0}%`;
    },
  };
}
