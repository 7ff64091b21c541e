// Numbers and gates as people say them; the same words as `headgate explain`.

export function duration(ms) {
  const seconds = Math.max(0, ms / 1000);
  if (seconds < 10) return `${Math.round(seconds * 10) / 10} s`;
  if (seconds < 120) return `${Math.round(seconds)} s`;
  const minutes = Math.round(seconds / 60);
  if (minutes < 60) return `${minutes} min`;
  const hours = Math.floor(minutes / 60);
  if (hours < 48) return `${hours} h ${minutes % 60} min`;
  return `${Math.floor(hours / 24)} d ${hours % 24} h`;
}

// Whole seconds: what moves by itself should not flicker.
export const coarse = (ms) => (ms < 10000 ? `${Math.max(0, Math.round(ms / 1000))} s` : duration(ms));

export const number = (value) => String(value ?? 0).replace(/\B(?=(\d{3})+$)/g, "\u202f");
export const counted = (count, noun) => `${number(count)} ${noun}${count === 1 ? "" : "s"}`;

const UNITS = [[86_400_000, "day"], [3_600_000, "h"], [60_000, "min"], [1000, "s"]];
export function share([limit, period]) {
  const [size, unit] = UNITS.find(([one]) => period % one === 0) ?? [1, "ms"];
  return `${number(limit)} in ${period / size} ${unit}`;
}

const EACH = Object.freeze({ __proto__: null, "concurrency.perKey": "key", "rate.perKey": "key", "rate.perWorker": "worker" });

export function usage(gate) {
  const used = gate.used ?? 0, limit = gate.limit ?? 0;
  const what = gate.period ? ` starts in ${duration(gate.period)}` : " running";
  return EACH[gate.name] ? `at most ${number(limit)}${what} for each ${EACH[gate.name]}` : `${number(used)} of ${number(limit)}${what}${gate.reserved ? `, ${number(gate.reserved)} kept for HTTP` : ""}`;
}

const GATES = {
  __proto__: null,
  stop: "stopped",
  quarantine: "quarantine",
  "concurrency.total": "its total",
  "rate.total": "its rate",
  "concurrency.perKey": "each key's total",
  "rate.perKey": "each key's rate",
  "rate.perWorker": "each worker's rate",
  deferred: "a job said RateLimited",
  memory: "short of memory",
  "store.full": "the store is full",
};

export const gateLabel = (gate) => GATES[gate] ?? (gate.startsWith("budget/") ? afterSlash(gate.slice(7)) : gate);

// `<namespace>/<name>`: the name may hold anything.
export const afterSlash = (full) => full.slice(full.indexOf("/") + 1);
export const beforeSlash = (full) => full.slice(0, Math.max(0, full.indexOf("/")));

// The store's clock, carried on from the last update.
let base = 0, received = 0;
export function setClock(now) {
  base = now;
  received = performance.now();
}
export const storeNow = () => base + (base ? performance.now() - received : 0);

export function timeOfDay(ms) {
  return new Date(ms).toLocaleTimeString([], { hour: "2-digit", minute: "2-digit", second: "2-digit" });
}
export function dateTime(ms) {
  return new Date(ms).toLocaleString([], { dateStyle: "medium", timeStyle: "medium" });
}

// Every moment on the page counts by itself, between updates too.
export function tick(frozen) {
  const now = storeNow();
  for (const node of document.querySelectorAll("[data-until],[data-since]")) {
    if (frozen && node.textContent) continue;
    const until = Number(node.dataset.until), since = Number(node.dataset.since);
    const said = until ? (until > now ? `${node.dataset.before ?? "in "}${(node.dataset.coarse ? coarse : duration)(until - now)}` : (node.dataset.over ?? "now")) :
      `${coarse(now - since)}${node.dataset.after ?? ""}`;
    if (node.textContent !== said) node.textContent = said;
  }
}
