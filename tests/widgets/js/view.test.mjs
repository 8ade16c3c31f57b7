// The pure parts of the tree's view: geometry of the waterfall, type-ahead, what is read out, outputs.
import assert from "node:assert/strict";
import { test } from "node:test";
import { pathToFileURL } from "node:url";

const {
  EMPTY_RUN, Pace, axisOf, findLabel, newsOf, putStatic, reduce, restoreView, spanOf, spanText,
} =
  await import(pathToFileURL(process.env.TREE_JS).href);

test("the axis of a run that goes on is round, holds it, and grows seldom", () => {
  assert.equal(axisOf(0, false), 1);
  assert.equal(axisOf(1.01, false), 1.5);
  assert.equal(axisOf(4, false), 5);
  assert.equal(axisOf(62, false), 75);
  assert.equal(axisOf(7_600, false), 10_000);
  const widths = new Set();
  for (let seconds = 0; seconds < 36_000; seconds += 1) {
    const axis = axisOf(seconds, false);
    assert.ok(axis >= seconds);
    assert.ok(seconds <= 1 || axis <= 1.7 * seconds, `${seconds}: ${axis}`);
    widths.add(axis);
  }
  assert.ok(widths.size < 40, "ten hours move the bars so many times");
});

test("the axis of a run that is over is its duration", () => {
  assert.equal(axisOf(12.34, true), 12.34);
  assert.ok(axisOf(0, true) > 0);
  assert.ok(axisOf(NaN, true) > 0);
});

test("a bar begins where its call did in the run, and never before it", () => {
  assert.deepEqual(spanOf(100, 101.5, 102), { from: 1.5, length: 0.5 });
  assert.deepEqual(spanOf(100.4, 100, 101), { from: 0, length: 1 }, "stored in whole seconds");
  assert.deepEqual(spanOf(100, 101, 100.9), { from: 1, length: 0 });
  assert.equal(spanOf(100, 101, null), null);
  assert.equal(spanOf(0, 101, 102), null);
  assert.equal(spanOf(100, 0, 102), null);
  assert.equal(spanOf(100, 101, NaN), null);
});

test("a bar in words", () => {
  assert.equal(spanText({ from: 0, length: 2 }, null), "Started with the run");
  assert.equal(spanText({ from: 1.25, length: 0.3 }, 0.3), "Started 1.3 s into the run, took 300 ms");
  assert.equal(spanText({ from: 1, length: 31 }, 1),
    "Started 1.0 s into the run, took 1.0 s, ended 32.0 s into it", "it waited for an approval");
});

test("type-ahead: one letter goes on, more stay where they fit", () => {
  const labels = ["Step 1", "describe_data", "delete", "Step 2", "Answer"];
  assert.equal(findLabel(labels, 0, "d"), 1);
  assert.equal(findLabel(labels, 1, "d"), 2);
  assert.equal(findLabel(labels, 2, "dd"), 1, "a repeated letter goes round");
  assert.equal(findLabel(labels, 1, "de"), 1);
  assert.equal(findLabel(labels, 1, "del"), 2);
  assert.equal(findLabel(labels, 0, "STEP 2"), 3);
  assert.equal(findLabel(labels, 4, "s"), 0);
  assert.equal(findLabel(labels, 0, "x"), -1);
  assert.equal(findLabel([], -1, "x"), -1);
});

const call = (id, name) => ({
  type: "tool_call_started", at: 2, step: 1, call_id: id, name, inputs: {},
});
const ended = (id, status) => ({
  type: "tool_call_ended", at: 3, step: 1, call_id: id, status, result: 1, error: "e", duration: 1,
});

test("what is read out: steps, calls, failures, the answer; no letter of a text", () => {
  const said = [];
  let run = EMPTY_RUN;
  for (const op of [
    { type: "run_started", at: 1, run_id: "r", query: "q" },
    { type: "step_started", at: 1, step: 1 },
    { type: "thinking_delta", at: 1, step: 1, text: "letter" },
    { type: "text_delta", at: 1, step: 1, text: "letter" },
    call("a", "look"), call("b", "drop"),
    { type: "approval_requested", at: 2, step: 1, call_id: "b" },
    { type: "tool_call_output", at: 2, step: 1, call_id: "a", kind: "stdout", text: "printed" },
    ended("a", "success"), ended("b", "error"),
    { type: "step_reset", at: 3, step: 1, reason: "broke", attempt: 2 },
    { type: "step_started", at: 4, step: 2 },
    { type: "run_ended", at: 5, status: "completed", response: "**Two** `birds`.\n\nMore.", usage: {} },
  ]) {
    const next = reduce(run, op);
    said.push(...newsOf(run, next));
    run = next;
  }
  assert.deepEqual(said, [
    "Step 1", "look runs", "drop runs", "drop waits for your approval", "drop failed",
    "The model is asked again", "Step 2", "Answer: Two birds.",
  ]);
  const failed = { type: "run_ended", at: 5, status: "failed", error: "No credentials.", usage: {} };
  assert.deepEqual(newsOf(EMPTY_RUN, reduce(EMPTY_RUN, failed)), ["No credentials."]);
});

test("a slice ends with its time, goes on with what a window shows, and lays nothing too much on", () => {
  let now = 0;
  let frames = 0;
  const pace = new Pace(() => { frames += 1; }, () => now);
  const made = [];
  const grower = {
    cost: 0,
    grow() {
      while (made.length < 1_000 && pace.allows(this)) {
        made.push(frames);
        now += this.cost;
      }
    },
  };
  const slice = (cost) => {
    grower.cost = cost;
    const before = made.length;
    pace.begin();
    pace.next();
    return made.length - before;
  };
  pace.behind.add(grower);
  assert.equal(slice(0), 300); // a fast machine
  assert.equal(slice(0.125), 64); // 8 ms of work
  assert.equal(slice(50), 60); // a slow one goes on still
  assert.equal(frames, 3); // each that was cut short asked for one more
  pace.finish(() => undefined);
  assert.equal(made.length, 1_000);
  assert.equal(frames, 3);
  assert.equal(pace.behind.size, 0);
});

test("a run that is shown twice in one cell is restored, and put away, in both places", async () => {
  const VIEW = "application/vnd.jupyter.widget-view+json";
  const metadata = { minimalagent_nb: { version: 1, view: "one" } };
  const kept = { output_type: "display_data", metadata, data: { "text/plain": "a run" } };
  const list = {
    all: [kept, kept], get length() { return this.all.length; }, get(place) { return this.all[place]; },
    set(place, output) { this.all[place] = output; }, toJSON() { return structuredClone(this.all); },
    fromJSON(all) { this.all = all; },
  };
  const model = {
    get: () => "one", widget_manager: { context: { model: { cells: [{ outputs: list }] } } },
  };
  const ids = () => list.all.map(({ data }) => data[VIEW]?.model_id);
  assert.equal(await restoreView(model), true);
  assert.deepEqual(ids(), ["one", "", "one", ""]);
  putStatic(model, kept, true);
  assert.deepEqual(list.all, [kept, kept]);
});
