// @ts-check
/** Two runs beside one another: their figures, and which call of one is which of the other. Pure. */

import { durationText, NUMBERS, RUN_WORDS, wordFor } from "../tree/words.js";
import { aligned } from "./diff.js";

/**
 * @typedef {import("../tree/fold.js").Run} Run
 * @typedef {import("../tree/fold.js").Tool} Tool
 * @typedef {{name: string, one: string, other: string, change: string, isSame: boolean}} Fact
 * @typedef {{mark: "same" | "changed" | "gone" | "new", one: Tool | null, other: Tool | null,
 *   inputsDiffer: boolean, resultsDiffer: boolean, isPartial: boolean}} CallPair `isPartial`:
 *   they are the same in copies that were cut, and may differ beyond
 */

export const MOST_CALLS = 1_000; // of each run
const CUT = /… \([\d,]+ more characters\)$/; // as bounds.py ends a text

/**
 * The figures of both, and by how much they differ.
 * @param {Run} one @param {Run} other @returns {Fact[]}
 */
export function factsOf(one, other) {
  return [
    fact("Status", wordFor(RUN_WORDS, one.status), wordFor(RUN_WORDS, other.status)),
    fact("Time", durationText(one.duration), durationText(other.duration),
      signed(other.duration, one.duration, durationText)),
    counted("Steps", stepsOf(one), stepsOf(other)),
    counted("Tool calls", callsOf(one).length, callsOf(other).length),
    counted("Tokens in", one.usage.input_tokens, other.usage.input_tokens),
    counted("Tokens out", one.usage.output_tokens, other.usage.output_tokens),
    counted("From cache", one.usage.cache_read_tokens, other.usage.cache_read_tokens),
    fact("Model", one.model, other.model),
    fact("Agent", one.agent, other.agent),
  ].filter((each) => each.one || each.other);
}

/**
 * @param {string} name @param {string} one @param {string} other @param {string} [change]
 * @returns {Fact}
 */
function fact(name, one, other, change = "") {
  return { name, one, other, change, isSame: one === other };
}

/** @param {string} name @param {number} one @param {number} other @returns {Fact} */
function counted(name, one, other) {
  /** @param {number | null} number */
  const text = (number) => NUMBERS.format(number ?? 0);
  if (!one && !other) return fact(name, "", "");
  return fact(name, text(one), text(other), signed(other, one, text));
}

/**
 * @param {number | null} to @param {number | null} from
 * @param {(amount: number | null) => string} text
 */
function signed(to, from, text) {
  if (to === null || from === null || to === from) return "";
  return `${to > from ? "+" : "−"}${text(Math.abs(to - from))}`;
}

/** @param {Run} run */
function stepsOf(run) {
  return run.turns.filter((turn) => turn.calls).length;
}

/** @param {Run} run @returns {Tool[]} */
function callsOf(run) {
  return run.turns.flatMap((turn) => turn.tools);
}

/** What a model thought, and said beside its calls, in the order of its turns. @param {Run} run */
export function thoughtOf(run) {
  return run.turns
    .map((turn) => [turn.thinking, turn.calls ? turn.text : ""].filter(Boolean).join("\n"))
    .filter(Boolean).join("\n\n");
}

/**
 * The calls of both, those of one name beside one another; one that did the same goes before.
 * @param {Run} one @param {Run} other @returns {CallPair[]}
 */
export function callPairs(one, other) {
  const left = callsOf(one).slice(0, MOST_CALLS);
  const right = callsOf(other).slice(0, MOST_CALLS);
  /** @param {Tool} call */
  const key = (call) => `${call.name}\n${valueText(call.inputs)}`;
  const leftKeys = new Map(left.map((call) => [call, key(call)]));
  const rightKeys = new Map(right.map((call) => [call, key(call)]));
  /** @type {CallPair[]} */
  const pairs = [];
  /** @type {Tool[]} */
  let gone = [];
  /** @type {Tool[]} */
  let added = [];
  const flush = () => {
    pairs.push(...aligned(gone, added, (a, b) => a.name === b.name).map(pairOf));
    gone = [];
    added = [];
  };
  for (const pair of aligned(left, right, (a, b) => leftKeys.get(a) === rightKeys.get(b))) {
    if (pair.mark === "gone" && pair.one) gone.push(pair.one);
    else if (pair.mark === "new" && pair.other) added.push(pair.other);
    else {
      flush();
      pairs.push(pairOf(pair));
    }
  }
  flush();
  return pairs;
}

/** @param {import("./diff.js").Pair<Tool>} pair @returns {CallPair} */
export function pairOf({ mark, one, other }) {
  if (!one || !other) {
    return { mark, one, other, inputsDiffer: false, resultsDiffer: false, isPartial: false };
  }
  const inputsDiffer = valueText(one.inputs) !== valueText(other.inputs);
  const resultsDiffer = outcomeOf(one) !== outcomeOf(other);
  const isSame = !inputsDiffer && !resultsDiffer;
  const isPartial = [one, other].some((call) =>
    (!inputsDiffer && call.inputsCut) ||
    (!resultsDiffer && (call.cut || isTextCut(call.error ?? ""))));
  return { mark: isSame ? "same" : "changed", one, other, inputsDiffer, resultsDiffer, isPartial };
}

/** The values of a call that were cut, each with what says so. @param {Tool} call
 *  @returns {["inputs" | "result", "inputsCut" | "cut"][]} */
export function cutValues(call) {
  return [
    ...(call.inputsCut ? [/** @type {["inputs", "inputsCut"]} */ (["inputs", "inputsCut"])] : []),
    ...(call.cut ? [/** @type {["result", "cut"]} */ (["result", "cut"])] : []),
  ];
}

/** The way to a call of a run, as `Source.whole` takes it. @param {Run} run @param {Tool} call
 *  @returns {[number, string][]} */
export function wayTo(run, call) {
  const turn = run.turns.find(({ tools }) => tools.includes(call));
  return turn ? [[turn.number, call.id]] : [];
}

/** Whether a text ends before its end. @param {string} text */
export function isTextCut(text) {
  return CUT.test(text.slice(-60));
}

/** A value as text on lines that can be compared. @param {unknown} value */
export function valueText(value) {
  return typeof value === "string" ? value : JSON.stringify(value, null, 2) ?? "";
}

/** What came out of a call, as a text. @param {Tool} call */
export function outcomeOf(call) {
  return call.status === "success" ? valueText(call.result) : `${call.status}: ${call.error ?? ""}`;
}
