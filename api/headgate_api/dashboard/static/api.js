// The API's routes, by the session's cookie. The header is what another site cannot send.

export class Refused extends Error {
  constructor(status, detail) {
    super(detail);
    this.status = status;
  }
}

export async function call(method, path, body, headers) {
  let answer;
  try {
    answer = await fetch(path, {
      method,
      cache: "no-store",
      headers: { "X-Headgate-Page": "1", ...(body === undefined ? {} : { "Content-Type": "application/json" }), ...headers },
      body: body === undefined ? undefined : JSON.stringify(body),
    });
  } catch {
    throw new Refused(0, "The API does not answer. It may be restarting; try again.");
  }
  const text = await answer.text();
  let read = null;
  try { read = text ? JSON.parse(text) : null; } catch { /* not JSON: the status says enough */ }
  if (!answer.ok) throw new Refused(answer.status, read?.detail ?? `The API answered ${answer.status}.`);
  return read;
}

const at = encodeURIComponent;
export const session = () => call("GET", "session");
export const signIn = (token) => call("POST", "session", undefined, { Authorization: `Bearer ${token}` });
export const signOut = () => call("DELETE", "session");
export const job = (id) => call("GET", `v1/jobs/${at(id)}`);
export const explainJob = (id) => call("GET", `v1/jobs/${at(id)}/explain`);
export const cancel = (id) => call("POST", `v1/jobs/${at(id)}/cancel`);
export const requeue = (id) => call("POST", `v1/jobs/${at(id)}/requeue`);
export const dead = (queue) => call("GET", `v1/dead${queue ? `?queue=${at(queue)}` : ""}`);
export const override = (queue, body) => call("PUT", `v1/queues/${at(queue)}/override`, body);
export const lift = (queue) => call("DELETE", `v1/queues/${at(queue)}/override`);
