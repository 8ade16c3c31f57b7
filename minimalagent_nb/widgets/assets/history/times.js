// @ts-check
/** Moments and stretches of time, for reading and for filters. Pure. */

const DAY = 86_400; // seconds

/** @type {Record<string, string>} */
export const PERIODS = {
  "": "Any time", today: "Today", week: "Last 7 days", month: "Last 30 days", custom: "From … to …",
};

// Made once: each costs more than all that they write in a list.
const CLOCK = new Intl.DateTimeFormat([], { hour: "2-digit", minute: "2-digit" });
const DATE = new Intl.DateTimeFormat([], { month: "short", day: "numeric" });
const DATE_OF_YEAR = new Intl.DateTimeFormat([], { year: "numeric", month: "short", day: "numeric" });
const EXACT = new Intl.DateTimeFormat([], { dateStyle: "medium", timeStyle: "medium" });

/** A moment as a list shows it. @param {number | null | undefined} seconds @param {number} now */
export function whenText(seconds, now) {
  if (!seconds) return "";
  const date = new Date(seconds * 1000);
  const ago = now - seconds;
  if (ago < 60) return "just now";
  if (ago < 3600) return `${Math.floor(ago / 60)} min ago`;
  const today = new Date(now * 1000);
  if (date.toDateString() === today.toDateString()) return CLOCK.format(date);
  if (ago < 2 * DAY) return `${DATE.format(date)}, ${CLOCK.format(date)}`;
  return (date.getFullYear() === today.getFullYear() ? DATE : DATE_OF_YEAR).format(date);
}

/** A day. @param {number} seconds */
export function dayText(seconds) {
  return DATE_OF_YEAR.format(new Date(seconds * 1000));
}

/** The same to the second. @param {number | null | undefined} seconds */
export function exactText(seconds) {
  return seconds ? EXACT.format(new Date(seconds * 1000)) : "";
}

/**
 * The seconds between which a period lies, null for an open end; days are the reader's own.
 * @param {string} name of PERIODS @param {number} now seconds
 * @param {{from?: string, to?: string}} [dates] of "custom", as yyyy-mm-dd
 * @returns {{since: number | null, until: number | null}}
 */
export function periodOf(name, now, { from = "", to = "" } = {}) {
  const midnight = new Date(now * 1000).setHours(0, 0, 0, 0) / 1000;
  if (name === "today") return { since: midnight, until: null };
  if (name === "week") return { since: startOf(midnight, 6), until: null };
  if (name === "month") return { since: startOf(midnight, 29), until: null };
  if (name !== "custom") return { since: null, until: null };
  const first = dateOf(from, 0);
  const last = dateOf(to, 1);
  return { since: first, until: last === null ? null : last - 1e-3 };
}

/**
 * Midnight so many days before; a day need not have 24 hours.
 * @param {number} midnight @param {number} days
 */
function startOf(midnight, days) {
  const date = new Date(midnight * 1000);
  return date.setDate(date.getDate() - days) / 1000;
}

/**
 * The beginning of a day, or of one after it; null for no date.
 * @param {string} text @param {number} plus
 */
function dateOf(text, plus) {
  const found = /^(\d{4})-(\d{2})-(\d{2})$/.exec(text);
  if (!found) return null;
  const [year, month, day] = found.slice(1).map(Number);
  const seconds = new Date(year, month - 1, day + plus).getTime() / 1000;
  return Number.isFinite(seconds) && seconds >= 0 ? seconds : null;
}
