// What is wrong with what is seen: the connection, the store, its data. Said once, politely.

import { fill, h, moment, text } from "./dom.js";
import { live } from "./feed.js";
import { timeOfDay } from "./words.js";

const root = document.getElementById("notices"), pulse = document.getElementById("pulse");
const STALE_MS = 15_000;

export const frozen = () => !live.connected || Boolean(live.meta.down_since) || Date.now() - live.seenAt > STALE_MS;

export function notices() {
  const found = [];
  const { down_since: down, quarantine_until: quarantine } = live.meta;
  if (live.updates && (!live.connected || Date.now() - live.seenAt > STALE_MS)) found.push(["lost", "bad", `No word from the API since ${timeOfDay(live.seenAt)}: below is what was known then. Trying again.`]);
  else if (down) found.push(["down", "bad", `The store does not answer since ${timeOfDay(down)}: ${live.meta.now ? "below is what was known then" : "nothing is known yet"}. Workers finish what they run and start nothing new.`]);
  if (quarantine) found.push(["quarantine", "held", "Quarantine: the store lost data or its clock. Nothing starts while workers announce what they run; "]);
  fill(root, JSON.stringify(found), () => found.map(([key, tone, sentence]) => h("p", { class: "notice", data: { tone } }, sentence, key === "quarantine" ? countdown(quarantine) : "")));
  const state = !live.updates ? (down ? "down" : "waiting") : !live.connected ? "lost" : down ? "down" : quarantine ? "held" : "live";
  pulse.dataset.state = state;
  text(pulse.lastElementChild, { waiting: "connecting", live: "live", lost: "reconnecting", down: "store unreachable", held: "quarantine" }[state]);
  document.body.classList.toggle("frozen", live.updates > 0 && frozen());
}

function countdown(until) {
  const node = h("span", { class: "until", data: { before: "it opens in ", over: "it opens now" } });
  moment(node, until);
  return node;
}
