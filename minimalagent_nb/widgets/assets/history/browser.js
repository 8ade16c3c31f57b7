// @ts-check
/**
 * The history browser: sessions at the side, and in the main pane one session, what a search
 * found, or two interactions side by side. Plain modules without Jupyter in them: what they
 * show comes from a source (see source.js). All of it reaches the page as text.
 */

import { element, keepKeys, setAttribute, setHidden, setText } from "../tree/elements.js";
import { ComparePane } from "./compare.js";
import { FilterBar } from "./filters.js";
import { pushButton } from "./parts.js";
import { ResultsPane } from "./results.js";
import { SessionPane } from "./session.js";
import { SessionsPane } from "./sessions.js";
import { hasFilters, NO_FILTERS } from "./source.js";

/**
 * @typedef {import("./card.js").Card} Card
 * @typedef {import("./compare.js").Choice} Choice
 * @typedef {import("./source.js").Hit} Hit
 * @typedef {import("./source.js").RunsPage} RunsPage
 * @typedef {import("./source.js").SessionsPage} SessionsPage
 * @typedef {import("./source.js").Source} Source
 * @typedef {{session: string | null, sessions?: SessionsPage, history?: RunsPage | null,
 *   error?: string}} First what is known before anything was asked
 * @typedef {{session: string, run: number | null, search: Record<string, string>}} Where the
 *   reader is: `run` is the interaction that the list begins with, `search` the filter bar's state
 */

const REFRESH = 10_000; // milliseconds between two looks at the list

export class HistoryBrowser {
  /**
   * @param {HTMLElement} root @param {Source} source
   * @param {{first?: First | null, where?: Where, isPage?: boolean,
   *   moved?: (where: Where, title: string) => void}} [options] `isPage`: it has the whole page
   */
  constructor(root, source, options = {}) {
    const { first = null, where, isPage = false, moved = () => undefined } = options;
    this.root = root;
    this.source = source;
    this.moved = moved;
    this.isGoing = false;
    this.session = "";
    /** @type {SessionPane | null} */
    this.pane = null;
    /** @type {ResultsPane | null} */
    this.results = null;
    /** @type {ComparePane | null} */
    this.compare = null;
    /** @type {WeakMap<Element, number>} */
    this.scrolled = new WeakMap();
    /** @type {Map<string, Choice>} */
    this.picks = new Map();
    this.sessions = new SessionsPane(source, {
      choose: (id) => this.choose(id), loaded: () => this.onSessions(),
    });
    this.bar = new FilterBar(() => this.apply());
    /** @type {number | null | undefined} */
    this.lastUsed = undefined;
    this.toResults = pushButton("‹ Results", () => this.backToResults(), "mh-link");
    this.waiting = element("p", "mh-note");
    this.content = element("div", "mh-content");
    this.pickBar = element("div", "mh-picks");
    this.pickNote = element("span");
    this.pickButton = pushButton("Compare", () => this.showCompare(), "mh-button mh-primary");
    this.build(isPage);
    this.timer = window.setInterval(() => {
      if (!document.hidden && root.isConnected) this.sessions.look();
    }, REFRESH);
    this.listen = (/** @type {KeyboardEvent} */ event) => this.onKey(event);
    (isPage ? document : root).addEventListener("keydown", /** @type {any} */ (this.listen));
    this.isPage = isPage;
    this.begin(first, where);
  }

  /** @param {boolean} isPage */
  build(isPage) {
    const main = element("main", "mh-main");
    if (!isPage) main.setAttribute("role", "region");
    main.setAttribute("aria-label", "Interactions");
    const toSessions = pushButton("‹ Sessions", () => this.showSide(), "mh-link mh-to-sessions");
    const ways = element("div", "mh-ways");
    ways.append(toSessions, this.toResults);
    this.waiting.setAttribute("role", "status");
    this.pickNote.setAttribute("role", "status");
    this.pickBar.append(
      this.pickNote, this.pickButton, pushButton("Clear", () => this.clearPicks(), "mh-link"));
    main.append(this.bar.root, ways, this.waiting, this.content, this.pickBar);
    setHidden(this.waiting, true);
    setHidden(this.pickBar, true);
    keepKeys(this.content);
    this.root.classList.add("mh");
    this.root.classList.toggle("mh-page", isPage);
    const panes = element("div", "mh-panes");
    panes.append(this.sessions.root, main);
    this.root.replaceChildren(panes);
  }

  /** @param {First | null} first @param {Where} [where] */
  begin(first, where) {
    const known = first?.session ?? "";
    if (first?.sessions) this.sessions.take(first.sessions);
    else if (first?.error) this.sessions.fail(first.error);
    else this.sessions.refresh();
    if (where) this.go(where);
    else this.show(known, first?.history ?? null);
  }

