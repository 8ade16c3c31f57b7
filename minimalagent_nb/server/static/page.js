// @ts-check
/** The page of the server extension: the history browser, which a notebook shows as a widget. */

import openPage from "./history.js";

openPage(/** @type {HTMLElement} */ (document.getElementById("history")));
