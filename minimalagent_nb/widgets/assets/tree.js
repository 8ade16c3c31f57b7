// @ts-check
/**
 * The live tree of a run, self-contained and without Jupyter in its core.
 *
 * Three parts, each usable alone: `reduce` and `receive`, the pure fold over the
 * run's ops; `mountTree`, the view of a state; and at the end the default export,
 * the thin adapter that makes them a widget. Everything of a model or tool reaches
 * the page as text: there is no way from data to HTML in this file.
 */

/**
 * @typedef {{input_tokens: number, output_tokens: number, cache_read_tokens: number,
 *   cache_write_tokens: number}} Usage
 * @typedef {string | any[]} Markup text, or `[tag, attributes, children]`
 * @typedef {{kind: string, text?: string, mime?: string, data?: string, width?: number,
 *   height?: number, nodes?: Markup[]}} Shown what of a display may be shown
 * @typedef {{kind: string, text: string, shown: Shown | null}} Part of what a tool put out
 * @typedef {{decision: string, by?: string, reason?: string, inputs?: any}} Approval
 * @typedef {{id: string, name: string, inputs: any, status: string, result: any,
 *   error: string | null, duration: number | null, started: number, truncated: boolean,
 *   cut: boolean, inputsCut: boolean, leftBehind: boolean, approval: Approval | null, output: Part[],
 *   progress: {text: string, fraction: number | null} | null, run: Run | null}} Tool
 *   `run` is what a sub-agent did for the call
 * @typedef {{number: number, started: number, thinking: string, text: string,
 *   nodes: Markup[] | null, calls: number | null, usage: Usage, duration: number | null,
 *   retries: {reason: string, attempt: number, delay: number}[], tools: Tool[]}} Turn
 * @typedef {{id: string, query: string, session: string | null, model: string, agent: string,
 *   maxSteps: number, status: string, started: number, at: number, duration: number | null,
 *   usage: Usage, stopReason: string, error: string | null, response: string,
 *   nodes: Markup[] | null, notices: {kind: string, text: string}[], turns: Turn[]}} Run
 * @typedef {{run: string, base: number, rev: number, ops: any[]}} Message
 * @typedef {{rev: number, state: Run}} Feed
 */

// --- The fold ---------------------------------------------------------------

/** @type {Usage} */
const NO_USAGE = Object.freeze({
  input_tokens: 0, output_tokens: 0, cache_read_tokens: 0, cache_write_tokens: 0,
});

/** @type {Run} */
export const EMPTY_RUN = Object.freeze({
  id: "", query: "", session: null, model: "", agent: "", maxSteps: 0, status: "running",
  started: 0, at: 0, duration: null, usage: NO_USAGE, stopReason: "", error: null,
  response: "", nodes: null, notices: [], turns: [],
});

/** @type {Record<string, (run: Run, op: any) => Run>} */
const RULES = {
  run_started: (run, op) => ({
    ...run, id: op.run_id, query: op.query, session: op.session_id, model: op.model,
    agent: op.agent, maxSteps: op.max_steps, started: op.at,
  }),
  step_started: (run, op) => ({
    ...run,
    turns: [...run.turns, {
      number: op.step, started: op.at, thinking: "", text: "", nodes: null, calls: null,
      usage: NO_USAGE, duration: null, retries: [], tools: [],
    }],
  }),
  thinking_delta: (run, op) =>
    changeTurn(run, op.step, (turn) => ({ ...turn, thinking: turn.thinking + op.text })),
  text_delta: (run, op) =>
    changeTurn(run, op.step, (turn) => ({ ...turn, text: turn.text + op.text })),
  step_reset: (run, op) =>
    changeTurn(run, op.step, (turn) => ({
      ...turn, thinking: "", text: "", nodes: null,
      retries: [...turn.retries, { reason: op.reason, attempt: op.attempt, delay: op.delay }],
    })),
  step_ended: (run, op) =>
    changeTurn({ ...run, usage: addUsage(run.usage, op.usage), stopReason: op.stop_reason },
      op.step, (turn) => ({
        ...turn, thinking: op.thinking, text: op.text, calls: op.calls, usage: op.usage,
        duration: op.duration,
      })),
  tool_call_started: (run, op) =>
    changeTurn(run, op.step, (turn) => ({
      ...turn,
      tools: [...turn.tools, {
        id: op.call_id, name: op.name, inputs: op.inputs, status: "running", result: null,
        error: null, duration: null, started: op.at, truncated: false, cut: false,
        inputsCut: Boolean(op.cut),
        leftBehind: false, approval: null, output: [], progress: null, run: null,
      }],
    })),
  approval_requested: (run, op) =>
    changeTool(run, op, (tool) => ({ ...tool, approval: { decision: "pending" } })),
  approval_given: (run, op) =>
    changeTool(run, op, (tool) => ({
      ...tool,
      approval: { decision: op.decision, by: op.by, reason: op.reason, inputs: op.inputs },
    })),
  tool_call_progress: (run, op) =>
    changeTool(run, op, (tool) => ({
      ...tool, progress: { text: op.text, fraction: op.fraction },
    })),
  tool_call_output: (run, op) =>
    changeTool(run, op, (tool) => ({ ...tool, output: addOutput(tool.output, op) })),
  sub_agent: (run, op) =>
    changeTool(run, op, (tool) => {
      const before = op.event?.type === "run_started" ? EMPTY_RUN : tool.run ?? EMPTY_RUN;
      const after = reduce(before, op.event);
      return after === before ? tool : { ...tool, run: after };
    }),
  tool_call_ended: (run, op) =>
    changeTool(run, op, (tool) => ({
      ...tool, status: op.status, result: op.result, error: op.error, duration: op.duration,
      truncated: op.truncated, cut: Boolean(op.cut), leftBehind: Boolean(op.left_behind),
    })),
  notice: (run, op) => ({
    ...run, notices: [...run.notices, { kind: op.kind, text: op.text }],
  }),
  run_ended: (run, op) => ({
    ...run, status: op.status, response: op.response || "", error: op.error, usage: op.usage,
    duration: op.duration, stopReason: op.stop_reason || run.stopReason,
  }),
  markdown: (run, op) => op.step === 0
    ? { ...run, nodes: op.nodes }
    : changeTurn(run, op.step, (turn) => ({ ...turn, nodes: op.nodes })),
};

