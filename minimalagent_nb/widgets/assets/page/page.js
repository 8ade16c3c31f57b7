// @ts-check
/** The history browser as the page of the server extension: the address after # names the session. */

import { HistoryBrowser } from "../history/browser.js";
import { RestSource } from "./rest.js";

/** The session that the address names. */
function addressed() {
  try {
    const id = decodeURIComponent(location.hash.slice(1));
    return /^[A-Za-z0-9_-]{1,128}$/.test(id) ? id : "";
  } catch {
    return ""; // a damaged address is no session's
  }
}

/** Fill the page. @param {HTMLElement} root */
export default function openPage(root) {
  const browser = new HistoryBrowser(root, new RestSource(), {
    session: addressed(),
    isPage: true,
    chosen: (id, title) => {
      document.title = title ? `${title} · Sessions` : "Sessions";
      // Each session is a step of the browser's own way back.
      if (id !== addressed()) location.hash = id;
    },
  });
  window.addEventListener("hashchange", () => {
    if (addressed() !== browser.session) browser.choose(addressed());
  });
  document.addEventListener("visibilitychange", () => {
    if (!document.hidden) browser.sessions.refresh();
  });
}
