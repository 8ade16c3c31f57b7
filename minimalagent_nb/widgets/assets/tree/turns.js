// @ts-check
/** Model turns, the runs that they make up, and sub-agents, whose run is a branch. */

import { EMPTY_RUN } from "./fold.js";
import {
  durationText, elapsedText, outcomeText, retryText, RUN_WORDS, tokenDetail, tokenText, wordFor,
} from "./words.js";
import { element, RenderedText, setAttribute, setText } from "./elements.js";
import { AnswerTools } from "./answertools.js";
import { Item, OPEN_RUNS, SaidItem, SHORT_TEXT, shownNodes, TextItem } from "./item.js";
import { ToolItem } from "./calls.js";
import { TimeBar } from "./waterfall.js";

/**
 * @typedef {import("./fold.js").Run} Run
 * @typedef {import("./fold.js").Turn} Turn
 * @typedef {import("./view.js").TreeView} TreeView
 */

const SHORT_THINKING = 400;

/** A model turn: what it thought and said, and its calls. */
class TurnItem extends Item {
  /** @param {TreeView} view @param {string} key @param {number} level @param {Turn} turn
   *  @param {RunParts} parts those of its run */
  constructor(view, key, level, turn, parts) {
    super(view, key, level, "turn", { openAtFirst: true, structural: true });
    this.turn = turn;
    this.parts = parts;
    this.openedFor = "";
    /** @type {TextItem | null} */
    this.thinking = null;
    /** @type {SaidItem | null} */
    this.said = null;
    /** @type {Item[]} */
    this.retries = [];
    /** @type {ToolItem[]} */
    this.tools = [];
    this.bar = new TimeBar(this);
    this.show();
  }

  /** @param {Turn} turn */
  update(turn) {
    if (turn === this.turn) return;
    this.turn = turn;
    this.show();
  }

  show() {
    const { turn } = this;
    const isAnswer = turn.calls === 0;
    setText(this.label, isAnswer ? "Answer" : `Step ${turn.number}`);
    setText(this.note, tokenText(turn.usage));
    setAttribute(this.note, "title", turn.calls === null ? "" : tokenDetail(turn.usage));
    if (turn.calls === null) this.tick(this.view.now());
    else setText(this.time, durationText(turn.duration));
    this.showBar();
    if (this.body) this.fill();
    else if (turn.thinking || turn.retries.length || turn.tools.length || this.says) {
      this.makeOpenable();
    }
    const waiting = turn.tools.find(({ status, approval }) =>
      status === "running" && approval?.decision === "pending");
    if (!waiting || waiting.id === this.openedFor) return;
    // Once for each question, so that a reader can close it still.
    this.openedFor = waiting.id;
    this.setOpen(true);
  }

  /** Whether its text belongs here: that of an answer stands below the tree. */
  get says() {
    return Boolean(this.turn.calls && this.turn.text);
  }

  /** About how many rows are shown of it. */
  get rows() {
    const { turn, isOpen } = this;
    if (!isOpen) return 1;
    const texts = Number(Boolean(turn.thinking)) + Number(this.says);
    return 1 + turn.retries.length + texts + turn.tools.length;
  }

  showBar() {
    const { started, duration, calls } = this.turn;
    const ended = duration === null ? null : started + duration;
    this.bar.update(started, ended, calls !== null || !this.view.isRunning, duration);
  }

  /** @param {number} now */
  tick(now) {
    if (this.turn.calls === null) {
      setText(this.time, this.view.isRunning ? elapsedText(now - this.turn.started) : "");
      if (!this.view.isRunning) setText(this.note, "Not finished");
      this.showBar();
    }
    for (const tool of this.tools) tool.tick(now);
  }

