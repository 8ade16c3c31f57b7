// @ts-check
/**
 * The sessions of a store, and the runs of one of them as they are stored.
 *
 * The address after # names the session. Each run is drawn by tree.js, the very file
 * that notebooks use. All that comes from the store reaches the page as text.
 */

import { EMPTY_RUN, countText, durationText, mountTree, newMemory, receive } from "./tree.js";

/**
 * @typedef {{session_id: string, title: string, last_used: number | null,
 *   interactions: number | null}} Session
 * @typedef {{interaction_id: number, query: string, status: string, error: string | null,
 *   model: string, agent: string, started: number | null, duration: number | null,
 *   steps: number, tool_calls: number, tokens: number}} Summary
 */

const REFRESH = 10_000; // milliseconds between two looks at the list
const FIRST_RETRY = 2_000;
const LAST_RETRY = 30_000;
const PAGE = 20;

/** @type {Record<string, string>} */
const WORDS = {
  running: "Running", completed: "Completed", stopped: "Stopped", failed: "Failed",
};

/** @param {string} id */
const byId = (id) => /** @type {HTMLElement} */ (document.getElementById(id));
const search = /** @type {HTMLInputElement} */ (byId("search"));

/** @param {string} tag @param {string} [name] @param {string} [text] */
function element(tag, name = "", text = "") {
  const made = document.createElement(tag);
  made.className = name;
  made.textContent = text;
  return made;
}

/** @param {Element} el @param {string} text */
function setText(el, text) {
  if (el.textContent !== text) el.textContent = text;
}

/** A failure whose message is for the reader. */
class Refused extends Error {
  /** @param {number} status @param {string} message */
  constructor(status, message) {
    super(message);
    this.status = status;
  }
}

/** What a route answers. @param {string} path @returns {Promise<any>} */
async function ask(path) {
  let response;
  try {
    response = await fetch(`api/${path}`, { headers: { Accept: "application/json" } });
  } catch {
    throw new Refused(0, "The server cannot be reached. Trying again.");
  }
  const body = await response.json().catch(() => ({}));
  if (response.ok) return body;
  const message = typeof body.message === "string" ? body.message : "The server refused this.";
  throw new Refused(response.status, response.status === 403
    ? "You are not logged in, or may not see this. Log in to Jupyter and load the page again."
    : message);
}

/** @param {number | null} seconds */
function whenText(seconds) {
  if (!seconds) return "";
  const date = new Date(seconds * 1000);
  const ago = Date.now() / 1000 - seconds;
  if (ago < 60) return "just now";
  if (ago < 3600) return `${Math.floor(ago / 60)} min ago`;
  const isToday = date.toDateString() === new Date().toDateString();
  if (isToday) return date.toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" });
  return date.toLocaleDateString([], { year: "numeric", month: "short", day: "numeric" });
}

/** A moment, its exact time as a tooltip. @param {HTMLElement} el @param {number | null} seconds */
function setWhen(el, seconds) {
  setText(el, whenText(seconds));
  el.title = seconds ? new Date(seconds * 1000).toLocaleString() : "";
}

// --- A stream that comes back ---------------------------------------------------

class Stream {
  /** @param {string} url @param {{message: (data: any) => void, end: (data: any) => void,
   *  state: (isOpen: boolean, trouble: string) => void}} on */
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

// --- One run ----------------------------------------------------------------------

class Card {
  /** @param {SessionView} session @param {number} id */
  constructor(session, id) {
    this.session = session;
    this.id = id;
    /** @type {Summary | null} */
    this.summary = null;
    this.feed = { rev: 0, state: EMPTY_RUN };
    this.memory = newMemory();
    this.isOpen = false;
    this.isFed = false; // by the session's stream
    /** @type {ReturnType<typeof mountTree> | null} */
    this.tree = null;
    /** @type {Stream | null} */
    this.stream = null;
    this.root = element("li", "mp-card");
    this.button = element("button", "mp-run");
    this.button.setAttribute("type", "button");
    this.query = element("span", "mp-query");
    this.facts = element("span", "mp-facts");
    this.status = element("span", "mp-status");
    this.figures = element("span");
    this.when = element("time", "mp-when");
    this.facts.append(this.status, this.figures);
    this.button.append(this.query, this.when, this.facts);
    this.body = element("div", "mp-body");
    this.body.hidden = true;
    this.note = element("p", "mp-note");
    this.place = element("div", "mp-tree");
    this.body.append(this.note, this.place);
    this.root.append(this.button, this.body);
    this.button.addEventListener("click", () => this.setOpen(!this.isOpen));
    this.setOpen(false);
  }

