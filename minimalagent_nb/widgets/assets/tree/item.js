// @ts-check
/** Items of the tree: what all have in common, and those that are a text. */

import { element, growText, keepKeys, RenderedText } from "./elements.js";

/**
 * @typedef {import("./fold.js").Markup} Markup
 * @typedef {import("./fold.js").Turn} Turn
 * @typedef {import("./view.js").TreeView} TreeView
 */

export const LINE = 100;
export const SHORT_TEXT = 2000;
const DEEPEST_INDENT = 12; // levels
export const OPEN_RUNS = 3; // so many sub-agents in one another are open at first

let lastId = 0; // for the ids that rows are named by

/**
 * One item: a row, and below it a body that is built when it is first opened. Whether
 * it is open is remembered under its key, and no update changes that.
 */
export class Item {
  /**
   * @param {TreeView} view @param {string} key @param {number} level @param {string} kind
   * @param {{openAtFirst?: boolean, structural?: boolean}} [options] `structural` items
   *   follow "expand all" and "collapse all"
   */
  constructor(view, key, level, kind, { openAtFirst = false, structural = false } = {}) {
    this.view = view;
    this.key = key;
    this.level = level;
    this.openAtFirst = openAtFirst;
    this.structural = structural;
    this.sweep = 0; // the number of the last one before it was opened or closed
    /** @type {HTMLElement | null} */
    this.body = null;
    this.root = element("div", `ma-item ma-${kind}${level > DEEPEST_INDENT ? " ma-deep" : ""}`);
    this.root.setAttribute("role", "treeitem");
    this.root.setAttribute("aria-level", String(level));
    this.root.tabIndex = -1;
    keepKeys(this.root);
    this.row = element("div", "ma-row");
    this.row.id = `ma-row-${lastId += 1}`;
    this.root.setAttribute("aria-labelledby", this.row.id);
    const arrow = element("span", "ma-arrow");
    arrow.setAttribute("aria-hidden", "true");
    this.label = element("span", "ma-label");
    this.note = element("span", "ma-note");
    this.time = element("span", "ma-time");
    this.row.append(arrow, this.label, this.note, this.time);
    this.root.append(this.row);
    view.items.set(this.root, this);
    view.byKey.set(key, this);
  }

  get opens() {
    return this.root.hasAttribute("aria-expanded");
  }

  get isOpen() {
    return this.root.getAttribute("aria-expanded") === "true";
  }

  /** From now on there is something to open. */
  makeOpenable() {
    if (this.opens) return;
    this.root.setAttribute("aria-expanded", "false");
    this.setOpen(this.view.recall(this));
  }

  /** Something came that a reader wants to see; a reader's own choice goes before it. */
  openByItself() {
    if (this.openAtFirst) return;
    this.openAtFirst = true;
    this.setOpen(this.view.recall(this));
  }

  /** @param {boolean} open */
  setOpen(open) {
    this.sweep = this.view.sweep.number;
    if (!this.opens || open === this.isOpen) return;
    this.root.setAttribute("aria-expanded", String(open));
    this.showBody(open);
  }

  /** @param {boolean} open */
  showBody(open) {
    if (!this.body && open) {
      this.body = element("div", "ma-body");
      this.body.setAttribute("role", "group");
      this.root.append(this.body);
      this.fill();
    }
    if (this.body) this.body.hidden = !open;
    if (open) this.view.noteOpened();
  }

  /** Build the body's contents, once. */
  fill() {}

  /**
   * The element that shows a field, where it is built.
   * @param {string} _field @returns {Element | null}
   */
  spot(_field) {
    return this.label;
  }

  /** Build what shows a field. @param {string} _field @param {number} _at where in its text */
  showSpot(_field, _at) {}

  /** Build the item of this key in the body, where there is one. @param {string} _key */
  reach(_key) {}

  /** The ways in which it can be shown, as entries of a menu. @returns {import("./menu.js").Entry[]} */
  modes() {
    return [];
  }

  /** A second has passed. @param {number} _now */
  tick(_now) {}
}

/** A text that is its own row: on one line when closed, whole when open. */
export class TextItem extends Item {
  /** @param {TreeView} view @param {string} key @param {number} level @param {string} kind
   *  @param {boolean} openAtFirst */
  constructor(view, key, level, kind, openAtFirst) {
    super(view, key, level, kind, { openAtFirst, structural: true });
    this.label.dir = "auto";
  }

  /** @param {string} text */
  update(text) {
    if (text.length > LINE / 2 || text.includes("\n")) this.makeOpenable();
    growText(this.label, text);
  }

  showBody() {}

  showSpot() {
    this.setOpen(true);
  }
}

/**
 * The nodes of a text in Markdown as its reader wants to see it: rendered, or as it was written.
 * @param {TreeView} view @param {string} key @param {Markup[] | null} nodes @param {string} text
 * @returns {Markup[] | null}
 */
export function shownNodes(view, key, nodes, text) {
  return text && view.memory.modes.get(key) === "raw" ? [["pre", {}, [text]]] : nodes;
}

/**
 * The two ways to show a text in Markdown.
 * @param {TreeView} view @param {string} key @param {() => void} draw
 * @returns {import("./menu.js").Entry[]}
 */
export function textModes(view, key, draw) {
  const now = view.memory.modes.get(key) ?? "rendered";
  return [["rendered", "Show rendered"], ["raw", "Show as written"]].map(([mode, label]) => ({
    label, checked: mode === now, isChoice: true, act: () => {
      view.setMode(key, mode);
      draw();
    },
  }));
}

/** What a model said beside its calls. */
export class SaidItem extends Item {
  /** @param {TreeView} view @param {string} key @param {number} level */
  constructor(view, key, level) {
    super(view, key, level, "said");
    this.text = new RenderedText("ma-rendered");
    this.label.append(this.text.root);
    /** @type {Turn | null} */
    this.turn = null;
  }

  /** @param {Turn} turn */
  update(turn) {
    this.turn = turn;
    this.text.update(shownNodes(this.view, this.key, turn.nodes, turn.text), turn.text);
  }

  modes() {
    return textModes(this.view, this.key, () => this.turn && this.update(this.turn));
  }
}