  /** Unlike a value's body, a turn's grows: what is there is brought up to date. */
  fill() {
    const { turn, view } = this;
    const level = this.level + 1;
    for (const retry of turn.retries.slice(this.retries.length)) {
      const item = new Item(view, `${this.key}/retry/${retry.attempt}`, level, "retry");
      setText(item.label, retryText(retry));
      this.place(item, this.retries.at(-1)?.root ?? null);
      this.retries.push(item);
    }
    if (turn.thinking) {
      if (!this.thinking) {
        const open = turn.calls === null || turn.thinking.length <= SHORT_THINKING;
        this.thinking = new TextItem(view, `${this.key}/thinking`, level, "thinking", open);
        this.place(this.thinking, this.retries.at(-1)?.root ?? null);
      }
      this.thinking.update(turn.thinking);
    } else if (this.thinking) {
      this.thinking.root.remove();
      this.thinking = null;
    }
    if (this.says) {
      if (!this.said) {
        this.said = new SaidItem(view, `${this.key}/said`, level);
        this.place(this.said, this.thinking?.root ?? this.retries.at(-1)?.root ?? null);
      }
      this.said.update(turn);
    }
    this.tools.forEach((item, index) => item.update(turn.tools[index]));
    this.grow();
  }

  /** The calls that are not there yet. */
  grow() {
    const { turn, view, tools } = this;
    while (tools.length < turn.tools.length && view.pace.allows(this)) {
      const number = tools.length;
      const key = `${this.key}/tool/${number}`;
      tools.push(new ToolItem(view, key, this.level + 1, turn.tools[number], this.parts));
      this.body?.append(tools[number].root);
    }
  }

  /** @param {Item} item @param {Element | null} after null for the first place */
  place(item, after) {
    if (after) after.after(item.root);
    else this.body?.prepend(item.root);
  }
}

/**
 * The answer as far as it is there. @param {Run} run
 * @returns {{nodes: import("./fold.js").Markup[] | null, text: string}}
 */
export function answerOf(run) {
  const turn = run.turns.at(-1);
  if (run.status === "failed") return { nodes: null, text: "" };
  if (run.response) return { nodes: run.nodes, text: run.response };
  return turn && !turn.calls ? turn : { nodes: null, text: "" };
}

/** What a run consists of below its head: turns, answer, how it came out, notices. */
export class RunParts {
  /** @param {TreeView} view @param {HTMLElement} tree where the turns go @param {string} key
   *  @param {number} level @param {number} depth of sub-agents around it */
  constructor(view, tree, key, level, depth) {
    this.view = view;
    this.tree = tree;
    this.key = key;
    this.level = level;
    this.depth = depth;
    this.runId = "";
    /** @type {Turn[]} */
    this.known = [];
    /** @type {TurnItem[]} */
    this.turns = [];
    this.answer = new RenderedText("ma-answer ma-rendered");
    this.answerTools = new AnswerTools(view, `${key}answer`);
    this.outcome = element("div", "ma-outcome");
    this.error = element("div", "ma-error");
    this.error.dir = "auto";
    this.notices = element("div", "ma-notices");
    this.roots = [tree, this.answerTools.root, this.answer.root, this.outcome, this.error, this.notices];
  }

  /** @param {Run} run */
  draw(run) {
    this.runId = run.id;
    this.known = run.turns;
    while (this.turns.length > run.turns.length) this.turns.pop()?.root.remove();
    this.turns.forEach((item, index) => item.update(run.turns[index]));
    this.grow();
    this.drawAnswer(run);
    for (const { kind, text } of run.notices.slice(this.notices.childElementCount)) {
      const notice = element("div", "ma-notice", text);
      notice.setAttribute("data-kind", String(kind));
      this.notices.append(notice);
    }
  }

  /** The turns that are not there yet. */
  grow() {
    while (this.turns.length < this.known.length && this.view.pace.allows(this)) this.addTurn();
  }

  addTurn() {
    const index = this.turns.length;
    const turn = this.known[index];
    const item = new TurnItem(this.view, `${this.key}turn/${index}`, this.level, turn, this);
    this.turns.push(item);
    this.tree.append(item.root);
    this.view.pace.skip(item.root, item.rows);
    if (index === 0 && this.level === 1) item.root.tabIndex = 0;
  }

  /** The element that shows a field of the run. @param {string} field @returns {Element | null} */
  spot(field) {
    if (field === "answer") return this.answer.root;
    if (field === "error") return this.error;
    const [name, number] = field.split(" ");
    return name === "notice" ? this.notices.children[Number(number)] ?? null : null;
  }

