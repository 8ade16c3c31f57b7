// @ts-check
/** The pane of two interactions side by side: their figures, texts and calls, with differences. */

import { EMPTY_RUN, receive } from "../tree/fold.js";
import { callText, countText, NUMBERS, toolWord } from "../tree/words.js";
import { element, keepKeys } from "../tree/elements.js";
import { textDiff } from "./diff.js";
import { callPairs, factsOf, comparedText, MOST_CALLS, outcomeOf, thoughtOf } from "./pairs.js";
import { blank, oneLine, pushButton, setWhen } from "./parts.js";

/**
 * @typedef {import("../tree/fold.js").Run} Run
 * @typedef {import("../tree/fold.js").Tool} Tool
 * @typedef {import("./pairs.js").CallPair} CallPair
 * @typedef {import("./source.js").Source} Source
 * @typedef {{session: string, id: number}} Choice
 */

const UNCHANGED = 3; // lines that stay around a difference
const MOST_LINES = 2_000;
const SHOWN_OF_ONE = 20_000; // characters

/** @type {Record<string, string>} */
const PAIR_WORDS = {
  same: "Same", changed: "Changed", gone: "Only in A", new: "Only in B",
};

export class ComparePane {
  /** @param {Source} source @param {Choice[]} chosen two, the older first @param {() => void} onBack */
  constructor(source, chosen, onBack) {
    this.source = source;
    this.chosen = chosen;
    this.isClosed = false;
    this.root = element("section", "mh-compare");
    this.root.setAttribute("aria-label", "Comparison");
    this.root.tabIndex = -1;
    keepKeys(this.root);
    const head = element("div", "mh-compare-top");
    this.back = pushButton("‹ Back", onBack, "mh-link");
    head.append(this.back, element("h3", "mh-heading", "Two interactions side by side"));
    this.content = element("div", "mh-compare-content");
    this.content.setAttribute("aria-live", "off");
    this.root.append(head, this.content);
    this.load();
  }

  async load() {
    this.content.replaceChildren(blank("Loading…"));
    try {
      const [one, other] = await Promise.all(this.chosen.map(async ({ session, id }) => {
        const tree = await this.source.interaction(session, id);
        return receive({ rev: 0, state: EMPTY_RUN }, tree).feed.state;
      }));
      if (!this.isClosed) this.show(one, other);
    } catch (error) {
      const { message } = /** @type {Error} */ (error);
      if (this.isClosed) return;
      this.content.replaceChildren(blank("They cannot be compared", message, [
        { label: "Try again", act: () => this.load() },
      ]));
    }
  }

  /** @param {Run} one @param {Run} other */
  show(one, other) {
    const parts = [this.factTable(one, other), textPart("Query", one.query, other.query)];
    parts.push(this.callPart(one, other));
    const thoughts = [thoughtOf(one), thoughtOf(other)];
    if (thoughts[0] || thoughts[1]) parts.push(textPart("Thinking", thoughts[0], thoughts[1], false));
    const answers = [one, other].map((run) => run.response || run.error || "");
    parts.push(textPart("Answer", answers[0], answers[1]));
    this.content.replaceChildren(...parts);
  }

  /** @param {Run} one @param {Run} other */
  factTable(one, other) {
    const table = element("table", "mh-figures");
    const head = element("tr");
    head.append(element("td"), ...[one, other].map((run, at) => this.columnHead(run, at)));
    head.append(element("th", "mh-change", "Difference"));
    table.append(head);
    for (const { name, one: a, other: b, change, isSame } of factsOf(one, other)) {
      const row = element("tr");
      row.setAttribute("data-mark", isSame ? "same" : "changed");
      const title = element("th", "", name);
      title.setAttribute("scope", "row");
      row.append(title, element("td", "", a || "–"), element("td", "", b || "–"));
      row.append(element("td", "mh-change", change || (isSame ? "" : "differs")));
      table.append(row);
    }
    return table;
  }

  /** @param {Run} run @param {number} at */
  columnHead(run, at) {
    const { session, id } = this.chosen[at];
    const head = element("th");
    head.setAttribute("scope", "col");
    const when = element("time");
    setWhen(when, run.started || id / 1e6);
    const name = element("span", "mh-letter", "AB"[at]);
    head.append(name, when, element("code", "", session));
    return head;
  }

  /** @param {Run} one @param {Run} other */
  callPart(one, other) {
    const pairs = callPairs(one, other);
    const changed = pairs.filter((pair) => pair.mark !== "same").length;
    const words = !pairs.length ? "none" : changed ? `${countText(changed, "difference")}` : "the same";
    const isCut = [one, other].some(({ calls }) => calls > MOST_CALLS);
    const most = isCut ? `, of the first ${NUMBERS.format(MOST_CALLS)} of each` : "";
    const part = foldable("Tool calls", words + most, changed > 0 || pairs.length > 0);
    const list = element("ol", "mh-pairs");
    list.append(...pairs.map((pair) => pairRow(pair)));
    part.append(list);
    return part;
  }

