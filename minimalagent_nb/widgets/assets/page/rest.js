// @ts-check
/** Sessions from the routes of the server extension: JSON, and server-sent events. */

import { download, SourceError } from "../history/source.js";
import { hashOf } from "./address.js";
import { makeTalk, noteQuestions } from "./talk.js";

/** @typedef {import("../history/source.js").Source} Source */

const FIRST_RETRY = 2_000;
const LAST_RETRY = 30_000;

/** A stream of events that comes back where it broke off. */
class EventStream {
  /** @param {string} url @param {import("../history/source.js").OnFollow} on */
  constructor(url, on) {
    this.url = url;
    this.on = on;
    this.wait = FIRST_RETRY;
    this.timer = 0;
    this.trouble = "";
    this.connect();
  }

  connect() {
    const source = new EventSource(this.url);
    this.source = source;
    source.addEventListener("open", () => {
      this.wait = FIRST_RETRY;
      this.trouble = "";
      this.on.state(true, "");
    });
    source.addEventListener("message", (event) => this.on.message(JSON.parse(event.data)));
    source.addEventListener("end", (event) => this.on.end(JSON.parse(event.data)));
    source.addEventListener("trouble", (event) => {
      this.trouble = String(JSON.parse(event.data).message);
    });
    source.addEventListener("error", () => {
      this.on.state(false, this.trouble);
      // By itself it comes back only where the connection broke, not where it was refused.
      if (source.readyState !== EventSource.CLOSED) return;
      this.timer = window.setTimeout(() => this.connect(), this.wait);
      this.wait = Math.min(2 * this.wait, LAST_RETRY);
    });
  }

  close() {
    clearTimeout(this.timer);
    this.source?.close();
  }
}

/** What a route answers. @param {string} path @param {object} [values] @returns {Promise<any>} */
async function get(path, values = {}) {
  let response;
  try {
    response = await fetch(addressOf(path, values), { headers: { Accept: "application/json" } });
  } catch {
    throw new SourceError("The server cannot be reached.");
  }
  const body = await response.json().catch(() => ({}));
  if (response.ok) return body;
  const message = typeof body.message === "string" ? body.message : "The server refused this.";
  throw new SourceError(response.status === 403
    ? "You are not logged in, or may not see this. Log in to Jupyter and load the page again."
    : message, response.status === 404);
}

/**
 * A route with its query string; what is empty is left out.
 * @param {string} path @param {object} values
 */
function addressOf(path, values) {
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(values)) {
    if (value !== null && value !== "") query.set(name, String(value));
  }
  const text = query.toString();
  return `api/${path}${text && `?${text}`}`;
}

/** @param {string} session */
function pathOf(session) {
  return `sessions/${encodeURIComponent(session)}`;
}

/** @implements {Source} */
export class RestSource {
  constructor() {
    this.forms = ["jsonl", "ipynb", "html", "md"];
    /** @type {Source["askAgain"]} */
    this.askAgain = null;
    this.offline = "Choose a store with the setting memory: the variable MINIMALAGENT_NB_MEMORY, " +
      "or [tool.minimalagent_nb] in pyproject.toml.";
  }

  /** @type {Source["sessions"]} */
  sessions(about) {
    return get("sessions", about);
  }

  /** @type {Source["interactions"]} */
  interactions(session, about) {
    return get(`${pathOf(session)}/history`, about);
  }

  /** @type {Source["interaction"]} */
  async interaction(session, id) {
    return (await get(`${pathOf(session)}/interactions/${id}`, { form: "tree" })).tree;
  }

  /** @type {Source["whole"]} */
  async whole(session, id, calls, name) {
    const path = `${pathOf(session)}/interactions/${id}/whole`;
    const { value, cut } = await get(path, { calls: JSON.stringify(calls), name });
    return { value, isCut: cut };
  }

  /** @type {Source["search"]} */
  search(about, { found, failed }) {
    const source = new EventSource(addressOf("search", about));
    source.addEventListener("found", (event) => {
      const data = JSON.parse(event.data);
      if (data.over) source.close();
      found(data);
    });
    source.addEventListener("trouble", (event) => {
      source.close();
      failed(String(JSON.parse(event.data).message));
    });
    source.addEventListener("error", () => {
      source.close();
      failed("The connection to the server broke off.");
    });
    return () => source.close();
  }

  /** @type {Source["follow"]} */
  follow(session, id, on) {
    const stream = new EventStream(addressOf(`${pathOf(session)}/events`, { interaction: id }), on);
    return () => stream.close();
  }

  /** @type {NonNullable<Source["reach"]>} */
  reach(session, id, memory, refresh) {
    const talk = makeTalk(`${pathOf(session)}/interactions/${id}`, memory, refresh);
    return { talk, note: (run) => noteQuestions(memory, run) };
  }

  /** @type {Source["save"]} */
  async save(session, form) {
    download(`${session}.${form}`, addressOf(`${pathOf(session)}/export`, { form }));
  }

  /** @type {NonNullable<Source["linkTo"]>} */
  linkTo(session, run) {
    // Without what follows ?, which may be the reader's own token.
    return location.origin + location.pathname + hashOf({ session, run, search: {} });
  }

  close() {}
}
