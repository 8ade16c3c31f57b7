// @ts-check
/** The question whether a call may run. */

import { button, element, keepKeys, plain, setAttribute, setHidden, setText } from "./elements.js";

/**
 * @typedef {import("./fold.js").Tool} Tool
 */

const WIDE = 80; // characters on a line, about
const SHOWN = 13; // lines of arguments that are in view

/** About how many lines a text has on the screen. @param {string} text */
function screenLines(text) {
  return text.split("\n").reduce((sum, line) => sum + Math.max(Math.ceil(line.length / WIDE), 1), 0);
}

/**
 * An argument for reading, in an element of its own: texts of several lines, as code is, below
 * its name. All lines but the first are indented, those that the width makes too, so that none
 * of them can pass for an argument.
 * @param {string} name @param {any} value
 */
function argument(name, value) {
  const key = /^\w+$/.test(name) ? name : JSON.stringify(name);
  const isText = typeof value === "string" && value.trim().includes("\n");
  const text = isText ? `\n${value.replace(/^\n+|\n+$/g, "")}` : ` ${JSON.stringify(value, null, 2)}`;
  return element("div", "ma-argument", `${key}:${text}`);
}

/** All of them, to be scrolled. @param {Record<string, any>} inputs */
function argumentList(inputs) {
  const entries = Object.entries(inputs);
  const list = element("pre", "ma-block", entries.length ? "" : "No arguments");
  list.append(...entries.map(([name, value]) => argument(name, value)));
  list.tabIndex = 0;
  list.setAttribute("aria-label", "Arguments");
  return list;
}

/** What there is in a list of which not all is in view, so that nobody allows it unread.
 *  @param {HTMLElement} list @param {string[]} names */
function hintOf(list, names) {
  const all = plain(names.join(", "));
  const shown = all.length > 200 ? `${all.slice(0, 200)}…` : all;
  const lines = screenLines([...list.children].map((el) => el.textContent).join("\n"));
  return lines > SHOWN ? `Scroll to read all of it: ${shown}` : "";
}

/** Asks whether a call may run: its arguments as they are, and what can be said to them. */
export class Question {
  /** @param {Tool} tool @param {(answer: any) => void} onAnswer */
  constructor(tool, onAnswer) {
    this.onAnswer = onAnswer;
    this.json = JSON.stringify(tool.inputs ?? {}, null, 2);
    this.root = element("div", "ma-question");
    this.root.setAttribute("role", "group");
    this.root.setAttribute("aria-label", `May ${plain(tool.name).slice(0, 100)} run?`);
    this.shown = argumentList(tool.inputs ?? {});
    const names = Object.keys(tool.inputs ?? {});
    this.hint = element("div", "ma-hint", hintOf(this.shown, names));
    this.text = /** @type {HTMLTextAreaElement} */ (
      this.field("textarea", "ma-edit", "Arguments as JSON"));
    this.text.spellcheck = false;
    this.reason = /** @type {HTMLInputElement} */ (
      this.field("input", "ma-why", "Reason for denying"));
    this.reason.placeholder = "Why not? (optional, told to the model)";
    this.reason.maxLength = 2000;
    this.error = element("div", "ma-trouble");
    this.error.setAttribute("role", "alert");
    this.allow = button("Allow", () => this.decide({ decision: "approved" }));
    this.edit = button("Edit", () => this.setEditing(true));
    this.deny = button("Deny", () => this.denied());
    this.run = button("Run with these", () => this.edited());
    this.back = button("Back", () => this.setEditing(false));
    for (const main of [this.allow, this.run]) main.classList.add("ma-main");
    const choices = element("div", "ma-choices");
    choices.append(this.allow, this.edit, this.run, this.back, this.deny, this.reason);
    this.root.append(this.shown, this.hint, this.text, this.error, choices);
    if (tool.inputsCut) setText(this.error, "The arguments are too long to be shown whole.");
    this.canEdit = !tool.inputsCut;
    this.isSent = false;
    this.refused = "";
    this.arrange(false);
  }

  /** What can be written into. @param {string} tag @param {string} className @param {string} label */
  field(tag, className, label) {
    const made = element(tag, className);
    made.setAttribute("aria-label", label);
    keepKeys(made);
    made.addEventListener("keydown", (event) => this.onKey(event));
    return made;
  }

  /** @param {boolean} isEditing */
  arrange(isEditing) {
    for (const el of [this.text, this.run, this.back]) setHidden(el, !isEditing);
    for (const el of [this.shown, this.allow, this.deny, this.reason]) setHidden(el, isEditing);
    setHidden(this.hint, isEditing || !this.hint.textContent);
    setHidden(this.edit, isEditing || !this.canEdit);
  }

  /** @param {boolean} isEditing */
  setEditing(isEditing) {
    this.arrange(isEditing);
    setText(this.error, "");
    if (!isEditing) return this.edit.focus();
    this.text.value ||= this.json;
    this.text.rows = Math.min(Math.max(screenLines(this.text.value), 3), 16);
    this.text.focus();
    this.text.setSelectionRange(0, 0); // a long one is read from its beginning
    this.text.scrollTop = 0;
  }

  edited() {
    let inputs;
    try {
      inputs = JSON.parse(this.text.value);
    } catch (error) {
      setText(this.error, `That is no JSON: ${error instanceof Error ? error.message : error}`);
      return this.text.focus();
    }
    if (inputs === null || typeof inputs !== "object" || Array.isArray(inputs)) {
      setText(this.error, 'It must be an object, such as {"name": "value"}.');
      return this.text.focus();
    }
    this.decide({ decision: "edited", inputs });
  }

  denied() {
    const reason = this.reason.value.trim();
    this.decide({ decision: "denied", ...(reason ? { reason } : {}) });
  }

  /** @param {any} answer */
  decide(answer) {
    if (this.isSent) return;
    this.setSent(true);
    this.refused = "";
    setText(this.error, "");
    this.onAnswer(answer);
  }

  /** @param {string} text why the answer was not taken */
  refuse(text) {
    if (text === this.refused) return;
    this.refused = text;
    this.setSent(false);
    setText(this.error, text);
  }

  /** @param {boolean} isSent */
  setSent(isSent) {
    this.isSent = isSent;
    for (const el of this.root.querySelectorAll("button")) {
      setAttribute(el, "aria-disabled", String(isSent));
    }
    this.text.readOnly = isSent;
    this.reason.readOnly = isSent;
  }

  /** @param {KeyboardEvent} event */
  onKey(event) {
    const isPlain = !event.shiftKey && !event.ctrlKey && !event.altKey && !event.metaKey;
    const isDone = event.key === "Enter" && isPlain && !event.isComposing;
    if (isDone && event.target === this.reason) this.denied();
    else if (event.key === "Escape" && event.target === this.text) this.setEditing(false);
    else return;
    event.preventDefault();
    event.stopPropagation();
  }
}