/**
 * The run after one more op; ops that are not known change nothing.
 * @param {Run} run @param {any} op @returns {Run}
 */
export function reduce(run, op) {
  if (!op || !Object.hasOwn(RULES, op.type)) return run;
  // A snapshot tells each call as a whole, so that its ops are not in the order of time.
  return { ...RULES[op.type](run, op), at: Math.max(op.at ?? 0, run.at) };
}

/**
 * What is known after a message, and whether something before it is missing.
 * @param {Feed} feed @param {Message} message @returns {{feed: Feed, missing: boolean}}
 */
export function receive(feed, message) {
  if (!message || !Array.isArray(message.ops) || message.rev <= feed.rev) {
    return { feed, missing: false };
  }
  if (message.base !== 0 && message.base !== feed.rev) return { feed, missing: true };
  const from = message.base === 0 ? EMPTY_RUN : feed.state;
  return { feed: { rev: message.rev, state: message.ops.reduce(reduce, from) }, missing: false };
}

/** @param {Run} run @param {number} number @param {(turn: Turn) => Turn} change @returns {Run} */
function changeTurn(run, number, change) {
  let index = run.turns.length - 1;
  while (index >= 0 && run.turns[index].number !== number) index -= 1;
  if (index < 0) return run;
  const turns = run.turns.slice();
  turns[index] = change(turns[index]);
  return { ...run, turns };
}

/** @param {Run} run @param {any} op @param {(tool: Tool) => Tool} change @returns {Run} */
function changeTool(run, op, change) {
  return changeTurn(run, op.step, (turn) => ({
    ...turn, tools: turn.tools.map((tool) => (tool.id === op.call_id ? change(tool) : tool)),
  }));
}

/** The output with what an op adds: prints of one kind go on. @param {Part[]} parts @param {any} op */
function addOutput(parts, op) {
  if (op.shown) return [...parts, { kind: "display", text: "", shown: op.shown }];
  const last = parts.at(-1);
  if (last?.kind !== op.kind) {
    return [...parts, { kind: op.kind, text: printedText(String(op.text)), shown: null }];
  }
  return [...parts.slice(0, -1), { ...last, text: printedText(last.text + op.text) }];
}

/** As a terminal would show it: a carriage return writes over its line. @param {string} text */
export function printedText(text) {
  if (!text.includes("\r")) return text;
  return text.replaceAll("\r\n", "\n").split("\n").map((line) => {
    let end = line.length;
    while (end > 0 && line[end - 1] === "\r") end -= 1;
    return end ? line.slice(line.lastIndexOf("\r", end - 1) + 1) : line;
  }).join("\n");
}

/** @param {Usage} one @param {Usage} other @returns {Usage} */
function addUsage(one, other) {
  return {
    input_tokens: one.input_tokens + other.input_tokens,
    output_tokens: one.output_tokens + other.output_tokens,
    cache_read_tokens: one.cache_read_tokens + other.cache_read_tokens,
    cache_write_tokens: one.cache_write_tokens + other.cache_write_tokens,
  };
}

// --- Words and figures ------------------------------------------------------

