// @ts-check
/** JSON values in the tree. */

import { countText, isFilled, NUMBERS, preview } from "./words.js";
import { button, element, RenderedText, setText } from "./elements.js";
import { keyPart, PARSED, parsed } from "./places.js";
import { tableOf } from "./table.js";
import { tableSize, TableView } from "./tableview.js";
import { Item, LINE, SHORT_TEXT } from "./item.js";

/**
 * @typedef {import("./view.js").TreeView} TreeView
 * @typedef {{facts?: import("./fold.js").TableFacts | null,
 *   nodes?: import("./fold.js").Markup[] | null}} Extras what is known of a result besides its value
 */

export const FEW_VALUES = 12;
const LONG_TEXT = 600;
const PAGE_OF_TEXT = 100_000; // characters; more at once would keep the page busy
const PAGE_OF_VALUES = 100;
/** @type {Record<string, string>} */
const MODES = {
  table: "Show as table", json: "Show as JSON", text: "Show as text", parsed: "Show the JSON in it",
  rendered: "Show rendered",
};

/** A JSON value: on one line where it fits, and to be opened where there is more to it. */
export class ValueItem extends Item {
  /**
   * @param {TreeView} view @param {string} key @param {number} level @param {string} name
   * @param {unknown} value @param {number} few so many entries are shown at once, none at -1
   * @param {Extras} [extras]
   */
  constructor(view, key, level, name, value, few, extras = {}) {
    const { isWhole } = preview(value, LINE);
    const isText = typeof value === "string";
    const entries = tableOf(value)?.size ?? (isFilled(value) ? Object.keys(Object(value)).length : 0);
    const size = isText ? value.length : entries;
    super(view, key, level, "value", {
      openAtFirst: !isWhole && few >= 0 && size <= (isText ? SHORT_TEXT : few),
    });
    this.extras = extras;
    /** @type {TableView | null} */
    this.table = null;
    /** @type {Element | null} */
    this.text = null;
    /** The parts of a long text, or the entries, that are still to come. @type {(() => void) | null} */
    this.showMore = null;
    this.name = element("span", "ma-key", name);
    this.shown = element("span");
    this.label.append(this.name, this.shown);
    this.set(value);
  }

  /** Another value in its place, such as the whole of it. @param {unknown} value */
  set(value) {
    this.value = value;
    const { text, isWhole } = preview(value, LINE);
    this.shown.className = `ma-json ma-json-${value === null ? "null" : typeof value}`;
    setText(this.shown, text);
    setText(this.note, this.sizeText(isWhole));
    if (isFilled(value) || !isWhole || this.choices.length) this.makeOpenable();
    if (this.body) this.refill();
  }

  /** @param {boolean} isWhole whether the row shows all of it */
  sizeText(isWhole) {
    const { value } = this;
    const table = tableOf(value);
    if (table) return tableSize(table, this.extras.facts ?? null);
    if (Array.isArray(value)) return countText(value.length, "item");
    return typeof value === "string" && !isWhole ? countText(value.length, "character") : "";
  }

  /** The ways to show it, the first being the usual one. @returns {string[]} */
  get choices() {
    const { value, extras } = this;
    if (tableOf(value)) return ["table", "json"];
    if (typeof value !== "string") return [];
    const more = [extras.nodes ? "rendered" : "", parsed(value) === undefined ? "" : "parsed"];
    return more.some(Boolean) ? ["text", ...more.filter(Boolean)] : [];
  }

  get mode() {
    const { choices } = this;
    const chosen = this.view.memory.modes.get(this.key) ?? "";
    return choices.includes(chosen) ? chosen : choices[0];
  }

  modes() {
    return this.choices.map((mode) => ({
      label: MODES[mode], checked: mode === this.mode, isChoice: true, act: () => {
        this.view.setMode(this.key, mode);
        if (this.body) this.refill();
        this.view.choose(this, true);
      },
    }));
  }

