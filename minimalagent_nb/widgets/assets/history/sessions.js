// @ts-check
/** The pane of the sessions: the one used last on top, found by title or id. */

import { countText } from "../tree/words.js";
import { element, keepKeys, setHidden, setText } from "../tree/elements.js";
import { blank, field, pushButton, settled, setWhen, walkKeys } from "./parts.js";
import { dayText } from "./times.js";

/**
 * @typedef {import("./source.js").Session} Session
 * @typedef {import("./source.js").Source} Source
 */

const SESSIONS_PAGE = 50;
const MOST_SESSIONS = 5_000;
const AN_ID = /^[A-Za-z0-9_-]{1,128}$/;

export class SessionsPane {
  /**
   * @param {Source} source
   * @param {{choose: (id: string) => void, loaded: () => void}} on
   */
  constructor(source, on) {
    this.source = source;
    this.on = on;
    /** @type {Session[]} */
    this.sessions = [];
    this.limit = SESSIONS_PAGE;
    this.hasMore = false;
    /** @type {number | null} */
    this.since = null;
    this.about = "";
    this.isLoaded = false;
    this.isOff = false;
    this.trouble = "";
    this.current = "";
    this.asked = 0;
    this.root = element("nav", "mh-side");
    this.root.setAttribute("aria-label", "Sessions");
    const top = element("div", "mh-side-top");
    this.search = field({ label: "Find a session by title or id", placeholder: "Find a session" });
    top.append(element("h2", "mh-heading", "Sessions"), this.search);
    this.note = element("div", "mh-note");
    this.note.setAttribute("role", "status");
    this.list = element("ul", "mh-sessions");
    keepKeys(this.list);
    this.more = pushButton("Show more", () => this.showMore(), "mh-button mh-more");
    this.store = element("p", "mh-store");
    this.root.append(top, this.note, this.list, this.store);
    setHidden(this.note, true);
    this.listen();
    this.draw();
  }

  listen() {
    const typed = settled(() => this.refresh(), 150);
    this.search.addEventListener("input", () => {
      this.limit = SESSIONS_PAGE;
      typed.wait();
    });
    this.search.addEventListener("keydown", (event) => this.onSearchKey(event));
    this.list.addEventListener("keydown", (event) => this.onKey(event));
    this.list.addEventListener("scroll", () => {
      const { scrollTop, scrollHeight, clientHeight } = this.list;
      if (this.hasMore && scrollTop + clientHeight > scrollHeight - 200) this.showMore();
    });
  }

  /** @param {string} id */
  sessionOf(id) {
    return this.sessions.find((session) => session.session_id === id);
  }

  /** Read the list anew. @returns {Promise<void>} */
  async refresh() {
    const asked = this.asked += 1;
    try {
      const page = await this.source.sessions({ limit: this.limit, search: this.search.value.trim() });
      if (asked === this.asked) this.take(page);
    } catch (error) {
      if (asked === this.asked) this.fail(String(/** @type {Error} */ (error).message));
    }
  }

  /** @param {import("./source.js").SessionsPage} page */
  take({ store, sessions, more, since = null, note = null }) {
    this.sessions = sessions;
    this.hasMore = Boolean(more);
    this.since = since;
    this.about = note ?? "";
    this.isLoaded = true;
    this.isOff = store === null;
    setHidden(this.note, true);
    setText(this.store, store ?? "");
    this.draw();
    this.on.loaded();
  }

  /** @param {string} message */
  fail(message) {
    this.isLoaded = true;
    // Said once: its button may have the focus.
    if (this.note.hidden) {
      this.note.replaceChildren(
        element("span", "", "The list cannot be read."), pushButton("Try again", () => this.refresh()));
    }
    this.trouble = message;
    // Why, the main pane says.
    this.note.title = message;
    setHidden(this.note, false);
    this.draw();
    this.on.loaded();
  }

  showMore() {
    if (this.limit > this.sessions.length || this.limit >= MOST_SESSIONS) return;
    this.limit = Math.min(this.limit + SESSIONS_PAGE, MOST_SESSIONS);
    this.refresh();
  }