/** @type {Record<string, string>} */
const RUN_WORDS = {
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
function wordFor(words, key, other = String(key ?? "").slice(0, 40)) {
  return Object.hasOwn(words, String(key)) ? words[String(key)] : other;
}

const NUMBERS = new Intl.NumberFormat("en-US");

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
function elapsedText(seconds) {
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

/** Status of a call in words; one that runs may be waiting. @param {Tool} tool */
function toolWord(tool) {
  const isWaiting = tool.status === "running" && tool.approval?.decision === "pending";
  return isWaiting ? "Waits for approval" : wordFor(TOOL_WORDS, tool.status);
}

/** How much there is of an output. @param {Part[]} parts */
function outputSize(parts) {
  const lines = parts.reduce(
    (sum, { text }) => sum + (text ? text.replace(/\n$/, "").split("\n").length : 0), 0);
  const images = parts.filter(({ shown }) => shown?.kind === "image").length;
  return [lines ? countText(lines, "line") : "", images ? countText(images, "image") : ""]
    .filter(Boolean).join(", ");
}

/** The newest line that was printed. @param {Part[]} parts */
function lastLine(parts) {
  const text = parts.at(-1)?.text.slice(-500).trimEnd() ?? "";
  return text.slice(text.lastIndexOf("\n") + 1).trim();
}

/** The kinds of tokens, for a tooltip. @param {Usage} usage */
function tokenDetail(usage) {
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
function isFilled(value) {
  return value !== null && typeof value === "object" && Object.keys(value).length > 0;
}

// --- Elements ---------------------------------------------------------------

let lastId = 0; // for the ids that rows are named by

// Control characters, and those that turn the direction of writing: with them a text
// could look like another one.
const UNSEEN = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069]/g;

/** Any text as the page shows it. @param {unknown} text */
export function plain(text) {
  return String(text ?? "").replace(UNSEEN, "");
}

/** @param {string} tag @param {string} [className] @param {string} [text] */
function element(tag, className, text) {
  const made = document.createElement(tag);
  if (className) made.className = className;
  if (text !== undefined) made.textContent = plain(text);
  return made;
}

/** Keys of a focused element must not reach the notebook: `x` would cut a cell. @param {Element} el */
function keepKeys(el) {
  el.setAttribute("data-lm-suppress-shortcuts", "true");
}

/** Touches the page only where the text has changed. @param {Node} node @param {string} text */
function setText(node, text) {
  const seen = plain(text);
  if (node.textContent !== seen) node.textContent = seen;
}

/** As `setText`, but a text that grows is only added to. @param {Element} el @param {string} text */
function growText(el, text) {
  const last = el.firstChild;
  const before = last?.nodeValue ?? "";
  const seen = plain(text);
  if (last instanceof Text && seen.length > before.length && seen.startsWith(before)) {
    last.appendData(seen.slice(before.length));
  } else {
    setText(el, seen);
  }
}

/** As `setText`, for an attribute. @param {Element} el @param {string} name @param {string} value */
function setAttribute(el, name, value) {
  if (el.getAttribute(name) !== value) el.setAttribute(name, value);
}

/** As `setText`, for whether it is there. @param {HTMLElement} el @param {boolean} hidden */
function setHidden(el, hidden) {
  if (el.hidden !== hidden) el.hidden = hidden;
}

/** @param {string} label @param {() => void} onClick */
function button(label, onClick) {
  const made = /** @type {HTMLButtonElement} */ (element("button", "ma-button", label));
  made.type = "button";
  keepKeys(made);
  made.addEventListener("click", (event) => {
    event.stopPropagation();
    onClick();
  });
  return made;
}

const TAGS = new Set([
  "a", "blockquote", "br", "code", "del", "em", "h3", "h4", "h5", "h6", "hr", "li", "ol", "p",
  "pre", "strong", "table", "tbody", "td", "th", "thead", "tr", "ul",
]);

/**
 * An element of a rendered text, from the allow-list and with no attribute of the data's choice.
 * @param {Markup} node @returns {Node}
 */
export function buildNode(node) {
  if (!Array.isArray(node)) return document.createTextNode(plain(node));
  const [tag, attributes, children] = node;
  const made = element(TAGS.has(tag) ? tag : "span");
  if (tag === "a" && /^(https?|mailto):/i.test(String(attributes.href))) {
    const link = /** @type {HTMLAnchorElement} */ (made);
    link.href = String(attributes.href);
    link.target = "_blank";
    link.rel = "noopener noreferrer";
    keepKeys(link);
  }
  if (tag === "ol" && Number.isInteger(attributes.start)) {
    /** @type {HTMLOListElement} */ (made).start = Number(attributes.start);
  }
  if ((tag === "td" || tag === "th") && typeof attributes.align === "string") {
    made.style.textAlign = attributes.align;
  }
  for (const child of children) made.append(buildNode(child));
  return made;
}

/**
 * An image whose bytes are in the page, in one of two formats; null for anything else.
 * @param {Shown} shown
 */
export function buildImage({ kind, text, mime, data, width, height }) {
  const isImage = kind === "image" && (mime === "image/png" || mime === "image/jpeg") &&
    typeof data === "string" && /^[A-Za-z0-9+/]+={0,2}$/.test(data);
  if (!isImage) return null;
  const made = /** @type {HTMLImageElement} */ (element("img", "ma-image"));
  made.alt = plain(text);
  if (Number.isInteger(width) && Number.isInteger(height)) {
    // Known before it is decoded, so that nothing below it jumps.
    made.width = Number(width);
    made.height = Number(height);
  }
  made.decoding = "async";
  made.src = `data:${mime};base64,${data}`;
  return made;
}

/** A rendered text that grows: blocks that did not change stay as they are. */
class RenderedText {
  /** @param {string} className */
  constructor(className) {
    this.root = element("div", className);
    /** @type {string[]} */
    this.blocks = [];
  }

  /** @param {Markup[] | null} nodes @param {string} text shown as it stands where there are no nodes */
  update(nodes, text) {
    const blocks = nodes ?? (text ? [["p", {}, [text]]] : []);
    const keys = blocks.map((block) => JSON.stringify(block));
    let same = 0;
    while (same < keys.length && keys[same] === this.blocks[same]) same += 1;
    while (this.root.childNodes.length > same) this.root.lastChild?.remove();
    for (const block of blocks.slice(same)) this.root.append(buildNode(block));
    this.blocks = keys;
  }
}

// --- Items of the tree ------------------------------------------------------

const LINE = 100;
const LONG_TEXT = 600;
const SHORT_TEXT = 2000;
const FEW_VALUES = 12;
const SHORT_THINKING = 400;
const PAGE_OF_VALUES = 100;
const DEEPEST_INDENT = 12; // levels
const OPEN_RUNS = 3; // so many sub-agents in one another are open at first

/**
 * One item: a row, and below it a body that is built when it is first opened. Whether
 * it is open is remembered under its key, and no update changes that.
 */
class Item {
  /**
   * @param {TreeView} view @param {string} key @param {number} level @param {string} kind
   * @param {{openAtFirst?: boolean, structural?: boolean}} [options] `structural` items
   *   follow "expand all" and "collapse all"
   */
  constructor(view, key, level, kind, { openAtFirst = false, structural = false } = {}) {
    this.view = view;
    this.key = key;
    this.level = level;
    this.openAtFirst = openAtFirst;
    this.structural = structural;
    /** @type {HTMLElement | null} */
    this.body = null;
    this.root = element("div", `ma-item ma-${kind}${level > DEEPEST_INDENT ? " ma-deep" : ""}`);
    this.root.setAttribute("role", "treeitem");
    this.root.setAttribute("aria-level", String(level));
    this.root.tabIndex = -1;
    keepKeys(this.root);
    this.row = element("div", "ma-row");
    this.row.id = `ma-row-${lastId += 1}`;
    this.root.setAttribute("aria-labelledby", this.row.id);
    const arrow = element("span", "ma-arrow");
    arrow.setAttribute("aria-hidden", "true");
    this.label = element("span", "ma-label");
    this.note = element("span", "ma-note");
    this.time = element("span", "ma-time");
    this.row.append(arrow, this.label, this.note, this.time);
    this.root.append(this.row);
    view.items.set(this.root, this);
  }

  get opens() {
    return this.root.hasAttribute("aria-expanded");
  }

  get isOpen() {
    return this.root.getAttribute("aria-expanded") === "true";
  }

  /** From now on there is something to open. */
  makeOpenable() {
    if (this.opens) return;
    this.root.setAttribute("aria-expanded", "false");
    this.setOpen(this.view.recall(this));
  }

  /** Something came that a reader wants to see; a reader's own choice goes before it. */
  openByItself() {
    if (this.openAtFirst) return;
    this.openAtFirst = true;
    this.setOpen(this.view.recall(this));
  }

  /** @param {boolean} open */
  setOpen(open) {
    if (!this.opens || open === this.isOpen) return;
    this.root.setAttribute("aria-expanded", String(open));
    this.showBody(open);
  }

  /** @param {boolean} open */
  showBody(open) {
    if (!this.body && open) {
      this.body = element("div", "ma-body");
      this.body.setAttribute("role", "group");
      this.root.append(this.body);
      this.fill();
    }
    if (this.body) this.body.hidden = !open;
  }

  /** Build the body's contents, once. */
  fill() {}

  /** A second has passed. @param {number} _now */
  tick(_now) {}
}

/** A text that is its own row: on one line when closed, whole when open. */
class TextItem extends Item {
  /** @param {TreeView} view @param {string} key @param {number} level @param {string} kind
   *  @param {boolean} openAtFirst */
  constructor(view, key, level, kind, openAtFirst) {
    super(view, key, level, kind, { openAtFirst, structural: true });
  }

  /** @param {string} text */
  update(text) {
    if (text.length > LINE / 2 || text.includes("\n")) this.makeOpenable();
    growText(this.label, text);
  }

  showBody() {}
}

/** What a model said beside its calls. */
class SaidItem extends Item {
  /** @param {TreeView} view @param {string} key @param {number} level */
  constructor(view, key, level) {
    super(view, key, level, "said");
    this.text = new RenderedText("ma-rendered");
    this.label.append(this.text.root);
  }

  /** @param {Turn} turn */
  update(turn) {
    this.text.update(turn.nodes, turn.text);
  }
}

/** A JSON value: on one line where it fits, and to be opened where there is more to it. */
class ValueItem extends Item {
  /**
   * @param {TreeView} view @param {string} key @param {number} level @param {string} name
   * @param {unknown} value @param {number} few so many entries are shown at once, none at -1
   */
  constructor(view, key, level, name, value, few) {
    const { text, isWhole } = preview(value, LINE);
    const isText = typeof value === "string";
    const size = isText ? value.length : isFilled(value) ? Object.keys(Object(value)).length : 0;
    super(view, key, level, "value", {
      openAtFirst: !isWhole && few >= 0 && size <= (isText ? SHORT_TEXT : few),
    });
    this.value = value;
    const type = value === null ? "null" : typeof value;
    this.name = element("span", "ma-key", name);
    this.label.append(this.name, element("span", `ma-json ma-json-${type}`, text));
    if (Array.isArray(value)) setText(this.note, countText(value.length, "item"));
    if (isText && !isWhole) setText(this.note, countText(size, "character"));
    if (isFilled(value) || !isWhole) this.makeOpenable();
  }

  /** @param {string} name */
  rename(name) {
    setText(this.name, name);
  }

  fill() {
    if (typeof this.value === "string") this.fillText(this.value);
    else this.fillEntries(Object.entries(/** @type {object} */ (this.value)));
  }

  /** @param {string} text */
  fillText(text) {
    const isCut = text.length > LONG_TEXT && !this.view.memory.whole.has(this.key);
    const block = element("pre", "ma-block", isCut ? `${text.slice(0, LONG_TEXT)}…` : text);
    this.body?.append(block);
    if (!isCut) return;
    const all = button(`Show all (${countText(text.length, "character")})`, () => {
      this.view.memory.whole.add(this.key);
      setText(block, text);
      all.remove();
      this.root.focus();
    });
    this.body?.append(all);
  }

  /** @param {[string, unknown][]} entries */
  fillEntries(entries) {
    const isList = Array.isArray(this.value);
    let shown = 0;
    const more = button("", () => {
      for (const [name, value] of entries.slice(shown, shown + PAGE_OF_VALUES)) {
        const item = new ValueItem(this.view, `${this.key}/${name}`, this.level + 1,
          isList ? `[${name}]` : name, value, FEW_VALUES / 2);
        this.body?.insertBefore(item.root, more);
      }
      shown += PAGE_OF_VALUES;
      if (shown < entries.length) {
        setText(more, `Show more (${NUMBERS.format(entries.length - shown)} left)`);
      } else {
        more.remove();
      }
    });
    this.body?.append(more);
    more.click();
  }
}

/** What a tool printed and displayed while it worked, in order. */
class OutputItem extends Item {
  /** @param {TreeView} view @param {string} key @param {number} level */
  constructor(view, key, level) {
    super(view, key, level, "output", { openAtFirst: true });
    this.root.classList.add("ma-part");
    this.label.append(element("span", "ma-key", "Output"));
    /** @type {Part[]} */
    this.parts = [];
    /** @type {Element[]} */
    this.blocks = [];
  }

  /** @param {Part[]} parts */
  update(parts) {
    if (parts === this.parts) return;
    this.parts = parts;
    setText(this.note, outputSize(parts));
    if (this.body) this.fill();
    this.makeOpenable();
  }

  fill() {
    this.parts.forEach((part, index) => {
      if (!this.blocks[index]) {
        this.blocks[index] = this.build(part);
        this.body?.append(this.blocks[index]);
      } else if (!part.shown) {
        const block = this.blocks[index];
        const wasAtEnd = block.scrollTop + block.clientHeight >= block.scrollHeight - 4;
        growText(block, part.text);
        if (wasAtEnd) block.scrollTop = block.scrollHeight;
      }
    });
  }

  /** @param {Part} part */
  build({ kind, text, shown }) {
    if (!shown) {
      const block = element("pre", `ma-block ma-printed${kind === "stderr" ? " ma-stderr" : ""}`, text);
      if (kind === "stderr") block.setAttribute("aria-label", "Printed to standard error");
      return block;
    }
    const image = buildImage(shown);
    if (image) return image;
    if (shown.kind !== "markdown") return element("pre", "ma-block ma-display", shown.text ?? "");
    const rendered = new RenderedText("ma-rendered ma-display");
    rendered.update(shown.nodes ?? null, shown.text ?? "");
    return rendered.root;
  }
}

/**
 * A tool call: name and arguments, status and time, and in lines below what cannot wait
 * to be opened; the rest is in its body, which grows with the call.
 */
class ToolItem extends Item {
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
    const isAsked = this.isWaiting && view.isRunning && view.talk && view.memory.asked.has(key);
    if (!isAsked) {
      this.question?.root.remove();
      this.question = null;
      return;
    }
    if (!this.question) {
      this.question = new Question(tool, (answer) => {
        view.talk?.decide({ run, call: tool.id, ...answer });
      });
      this.warning.after(this.question.root);
    }
    const refused = view.memory.refused.get(key);
    if (refused) this.question.refuse(refused);
    view.memory.refused.delete(key);
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
  }

  /** @param {number} now */
  tick(now) {
    this.agent?.tick(now);
    if (this.tool.status !== "running") return;
    setText(this.time, this.view.isRunning ? elapsedText(now - this.tool.started) : "");
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
        this.agent = new AgentItem(view, `${key}/run`, level + 1, this.parts.depth + 1);
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
      this.edited = this.addValue("inputs", "Inputs, edited", editedInputs);
      this.inputs?.rename("Inputs, as the model wrote them");
    }
    if (isFilled(tool.inputs) && !this.inputs) {
      const name = editedInputs ? "Inputs, as the model wrote them" : "Inputs";
      this.inputs = this.addValue("inputs", name, tool.inputs);
    }
  }

  fillOutcome() {
    const { status, result, error, truncated, cut } = this.tool;
    if (this.hasOutcome || status === "running") return;
    this.hasOutcome = true;
    if (error !== null && error !== undefined) {
      const isDenied = status === "denied";
      const item = this.addValue("outcome", isDenied ? "Told the model" : "Error", error);
      item.root.classList.toggle("ma-failure", !isDenied);
    } else if (status === "success") {
      const item = this.addValue("outcome", "Result", result);
      const notes = [truncated ? "shortened for the model" : "", cut ? "cut for display" : ""];
      if (truncated || cut) setText(item.note, notes.filter(Boolean).join(", "));
    }
  }

  /** @param {string} place @param {string} name @param {unknown} value */
  addValue(place, name, value) {
    const key = `${this.key}/${name}`;
    // What a sub-agent was asked and answered is in its own branch, too.
    const few = this.tool.run ? -1 : FEW_VALUES;
    const item = new ValueItem(this.view, key, this.level + 1, name, value, few);
    item.root.classList.add("ma-part");
    this.places[place].append(item.root);
    return item;
  }
}

