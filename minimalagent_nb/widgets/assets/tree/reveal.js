// @ts-check
/** The way to a place of the run: what is closed is opened, what is out of view is scrolled to. */

import { scrollersOf } from "./scroll.js";

/**
 * @typedef {import("./item.js").Item} Item
 * @typedef {import("./search.js").Found} Found
 * @typedef {import("./view.js").TreeView} TreeView
 */

const PACED = new Set(["turn", "tool"]);
const EDGE = 48; // pixels that are left around what is scrolled to

/** The item of a key, where it is in the page. @param {TreeView} view @param {string} key */
export function itemAt(view, key) {
  const item = view.byKey.get(key);
  return item?.root.isConnected ? item : undefined;
}

/** The element that shows a field, where it is built. @param {TreeView} view @param {Found} found */
export function spotOf(view, { key, field }) {
  return key === "" ? view.spot(field) : itemAt(view, key)?.spot(field) ?? null;
}

/**
 * Open the way to a place, and build what is missing.
 * @param {TreeView} view @param {Found} found @returns {Item | null} the item that shows it
 */
export function openWay(view, { key, field, at }) {
  if (key === "") return null;
  const parts = key.split("/");
  /** @type {Item | null} */
  let item = null;
  for (let count = 1; count <= parts.length; count += 1) {
    const here = parts.slice(0, count).join("/");
    let next = itemAt(view, here);
    // A long run is built in slices: as many of them as it takes.
    while (!next && PACED.has(parts[count - 2]) && view.pace.behind.size) {
      view.pace.begin();
      view.pace.next();
      next = itemAt(view, here);
    }
    if (!next && item) {
      item.reach(here);
      next = itemAt(view, here);
    }
    if (!next) continue;
    item = next;
    if (count < parts.length) item.setOpen(true);
  }
  view.pace.show(); // what is skipped cannot be scrolled to
  item?.showSpot(field, at);
  return item;
}

/** Whether what was in a range is not there any more. @param {Range | Element} target */
function isGone(target) {
  return target instanceof Range && target.collapsed;
}

/**
 * Scroll whatever has to scroll so that a range, or an element, can be seen.
 * @param {Range | Element} target @param {Element} inside what it is in
 */
export function scrollTo(target, inside) {
  if (!inside.isConnected) return; // a place that is not there is no way to scroll
  for (const scroller of [inside, ...scrollersOf(inside)]) {
    const isPage = scroller === document.scrollingElement;
    if (!isPage && scroller.scrollHeight <= scroller.clientHeight + 1) continue;
    const rect = (isGone(target) ? inside : target).getBoundingClientRect();
    const box = scroller.getBoundingClientRect();
    const top = isPage ? 0 : Math.max(box.top, 0);
    const bottom = isPage ? window.innerHeight : Math.min(box.bottom, window.innerHeight);
    const edge = Math.min(EDGE, (bottom - top) / 4);
    if (rect.top >= top + edge && rect.bottom <= bottom - edge) continue;
    scroller.scrollTop += rect.top - (top + (bottom - top) / 3);
    if (rect.left < box.left || rect.right > box.right) scroller.scrollLeft += rect.left - box.left - 20;
  }
}
