// @ts-check
/** JSON values in the tree. */

import { countText, isFilled, NUMBERS, preview } from "./words.js";
import { button, element, setText } from "./elements.js";
import { keyPart } from "./places.js";
import { Item, LINE, SHORT_TEXT } from "./item.js";

/**
 * @typedef {import("./view.js").TreeView} TreeView
 */

export const FEW_VALUES = 12;
const LONG_TEXT = 600;
const PAGE_OF_VALUES = 100;

/** A JSON value: on one line where it fits, and to be opened where there is more to it. */
export class ValueItem extends Item {
  /**
   * @param {TreeView} view @param {string} key @param {number} level @param {string} name
   * @param {unknown} value @param {number} few so many entries are shown at once, none at -1
   */
  constructor(view, key, level, name, value, few) {
    const { text, isWhole } = preview(value, LINE);
    const isText = typeof value === "string";
    const size = isText ? value.length : isFilled(value) ? Object.keys(Object(value)).length : 0;
    super(view, key, level, "value", {
      openAtFirst: !isWhole && few >= 0 && size <= (isText ? SHORT_TEXT : few),
    });
    this.value = value;
    const type = value === null ? "null" : typeof value;
    this.name = element("span", "ma-key", name);
    this.label.append(this.name, element("span", `ma-json ma-json-${type}`, text));
    if (Array.isArray(value)) setText(this.note, countText(value.length, "item"));
    if (isText && !isWhole) setText(this.note, countText(size, "character"));
    if (isFilled(value) || !isWhole) this.makeOpenable();
  }

  /** @param {string} name */
  rename(name) {
    setText(this.name, name);
  }

  fill() {
    if (typeof this.value === "string") this.fillText(this.value);
    else this.fillEntries(Object.entries(/** @type {object} */ (this.value)));
  }

  /** @param {string} text */
  fillText(text) {
    const isCut = text.length > LONG_TEXT && !this.view.memory.whole.has(this.key);
    const block = element("pre", "ma-block", isCut ? `${text.slice(0, LONG_TEXT)}…` : text);
    this.body?.append(block);
    if (!isCut) return;
    const all = button(`Show all (${countText(text.length, "character")})`, () => {
      this.view.memory.whole.add(this.key);
      setText(block, text);
      all.remove();
      this.root.focus();
    });
    this.body?.append(all);
  }

  /** @param {[string, unknown][]} entries */
  fillEntries(entries) {
    const isList = Array.isArray(this.value);
    let shown = 0;
    const more = button("", () => {
      for (const [name, value] of entries.slice(shown, shown + PAGE_OF_VALUES)) {
        const item = new ValueItem(this.view, `${this.key}/${keyPart(name)}`, this.level + 1,
          isList ? `[${name}]` : name, value, FEW_VALUES / 2);
        this.body?.insertBefore(item.root, more);
      }
      shown += PAGE_OF_VALUES;
      if (shown < entries.length) {
        setText(more, `Show more (${NUMBERS.format(entries.length - shown)} left)`);
      } else {
        more.remove();
      }
    });
    this.body?.append(more);
    more.click();
  }
}