/** Asks whether a call may run: its arguments as they are, and what can be said to them. */
class Question {
  /** @param {Tool} tool @param {(answer: any) => void} onAnswer */
  constructor(tool, onAnswer) {
    this.onAnswer = onAnswer;
    this.json = JSON.stringify(tool.inputs ?? {}, null, 2);
    this.root = element("div", "ma-question");
    this.root.setAttribute("role", "group");
    this.root.setAttribute("aria-label", `May ${plain(tool.name).slice(0, 100)} run?`);
    this.shown = element("pre", "ma-block", this.json);
    this.shown.tabIndex = 0; // it scrolls
    this.shown.setAttribute("aria-label", "Arguments");
    keepKeys(this.shown);
    this.text = /** @type {HTMLTextAreaElement} */ (element("textarea", "ma-edit"));
    this.text.setAttribute("aria-label", "Arguments as JSON");
    this.text.spellcheck = false;
    this.reason = /** @type {HTMLInputElement} */ (element("input", "ma-why"));
    this.reason.placeholder = "Why not? (optional, told to the model)";
    this.reason.setAttribute("aria-label", "Reason for denying");
    this.reason.maxLength = 2000;
    this.error = element("div", "ma-trouble");
    this.error.setAttribute("role", "alert");
    for (const field of [this.text, this.reason]) {
      keepKeys(field);
      field.addEventListener("keydown", (event) => this.onKey(event));
    }
    this.allow = button("Allow", () => this.decide({ decision: "approved" }));
    this.allow.classList.add("ma-main");
    this.edit = button("Edit", () => this.setEditing(true));
    this.deny = button("Deny", () => this.denied());
    this.run = button("Run with these", () => this.edited());
    this.run.classList.add("ma-main");
    this.back = button("Back", () => this.setEditing(false));
    const choices = element("div", "ma-choices");
    choices.append(this.allow, this.edit, this.run, this.back, this.deny, this.reason);
    this.root.append(this.shown, this.text, this.error, choices);
    if (tool.inputsCut) setText(this.error, "The arguments are too long to be shown whole.");
    this.canEdit = !tool.inputsCut;
    this.isSent = false;
    this.arrange(false);
  }

