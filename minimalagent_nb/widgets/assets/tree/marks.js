// @ts-check
/**
 * Marks on what was found, by the CSS Custom Highlight API: no element of the page changes.
 * A browser without it shows the row of the match alone.
 */

import { plain } from "./elements.js";
import { isBlock } from "./search.js";
import { matchesIn } from "./written.js";

const HIGHLIGHTS = { all: "ma-found", now: "ma-found-now" };

/** The registry, where there is one. @returns {any} */
function registry() {
  return typeof Highlight === "function" ? CSS.highlights : undefined;
}

/** One highlight for all trees of the page. @param {string} name @returns {any} */
function highlight(name) {
  const highlights = registry();
  if (!highlights) return null;
  if (!highlights.get(name)) highlights.set(name, new Highlight());
  return highlights.get(name);
}

/** @param {Node} node @param {(text: Text) => void} onText @param {() => void} onEdge */
function walk(node, onText, onEdge) {
  for (const child of node.childNodes) {
    if (child instanceof Text) onText(child);
    if (!(child instanceof Element)) continue;
    const hasEdges = isBlock(child.tagName);
    if (hasEdges) onEdge();
    walk(child, onText, onEdge);
    if (hasEdges) onEdge();
  }
}

/**
 * Where a pattern matches in the text of an element, whatever elements that is made of.
 * @param {Element} el @param {RegExp} pattern
 * @param {string} [written] its Markdown where it is shown rendered @returns {Range[]}
 */
export function rangesIn(el, pattern, written) {
  /** @type {{node: Text, at: number}[]} */
  const pieces = [];
  let text = "";
  walk(el, (node) => {
    pieces.push({ node, at: text.length });
    text += node.data;
  }, () => { text += "\n"; });
  const ranges = [];
  let place = 0;
  for (const { at, size } of matchesIn(text, pattern, written && plain(written))) {
    const range = document.createRange();
    const end = at + size;
    while (place + 1 < pieces.length && pieces[place + 1].at <= at) place += 1;
    let last = place;
    while (last + 1 < pieces.length && pieces[last + 1].at < end) last += 1;
    if (!pieces[place]) break;
    const from = pieces[place].node;
    const to = pieces[last].node;
    range.setStart(from, Math.min(at - pieces[place].at, from.length));
    range.setEnd(to, Math.min(end - pieces[last].at, to.length));
    ranges.push(range);
  }
  return ranges;
}

/** The marks of one tree. */
export class Marks {
  constructor() {
    /** @type {Range[]} */
    this.ranges = [];
    /** @type {Range | null} */
    this.now = null;
  }

  /** @param {Range[]} ranges @param {Range | null} now */
  show(ranges, now) {
    this.clear();
    this.ranges = ranges;
    this.now = now;
    const all = highlight(HIGHLIGHTS.all);
    const one = highlight(HIGHLIGHTS.now);
    if (!all || !one) return;
    one.priority = 1;
    for (const range of ranges) all.add(range);
    if (now) one.add(now);
  }

  clear() {
    const all = highlight(HIGHLIGHTS.all);
    for (const range of this.ranges) all?.delete(range);
    if (this.now) highlight(HIGHLIGHTS.now)?.delete(this.now);
    this.ranges = [];
    this.now = null;
  }
}
