// @ts-check
/**
 * Where the browser gets its sessions from, as its panes know it: a kernel by a comm, or a
 * server by its routes. Only the classes behind it know either.
 *
 * Methods that answer later fail with a `SourceError`, whose message is for the reader.
 */

/**
 * @typedef {{session_id: string, title: string, last_used: number | null,
 *   interactions: number | null, running?: boolean}} Session
 * @typedef {{interaction_id: number, query: string, status: string, error: string | null,
 *   model: string, agent: string, started: number | null, duration: number | null,
 *   steps: number, tool_calls: number, tools?: string[], tokens: number}} Summary
 * @typedef {{tool: string, status: string, since: number | null, until: number | null}} Filters
 * @typedef {{store: string | null, sessions: Session[], more?: boolean,
 *   since?: number | null, note?: string | null}} SessionsPage `since`: what was last used before
 *   is not listed; `note`: what else the reader should know of the list
 * @typedef {{interactions: Summary[], next: number | null, looked?: number}} RunsPage
 * @typedef {{session_id: string, run: Summary, where: string, before: string, match: string,
 *   after: string, places: number}} Hit
 * @typedef {{hits: Hit[], looked: number, total: number, searched: number, sessions: number,
 *   counted: boolean, reached: number, reached_session: string, left_out: string[],
 *   over: boolean}} Found a piece of a search; see history_data.found
 * @typedef {{found: (found: Found) => void, failed: (message: string) => void}} OnSearch
 * @typedef {{message: (data: any) => void, end: (data: any) => void,
 *   state: (isOpen: boolean, trouble: string) => void}} OnFollow
 *
 * @typedef {import("../tree/view.js").Memory} Memory
 * @typedef {{talk: import("../tree/view.js").Talk,
 *   note: (run: import("../tree/fold.js").Run) => void}} Reach `note` is told each new state
 *
 * @typedef {object} Source
 * @property {(about: {limit: number, search: string}) => Promise<SessionsPage>} sessions
 * @property {(session: string, about: Filters & {before: number | null, limit: number})
 *   => Promise<RunsPage>} interactions
 * @property {(session: string, id: number) => Promise<any>} interaction the tree's message
 * @property {(session: string, id: number, calls: [number, string][], name: string)
 *   => Promise<import("../tree/wholes.js").Whole>} whole a value that the tree has cut; see `Talk`
 * @property {(about: Filters & {text: string, session: string, before: number | null,
 *   before_session: string}, on: OnSearch) => () => void} search gives what ends it
 * @property {(session: string, id: number | null, on: OnFollow) => () => void} follow likewise:
 *   one run, or the one that goes on and those that come after it
 * @property {string[]} forms in which a session can be had as a file
 * @property {(session: string, form: string) => Promise<void>} save has the page download it
 * @property {((session: string, query: string, near: Element) => Promise<string>) | null}
 *   askAgain puts a cell with the question into the notebook, and says so; null where there is none
 * @property {((session: string, id: number, memory: Memory, refresh: () => void) => Reach) | null}
 *   reach whoever runs what goes on, so that it can be stopped and its questions answered
 * @property {((session: string, id: number) => string) | null} linkTo the address of an
 *   interaction; null where it has none
 * @property {string} offline what to do where the memory is switched off
 * @property {() => void} close
 */

/** A failure whose message is for the reader. */
export class SourceError extends Error {
  /** @param {string} message @param {boolean} [isMissing] nothing is stored of what was asked for */
  constructor(message, isMissing = false) {
    super(message);
    this.isMissing = isMissing;
  }
}

/** @type {Filters} */
export const NO_FILTERS = Object.freeze({ tool: "", status: "", since: null, until: null });

/** @param {Filters} filters */
export function hasFilters({ tool, status, since, until }) {
  return Boolean(tool || status || since !== null || until !== null);
}

/** Has the page download a file. @param {string} name @param {string} url */
export function download(name, url) {
  const link = document.createElement("a");
  link.href = url;
  link.download = name;
  document.body.append(link);
  link.click();
  link.remove();
}
