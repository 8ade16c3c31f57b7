// @ts-check
/** Tool calls in the tree, and how far they are. */

import {
  approvalText, callText, durationText, elapsedText, isFilled, lastLine, toolWord,
} from "./words.js";
import { element, setAttribute, setText } from "./elements.js";
import { Item, OPEN_RUNS } from "./item.js";
import { FEW_VALUES, ValueItem } from "./values.js";
import { WholeLine } from "./whole.js";
import { OutputItem } from "./output.js";
import { Question } from "./question.js";
import { TimeBar } from "./waterfall.js";

/**
 * @typedef {import("./fold.js").Tool} Tool
 * @typedef {import("./turns.js").AgentItem} AgentItem
 * @typedef {import("./turns.js").RunParts} RunParts
 * @typedef {import("./view.js").TreeView} TreeView
 */

/**
 * A tool call: name and arguments, status and time, and in lines below what cannot wait
 * to be opened; the rest is in its body, which grows with the call.
 */
export class ToolItem extends Item {
  /** @param {TreeView} view @param {string} key @param {number} level @param {Tool} tool
   *  @param {RunParts} parts those of its run */
  constructor(view, key, level, tool, parts) {
    super(view, key, level, "tool", { structural: true });
    this.tool = tool;
    this.parts = parts;
    /** @type {Question | null} */
    this.question = null;
    this.hasOutcome = false;
    this.name = element("span", "ma-name", tool.name);
    this.arguments = element("span", "ma-arguments");
    this.label.append(this.name, this.arguments);
    this.progress = new ProgressLine();
    this.approval = element("div", "ma-line ma-approval");
    this.printed = element("div", "ma-line ma-last");
    this.reason = element("div", "ma-line ma-reason");
    this.warning = element("div", "ma-line ma-warning");
    this.row.after(this.progress.root, this.printed, this.approval, this.reason, this.warning);
    /** Places in the body, in their order. @type {Record<string, HTMLElement>} */
    this.places = {};
    /** @type {ValueItem | null} */
    this.inputs = null;
    /** @type {ValueItem | null} */
    this.edited = null;
    /** @type {AgentItem | null} */
    this.agent = null;
    /** @type {OutputItem | null} */
    this.output = null;
    this.bar = new TimeBar(this);
    this.show();
    this.makeOpenable();
    this.openForReader();
  }

  /** @param {Tool} tool */
  update(tool) {
    if (tool === this.tool) return;
    this.tool = tool;
    this.show();
    if (this.body) this.fill();
    this.openForReader();
  }

  get isWaiting() {
    return this.tool.status === "running" && this.tool.approval?.decision === "pending";
  }

  /** The question is there as long as somebody here can answer it. */
  drawQuestion() {
    const { view, tool } = this;
    const run = this.parts.runId;
    const key = `${run}\n${tool.id}`;
    const isAsked = this.isWaiting && view.isRunning && view.talk?.decide && view.memory.asked.has(key);
    if (!isAsked) {
      this.question?.root.remove();
      this.question = null;
      return;
    }
    if (!this.question) {
      this.question = new Question(tool, (answer) => {
        view.memory.refused.delete(key);
        view.talk?.decide?.({ run, call: tool.id, ...answer });
      });
      this.warning.after(this.question.root);
    }
    const refused = view.memory.refused.get(key);
    if (refused) this.question.refuse(refused); // it stays there: each view of the run tells it
  }

  /** A display is made to be seen, and a sub-agent is a tree of its own. */
  openForReader() {
    const { run, output } = this.tool;
    if (run ? this.parts.depth < OPEN_RUNS : output.some(({ shown }) => shown)) this.openByItself();
  }

  /** What it runs with, where somebody changed that. */
  get editedInputs() {
    const { approval } = this.tool;
    return approval?.decision === "edited" && approval.inputs ? approval.inputs : null;
  }

  show() {
    const { tool } = this;
    const { status, approval, error } = tool;
    const isRunning = status === "running";
    if (this.isWaiting) this.view.waiting.add(this);
    else this.view.waiting.delete(this);
    this.drawQuestion();
    setAttribute(this.root, "data-status", this.isWaiting ? "waiting" : String(status));
    setText(this.arguments, `(${callText(this.editedInputs ?? tool.inputs)})`);
    setText(this.note, toolWord(tool));
    const decided = approvalText(approval);
    setAttribute(this.approval, "data-decision", String(approval?.decision ?? ""));
    setText(this.approval, decided);
    setText(this.reason, status === "denied" && decided ? "" : error?.slice(0, 300) ?? "");
    setText(this.warning, tool.leftBehind ? "Left behind: it could not be ended and may still run." : "");
    this.progress.update(isRunning ? tool.progress : null);
    setText(this.printed, isRunning && !tool.progress ? lastLine(tool.output) : "");
    if (isRunning) this.tick(this.view.now());
    else setText(this.time, durationText(tool.duration));
    this.showBar();
  }