  /** @param {Summary} summary */
  tell(summary) {
    const wasRunning = this.summary?.status === "running";
    this.summary = summary;
    this.draw();
    // A run that is over without its stream having said so: what is shown is fetched again.
    if (this.isOpen && wasRunning && summary.status !== "running" && !this.isLive) this.load();
  }

  get isLive() {
    return this.feed.rev > 0 && this.feed.state.status === "running";
  }

  /** @param {any} message */
  take(message) {
    const { feed, missing } = receive(this.feed, message);
    this.feed = feed;
    this.tree?.update(feed.state);
    this.draw();
    return !missing;
  }

  draw() {
    const { state } = this.feed;
    const isTold = this.feed.rev > 0 && Boolean(state.started);
    const told = this.summary;
    const status = isTold ? state.status : told?.status ?? "running";
    this.root.setAttribute("data-status", status);
    setText(this.query, ((isTold ? state.query : told?.query) || "(no query)").slice(0, 2000));
    setText(this.status, Object.hasOwn(WORDS, status) ? WORDS[status] : status.slice(0, 40));
    setWhen(this.when, (isTold ? state.started : told?.started) || this.id / 1e6);
    const parts = told ? [
      told.steps ? countText(told.steps, "step") : "",
      told.tool_calls ? countText(told.tool_calls, "tool call") : "",
      told.tokens ? countText(told.tokens, "token") : "",
      durationText(told.duration), told.model.slice(0, 200),
    ] : [];
    setText(this.figures, parts.filter(Boolean).map((part) => ` · ${part}`).join(""));
  }

  /** @param {boolean} open */
  setOpen(open) {
    this.isOpen = open;
    this.button.setAttribute("aria-expanded", String(open));
    this.body.hidden = !open;
    if (!open) {
      this.stream?.close();
      this.stream = null;
      return;
    }
    this.tree ??= mountTree(this.place, { state: this.feed.state, memory: this.memory });
    if (this.feed.rev === 0 || (this.isLive && !this.isFed)) this.load();
  }

  /** Fetch what is stored of the run, or follow it where it goes on. */
  async load() {
    const path = `sessions/${encodeURIComponent(this.session.id)}`;
    if (this.summary?.status === "running") {
      this.stream ??= new Stream(`api/${path}/events?interaction=${this.id}`, {
        message: (message) => this.take(message),
        end: () => {
          this.stream?.close();
          this.stream = null;
          this.session.refresh();
        },
        state: () => undefined,
      });
      return;
    }
    this.body.setAttribute("aria-busy", "true");
    try {
      const { tree } = await ask(`${path}/interactions/${this.id}?form=tree`);
      if (!this.isLive) this.take({ ...tree, rev: this.feed.rev + 1 });
      setText(this.note, "");
    } catch (error) {
      setText(this.note, String(/** @type {Error} */ (error).message));
    }
    this.body.removeAttribute("aria-busy");
  }

  destroy() {
    this.stream?.close();
    this.tree?.destroy();
    this.root.remove();
  }
}

// --- One session -------------------------------------------------------------------

class SessionView {
  /** @param {string} id */
  constructor(id) {
    this.id = id;
    this.path = `sessions/${encodeURIComponent(id)}`;
    /** @type {Map<number, Card>} */
    this.cards = new Map();
    this.isClosed = false;
    this.isFirst = true;
    /** @type {number | null} */
    this.next = null;
    setText(byId("title"), "");
    setText(byId("session-id"), id);
    setText(byId("note"), "");
    byId("runs").replaceChildren();
    byId("older").hidden = true;
    byId("older").onclick = () => this.older();
    /** @type {HTMLAnchorElement} */ (byId("export")).href = `api/${this.path}/export`;
    this.setLive(false, "");
    // Before the history is read: a run that ends in between is in one of the two.
    this.stream = new Stream(`api/${this.path}/events`, {
      message: (message) => this.take(message),
      end: () => {
        this.refresh();
        list.refresh();
      },
      state: (isOpen, trouble) => {
        this.setLive(isOpen, trouble);
        if (isOpen && !this.isFirst) this.refresh();
      },
    });
    this.refresh();
  }

