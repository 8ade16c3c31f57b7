// @ts-check
/** Texts on their way to the clipboard, which a browser may refuse. */

import { button, element, keepKeys } from "./elements.js";

/**
 * The old way, for pages that are not served securely.
 * @param {HTMLElement} root @param {string} text
 */
function copyBySelection(root, text) {
  const focused = document.activeElement;
  const field = /** @type {HTMLTextAreaElement} */ (element("textarea", "ma-unseen"));
  field.value = text;
  field.readOnly = true;
  field.setAttribute("aria-hidden", "true");
  keepKeys(field);
  root.append(field);
  field.select();
  let isCopied = false;
  try {
    isCopied = document.execCommand("copy");
  } catch {
    // Which is the same as a refusal.
  }
  field.remove();
  if (focused instanceof HTMLElement) focused.focus({ preventScroll: true });
  return isCopied;
}

/**
 * Put a text on the clipboard; false where the browser lets no page do that.
 * @param {HTMLElement} root @param {string} text @returns {Promise<boolean>}
 */
export async function copyText(root, text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    return copyBySelection(root, text);
  }
}

const SELECTABLE = 1_000_000; // characters; more would keep the page busy

/**
 * The text, selected, for a reader to copy.
 * @param {HTMLElement} root @param {string} text @param {HTMLElement} from where the focus was
 */
export function offerText(root, text, from) {
  const offer = element("div", "ma-offer");
  offer.setAttribute("role", "group");
  offer.setAttribute("aria-label", "Text to copy");
  const field = /** @type {HTMLTextAreaElement} */ (element("textarea", "ma-edit"));
  field.value = text.slice(0, SELECTABLE);
  field.readOnly = true;
  field.rows = Math.min(Math.max(text.slice(0, 10_000).split("\n").length, 2), 8);
  field.setAttribute("aria-label", "Text to copy");
  keepKeys(field);
  const close = () => {
    offer.remove();
    from.focus();
  };
  field.addEventListener("keydown", (event) => {
    if (event.key === "Escape") close();
    event.stopPropagation();
  });
  const cut = text.length > SELECTABLE ? " It is cut at 1,000,000 characters." : "";
  const words = element("div", "ma-hint",
    `This browser does not let the page copy. The text is selected: press Ctrl+C or ⌘C.${cut}`);
  offer.append(words, field, button("Close", close));
  root.querySelector(".ma-offer")?.remove();
  root.querySelector(".ma-meta")?.after(offer);
  field.focus();
  field.select();
}
