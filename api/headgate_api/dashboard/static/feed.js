// The live state: whole once, then what changed. The server sends the newest whole state to whoever fell behind.

import { setClock } from "./words.js";

export const live = { meta: {}, parts: {}, connected: false, seenAt: 0, updates: 0 };
const PARTS = ["queues", "budgets", "workers", "jobs", "surfaces", "tasks"];
for (const part of PARTS) live.parts[part] = new Map();

let source = null, wait = 1000, timer = 0;

// changed(): after each update and each change of the connection. refused(): the session is none (any more).
export function follow(changed, refused) {
  stop();
  source = new EventSource("events");
  source.addEventListener("full", (event) => take(JSON.parse(event.data), true, changed));
  source.addEventListener("delta", (event) => take(JSON.parse(event.data), false, changed));
  source.addEventListener("error", () => {
    live.connected = false;
    changed();
    if (source && source.readyState === EventSource.CLOSED) again(changed, refused);
  });
}

export function stop() {
  clearTimeout(timer);
  source?.close();
  source = null;
  live.connected = false;
}

// The browser gives up after an answer that is no stream; the page does not.
function again(changed, refused) {
  stop();
  timer = setTimeout(async () => {
    try {
      const answer = await fetch("session", { cache: "no-store" });
      if (answer.status === 401 || answer.status === 403) return refused();
    } catch { /* not there yet */ }
    wait = Math.min(wait * 1.6, 15000);
    follow(changed, refused);
  }, wait * (0.7 + Math.random() * 0.6));
}

function take({ meta, parts }, whole, changed) {
  wait = 1000;
  for (const part of PARTS) {
    if (whole) live.parts[part].clear();
    for (const [key, row] of Object.entries(parts[part] ?? {})) {
      if (row === null) live.parts[part].delete(key);
      else live.parts[part].set(key, row);
    }
  }
  if (meta.now && !meta.down_since) setClock(meta.now);
  live.meta = meta;
  live.connected = true;
  live.seenAt = Date.now();
  live.updates += 1;
  changed();
}

export const rows = (part) => live.parts[part];

// Busy slots of each worker as its jobs say; what a worker says of itself is up to five seconds old.
let busy = new Map(), countedAt = -1;
export function busySlots() {
  if (countedAt === live.updates) return busy;
  countedAt = live.updates;
  busy = new Map();
  for (const [, , , , slot] of rows("jobs").values()) {
    const instance = slot.slice(0, slot.lastIndexOf("."));
    if (rows("workers").has(instance)) busy.set(instance, (busy.get(instance) ?? 0) + 1);
  }
  return busy;
}
