// @ts-check
/** Which JSON values are tables, and what stands in their cells. Pure. */

import { isLeftOut } from "./places.js";
import { preview } from "./words.js";

/**
 * @typedef {{columns: string[], size: number, cell: (row: number, column: number) => any,
 *   index: any[] | null, total: number | null, totalColumns: number | null}} Table
 *   `size` is the number of rows at hand, `total` that of the whole table where it is known;
 *   `index` are the labels of the rows
 */

const MOST_COLUMNS = 200;
const LEAST_FILLED = 0.5; // of the cells
const LEAST_PLAIN = 0.6; // of the filled cells: others hold lists or objects

/** @type {WeakMap<object, Table | null>} */
const known = new WeakMap();

/** @param {any} value */
const isObject = (value) => value !== null && typeof value === "object";

/** Rows without what stands for those that were left out. @param {any[]} rows */
function atHand(rows) {
  return isLeftOut(rows.at(-1)) ? rows.slice(0, -1) : rows;
}

/**
 * A list of flat objects as a table.
 * @param {any[]} list @param {number} least rows @returns {Table | null}
 */
function ofRecords(list, least) {
  const rows = atHand(list);
  if (rows.length < least || !rows.every((row) => isObject(row) && !Array.isArray(row))) return null;
  /** @type {Set<string>} */
  const names = new Set();
  let filled = 0;
  let plain = 0;
  for (const row of rows) {
    for (const [name, value] of Object.entries(row)) {
      names.add(name);
      filled += 1;
      if (!isObject(value)) plain += 1;
    }
    if (names.size > MOST_COLUMNS) return null;
  }
  const isFlat = filled >= LEAST_FILLED * names.size * rows.length && plain >= LEAST_PLAIN * filled;
  if (!names.size || !isFlat) return null;
  const columns = [...names];
  return {
    columns, size: rows.length, index: null, total: rows.length < list.length ? null : rows.length,
    totalColumns: null,
    cell: (row, column) => {
      const name = columns[column];
      return Object.hasOwn(rows[row], name) ? rows[row][name] : undefined;
    },
  };
}

/** A table in parts, as tools/tables.py makes it of one with columns of one name. @param {any} value */
function ofParts({ index, columns, data, total_rows: total }) {
  const isTable = [index, columns, data].every(Array.isArray) && columns.length &&
    columns.length <= MOST_COLUMNS && atHand(data).every(Array.isArray);
  if (!isTable) return null;
  const rows = atHand(data);
  return {
    columns: columns.map(String), size: rows.length, index, totalColumns: null,
    total: total ?? (rows.length < data.length ? null : rows.length),
    cell: (/** @type {number} */ row, /** @type {number} */ column) => rows[row][column],
  };
}

/** @param {any} value @returns {Table | null} */
function makeTable(value) {
  if (Array.isArray(value)) return ofRecords(value, 2);
  // Where the rows were cut for display, what comes after them was left out as well.
  const names = Object.keys(value).filter((name) => name !== "…");
  const isCut = names.every((name) => /^(rows|total_rows|total_columns)$/.test(name));
  if (isCut && Array.isArray(value.rows)) {
    const table = ofRecords(value.rows, 1);
    const { total_rows: total = table?.total ?? null, total_columns: totalColumns = null } = value;
    return table && { ...table, total, totalColumns };
  }
  const isInParts = names.length >= 3 && names.length <= 4 &&
    names.every((name) => /^(index|columns|data|total_rows)$/.test(name));
  return isInParts ? ofParts(value) : null;
}

/** A value as a table, null where it is none. @param {any} value @returns {Table | null} */
export function tableOf(value) {
  if (!isObject(value)) return null;
  let table = known.get(value);
  if (table === undefined) {
    table = makeTable(value);
    known.set(value, table);
  }
  return table;
}

/** What stands in a cell. @param {any} value @param {number} [limit] characters */
export function cellText(value, limit = Infinity) {
  if (value === undefined) return "";
  if (typeof value === "string") return value.length > limit ? `${value.slice(0, limit)}…` : value;
  return isObject(value) ? preview(value, Math.min(limit, 120)).text : String(value);
}

/**
 * Whether a column holds numbers, so that it is set flush right.
 * @param {Table} table @param {number} column
 */
export function isNumeric(table, column) {
  let numbers = 0;
  for (let row = 0; row < Math.min(table.size, 200); row += 1) {
    const value = table.cell(row, column);
    if (typeof value === "number") numbers += 1;
    else if (!/^(null|undefined|nan|-?inf(inity)?)$/i.test(String(value))) return false;
  }
  return numbers > 0;
}

/**
 * The texts of a table by the fields that show them.
 * @param {any} value @returns {Generator<[string, string]>}
 */
export function* cellsOf(value) {
  const table = tableOf(value);
  if (!table) return;
  for (const [column, name] of table.columns.entries()) yield [`column ${column}`, name];
  for (let row = 0; row < table.size; row += 1) {
    for (let column = 0; column < table.columns.length; column += 1) {
      yield [`cell ${row} ${column}`, cellText(table.cell(row, column))];
    }
  }
}

/** @param {any} one @param {any} other */
function compare(one, other) {
  if (typeof one === "number" && typeof other === "number") return one - other;
  return cellText(one, 200).localeCompare(cellText(other, 200), "en", { numeric: true });
}

/**
 * The rows in the order of a column; those without a value come last.
 * @param {Table} table @param {{column: number, by: 1 | -1} | null} sort @returns {number[]}
 */
export function orderOf(table, sort) {
  const rows = Array.from({ length: table.size }, (_, row) => row);
  if (!sort || sort.column >= table.columns.length) return rows;
  const isMissing = (/** @type {any} */ value) => value === null || value === undefined;
  return rows.sort((one, other) => {
    const [first, second] = [one, other].map((row) => table.cell(row, sort.column));
    const missing = Number(isMissing(first)) - Number(isMissing(second));
    return missing || (isMissing(first) ? 0 : sort.by * compare(first, second));
  });
}
