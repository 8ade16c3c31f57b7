// @ts-check
/** The search in the head of a run: its field, how much was found, and the way from match to match. */

import { button, element, keepKeys, setText } from "./elements.js";
import { Marks, rangesIn } from "./marks.js";
import { itemAt, openWay, scrollTo, spotOf } from "./reveal.js";
import { Finder, MOST, placeIn } from "./search.js";
import { countText, NUMBERS } from "./words.js";

/**
 * @typedef {import("./search.js").Found} Found
 * @typedef {import("./view.js").TreeView} TreeView
 */

const TYPED = 150; // ms after the last letter
const GROWN = 300; // ms between two searches of a run that goes on
const WORK = 12; // ms of work at once
const MARKED = 2_000; // matches around the present one that are marked

export class Searching {
  /** @param {TreeView} view */
  constructor(view) {
    this.view = view;
    this.marks = new Marks();
    /** @type {Finder | null} */
    this.finder = null;
    /** @type {Found | null} */
    this.now = null;
    /** @type {import("./fold.js").Run | null} */
    this.searched = null;
    /** @type {HTMLElement | null} */
    this.before = null;
    this.timer = 0;
    this.work = 0;
    this.isDone = true;
    this.owed = 0; // a step that was asked for before the search was done
    this.root = element("div", "ma-search");
    this.root.setAttribute("role", "search");
    this.root.hidden = true;
    this.field = /** @type {HTMLInputElement} */ (element("input", "ma-field"));
    this.field.placeholder = "Search this run";
    this.field.setAttribute("aria-label", "Search this run");
    this.field.spellcheck = false;
    this.field.maxLength = 1000;
    keepKeys(this.field);
    this.count = element("span", "ma-count");
    this.count.setAttribute("aria-live", "polite");
    this.root.append(this.field, this.count, this.step("Previous match", "up", -1),
      this.step("Next match", "down", 1), this.icon("Close the search", "close", () => this.close()));
    this.field.addEventListener("input", () => this.later(TYPED));
    this.root.addEventListener("keydown", (event) => this.onKey(event));
    const { search } = view.memory;
    if (search.isOpen) {
      this.root.hidden = false;
      this.field.value = search.query;
      this.now = search.now;
      this.later(0);
    }
  }

  /** @param {string} label @param {string} icon @param {() => void} onClick */
  icon(label, icon, onClick) {
    const made = button("", onClick);
    made.classList.add("ma-icon", `ma-icon-${icon}`);
    made.setAttribute("aria-label", label);
    made.title = label;
    return made;
  }

  /** @param {string} label @param {string} icon @param {number} by */
  step(label, icon, by) {
    return this.icon(label, icon, () => this.go(by));
  }

  get isOpen() {
    return !this.root.hidden;
  }

  open() {
    if (!this.isOpen) {
      const { activeElement } = document;
      this.before = activeElement instanceof HTMLElement ? activeElement : null;
      this.root.hidden = false;
      this.remember();
      if (this.field.value) this.later(0);
    }
    this.field.focus();
    this.field.select();
  }

  /** Close it; the focus goes back to where it was. */
  close() {
    this.stop();
    this.owed = 0;
    this.root.hidden = true;
    this.marks.clear();
    this.mark(null);
    this.remember();
    const back = this.before?.isConnected && this.before !== document.body ? this.before : null;
    (back ?? this.view.head.toolbar.search).focus({ preventScroll: true });
  }

  remember() {
    const { memory } = this.view;
    memory.search = { isOpen: this.isOpen, query: this.field.value, now: this.now };
  }

  /** @param {KeyboardEvent} event */
  onKey(event) {
    event.stopPropagation();
    if (event.isComposing) return;
    if (event.key === "Escape") this.close();
    else if (event.key === "Enter" && event.target === this.field) this.enter(event.shiftKey ? -1 : 1);
    else return;
    event.preventDefault();
  }

  /** @param {number} by */
  enter(by) {
    // What was typed just now is searched first, and leads to its first match.
    if (this.finder?.query === this.field.value) return this.go(by);
    this.stop();
    this.begin();
  }

  stop() {
    clearTimeout(this.timer);
    clearTimeout(this.work);
    this.timer = 0;
  }

  /** @param {number} wait ms */
  later(wait) {
    clearTimeout(this.timer);
    this.timer = window.setTimeout(() => this.begin(), wait);
  }

  /** The page was drawn, or something in it was opened. */
  drawn() {
    if (!this.isOpen || this.timer || !this.field.value) return;
    if (this.searched !== this.view.state) this.later(GROWN);
    else if (this.isDone) this.timer = window.setTimeout(() => this.paintSoon(), 50);
  }