  showBar() {
    const { started, ended, status, duration } = this.tool;
    this.bar.update(started, ended, status !== "running" || !this.view.isRunning, duration);
  }

  /** @param {number} now */
  tick(now) {
    this.agent?.tick(now);
    if (this.tool.status !== "running") return;
    setText(this.time, this.view.isRunning ? elapsedText(now - this.tool.started) : "");
    this.showBar();
  }

  fill() {
    const { tool, view, key, level } = this;
    if (!this.places.inputs) {
      for (const name of ["inputs", "run", "output", "outcome"]) {
        this.places[name] = element("div");
        this.body?.append(this.places[name]);
      }
    }
    this.fillInputs();
    if (tool.run) {
      if (!this.agent) {
        this.agent = this.parts.newBranch(`${key}/run`, level + 1);
        this.places.run.append(this.agent.root);
      }
      this.agent.update(tool.run, tool.status !== "running");
    }
    if (tool.output.length) {
      if (!this.output) {
        this.output = new OutputItem(view, `${key}/output`, level + 1);
        this.places.output.append(this.output.root);
      }
      this.output.update(tool.output);
    }
    this.fillOutcome();
  }

  fillInputs() {
    const { editedInputs, tool } = this;
    if (editedInputs && !this.edited) {
      this.edited = this.addValue("inputs", "edited", "Inputs, edited", editedInputs);
      this.inputs?.rename("Inputs, as the model wrote them");
    }
    if (isFilled(tool.inputs) && !this.inputs) {
      const name = editedInputs ? "Inputs, as the model wrote them" : "Inputs";
      const value = this.view.memory.wholes.get(`${this.key}/inputs`)?.value ?? tool.inputs;
      this.inputs = this.addValue("inputs", "inputs", name, value);
      if (tool.inputsCut) this.inputs.root.after(new WholeLine(this.view, this.inputs).root);
    }
  }

  fillOutcome() {
    const { status, result, error, truncated, cut, table, nodes } = this.tool;
    if (this.hasOutcome || status === "running") return;
    this.hasOutcome = true;
    if (error !== null && error !== undefined) {
      const isDenied = status === "denied";
      const item = this.addValue("outcome", "error", isDenied ? "Told the model" : "Error", error);
      item.root.classList.toggle("ma-failure", !isDenied);
    } else if (status === "success") {
      const value = this.view.memory.wholes.get(`${this.key}/result`)?.value ?? result;
      const item = this.addValue("outcome", "result", "Result", value, { facts: table, nodes });
      const notes = [item.note.textContent, truncated ? "shortened for the model" : ""];
      if (truncated) setText(item.note, notes.filter(Boolean).join(", "));
      if (cut) item.root.after(new WholeLine(this.view, item).root);
    }
  }

  /** @param {string} field */
  spot(field) {
    return field === "approval" ? this.approval : this.name;
  }

  /** @param {string} field */
  showSpot(field) {
    if (field === "approval") this.setOpen(true); // closed, it is on one line
  }

  /** @param {string} place @param {string} part of its key @param {string} name
   *  @param {unknown} value @param {import("./values.js").Extras} [extras] */
  addValue(place, part, name, value, extras) {
    const key = `${this.key}/${part}`;
    // What a sub-agent was asked and answered is in its own branch, too.
    const few = this.tool.run ? -1 : FEW_VALUES;
    const item = new ValueItem(this.view, key, this.level + 1, name, value, few, extras);
    item.root.classList.add("ma-part");
    this.places[place].append(item.root);
    return item;
  }
}

/** How far a call is: words, and a bar where it knows the fraction. */
class ProgressLine {
  constructor() {
    this.root = element("div", "ma-line ma-progress");
    this.bar = element("span", "ma-bar");
    this.bar.setAttribute("role", "progressbar");
    this.bar.setAttribute("aria-label", "Progress of the call");
    this.fill = element("span", "ma-bar-fill");
    this.text = element("span", "ma-progress-text");
    this.bar.append(this.fill);
    this.root.append(this.bar, this.text);
    this.root.hidden = true;
  }

  /** @param {Tool["progress"]} progress */
  update(progress) {
    this.root.hidden = !progress;
    const { fraction, text } = progress ?? { fraction: null, text: "" };
    this.bar.hidden = typeof fraction !== "number";
    const percent = `${Math.round(Math.min(Math.max(Number(fraction), 0), 1) * 100)}`;
    setText(this.text, this.bar.hidden ? text : `${percent} % ${text ?? ""}`.trim());
    if (this.bar.hidden) return;
    setAttribute(this.bar, "aria-valuenow", percent);
    this.fill.style.width = `${percent}%`;
  }
}
