// @ts-check
/** The tree as a whole: what it consists of, when it is drawn, and what a reader opened and closed. */

import { EMPTY_RUN } from "./fold.js";
import { element, setAttribute } from "./elements.js";
import { Announcer } from "./copying.js";
import { NO_FILTER } from "./filter.js";
import { Filtering } from "./filtering.js";
import { Head } from "./head.js";
import { Searching } from "./searching.js";
import { parsed } from "./places.js";
import { RowTools } from "./rowtools.js";
import { cellsOf, tableOf } from "./table.js";
import { RunParts } from "./turns.js";
import { Aloud } from "./aloud.js";
import { TreeKeys } from "./keys.js";
import { Pace } from "./pace.js";
import { Sweep } from "./sweep.js";
import { Follower } from "./scroll.js";
import { axisOf } from "./waterfall.js";

/**
 * @typedef {import("./fold.js").Run} Run
 * @typedef {import("./item.js").Item} Item
 * @typedef {import("./calls.js").ToolItem} ToolItem
 */

/**
 * What a reader opened and closed, kept apart from any view: shown again, the run
 * looks as it was left.
 * @typedef {{open: Map<string, boolean>, whole: Set<string>, all: boolean | null,
 *   stopping: {run: string, note: string} | null, asked: Set<string>,
 *   refused: Map<string, string>, modes: Map<string, string>,
 *   wholes: Map<string, import("./wholes.js").Whole>,
 *   search: {isOpen: boolean, query: string, now: import("./search.js").Found | null},
 *   sorts: Map<string, {column: number, by: 1 | -1}>,
 *   filter: import("./filter.js").Filter}} Memory
 *   `asked` are calls, as run and call on two lines; `modes` are how a place is shown, and
 *   `wholes` the values that were fetched
 *
 * How a view reaches whoever runs what it shows, or keeps it; what nobody listens to is left
 * out. `whole` gives what was cut: the value `name`, "inputs" or "result", of the call at which
 * the pairs of step number and call id lead. It rejects with what a reader is told; `slow` is
 * said while it takes long.
 * @typedef {{stop?: (run: string) => void, decide?: (answer: any) => void, slow?: string,
 *   whole?: (run: string, calls: [number, string][], name: string)
 *   => Promise<import("./wholes.js").Whole>}} Talk
 */

/** @returns {Memory} */
export function newMemory() {
  return {
    open: new Map(), whole: new Set(), all: null, stopping: null, asked: new Set(),
    refused: new Map(), modes: new Map(), wholes: new Map(),
    search: { isOpen: false, query: "", now: null }, filter: NO_FILTER,
    sorts: new Map(),
  };
}

export class TreeView {
  /** @param {HTMLElement} root @param {Run} state @param {Memory} memory
   *  @param {Talk | null} talk null where nobody listens
   *  @param {string} name the Python expression of the run's `Reasoning` */
  constructor(root, state, memory, talk, name) {
    this.root = root;
    this.state = state;
    this.memory = memory;
    this.talk = talk;
    this.name = name;
    /** @type {WeakMap<Element, Item>} */
    this.items = new WeakMap();
    /** The newest item of each key. @type {Map<string, Item>} */
    this.byKey = new Map();
    /** @type {Set<ToolItem>} */
    this.waiting = new Set();
    /** How places are shown, for the search. @type {import("./search.js").Eyes} */
    this.eyes = {
      mode: (key, value) => memory.modes.get(key) ?? (tableOf(value) ? "table" : ""),
      whole: (key) => memory.wholes.get(key)?.value,
      cells: cellsOf,
      inner: parsed,
    };
    this.heard = performance.now();
    this.frame = 0;
    this.timer = 0;
    this.isGone = false;
    this.pace = new Pace(() => this.refresh());
    this.sweep = new Sweep(this);
    this.head = new Head(this);
    this.announcer = new Announcer(root);
    this.tree = this.makeTree();
    this.searching = new Searching(this);
    this.filtering = new Filtering(this);
    this.rowTools = new RowTools(this, this.tree);
    this.parts = new RunParts(this, this.tree, "", 1, 0);
    this.follower = new Follower(this);
    this.aloud = new Aloud(state);
    this.build();
    this.draw();
  }

  get isRunning() {
    return this.state.status === "running";
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
    if (!this.isGone) this.frame ||= requestAnimationFrame(() => this.draw());
  }