  /** @param {boolean} isOpen @param {string} trouble */
  setLive(isOpen, trouble) {
    const live = byId("live");
    live.setAttribute("data-state", isOpen ? "open" : "closed");
    setText(live, isOpen ? "Following" : trouble || "Connecting");
    live.title = isOpen ? "A run that begins in this session is shown at once." : "";
  }

  /** @param {any} message */
  take(message) {
    const id = Number(message.interaction_id);
    const card = this.card(id);
    card.take(message);
    if (card.isFed) return;
    // What goes on is opened once; closed by the reader, it stays closed.
    card.isFed = true;
    card.setOpen(true);
    this.drawTitle();
  }

  /** The card of an interaction, in its place: the newest first. @param {number} id */
  card(id) {
    const known = this.cards.get(id);
    if (known) return known;
    const card = new Card(this, id);
    this.cards.set(id, card);
    const older = [...this.cards.keys()].filter((other) => other < id);
    const before = older.length ? this.cards.get(Math.max(...older))?.root ?? null : null;
    byId("runs").insertBefore(card.root, before);
    return card;
  }

  /** Read the newest interactions. */
  async refresh() {
    await this.read(`${this.path}/history?limit=${PAGE}`, true);
  }

  async older() {
    await this.read(`${this.path}/history?limit=${PAGE}&before=${this.next}`, false);
  }

  /** @param {string} path @param {boolean} isNewest */
  async read(path, isNewest) {
    try {
      const { interactions, next } = await ask(path);
      if (this.isClosed) return;
      for (const summary of interactions) this.card(summary.interaction_id).tell(summary);
      if (!isNewest || this.isFirst) this.next = next;
      setText(byId("note"), "");
      if (isNewest && this.isFirst) this.openNewest(interactions[0]);
      this.isFirst = false;
    } catch (error) {
      if (this.isClosed) return;
      const { status, message } = /** @type {Refused} */ (error);
      this.isFirst = false;
      setText(byId("note"), status === 404 && !this.cards.size
        ? "Nothing is stored of this session yet. A run that begins is shown here." : message);
    }
    byId("older").hidden = this.next === null;
    this.drawTitle();
  }

  /** @param {Summary | undefined} newest */
  openNewest(newest) {
    const card = newest && this.cards.get(newest.interaction_id);
    if (card && !card.isOpen && newest.status !== "running") card.setOpen(true);
  }

  drawTitle() {
    const title = list.titleOf(this.id) || [...this.cards.values()].at(-1)?.query.textContent;
    setText(byId("title"), title || this.id);
    document.title = `${title || this.id} · Sessions`;
  }

  close() {
    this.isClosed = true;
    this.stream.close();
    for (const card of this.cards.values()) card.destroy();
  }
}

// --- The list ----------------------------------------------------------------------

class SessionList {
  constructor() {
    /** @type {Session[]} */
    this.sessions = [];
    this.root = byId("sessions");
    this.root.addEventListener("keydown", (event) => this.onKey(event));
  }

  /** @param {string} id */
  titleOf(id) {
    return this.sessions.find((session) => session.session_id === id)?.title ?? "";
  }

  async refresh() {
    try {
      const { store, sessions } = await ask("sessions?limit=1000");
      const isChanged = this.isNewFor(view?.id, sessions);
      this.sessions = sessions;
      setText(byId("store"), store ?? "");
      setText(byId("nav-note"), store ? "" : "The memory is switched off in the settings.");
      if (isChanged) view?.refresh();
      else view?.drawTitle();
    } catch (error) {
      setText(byId("nav-note"), /** @type {Error} */ (error).message);
    }
    this.draw();
  }

