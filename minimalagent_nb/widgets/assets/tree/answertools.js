// @ts-check
/** The quiet button beside an answer. */

import { copyEntries } from "./copying.js";
import { element, setHidden } from "./elements.js";
import { textModes } from "./item.js";
import { toggleMenu } from "./menu.js";
import { grouped, menuButton } from "./rowtools.js";

/**
 * @typedef {import("./view.js").TreeView} TreeView
 */

export class AnswerTools {
  /** @param {TreeView} view @param {string} key */
  constructor(view, key) {
    this.view = view;
    this.key = key;
    this.root = element("div", "ma-answer-tools");
    this.root.hidden = true;
    this.more = menuButton("Copy and view the answer", "more", () => this.open());
    this.root.append(this.more);
    this.draw = () => {};
  }

  /** @param {string} text @param {() => void} draw shows the answer again */
  update(text, draw) {
    this.draw = draw;
    setHidden(this.root, !text);
  }

  open() {
    const { view, key, more } = this;
    const entries = grouped(copyEntries(view, key, more), textModes(view, key, () => this.draw()));
    toggleMenu(view.root, more, "Copy and view the answer", entries);
  }
}