  destroy() {
    this.isGone = true;
    cancelAnimationFrame(this.frame);
    clearInterval(this.timer);
    this.follower.destroy();
    this.announcer.clear();
    this.searching.destroy();
    this.head.toolbar.destroy();
    this.root.replaceChildren();
  }

  /** Where the turns go, with its keys. */
  makeTree() {
    const tree = element("div", "ma-tree");
    const keys = new TreeKeys(this);
    tree.setAttribute("role", "tree");
    tree.setAttribute("aria-label", "Steps of the run");
    tree.addEventListener("click", (event) => this.onClick(event));
    tree.addEventListener("keydown", (event) => keys.press(event));
    tree.addEventListener("focusin", (event) => this.onFocus(event));
    return tree;
  }

  build() {
    const { root, head, searching, filtering, parts, follower, aloud, announcer } = this;
    const tools = element("div", "ma-tools");
    tools.append(searching.root, filtering.bar);
    root.classList.add("ma-run");
    root.replaceChildren(...head.roots, tools, ...parts.roots, follower.end, follower.latest,
      aloud.root, announcer.live);
  }

  draw() {
    this.frame = 0;
    const { state } = this;
    setAttribute(this.root, "data-status", state.status);
    this.pace.begin();
    this.sweep.next(); // before it: what a reader opens is not followed as the run is
    this.follower.before();
    this.head.draw();
    this.drawTimes();
    this.pace.next();
    this.parts.draw(state);
    this.filtering.draw();
    for (const item of this.waiting) item.drawQuestion();
    this.searching.drawn();
    this.keepTime();
    this.aloud.update(state);
    this.follower.after();
  }

  /** What changes with each second, too. */
  drawTimes() {
    this.drawAxis();
    this.head.drawMeta();
  }

  /** How many seconds the bars' column is wide. */
  drawAxis() {
    const { state, isRunning } = this;
    const seconds = isRunning ? this.now() - state.started : state.duration ?? 0;
    const axis = String(axisOf(state.started ? seconds : 0, !isRunning));
    if (this.root.style.getPropertyValue("--ma-axis") !== axis) {
      this.root.style.setProperty("--ma-axis", axis);
    }
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
    if (!this.isRunning) return;
    this.drawTimes();
    this.aloud.update(this.state);
  }

  /** A body was opened, and may have been built just now. */
  noteOpened() {
    if (this.filtering.isOn || this.searching.isOpen) this.refresh();
  }

  /** Other calls are shown now. */
  filterChanged() {
    this.head.draw();
    this.searching.changed();
  }

  /** The element that shows a field of the run itself. @param {string} field */
  spot(field) {
    return field === "query" ? this.head.query : this.parts.spot(field);
  }

  /** How something is shown, remembered. @param {string} key @param {string} mode */
  setMode(key, mode) {
    this.memory.modes.set(key, mode);
    this.searching.changed();
  }

  /** @param {boolean} open */
  setAll(open) {
    this.memory.all = open;
    this.memory.open.clear();
    this.sweep.begin();
  }

  /** @param {Item} item @param {boolean} open */
  choose(item, open) {
    if (!item.opens) return;
    this.pace.begin();
    this.memory.open.set(item.key, open);
    item.setOpen(open);
  }

  /** Do at once all that was left to the next frames. */
  finish() {
    this.pace.finish(() => this.sweep.next());
  }

  /** The items that can be seen, in the order of the page. */
  visible() {
    this.finish();
    const all = [...this.tree.querySelectorAll("[role=treeitem]")];
    const shown = all.filter((el) => !el.closest("[hidden]"));
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
}

/**
 * Show a run in an element.
 * @param {HTMLElement} root
 * @param {{state?: Run, memory?: Memory, talk?: Talk | null, name?: string}} [options] `name`
 *   is the Python expression of the run's `Reasoning`, with which copied paths begin
 * @returns {{update: (state: Run) => void, refresh: () => void, destroy: () => void}}
 */
export function mountTree(root, options = {}) {
  const { state = EMPTY_RUN, memory = newMemory(), talk = null, name = "reasoning" } = options;
  const view = new TreeView(root, state, memory, talk, name);
  return {
    update: (next) => view.update(next),
    refresh: () => view.refresh(),
    destroy: () => view.destroy(),
  };
}
