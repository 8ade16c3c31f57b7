// @ts-check
/**
 * What is long is done in slices, one a frame: what is first in the page is there at once, and
 * no frame takes long.
 *
 * A slice is bounded by time, because machines differ and are busy, and by a number, because
 * what was built has still to be laid out. The browser would lay out at once also what is far
 * out of view, as it learns only then that nobody sees it: so whatever is built in a later
 * slice is skipped until the next one, with a height by the number of its rows.
 */

const SLICE_TIME = 8; // ms a frame
const SLICE_LEAST = 60; // items a frame, more than a window shows
const SLICE_MOST = 300;

/** @typedef {{grow: () => void}} Grower builds what is missing, as long as it may */

export class Pace {
  /**
   * @param {() => void} onBehind called when something has to wait for the next frame
   * @param {() => number} [clock] in ms
   */
  constructor(onBehind, clock = () => performance.now()) {
    this.onBehind = onBehind;
    this.clock = clock;
    /** @type {Set<Grower>} */
    this.behind = new Set();
    /** @type {HTMLElement[]} */
    this.skipped = [];
    this.isLate = false; // what is built now had to wait
    this.isAll = false;
    this.done = 0;
    this.end = clock() + SLICE_TIME;
  }

  /** A slice begins. */
  begin() {
    this.done = 0;
    this.end = this.clock() + SLICE_TIME;
  }

  /** Whether one more item may be built or changed in this slice. */
  take() {
    const { done } = this;
    const may = this.isAll || done < SLICE_LEAST || (done < SLICE_MOST && this.clock() < this.end);
    if (may) this.done += 1;
    return may;
  }

  /** Whether one more item may be built now; if not, its turn comes. @param {Grower} who */
  allows(who) {
    if (this.take()) return true;
    this.behind.add(who);
    this.onBehind();
    return false;
  }

  /** What had to wait, in the order in which it did, as far as this slice goes. */
  next() {
    this.show();
    const behind = [...this.behind];
    this.behind.clear();
    this.isLate = true;
    for (const who of behind) who.grow();
    this.isLate = false;
  }

  /** Leave what was built late to the next slice.
   *  @param {HTMLElement} el @param {number} rows about as many as are shown in it */
  skip(el, rows) {
    if (!this.isLate || this.isAll) return;
    el.style.setProperty("--ma-rows", String(rows));
    el.classList.add("ma-skipped");
    this.skipped.push(el);
    this.onBehind();
  }

  /** From now on the browser decides what of them has to be laid out. */
  show() {
    for (const el of this.skipped) el.classList.remove("ma-skipped");
    this.skipped = [];
  }

  /** All that is missing, for who goes through the whole tree. @param {() => void} before */
  finish(before) {
    this.isAll = true;
    before();
    this.next();
    this.isAll = false;
    this.begin();
  }
}
