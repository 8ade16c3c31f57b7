// @ts-check
/** The fold: a run as the page knows it, and how each op changes it. Pure. */

/**
 * @typedef {{input_tokens: number, output_tokens: number, cache_read_tokens: number,
 *   cache_write_tokens: number}} Usage
 * @typedef {string | any[]} Markup text, or `[tag, attributes, children]`
 * @typedef {{kind: string, text?: string, mime?: string, data?: string, width?: number,
 *   height?: number, nodes?: Markup[]}} Shown what of a display may be shown
 * @typedef {{kind: string, text: string, shown: Shown | null}} Part of what a tool put out
 * @typedef {{decision: string, by?: string, reason?: string, inputs?: any}} Approval
 * @typedef {{id: string, name: string, inputs: any, status: string, result: any,
 *   error: string | null, duration: number | null, started: number,
 *   ended: number | null, truncated: boolean, cut: boolean, inputsCut: boolean,
 *   leftBehind: boolean, approval: Approval | null, output: Part[],
 *   progress: {text: string, fraction: number | null} | null, run: Run | null,
 *   table: TableFacts | null, nodes: Markup[] | null}} Tool
 *   `run` is what a sub-agent did for the call, `nodes` a result in Markdown
 * @typedef {{rows: number, columns: number, types: Record<string, string>}} TableFacts of the
 *   whole table that a call returned
 * @typedef {{number: number, started: number, thinking: string, text: string,
 *   nodes: Markup[] | null, calls: number | null, usage: Usage, duration: number | null,
 *   retries: {reason: string, attempt: number, delay: number}[], tools: Tool[]}} Turn
 * @typedef {{id: string, query: string, session: string | null, model: string, agent: string,
 *   maxSteps: number, status: string, started: number, at: number, duration: number | null,
 *   usage: Usage, stopReason: string, error: string | null, response: string,
 *   nodes: Markup[] | null, notices: {kind: string, text: string}[], turns: Turn[],
 *   steps: number, calls: number}} Run `steps` are turns that ended with calls
 * @typedef {{run: string, base: number, rev: number, ops: any[]}} Message
 * @typedef {{rev: number, state: Run}} Feed
 */

/** @type {Usage} */
const NO_USAGE = Object.freeze({
  input_tokens: 0, output_tokens: 0, cache_read_tokens: 0, cache_write_tokens: 0,
});

/** @type {Run} */
export const EMPTY_RUN = Object.freeze({
  id: "", query: "", session: null, model: "", agent: "", maxSteps: 0, status: "running",
  started: 0, at: 0, duration: null, usage: NO_USAGE, stopReason: "", error: null,
  response: "", nodes: null, notices: [], turns: [], steps: 0, calls: 0,
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
    changeTurn({
      ...run, usage: addUsage(run.usage, op.usage), stopReason: op.stop_reason,
      steps: run.steps + (op.calls ? 1 : 0),
    }, op.step, (turn) => ({
        ...turn, thinking: op.thinking, text: op.text, calls: op.calls, usage: op.usage,
        duration: op.duration,
      })),
  tool_call_started: (run, op) =>
    changeTurn({ ...run, calls: run.calls + 1 }, op.step, (turn) => ({
      ...turn,
      tools: [...turn.tools, {
        id: op.call_id, name: op.name, inputs: op.inputs, status: "running", result: null,
        error: null, duration: null, started: op.at, ended: null, truncated: false, cut: false,
        inputsCut: Boolean(op.cut), leftBehind: false, approval: null, output: [], progress: null,
        run: null, table: null, nodes: null,
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
      // What is not known to the log has no end: a duration is all that there is.
      ended: op.duration === null ? null : op.at, truncated: op.truncated, cut: Boolean(op.cut),
      leftBehind: Boolean(op.left_behind),
      table: op.table ?? null, nodes: op.nodes ?? null,
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

/**
 * A run of which nobody tells the end any more, as the store will have it.
 * @param {Run} run @param {string} error why @returns {Run}
 */
export function cutOff(run, error) {
  if (run.status !== "running") return run;
  const turns = run.turns.map((turn) => ({
    ...turn,
    tools: turn.tools.map((tool) => (tool.status !== "running" ? tool : {
      ...tool, status: "stopped", run: tool.run && cutOff(tool.run, error),
    })),
  }));
  return { ...run, turns, status: "failed", error, duration: Math.max(run.at - run.started, 0) };
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

/**
 * The output with what an op adds: prints of one kind go on.
 * @param {Part[]} parts @param {any} op @returns {Part[]}
 */
function addOutput(parts, op) {
  if (op.shown) return [...parts, { kind: "display", text: "", shown: op.shown }];
  const last = parts.at(-1);
  if (!last || last.kind !== op.kind) {
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
