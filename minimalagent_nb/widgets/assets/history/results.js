// @ts-check
/** The pane of what a search finds: hits as they come, and how far it has come. */

import { countText, NUMBERS, RUN_WORDS, wordFor } from "../tree/words.js";
import { element, setAttribute, setHidden, setText } from "../tree/elements.js";
import { figuresOf } from "./card.js";
import { blank, oneLine, pushButton, setWhen, walkKeys } from "./parts.js";

/**
 * @typedef {import("./source.js").Filters} Filters
 * @typedef {import("./source.js").Found} Found
 * @typedef {import("./source.js").Hit} Hit
 * @typedef {import("./source.js").Source} Source
 */

const AT_ONCE = 200; // hits, before the reader is asked whether to go on

/** @type {Record<string, string>} */
const BUTTON_WORDS = { running: "Stop", stopped: "Go on", over: "", failed: "Try again" };

/** A number of hits or of what was looked at. @param {number} number */
function numberText(number) {
  return NUMBERS.format(number);
}

export class ResultsPane {
  /**
   * @param {Source} source @param {Filters & {text: string, session: string}} about
   * @param {Record<string, string>} state of the filter bar then
   * @param {{open: (hit: Hit) => void, clear: () => void, widen: (() => void) | null,
   *   tools: (names: string[]) => void}} on
   */
  constructor(source, about, state, on) {
    this.source = source;
    this.about = about;
    this.asked = JSON.stringify(state);
    this.on = on;
    this.looked = 0;
    this.total = 0;
    this.searched = 0;
    this.sessions = 0;
    this.isCounted = false;
    this.reached = { before: 0, before_session: "" };
    this.hits = 0;
    this.until = AT_ONCE;
    this.state = "running"; // or stopped, over, failed
    this.message = "";
    this.base = 0; // looked at before this part of the search
    /** @type {(() => void) | null} */
    this.end = null;
    this.root = element("section", "mh-results");
    this.root.setAttribute("aria-label", "Search results");
    this.progress = element("span");
    this.said = element("span", "mh-unseen");
    this.said.setAttribute("role", "status");
    this.button = pushButton("", () => (this.state === "running" ? this.pause() : this.goOn()));
    const head = element("p", "mh-progress");
    this.bar = element("span", "mh-gauge");
    this.bar.append(element("span"));
    head.append(this.progress, this.button, this.said);
    this.list = element("ol", "mh-hits");
    this.list.addEventListener("keydown", (event) => walkKeys(event, this.buttons()));
    this.root.append(head, this.bar, this.list);
    this.begin();
  }

  /** Whether it is what the bar asks for. @param {{state: Record<string, string>}} bar */
  isOf(bar) {
    return this.asked === JSON.stringify(bar.state);
  }

  begin() {
    this.state = "running";
    this.base = this.looked;
    const from = { ...this.reached, before: this.reached.before || null };
    this.end = this.source.search({ ...this.about, ...from }, {
      found: (found) => this.take(found),
      failed: (message) => this.stop("failed", message),
    });
    this.draw();
  }

  /** @param {Found} found */
  take(found) {
    const { hits, looked, total, reached, over } = found;
    this.looked = this.base + looked;
    this.total = Math.max(total, this.looked);
    // Gone on with, it goes quickly over what was searched before.
    this.searched = Math.max(found.searched, this.searched);
    this.sessions = Math.max(found.sessions, this.sessions);
    this.isCounted = found.counted;
    if (reached) this.reached = { before: reached, before_session: found.reached_session };
    for (const hit of hits) this.list.append(this.row(hit));
    this.on.tools(hits.flatMap((hit) => hit.run.tools ?? []));
    this.hits += hits.length;
    if (over) {
      this.stop("over", "");
      this.tellLeftOut(found.left_out);
    } else if (this.hits >= this.until) this.pause();
    else this.draw();
  }

  pause() {
    this.end?.();
    this.stop("stopped", "");
  }

  goOn() {
    this.until = this.hits + AT_ONCE;
    this.begin();
  }