  /** @param {boolean} isEditing */
  arrange(isEditing) {
    for (const el of [this.text, this.run, this.back]) setHidden(el, !isEditing);
    for (const el of [this.shown, this.allow, this.deny, this.reason]) setHidden(el, isEditing);
    setHidden(this.edit, isEditing || !this.canEdit);
  }

  /** @param {boolean} isEditing */
  setEditing(isEditing) {
    this.arrange(isEditing);
    setText(this.error, "");
    if (!isEditing) return this.edit.focus();
    this.text.value ||= this.json;
    this.text.rows = Math.min(Math.max(this.text.value.split("\n").length, 3), 16);
    this.text.focus();
  }

  edited() {
    let inputs;
    try {
      inputs = JSON.parse(this.text.value);
    } catch (error) {
      setText(this.error, `That is no JSON: ${error instanceof Error ? error.message : error}`);
      return this.text.focus();
    }
    if (inputs === null || typeof inputs !== "object" || Array.isArray(inputs)) {
      setText(this.error, 'It must be an object, such as {"name": "value"}.');
      return this.text.focus();
    }
    this.decide({ decision: "edited", inputs });
  }

  denied() {
    const reason = this.reason.value.trim();
    this.decide({ decision: "denied", ...(reason ? { reason } : {}) });
  }

