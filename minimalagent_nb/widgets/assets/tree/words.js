// @ts-check
/** Words and figures of a run, for reading. Pure. */

/**
 * @typedef {import("./fold.js").Approval} Approval
 * @typedef {import("./fold.js").Part} Part
 * @typedef {import("./fold.js").Run} Run
 * @typedef {import("./fold.js").Tool} Tool
 * @typedef {import("./fold.js").Usage} Usage
 */

/** @type {Record<string, string>} */
export const RUN_WORDS = {
  running: "Running", completed: "Completed", stopped: "Stopped", failed: "Failed",
};
/** @type {Record<string, string>} */
const TOOL_WORDS = {
  running: "Running", success: "Done", error: "Failed", stopped: "Stopped", denied: "Denied",
};
/** @type {Record<string, string>} */
const DECISIONS = { edited: "Arguments edited", denied: "Denied", approved: "Approved" };
/** @type {Record<string, string>} */
const OUTCOMES = {
  max_tokens: "Cut off at the limit of output tokens",
  guardrail_intervened: "A guardrail stepped in",
  content_filtered: "A content filter stepped in",
  model_context_window_exceeded: "Cut off: the context window is full",
  max_steps: "Answered at the step limit",
};

/**
 * The words for a key; keys that a newer version may have stand for themselves.
 * @param {Record<string, string>} words @param {unknown} key @param {string} [other]
 */
export function wordFor(words, key, other = String(key ?? "").slice(0, 40)) {
  return Object.hasOwn(words, String(key)) ? words[String(key)] : other;
}

export const NUMBERS = new Intl.NumberFormat("en-US");

/** @param {number} number @param {string} noun */
export function countText(number, noun) {
  return `${NUMBERS.format(number)} ${noun}${number === 1 ? "" : "s"}`;
}

/** A duration in seconds for reading. @param {number | null} seconds */
export function durationText(seconds) {
  if (seconds === null || seconds === undefined) return "";
  const time = Math.max(seconds, 0);
  if (time < 0.9995) return `${(time * 1000).toFixed(0)} ms`;
  if (time < 59.95) return `${time.toFixed(1)} s`;
  const whole = Math.round(time);
  const minutes = Math.floor(whole / 60);
  if (minutes < 60) return `${minutes} min ${whole % 60} s`;
  return `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}

/** A time that still runs: whole seconds, so that it does not flicker. @param {number} seconds */
export function elapsedText(seconds) {
  return seconds < 60 ? `${Math.max(0, Math.floor(seconds))} s` : durationText(Math.floor(seconds));
}

/** @param {Usage} usage */
export function tokenText(usage) {
  const total = usage.input_tokens + usage.output_tokens + usage.cache_read_tokens +
    usage.cache_write_tokens;
  const cached = usage.cache_read_tokens;
  if (!total) return "";
  return countText(total, "token") + (cached ? `, ${NUMBERS.format(cached)} from cache` : "");
}

/** How a run came out, where a reader of its answer should know. @param {Run} run */
export function outcomeText(run) {
  return run.status === "completed" ? wordFor(OUTCOMES, run.stopReason, "") : "";
}

/** What was decided on a call, by whom and why. @param {Approval | null} approval */
export function approvalText(approval) {
  const word = wordFor(DECISIONS, approval?.decision, "");
  if (!approval || !word) return "";
  const by = approval.by ? ` by ${String(approval.by).slice(0, 40)}` : "";
  const reason = approval.reason ? `: ${String(approval.reason).slice(0, 500)}` : "";
  return (word + by + reason).replace(/\s+/g, " ").trim();
}

/** Why a turn was tried again. @param {{reason: string, attempt: number}} retry */
export function retryText({ reason, attempt }) {
  return `Attempt ${attempt}, because the one before broke off: ${reason}`;
}

/** Status of a call in words; one that runs may be waiting. @param {Tool} tool */
export function toolWord(tool) {
  const isWaiting = tool.status === "running" && tool.approval?.decision === "pending";
  return isWaiting ? "Waits for approval" : wordFor(TOOL_WORDS, tool.status);
}

/** How much there is of an output. @param {Part[]} parts */
export function outputSize(parts) {
  const lines = parts.reduce(
    (sum, { text }) => sum + (text ? text.replace(/\n$/, "").split("\n").length : 0), 0);
  const images = parts.filter(({ shown }) => shown?.kind === "image").length;
  return [lines ? countText(lines, "line") : "", images ? countText(images, "image") : ""]
    .filter(Boolean).join(", ");
}

/** The newest line that was printed. @param {Part[]} parts */
export function lastLine(parts) {
  const text = parts.at(-1)?.text.slice(-500).trimEnd() ?? "";
  return text.slice(text.lastIndexOf("\n") + 1).trim();
}

/** The kinds of tokens, for a tooltip. @param {Usage} usage */
export function tokenDetail(usage) {
  return [
    `${NUMBERS.format(usage.input_tokens)} in`, `${NUMBERS.format(usage.output_tokens)} out`,
    usage.cache_read_tokens ? `${NUMBERS.format(usage.cache_read_tokens)} read from cache` : "",
    usage.cache_write_tokens ? `${NUMBERS.format(usage.cache_write_tokens)} written to cache` : "",
  ].filter(Boolean).join(", ");
}

/**
 * A value on one line of about `width` characters, and whether that is all of it. No
 * more of the value is looked at than the line shows.
 * @param {unknown} value @param {number} width @returns {{text: string, isWhole: boolean}}
 */
export function preview(value, width) {
  if (typeof value === "string") {
    const isWhole = value.length <= width && !value.includes("\n");
    return { text: JSON.stringify(value.slice(0, width)) + (isWhole ? "" : "…"), isWhole };
  }
  if (value === null || typeof value !== "object") return { text: String(value), isWhole: true };
  const isList = Array.isArray(value);
  const names = isList ? value.keys() : Object.keys(value);
  const parts = [];
  let left = width;
  let isWhole = true;
  for (const name of names) {
    if (left <= 0) {
      parts.push("…");
      isWhole = false;
      break;
    }
    const part = preview(/** @type {any} */ (value)[name], Math.max(left, 12));
    const text = isList ? part.text : `${name}: ${part.text}`;
    isWhole &&= part.isWhole;
    left -= text.length + 2;
    parts.push(text);
  }
  const text = isList ? `[${parts.join(", ")}]` : `{${parts.join(", ")}}`;
  return { text, isWhole: isWhole && left >= 0 };
}

/** A call's arguments on one line. @param {any} inputs */
export function callText(inputs) {
  if (!isFilled(inputs)) return "";
  return Object.entries(inputs).map(([key, value]) => `${key}=${preview(value, 60).text}`)
    .join(", ").replace(/\s+/g, " ").slice(0, 240);
}

/** @param {unknown} value */
export function isFilled(value) {
  return value !== null && typeof value === "object" && Object.keys(value).length > 0;
}
