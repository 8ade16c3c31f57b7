// @ts-check
/** What is said to who listens: that a step began, a call failed, the answer; never each letter. */

import { element, setText } from "./elements.js";

/**
 * @typedef {import("./fold.js").Run} Run
 * @typedef {import("./fold.js").Tool} Tool
 */

const PAUSE = 2000; // ms at least between two messages, so that each is heard to its end
const ANSWER = 300; // characters

/** @param {Tool} tool */
function stateOf({ status, approval }) {
  if (status !== "running") return status;
  return approval?.decision === "pending" ? "waiting" : "running";
}

/** @type {Record<string, string>} */
const SAID = { running: "runs", waiting: "waits for your approval", error: "failed" };

/**
 * What happened between two states of a run that is worth to be said; its status is a
 * region of its own. Only the newest turn is looked at. Pure.
 * @param {Run} before @param {Run} after @returns {string[]}
 */
export function newsOf(before, after) {
  const turn = after.turns.at(-1);
  const news = [];
  if (turn) {
    const old = before.turns[after.turns.length - 1];
    if (!old) news.push(`Step ${turn.number}`);
    if (turn.retries.length > (old?.retries.length ?? 0)) news.push("The model is asked again");
    turn.tools.forEach((tool, index) => {
      const state = stateOf(tool);
      const isSame = old?.tools[index] && stateOf(old.tools[index]) === state;
      if (!isSame && SAID[state]) news.push(`${tool.name.slice(0, 60)} ${SAID[state]}`);
    });
  }
  if (before.status === "running" && after.status !== "running") {
    // The first paragraph, without the signs of Markdown.
    const answer = after.response.trim().split("\n\n", 1)[0].replace(/[*_`#|]+/g, "");
    if (after.status === "failed") news.push((after.error ?? "").slice(0, ANSWER));
    else if (answer) news.push(`Answer: ${answer.slice(0, ANSWER)}`);
  }
  return news.filter(Boolean);
}

/** A region that is read out when it changes, and not seen. */
export class Aloud {
  /** @param {Run} state what is there already is not said */
  constructor(state) {
    this.root = element("div", "ma-aloud");
    this.root.setAttribute("aria-live", "polite");
    this.state = state;
    /** @type {string[]} */
    this.news = [];
    this.saidAt = -Infinity;
  }

  /** @param {Run} state */
  update(state) {
    if (state.id !== this.state.id) this.news = [];
    else if (state !== this.state) this.news.push(...newsOf(this.state, state));
    this.state = state;
    const isDue = performance.now() - this.saidAt >= PAUSE || state.status !== "running";
    if (!this.news.length || !isDue) return;
    setText(this.root, this.news.slice(-6).join(". "));
    this.news = [];
    this.saidAt = performance.now();
  }
}
