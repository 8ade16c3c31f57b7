// @ts-check
/**
 * The keys of the tree, by the ARIA Authoring Practices for tree views: arrows, Home, End,
 * Enter and the space bar, `*`, type-ahead; besides them `/` to search, and Escape, which
 * leads from what is in an item to the item, and from there back to the notebook.
 */

import { plain } from "./elements.js";

/**
 * @typedef {import("./item.js").Item} Item
 * @typedef {import("./view.js").TreeView} TreeView
 */

const TYPING = 1000; // ms after which a letter begins another word
const LABEL = 200; // so much of a label can be typed

/**
 * Which label is meant by what was typed: one letter, also a repeated one, goes on to the
 * next that begins with it; more letters stay where they fit already. Pure.
 * @param {string[]} labels @param {number} at the present one's place @param {string} typed
 * @returns {number} its place, -1 for none
 */
export function findLabel(labels, at, typed) {
  const word = typed.toLowerCase();
  const isOneLetter = [...word].every((letter) => letter === word[0]);
  const wanted = isOneLetter ? word[0] : word;
  const first = at + (isOneLetter ? 1 : 0);
  for (let step = 0; step < labels.length; step += 1) {
    const place = (first + step) % labels.length;
    if (labels[place].toLowerCase().startsWith(wanted)) return place;
  }
  return -1;
}

export class TreeKeys {
  /** @param {TreeView} view */
  constructor(view) {
    this.view = view;
    this.typed = "";
    this.typedAt = -Infinity;
  }

  /** @param {KeyboardEvent} event */
  press(event) {
    const item = this.view.itemOf(event);
    if (!item || event.defaultPrevented || event.ctrlKey || event.altKey || event.metaKey) return;
    if (event.target !== item.root) {
      if (event.key === "Escape") this.goTo(event, item);
      return;
    }
    const isWord = event.key.length === 1 && (event.key !== " " || this.isTyping(event));
    const isTaken = this.command(event, item) || (isWord && this.type(event, item));
    if (!isTaken) return;
    event.preventDefault();
    event.stopPropagation();
  }

  /** @param {KeyboardEvent} event @param {Item} item whether it was a command */
  command(event, item) {
    const { view } = this;
    if (event.key === " " && this.isTyping(event)) return false;
    /** @type {Record<string, () => Item | undefined | void>} */
    const commands = {
      ArrowDown: () => this.beside(item, 1),
      ArrowUp: () => this.beside(item, -1),
      Home: () => view.visible()[0],
      End: () => view.visible().at(-1),
      ArrowRight: () => (item.isOpen ? this.firstIn(item) : view.choose(item, true)),
      ArrowLeft: () => (item.isOpen ? view.choose(item, false) : this.around(item)),
      Enter: () => view.choose(item, !item.isOpen),
      " ": () => view.choose(item, !item.isOpen),
      "*": () => this.openBeside(item),
      "/": () => view.searching.open(),
      Escape: () => this.leave(item),
    };
    if (event.shiftKey && event.key.length > 1) return false;
    if (!Object.hasOwn(commands, event.key)) return false;
    this.typed = "";
    commands[event.key]()?.root.focus();
    return true;
  }

  /** @param {KeyboardEvent} event */
  isTyping(event) {
    return this.typed !== "" && event.timeStamp - this.typedAt < TYPING;
  }

  /** @param {KeyboardEvent} event @param {Item} item */
  type(event, item) {
    this.typed = (this.isTyping(event) ? this.typed : "") + event.key;
    this.typedAt = event.timeStamp;
    const items = this.view.visible();
    const labels = items.map(({ label }) => plain(label.textContent).slice(0, LABEL).trimStart());
    items[findLabel(labels, items.indexOf(item), this.typed)]?.root.focus();
    return true;
  }

  /** @param {Item} item @param {number} step */
  beside(item, step) {
    const items = this.view.visible();
    return items[items.indexOf(item) + step];
  }

  /** @param {Item} item */
  firstIn(item) {
    const next = this.beside(item, 1);
    return next && item.root.contains(next.root) ? next : undefined;
  }

  /** @param {Item} item */
  around(item) {
    const around = item.root.parentElement?.closest("[role=treeitem]");
    return around ? this.view.items.get(around) : undefined;
  }

  /** Open all items of the same parent. @param {Item} item */
  openBeside(item) {
    const parent = this.around(item);
    for (const other of this.view.visible()) {
      if (this.around(other) === parent) this.view.choose(other, true);
    }
  }

  /** Out of the tree, to the cell of a notebook, where its keys are. @param {Item} item */
  leave(item) {
    const around = this.view.root.parentElement?.closest("[tabindex]");
    if (around instanceof HTMLElement) around.focus({ preventScroll: true });
    else item.root.blur();
  }

  /** @param {KeyboardEvent} event @param {Item} item */
  goTo(event, item) {
    item.root.focus();
    event.preventDefault();
    event.stopPropagation();
  }
}
