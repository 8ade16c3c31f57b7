// @ts-check
/** The pane of one session: its interactions, newest first, page by page, as they come. */

import { element, setHidden, setText } from "../tree/elements.js";
import { Card } from "./card.js";
import {
  afterPaint, blank, isFocusFree, oneLine, pushButton, setWhen, Trouble, walkKeys,
} from "./parts.js";
import { hasFilters, NO_FILTERS } from "./source.js";

/**
 * @typedef {import("./source.js").Filters} Filters
 * @typedef {import("./source.js").RunsPage} RunsPage
 * @typedef {import("./source.js").Source} Source
 * @typedef {import("./source.js").SourceError} SourceError
 */

const RUNS_PAGE = 30;

/** @type {Record<string, string>} */
const FORM_WORDS = {
  html: "Web page", ipynb: "Notebook", jsonl: "JSON lines", md: "Markdown",
};

export class SessionPane {
  /**
   * @param {Source} source @param {string} id
   * @param {{picked: (card: Card, isPicked: boolean) => void, isPicked: (id: number) => boolean,
   *   changed: () => void, titled: (title: string) => void, read: () => void,
   *   unfilter: () => void, moved: () => void}} on
   * @param {{filters?: Filters, from?: number | null, find?: string, page?: RunsPage | null,
   *   title?: string}} [begin] `from`: the interaction to begin with, which is opened
   */
  constructor(source, id, on, begin = {}) {
    const { filters = NO_FILTERS, from = null, find = "", page = null, title = "" } = begin;
    this.source = source;
    this.id = id;
    this.on = on;
    this.filters = filters;
    this.from = from;
    this.find = find;
    /** @type {Map<number, Card>} */
    this.cards = new Map();
    this.isClosed = false;
    this.isReading = false;
    this.isStale = false; // something happened while the list was read
    this.round = 0; // how often it began anew
    this.isFirst = true;
    this.isLeft = false; // by the focus, whose button has gone
    this.hasFailed = false;
    /** @type {number | null} */
    this.next = null;
    this.looked = 0;
    this.root = element("section", "mh-session-pane");
    this.title = element("h3", "mh-heading", title || this.id);
    this.code = element("code", "", this.id);
    this.live = element("span", "mh-live");
    this.exporting = element("span", "mh-exporting");
    this.note = new Trouble(() => this.retry());
    this.place = element("div", "mh-place");
    this.list = element("ol", "mh-runs");
    this.foot = element("div", "mh-foot");
    this.progress = element("span", "mh-quiet");
    this.watcher = new IntersectionObserver((entries) => {
      if (entries.some((entry) => entry.isIntersecting)) this.read(false);
    }, { rootMargin: "300px" });
    this.build();
    // Before the history is read: a run that ends in between is in one of the two.
    this.unfollow = this.follow();
    if (page) this.show(page, true);
    else this.read(true);
  }

  /** Be told of what goes on, from its beginning; what is given ends it. */
  follow() {
    return this.source.follow(this.id, null, {
      message: (message) => this.take(message),
      end: () => {
        this.refresh();
        this.on.changed();
      },
      state: (isOpen, trouble) => {
        this.setLive(isOpen, trouble);
        if (isOpen && !this.isFirst) this.refresh();
      },
    });
  }

  build() {
    this.live.setAttribute("role", "status");
    const meta = element("p", "mh-meta");
    this.exporting.append(...this.exportParts());
    meta.append(this.code, this.live, this.exporting);
    this.list.addEventListener("keydown", (event) => this.onKey(event));
    this.foot.append(pushButton("Show older", () => this.read(false)), this.progress);
    this.root.append(this.title, meta, this.note.root, this.place, this.list, this.foot);
    this.setTitle(this.title.textContent ?? "");
    setHidden(this.foot, true);
    this.setLive(false, "");
    this.watcher.observe(this.foot);
    this.showBeginning();
  }