  paintSoon() {
    this.timer = 0;
    this.paint();
  }

  /** How something is shown has changed: its texts are others now. */
  changed() {
    this.finder = null;
    if (this.isOpen && this.field.value) this.begin(true);
  }

  /**
   * Search for what is in the field, in slices of time.
   * @param {boolean} [isQuiet] nothing is opened or scrolled to
   */
  begin(isQuiet = false) {
    this.stop();
    const { view } = this;
    const query = this.field.value;
    const isNew = this.finder?.query !== query;
    const isFirst = this.finder === null && this.now !== null; // as it was left
    if (isNew) this.finder = new Finder(query, view.eyes);
    if (isNew && !isFirst) this.now = null;
    if (isNew) this.owed = 0;
    const finder = /** @type {Finder} */ (this.finder);
    this.searched = view.state;
    this.isDone = false;
    const way = finder.search(view.state, view.memory.filter);
    const slice = () => {
      const end = performance.now() + WORK;
      while (performance.now() < end) {
        if (way.next().done) return this.finish(isNew && !isQuiet);
      }
      this.tell(true);
      this.work = window.setTimeout(slice);
    };
    slice();
  }

  /** @param {boolean} isNew whether the reader is led to a match */
  finish(isNew) {
    this.isDone = true;
    const { found } = /** @type {Finder} */ (this.finder);
    if (placeIn(found, this.now) < 0) this.now = null;
    if (isNew) {
      this.now ??= found[0] ?? null;
      this.show();
    } else {
      this.paint();
    }
    this.remember();
    this.tell(false);
    const { owed } = this;
    this.owed = 0;
    if (owed) this.go(owed);
  }

  /** To the next match, or the one before. @param {number} by */
  go(by) {
    const found = this.finder?.found ?? [];
    if (!this.isDone) this.owed = by;
    if (!this.isDone || !found.length) return;
    const at = placeIn(found, this.now);
    const next = at < 0 ? (by > 0 ? 0 : -1) : (at + by) % found.length;
    this.now = found.at(next) ?? null;
    this.show();
    this.remember();
    this.tell(false);
  }

  /** Open the way to the present match, and bring it into view. */
  show() {
    const { now, view } = this;
    if (now) openWay(view, now);
    this.paint();
    const spot = now && spotOf(view, now);
    if (!spot) return;
    const target = this.marks.now ?? spot;
    scrollTo(target, spot);
    // What comes into view gets its true height only then.
    requestAnimationFrame(() => scrollTo(target, spot));
  }

  /** Mark what was found in what is built. */
  paint() {
    const { finder, view, now } = this;
    const found = finder?.found ?? [];
    const at = Math.max(placeIn(found, now), 0);
    const some = found.slice(Math.max(at - MARKED / 2, 0), at + MARKED / 2);
    /** @type {Map<Element, Range[]>} */
    const known = new Map();
    const pattern = finder?.pattern;
    for (const one of pattern ? some : []) {
      const spot = spotOf(view, one);
      if (!spot || known.has(spot)) continue;
      known.set(spot, rangesIn(spot, /** @type {RegExp} */ (pattern), one.written));
    }
    const spot = now && spotOf(view, now);
    const range = (spot && known.get(spot)?.[now.nth]) ?? null;
    this.marks.show([...known.values()].flat(), range);
    this.mark(now);
  }

  /** The row of the present match, for the eye. @param {Found | null} now */
  mark(now) {
    const row = now ? itemAt(this.view, now.key)?.row ?? null : null;
    const before = this.view.root.querySelector(".ma-here");
    if (before !== row) before?.classList.remove("ma-here");
    row?.classList.add("ma-here");
  }

  /** @param {boolean} isGoingOn */
  tell(isGoingOn) {
    const { found = [], hidden = 0 } = this.finder ?? {};
    const total = NUMBERS.format(found.length) + (found.length >= MOST || isGoingOn ? "+" : "");
    const at = placeIn(found, this.now) + 1;
    const some = at ? `${NUMBERS.format(at)} of ${total}` : total;
    const rest = hidden ? `${countText(hidden, "match").replace("matchs", "matches")} filtered out` : "";
    const words = found.length ? some : isGoingOn ? "Searching…" : "No matches";
    const isAsked = this.field.value.trim() !== "";
    setText(this.count, isAsked ? [words, rest].filter(Boolean).join(", ") : "");
    this.root.classList.toggle("ma-nothing", isAsked && !found.length && !isGoingOn);
  }

  destroy() {
    this.stop();
    this.marks.clear();
  }
}
