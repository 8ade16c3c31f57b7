// Search, filters, tables and places, by node's own test runner.
import assert from "node:assert/strict";
import { test } from "node:test";
import { pathToFileURL } from "node:url";

const {
  EMPTY_RUN, Finder, MOST, callsTo, cellText, cellsOf, choicesOf, hiddenSteps, isNumeric, keepsTool,
  matchesIn,
  orderOf, parsed, patternOf, placeIn, reduce, tableOf, textOfNodes,
} = await import(pathToFileURL(process.env.TREE_JS).href);

const USAGE = { input_tokens: 1, output_tokens: 1, cache_read_tokens: 0, cache_write_tokens: 0 };
const at = 1;
const started = (query) => ({ type: "run_started", at, run_id: "r", query, model: "", agent: "a" });
const turn = (step, calls, thinking = "", text = "") => [
  { type: "step_started", at, step },
  { type: "step_ended", at, step, stop_reason: "", thinking, text, calls, usage: USAGE, duration: 1 },
];
const call = (step, call_id, name, inputs = {}) =>
  ({ type: "tool_call_started", at, step, call_id, name, inputs });
const ended = (step, call_id, result, more = {}) => ({
  type: "tool_call_ended", at, step, call_id, status: "success", result, error: null, duration: 1, ...more,
});
const fold = (...ops) => ops.flat().reduce(reduce, EMPTY_RUN);
const EYES = {
  mode: (_, value) => (tableOf(value) ? "table" : ""), whole: () => undefined, cells: cellsOf, inner: parsed,
};

function search(run, query, filter, finder = new Finder(query, EYES)) {
  const way = finder.search(run, filter);
  while (!way.next().done);
  return finder;
}
const places = (finder) => finder.found.map(({ key, field, nth }) => [key, field, nth]);

const RUN = fold(
  started("Find the Whale"), turn(1, 2, "a whale, a WHALE"),
  call(1, "c1", "whale_count", { deep: { whale: [1, "whale"] } }), ended(1, "c1", { n: 1, name: "no" }),
  call(1, "c2", "other"), ended(1, "c2", null, { status: "error", error: "no whale" }),
  turn(2, 1), call(2, "c3", "rows"), ended(2, "c3", [{ id: 1, who: "whale" }, { id: 2, who: null }]),
  turn(3, 0, "", "The whale."),
);

test("everything of a run is searched, in the order of the page", () => {
  assert.deepEqual(places(search(RUN, "whale")), [
    ["", "query", 0], ["turn/0/thinking", "label", 0], ["turn/0/thinking", "label", 1],
    ["turn/0/tool/0", "name", 0], ["turn/0/tool/0/inputs/deep/whale", "key", 0],
    ["turn/0/tool/0/inputs/deep/whale/1", "value", 0], ["turn/0/tool/1/error", "value", 0],
    ["turn/1/tool/0/result", "cell 0 1", 0], ["", "answer", 0],
  ]);
  assert.deepEqual(places(search(RUN, "who")), [["turn/1/tool/0/result", "column 1", 0]]);
  assert.deepEqual(places(search(RUN, "  ")), []);
});

test("a pattern is a text, in any case, with any space in it", () => {
  assert.equal(patternOf(" "), null);
  for (const text of ["a.b", "(", "[", "\\", "a{2}", "*+?", "^$|", "ß", "\ud83d\udc27", "\ud800", "-", "/"]) {
    assert.equal([...`xx${text}xx`.matchAll(patternOf(text))].length, 1, text);
  }
  assert.equal([..."aXb".matchAll(patternOf("a.b"))].length, 0);
  assert.equal([..."One\n  two".matchAll(patternOf("one two"))].length, 1);
  assert.equal([..."\u0130stanbul".matchAll(patternOf("stanbul"))][0].index, 1, "offsets stay those of the text");
});

test("what was found stays found as the run grows, and is not read again", () => {
  const finder = search(RUN, "whale");
  const now = finder.found[5];
  let reads = 0;
  finder.eyes = { ...EYES, mode: (...of) => { reads += 1; return EYES.mode(...of); } };
  const grown = [turn(4, 1, "whale"), call(4, "c4", "whale")].flat().reduce(reduce, RUN);
  search(grown, "whale", undefined, finder);
  assert.equal(finder.found.length, 10, "one turn more, and no answer any more");
  assert.equal(placeIn(finder.found, now), 5);
  assert.ok(reads < 5, `${reads} values read of what did not change`);
  assert.equal(placeIn(finder.found, { ...now, nth: 7 }), -1);
  assert.equal(placeIn(finder.found, null), -1);
});