  /** The ways to have the session as a file, behind one button. */
  exportParts() {
    if (!this.source.forms.length) return [];
    const forms = element("span", "mh-forms");
    const said = element("span", "mh-quiet");
    said.setAttribute("role", "status");
    setHidden(forms, true);
    const open = pushButton("Export", () => {
      setHidden(forms, !forms.hidden);
      open.setAttribute("aria-expanded", String(!forms.hidden));
    }, "mh-link");
    open.setAttribute("aria-expanded", "false");
    let isSaving = false;
    for (const form of this.source.forms) {
      forms.append(pushButton(FORM_WORDS[form] ?? form, async () => {
        if (isSaving) return;
        isSaving = true;
        setText(said, "Preparing the file…");
        try {
          await this.source.save(this.id, form);
          setText(said, "");
        } catch (error) {
          setText(said, String(/** @type {Error} */ (error).message));
        }
        isSaving = false;
      }, "mh-button"));
    }
    return [open, forms, said];
  }

  /** Where the list does not begin with the newest, a line that says so. */
  showBeginning() {
    this.place.replaceChildren();
    setHidden(this.place, this.from === null);
    if (this.from === null) return;
    const when = element("time");
    setWhen(when, this.from / 1e6);
    const line = element("span", "mh-quiet");
    line.append("From ", when, " back.");
    this.place.append(line, pushButton("Show the newest", () => this.restart(this.filters)));
  }

  /** Begin anew with the newest. @param {Filters} filters */
  restart(filters) {
    this.isLeft = this.place.contains(document.activeElement);
    this.round += 1;
    this.isReading = false;
    this.isStale = false;
    this.hasFailed = false;
    this.note.end();
    setHidden(this.foot, true);
    this.root.querySelector(":scope > .mh-blank")?.remove();
    this.filters = filters;
    this.from = null;
    this.next = null;
    this.looked = 0;
    this.isFirst = true;
    for (const card of this.cards.values()) card.destroy();
    this.cards.clear();
    this.showBeginning();
    this.on.moved();
    this.unfollow();
    this.unfollow = this.follow();
    this.read(true);
  }

  /** @param {boolean} isOpen @param {string} trouble */
  setLive(isOpen, trouble) {
    this.live.setAttribute("data-state", isOpen ? "open" : "closed");
    setText(this.live, isOpen ? "Following" : trouble ? "Not following" : "Connecting");
    this.live.title = isOpen ? "A run that begins in this session is shown at once." : trouble;
  }

  /** @param {any} message of a run that goes on */
  take(message) {
    const id = Number(message.interaction_id);
    // Older than where the list begins, or perhaps not wanted: it is known when it is read.
    if (this.from !== null || (hasFilters(this.filters) && !this.cards.has(id))) return;
    // Of a run whose beginning went by here: opened, it is followed by its card.
    if (!this.cards.get(id)?.isFed && message.base !== 0) return;
    const card = this.card(id);
    card.take(message);
    if (card.isFed) return;
    card.stopFollowing(); // told twice, the parts of a run would not fit one another
    // What goes on is opened once; closed by the reader, it stays closed.
    card.isFed = true;
    card.setOpen(true);
    this.on.changed();
    this.showBlank();
    this.on.titled(this.firstQuery());
  }

  /** The card of an interaction, in its place: the newest first. @param {number} id */
  card(id) {
    const known = this.cards.get(id);
    if (known) return known;
    const card = new Card(this, id);
    card.pick.checked = this.on.isPicked(id);
    const ids = [...this.cards.keys()].filter((other) => other < id);
    this.cards.set(id, card);
    const below = ids.length ? this.cards.get(ids.reduce((a, b) => Math.max(a, b))) : undefined;
    this.list.insertBefore(card.root, below?.root ?? null);
    return card;
  }

  /** Look for what is new. */
  refresh() {
    if (this.from !== null) return;
    // What is read now may have been looked up before it.
    if (this.isReading) this.isStale = true;
    else this.read(true);
  }

  /** Read a page. @param {boolean} isNewest */
  async read(isNewest) {
    const isAtEnd = !isNewest && (this.next === null || this.hasFailed);
    if (this.isReading || this.isClosed || isAtEnd) return;
    this.isReading = true;
    const { round } = this;
    const isLate = () => this.isClosed || round !== this.round; // the list is another one now
    try {
      const before = isNewest ? (this.from === null ? null : this.from + 1) : this.next;
      const page = await this.source.interactions(this.id, { ...this.filters, before, limit: RUNS_PAGE });
      if (isLate()) return;
      this.isReading = false;
      this.show(page, isNewest);
      if (!this.isStale) return;
      this.isStale = false;
      this.refresh();
    } catch (error) {
      if (isLate()) return;
      this.isReading = false;
      this.fail(/** @type {SourceError} */ (error));
    }
  }

