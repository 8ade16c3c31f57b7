// @ts-check
/** A menu that opens at a button, by the keys of the ARIA Authoring Practices. */

import { button, element } from "./elements.js";

/**
 * @typedef {{label: string, note?: string, checked?: boolean, isChoice?: boolean,
 *   act: () => void} | null} Entry null is a line between two groups; of entries with
 *   `isChoice` one is checked, others with `checked` are switches
 */

const MARGIN = 8; // pixels to the edge of the window

/** The only one that is open. @type {Menu | null} */
let openMenu = null;

class Menu {
  /** @param {HTMLElement} root of the tree, whose colours it takes @param {HTMLElement} anchor
   *  @param {string} label @param {Entry[]} entries */
  constructor(root, anchor, label, entries) {
    this.anchor = anchor;
    this.el = element("div", "ma-menu");
    this.el.setAttribute("role", "menu");
    this.el.setAttribute("aria-label", label);
    this.el.append(...entries.map((entry) => this.build(entry)));
    /** @type {HTMLElement[]} */
    this.items = [...this.el.querySelectorAll("button")];
    this.el.addEventListener("keydown", (event) => this.onKey(event));
    this.outside = (/** @type {Event} */ event) => {
      const { target } = event;
      const isInside = target instanceof Node && (this.el.contains(target) || anchor.contains(target));
      if (!isInside) this.close(false);
    };
    this.follow = () => this.put();
    document.addEventListener("pointerdown", this.outside, true);
    document.addEventListener("scroll", this.follow, true);
    window.addEventListener("resize", this.follow);
    anchor.setAttribute("aria-expanded", "true");
    root.append(this.el);
    // In the top layer nothing cuts it off: a notebook's outputs scroll.
    if (typeof this.el.showPopover === "function") {
      this.el.setAttribute("popover", "manual");
      this.el.showPopover();
    }
    this.put();
    this.items[0]?.focus();
  }

  /** @param {Entry} entry */
  build(entry) {
    if (!entry) {
      const line = element("div", "ma-menu-line");
      line.setAttribute("role", "separator");
      return line;
    }
    const item = button(entry.label, () => {
      this.close(true);
      entry.act();
    });
    item.className = "ma-menu-item";
    const isSwitch = entry.checked !== undefined;
    item.setAttribute("role",
      entry.isChoice ? "menuitemradio" : isSwitch ? "menuitemcheckbox" : "menuitem");
    if (isSwitch) item.setAttribute("aria-checked", String(entry.checked));
    if (entry.note) item.append(element("span", "ma-menu-note", entry.note));
    item.tabIndex = -1;
    return item;
  }

  /** Below its button where there is room, else above it; the page may scroll by itself. */
  put() {
    const at = this.anchor.getBoundingClientRect();
    if (at.bottom < 0 || at.top > window.innerHeight) return this.close(false);
    const { offsetWidth: width, offsetHeight: height } = this.el;
    const left = Math.min(at.right - width, window.innerWidth - width - MARGIN);
    const isBelow = at.bottom + height + MARGIN <= window.innerHeight || at.top < height + MARGIN;
    const top = isBelow ? Math.min(at.bottom + 2, window.innerHeight - height - MARGIN)
      : at.top - height - 2;
    this.el.style.left = `${Math.max(left, MARGIN)}px`;
    this.el.style.top = `${Math.max(top, MARGIN)}px`;
  }

  /** @param {boolean} isFocused whether the focus goes back to the button */
  close(isFocused) {
    if (openMenu === this) openMenu = null;
    document.removeEventListener("pointerdown", this.outside, true);
    document.removeEventListener("scroll", this.follow, true);
    window.removeEventListener("resize", this.follow);
    this.anchor.setAttribute("aria-expanded", "false");
    this.el.remove();
    if (isFocused) this.anchor.focus({ preventScroll: true });
  }

  /** @param {KeyboardEvent} event */
  onKey(event) {
    const { items } = this;
    const at = items.findIndex((item) => item === document.activeElement);
    /** @type {Record<string, () => HTMLElement | undefined>} */
    const keys = {
      ArrowDown: () => items[(at + 1) % items.length],
      ArrowUp: () => items.at(at - 1),
      Home: () => items[0],
      End: () => items.at(-1),
    };
    event.stopPropagation();
    if (event.key === "Escape" || event.key === "Tab") {
      this.close(true);
      if (event.key === "Escape") event.preventDefault();
    } else if (Object.hasOwn(keys, event.key)) {
      event.preventDefault();
      keys[event.key]()?.focus();
    } else if (event.key.length === 1 && event.key !== " " && !event.ctrlKey && !event.metaKey) {
      const wanted = event.key.toLowerCase();
      const isWanted = (/** @type {HTMLElement} */ item) =>
        item.textContent?.toLowerCase().startsWith(wanted);
      (items.slice(at + 1).find(isWanted) ?? items.find(isWanted))?.focus();
    }
  }
}

/**
 * Open a menu at a button, or close the one that is open there.
 * @param {HTMLElement} root @param {HTMLElement} anchor @param {string} label
 * @param {Entry[]} entries
 */
export function toggleMenu(root, anchor, label, entries) {
  const before = openMenu;
  before?.close(false);
  if (before?.anchor !== anchor) openMenu = new Menu(root, anchor, label, entries);
}

/** Whether the menu of this button is open. @param {HTMLElement} anchor */
export function isMenuOpen(anchor) {
  return openMenu?.anchor === anchor;
}

/** Close the menu that is open in an element. @param {HTMLElement} root */
export function closeMenu(root) {
  if (openMenu && root.contains(openMenu.el)) openMenu.close(false);
}
