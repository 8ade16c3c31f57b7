// @ts-check
/** Parts of a run to take along: JSON by the keys of Python's `to_dict`, and Markdown. Pure. */

import { isStep } from "./places.js";

/**
 * @typedef {import("./fold.js").Run} Run
 * @typedef {import("./fold.js").Tool} Tool
 * @typedef {import("./fold.js").Turn} Turn
 * @typedef {import("./places.js").Place} Place
 */

/** Without the entries that say nothing. @param {Record<string, any>} data */
function filled(data) {
  return Object.fromEntries(Object.entries(data).filter(([, value]) =>
    value !== null && value !== undefined && value !== "" && value !== false &&
    !(Array.isArray(value) && !value.length)));
}

/** @param {Tool} tool @returns {any} */
export function callData(tool) {
  const { status, approval, progress } = tool;
  const output = tool.output.map(({ kind, text, shown }) =>
    kind === "display" ? { kind, data: displayData(shown) } : { kind, text });
  return {
    name: tool.name, inputs: tool.inputs, status,
    ...(status === "success" ? { result: tool.result } : {}),
    ...filled({
      error: tool.error, duration: tool.duration, started: tool.started, call_id: tool.id,
      truncated: tool.truncated, output, progress, approval: approval && filled(approval),
      left_behind: tool.leftBehind, reasoning: tool.run && runData(tool.run),
    }),
  };
}

/** A display as a MIME bundle. @param {import("./fold.js").Shown | null} shown */
function displayData(shown) {
  const text = shown?.text ?? "";
  if (shown?.kind === "image") return { [String(shown.mime)]: shown.data, "text/plain": text };
  return { [shown?.kind === "markdown" ? "text/markdown" : "text/plain"]: text };
}

/** @param {Turn} turn @returns {any} */
export function stepData(turn) {
  return {
    step_number: turn.number, timestamp: Math.floor(turn.started),
    ...filled({
      thinking: turn.thinking, text: turn.text, tools: turn.tools.map(callData), usage: turn.usage,
      duration: turn.duration,
    }),
  };
}

/** @param {Run} run @returns {any} what `Reasoning.from_dict` reads */
export function runData(run) {
  const steps = run.turns.filter(isStep).map(stepData);
  const answering = run.turns.find((turn) => turn.calls === 0);
  return {
    version: 1, session_id: run.session, query: run.query, total_steps: steps.length,
    status: run.status, steps,
    ...filled({
      final_thinking: answering?.thinking, final_response: run.response || run.error,
      stop_reason: run.stopReason, error: run.error, model: run.model, agent: run.agent,
      started: run.started, duration: run.duration, usage: run.usage,
      notices: run.notices.map(({ text }) => text),
    }),
  };
}

/** What is copied as JSON at a place. @param {Place} place */
export function jsonText({ kind, value }) {
  /** @type {Record<string, (value: any) => any>} */
  const shapes = { run: runData, turn: stepData, tool: callData, output: (parts) => parts };
  const shape = Object.hasOwn(shapes, kind) ? shapes[kind](value) : value;
  return JSON.stringify(shape, null, 2) ?? "null";
}

/** A text between fences that it cannot close. @param {string} text @param {string} [language] */
function fenced(text, language = "") {
  const longest = Math.max(2, ...(text.match(/`+/g) ?? []).map((run) => run.length));
  const fence = "`".repeat(longest + 1);
  return `${fence}${language}\n${text}\n${fence}`;
}

/**
 * A run as Markdown: what was asked, each step, and the answer.
 * @param {Run} run @param {number} [depth]
 */
export function runMarkdown(run, depth = 0) {
  const lines = [quoted(run.query)];
  const head = "#".repeat(Math.min(2 + depth, 6));
  run.turns.filter(isStep).forEach((turn, index) => {
    lines.push(`${head} Step ${index + 1}`);
    if (turn.thinking) lines.push(quoted(turn.thinking));
    if (turn.text) lines.push(turn.text);
    for (const tool of turn.tools) lines.push(...callMarkdown(tool, depth));
  });
  if (run.response && run.status !== "failed") lines.push(`${head} Answer`, run.response);
  if (run.error) lines.push(`${head} Failed`, fenced(run.error));
  return `${lines.join("\n\n")}\n`;
}

/** @param {Tool} tool @param {number} depth @returns {string[]} */
function callMarkdown(tool, depth) {
  const lines = [fenced(`${tool.name}(${JSON.stringify(tool.inputs ?? {}, null, 2)})`, "json")];
  if (tool.run) lines.push(runMarkdown(tool.run, depth + 1).trim());
  const printed = tool.output.map(({ text, shown }) => text || (shown?.text ?? "")).join("");
  if (printed) lines.push(fenced(printed.trimEnd()));
  if (tool.error) lines.push(fenced(tool.error));
  else if (tool.status === "success" && !tool.run) {
    const { result } = tool;
    const isText = typeof result === "string";
    lines.push(isText ? fenced(result) : fenced(JSON.stringify(result, null, 2), "json"));
  }
  return lines;
}

/** @param {string} text */
const quoted = (text) => text.split("\n").map((line) => `> ${line}`.trimEnd()).join("\n");
