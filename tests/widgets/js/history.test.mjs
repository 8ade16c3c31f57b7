// The pure parts of the history browser; HISTORY_JS is the folder of its modules.

import assert from "node:assert/strict";
import test from "node:test";
import { pathToFileURL } from "node:url";

const at = (name) => pathToFileURL(`${process.env.HISTORY_JS}/${name}`).href;
const { aligned, differingPart, textDiff, wordDiff } = await import(at("diff.js"));
const { callPairs, factsOf } = await import(at("pairs.js"));
const { periodOf, whenText } = await import(at("times.js"));
const { Address, hashOf, isWayStep, whereOf } = await import(at("../page/address.js"));
const { EMPTY_RUN } = await import(at("../tree/fold.js"));
const { CommSource } = await import(at("comm.js"));
const { putCell } = await import(at("cells.js"));

/** The same numbers in each run of the tests. */
function random(seed) {
  let state = seed;
  return (below) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state % below;
  };
}

/** The length of the longest common subsequence, by the table of all prefixes. */
function common(one, other) {
  const table = one.map(() => other.map(() => 0));
  const cell = (x, y) => (x < 0 || y < 0 ? 0 : table[x][y]);
  one.forEach((a, x) => other.forEach((b, y) => {
    table[x][y] = a === b ? cell(x - 1, y - 1) + 1 : Math.max(cell(x - 1, y), cell(x, y - 1));
  }));
  return cell(one.length - 1, other.length - 1);
}

test("a difference gives both lists back, and is as short as there can be", () => {
  const next = random(7);
  for (let round = 0; round < 3000; round += 1) {
    const list = () => Array.from({ length: next(12) }, () => "abc"[next(3)]);
    const [one, other] = [list(), list()];
    const pairs = aligned(one, other);
    assert.deepEqual(pairs.filter(({ mark }) => mark !== "new").map((pair) => pair.one), one);
    assert.deepEqual(pairs.filter(({ mark }) => mark !== "gone").map((pair) => pair.other), other);
    const edits = pairs.filter(({ mark }) => mark !== "same").length;
    assert.equal(edits, one.length + other.length - 2 * common(one, other));
  }
});

test("texts that have nothing in common cost a bounded amount of work", () => {
  let asked = 0;
  const one = Array.from({ length: 20_000 }, (_, n) => n);
  const pairs = aligned(one, one.map((n) => -1 - n), (a, b) => {
    asked += 1;
    return a === b;
  });
  assert.equal(pairs.length, 40_000);
  assert.ok(asked < 2_000_000, `${asked} comparisons`);
});

test("words that changed are marked within their lines", () => {
  assert.deepEqual(wordDiff("the cat sat", "the dog sat down"), [
    { mark: "same", text: "the " }, { mark: "gone", text: "cat" }, { mark: "new", text: "dog" },
    { mark: "same", text: " sat" }, { mark: "new", text: " down" },
  ]);
  const lines = textDiff("one\nthe mass is 5 kg\nend", "one\nthe mass is 6 kg\nend\nmore");
  assert.deepEqual(lines.map(({ mark }) => mark), ["same", "gone", "new", "same", "new"]);
  assert.deepEqual(lines[1].pieces.find(({ mark }) => mark === "gone"), { mark: "gone", text: "5" });
  assert.deepEqual(lines[2].pieces.find(({ mark }) => mark === "new"), { mark: "new", text: "6" });
  assert.equal(lines[4].pieces.length, 1);
  const unlike = textDiff("completely different", "nothing alike here");
  assert.deepEqual(unlike.map(({ pieces }) => pieces.length), [1, 1], "marked as a whole");
  assert.deepEqual(textDiff("", ""), []);
  assert.deepEqual(textDiff("", "x").map(({ mark }) => mark), ["new"]);
});

const call = (name, inputs, result, more = {}) => ({
  id: name, name, inputs, result, status: "success", error: null, ...more,
});
const run = (tools, more = {}) => ({
  ...EMPTY_RUN, status: "completed", turns: [{ tools, calls: tools.length, thinking: "", text: "" }],
  ...more,
});