  /** Whether the session has interactions that its stream did not tell of: runs that are
   *  stored at their end only. @param {string | undefined} id @param {Session[]} sessions */
  isNewFor(id, sessions) {
    /** @param {Session[]} all */
    const usedIn = (all) => all.find((session) => session.session_id === id)?.last_used;
    return Boolean(id) && this.sessions.length > 0 && usedIn(sessions) !== usedIn(this.sessions);
  }

  draw() {
    const wanted = search.value.trim().toLowerCase();
    const found = this.sessions.filter(({ title, session_id: id }) =>
      title.toLowerCase().includes(wanted) || id.toLowerCase().includes(wanted));
    const focused = document.activeElement?.getAttribute("href");
    const rows = found.map((session) => this.row(session));
    const typed = search.value.trim();
    if (!found.length && /^[A-Za-z0-9_-]{1,128}$/.test(typed)) {
      rows.push(this.row({
        session_id: typed, title: "Open this session id", last_used: null, interactions: null,
      }));
    } else if (!found.length) {
      rows.push(element("li", "mp-none", typed ? "No session matches." : "No sessions yet."));
    }
    this.root.replaceChildren(...rows);
    for (const link of focused ? this.links() : []) {
      if (link.getAttribute("href") === focused) link.focus();
    }
  }

  /** @param {Session} session */
  row({ session_id: id, title, last_used: used, interactions }) {
    const item = element("li");
    const link = /** @type {HTMLAnchorElement} */ (element("a", "mp-session"));
    link.href = `#${encodeURIComponent(id)}`;
    if (id === view?.id) link.setAttribute("aria-current", "page");
    const when = element("time", "mp-when");
    setWhen(when, used);
    const line = element("span", "mp-facts");
    const count = interactions === null ? "" : countText(interactions, "interaction");
    line.append(element("code", "", id), element("span", "", count && ` · ${count}`));
    link.append(element("span", "mp-title", title || id), when, line);
    item.append(link);
    return item;
  }

  links() {
    return /** @type {HTMLAnchorElement[]} */ ([...this.root.querySelectorAll("a")]);
  }

  /** @param {KeyboardEvent} event */
  onKey(event) {
    const links = this.links();
    const at = links.findIndex((link) => link === document.activeElement);
    const to = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: links.length - 1 }[event.key];
    if (to === undefined || at < 0) return;
    event.preventDefault();
    if (to < 0) search.focus();
    else links[to]?.focus();
  }
}

// --- The page ----------------------------------------------------------------------

/** @type {SessionView | null} */
let view = null;
const list = new SessionList();

function go() {
  let id = "";
  try {
    id = decodeURIComponent(location.hash.slice(1));
  } catch {
    // A damaged address is no session's.
  }
  const isSession = /^[A-Za-z0-9_-]{1,128}$/.test(id);
  view?.close();
  view = isSession ? new SessionView(id) : null;
  document.body.toggleAttribute("data-session", isSession);
  byId("session").hidden = !isSession;
  byId("empty").hidden = isSession;
  if (!isSession) document.title = "Sessions";
  view?.drawTitle();
  list.draw();
}

search.addEventListener("input", () => list.draw());
search.addEventListener("keydown", (event) => {
  if (event.key === "ArrowDown") list.links()[0]?.focus();
  else if (event.key === "Enter") list.links()[0]?.click();
  else return;
  event.preventDefault();
});
document.addEventListener("keydown", (event) => {
  const isTyping = event.target instanceof HTMLInputElement;
  if (event.key !== "/" || isTyping || event.ctrlKey || event.metaKey || event.altKey) return;
  event.preventDefault();
  search.focus();
});
document.addEventListener("visibilitychange", () => {
  if (!document.hidden) list.refresh();
});
window.addEventListener("hashchange", go);
window.setInterval(() => {
  if (!document.hidden) list.refresh();
}, REFRESH);
go();
await list.refresh();
