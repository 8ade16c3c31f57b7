// The pure parts of the tree, by node's own test runner.
import assert from "node:assert/strict";
import { test } from "node:test";
import { pathToFileURL } from "node:url";

const {
  EMPTY_RUN, approvalText, callText, countText, durationText, outcomeText, plain, preview,
  printedText, receive, reduce, tokenText,
} = await import(pathToFileURL(process.env.TREE_JS).href);

const NO_USAGE = { input_tokens: 0, output_tokens: 0, cache_read_tokens: 0, cache_write_tokens: 0 };
const USAGE = { input_tokens: 10, output_tokens: 5, cache_read_tokens: 3, cache_write_tokens: 2 };
const STARTED = {
  type: "run_started", at: 1, run_id: "r", query: "q", session_id: "s", model: "m", agent: "a",
  max_steps: 5, tools: [],
};
const STEP = { type: "step_started", at: 2, step: 1 };
const ENDED = {
  type: "step_ended", at: 3, step: 1, stop_reason: "tool_use", thinking: "t", text: "", calls: 1,
  usage: USAGE, duration: 1,
};
const CALL = { type: "tool_call_started", at: 4, step: 1, call_id: "c", name: "n", inputs: { a: 1 } };
const RESULT = {
  type: "tool_call_ended", at: 5, step: 1, call_id: "c", status: "success", result: [1],
  error: null, duration: 0.5, truncated: false,
};

const fold = (...ops) => ops.reduce(reduce, EMPTY_RUN);

test("a call goes through its states", () => {
  const running = fold(STARTED, STEP, ENDED, CALL);
  assert.equal(running.turns[0].tools[0].status, "running");
  const done = reduce(running, RESULT);
  assert.deepEqual(done.turns[0].tools[0].result, [1]);
  assert.equal(done.turns[0].tools[0].status, "success");
  assert.equal(running.turns[0].tools[0].status, "running", "a state is never changed");
});

test("steps and calls are counted as they come, not by going through them", () => {
  const two = fold(STARTED, STEP, ENDED, CALL, { ...CALL, call_id: "d" }, { ...STEP, step: 2 });
  assert.deepEqual([two.steps, two.calls], [1, 2]);
  const answered = reduce(two, { ...ENDED, step: 2, calls: 0 });
  assert.deepEqual([answered.steps, answered.calls], [1, 2], "an answer is no step");
});

test("what did not change stays the same object", () => {
  const two = fold(STARTED, STEP, ENDED, CALL, { ...STEP, step: 2 });
  const next = reduce(two, { type: "thinking_delta", at: 6, step: 2, text: "x" });
  assert.equal(next.turns[0], two.turns[0]);
  assert.notEqual(next.turns[1], two.turns[1]);
});

test("a reset makes what was streamed void and is remembered", () => {
  const state = fold(
    STARTED, STEP, { type: "text_delta", at: 2, step: 1, text: "void" },
    { type: "step_reset", at: 2, step: 1, reason: "broke", attempt: 2, delay: 1 },
    { type: "text_delta", at: 3, step: 1, text: "kept" },
  );
  assert.equal(state.turns[0].text, "kept");
  assert.deepEqual(state.turns[0].retries, [{ reason: "broke", attempt: 2, delay: 1 }]);
});

test("ops that are not known, or name what every object has, change nothing", () => {
  const state = fold(STARTED);
  for (const type of ["constructor", "__proto__", "toString", "new_in_a_later_version", undefined]) {
    assert.equal(reduce(state, { type }), state);
  }
  assert.deepEqual(reduce(state, { ...RESULT, step: 9 }).turns, []);
});

test("messages: in order, twice, with a gap, and from the beginning", () => {
  const nothing = { rev: 0, state: EMPTY_RUN };
  const first = receive(nothing, { run: "r", base: 0, rev: 1, ops: [STARTED] });
  assert.equal(first.feed.state.query, "q");
  const again = receive(first.feed, { run: "r", base: 0, rev: 1, ops: [STARTED] });
  assert.equal(again.feed, first.feed);
  assert.equal(again.missing, false);
  const gap = receive(first.feed, { run: "r", base: 2, rev: 3, ops: [STEP] });
  assert.equal(gap.missing, true);
  assert.equal(gap.feed, first.feed);
  const whole = receive(first.feed, { run: "r", base: 0, rev: 3, ops: [STARTED, STEP] });
  assert.equal(whole.feed.rev, 3);
  assert.equal(whole.feed.state.turns.length, 1);
  assert.equal(receive(nothing, {}).missing, false);
  assert.equal(receive(nothing, undefined).feed, nothing);
});

test("previews look at no more than they show", () => {
  assert.deepEqual(preview({ a: [1, null, true], b: "x" }, 80),
    { text: '{a: [1, null, true], b: "x"}', isWhole: true });
  const endless = new Proxy([], {
    get: (target, name) => name === "keys"
      ? function* keys() { for (let i = 0; ; i += 1) yield i; }
      : typeof name === "string" && /^\d+$/.test(name) ? 7 : Reflect.get(target, name),
  });
  const { text, isWhole } = preview(endless, 20);
  assert.ok(text.length < 60);
  assert.equal(isWhole, false);
  assert.equal(preview("two\nlines", 80).isWhole, false);
  assert.ok(callText({ sql: "s".repeat(1e6) }).length < 300);
  assert.equal(callText(null), "");
});

