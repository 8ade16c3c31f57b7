// @ts-check
/**
 * Searching a run: the state is searched, not the page, which has only built what was opened.
 * Pure.
 *
 * A match is known by the item that shows it, the field there, and its number in that text:
 * so it is found again when the run has grown.
 */

import { plain } from "./elements.js";
import { isFiltering, isMeant, keepsRetries, keepsTool, NO_FILTER } from "./filter.js";
import { keyPart, PARSED } from "./places.js";
import { approvalText, retryText } from "./words.js";
import { matchesIn } from "./written.js";

/**
 * @typedef {import("./filter.js").Filter} Filter
 * @typedef {import("./fold.js").Markup} Markup
 * @typedef {import("./fold.js").Run} Run
 * @typedef {import("./fold.js").Tool} Tool
 * @typedef {import("./fold.js").Turn} Turn
 * @typedef {{key: string, field: string, text: string, written?: string}} Spot a text at an
 *   item; `written` is its Markdown where it is shown rendered
 * @typedef {{key: string, field: string, nth: number, at: number, written?: string}} Found
 * @typedef {{mode: (key: string, value: any) => string, whole: (key: string) => any,
 *   cells: (value: any) => Iterable<[string, string]>, inner: (value: any) => any}} Eyes
 *   how the page shows a place: as table, as parsed JSON, as written; what it has whole; the
 *   texts of a table by field
 */

export const MOST = 10_000; // matches; more are of no use to a reader
const BLOCKS = new Set([
  "blockquote", "br", "h3", "h4", "h5", "h6", "hr", "li", "ol", "p", "pre", "table", "td", "th",
  "tr", "ul",
]);

/** Whether words on both sides of its edge are apart. @param {string} tag */
export function isBlock(tag) {
  return BLOCKS.has(tag.toLowerCase());
}

/**
 * What a reader types, as a pattern: in any case, and with any space between words.
 * @param {string} query
 */
export function patternOf(query) {
  const words = query.trim().split(/\s+/).map((word) => word.replace(/[\^$\\.*+?()[\]{}|/]/g, "\\$&"));
  return query.trim() ? new RegExp(words.join("\\s+"), "giu") : null;
}

/**
 * The text of rendered nodes, as marks.js reads it from the page.
 * @param {Markup[]} nodes @returns {string}
 */
export function textOfNodes(nodes) {
  return nodes.map((node) => {
    if (!Array.isArray(node)) return String(node ?? "");
    const [tag, , children] = node;
    const text = textOfNodes(children ?? []);
    return isBlock(tag) ? `\n${text}\n` : text;
  }).join("");
}

/** A text in Markdown as its reader sees it. @param {string} key @param {Markup[] | null} nodes
 *  @param {string} text @param {Eyes} eyes @returns {{text: string, written?: string}} */
function shownText(key, nodes, text, eyes) {
  const isRendered = nodes && eyes.mode(key, text) !== "raw";
  return isRendered ? { text: textOfNodes(nodes), written: text } : { text };
}

/** @param {any} value @param {string} key @param {Eyes} eyes @returns {Generator<Spot>} */
function* spotsOfValue(value, key, eyes) {
  const mode = eyes.mode(key, value);
  if (mode === "table") {
    for (const [field, text] of eyes.cells(value)) yield { key, field, text };
  } else if (mode === "parsed") {
    yield* spotsOfValue(eyes.inner(value), `${key}/${PARSED}`, eyes);
  } else if (value !== null && typeof value === "object") {
    const isList = Array.isArray(value);
    for (const name of Object.keys(value)) {
      const inner = `${key}/${keyPart(name)}`;
      if (!isList) yield { key: inner, field: "key", text: name };
      yield* spotsOfValue(value[name], inner, eyes);
    }
  } else {
    yield { key, field: "value", text: String(value) };
  }
}

/** The texts of a call but for those of a sub-agent's run. @param {Tool} tool @param {string} key
 *  @param {Eyes} eyes @returns {Generator<Spot>} */
function* spotsOfTool(tool, key, eyes) {
  yield { key, field: "name", text: tool.name };
  yield { key, field: "approval", text: approvalText(tool.approval) };
  const edited = tool.approval?.decision === "edited" ? tool.approval.inputs : null;
  if (edited) yield* spotsOfValue(edited, `${key}/edited`, eyes);
  if (tool.inputs) yield* spotsOfValue(eyes.whole(`${key}/inputs`) ?? tool.inputs, `${key}/inputs`, eyes);
  for (const [index, { text, shown }] of tool.output.entries()) {
    if (shown?.kind === "image") continue;
    const place = `${key}/output`;
    const words = shownText(place, shown?.nodes ?? null, shown?.text ?? text, eyes);
    yield { key: place, field: String(index), ...words };
  }
  if (tool.error !== null && tool.error !== undefined) {
    yield { key: `${key}/error`, field: "value", text: tool.error };
  } else if (tool.status === "success") {
    const place = `${key}/result`;
    if (tool.nodes && eyes.mode(place, tool.result) === "rendered") {
      yield { key: place, field: "value", ...shownText(place, tool.nodes, String(tool.result), eyes) };
    } else {
      yield* spotsOfValue(eyes.whole(place) ?? tool.result, place, eyes);
    }
  }
}

