// @ts-check
/**
 * The page of an exported session: its interactions, each of which opens as the tree.
 *
 * Without this script the page shows every interaction standing still. The data of one is
 * read when it is first opened, and its tree takes the place of the static form then.
 */

import { EMPTY_RUN, receive } from "../tree/fold.js";
import { mountTree } from "../tree/view.js";

/**
 * Put the tree into an interaction that is open; one that has it, or no data, stays as it is.
 * @param {HTMLDetailsElement} entry
 */
export function showTree(entry) {
  const data = entry.querySelector(":scope > script");
  const place = entry.querySelector(":scope > .me-body");
  if (!entry.open || !data || !place) return;
  const { feed } = receive({ rev: 0, state: EMPTY_RUN }, JSON.parse(data.textContent ?? ""));
  const root = document.createElement("div");
  mountTree(root, { state: feed.state });
  place.replaceChildren(root);
  data.remove();
}

/** Begin to work on the page. @param {Document} page */
export function openSession(page) {
  /** @type {HTMLDetailsElement[]} */
  const entries = [...page.querySelectorAll(/** @type {"details"} */ ("details.me-run"))];
  const button = /** @type {HTMLButtonElement | null} */ (page.querySelector(".me-all"));
  const name = () => {
    if (button) button.textContent = entries.every((entry) => entry.open) ? "Close all" : "Open all";
  };
  for (const entry of entries) {
    entry.addEventListener("toggle", () => {
      showTree(entry);
      name();
    });
    showTree(entry);
  }
  button?.addEventListener("click", () => {
    const open = !entries.every((entry) => entry.open);
    for (const entry of entries) entry.open = open;
  });
  if (button) button.hidden = entries.length < 2;
  name();
  // An address that ends in #run-3 opens that one.
  const goTo = () => {
    const named = entries.find((entry) => `#${entry.id}` === page.location.hash);
    if (!named) return;
    named.open = true;
    named.scrollIntoView();
  };
  page.defaultView?.addEventListener("hashchange", goTo);
  goTo();
}
