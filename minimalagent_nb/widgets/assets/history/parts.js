// @ts-check
/** Small things that all panes are made of. Nothing here reads a text as HTML. */

import { element, keepKeys, setHidden, setText } from "../tree/elements.js";
import { exactText, whenText } from "./times.js";

/** @param {string} label @param {(event: MouseEvent) => void} onClick @param {string} [className] */
export function pushButton(label, onClick, className = "mh-button") {
  const made = /** @type {HTMLButtonElement} */ (element("button", className, label));
  made.type = "button";
  keepKeys(made);
  made.addEventListener("click", onClick);
  return made;
}

/**
 * A field to type in.
 * @param {{type?: string, label: string, placeholder?: string, className?: string}} about
 */
export function field({ type = "search", label, placeholder = "", className = "mh-field" }) {
  const made = /** @type {HTMLInputElement} */ (element("input", className));
  made.type = type;
  made.placeholder = placeholder;
  made.setAttribute("aria-label", label);
  made.autocomplete = "off";
  made.spellcheck = false;
  made.maxLength = 500;
  keepKeys(made);
  return made;
}

/** A choice of words. @param {string} label @param {Record<string, string>} words by their values */
export function choice(label, words) {
  const made = /** @type {HTMLSelectElement} */ (element("select", "mh-choice"));
  made.setAttribute("aria-label", label);
  keepKeys(made);
  for (const [value, word] of Object.entries(words)) {
    const option = /** @type {HTMLOptionElement} */ (element("option", "", word));
    option.value = value;
    made.append(option);
  }
  return made;
}

/** What went wrong, and a button to try again, which keeps the focus where it goes wrong again. */
export class Trouble {
  /** @param {() => void} again */
  constructor(again) {
    this.root = element("div", "mh-note");
    this.root.setAttribute("role", "status");
    this.words = element("span");
    this.root.append(this.words, pushButton("Try again", again));
    setHidden(this.root, true);
  }

  get isTold() {
    return !this.root.hidden;
  }

  /** @param {string} text @param {string} [more] why, as a tooltip */
  tell(text, more = "") {
    setText(this.words, text);
    this.root.title = more;
    setHidden(this.root, false);
  }

  /** It is over. @returns {boolean} whether the focus was there, and is nowhere now */
  end() {
    const { activeElement } = document;
    const isFocused = activeElement instanceof HTMLElement && this.root.contains(activeElement);
    if (isFocused) activeElement.blur();
    setHidden(this.root, true);
    return isFocused;
  }
}

/** A moment, its exact time as a tooltip. @param {HTMLElement} el @param {number | null} seconds */
export function setWhen(el, seconds) {
  setText(el, whenText(seconds, Date.now() / 1000));
  el.title = exactText(seconds);
}

/** A text on one line. @param {string | null | undefined} text @param {number} [most] */
export function oneLine(text, most = 500) {
  return String(text ?? "").slice(0, most).replace(/\s+/g, " ").trim();
}

/**
 * What stands where there is nothing to list: a line, a second one that says what to do, and
 * perhaps a button that does it.
 * @param {string} title @param {string} [more]
 * @param {{label: string, act: () => void}[]} [actions]
 */
export function blank(title, more = "", actions = []) {
  const made = element("div", "mh-blank");
  made.append(element("p", "mh-blank-title", title));
  if (more) made.append(element("p", "", more));
  for (const { label, act } of actions) made.append(pushButton(label, act));
  return made;
}

/**
 * Arrow keys, Home and End among elements that take the focus.
 * @param {KeyboardEvent} event @param {HTMLElement[]} all @returns {boolean} whether one was meant
 */
export function walkKeys(event, all) {
  if (event.ctrlKey || event.metaKey || event.altKey || event.shiftKey) return false;
  const place = all.findIndex((each) => each === event.target);
  /** @type {Record<string, number>} */
  const to = { ArrowDown: place + 1, ArrowUp: place - 1, Home: 0, End: all.length - 1 };
  if (place < 0 || !Object.hasOwn(to, event.key)) return false;
  event.preventDefault();
  event.stopPropagation();
  all[to[event.key]]?.focus();
  return true;
}

/** Have an element hold these and no others; what is in its place is not touched.
 *  @param {Element} parent @param {Element[]} children */
export function arrange(parent, children) {
  const wanted = new Set(children);
  for (const child of [...parent.children]) if (!wanted.has(child)) child.remove();
  let next = parent.firstElementChild;
  for (const child of children) {
    if (child === next) next = next.nextElementSibling;
    else parent.insertBefore(child, next);
  }
}

/** Whether the focus is nowhere: what comes late must not take it from where a reader is now. */
export function isFocusFree() {
  return !document.activeElement || document.activeElement === document.body;
}

/** Do something when what was changed until now is on the screen. @param {() => void} act */
export function afterPaint(act) {
  requestAnimationFrame(() => setTimeout(act));
}

/** Waits until nothing more is typed. @param {() => void} act @param {number} milliseconds */
export function settled(act, milliseconds) {
  let timer = 0;
  const wait = () => {
    clearTimeout(timer);
    timer = window.setTimeout(act, milliseconds);
  };
  return { wait, cancel: () => clearTimeout(timer) };
}
