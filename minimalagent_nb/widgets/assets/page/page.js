// @ts-check
/** The history browser as the page of the server extension: the address says where the reader is. */

import { HistoryBrowser } from "../history/browser.js";
import { hashOf, isWayStep, whereOf } from "./address.js";
import { RestSource } from "./rest.js";

/** Fill the page. @param {HTMLElement} root */
export default function openPage(root) {
  const browser = new HistoryBrowser(root, new RestSource(), {
    where: whereOf(location.hash),
    isPage: true,
    moved: (where, title) => {
      document.title = title ? `${title} · Sessions` : "Sessions";
      const hash = hashOf(where);
      const before = whereOf(location.hash);
      if (hash === hashOf(before)) return;
      const address = hash || location.pathname + location.search;
      if (isWayStep(before, where)) history.pushState(null, "", address);
      else history.replaceState(null, "", address);
    },
  });
  // Also where the reader writes into the address.
  window.addEventListener("popstate", () => {
    const where = whereOf(location.hash);
    if (hashOf(where) !== hashOf(browser.where)) browser.go(where);
  });
  document.addEventListener("visibilitychange", () => {
    if (!document.hidden) browser.sessions.refresh();
  });
}
