// @ts-check
/**
 * The quiet button at the end of a row: what can be copied of it, and how it is shown.
 *
 * There is one for the whole tree, at the row under the pointer or with the focus.
 */

import { copyEntries } from "./copying.js";
import { button, setAttribute } from "./elements.js";
import { isMenuOpen, toggleMenu } from "./menu.js";

/**
 * @typedef {import("./item.js").Item} Item
 * @typedef {import("./menu.js").Entry} Entry
 * @typedef {import("./view.js").TreeView} TreeView
 */

/**
 * A button that opens a menu.
 * @param {string} label @param {string} icon @param {() => void} onClick
 */
export function menuButton(label, icon, onClick) {
  const made = button("", onClick);
  made.classList.add("ma-icon", `ma-icon-${icon}`);
  made.setAttribute("aria-label", label);
  made.setAttribute("aria-haspopup", "menu");
  made.setAttribute("aria-expanded", "false");
  made.title = label;
  return made;
}

/** Two groups of entries with a line between them. @param {Entry[]} one @param {Entry[]} other */
export function grouped(one, other) {
  return one.length && other.length ? [...one, null, ...other] : [...one, ...other];
}

export class RowTools {
  /** @param {TreeView} view @param {HTMLElement} tree */
  constructor(view, tree) {
    this.view = view;
    /** @type {Item | null} */
    this.item = null;
    this.more = menuButton("Copy and view", "more", () => this.open());
    this.more.classList.add("ma-more");
    tree.addEventListener("pointerover", (event) => this.follow(event));
    tree.addEventListener("focusin", (event) => this.follow(event));
    tree.addEventListener("pointerleave", () => this.rest());
  }

  /** @param {Event} event */
  follow(event) {
    const item = this.view.itemOf(event);
    const isBusy = isMenuOpen(this.more) ||
      (event.type === "pointerover" && this.more.matches(":focus-visible"));
    if (!item || isBusy || event.target === this.more) return;
    this.put(item);
  }

  /** No row is pointed at any more: back to the one with the focus. */
  rest() {
    if (isMenuOpen(this.more) || this.more.matches(":focus-visible")) return;
    const focused = document.activeElement?.closest("[role=treeitem]");
    const item = focused && this.view.items.get(focused);
    if (item) this.put(item);
    else this.more.remove();
  }

  /** @param {Item} item */
  put(item) {
    if (this.item === item && this.more.isConnected) return;
    this.item = item;
    setAttribute(this.more, "aria-describedby", item.row.id);
    item.row.after(this.more);
  }

  open() {
    const { item, view } = this;
    if (!item) return;
    const entries = grouped(copyEntries(view, item.key, this.more), item.modes());
    if (!entries.length) entries.push({ label: "Nothing to copy", act: () => undefined });
    toggleMenu(view.root, this.more, "Copy and view", entries);
  }
}
