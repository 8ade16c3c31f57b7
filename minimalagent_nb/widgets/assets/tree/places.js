// @ts-check
/**
 * Places in a run: from the key of an item to its value, and to the Python expression that
 * gives the same value of a `Reasoning`. Pure.
 *
 * A key is what memory.open knows an item by: `turn/0/tool/1/result/rows/3`, the parts of a
 * value each escaped as in a JSON Pointer (RFC 6901).
 */

/**
 * @typedef {import("./fold.js").Run} Run
 * @typedef {import("./fold.js").Turn} Turn
 * @typedef {import("./fold.js").Tool} Tool
 * @typedef {import("./wholes.js").Whole} Whole
 * @typedef {{kind: string, path: string | null, value: any, isCut?: boolean}} Place `path` is
 *   null where Python has no such value; `isCut` where the page has not all of it
 */

export const PARSED = "~2"; // the step from a text to the JSON in it

/** A name as part of a key. @param {string | number} name */
export function keyPart(name) {
  return String(name).replaceAll("~", "~0").replaceAll("/", "~1");
}

/** @param {string} part */
const nameOf = (part) => part.replaceAll("~1", "/").replaceAll("~0", "~");

// What a page, a terminal or a parser might take for something else: controls, marks that
// turn the direction of writing, halves of characters, and every space but the plain one.
const UNPRINTABLE = /[\p{C}\p{Z}]/u;

/** A text as a Python literal on one line: evaluated, it is the very same text. @param {string} text */
export function pythonText(text) {
  let quoted = "";
  for (const character of text) {
    const code = /** @type {number} */ (character.codePointAt(0));
    if (character === "\\" || character === '"') quoted += `\\${character}`;
    else if (character === " " || !UNPRINTABLE.test(character)) quoted += character;
    else if (code < 256) quoted += `\\x${code.toString(16).padStart(2, "0")}`;
    else if (code < 65536) quoted += `\\u${code.toString(16).padStart(4, "0")}`;
    else quoted += `\\U${code.toString(16).padStart(8, "0")}`;
  }
  return `"${quoted}"`;
}

/** Whether a turn is a step of the reasoning: one that answers is not. @param {Turn} turn */
export function isStep(turn) {
  return Boolean(turn.calls) || turn.tools.length > 0;
}

// How values.js and Python mark what was left out; see bounds.py.
const LEFT_OUT = /^… ([\d,]+ more( items)?|nested too deep to show)$|… \([\d,]+ more characters\)$/;

/** Whether this stands for what was left out, and is not in the value itself. @param {unknown} value */
export function isLeftOut(value) {
  return typeof value === "string" && LEFT_OUT.test(value);
}

