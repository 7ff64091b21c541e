// Headgate's dashboard: the live state in, the page out. No build step, no other code.

import { follow, live } from "./feed.js";
import { listen } from "./keys.js";
import { frozen, notices } from "./notices.js";
import { refresh, route } from "./panel.js";
import { budgets } from "./parts/budgets.js";
import { held } from "./parts/held.js";
import { hero } from "./parts/hero.js";
import { http } from "./parts/http.js";
import { queues } from "./parts/queues.js";
import { dead, overrides } from "./parts/rest.js";
import { tasks } from "./parts/tasks.js";
import { workers } from "./parts/workers.js";
import { enter } from "./session.js";
import { tick } from "./words.js";

const PARTS = { hero, held, queues, workers, budgets, tasks, http, overrides, dead };
const TICK_MS = 250;

const ui = {
  me: { name: "", operate: false },
  filter: "",
  chip: "all",
  matches: (text) => !ui.filter || text.toLowerCase().includes(ui.filter),
  filterBy(text) {
    ui.filter = text.trim().toLowerCase();
    render();
  },
  show(chip) {
    ui.chip = chip;
    render();
  },
};

let asked = false;
function render() {
  if (asked) return;
  asked = true;
  requestAnimationFrame(draw);
}

function draw() {
  asked = false;
  notices();
  if (!live.updates) return;
  document.body.classList.add("ready");
  for (const [id, part] of Object.entries(PARTS)) part(document.getElementById(id), ui);
  refresh();
  tick(frozen());
}

async function start() {
  ui.me = await enter();
  follow(render, start);
  route(ui);
}

listen(ui);
addEventListener("hashchange", () => {
  route(ui);
  tick(frozen());
});
setInterval(() => {
  if (document.hidden || !live.updates) return;
  notices();
  tick(frozen());
}, TICK_MS);
document.addEventListener("visibilitychange", () => document.hidden || render());
start();
