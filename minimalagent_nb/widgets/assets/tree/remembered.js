// @ts-check
/**
 * What readers of this page opened, closed and looked for in each run: a run that another cell
 * shows again looks as it was left.
 *
 * Each widget is a module of its own, so that the page itself holds what they share. It is gone
 * with the page: names of values and what was searched for are nothing to be kept in a browser.
 */

/** @typedef {import("./view.js").Memory} Memory */

const MOST_RUNS = 100;
const PLACE = Symbol.for("minimalagent_nb.memories");

/** By the ids of runs, the newest last. @returns {Map<string, Memory>} */
function memories() {
  const page = /** @type {any} */ (globalThis);
  page[PLACE] ??= new Map();
  return page[PLACE];
}

/**
 * Begin with what is remembered of a run, and remember it from now on. Later on each view of it
 * goes its own way.
 * @param {string} run its id @param {Memory} memory of a view of it
 */
export function remember(run, memory) {
  const all = memories();
  const before = all.get(run);
  if (before) {
    const { open, whole, modes, sorts, all: isAll, search, filter } = before;
    Object.assign(memory, {
      open: new Map(open), whole: new Set(whole), modes: new Map(modes), sorts: new Map(sorts),
      all: isAll, search, filter,
    });
  }
  all.delete(run);
  all.set(run, memory);
  for (const oldest of all.keys()) if (all.size > MOST_RUNS) all.delete(oldest);
}