  /** Where the reader is. @returns {Where} */
  get where() {
    const isAtResults = this.results?.root.isConnected;
    const run = isAtResults ? null : this.pane?.from ?? null;
    return { session: this.session, run, search: this.bar.state };
  }

  /** Show what was shown somewhere. @param {Where} where */
  go(where) {
    const { session, run, search } = where;
    this.isGoing = true;
    this.bar.state = search;
    if (!this.results?.isOf(this.bar)) this.closeResults();
    if (run !== null || session !== this.session || this.pane?.from !== null) {
      this.open(session, { from: run, find: run === null ? "" : this.bar.text });
      this.turnTo(session);
    }
    if (run !== null) this.bar.draw();
    else if (this.results?.isOf(this.bar)) this.backToResults();
    else this.apply();
    this.isGoing = false;
  }

  /** Say where the reader is now. @param {string} [title] of the session */
  tell(title = this.sessions.sessionOf(this.session)?.title ?? "") {
    if (!this.isGoing) this.moved(this.where, title);
  }

  /** Tell the reader that whoever is asked takes long. @param {boolean} isWaiting */
  tellWaiting(isWaiting) {
    setText(this.waiting, isWaiting ? "The kernel is busy: this is read as soon as it is free." : "");
    setHidden(this.waiting, !isWaiting);
  }

  /** Whether there is nothing in the main pane but what to do instead. */
  get isEmpty() {
    return !this.session && !this.results && !this.compare;
  }

  onSessions() {
    const now = this.sessions.sessionOf(this.session)?.last_used ?? null;
    if (this.sessions.note.isTold) {
      if (this.isEmpty) this.showInvitation();
      return;
    }
    this.pane?.retry();
    if (this.isEmpty) this.showInvitation();
    // Runs that are stored at their end only are told by nobody.
    else if (this.lastUsed !== undefined && now !== this.lastUsed) this.pane?.refresh();
    this.lastUsed = now;
    this.drawTitle("");
  }

  /** Show something in the main pane, scrolled as it was left. @param {HTMLElement} root */
  put(root) {
    const { content } = this;
    const before = content.firstElementChild;
    if (before === root) return;
    if (before) this.scrolled.set(before, content.scrollTop);
    content.replaceChildren(root);
    content.scrollTop = this.scrolled.get(root) ?? 0;
  }

  showInvitation() {
    const made = this.sessions.invitation();
    const shown = this.content.firstElementChild;
    // Put there once: its button may have the focus.
    if (shown?.className === made.className && shown.textContent === made.textContent) return;
    this.put(made);
    this.turnTo("");
  }

  /**
   * In a narrow place, where one of the panes is seen: the session, or the list, or where there
   * is nothing in it what to do instead.
   * @param {string} session
   */
  turnTo(session) {
    const isBlank = this.sessions.isLoaded && !this.sessions.links().length;
    setAttribute(this.root, "data-at", session || isBlank ? "main" : "sessions");
  }

  /** A session was chosen from the list. @param {string} id */
  choose(id) {
    if (this.bar.text && !this.bar.isOfOne) this.bar.search.value = "";
    this.show(id);
    if (this.bar.text || hasFilters(this.bar.filters)) this.apply();
    this.bar.draw();
  }

  /** Show a session from its newest interaction on. @param {string} id @param {RunsPage | null} [page] */
  show(id, page = null) {
    this.closeResults();
    this.open(id, { page });
    this.turnTo(id);
  }

  /**
   * @param {string} id
   * @param {{page?: RunsPage | null, from?: number | null, find?: string}} [begin]
   */
  open(id, begin = {}) {
    this.closeCompare();
    this.pane?.close();
    this.session = id;
    const used = this.sessions.sessionOf(id)?.last_used ?? null;
    this.lastUsed = this.sessions.isLoaded ? used : undefined;
    this.sessions.setCurrent(id);
    this.pane = id ? new SessionPane(this.source, id, {
      picked: (card, isPicked) => this.pick(id, card, isPicked),
      isPicked: (run) => this.picks.has(keyOf(id, run)),
      changed: () => this.sessions.refresh(),
      titled: (title) => this.drawTitle(title),
      read: () => this.offerTools(),
      unfilter: () => this.bar.reset(),
      moved: () => this.tell(),
    }, { title: this.sessions.sessionOf(id)?.title, ...begin }) : null;
    if (this.pane) this.put(this.pane.root);
    else this.showInvitation();
    this.drawWays();
    this.tell();
  }

  /** @param {string} fallback */
  drawTitle(fallback) {
    const title = this.sessions.sessionOf(this.session)?.title || fallback;
    if (!this.session || !title) return;
    this.pane?.setTitle(title);
    this.tell(title);
  }

  offerTools() {
    for (const card of this.pane?.cards.values() ?? []) this.bar.offer(card.summary?.tools ?? []);
  }