test("figures read the same as in Python", () => {
  for (const [seconds, text] of JSON.parse(process.env.DURATIONS)) {
    assert.equal(durationText(seconds), text);
  }
  assert.equal(countText(1, "step"), "1 step");
  assert.equal(countText(1234, "step"), "1,234 steps");
  assert.equal(tokenText(USAGE), "20 tokens, 3 from cache");
  assert.equal(tokenText(NO_USAGE), "");
});

const OF_CALL = { at: 6, step: 1, call_id: "c" };

test("a call waits, is edited, tells how far it is, prints and displays", () => {
  const tool = (...ops) => fold(STARTED, STEP, ENDED, CALL, ...ops).turns[0].tools[0];
  const asked = { type: "approval_requested", ...OF_CALL };
  assert.deepEqual(tool(asked).approval, { decision: "pending" });
  const given = { type: "approval_given", ...OF_CALL, decision: "edited", inputs: { a: 2 }, by: "user" };
  assert.equal(approvalText(tool(asked, given).approval), "Arguments edited by user");
  const progress = { type: "tool_call_progress", ...OF_CALL, text: "half", fraction: 0.5 };
  assert.deepEqual(tool(progress).progress, { text: "half", fraction: 0.5 });
  const print = (text, kind = "stdout") => ({ type: "tool_call_output", ...OF_CALL, kind, text });
  const shown = { kind: "text", text: "seen" };
  const output = tool(print("a"), print("b\r"), print("c"), print("e", "stderr"),
    { type: "tool_call_output", ...OF_CALL, kind: "display", shown }, print("d")).output;
  assert.deepEqual(output.map(({ kind, text }) => [kind, text]),
    [["stdout", "c"], ["stderr", "e"], ["display", ""], ["stdout", "d"]]);
  assert.equal(output[2].shown, shown);
  assert.equal(tool({ ...RESULT, status: "denied", left_behind: true }).leftBehind, true);
});

test("a sub-agent's run is folded as any other, to any depth", () => {
  const inside = (event, times) => times
    ? { type: "sub_agent", ...OF_CALL, event: inside(event, times - 1) } : event;
  const ops = [];
  for (let level = 0; level <= 50; level += 1) {
    for (const op of [{ ...STARTED, query: `q${level}` }, STEP, ENDED, CALL]) ops.push(inside(op, level));
  }
  let run = fold(...ops);
  for (let level = 0; level < 50; level += 1) {
    assert.equal(run.query, `q${level}`);
    run = run.turns[0].tools[0].run;
  }
  assert.equal(run.turns[0].tools[0].run, null);
  const again = fold(STARTED, STEP, ENDED, CALL, inside(STARTED, 1), inside(STEP, 1),
    inside({ ...STARTED, query: "again" }, 1));
  assert.equal(again.turns[0].tools[0].run.query, "again");
  assert.deepEqual(again.turns[0].tools[0].run.turns, []);
});

test("events of a newer version, and keys that pollute, change nothing", () => {
  const state = fold(STARTED, STEP, ENDED, CALL);
  const nested = (event) => reduce(state, { type: "sub_agent", ...OF_CALL, event });
  for (const event of [null, undefined, {}, { type: "__proto__" }, { type: "of_a_newer_version" }]) {
    assert.equal(nested(event).turns[0].tools[0].run, null);
    assert.equal(reduce(state, event), state);
  }
  const evil = JSON.parse('{"__proto__": {"polluted": 1}, "constructor": {"prototype": {"polluted": 1}}}');
  fold(STARTED, STEP, ENDED, { ...CALL, inputs: evil },
    { type: "approval_given", ...OF_CALL, decision: "edited", inputs: evil },
    { type: "tool_call_output", ...OF_CALL, kind: "__proto__", text: "x" },
    { type: "tool_call_output", ...OF_CALL, kind: "display", shown: evil },
    { type: "sub_agent", ...OF_CALL, event: { ...STARTED, ...evil } });
  assert.equal({}.polluted, undefined);
  assert.equal(approvalText({ decision: "constructor" }), "");
  assert.equal(outcomeText({ status: "completed", stopReason: "toString" }), "");
});

test("words for decisions and outcomes are those of Python", () => {
  const { approvals, outcomes } = JSON.parse(process.env.WORDS);
  assert.ok(approvals.length > 4 && outcomes.length > 5);
  for (const [approval, text] of approvals) assert.equal(approvalText(approval), text);
  for (const [stopReason, text] of outcomes) {
    assert.equal(outcomeText({ status: "completed", stopReason }), text);
    assert.equal(outcomeText({ status: "failed", stopReason }), "");
  }
});

test("no text turns the direction of writing or holds control characters", () => {
  assert.equal(plain("a\u202eb\u2066c\u0000d\u001b[31me\tf\ng\u009b"), "abcd[31me\tf\ng");
  assert.equal(plain(null), "");
  assert.equal(plain({ toString: () => "x\u202e" }), "x");
  assert.equal(printedText("\r".repeat(1e6)), "\r".repeat(1e6));
});