  /** @param {any} answer */
  decide(answer) {
    if (this.isSent) return;
    this.setSent(true);
    setText(this.error, "");
    this.onAnswer(answer);
  }

  /** @param {string} text why the answer was not taken */
  refuse(text) {
    this.setSent(false);
    setText(this.error, text);
  }

  /** @param {boolean} isSent */
  setSent(isSent) {
    this.isSent = isSent;
    for (const el of this.root.querySelectorAll("button")) {
      setAttribute(el, "aria-disabled", String(isSent));
    }
    this.text.readOnly = isSent;
    this.reason.readOnly = isSent;
  }

  /** @param {KeyboardEvent} event */
  onKey(event) {
    if (event.key === "Enter" && event.target === this.reason && !event.isComposing) this.denied();
    else if (event.key === "Escape" && event.target === this.text) this.setEditing(false);
    else return;
    event.preventDefault();
    event.stopPropagation();
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

  /** @param {number} now */
  tick(now) {
    if (this.turn.calls === null) {
      setText(this.time, this.view.isRunning ? elapsedText(now - this.turn.started) : "");
    }
    for (const tool of this.tools) tool.tick(now);
  }

  /** Unlike a value's body, a turn's grows: what is there is brought up to date. */
  fill() {
    const { turn, view } = this;
    const level = this.level + 1;
    for (const { reason, attempt } of turn.retries.slice(this.retries.length)) {
      const item = new Item(view, `${this.key}/retry/${attempt}`, level, "retry");
      setText(item.label, `Attempt ${attempt}, because the one before broke off: ${reason}`);
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
    turn.tools.forEach((tool, index) => {
      if (this.tools[index]) this.tools[index].update(tool);
      else {
        this.tools[index] = new ToolItem(view, `${this.key}/tool/${index}`, level, tool, this.parts);
        this.body?.append(this.tools[index].root);
      }
    });
  }

  /** @param {Item} item @param {Element | null} after null for the first place */
  place(item, after) {
    if (after) after.after(item.root);
    else this.body?.prepend(item.root);
  }
}

/** What a run consists of below its head: turns, answer, how it came out, notices. */
class RunParts {
  /** @param {TreeView} view @param {HTMLElement} tree where the turns go @param {string} key
   *  @param {number} level @param {number} depth of sub-agents around it */
  constructor(view, tree, key, level, depth) {
    this.view = view;
    this.tree = tree;
    this.key = key;
    this.level = level;
    this.depth = depth;
    this.runId = "";
    /** @type {TurnItem[]} */
    this.turns = [];
    this.answer = new RenderedText("ma-answer ma-rendered");
    this.outcome = element("div", "ma-outcome");
    this.error = element("div", "ma-error");
    this.notices = element("div", "ma-notices");
    this.roots = [tree, this.answer.root, this.outcome, this.error, this.notices];
  }

  /** @param {Run} run */
  draw(run) {
    this.runId = run.id;
    run.turns.forEach((turn, index) => {
      if (this.turns[index]) this.turns[index].update(turn);
      else this.addTurn(turn, index);
    });
    while (this.turns.length > run.turns.length) this.turns.pop()?.root.remove();
    this.drawAnswer(run);
    for (const { kind, text } of run.notices.slice(this.notices.childElementCount)) {
      const notice = element("div", "ma-notice", text);
      notice.setAttribute("data-kind", String(kind));
      this.notices.append(notice);
    }
  }

  /** @param {Turn} turn @param {number} index */
  addTurn(turn, index) {
    const item = new TurnItem(this.view, `${this.key}turn/${index}`, this.level, turn, this);
    this.turns.push(item);
    this.tree.append(item.root);
    if (index === 0 && this.level === 1) item.root.tabIndex = 0;
  }

  /** @param {Run} run */
  drawAnswer(run) {
    const turn = run.turns.at(-1);
    if (run.status === "failed") this.answer.update(null, "");
    else if (run.response) this.answer.update(run.nodes, run.response);
    else if (turn && !turn.calls) this.answer.update(turn.nodes, turn.text);
    else this.answer.update(null, "");
    setText(this.outcome, outcomeText(run));
    setText(this.error, run.error ?? "");
  }

  /** @param {number} now */
  tick(now) {
    this.turns.at(-1)?.tick(now);
  }
}

/** The run of a sub-agent: a branch that looks as the tree does. */
class AgentItem extends Item {
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
    /** @type {RunParts | null} */
    this.parts = null;
  }

  /** @param {Run} run @param {boolean} isOver whether the call is: then nothing more comes */
  update(run, isOver) {
    if (run === this.run && isOver === this.isOver) return;
    this.isOver = isOver;
    // The call asked another time: the branch is of the newest run.
    if (this.parts && run.started !== this.run.started) this.clear();
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
    if (this.body) this.fill();
    this.makeOpenable();
  }

  clear() {
    this.body?.replaceChildren();
    this.parts = null;
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
  }
}

// --- The view ---------------------------------------------------------------

/**
 * What a reader opened and closed, kept apart from any view: shown again, the run
 * looks as it was left.
 * @typedef {{open: Map<string, boolean>, whole: Set<string>, all: boolean | null,
 *   stopping: {run: string, note: string} | null, asked: Set<string>,
 *   refused: Map<string, string>}} Memory `asked` are calls, as run and call on two lines
 *
 * How a view reaches whoever runs what it shows.
 * @typedef {{stop: (run: string) => void, decide: (answer: any) => void}} Talk
 */

/** @returns {Memory} */
export function newMemory() {
  return { open: new Map(), whole: new Set(), all: null, stopping: null, asked: new Set(), refused: new Map() };
}

class TreeView {
  /** @param {HTMLElement} root @param {Run} state @param {Memory} memory
   *  @param {Talk | null} talk null where nobody listens */
  constructor(root, state, memory, talk) {
    this.root = root;
    this.state = state;
    this.memory = memory;
    this.talk = talk;
    /** @type {WeakMap<Element, Item>} */
    this.items = new WeakMap();
    /** @type {Set<ToolItem>} */
    this.waiting = new Set();
    this.heard = performance.now();
    this.frame = 0;
    this.timer = 0;
    this.query = element("div", "ma-query");
    this.status = element("span", "ma-status");
    this.figures = element("span", "ma-figures");
    this.stop = button("Stop", () => {
      if (!this.stopping) this.talk?.stop(this.state.id);
    });
    this.stop.classList.add("ma-stop");
    this.tree = element("div", "ma-tree");
    this.parts = new RunParts(this, this.tree, "", 1, 0);
    this.build();
    this.draw();
  }

