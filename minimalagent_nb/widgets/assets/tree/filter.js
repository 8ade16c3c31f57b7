// @ts-check
/** Which calls of a run a reader wants to see. Pure. */

import { isStep } from "./places.js";

/**
 * @typedef {import("./fold.js").Run} Run
 * @typedef {import("./fold.js").Tool} Tool
 * @typedef {import("./fold.js").Turn} Turn
 * @typedef {{errors: boolean, tool: string | null}} Filter `errors` for calls that failed, were
 *   denied or stopped, and attempts that broke off; `tool` for those of one name
 */

/** @type {Filter} */
export const NO_FILTER = Object.freeze({ errors: false, tool: null });
const ERRORS = new Set(["error", "denied", "stopped"]);

/** @param {Filter} filter */
export function isFiltering({ errors, tool }) {
  return errors || tool !== null;
}

/**
 * Whether the call itself is meant, with all that is in it.
 * @param {Tool} tool @param {Filter} filter
 */
export function isMeant(tool, filter) {
  return (!filter.errors || ERRORS.has(tool.status)) &&
    (filter.tool === null || filter.tool === tool.name);
}

/**
 * Whether the call, or one of a sub-agent in it, is meant.
 * @param {Tool} tool @param {Filter} filter @returns {boolean}
 */
export function keepsTool(tool, filter) {
  return isMeant(tool, filter) || Boolean(tool.run?.turns.some((turn) => keepsTurn(turn, filter)));
}

/** Whether attempts that broke off are meant. @param {Filter} filter */
export function keepsRetries({ errors, tool }) {
  return errors && tool === null;
}

/** @param {Turn} turn @param {Filter} filter @returns {boolean} */
export function keepsTurn(turn, filter) {
  return !isFiltering(filter) || (turn.retries.length > 0 && keepsRetries(filter)) ||
    turn.tools.some((tool) => keepsTool(tool, filter));
}

/** What there is to filter by, sub-agents included. @param {Run} run */
export function choicesOf(run) {
  let errors = 0;
  /** @type {Map<string, number>} */
  const tools = new Map();
  /** @param {Run} one */
  const count = (one) => {
    for (const turn of one.turns) {
      errors += turn.retries.length;
      for (const tool of turn.tools) {
        tools.set(tool.name, (tools.get(tool.name) ?? 0) + 1);
        if (ERRORS.has(tool.status)) errors += 1;
        if (tool.run) count(tool.run);
      }
    }
  };
  count(run);
  return { errors, tools };
}

/** How many steps of the run are left out. @param {Run} run @param {Filter} filter */
export function hiddenSteps(run, filter) {
  return run.turns.filter((turn) => isStep(turn) && !keepsTurn(turn, filter)).length;
}