  focus() {
    this.back.focus();
  }

  close() {
    this.isClosed = true;
    this.root.remove();
  }
}

/**
 * A part of the comparison, which can be folded.
 * @param {string} title @param {string} words @param {boolean} open
 */
function foldable(title, words, open) {
  const made = /** @type {HTMLDetailsElement} */ (element("details", "mh-part"));
  made.open = open;
  const summary = element("summary");
  keepKeys(summary);
  summary.append(element("span", "mh-part-title", title), element("span", "mh-quiet", words));
  made.append(summary);
  return made;
}

/** @param {string} title @param {string} before @param {string} after @param {boolean} [open] */
function textPart(title, before, after, open = true) {
  const isSame = before === after;
  const part = foldable(title, isSame ? "the same" : "differs", open);
  part.append(isSame ? sameText(before) : diffBlock(before, after));
  return part;
}

/** A text of which there is nothing to compare. @param {string} text */
function sameText(text) {
  const shown = text.length > SHOWN_OF_ONE ? `${text.slice(0, SHOWN_OF_ONE)}…` : text;
  const made = element("div", "mh-diff mh-same-text", shown || "–");
  // So that it can be scrolled by keys.
  made.tabIndex = 0;
  keepKeys(made);
  return made;
}

/** @param {string} before @param {string} after */
function diffBlock(before, after) {
  const made = element("div", "mh-diff");
  const all = textDiff(before, after);
  const lines = all.slice(0, MOST_LINES);
  const near = lines.map((_, at) =>
    lines.slice(Math.max(at - UNCHANGED, 0), at + UNCHANGED + 1).some(({ mark }) => mark !== "same"));
  let skipped = 0;
  const tellSkipped = () => {
    if (skipped) made.append(element("div", "mh-skipped", `${countText(skipped, "line")} the same`));
    skipped = 0;
  };
  lines.forEach(({ mark, pieces }, at) => {
    if (!near[at]) {
      skipped += 1;
      return;
    }
    tellSkipped();
    const line = element(mark === "gone" ? "del" : mark === "new" ? "ins" : "div", "mh-line");
    line.setAttribute("data-mark", mark);
    for (const piece of pieces) {
      line.append(piece.mark === "same" || pieces.length === 1
        ? element("span", "", piece.text) : element("b", "", piece.text));
    }
    made.append(line);
  });
  tellSkipped();
  const left = all.length - lines.length;
  if (left) made.append(element("div", "mh-skipped", `${countText(left, "more line")} not shown`));
  return made;
}

/** @param {CallPair} pair */
function pairRow(pair) {
  const item = element("li", "mh-pair");
  item.setAttribute("data-mark", pair.mark);
  const made = element("details");
  const summary = element("summary");
  keepKeys(summary);
  const word = element("span", "mh-mark", PAIR_WORDS[pair.mark]);
  summary.append(callCell(pair.one), callCell(pair.other), word);
  made.append(summary);
  // Built when it is opened: there may be a thousand of them.
  made.addEventListener("toggle", () => {
    if (made.childElementCount === 1) made.append(pairBody(pair));
  });
  item.append(made);
  return item;
}

/** @param {Tool | null} call */
function callCell(call) {
  const made = element("span", "mh-call");
  if (!call) return made;
  made.append(
    element("code", "mh-name", call.name),
    element("span", "mh-arguments", oneLine(callText(call.inputs), 160)),
    element("span", "mh-quiet", toolWord(call)));
  return made;
}

/** @param {CallPair} pair */
function pairBody({ one, other, inputsDiffer, resultsDiffer }) {
  const body = element("div", "mh-pair-body");
  /** @param {string} title @param {string} before @param {string} after @param {boolean} differs */
  const add = (title, before, after, differs) => {
    const isAlone = !one || !other;
    const isPlain = !differs || isAlone;
    body.append(element("p", "mh-quiet", differs || isAlone ? title : `${title}: the same`));
    // What both begin with may be all that is compared.
    if (!isPlain && before === after) body.append(element("p", "mh-quiet", "They differ further on."));
    body.append(isPlain ? sameText(one ? before : after) : diffBlock(before, after));
  };
  const inputs = [one, other].map((call) => (call ? comparedText(call.inputs) : ""));
  const results = [one, other].map((call) => (call ? outcomeOf(call) : ""));
  add("Inputs", inputs[0], inputs[1], inputsDiffer);
  add("Result", results[0], results[1], resultsDiffer);
  return body;
}
