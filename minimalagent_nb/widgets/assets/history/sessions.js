// @ts-check
/** The pane of the sessions: the one used last on top, found by title or id. */

import { countText } from "../tree/words.js";
import { element, keepKeys, setText } from "../tree/elements.js";
import { arrange, blank, field, pushButton, settled, setWhen, Trouble, walkKeys } from "./parts.js";
import { dayText } from "./times.js";

/**
 * @typedef {import("./source.js").Session} Session
 * @typedef {import("./source.js").Source} Source
 * @typedef {{root: HTMLElement, title: HTMLElement, when: HTMLElement, facts: HTMLElement}} Row
 */

const SESSIONS_PAGE = 50;
const MOST_SESSIONS = 5_000;
const GIVEN_UP = 60_000; // milliseconds after which a question may have been lost
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
    this.asked = 0; // the number of the last question
    this.askedAt = 0;
    this.answered = 0; // the newest that was answered
    this.waiting = 0; // how many are not
    this.listed = ""; // what the list was searched for
    this.isChosen = false; // the first that matches, as soon as it is listed
    /** @type {Map<string, Row>} */
    this.rows = new Map();
    this.root = element("nav", "mh-side");
    this.root.setAttribute("aria-label", "Sessions");
    const top = element("div", "mh-side-top");
    this.search = field({ label: "Find a session by title or id", placeholder: "Find a session" });
    top.append(element("h2", "mh-heading", "Sessions"), this.search);
    this.note = new Trouble(() => this.refresh());
    this.list = element("ul", "mh-sessions");
    keepKeys(this.list);
    this.more = pushButton("Show more", () => this.showMore(), "mh-button mh-more");
    this.moreRow = element("li");
    this.moreRow.append(this.more);
    this.store = element("p", "mh-store");
    this.root.append(top, this.note.root, this.list, this.store);
    this.listen();
    this.draw();
  }

  listen() {
    this.typed = settled(() => this.refresh(), 150);
    this.search.addEventListener("input", () => {
      this.limit = SESSIONS_PAGE;
      this.isChosen = false;
      this.typed?.wait();
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

  get wanted() {
    return this.search.value.trim();
  }

  /** Read the list anew, unless it is being read: whoever is asked may take long. */
  look() {
    if (!this.waiting || performance.now() - this.askedAt > GIVEN_UP) this.refresh();
  }

  /** Read the list anew. @returns {Promise<void>} */
  async refresh() {
    this.typed?.cancel();
    const search = this.wanted;
    const number = this.asked += 1;
    this.askedAt = performance.now();
    this.waiting += 1;
    // Whether it is of use, though it may have been asked for once more since then.
    const isNews = () => {
      this.waiting -= 1;
      if (number < this.answered || search !== this.wanted) return false;
      this.answered = number;
      return true;
    };
    try {
      const page = await this.source.sessions({ limit: this.limit, search });
      if (!isNews()) return;
      this.listed = search;
      this.take(page);
      if (this.isChosen) this.openFirst();
    } catch (error) {
      if (isNews()) this.fail(String(/** @type {Error} */ (error).message));
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
    const isLeft = this.note.end();
    setText(this.store, store ?? "");
    this.draw();
    if (isLeft) this.search.focus({ preventScroll: true });
    this.on.loaded();
  }

  /** @param {string} message */
  fail(message) {
    this.isLoaded = true;
    this.isChosen = false;
    this.trouble = message;
    // Why, the main pane says.
    this.note.tell("The list cannot be read.", message);
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
    if (this.hasMore) rows.push(this.moreRow);
    else if (this.since !== null) {
      rows.push(quietLine(`Sessions last used before ${dayText(this.since)} are not listed. ` +
        "A search in all sessions finds them."));
    }
    if (this.about) rows.push(quietLine(this.about));
    arrange(this.list, rows);
    for (const [id, { root }] of this.rows) if (!this.list.contains(root)) this.rows.delete(id);
    this.mark();
    if (!held || held === document.activeElement) return;
    const id = held.getAttribute("data-session");
    const again = this.links().find((link) => link.getAttribute("data-session") === id);
    (again ?? this.search).focus({ preventScroll: true }); // the list stays where the reader scrolled it
  }

  nothing() {
    const typed = this.wanted;
    if (!this.isLoaded) return quietLine("Loading…");
    if (AN_ID.test(typed)) {
      return this.row({
        session_id: typed, title: "Open this session id", last_used: null, interactions: null,
      });
    }
    if (typed) return quietLine("No session matches.");
    if (this.isOff) return quietLine("The memory is switched off.");
    return this.note.isTold ? element("li") : quietLine("No sessions yet.");
  }

  /**
   * The row of a session: the same one as long as it is listed, as a reader may press it just now.
   * @param {Session} session
   */
  row({ session_id: id, title, last_used: used, interactions, running }) {
    const row = this.rows.get(id) ?? this.newRow(id);
    setText(row.title, title || id);
    setWhen(row.when, used);
    const count = interactions ? ` · ${countText(interactions, "interaction")}` : "";
    if (row.facts.textContent !== `${running ? "Running · " : ""}${id}${count}`) {
      const state = running ? [element("span", "mh-running", "Running"), " · "] : [];
      row.facts.replaceChildren(...state, element("code", "", id), count);
    }
    return row.root;
  }

  /** @param {string} id @returns {Row} */
  newRow(id) {
    const root = element("li");
    const link = pushButton("", () => this.on.choose(id), "mh-session");
    link.setAttribute("data-session", id);
    const row = {
      root, title: element("span", "mh-title"), when: element("time", "mh-when"),
      facts: element("span", "mh-facts"),
    };
    link.append(row.title, row.when, row.facts);
    root.append(link);
    this.rows.set(id, row);
    return row;
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

  /** Open the first that matches what is typed, where the list is of that and the reader still there. */
  openFirst() {
    this.isChosen = false;
    if (document.activeElement === this.search) this.links()[0]?.click();
  }

  /** @param {KeyboardEvent} event */
  onSearchKey(event) {
    if (event.key === "ArrowDown") this.links()[0]?.focus();
    else if (event.key === "Enter" && this.listed === this.wanted) this.openFirst();
    else if (event.key === "Enter") {
      this.isChosen = true;
      this.refresh();
    } else if (event.key === "Escape" && this.search.value) {
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
    if (this.note.isTold) {
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