test("calls of one name stand beside one another, those that did the same first", () => {
  const one = run([call("look", { a: 1 }, "x"), call("query", { sql: "A" }, 1), call("plot", {}, 2)]);
  const other = run([call("query", { sql: "B" }, 1), call("plot", {}, 3), call("save", {}, 4)]);
  const pairs = callPairs(one, other);
  assert.deepEqual(pairs.map(({ mark, one: a, other: b }) => [mark, a?.name ?? "", b?.name ?? ""]), [
    ["gone", "look", ""], ["changed", "query", "query"], ["changed", "plot", "plot"],
    ["new", "", "save"],
  ]);
  assert.deepEqual([pairs[1].inputsDiffer, pairs[1].resultsDiffer], [true, false]);
  assert.deepEqual([pairs[2].inputsDiffer, pairs[2].resultsDiffer], [false, true]);
  assert.deepEqual(callPairs(one, one).map(({ mark }) => mark), ["same", "same", "same"]);
  const failed = run([call("look", { a: 1 }, null, { status: "error", error: "no" })]);
  assert.equal(callPairs(run([call("look", { a: 1 }, "x")]), failed)[0].resultsDiffer, true);
});

test("calls that differ at their end alone are not the same", () => {
  const long = "x".repeat(70_000);
  const [pair] = callPairs(
    run([call("read", { path: "a" }, `${long}1`)]), run([call("read", { path: "a" }, `${long}2`)]));
  assert.deepEqual([pair.mark, pair.resultsDiffer, pair.inputsDiffer], ["changed", true, false]);
});

test("calls that are the same in copies that were cut may differ beyond", () => {
  const cut = call("read", { path: "a" }, "x", { cut: true });
  const pairs = (a, b) => callPairs(run([a]), run([b])).map(({ mark, isPartial }) => [mark, isPartial]);
  assert.deepEqual(pairs(cut, { ...cut }), [["same", true]]);
  assert.deepEqual(pairs(cut, call("read", { path: "a" }, "y")), [["changed", false]]);
  const plain = call("read", { path: "a" }, "x");
  assert.deepEqual(pairs(plain, { ...plain }), [["same", false]]);
  assert.deepEqual(pairs(plain, { ...plain, inputsCut: true }), [["same", true]]);
  const failed = { ...plain, status: "error", error: "no… (12,345 more characters)" };
  assert.deepEqual(pairs(failed, { ...failed }), [["same", true]]);
});

test("an address says where the reader is", () => {
  const places = [
    { session: "", run: null, search: {} },
    { session: "s-1_a", run: null, search: {} },
    { session: "s", run: 1763821417123457, search: {} },
    { session: "s", run: 5, search: { text: "a & b?=#ü", scope: "one" } },
    { session: "", run: null, search: { status: "failed" } },
  ];
  for (const place of places) assert.deepEqual(whereOf(hashOf(place)), place);
  assert.equal(hashOf(places[0]), "");
  assert.equal(hashOf(places[2]), "#s/1763821417123457");
  const damaged = { session: "", run: null, search: {} };
  for (const hash of ["#../x", "#a b/5", "#%", "#<b>", "#/7"]) assert.deepEqual(whereOf(hash), damaged);
  for (const hash of ["#s/x", "#s/9999999999999999", "#s/9".padEnd(400, "9")]) {
    assert.deepEqual(whereOf(hash), { ...damaged, session: "s" });
  }
  assert.equal(whereOf(`#?text=${"x".repeat(10_000)}`).search.text.length, 500);
  const typed = (text) => ({ ...damaged, search: { text } });
  assert.deepEqual([isWayStep(typed("a"), typed("ab")), isWayStep(damaged, typed("a"))], [false, true]);
});

test("what an address names that is nowhere is no step of the way back", () => {
  const place = { hash: "#s?source=mail&status=odd", pathname: "/minimalagent/", search: "?token=x" };
  const steps = [];
  const going = (kind) => (_state, _title, address) => {
    steps.push([kind, address]);
    place.hash = address.startsWith("#") ? address : "";
  };
  const past = { pushState: going("push"), replaceState: going("replace") };
  const address = new Address(place, past);
  const here = { session: "s", run: null, search: {} };
  const told = (act) => {
    steps.length = 0;
    act();
    return [...steps];
  };
  assert.deepEqual(told(() => address.settle(here)), [["replace", "#s"]]);
  assert.deepEqual(told(() => [address.settle(here), address.tell(here)]), []);
  const found = { ...here, search: { text: "a" } };
  assert.deepEqual(told(() => address.tell(found)), [["push", "#s?text=a"]]);
  const typed = { ...here, search: { text: "a b" } };
  assert.deepEqual(told(() => address.tell(typed)), [["replace", "#s?text=a+b"]]);
  const nowhere = { session: "", run: null, search: {} };
  assert.deepEqual(told(() => address.tell(nowhere)), [["push", "/minimalagent/?token=x"]]);
});

