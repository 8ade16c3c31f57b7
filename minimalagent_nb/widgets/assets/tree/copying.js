// @ts-check
/** Copying: what of an item, an answer or a run can be taken along, and what is said of it. */

import { copyText, offerText } from "./clipboard.js";
import { element, setText } from "./elements.js";
import { isLeftOut, placeOf } from "./places.js";
import { jsonText, runMarkdown } from "./portable.js";

/**
 * @typedef {import("./menu.js").Entry} Entry
 * @typedef {import("./places.js").Place} Place
 * @typedef {import("./view.js").TreeView} TreeView
 */

const BUBBLE = 1600; // milliseconds

/** Words that a reader sees for a moment, and that a screen reader says. */
export class Announcer {
  /** @param {HTMLElement} root */
  constructor(root) {
    this.root = root;
    this.live = element("div", "ma-unseen");
    this.live.setAttribute("aria-live", "polite");
    this.timer = 0;
    /** @type {HTMLElement | null} */
    this.bubble = null;
  }

  /** @param {string} text @param {HTMLElement} [anchor] what it is about */
  say(text, anchor) {
    this.live.textContent = "";
    setText(this.live, text);
    this.clear();
    if (!anchor?.isConnected) return;
    const bubble = element("div", "ma-bubble", text);
    bubble.setAttribute("aria-hidden", "true");
    this.root.append(bubble);
    if (typeof bubble.showPopover === "function") {
      bubble.setAttribute("popover", "manual");
      bubble.showPopover();
    }
    const at = anchor.getBoundingClientRect();
    bubble.style.left = `${Math.max(at.left - bubble.offsetWidth - 4, 8)}px`;
    bubble.style.top = `${at.top + (at.height - bubble.offsetHeight) / 2}px`;
    this.bubble = bubble;
    this.timer = window.setTimeout(() => this.clear(), BUBBLE);
  }

  clear() {
    clearTimeout(this.timer);
    this.bubble?.remove();
    this.bubble = null;
  }
}

/**
 * Copy a text and say so; where the browser refuses, offer it selected.
 * @param {TreeView} view @param {string} text @param {string} what @param {HTMLElement} anchor
 */
export async function copy(view, text, what, anchor) {
  if (await copyText(view.root, text)) return view.announcer.say(`Copied ${what}`, anchor);
  offerText(view.root, text, anchor);
  view.announcer.say("The browser does not let the page copy. The text is selected.");
}

const MARKDOWN_KINDS = new Set(["answer", "said"]);
/** @type {Record<string, string>} */
const NAMES = {
  turn: "step", tool: "call", inputs: "inputs", edited: "inputs", result: "result", value: "value",
  output: "output",
};

/** A path that a menu can show. @param {string} path */
function shortPath(path) {
  return path.length > 60 ? `…${path.slice(-58)}` : path;
}

/**
 * What of a place can be copied.
 * @param {TreeView} view @param {string} key @param {HTMLElement} anchor @returns {Entry[]}
 */
export function copyEntries(view, key, anchor) {
  const { state, name, memory } = view;
  const place = placeOf(state, key, name, memory.wholes);
  if (!place || isLeftOut(place.value)) return [];
  const { kind, path, value } = place;
  const note = place.isCut ? "as far as it is here" : undefined;
  /** @type {Entry[]} */
  const entries = [];
  /** @param {string} label @param {string} text @param {string} what @param {string} [more] */
  const add = (label, text, what, more) =>
    entries.push({ label, note: more, act: () => copy(view, text, what, anchor) });
  if (kind === "run") {
    if (value.response) add("Copy answer as Markdown", value.response, "the answer");
    entries.push(
      { label: "Copy run as Markdown", act: () => copy(view, runMarkdown(value), "the run", anchor) },
      { label: "Copy run as JSON", act: () => copy(view, jsonText(place), "the run", anchor) });
  } else if (kind === "agent") {
    add("Copy run as JSON", jsonText({ ...place, kind: "run" }), "the run");
  } else if (typeof value === "string") {
    add(MARKDOWN_KINDS.has(kind) ? "Copy as Markdown" : "Copy text", value, "the text", note);
  }
  if (Object.hasOwn(NAMES, kind)) {
    const what = kind === "value" || typeof value === "string" ? "JSON" : `${NAMES[kind]} as JSON`;
    entries.push({
      label: kind === "tool" || kind === "turn" ? `Copy ${NAMES[kind]} as JSON` : "Copy as JSON", note,
      act: () => copy(view, jsonText(place), what, anchor),
    });
  }
  if (path) {
    entries.push({
      label: "Copy Python path", note: shortPath(path),
      act: () => copy(view, path, "the Python path", anchor),
    });
  }
  return entries;
}
