// @ts-check
/** A table in the tree: a head that stays, rows page by page, in the order of a column. */

import { button, element, keepKeys, setAttribute, setText } from "./elements.js";
import { cellText, isNumeric, orderOf } from "./table.js";
import { countText, NUMBERS } from "./words.js";

/**
 * @typedef {import("./fold.js").TableFacts} TableFacts
 * @typedef {import("./table.js").Table} Table
 * @typedef {import("./view.js").TreeView} TreeView
 */

const PAGE_OF_ROWS = 100;
const LONG_CELL = 2_000; // characters
const TITLED = 40; // characters from which a cell may be wider than its column

/** How large a table is, and what of it is here. @param {Table} table @param {TableFacts | null} facts */
export function tableSize({ size, columns, total, totalColumns }, facts) {
  const rows = facts?.rows ?? total;
  const wide = totalColumns ?? facts?.columns ?? columns.length;
  const cut = rows === null ? "; cut for display" : `; the first ${NUMBERS.format(size)} here`;
  const some = rows === size ? "" : cut;
  return `${countText(rows ?? size, "row")}, ${countText(wide, "column")}${some}`;
}

export class TableView {
  /** @param {TreeView} view @param {string} key @param {Table} table @param {TableFacts | null} facts */
  constructor(view, key, table, facts) {
    this.view = view;
    this.key = key;
    this.table = table;
    this.root = element("div", "ma-table-box");
    this.scroll = element("div", "ma-table-scroll");
    this.scroll.tabIndex = 0;
    this.scroll.setAttribute("role", "region");
    this.scroll.setAttribute("aria-label", `Table, ${tableSize(table, facts)}`);
    keepKeys(this.scroll);
    this.more = button("", () => this.page());
    /** The numbers of the columns that are flush right. */
    this.numeric = new Set([...table.columns.keys()].filter((column) => isNumeric(table, column)));
    this.heads = table.columns.map((name, column) => this.head(name, column, facts?.types));
    this.body = element("tbody");
    const corner = element("th", "ma-row-number");
    corner.setAttribute("aria-label", "Row");
    const head = element("tr");
    head.append(corner, ...this.heads);
    const top = element("thead");
    top.append(head);
    const grid = element("table", "ma-table");
    grid.append(top, this.body);
    this.scroll.append(grid);
    this.root.append(this.scroll, this.more);
    this.fill();
  }

  get sort() {
    return this.view.memory.sorts.get(this.key) ?? null;
  }

  /** @param {string} name @param {number} column @param {Record<string, string>} [types] */
  head(name, column, types) {
    const head = element("th");
    head.setAttribute("scope", "col");
    head.classList.toggle("ma-number", this.numeric.has(column));
    const sort = button(name.slice(0, 200), () => this.turn(column));
    sort.classList.add("ma-column");
    sort.title = "Sort by this column";
    head.append(sort);
    const type = types && Object.hasOwn(types, name) ? types[name] : "";
    if (type) head.append(element("span", "ma-dtype", type));
    return head;
  }

  /** Up, down, and as it came. @param {number} column */
  turn(column) {
    const { sort } = this;
    const { sorts } = this.view.memory;
    if (sort?.column !== column) sorts.set(this.key, { column, by: 1 });
    else if (sort.by === 1) sorts.set(this.key, { column, by: -1 });
    else sorts.delete(this.key);
    this.fill();
    this.view.noteOpened();
  }

  fill() {
    const { sort } = this;
    /** The rows in the page by their number in the table. @type {Map<number, HTMLElement>} */
    this.rows = new Map();
    this.order = orderOf(this.table, sort);
    this.body.replaceChildren();
    this.heads.forEach((head, column) => {
      const way = sort?.column === column ? (sort.by === 1 ? "ascending" : "descending") : "none";
      setAttribute(head, "aria-sort", way);
    });
    this.page();
  }

  page() {
    const { order = [], rows = new Map(), more } = this;
    const some = order.slice(rows.size, rows.size + PAGE_OF_ROWS);
    this.body.append(...some.map((number) => this.row(number)));
    const isFocused = document.activeElement === more;
    more.hidden = rows.size >= order.length;
    if (isFocused && more.hidden) this.scroll.focus({ preventScroll: true });
    setText(more, `Show more rows (${NUMBERS.format(order.length - rows.size)} left)`);
  }

  /** @param {number} number */
  row(number) {
    const { table, numeric } = this;
    const row = element("tr");
    const label = element("th", "ma-row-number", cellText(table.index?.[number] ?? number, 80));
    label.setAttribute("scope", "row");
    row.append(label);
    table.columns.forEach((_, column) => {
      const value = table.cell(number, column);
      const text = cellText(value, LONG_CELL);
      const cell = element("td", numeric.has(column) ? "ma-number" : "", text);
      if (value === null) cell.classList.add("ma-missing");
      if (text.length > TITLED) cell.title = text;
      row.append(cell);
    });
    this.rows?.set(number, row);
    return row;
  }

  /** @param {string} field @returns {Element | null} */
  spot(field) {
    const [kind, first, second] = field.split(" ");
    if (kind === "column") return this.heads[Number(first)]?.querySelector(".ma-column") ?? null;
    return kind === "cell" ? this.rows?.get(Number(first))?.children[Number(second) + 1] ?? null : null;
  }

  /** @param {string} field */
  showSpot(field) {
    while (!this.spot(field) && !this.more.hidden) this.page();
  }
}
