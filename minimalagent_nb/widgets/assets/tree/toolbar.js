// @ts-check
/** The quiet buttons in the head of a run. */

import { copyEntries } from "./copying.js";
import { button, element, setAttribute, setHidden } from "./elements.js";
import { closeMenu, toggleMenu } from "./menu.js";
import { menuButton } from "./rowtools.js";

/**
 * @typedef {import("./view.js").TreeView} TreeView
 */

/**
 * A button that is known by its icon.
 * @param {string} label @param {string} icon @param {() => void} onClick
 */
function iconButton(label, icon, onClick) {
  const made = button("", onClick);
  made.classList.add("ma-icon", `ma-icon-${icon}`);
  made.setAttribute("aria-label", label);
  made.title = label;
  return made;
}

export class Toolbar {
  /** @param {TreeView} view @param {HTMLElement} stop the button before the others */
  constructor(view, stop) {
    this.view = view;
    this.root = element("div", "ma-buttons");
    this.expand = iconButton("Expand all", "expand", () => view.setAll(true));
    this.collapse = iconButton("Collapse all", "collapse", () => view.setAll(false));
    this.more = menuButton("Copy the run", "more", () => this.open());
    this.search = iconButton("Search", "search", () => view.searching.open());
    this.filter = menuButton("Filter", "filter", () => {
      toggleMenu(view.root, this.filter, "Filter", view.filtering.entries());
    });
    this.buttons = [this.search, this.filter, this.expand, this.collapse, this.more];
    this.root.append(stop, ...this.buttons);
  }

  open() {
    const { view, more } = this;
    toggleMenu(view.root, more, "Copy the run", copyEntries(view, "", more));
  }

  draw() {
    const { state, filtering } = this.view;
    for (const el of this.buttons) setHidden(el, !state.turns.length);
    setAttribute(this.filter, "data-on", String(filtering.isOn));
  }

  destroy() {
    closeMenu(this.view.root);
  }
}