/** @param {Turn} turn @param {string} key @param {Eyes} eyes @returns {Generator<Spot>} */
function* spotsOfTurn(turn, key, eyes) {
  for (const retry of turn.retries) {
    yield { key: `${key}/retry/${retry.attempt}`, field: "label", text: retryText(retry) };
  }
  if (turn.thinking) yield { key: `${key}/thinking`, field: "label", text: turn.thinking };
  if (!turn.calls || !turn.text) return;
  const place = `${key}/said`;
  yield { key: place, field: "label", ...shownText(place, turn.nodes, turn.text, eyes) };
}

/** Those of a run that belong to no turn. @param {Run} run @param {string} key @param {Eyes} eyes
 *  @returns {Generator<Spot>} */
function* spotsOfEnd(run, key, eyes) {
  const turn = run.turns.at(-1);
  const { nodes, text } = run.response ? { nodes: run.nodes, text: run.response }
    : turn && !turn.calls ? turn : { nodes: null, text: "" };
  const answer = key ? `${key}/answer` : "answer";
  if (run.status !== "failed") {
    yield { key, field: "answer", ...shownText(answer, nodes, text, eyes) };
  }
  yield { key, field: "error", text: run.error ?? "" };
  for (const [index, notice] of run.notices.entries()) {
    yield { key, field: `notice ${index}`, text: notice.text };
  }
}

/**
 * Searches for one query again and again as the run grows: what did not change since the last
 * time is not read again.
 */
export class Finder {
  /** @param {string} query @param {Eyes} eyes */
  constructor(query, eyes) {
    this.query = query;
    this.pattern = patternOf(query);
    this.eyes = eyes;
    /** Matches by what they were found in. @type {WeakMap<object, Found[]>} */
    this.known = new WeakMap();
    /** @type {Found[]} */
    this.found = [];
    this.hidden = 0;
  }

  /**
   * Search the run; what is found grows in `found`. Yields where it may be put off.
   * @param {Run} run @param {Filter} [filter] what it leaves out is only counted, in `hidden`
   * @returns {Generator<void, void>}
   */
  *search(run, filter = NO_FILTER) {
    this.found = [];
    this.hidden = 0;
    if (!this.pattern) return;
    yield* this.inRun(run, "", filter);
  }

  /** @param {Run} run @param {string} key @param {Filter} filter @returns {Generator<void, void>} */
  *inRun(run, key, filter) {
    yield* this.inTexts([{ key, field: "query", text: run.query }], null, true);
    if (key) yield* this.inTexts([{ key, field: "label", text: run.agent }], null, true);
    for (const [index, turn] of run.turns.entries()) {
      if (this.found.length >= MOST) return;
      const ofTurn = key ? `${key}/turn/${index}` : `turn/${index}`;
      const isKept = !isFiltering(filter) || (turn.retries.length > 0 && keepsRetries(filter));
      yield* this.inTexts(spotsOfTurn(turn, ofTurn, this.eyes), turn, isKept);
      for (const [number, tool] of turn.tools.entries()) {
        const ofTool = `${ofTurn}/tool/${number}`;
        yield* this.inTexts(spotsOfTool(tool, ofTool, this.eyes), tool, keepsTool(tool, filter));
        const inner = isMeant(tool, filter) ? NO_FILTER : filter;
        if (tool.run) yield* this.inRun(tool.run, `${ofTool}/run`, inner);
      }
    }
    yield* this.inTexts(spotsOfEnd(run, key, this.eyes), null, true);
  }

  /**
   * @param {Iterable<Spot>} spots @param {object | null} owner what they are read from
   * @param {boolean} isKept @returns {Generator<void, void>}
   */
  *inTexts(spots, owner, isKept) {
    let found = owner && this.known.get(owner);
    if (!found) {
      found = [];
      let size = 0;
      const pattern = /** @type {RegExp} */ (this.pattern);
      for (const { key, field, text, written } of spots) {
        let nth = 0;
        for (const { at } of matchesIn(plain(text), pattern, written && plain(written))) {
          found.push({ key, field, nth, at, written });
          nth += 1;
          if (found.length >= MOST) break;
        }
        size += text.length + 20;
        if (size < 50_000) continue;
        size = 0;
        yield;
      }
      if (owner) this.known.set(owner, found);
      yield;
    }
    if (!isKept) this.hidden += found.length;
    else for (const one of found) this.found.push(one);
  }
}

/** Where a match is now; -1 where it is gone. @param {Found[]} found @param {Found | null} one */
export function placeIn(found, one) {
  if (!one) return -1;
  return found.findIndex(({ key, field, nth }) =>
    key === one.key && field === one.field && nth === one.nth);
}
