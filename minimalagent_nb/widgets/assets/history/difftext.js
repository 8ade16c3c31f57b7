// @ts-check
/** Texts of two interactions: what they do not have in common, by lines. */

import { element, keepKeys } from "../tree/elements.js";
import { countText } from "../tree/words.js";
import { differingPart, textDiff } from "./diff.js";
import { isTextCut } from "./pairs.js";

/** @typedef {import("./diff.js").DiffLine} DiffLine */

const UNCHANGED = 3; // lines that stay around a difference
const MOST_LINES = 2_000;
const MOST_COMPARED = 60_000; // characters of each, from their first difference on
const SHOWN_OF_ONE = 20_000; // characters

/**
 * A part of the comparison, which can be folded, and the words beside its title.
 * @param {string} title @param {string} words @param {boolean} open
 */
export function foldable(title, words, open) {
  const made = /** @type {HTMLDetailsElement} */ (element("details", "mh-part"));
  made.open = open;
  const summary = element("summary");
  keepKeys(summary);
  const told = element("span", "mh-quiet", words);
  summary.append(element("span", "mh-part-title", title), told);
  made.append(summary);
  return { root: made, words: told };
}

/**
 * A text of both.
 * @param {string} title @param {string} before @param {string} after @param {boolean} [open]
 */
export function textPart(title, before, after, open = true) {
  const isSame = before === after;
  // What was cut tells how much more there is, and so differs where the lengths do.
  const same = isTextCut(before) ? "the same as far as it is shown: the rest was not compared"
    : "the same";
  const { root } = foldable(title, isSame ? same : "differs", open);
  root.append(isSame ? sameText(before) : diffBlock(before, after));
  return root;
}

/** A text of which there is nothing to compare. @param {string} text */
export function sameText(text) {
  const shown = text.length > SHOWN_OF_ONE ? `${text.slice(0, SHOWN_OF_ONE)}…` : text;
  const made = element("div", "mh-diff mh-same-text", shown || "–");
  // So that it can be scrolled by keys.
  made.tabIndex = 0;
  keepKeys(made);
  return made;
}

/** What two texts do not have in common. @param {string} before @param {string} after */
export function diffBlock(before, after) {
  const made = element("div", "mh-diff");
  const { skipped, one, other } = differingPart(before, after, MOST_COMPARED);
  /** @param {number} lines */
  const tellSkipped = (lines) => {
    if (lines) made.append(element("div", "mh-skipped", `${countText(lines, "line")} the same`));
  };
  if (skipped) {
    made.append(element("div", "mh-skipped", `${countText(skipped, "character")} the same`));
  }
  const lines = textDiff(one, other);
  const near = nearDifferences(lines);
  const shown = near.slice(0, MOST_LINES);
  let last = -1;
  for (const at of shown) {
    tellSkipped(at - last - 1);
    made.append(lineOf(lines[at]));
    last = at;
  }
  if (near.length === shown.length) tellSkipped(lines.length - last - 1);
  else {
    const left = countText(near.length - shown.length, "more line");
    made.append(element("div", "mh-skipped", `${left} not shown`));
  }
  if (Math.max(before.length, after.length) - skipped > MOST_COMPARED) {
    made.append(element("div", "mh-skipped", "What comes after that is not shown."));
  }
  return made;
}

/** The numbers of lines that differ, and of those around them. @param {DiffLine[]} lines */
function nearDifferences(lines) {
  return lines.map((_, at) => at).filter((at) =>
    lines.slice(Math.max(at - UNCHANGED, 0), at + UNCHANGED + 1).some(({ mark }) => mark !== "same"));
}

/** @param {DiffLine} line */
function lineOf({ mark, pieces }) {
  const line = element(mark === "gone" ? "del" : mark === "new" ? "ins" : "div", "mh-line");
  line.setAttribute("data-mark", mark);
  for (const piece of pieces) {
    line.append(piece.mark === "same" || pieces.length === 1
      ? element("span", "", piece.text) : element("b", "", piece.text));
  }
  return line;
}
