// @ts-check
/**
 * A long run is built in slices, one a frame: what is first in the page is there at once,
 * and no frame takes long.
 */

const SLICE = 150; // items a frame

/** @typedef {{grow: () => void}} Grower builds what is missing, as long as it may */

export class Pace {
  /** @param {() => void} onBehind called when something has to wait for the next frame */
  constructor(onBehind) {
    this.onBehind = onBehind;
    this.left = SLICE;
    /** @type {Set<Grower>} */
    this.behind = new Set();
  }

  /** Whether one more item may be built now; if not, its turn comes. @param {Grower} who */
  allows(who) {
    if (this.left > 0) {
      this.left -= 1;
      return true;
    }
    this.behind.add(who);
    this.onBehind();
    return false;
  }

  /** The next slice, in the order in which they had to wait. @param {number} [size] */
  next(size = SLICE) {
    this.left = size;
    const behind = [...this.behind];
    this.behind.clear();
    for (const who of behind) who.grow();
  }

  /** All that is missing, for who goes through the whole tree. */
  finish() {
    if (this.behind.size) this.next(Infinity);
    this.left = SLICE;
  }
}
