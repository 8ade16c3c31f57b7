// @ts-check
/** The head of a run: what was asked, how the run stands, and the buttons for all of it. */

import { button, element, keepKeys, setAttribute, setHidden, setText } from "./elements.js";
import { Toolbar } from "./toolbar.js";
import {
  countText, durationText, elapsedText, RUN_WORDS, tokenDetail, tokenText, wordFor,
} from "./words.js";

/**
 * @typedef {import("./view.js").TreeView} TreeView
 */

export class Head {
  /** @param {TreeView} view */
  constructor(view) {
    this.view = view;
    this.query = element("div", "ma-query");
    this.query.dir = "auto"; // as each text of a model or a reader: by its first letter
    keepKeys(this.query);
    this.stop = button("Stop", () => {
      if (!this.stopping) view.talk?.stop?.(view.state.id);
    });
    this.stop.classList.add("ma-stop");
    this.toolbar = new Toolbar(view, this.stop);
    this.status = element("span", "ma-status");
    this.status.setAttribute("role", "status");
    this.figures = element("span", "ma-figures");
    this.model = element("span", "ma-model");
    const top = element("div", "ma-head");
    top.append(this.query, this.toolbar.root);
    const meta = element("div", "ma-meta");
    meta.append(this.status, this.figures, this.model);
    this.roots = [top, meta];
  }

  /** What there is to say of a stop that was asked for. */
  get stopping() {
    const { state, memory, isRunning } = this.view;
    const isMeant = isRunning && memory.stopping?.run === state.id;
    return isMeant ? memory.stopping?.note : undefined;
  }

  draw() {
    setText(this.query, this.view.state.query);
    this.toolbar.draw();
  }

  /** How the run stands. */
  drawMeta() {
    const { state, talk, isRunning } = this.view;
    setText(this.status, this.statusText);
    setHidden(this.stop, !(talk?.stop && isRunning && state.id));
    setAttribute(this.stop, "aria-disabled", String(this.stopping !== undefined));
    const texts = this.figureTexts.filter(Boolean);
    if (state.model) texts.push(""); // which follows, on one line where it fits
    setText(this.figures, texts.map((text) => ` · ${text}`).join(""));
    setText(this.model, state.model);
    setAttribute(this.figures, "title", tokenDetail(state.usage));
  }

  get statusText() {
    const { state, talk, memory, isRunning } = this.view;
    if (this.stopping) return this.stopping;
    const isAsking = isRunning && talk?.decide && memory.asked.size > 0;
    return isAsking ? "Waits for your approval" : wordFor(RUN_WORDS, state.status);
  }

  get figureTexts() {
    const { view } = this;
    const { started, duration, steps, calls, turns, usage } = view.state;
    const isInStep = view.isRunning && turns.at(-1)?.calls === null;
    return [
      isInStep ? `step ${steps + 1}` : steps ? countText(steps, "step") : "",
      calls ? countText(calls, "tool call") : "", tokenText(usage),
      view.isRunning ? elapsedText(view.now() - started) : durationText(duration),
    ];
  }
}
