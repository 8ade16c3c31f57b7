// @ts-check
/**
 * The address after #: the session, the interaction that it is opened at, and what is searched
 * for, as in `penguins/1763821417123457?text=heaviest`. Anybody may have written it.
 */

/** @typedef {import("../history/browser.js").Where} Where */

const SESSION_ID = /^[A-Za-z0-9_-]{1,128}$/;
const RUN_ID = /^[1-9][0-9]*$/;
const MOST_TYPED = 500; // characters of a field, as many as can be typed into it

/** What an address names; of a damaged one, what can be read. @param {string} hash @returns {Where} */
export function whereOf(hash) {
  const [path, ...query] = hash.replace(/^#/, "").split("?");
  const [session, run = ""] = path.split("/");
  const isKnown = SESSION_ID.test(session);
  const isRun = isKnown && RUN_ID.test(run) && Number.isSafeInteger(Number(run));
  return {
    session: isKnown ? session : "",
    run: isRun ? Number(run) : null,
    search: Object.fromEntries([...new URLSearchParams(query.join("?"))].map(
      ([name, value]) => [name, value.slice(0, MOST_TYPED)])),
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

/** The page's own address, and its way back. */
export class Address {
  /**
   * @param {{hash: string, pathname: string, search: string}} place
   * @param {Pick<History, "pushState" | "replaceState">} past
   */
  constructor(place, past) {
    this.place = place;
    this.past = past;
  }

  get where() {
    return whereOf(this.place.hash);
  }

  /** The reader went somewhere. @param {Where} where */
  tell(where) {
    const before = this.where;
    if (hashOf(where) === hashOf(before)) return;
    if (isWayStep(before, where)) this.past.pushState(null, "", this.full(where));
    else this.settle(where);
  }

  /**
   * The address led somewhere: what it has beyond that goes. It would lead back to itself, and no
   * way beyond it.
   * @param {Where} where
   */
  settle(where) {
    if (this.place.hash !== hashOf(where)) this.past.replaceState(null, "", this.full(where));
  }

  /** @param {Where} where */
  full(where) {
    return hashOf(where) || this.place.pathname + this.place.search;
  }
}