/** JSON in a text, where it is a list or an object. @param {unknown} text @returns {any} */
export function parsed(text) {
  if (typeof text !== "string" || !/^\s*[[{]/.test(text)) return undefined;
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/**
 * A part of a value.
 * @param {any} value @param {string | null} path @param {string[]} parts @returns {Place | null}
 */
function within(value, path, parts) {
  for (const part of parts) {
    if (part === PARSED) {
      value = parsed(value);
      if (value === undefined) return null;
      path = path && `json.loads(${path})`;
      continue;
    }
    const name = nameOf(part);
    if (value === null || typeof value !== "object" || !Object.hasOwn(value, name)) return null;
    const isList = Array.isArray(value);
    value = value[name];
    const isKnown = !isLeftOut(name) && name !== "…" && !(isList && isLeftOut(value));
    path = isKnown && path ? path + (isList ? `[${Number(name)}]` : `[${pythonText(name)}]`) : null;
  }
  return { kind: "value", path, value };
}

/**
 * The values of a call by the names that keys have for them.
 * @type {Record<string, (tool: Tool) => any>}
 */
const VALUES = {
  inputs: (tool) => tool.inputs,
  edited: (tool) => tool.approval?.inputs,
  result: (tool) => tool.result,
  error: (tool) => tool.error,
};

/**
 * @param {Tool} tool @param {string | null} path @param {string} key @param {string[]} parts
 * @param {Map<string, Whole>} wholes @returns {Place | null}
 */
function inTool(tool, path, key, parts, wholes) {
  const [name, ...rest] = parts;
  if (name === undefined) return { kind: "tool", path, value: tool, isCut: tool.cut || tool.inputsCut };
  if (name === "output") return { kind: "output", path: path && `${path}.output`, value: tool.output };
  if (name === "run") {
    const place = tool.run && inRun(tool.run, path && `${path}.reasoning`, `${key}/run/`, rest, wholes);
    return place?.kind === "run" ? { ...place, kind: "agent" } : place;
  }
  if (!Object.hasOwn(VALUES, name)) return null;
  const whole = wholes.get(`${key}/${name}`);
  const attribute = name === "edited" ? 'approval["inputs"]' : name;
  const place = within(whole ? whole.value : VALUES[name](tool), path && `${path}.${attribute}`, rest);
  const isCutHere = name === "result" ? tool.cut : name === "inputs" && tool.inputsCut;
  const isCut = whole ? whole.isCut : isCutHere;
  return place && { ...place, kind: rest.length ? place.kind : name, isCut };
}

/**
 * @param {Run} run @param {Turn} turn @param {string | null} path of its run
 * @param {string} key @param {string[]} parts @param {Map<string, Whole>} wholes
 * @returns {Place | null}
 */
function inTurn(run, turn, path, key, parts, wholes) {
  const index = run.turns.slice(0, run.turns.indexOf(turn)).filter(isStep).length;
  const isOver = turn.calls !== null || turn.tools.length > 0;
  const step = path && isStep(turn) ? `${path}.steps[${index}]` : null;
  const [name, at, ...rest] = parts;
  if (name === undefined) return { kind: "turn", path: step, value: turn };
  if (name === "thinking") {
    const ofAnswer = path && isOver && !isStep(turn) ? `${path}.final_thinking` : null;
    return { kind: name, path: step ? `${step}.thinking` : ofAnswer, value: turn.thinking };
  }
  if (name === "said") return { kind: name, path: step && `${step}.text`, value: turn.text };
  const tool = name === "tool" ? turn.tools[Number(at)] : undefined;
  if (!tool) return null;
  return inTool(tool, step && `${step}.tools[${Number(at)}]`, `${key}/tool/${at}`, rest, wholes);
}

/**
 * @param {Run} run @param {string | null} path @param {string} key with which those within
 *   it begin @param {string[]} parts @param {Map<string, Whole>} wholes @returns {Place | null}
 */
function inRun(run, path, key, parts, wholes) {
  const [name, at, ...rest] = parts;
  if (!name) return { kind: "run", path, value: run };
  if (name === "answer") {
    const value = run.response || run.turns.at(-1)?.text || "";
    return { kind: name, path: path && `${path}.final_response`, value };
  }
  const turn = name === "turn" ? run.turns[Number(at)] : undefined;
  return turn ? inTurn(run, turn, path, `${key}turn/${at}`, rest, wholes) : null;
}

/**
 * The calls that lead to a value of a call: pairs of step number and call id, from the run to
 * the sub-agents in it.
 * @param {Run} run @param {string} key @returns {[number, string][]}
 */
export function callsTo(run, key) {
  /** @type {[number, string][]} */
  const calls = [];
  /** @type {Run | null | undefined} */
  let at = run;
  for (const [, turn, tool] of key.matchAll(/(?:^|\/run\/)turn\/(\d+)\/tool\/(\d+)/g)) {
    /** @type {Turn | undefined} */
    const here = at?.turns[Number(turn)];
    /** @type {Tool | undefined} */
    const call = here?.tools[Number(tool)];
    if (!here || !call) break;
    calls.push([here.number, call.id]);
    at = call.run;
  }
  return calls;
}

const NAME = /^[A-Za-z_]\w*(\.[A-Za-z_]\w*)*$/;

/**
 * What stands at a key of a run; null where there is nothing (any more).
 * @param {Run} run @param {string} key @param {string} [root] the Python expression of the
 *   run's `Reasoning` @param {Map<string, Whole>} [wholes] values that were fetched
 * @returns {Place | null}
 */
export function placeOf(run, key, root = "", wholes = new Map()) {
  const path = NAME.test(root) ? root : "reasoning";
  return inRun(run, path, "", key === "" ? [] : key.split("/"), wholes);
}
