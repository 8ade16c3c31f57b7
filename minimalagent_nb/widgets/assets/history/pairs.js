// @ts-check
/** Two runs beside one another: their figures, and which call of one is which of the other. Pure. */

import { durationText, NUMBERS, RUN_WORDS, wordFor } from "../tree/words.js";
import { aligned } from "./diff.js";

/**
 * @typedef {import("../tree/fold.js").Run} Run
 * @typedef {import("../tree/fold.js").Tool} Tool
 * @typedef {{name: string, one: string, other: string, change: string, isSame: boolean}} Fact
 * @typedef {{mark: "same" | "changed" | "gone" | "new", one: Tool | null, other: Tool | null,
 *   inputsDiffer: boolean, resultsDiffer: boolean}} CallPair
 */

export const MOST_CALLS = 1_000; // of each run
const MOST_JSON = 60_000; // characters

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
  const key = (call) => `${call.name}\n${comparedText(call.inputs)}`;
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
function pairOf({ mark, one, other }) {
  if (!one || !other) return { mark, one, other, inputsDiffer: false, resultsDiffer: false };
  const inputsDiffer = wholeText(one.inputs) !== wholeText(other.inputs);
  const resultsDiffer = wholeOutcome(one) !== wholeOutcome(other);
  const isSame = !inputsDiffer && !resultsDiffer;
  return { mark: isSame ? "same" : "changed", one, other, inputsDiffer, resultsDiffer };
}

/** @param {unknown} value */
function wholeText(value) {
  return typeof value === "string" ? value : JSON.stringify(value, null, 2) ?? "";
}

/** @param {Tool} call */
function wholeOutcome(call) {
  return call.status === "success" ? wholeText(call.result) : `${call.status}: ${call.error ?? ""}`;
}

/** As much of a text as is compared line by line. @param {string} text */
function beginningOf(text) {
  return text.length > MOST_JSON ? `${text.slice(0, MOST_JSON)}…` : text;
}

/** What came out of a call, as a text. @param {Tool} call */
export function outcomeOf(call) {
  return beginningOf(wholeOutcome(call));
}

/** A value as text on lines that can be compared. @param {unknown} value */
export function comparedText(value) {
  return beginningOf(wholeText(value));
}