test("a sub-agent is searched to any depth, and filtered as a run of its own", () => {
  const inside = (op) => ({ type: "sub_agent", at, step: 1, call_id: "c1", event: op });
  const inner = [started("inner whale"), turn(1, 1), call(1, "x", "deep"),
    ended(1, "x", null, { status: "denied", error: "whale" })].flat();
  const run = fold(started("q"), turn(1, 1), call(1, "c1", "ask"), inner.map(inside),
    ended(1, "c1", "fine"), turn(2, 1), call(2, "c2", "fine"), ended(2, "c2", 1));
  assert.deepEqual(places(search(run, "whale")), [
    ["turn/0/tool/0/run", "query", 0], ["turn/0/tool/0/run/turn/0/tool/0/error", "value", 0],
  ]);
  const errors = { errors: true, tool: null };
  assert.equal(keepsTool(run.turns[0].tools[0], errors), true, "because of what is in it");
  assert.equal(hiddenSteps(run, errors), 1);
  assert.equal(hiddenSteps(run, { errors: true, tool: "fine" }), 2);
  const { errors: count, tools } = choicesOf(run);
  assert.equal(count, 1);
  assert.deepEqual([...tools], [["ask", 1], ["deep", 1], ["fine", 1]]);
  assert.deepEqual(callsTo(run, "turn/0/tool/0/run/turn/0/tool/0/result"), [[1, "c1"], [1, "x"]]);
  assert.deepEqual(callsTo(run, "turn/9/tool/0/result"), []);
});

test("what a filter hides is counted apart", () => {
  const finder = search(RUN, "whale", { errors: true, tool: null });
  assert.deepEqual(places(finder),
    [["", "query", 0], ["turn/0/tool/1/error", "value", 0], ["", "answer", 0]]);
  assert.equal(finder.hidden, 6);
});

test("there are not more matches than a reader has use for, and the search can be put off", () => {
  const run = fold(started("q"), turn(1, 3), ["a", "b", "c"].flatMap((id) =>
    [call(1, id, "t"), ended(1, id, "e".repeat(9_000))]));
  assert.ok(search(run, "e").found.length <= 3 * MOST);
  const big = fold(started("q"), turn(1, 1), call(1, "c", "t"), ended(1, "c", Array(2_000).fill("x".repeat(100))));
  const finder = new Finder("y", EYES);
  const way = finder.search(big);
  let slices = 0;
  while (!way.next().done) slices += 1;
  assert.ok(slices > 4, `${slices} places to stop at in 200,000 characters`);
});

test("rendered text is read with its edges", () => {
  const nodes = [["p", {}, ["one ", ["strong", {}, ["two"]], "three"]], ["p", {}, ["four"]]];
  assert.equal(textOfNodes(nodes), "\none twothree\n\nfour\n");
});

test("which values are tables", () => {
  const row = { a: 1, b: "x" };
  assert.equal(tableOf([row, row]).size, 2);
  assert.equal(tableOf([row]), null, "one object is better read as such");
  assert.equal(tableOf({ rows: [row], total_rows: 5 }).total, 5);
  assert.equal(tableOf({ rows: [row], other: 1 }), null);
  assert.equal(tableOf([row, [1]]), null);
  assert.equal(tableOf([row, null]), null);
  assert.equal(tableOf([{ a: {} }, { a: [] }]), null, "nested values are no cells");
  assert.equal(tableOf([{}, {}]), null);
  assert.equal(tableOf(null), null);
  assert.equal(tableOf("x"), null);
  const cut = tableOf([row, row, "… 950 more items"]);
  assert.deepEqual([cut.size, cut.total], [2, null]);
  const first = tableOf({ rows: [row, "… 950 more items"], "…": "1 more" });
  assert.deepEqual([first.size, first.total], [1, null], "as bounds.py cuts a long data frame");
  const parts = tableOf({ index: ["x", "y"], columns: ["a", "a"], data: [[1, 2], [3, 4]] });
  assert.deepEqual([parts.columns, parts.cell(1, 1), parts.index[1]], [["a", "a"], 4, "y"]);
  const evil = JSON.parse('[{"__proto__": 1, "constructor": 2}, {"__proto__": 3}]');
  assert.deepEqual(tableOf(evil).columns, ["__proto__", "constructor"]);
  assert.equal(tableOf(evil).cell(1, 1), undefined);
});

