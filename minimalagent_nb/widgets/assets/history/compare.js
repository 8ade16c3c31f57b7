// @ts-check
/** The pane of two interactions side by side: their figures, texts and calls, with differences. */

import { EMPTY_RUN, receive } from "../tree/fold.js";
import { countText, NUMBERS } from "../tree/words.js";
import { element, keepKeys, setText } from "../tree/elements.js";
import { foldable, textPart } from "./difftext.js";
import { PairRow } from "./pairrow.js";
import { callPairs, wayTo, factsOf, MOST_CALLS, thoughtOf } from "./pairs.js";
import { blank, pushButton, setWhen } from "./parts.js";

/**
 * @typedef {import("../tree/fold.js").Run} Run
 * @typedef {import("../tree/fold.js").Tool} Tool
 * @typedef {import("./source.js").Source} Source
 * @typedef {{session: string, id: number}} Choice
 */

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
    if (this.content.contains(document.activeElement)) this.focus(); // its button goes
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
    this.content.replaceChildren(...shortenedNote([one, other]), ...parts);
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
    const runs = [one, other];
    const rows = callPairs(one, other).map((pair) => new PairRow(
      pair, (at, tool, name) => this.whole(at, runs[at], tool, name)));
    const isCut = runs.some(({ calls }) => calls > MOST_CALLS);
    const most = isCut ? `, of the first ${NUMBERS.format(MOST_CALLS)} of each` : "";
    const part = foldable("Tool calls", "", rows.length > 0);
    const list = element("ol", "mh-pairs");
    list.append(...rows.map(({ root }) => root));
    part.root.append(list);
    const tell = () => setText(part.words, callWords(rows) + most);
    tell();
    this.compareWhole(rows, tell);
    return part.root;
  }

  /**
   * A value of a call as the store has it.
   * @param {number} at 0 or 1 @param {Run} run @param {Tool} tool @param {string} name
   */
  whole(at, run, tool, name) {
    const { session, id } = this.chosen[at];
    return this.source.whole(session, id, wayTo(run, tool), name);
  }

  /** Those that are the same as far as they were cut: one after another. @param {PairRow[]} rows
   *  @param {() => void} tell */
  async compareWhole(rows, tell) {
    for (const row of rows) {
      if (this.isClosed) return;
      if (!row.pair.isPartial) continue;
      await row.compareWhole();
      tell();
    }
  }

  focus() {
    this.back.focus();
  }

  close() {
    this.isClosed = true;
    this.root.remove();
  }
}

/** What is said where not all is stored that was to be compared. @param {Run[]} runs */
function shortenedNote(runs) {
  const names = runs.flatMap(({ notices }, at) =>
    notices.some(({ kind }) => kind === "shortened") ? ["AB"[at]] : []);
  if (!names.length) return [];
  const are = names.length > 1 ? "are" : "is";
  return [element("p", "mh-note", `${names.join(" and ")} ${are} stored in a shortened form: what ` +
    "was left out cannot be compared.")];
}

/** How many calls differ. @param {PairRow[]} rows */
function callWords(rows) {
  const changed = rows.filter(({ pair }) => pair.mark !== "same").length;
  const words = changed ? countText(changed, "difference") : "the same";
  const isPartial = rows.some(({ pair }) => pair.isPartial);
  return rows.length ? `${words}${isPartial ? " as far as they were compared" : ""}` : "none";
}
