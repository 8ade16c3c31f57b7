// @ts-check
/**
 * Expand all and collapse all, in slices: what is in view at once, the rest over the next frames.
 *
 * What the reader wants is remembered before the first slice, so that each item that is built
 * meanwhile follows it; an item that was opened or closed since then is left as it is.
 */

/**
 * @typedef {import("./item.js").Item} Item
 * @typedef {import("./view.js").TreeView} TreeView
 */

/** The first of these elements, in the order of the page, that ends below the window's upper edge.
 *  @param {Element[]} els */
function firstInView(els) {
  const at = els.findIndex((el) => el.getBoundingClientRect().bottom > 0);
  return at < 0 ? null : els[at];
}

export class Sweep {
  /** @param {TreeView} view */
  constructor(view) {
    this.view = view;
    /** Which of all of them this is: what an item was last opened or closed in. */
    this.number = 0;
    /** @type {Item[]} */
    this.left = [];
    this.at = 0;
  }

  /** Bring all items to what is remembered now. */
  begin() {
    const { view } = this;
    this.number += 1;
    const els = [...view.tree.querySelectorAll("[role=treeitem]")];
    // Of the turns alone, as those that nobody sees have no layout within them.
    const first = firstInView([...view.tree.children]);
    const middle = first ? els.indexOf(first) : 0;
    this.left = [...els.slice(middle), ...els.slice(0, middle)]
      .map((el) => /** @type {Item} */ (view.items.get(el))).filter(({ structural }) => structural);
    this.at = 0;
    view.pace.begin();
    this.next();
  }

  /** As many as this slice still has room for. */
  next() {
    const { left, number, view } = this;
    for (; this.at < left.length; this.at += 1) {
      const item = left[this.at];
      if (item.sweep === number || !item.opens) continue;
      const open = view.recall(item);
      if (item.isOpen === open) continue;
      if (!view.pace.take()) return view.refresh();
      item.setOpen(open);
    }
    this.left = [];
    this.at = 0;
  }
}