  /** @param {string} id */
  setCurrent(id) {
    this.current = id;
    this.mark();
  }

  /** Say which one is shown: it is the one that Tab comes to. */
  mark() {
    const links = this.links();
    for (const link of links) {
      const isCurrent = link.getAttribute("data-session") === this.current;
      if (isCurrent) link.setAttribute("aria-current", "true");
      else link.removeAttribute("aria-current");
      link.tabIndex = isCurrent ? 0 : -1;
    }
    if (links.length && links.every((link) => link.tabIndex < 0)) links[0].tabIndex = 0;
  }

  draw() {
    const { activeElement } = document;
    const held = this.list.contains(activeElement) ? activeElement : null;
    const rows = this.sessions.map((session) => this.row(session));
    if (!rows.length) rows.push(this.nothing());
    if (this.hasMore) {
      const item = element("li");
      item.append(this.more);
      rows.push(item);
    } else if (this.since !== null) {
      rows.push(quietLine(`Sessions last used before ${dayText(this.since)} are not listed. ` +
        "A search in all sessions finds them."));
    }
    if (this.about) rows.push(quietLine(this.about));
    this.list.replaceChildren(...rows);
    this.mark();
    if (!held) return;
    const id = held.getAttribute("data-session");
    const again = this.links().find((link) => link.getAttribute("data-session") === id);
    again?.focus({ preventScroll: true }); // the list stays where the reader scrolled it
  }

  nothing() {
    const typed = this.search.value.trim();
    if (!this.isLoaded) return quietLine("Loading…");
    if (AN_ID.test(typed)) {
      return this.row({
        session_id: typed, title: "Open this session id", last_used: null, interactions: null,
      });
    }
    if (typed) return quietLine("No session matches.");
    if (this.isOff) return quietLine("The memory is switched off.");
    return this.note.hidden ? quietLine("No sessions yet.") : element("li");
  }

  /** @param {Session} session */
  row({ session_id: id, title, last_used: used, interactions, running }) {
    const item = element("li");
    const link = pushButton("", () => this.on.choose(id), "mh-session");
    link.setAttribute("data-session", id);
    const when = element("time", "mh-when");
    setWhen(when, used);
    const facts = element("span", "mh-facts");
    if (running) facts.append(element("span", "mh-running", "Running"), " · ");
    facts.append(element("code", "", id));
    if (interactions) facts.append(` · ${countText(interactions, "interaction")}`);
    link.append(element("span", "mh-title", title || id), when, facts);
    item.append(link);
    return item;
  }

  links() {
    return /** @type {HTMLElement[]} */ ([...this.list.querySelectorAll(".mh-session, .mh-more")]);
  }

  /** @param {KeyboardEvent} event */
  onKey(event) {
    const links = this.links();
    if (event.key === "ArrowUp" && event.target === links[0]) {
      event.preventDefault();
      this.search.focus();
    } else walkKeys(event, links);
  }

  /** @param {KeyboardEvent} event */
  onSearchKey(event) {
    if (event.key === "ArrowDown") this.links()[0]?.focus();
    else if (event.key === "Enter") this.links()[0]?.click();
    else if (event.key === "Escape" && this.search.value) {
      this.search.value = "";
      this.refresh();
    } else return;
    event.preventDefault();
    event.stopPropagation();
  }

  /** A blank page for a reader without any session. @returns {HTMLElement} */
  invitation() {
    if (!this.isLoaded) return blank("Loading…");
    if (this.isOff) return blank("The memory is switched off", this.source.offline);
    if (!this.note.hidden) {
      return blank("The sessions cannot be read", this.trouble, [
        { label: "Try again", act: () => this.refresh() },
      ]);
    }
    if (this.sessions.length || this.search.value) return blank("Choose a session");
    return blank("No sessions yet", "What you ask in a cell with %%agent, or by agent.run with a " +
      "session_id, is kept and listed here.");
  }
}

/** A line of the list that is no session. @param {string} text */
function quietLine(text) {
  const item = element("li");
  item.append(element("p", "mh-quiet", text));
  return item;
}