  /** @param {string} name */
  rename(name) {
    setText(this.name, name);
  }

  refill() {
    this.body?.replaceChildren();
    this.table = null;
    this.text = null;
    this.showMore = null;
    this.fill();
    this.view.noteOpened();
  }

  fill() {
    const { value, mode, view, key, extras } = this;
    const table = mode === "table" ? tableOf(value) : null;
    if (table) {
      this.table = new TableView(view, key, table, extras.facts ?? null);
      this.body?.append(this.table.root);
    } else if (mode === "rendered") {
      const rendered = new RenderedText("ma-rendered ma-display");
      rendered.update(extras.nodes ?? null, String(value));
      this.text = rendered.root;
      this.body?.append(rendered.root);
    } else if (mode === "parsed") {
      const inside = `${key}/${PARSED}`;
      const inner = new ValueItem(view, inside, this.level + 1, "JSON", parsed(value), FEW_VALUES);
      inner.setOpen(true);
      this.body?.append(inner.root);
    } else if (typeof value === "string") this.fillText(value);
    else this.fillEntries(Object.entries(/** @type {object} */ (value)));
  }

  /** A long text is cut at first, and then comes page by page. @param {string} text */
  fillText(text) {
    const { whole } = this.view.memory;
    const block = element("pre", "ma-block");
    this.text = block;
    let shown = 0;
    const more = button("", () => {
      const isFocused = document.activeElement === more;
      whole.add(this.key);
      show(shown <= LONG_TEXT ? PAGE_OF_TEXT : shown + PAGE_OF_TEXT);
      if (isFocused && !more.isConnected) this.root.focus();
    });
    const show = (/** @type {number} */ size) => {
      shown = Math.min(size, text.length);
      const isCut = shown < text.length;
      setText(block, isCut ? `${text.slice(0, shown)}…` : text);
      const left = countText(text.length - shown, "character");
      setText(more, shown > LONG_TEXT ? `Show more (${left} left)`
        : `Show all (${countText(text.length, "character")})`);
      if (!isCut) more.remove();
      this.showMore = isCut ? () => more.click() : null;
    };
    this.body?.append(block, more);
    show(whole.has(this.key) ? PAGE_OF_TEXT : LONG_TEXT);
  }

  /** @param {[string, unknown][]} entries */
  fillEntries(entries) {
    const isList = Array.isArray(this.value);
    let shown = 0;
    const more = button("", () => {
      const isFocused = document.activeElement === more;
      const items = entries.slice(shown, shown + PAGE_OF_VALUES).map(([name, value]) => new ValueItem(
        this.view, `${this.key}/${keyPart(name)}`, this.level + 1, isList ? `[${name}]` : name, value,
        FEW_VALUES / 2));
      more.before(...items.map(({ root }) => root));
      shown += PAGE_OF_VALUES;
      if (shown < entries.length) {
        setText(more, `Show more (${NUMBERS.format(entries.length - shown)} left)`);
      } else {
        more.remove();
        this.showMore = null;
        if (isFocused) items[0]?.root.focus();
      }
    });
    this.showMore = () => more.click();
    this.body?.append(more);
    more.click();
  }

  /** @param {string} field @returns {Element | null} */
  spot(field) {
    if (field === "key") return this.name;
    if (this.table) return this.table.spot(field);
    return this.isOpen && this.text ? this.text : this.shown;
  }

  /** @param {string} field @param {number} at */
  showSpot(field, at) {
    if (field === "key") return;
    this.setOpen(true);
    this.table?.showSpot(field);
    if (typeof this.value !== "string" || !this.text) return;
    while (this.showMore && (this.text.textContent?.length ?? 0) < at + LINE) this.showMore();
  }

  /** @param {string} key */
  reach(key) {
    this.setOpen(true);
    while (this.showMore && !this.view.byKey.get(key)?.root.isConnected) this.showMore();
  }
}