test("long texts are compared from their first difference on", () => {
  const lines = (last) => [...Array(9_000).keys(), last].map((n) => `line ${n}`).join("\n");
  const { skipped, one, other } = differingPart(lines("a"), lines("b"), 60_000);
  assert.ok(one.length < 500 && one.startsWith("line ") && one.endsWith("line a"));
  assert.equal(skipped + one.length, lines("a").length);
  assert.equal(one.slice(0, -1), other.slice(0, -1));
  const text = "x".repeat(100_000);
  const part = differingPart(`${text}1${text}`, `${text}2`, 60_000);
  assert.deepEqual([part.one.length, part.other.length], [60_000, 401]);
  assert.deepEqual(differingPart("ab", "ac", 10), { skipped: 0, one: "ab", other: "ac" });
});

test("a kernel that was restarted answers nothing, and the reader is told", async () => {
  globalThis.window = globalThis;
  const heard = new Map();
  const sent = [];
  const model = {
    comm_live: true, get: () => [], send: (message) => sent.push(message.type),
    on: (name, listener) => heard.set(name, listener), off: (name) => heard.delete(name),
  };
  const waits = [];
  const source = new CommSource(model, (isWaiting) => waits.push(isWaiting));
  const states = [];
  const on = { message() {}, end() {}, state: (isOpen, why) => states.push([isOpen, why]) };
  const asked = source.sessions({ limit: 1, search: "" });
  const whole = source.whole("s", 1, [[1, "c"]], "result");
  const close = source.follow("s", null, on);
  model.comm_live = false;
  heard.get("comm_live_update")();
  await assert.rejects(asked, /kernel was restarted: run the cell again/);
  await assert.rejects(whole, /restarted/);
  await assert.rejects(source.whole("s", 1, [[1, "c"]], "result"), /restarted/);
  await assert.rejects(source.sessions({ limit: 1, search: "" }), /restarted/);
  assert.deepEqual([states.length, states[1][0]], [2, false]);
  assert.equal(waits.at(-1), false);
  const again = source.follow("s", null, on);
  await Promise.resolve();
  assert.equal(states.at(-1)[0], false);
  close();
  again();
  source.close();
  assert.deepEqual([sent, [...heard]], [["ask", "ask", "ask"], []]);
});

test("what could not be copied is not said to be", async () => {
  const near = { closest: () => null };
  const page = (clipboard) => Object.defineProperty(
    globalThis, "navigator", { value: { clipboard }, configurable: true });
  page({ writeText: async () => {} });
  assert.match(await putCell({}, "x", near), /^Copied as a cell/);
  page({ writeText: async () => { throw new Error("refused"); } });
  assert.match(await putCell({}, "x", near), /can neither/);
  page(undefined);
  assert.match(await putCell({}, "x", near), /can neither/);
});

test("figures and by how much they differ", () => {
  const usage = { ...EMPTY_RUN.usage, input_tokens: 1500 };
  const facts = factsOf(
    run([], { duration: 2, model: "m" }), run([call("x", {}, 1)], { duration: 3.5, model: "m", usage }));
  const by = Object.fromEntries(facts.map((fact) => [fact.name, fact]));
  assert.equal(by.Time.change, "+1.5 s");
  assert.equal(by["Tool calls"].change, "+1");
  assert.equal(by["Tokens in"].change, "+1,500");
  assert.deepEqual([by.Model.isSame, by.Model.change], [true, ""]);
  assert.equal("Agent" in by, false, "what neither has is no line");
});

test("periods begin at the reader's own midnight", () => {
  const now = new Date(2026, 2, 15, 13, 30).getTime() / 1000;
  const day = (month, date) => new Date(2026, month, date).getTime() / 1000;
  assert.deepEqual(periodOf("", now), { since: null, until: null });
  assert.deepEqual(periodOf("today", now), { since: day(2, 15), until: null });
  assert.deepEqual(periodOf("week", now), { since: day(2, 9), until: null });
  assert.deepEqual(periodOf("month", now), { since: day(1, 14), until: null });
  const custom = periodOf("custom", now, { from: "2026-03-01", to: "2026-03-02" });
  assert.equal(custom.since, day(2, 1));
  assert.ok(custom.until < day(2, 3) && custom.until > day(2, 3) - 1, "the last day is within");
  assert.deepEqual(periodOf("custom", now, { from: "x", to: "" }), { since: null, until: null });
});

test("moments", () => {
  const now = new Date(2026, 2, 15, 13, 30).getTime() / 1000;
  assert.equal(whenText(now - 5, now), "just now");
  assert.equal(whenText(now - 130, now), "2 min ago");
  assert.equal(whenText(null, now), "");
  assert.match(whenText(now - 400 * 86_400, now), /2025/);
  assert.doesNotMatch(whenText(now - 20 * 86_400, now), /2026/);
});
