// @ts-check
/**
 * When things happened: a bar for each turn, call and sub-agent against the whole run's time.
 *
 * A bar knows its beginning and length in seconds, and the run's root how many seconds the
 * column is wide (`--ma-axis`); the style sheet does the rest. So nothing has to be gone
 * through when the axis grows, and it grows in steps: what is over stays where it is.
 */

import { durationText } from "./words.js";
import { element, setAttribute } from "./elements.js";

/**
 * @typedef {import("./item.js").Item} Item
 */

const STEPS = [1, 1.5, 2, 3, 5, 7.5, 10];

/**
 * How many seconds the column stands for: of a run that goes on a round number that it
 * fits into, so that bars need not move with each second. Pure.
 * @param {number} seconds of the run until now @param {boolean} isOver
 */
export function axisOf(seconds, isOver) {
  const least = Math.max(seconds, 0.001) || 0.001;
  if (isOver) return least;
  if (least <= 1) return 1;
  const power = 10 ** Math.floor(Math.log10(least));
  return (STEPS.find((step) => step * power >= least) ?? 10) * power;
}

/**
 * Where a bar is, in seconds from the run's beginning; null where nobody knows. Pure.
 * @param {number} origin when the run began @param {number} started @param {number | null} ended
 * @returns {{from: number, length: number} | null}
 */
export function spanOf(origin, started, ended) {
  if (!origin || !started || ended === null || !Number.isFinite(ended)) return null;
  // Clocks of two machines, and stored times in whole seconds, may be a little early.
  const from = Math.max(started - origin, 0);
  return { from, length: Math.max(ended - started, 0) };
}

/**
 * A bar in words. Pure.
 * @param {{from: number, length: number}} span
 * @param {number | null} duration in seconds, null while it goes on; a call that waited for
 *   an approval took less than its bar is long
 */
export function spanText({ from, length }, duration) {
  const begun = from < 0.0005 ? "Started with the run" : `Started ${durationText(from)} into the run`;
  if (duration === null) return begun;
  const took = `${begun}, took ${durationText(duration)}`;
  const isLonger = length - duration > Math.max(0.1, duration / 10);
  return isLonger ? `${took}, ended ${durationText(from + length)} into it` : took;
}

/** @param {number} seconds */
const digits = (seconds) => String(Math.round(seconds * 1000) / 1000);

/** The bar at the end of an item's row; for who does not see it, the item is described. */
export class TimeBar {
  /** @param {Item} item */
  constructor(item) {
    this.item = item;
    this.root = element("span", "ma-span");
    this.root.setAttribute("aria-hidden", "true");
    this.fill = element("span", "ma-span-fill");
    this.root.append(this.fill);
    item.row.append(this.root);
  }

  /**
   * @param {number} started @param {number | null} ended null while it goes on
   * @param {boolean} isOver whether nothing more comes
   * @param {number | null} duration what it took by its own clock
   */
  update(started, ended, isOver, duration) {
    const { view, root } = this.item;
    const until = ended ?? (isOver ? null : view.now());
    const span = spanOf(view.state.started, started, until);
    this.fill.hidden = !span;
    if (!span) return;
    this.set("--ma-from", digits(span.from));
    this.set("--ma-length", digits(span.length));
    const text = spanText(span, ended === null ? null : duration);
    setAttribute(this.root, "title", text);
    setAttribute(root, "aria-description", text);
  }

  /** @param {string} name @param {string} value */
  set(name, value) {
    if (this.fill.style.getPropertyValue(name) !== value) this.fill.style.setProperty(name, value);
  }
}
