// @ts-check
/** Two calls beside one another in a comparison: a line that opens to their inputs and results. */

import { element, keepKeys, setAttribute, setText } from "../tree/elements.js";
import { callText, toolWord } from "../tree/words.js";
import { diffBlock, sameText } from "./difftext.js";
import { cutValues, outcomeOf, pairOf, valueText } from "./pairs.js";
import { oneLine } from "./parts.js";

/**
 * @typedef {import("../tree/fold.js").Tool} Tool
 * @typedef {import("../tree/wholes.js").Whole} Whole
 * @typedef {import("./pairs.js").CallPair} CallPair
 */

/** @type {Record<string, string>} */
const PAIR_WORDS = {
  same: "Same", changed: "Changed", gone: "Only in A", new: "Only in B",
};

export class PairRow {
  /**
   * @param {CallPair} pair
   * @param {(at: number, tool: Tool, name: string) => Promise<Whole>} ask for the whole of what
   *   was cut of the first (0) or the second (1) of them
   */
  constructor(pair, ask) {
    this.pair = pair;
    this.ask = ask;
    this.root = element("li", "mh-pair");
    this.details = /** @type {HTMLDetailsElement} */ (element("details"));
    this.mark = element("span", "mh-mark");
    const summary = element("summary");
    keepKeys(summary);
    summary.append(callCell(pair.one), callCell(pair.other), this.mark);
    this.details.append(summary);
    // Built when it is opened: there may be a thousand of them.
    this.details.addEventListener("toggle", () => {
      if (this.details.open && this.details.childElementCount === 1) this.open();
    });
    this.root.append(this.details);
    this.draw(pair.isPartial ? "Comparing…" : "");
  }

  /** @param {string} [word] what goes on */
  draw(word = "") {
    const { mark, isPartial } = this.pair;
    setAttribute(this.root, "data-mark", mark);
    setText(this.mark, word || (isPartial && mark === "same" ? "Same so far" : PAIR_WORDS[mark]));
  }

  /** The two calls, with what was cut of them as the store has it. */
  async wholes() {
    const { one, other } = this.pair;
    return Promise.all([one, other].map(async (tool, at) => {
      let whole = tool;
      for (const [name, flag] of tool ? cutValues(tool) : []) {
        const { value, isCut } = await this.ask(at, /** @type {Tool} */ (tool), name);
        whole = /** @type {Tool} */ ({ ...whole, [name]: value, [flag]: isCut });
      }
      return whole;
    }));
  }

  /** Whether they differ in what was cut. Only the answer is kept: such values are large. */
  async compareWhole() {
    try {
      const [one, other] = await this.wholes();
      if (!one || !other) return;
      const { mark, inputsDiffer, resultsDiffer, isPartial } = pairOf({ mark: "same", one, other });
      Object.assign(this.pair, { mark, inputsDiffer, resultsDiffer, isPartial });
    } catch {
      // It stays the same so far; opened, it says why.
    }
    this.draw();
  }

  async open() {
    const { details } = this;
    const { one, other } = this.pair;
    const isCut = [one, other].some((tool) => tool && cutValues(tool).length);
    const body = element("div", "mh-pair-body", isCut ? "Loading…" : "");
    details.append(body);
    let calls = [one, other];
    let trouble = "";
    if (isCut) {
      try {
        calls = await this.wholes();
      } catch (error) {
        trouble = String(/** @type {Error} */ (error).message);
      }
    }
    body.replaceWith(this.body(calls[0], calls[1], trouble));
  }

  /** @param {Tool | null} one @param {Tool | null} other @param {string} trouble */
  body(one, other, trouble) {
    const body = element("div", "mh-pair-body");
    const { isPartial } = one && other ? pairOf({ mark: "same", one, other }) : this.pair;
    if (trouble || isPartial) {
      const why = trouble || "No page could hold all of it.";
      body.append(element("p", "mh-quiet", `Cut: the beginning was compared. ${why}`));
    }
    /** @param {string} title @param {(tool: Tool) => string} text */
    const add = (title, text) => {
      const [before, after] = [one, other].map((tool) => (tool ? text(tool) : ""));
      const isAlone = !one || !other;
      const isSame = before === after;
      body.append(element("p", "mh-quiet", isSame && !isAlone ? `${title}: the same` : title));
      body.append(isSame || isAlone ? sameText(before || after) : diffBlock(before, after));
    };
    add("Inputs", (tool) => valueText(tool.inputs));
    add("Result", outcomeOf);
    return body;
  }
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
