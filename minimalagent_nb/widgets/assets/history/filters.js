// @ts-check
/** The bar above the list: what is searched for, where, and which interactions are meant. */

import { element, setHidden } from "../tree/elements.js";
import { choice, field, pushButton, settled } from "./parts.js";
import { NO_FILTERS } from "./source.js";
import { PERIODS, periodOf } from "./times.js";

/** @typedef {import("./source.js").Filters} Filters */

const SCOPES = { all: "All sessions", one: "This session" };
const STATES = {
  "": "Any status", running: "Running", completed: "Completed", stopped: "Stopped",
  failed: "Failed",
};

let lastList = 0; // lists of names are found by an id

export class FilterBar {
  /** @param {() => void} onChange */
  constructor(onChange) {
    this.onChange = onChange;
    this.typed = settled(onChange, 250);
    this.root = element("div", "mh-bar");
    this.root.setAttribute("role", "search");
    this.search = field({
      label: "Search in queries, answers, thinking and tool calls", placeholder: "Search",
    });
    this.search.classList.add("mh-search");
    this.search.setAttribute("aria-keyshortcuts", "/");
    this.scope = choice("Where to search", SCOPES);
    this.tool = field({
      type: "text", label: "Tool", placeholder: "Any tool", className: "mh-field mh-tool",
    });
    this.status = choice("Status", STATES);
    this.period = choice("When", PERIODS);
    this.from = field({ type: "date", label: "From", className: "mh-field mh-date" });
    this.to = field({ type: "date", label: "To", className: "mh-field mh-date" });
    this.clear = pushButton("Clear", () => this.reset(), "mh-link");
    this.names = element("datalist");
    lastList += 1;
    this.names.id = `mh-tools-${lastList}`;
    this.tool.setAttribute("list", this.names.id);
    /** @type {Set<string>} */
    this.known = new Set();
    this.listen();
    this.root.append(
      this.search, this.scope, this.tool, this.status, this.period, this.from, this.to,
      this.clear, this.names);
    this.draw();
  }

  listen() {
    for (const input of [this.search, this.tool]) {
      input.addEventListener("input", this.typed.wait);
      input.addEventListener("keydown", (event) => {
        if (event.key === "Enter") this.onChange();
      });
    }
    for (const input of [this.scope, this.status, this.period, this.from, this.to]) {
      input.addEventListener("change", () => this.changed());
    }
  }

  changed() {
    this.draw();
    this.onChange();
  }

  /** What is set is taken up: also what was typed a moment ago, which waits no longer. */
  draw() {
    this.typed.cancel();
    const isCustom = this.period.value === "custom";
    setHidden(this.from, !isCustom);
    setHidden(this.to, !isCustom);
    setHidden(this.clear, !(this.text || this.tool.value || this.status.value || this.period.value));
  }

  get text() {
    return this.search.value.trim();
  }

  get isOfOne() {
    return this.scope.value === "one";
  }

  /**
   * The fields by their names in an address.
   * @returns {Record<string, HTMLInputElement | HTMLSelectElement>}
   */
  get fields() {
    const { search: text, scope, tool, status, period: when, from, to } = this;
    return { text, scope, tool, status, when, from, to };
  }

  /** What is set in it, by name; what is as at first is left out. @returns {Record<string, string>} */
  get state() {
    const all = Object.entries(this.fields).map(([name, { value }]) => [name, value.trim()]);
    return Object.fromEntries(all.filter(([name, value]) => value && `${name}=${value}` !== "scope=all"));
  }

  set state(values) {
    for (const [name, input] of Object.entries(this.fields)) {
      input.value = Object.hasOwn(values, name) ? values[name] : "";
    }
    this.scope.value ||= "all";
    this.draw();
  }

  /** @returns {Filters} */
  get filters() {
    const dates = { from: this.from.value, to: this.to.value };
    return {
      ...NO_FILTERS, tool: this.tool.value.trim(), status: this.status.value,
      ...periodOf(this.period.value, Date.now() / 1000, dates),
    };
  }

  /** Names of tools that can be chosen. @param {string[]} names */
  offer(names) {
    for (const name of names) {
      if (this.known.has(name) || this.known.size >= 200) continue;
      this.known.add(name);
      const option = /** @type {HTMLOptionElement} */ (element("option"));
      option.value = name;
      this.names.append(option);
    }
  }

  /** Begin anew; the button that does it goes, and the focus would go with it. */
  reset() {
    const { search, tool, status, period, from, to } = this;
    for (const input of [search, tool, status, period, from, to]) input.value = "";
    this.changed();
    search.focus({ preventScroll: true });
  }
}