  get isRunning() {
    return this.state.status === "running";
  }

  /** What there is to say of a stop that was asked for. */
  get stopping() {
    const { state, memory } = this;
    const isMeant = this.isRunning && memory.stopping?.run === state.id;
    return isMeant ? memory.stopping?.note : undefined;
  }

  /** The kernel's clock in seconds, as far as it can be known here. */
  now() {
    return this.state.at + (performance.now() - this.heard) / 1000;
  }

  /** Whether the item should be open: as the reader left it, else as it begins. @param {Item} item */
  recall(item) {
    const general = item.structural ? this.memory.all : null;
    return this.memory.open.get(item.key) ?? general ?? item.openAtFirst;
  }

  /** @param {Run} state */
  update(state) {
    if (state === this.state) return;
    this.state = state;
    this.heard = performance.now();
    this.refresh();
  }

  /** Draw at the next frame. */
  refresh() {
    this.frame ||= requestAnimationFrame(() => this.draw());
  }

  destroy() {
    cancelAnimationFrame(this.frame);
    clearInterval(this.timer);
    this.root.replaceChildren();
  }

  build() {
    const buttons = element("div", "ma-buttons");
    buttons.append(
      this.stop, button("Expand all", () => this.setAll(true)), button("Collapse all", () => this.setAll(false)),
    );
    const head = element("div", "ma-head");
    head.append(this.query, buttons);
    const meta = element("div", "ma-meta");
    this.status.setAttribute("role", "status");
    meta.append(this.status, this.figures);
    this.tree.setAttribute("role", "tree");
    this.tree.setAttribute("aria-label", "Steps of the run");
    this.tree.addEventListener("click", (event) => this.onClick(event));
    this.tree.addEventListener("keydown", (event) => this.onKey(event));
    this.tree.addEventListener("focusin", (event) => this.onFocus(event));
    this.root.classList.add("ma-run");
    this.root.replaceChildren(head, meta, ...this.parts.roots);
  }

  draw() {
    this.frame = 0;
    const { state } = this;
    setText(this.query, state.query);
    this.drawMeta();
    this.parts.draw(state);
    for (const item of this.waiting) item.drawQuestion();
    this.keepTime();
  }

  drawMeta() {
    const { state } = this;
    const calls = state.turns.reduce((sum, turn) => sum + turn.tools.length, 0);
    const steps = state.turns.filter((turn) => turn.calls).length;
    const open = state.turns.some((turn) => turn.calls === null);
    const time = this.isRunning ? elapsedText(this.now() - state.started) : durationText(state.duration);
    const parts = [
      this.isRunning && open ? `step ${steps + 1}` : steps ? countText(steps, "step") : "",
      calls ? countText(calls, "tool call") : "", tokenText(state.usage), time, state.model,
    ];
    setAttribute(this.root, "data-status", state.status);
    const asks = this.isRunning && this.talk && this.memory.asked.size;
    setText(this.status, this.stopping ??
      (asks ? "Waits for your approval" : wordFor(RUN_WORDS, state.status)));
    setHidden(this.stop, !(this.talk && this.isRunning && state.id));
    setAttribute(this.stop, "aria-disabled", String(this.stopping !== undefined));
    setText(this.figures, parts.filter(Boolean).map((part) => ` · ${part}`).join(""));
    setAttribute(this.figures, "title", tokenDetail(state.usage));
  }

  /** While the run goes on its times are counted here, once a second. */
  keepTime() {
    if (this.isRunning && !this.timer) {
      this.timer = window.setInterval(() => this.tick(), 1000);
    } else if (!this.isRunning) {
      clearInterval(this.timer);
      this.timer = 0;
      this.tick();
    }
  }

  tick() {
    this.parts.tick(this.now());
    if (this.isRunning) this.drawMeta();
  }

  /** @param {boolean} open */
  setAll(open) {
    this.memory.all = open;
    this.memory.open.clear();
    // A body that opens may bring more items with it: those follow memory.all.
    for (const item of this.visible(true)) if (item.structural) item.setOpen(open);
  }

  /** @param {Item} item @param {boolean} open */
  choose(item, open) {
    if (!item.opens) return;
    this.memory.open.set(item.key, open);
    item.setOpen(open);
  }