  /** What is searched for, or the filters, have changed. */
  apply() {
    const { text, filters, isOfOne } = this.bar;
    this.bar.draw();
    this.closeCompare();
    this.closeResults();
    if (!text && (!hasFilters(filters) || (isOfOne && this.session))) {
      if (this.pane) {
        const wasAll = !hasFilters(this.pane.filters) && this.pane.from === null;
        const wanted = hasFilters(filters) ? filters : NO_FILTERS;
        if (wanted !== NO_FILTERS || !wasAll) this.pane.restart(wanted);
        this.put(this.pane.root);
      } else this.showInvitation();
    } else this.search(text, filters, isOfOne ? this.session : "");
    this.drawWays();
    this.tell();
  }

  /** @param {string} text @param {import("./source.js").Filters} filters @param {string} session */
  search(text, filters, session) {
    this.results = new ResultsPane(this.source, { text, session, ...filters }, this.bar.state, {
      open: (hit) => this.openHit(hit, text),
      clear: () => this.bar.reset(),
      widen: session ? () => {
        this.bar.scope.value = "all";
        this.apply();
        this.bar.scope.focus({ preventScroll: true });
      } : null,
      tools: (names) => this.bar.offer(names),
    });
    this.put(this.results.root);
    setAttribute(this.root, "data-at", "main");
  }

  /** @param {Hit} hit @param {string} text */
  openHit(hit, text) {
    this.open(hit.session_id, { from: hit.run.interaction_id, find: text });
  }

  backToResults() {
    if (!this.results) return;
    this.closeCompare();
    this.put(this.results.root);
    this.drawWays();
    this.results.focus();
    this.tell();
  }

  closeResults() {
    this.results?.close();
    this.results = null;
  }

  /** @param {string} session @param {Card} card @param {boolean} isPicked */
  pick(session, card, isPicked) {
    const key = keyOf(session, card.id);
    if (isPicked) this.picks.set(key, { session, id: card.id });
    else this.picks.delete(key);
    if (this.picks.size > 2) {
      const [oldest] = this.picks.keys();
      this.picks.delete(oldest);
    }
    this.drawPicks();
  }

  drawPicks() {
    const { size } = this.picks;
    setText(this.pickNote, size === 1 ? "One chosen: choose another to compare them." : "Two chosen.");
    setHidden(this.pickBar, !size || this.compare !== null);
    setHidden(this.pickButton, size < 2);
    for (const card of this.pane?.cards.values() ?? []) {
      card.pick.checked = this.picks.has(keyOf(this.session, card.id));
    }
  }

  clearPicks() {
    this.picks.clear();
    this.drawPicks();
  }

  showCompare() {
    const two = [...this.picks.values()].sort((one, other) => one.id - other.id);
    if (two.length !== 2 || this.compare) return;
    this.compare = new ComparePane(this.source, two, () => this.leaveCompare());
    this.put(this.compare.root);
    this.drawPicks();
    this.drawWays();
    this.compare.focus();
  }

  leaveCompare() {
    this.closeCompare();
    if (this.pane) this.put(this.pane.root);
    else if (this.results) this.put(this.results.root);
    else this.showInvitation();
    this.drawWays();
    this.pickButton.focus();
  }

  closeCompare() {
    this.compare?.close();
    this.compare = null;
    this.drawPicks();
  }

  /** The ways back that there are now. */
  drawWays() {
    const isHit = Boolean(this.results) && !this.results?.root.isConnected && !this.compare;
    setHidden(this.toResults, !isHit);
  }

  /** In a narrow place: the list instead of what was chosen. */
  showSide() {
    setAttribute(this.root, "data-at", "sessions");
    this.sessions.search.focus();
  }

  /** @param {KeyboardEvent} event */
  onKey(event) {
    if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey) return;
    const target = /** @type {Element} */ (event.target);
    const isTyping = target.matches("input:not([type=checkbox]), select, textarea");
    if (event.key === "/" && !isTyping) this.bar.search.focus();
    else if (event.key === "Escape" && this.goBack(target)) event.stopPropagation();
    else return;
    event.preventDefault();
  }

  /** One step back. @param {Element} from where the focus is @returns {boolean} whether there was one */
  goBack(from) {
    if (this.compare) this.leaveCompare();
    else if (from === this.bar.search && this.bar.search.value) this.bar.reset();
    else if (this.results && !this.results.root.isConnected) this.backToResults();
    else if (this.results) this.bar.reset();
    else return false;
    return true;
  }

  destroy() {
    clearInterval(this.timer);
    for (const { typed } of [this.bar, this.sessions]) typed?.cancel(); // nobody waits for it
    const heard = this.isPage ? document : this.root;
    heard.removeEventListener("keydown", /** @type {any} */ (this.listen));
    this.closeResults();
    this.compare?.close();
    this.pane?.close();
    this.root.replaceChildren();
  }
}

/** @param {string} session @param {number} id */
function keyOf(session, id) {
  return `${session}/${id}`;
}
