// @ts-check
/** The filter in the head of a run: its menu, what it leaves in the tree, what it says of the rest. */

import { button, element, setHidden, setText } from "./elements.js";
import {
  choicesOf, hiddenSteps, isFiltering, isMeant, keepsRetries, keepsTool, keepsTurn, NO_FILTER,
} from "./filter.js";
import { countText, NUMBERS } from "./words.js";

/**
 * @typedef {import("./filter.js").Filter} Filter
 * @typedef {import("./fold.js").Run} Run
 * @typedef {import("./menu.js").Entry} Entry
 * @typedef {import("./turns.js").RunParts} RunParts
 * @typedef {import("./view.js").TreeView} TreeView
 */

const MOST_TOOLS = 200;

/**
 * Hide what the filter leaves out, and show the rest.
 * @param {RunParts} parts @param {Run} run @param {Filter} filter
 */
function applyFilter(parts, run, filter) {
  const isOn = isFiltering(filter);
  for (const [index, item] of parts.turns.entries()) {
    const turn = run.turns[index];
    if (!turn) continue;
    setHidden(item.root, !keepsTurn(turn, filter));
    for (const text of [item.thinking, item.said]) if (text) setHidden(text.root, isOn);
    for (const retry of item.retries) setHidden(retry.root, isOn && !keepsRetries(filter));
    for (const [number, inner] of item.tools.entries()) {
      const tool = turn.tools[number];
      if (!inner || !tool) continue;
      setHidden(inner.root, !keepsTool(tool, filter));
      const innerParts = inner.agent?.parts;
      const innerFilter = isMeant(tool, filter) ? NO_FILTER : filter;
      if (innerParts && tool.run) applyFilter(innerParts, tool.run, innerFilter);
    }
  }
}

/** Open the steps, calls and agents in which something is left. @param {RunParts} parts */
function openKept(parts) {
  for (const item of parts.turns) {
    if (item.root.hidden) continue;
    item.setOpen(true);
    for (const { root, agent } of item.tools) {
      if (root.hidden || !agent?.parts) continue;
      agent.setOpen(true);
      openKept(agent.parts);
    }
  }
}

export class Filtering {
  /** @param {TreeView} view */
  constructor(view) {
    this.view = view;
    this.wasOn = false;
    this.bar = element("div", "ma-filter");
    this.bar.hidden = true;
    this.words = element("span", "ma-filter-words");
    this.words.setAttribute("aria-live", "polite");
    this.bar.append(this.words, button("Show all steps", () => this.clear()));
  }

  get filter() {
    return this.view.memory.filter;
  }

  get isOn() {
    return isFiltering(this.filter);
  }

  /** @param {Partial<Filter>} change */
  set(change) {
    const { view } = this;
    view.memory.filter = { ...this.filter, ...change };
    view.finish();
    this.draw();
    if (this.isOn) openKept(view.parts);
    this.draw(); // also what was built just now
    view.filterChanged();
  }

  /** Show all again; the button that did it is gone then. */
  clear() {
    this.set(NO_FILTER);
    this.view.head.toolbar.filter.focus({ preventScroll: true });
  }

  /** @returns {Entry[]} */
  entries() {
    const { errors, tools } = choicesOf(this.view.state);
    const { filter } = this;
    if (filter.tool !== null && !tools.has(filter.tool)) tools.set(filter.tool, 0);
    const names = [...tools.keys()].sort((one, other) => one.localeCompare(other)).slice(0, MOST_TOOLS);
    return [
      {
        label: "Errors only", note: NUMBERS.format(errors), checked: filter.errors,
        act: () => this.set({ errors: !filter.errors }),
      },
      null,
      {
        label: "All tools", checked: filter.tool === null, isChoice: true,
        act: () => this.set({ tool: null }),
      },
      ...names.map((name) => ({
        label: name.slice(0, 80) || "(no name)", note: NUMBERS.format(tools.get(name) ?? 0),
        checked: filter.tool === name, isChoice: true, act: () => this.set({ tool: name }),
      })),
    ];
  }

  /** The item that Tab leads to must not be one that is hidden. */
  keepReachable() {
    const { parts, tree } = this.view;
    const stop = /** @type {HTMLElement | null} */ (
      tree.querySelector("[role=treeitem][tabindex='0']"));
    if (stop && !stop.closest("[hidden]")) return;
    const first = parts.turns.find(({ root }) => !root.hidden);
    if (!first) return;
    if (stop) stop.tabIndex = -1;
    first.root.tabIndex = 0;
  }

  draw() {
    const { view, filter, isOn } = this;
    setHidden(this.bar, !isOn);
    if (!isOn && !this.wasOn) return;
    this.wasOn = isOn;
    applyFilter(view.parts, view.state, filter);
    this.keepReachable();
    if (!isOn) return;
    const { turns } = view.state;
    const hidden = hiddenSteps(view.state, filter);
    const tool = filter.tool === null ? "" : `calls of ${filter.tool.slice(0, 80)}`;
    const kept = [filter.errors ? "errors" : "", tool].filter(Boolean).join(" in ");
    const isNothing = !turns.some((turn) => keepsTurn(turn, filter));
    setText(this.words, isNothing
      ? `No ${kept} in this run${view.isRunning ? " until now" : ""}.`
      : `Only ${kept} · ${hidden ? `${countText(hidden, "step")} hidden` : "no step hidden"}`);
    this.bar.classList.toggle("ma-nothing", isNothing);
  }
}
