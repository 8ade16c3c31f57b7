// Reads a run's ops on standard input; writes for each place in it its key, what is copied as
// its Python path, and its value.
import { readFileSync } from "node:fs";
import { pathToFileURL } from "node:url";

const { EMPTY_RUN, PARSED, jsonText, keyPart, parsed, placeOf, reduce, runMarkdown } =
  await import(pathToFileURL(process.env.TREE_JS).href);

function* ofValue(value, key) {
  yield key;
  const inner = parsed(value);
  if (inner !== undefined) yield* ofValue(inner, `${key}/${PARSED}`);
  if (value === null || typeof value !== "object") return;
  for (const name of Object.keys(value)) yield* ofValue(value[name], `${key}/${keyPart(name)}`);
}

function* ofRun(run, prefix) {
  if (run.response && run.status !== "failed") yield `${prefix}answer`;
  for (const [index, turn] of run.turns.entries()) {
    const key = `${prefix}turn/${index}`;
    yield key;
    if (turn.thinking) yield `${key}/thinking`;
    if (turn.text && turn.calls) yield `${key}/said`;
    for (const [number, tool] of turn.tools.entries()) {
      const ofTool = `${key}/tool/${number}`;
      yield ofTool;
      yield* ofValue(tool.inputs, `${ofTool}/inputs`);
      if (tool.approval?.inputs) yield* ofValue(tool.approval.inputs, `${ofTool}/edited`);
      if (tool.status === "success") yield* ofValue(tool.result, `${ofTool}/result`);
      if (tool.error) yield `${ofTool}/error`;
      if (tool.output.length) yield `${ofTool}/output`;
      if (tool.run) {
        yield `${ofTool}/run`;
        yield* ofRun(tool.run, `${ofTool}/run/`);
      }
    }
  }
}

const runs = JSON.parse(readFileSync(0, "utf8"));
console.log(JSON.stringify(runs.map((ops) => {
  const run = ops.reduce(reduce, EMPTY_RUN);
  const places = [...ofRun(run, "")].map((key) => {
    const place = placeOf(run, key, process.env.NAME);
    return { key, path: place.path, kind: place.kind, json: jsonText(place) };
  });
  return { places, whole: jsonText(placeOf(run, "")), markdown: runMarkdown(run) };
})));