  /** The items in the order of the page. @param {boolean} [hidden] also those in closed bodies */
  visible(hidden = false) {
    const all = [...this.tree.querySelectorAll("[role=treeitem]")];
    const shown = hidden ? all : all.filter((el) => !el.closest("[hidden]"));
    return shown.map((el) => /** @type {Item} */ (this.items.get(el)));
  }

  /** @param {Event} event */
  itemOf(event) {
    const el = event.target instanceof Element ? event.target.closest("[role=treeitem]") : null;
    return el ? this.items.get(el) : undefined;
  }

  /** @param {MouseEvent} event */
  onClick(event) {
    const target = /** @type {Element} */ (event.target);
    const isSelecting = !document.getSelection()?.isCollapsed;
    if (isSelecting || target.closest("a, button") || !target.closest(".ma-row")) return;
    const item = this.itemOf(event);
    if (item) this.choose(item, !item.isOpen);
  }

  /** The item with the focus is the one that Tab comes back to. @param {FocusEvent} event */
  onFocus(event) {
    const item = this.itemOf(event);
    if (!item) return;
    for (const el of this.tree.querySelectorAll("[role=treeitem][tabindex='0']")) {
      /** @type {HTMLElement} */ (el).tabIndex = -1;
    }
    item.root.tabIndex = 0;
  }

  /** The keys of a tree, by the ARIA Authoring Practices. @param {KeyboardEvent} event */
  onKey(event) {
    const item = this.itemOf(event);
    const isElsewhere = !item || event.target !== item.root;
    if (isElsewhere || event.ctrlKey || event.altKey || event.metaKey) return;
    const items = this.visible();
    const at = items.indexOf(item);
    const around = item.root.parentElement?.closest("[role=treeitem]");
    const parent = around ? this.items.get(around) : undefined;
    /** @type {Record<string, () => Item | undefined | void>} */
    const keys = {
      ArrowDown: () => items[at + 1],
      ArrowUp: () => items[at - 1],
      Home: () => items[0],
      End: () => items.at(-1),
      ArrowRight: () => item.isOpen ? items[at + 1] : this.choose(item, true),
      ArrowLeft: () => item.isOpen ? this.choose(item, false) : parent,
      Enter: () => this.choose(item, !item.isOpen),
      " ": () => this.choose(item, !item.isOpen),
    };
    if (!Object.hasOwn(keys, event.key)) return;
    event.preventDefault();
    event.stopPropagation();
    keys[event.key]()?.root.focus();
  }
}

/**
 * Show a run in an element.
 * @param {HTMLElement} root
 * @param {{state?: Run, memory?: Memory, talk?: Talk | null}} [options]
 * @returns {{update: (state: Run) => void, refresh: () => void, destroy: () => void}}
 */
export function mountTree(root, { state = EMPTY_RUN, memory = newMemory(), talk = null } = {}) {
  const view = new TreeView(root, state, memory, talk);
  return {
    update: (next) => view.update(next),
    refresh: () => view.refresh(),
    destroy: () => view.destroy(),
  };
}

// --- The widget -------------------------------------------------------------

const PATIENCE = 400; // ms that the kernel has to answer

/** Interrupt the kernel, where the page can. @param {any} model @returns {Promise<boolean>} */
async function interrupt(model) {
  const kernel = model.get("by_interrupt") ? model.widget_manager?.kernel : null;
  if (typeof kernel?.interrupt !== "function") return false;
  try {
    await kernel.interrupt();
    return true;
  } catch {
    return false; // which is said to the reader
  }
}

/** The widget of one model: its views share what is known and what was opened. */
export default function widget() {
  /** @type {Feed} */
  let feed = { rev: 0, state: EMPTY_RUN };
  let isAsking = false;
  let isHeard = false;
  const memory = newMemory();
  /** @type {any} */
  let model = null;
  /** @type {Set<ReturnType<typeof mountTree>>} */
  const views = new Set();

  /** @param {string} run @param {string} note */
  function noteStop(run, note) {
    memory.stopping = { run, note };
    for (const view of views) view.refresh();
  }

  /** @type {Talk} */
  const talk = {
    stop(run) {
      isHeard = false;
      noteStop(run, "Stopping…");
      model.send({ type: "stop", run });
      setTimeout(async () => {
        const isOver = feed.state.id !== run || feed.state.status !== "running";
        if (isHeard || isOver || await interrupt(model)) return;
        noteStop(run, "Stops as soon as the kernel is free");
      }, PATIENCE);
    },
    decide(answer) {
      model.send({ type: "approval", ...answer });
    },
  };

  /** @param {any} message */
  function take(message) {
    if (message?.type === "stopping") {
      isHeard = true;
      noteStop(String(message.run), "Stopping…");
      return;
    }
    if (message?.type === "asking" || message?.type === "refused") {
      if (message.type === "refused") {
        memory.refused.set(`${message.run}\n${message.call}`, String(message.text));
      } else {
        memory.asked = new Set(message.calls.map((/** @type {string[]} */ call) => call.join("\n")));
      }
      for (const view of views) view.refresh();
      return;
    }
    const { feed: next, missing } = receive(feed, message);
    if (missing && !isAsking) model.send({ type: "resync", have: feed.rev });
    isAsking = missing;
    feed = next;
    for (const view of views) view.update(feed.state);
  }

  return {
    /** @param {{model: any}} context */
    initialize(context) {
      model = context.model;
      model.on("msg:custom", take);
      take(model.get("snap"));
      // That this is heard tells the kernel that it can ask here.
      model.send({ type: "here" });
      return () => model.off("msg:custom", take);
    },
    /** @param {{el: HTMLElement}} context */
    render({ el }) {
      const view = mountTree(el, { state: feed.state, memory, talk });
      views.add(view);
      return () => {
        views.delete(view);
        view.destroy();
      };
    },
  };
}