test("cells, and the order of rows", () => {
  const table = tableOf([{ n: 10, t: "b" }, { n: null, t: "a10" }, { n: 9, t: "a9" }, { n: "NaN", t: null }]);
  assert.deepEqual(orderOf(table, null), [0, 1, 2, 3]);
  assert.deepEqual(orderOf(table, { column: 1, by: 1 }), [2, 1, 0, 3]);
  assert.deepEqual(orderOf(table, { column: 1, by: -1 }), [0, 1, 2, 3]);
  assert.equal(orderOf(table, { column: 0, by: 1 }).at(-1), 1);
  assert.deepEqual(orderOf(table, { column: 7, by: 1 }), [0, 1, 2, 3]);
  assert.equal(isNumeric(table, 0), true);
  assert.equal(isNumeric(table, 1), false);
  assert.deepEqual([cellText(undefined), cellText(null), cellText(true), cellText([1])],
    ["", "null", "true", "[1]"]);
  assert.equal(cellText("x".repeat(50), 10), `${"x".repeat(10)}…`);
});

test("JSON in a text", () => {
  assert.deepEqual(parsed(' {"a": [1]}'), { a: [1] });
  for (const text of ["12", "null", '"x"', "{a}", "", null, 7, ["x"]]) assert.equal(parsed(text), undefined);
});

test("what is shown rendered is found as it is seen and as it was written, each place once", () => {
  const seen = "\nThere are 12 birds, 12 of them here.\n\none\n\n1 two & three\n";
  const written = "There are **12** *birds*, `12` of them [here](https://a.b/birds?n=12).\n\n" +
    "1. one\n2. 1 two &amp; three";
  const words = (query) => [...matchesIn(seen, patternOf(query), written)]
    .map(({ at, size }) => [at, seen.slice(at, at + size)]);
  assert.deepEqual(words("12 birds"), [[11, "12 birds"]]);
  assert.deepEqual(words("**12** *birds*"), [[11, "12 birds"]], "as it was written");
  assert.deepEqual(words("birds"), [[14, "birds"], [32, "here."]], "and in the address");
  assert.deepEqual(words("12"), [[11, "12"], [21, "12"], [32, "here."]]);
  assert.deepEqual(words("a.b"), [[32, "here."]]);
  assert.deepEqual(words("1. o").map(([, word]) => word), ["one"]);
  assert.deepEqual(words("2."), [[44, "1"]], "the number of an item, at its first word");
  assert.deepEqual(words("&amp;"), [[50, "&"]]);
  assert.deepEqual(words("**").map(([, word]) => word), ["12"], "once, though there are two");
  assert.deepEqual(words("walrus"), []);
  assert.deepEqual([...matchesIn(seen, patternOf("**"))], [], "shown as it was written");
  const plainText = "no marks in it, none at all";
  assert.equal([...matchesIn(plainText, patternOf("no"), plainText)].length, 2);
  assert.deepEqual([...matchesIn("", patternOf("-"), "---")], [], "a line has no words");
  assert.equal([...matchesIn("end \n", patternOf("*"), "*end* ")][0].size, 3);
});

test("a run is searched through the marks of its answer, wherever it is rendered", () => {
  const nodes = [["p", {}, [["strong", {}, ["12"]], " birds"]]];
  const run = fold(started("q"), turn(1, 0, "", "**12** birds"), { type: "markdown", at, step: 1, nodes });
  assert.deepEqual(places(search(run, "12 birds")), [["", "answer", 0]]);
  assert.deepEqual(places(search(run, "**12** birds")), [["", "answer", 0]]);
  const raw = new Finder("12 birds", { ...EYES, mode: () => "raw" });
  assert.deepEqual(places(search(run, "", undefined, raw)), [], "shown as it was written");
});