  /** @param {RunsPage} page @param {boolean} isNewest */
  show({ interactions, next, looked = 0 }, isNewest) {
    const wasFirst = this.isFirst;
    for (const summary of interactions) this.card(summary.interaction_id).tell(summary);
    if (!isNewest || wasFirst) {
      this.next = next;
      this.looked += looked;
    }
    this.hasFailed = false;
    this.isFirst = false;
    if (this.note.end()) this.isLeft = true;
    this.drawFoot();
    this.showBlank();
    // The list first: a tree takes longer.
    if (isNewest && wasFirst) afterPaint(() => this.openFirst(interactions[0]?.interaction_id));
    this.on.titled(this.firstQuery());
    this.on.read();
    // Through a filter a page may hold nothing though there is more.
    if (next !== null && !interactions.length) this.read(false);
    else this.watchAgain();
  }

  /** The end of the list may be in sight still, which tells nobody a second time. */
  watchAgain() {
    this.watcher.unobserve(this.foot);
    this.watcher.observe(this.foot);
  }

  /** @param {number | undefined} id */
  openFirst(id) {
    const card = id === undefined ? undefined : this.cards.get(id);
    if (this.isLeft && isFocusFree()) card?.button.focus({ preventScroll: true });
    this.isLeft = false;
    if (this.isClosed || !card || card.isOpen) return;
    if (this.from === null && hasFilters(this.filters)) return;
    if (this.from === id) {
      card.setOpen(true, this.find);
      if (isFocusFree()) card.button.focus();
    } else if (this.from === null && card.summary?.status !== "running") card.setOpen(true);
  }

  /** @param {SourceError} error */
  fail(error) {
    this.hasFailed = true;
    this.isFirst = this.isFirst && !error.isMissing;
    if (error.isMissing && !this.cards.size) {
      this.showBlank("Nothing is stored of this session yet", "A run that begins is shown here.");
      return;
    }
    this.note.tell(error.message);
    this.drawFoot();
  }

  /** Read once more what could not be read. */
  retry() {
    if (!this.hasFailed) return;
    this.hasFailed = false;
    this.read(this.isFirst || this.next === null);
  }

  drawFoot() {
    setHidden(this.foot, this.next === null || this.hasFailed);
    const isSeeking = hasFilters(this.filters) && this.next !== null;
    setText(this.progress, isSeeking ? `${this.looked.toLocaleString("en-US")} looked at` : "");
  }

  /**
   * What stands in place of the list where there is nothing in it.
   * @param {string} [title] where nothing is stored @param {string} [more]
   */
  showBlank(title = "", more = "") {
    this.root.querySelector(":scope > .mh-blank")?.remove();
    const isFiltered = hasFilters(this.filters);
    const isBlank = !this.cards.size && (this.next === null || Boolean(title));
    setHidden(this.exporting, isBlank && !isFiltered); // of nothing there is no file
    if (!isBlank) return;
    const made = isFiltered
      ? blank("No interaction of this session is like that", "", [
        { label: "Clear the filters", act: () => this.on.unfilter() },
      ])
      : blank(
        title || "No interactions yet", more || "A run that begins in this session is shown here.");
    this.foot.before(made);
  }

  /** The beginning of the oldest query that is known. */
  firstQuery() {
    const ids = [...this.cards.keys()];
    const oldest = ids.length ? this.cards.get(ids.reduce((a, b) => Math.min(a, b))) : undefined;
    return oneLine(oldest?.summary?.query || oldest?.feed.state.query, 120);
  }

  /** @param {string} title */
  setTitle(title) {
    setText(this.title, title || this.id);
    setHidden(this.code, this.title.textContent === this.id);
  }

  /** @param {KeyboardEvent} event */
  onKey(event) {
    walkKeys(event, [...this.cards.values()].sort((a, b) => b.id - a.id).map((card) => card.button));
  }

  close() {
    this.isClosed = true;
    this.unfollow();
    this.watcher.disconnect();
    for (const card of this.cards.values()) card.destroy();
    this.root.remove();
  }
}