  /** @param {string} state @param {string} message */
  stop(state, message) {
    this.state = state;
    this.message = message;
    this.draw();
    setText(this.said, this.progress.textContent ?? "");
  }

  /** How far it has come, for reading. */
  get come() {
    const looked = numberText(this.looked);
    if (this.about.session) return `${looked} of about ${numberText(this.total)} interactions`;
    const least = this.isCounted ? "" : "at least ";
    const all = `${least}${countText(this.sessions, "session")}`;
    return `${numberText(this.searched)} of ${all} · ${countText(this.looked, "interaction")}`;
  }

  /** @param {string[]} kinds of sessions that may be in the store */
  tellLeftOut(kinds) {
    if (kinds.length) this.list.after(element("p", "mh-quiet", `Not searched: ${kinds.join("; ")}.`));
  }

  draw() {
    const of = this.come;
    const among = this.about.session ? "" : ` of ${countText(this.sessions, "session")}`;
    const found = `${numberText(this.hits)} found`;
    /** @type {Record<string, string>} */
    const words = {
      running: this.sessions ? `Searched ${of} · ${found}` : "Searching…",
      stopped: `Stopped at ${of} · ${found}`,
      over: `${found} in ${countText(this.looked, "interaction")}${among}`,
      failed: `${this.message} ${found} until then.`,
    };
    setText(this.progress, words[this.state]);
    setText(this.button, BUTTON_WORDS[this.state]);
    setHidden(this.button, this.state === "over");
    setAttribute(this.root, "data-state", this.state);
    setHidden(this.bar, this.state !== "running");
    const part = this.total ? this.looked / this.total : 0;
    /** @type {HTMLElement} */ (this.bar.firstElementChild).style.width = `${(100 * part).toFixed(1)}%`;
    if (this.state === "over" && !this.hits) this.showNothing();
  }

  showNothing() {
    if (this.root.querySelector(".mh-blank")) return;
    const { text } = this.about;
    const { widen } = this.on;
    this.root.append(blank(
      text ? `Nothing found for “${oneLine(text, 80)}”` : "No interaction is like that",
      "Queries, answers, thinking, tool names, inputs and results were searched.", [
        ...(widen ? [{ label: "Search in all sessions", act: widen }] : []),
        { label: "Clear the search", act: () => this.on.clear() },
      ]));
  }

  /** @param {Hit} hit */
  row(hit) {
    const { run, session_id: session } = hit;
    const item = element("li");
    item.setAttribute("data-status", run.status);
    const made = pushButton("", () => {
      for (const other of this.buttons()) other.removeAttribute("aria-current");
      made.setAttribute("aria-current", "true");
      this.on.open(hit);
    }, "mh-hit");
    const when = element("time", "mh-when");
    setWhen(when, run.started || run.interaction_id / 1e6);
    const facts = element("span", "mh-facts");
    const name = element("code", "", session);
    name.title = session;
    const places = hit.places > 1 ? ` · in\u00a0${hit.places}\u00a0places` : "";
    facts.append(
      element("span", "mh-status", wordFor(RUN_WORDS, run.status)), " · ",
      name, element("span", "", `${figuresOf(run)}${places}`));
    made.append(element("span", "mh-query", oneLine(run.query) || "(no query)"), when);
    if (hit.match) made.append(this.snippet(hit));
    made.append(facts);
    item.append(made);
    return item;
  }

  /** @param {Hit} hit */
  snippet({ where, before, match, after }) {
    const made = element("span", "mh-snippet");
    const around = element("span", "");
    around.append(
      element("span", "", before), element("mark", "", match), element("span", "", after));
    made.append(element("span", "mh-where", where), around);
    return made;
  }

  buttons() {
    return /** @type {HTMLElement[]} */ ([...this.list.querySelectorAll(".mh-hit")]);
  }

  /** Back from an opened hit: to where the reader was. */
  focus() {
    const all = this.buttons();
    (all.find((each) => each.hasAttribute("aria-current")) ?? all[0])?.focus();
  }

  close() {
    this.end?.();
    this.root.remove();
  }
}