  /** The branch of a sub-agent's run. @param {string} key @param {number} level */
  newBranch(key, level) {
    return new AgentItem(this.view, key, level, this.depth + 1);
  }

  /** @param {Run} run */
  drawAnswer(run) {
    const { nodes, text } = answerOf(run);
    this.answer.update(shownNodes(this.view, this.answerTools.key, nodes, text), text);
    this.answerTools.update(text, () => this.drawAnswer(run));
    setText(this.outcome, outcomeText(run));
    setText(this.error, run.error ?? "");
  }

  /** @param {number} now */
  tick(now) {
    this.turns.at(-1)?.tick(now);
  }
}

/** The run of a sub-agent: a branch that looks as the tree does. */
export class AgentItem extends Item {
  /** @param {TreeView} view @param {string} key @param {number} level @param {number} depth */
  constructor(view, key, level, depth) {
    super(view, key, level, "agent", { openAtFirst: depth <= OPEN_RUNS, structural: true });
    this.depth = depth;
    this.run = EMPTY_RUN;
    this.isOver = false;
    this.query = element("div", "ma-line ma-asked");
    this.row.after(this.query);
    this.figures = element("span", "ma-figures");
    this.word = element("span", "ma-status");
    this.note.append(this.figures, this.word);
    this.bar = new TimeBar(this);
    /** @type {RunParts | null} */
    this.parts = null;
  }

  /** @param {Run} run @param {boolean} isOver whether the call is: then nothing more comes */
  update(run, isOver) {
    if (run === this.run && isOver === this.isOver) return;
    this.isOver = isOver;
    // The call asked another time: the branch is of the newest run.
    if (this.parts && (run.id !== this.run.id || run.started !== this.run.started)) this.clear();
    this.run = run;
    setText(this.label, run.agent.slice(0, 200) || "Sub-agent");
    setText(this.query, run.query.slice(0, SHORT_TEXT));
    const isLeft = run.status === "running" && isOver;
    setAttribute(this.root, "data-status", isLeft ? "left" : String(run.status));
    const tokens = tokenText(run.usage);
    setText(this.figures, tokens && `${tokens} · `);
    setText(this.word, isLeft ? "Not finished" : wordFor(RUN_WORDS, run.status));
    setAttribute(this.note, "title", tokens ? tokenDetail(run.usage) : "");
    if (run.status === "running") this.tick(this.view.now());
    else setText(this.time, durationText(run.duration));
    this.showBar();
    if (this.body) this.fill();
    this.makeOpenable();
  }

  /** Against the time of the whole run, as all bars: so that they can be compared. */
  showBar() {
    const { started, duration, status } = this.run;
    const ended = status === "running" || duration === null ? null : started + duration;
    const isOver = status !== "running" || this.isOver || !this.view.isRunning;
    this.bar.update(started, ended, isOver, duration);
  }

  /** @param {string} field */
  spot(field) {
    if (field === "query") return this.query;
    return field === "label" ? this.label : this.parts?.spot(field) ?? null;
  }

  showSpot() {
    this.setOpen(true); // closed, its question is on one line
  }

  /** What was known is of the run before: values that were fetched, and calls that waited, too. */
  clear() {
    this.body?.replaceChildren();
    this.parts = null;
    const { memory, waiting } = this.view;
    const isInside = (/** @type {string} */ key) => key.startsWith(`${this.key}/`);
    for (const key of memory.wholes.keys()) if (isInside(key)) memory.wholes.delete(key);
    for (const item of waiting) if (isInside(item.key)) waiting.delete(item);
  }

  fill() {
    if (!this.parts) {
      this.parts = new RunParts(
        this.view, element("div", "ma-steps"), `${this.key}/`, this.level + 1, this.depth);
      this.body?.append(...this.parts.roots);
    }
    this.parts.draw(this.run);
  }

  /** @param {number} now */
  tick(now) {
    this.parts?.tick(now);
    if (this.run.status !== "running") return;
    const isRunning = this.view.isRunning && !this.isOver;
    setText(this.time, isRunning ? elapsedText(now - this.run.started) : "");
    this.showBar();
  }
}
