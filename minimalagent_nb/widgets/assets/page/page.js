// @ts-check
/** The history browser as the page of the server extension: the address says where the reader is. */

import { HistoryBrowser } from "../history/browser.js";
import { Address, hashOf } from "./address.js";
import { RestSource } from "./rest.js";

/** Fill the page. @param {HTMLElement} root */
export default function openPage(root) {
  const address = new Address(location, history);
  const browser = new HistoryBrowser(root, new RestSource(), {
    where: address.where,
    isPage: true,
    moved: (where, title) => {
      document.title = title ? `${title} · Sessions` : "Sessions";
      address.tell(where);
    },
  });
  address.settle(browser.where);
  // Also where the reader writes into the address.
  window.addEventListener("popstate", () => {
    const { where } = address;
    if (hashOf(where) !== hashOf(browser.where)) browser.go(where);
    address.settle(browser.where);
  });
  document.addEventListener("visibilitychange", () => {
    if (!document.hidden) browser.sessions.look();
  });
}
