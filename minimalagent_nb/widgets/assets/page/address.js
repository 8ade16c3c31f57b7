// @ts-check
/**
 * The address after #: the session, the interaction that it is opened at, and what is searched
 * for, as in `penguins/1763821417123457?text=heaviest`. Pure.
 */

/** @typedef {import("../history/browser.js").Where} Where */

const SESSION_ID = /^[A-Za-z0-9_-]{1,128}$/;
const RUN_ID = /^[1-9][0-9]{0,17}$/;

/** What an address names; of a damaged one, what can be read. @param {string} hash @returns {Where} */
export function whereOf(hash) {
  const [path, ...query] = hash.replace(/^#/, "").split("?");
  const [session, run = ""] = path.split("/");
  const isKnown = SESSION_ID.test(session);
  return {
    session: isKnown ? session : "",
    run: isKnown && RUN_ID.test(run) ? Number(run) : null,
    search: Object.fromEntries(new URLSearchParams(query.join("?"))),
  };
}

/** @param {Where} where @returns {string} "" for nothing */
export function hashOf({ session, run, search }) {
  const query = new URLSearchParams(search).toString();
  const path = session && run !== null ? `${session}/${run}` : session;
  return path || query ? `#${path}${query && `?${query}`}` : "";
}

/**
 * Whether going from one to the other is a step of the browser's own way back: what is typed on
 * in a search is none.
 * @param {Where} before @param {Where} after
 */
export function isWayStep(before, after) {
  /** @param {Where} where */
  const isSearch = ({ search }) => Object.keys(search).length > 0;
  return before.session !== after.session || before.run !== after.run ||
    isSearch(before) !== isSearch(after);
}
