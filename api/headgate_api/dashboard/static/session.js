// Signing in with a token: it becomes a cookie that this page itself cannot read.

import { session, signIn, signOut } from "./api.js";
import { h, plain } from "./dom.js";

const dialog = document.getElementById("sign-in"), who = document.getElementById("who");

// A link may carry a token after #token=: it never reaches a server's log, and leaves the address at once.
function tokenInAddress() {
  if (!location.hash.startsWith("#token=")) return "";
  const token = decodeURIComponent(location.hash.slice(7));
  history.replaceState(null, "", location.pathname);
  return token;
}

// Who looks: { name, operate }. Asks until somebody is known.
export async function enter() {
  const token = tokenInAddress();
  try {
    return welcome(token ? await signIn(token) : await session());
  } catch (error) {
    return ask(error.status === 401 && !token ? "" : error.message);
  }
}

function welcome(me) {
  who.replaceChildren(h("span", { class: "whose", title: me.operate ? "may change things" : "may look" }, plain(me.name), me.operate ? "" : h("em", { class: "tag" }, "read only")),
    h("button", { type: "button", class: "quiet", onclick: async () => { await signOut(); location.reload(); } }, "Sign out"));
  return me;
}

function ask(said) {
  return new Promise((resolve) => {
    const token = h("input", { type: "password", name: "token", required: true, autocomplete: "current-password", maxlength: 256, autofocus: true, "aria-describedby": "sign-in-said" });
    const note = h("p", { class: "said", id: "sign-in-said", role: "alert", data: { tone: "bad" } }, said);
    const button = h("button", { type: "submit" }, "Look");
    const send = async (event) => {
      event.preventDefault();
      note.textContent = "";
      button.disabled = true;
      try {
        const me = welcome(await signIn(token.value.trim()));
        dialog.close();
        resolve(me);
      } catch (error) {
        note.textContent = error.status === 401 ? "No such token." : error.message;
        token.select();
      } finally {
        button.disabled = false;
      }
    };
    dialog.oncancel = (event) => event.preventDefault();
    dialog.replaceChildren(h("form", { onsubmit: send }, h("h2", { id: "sign-in-title" }, "Headgate"), h("label", {}, h("span", {}, "Token"), token), note, button,
      h("p", { class: "holders" }, "Make one: ", h("code", {}, "headgate-api token NAME"), " prints it and its line for the tokens file; ", h("code", {}, "operate"), " after the name lets it change things.")));
    if (!dialog.open) dialog.showModal();
    token.focus();
  });
}
