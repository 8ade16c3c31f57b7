// @ts-check
/** One interaction of a session: a line with its figures, which opens to its tree. */

import { EMPTY_RUN, receive } from "../tree/fold.js";
import { copyText } from "../tree/clipboard.js";
import { mountTree, newMemory } from "../tree/view.js";
import { countText, durationText, RUN_WORDS, wordFor } from "../tree/words.js";
import { element, keepKeys, setAttribute, setHidden, setText } from "../tree/elements.js";
import { oneLine, pushButton, setWhen, Trouble } from "./parts.js";

/**
 * @typedef {import("./source.js").Source} Source
 * @typedef {import("./source.js").Summary} Summary
 * @typedef {import("./session.js").SessionPane} SessionPane
 */

/** A line's figures, for reading. @param {Summary} summary */
export function figuresOf(summary) {
  return [
    summary.steps ? countText(summary.steps, "step") : "",
    summary.tool_calls ? countText(summary.tool_calls, "tool call") : "",
    summary.tokens ? countText(summary.tokens, "token") : "",
    durationText(summary.duration), oneLine(summary.model, 200),
  ].filter(Boolean).map((part) => ` · ${part}`).join("");
}

export class Card {
  /** @param {SessionPane} session @param {number} id */
  constructor(session, id) {
    this.session = session;
    this.id = id;
    /** @type {Summary | null} */
    this.summary = null;
    this.feed = { rev: 0, state: EMPTY_RUN };
    this.memory = newMemory();
    this.isOpen = false;
    this.isFed = false; // by what follows the session
    this.asked = 0; // the number of the last question for all of it
    const { source } = session;
    this.reach = source.reach?.(session.id, id, this.memory, () => this.tree?.refresh()) ?? null;
    /** @type {ReturnType<typeof mountTree> | null} */
    this.tree = null;
    /** @type {(() => void) | null} */
    this.unfollow = null;
    this.root = element("li", "mh-card");
    this.pick = /** @type {HTMLInputElement} */ (element("input", "mh-pick"));
    this.pick.type = "checkbox";
    this.pick.title = "Choose for comparison";
    this.button = pushButton("", () => this.setOpen(!this.isOpen), "mh-run");
    this.query = element("span", "mh-query");
    this.facts = element("span", "mh-facts");
    this.status = element("span", "mh-status");
    this.figures = element("span");
    this.when = element("time", "mh-when");
    this.body = element("div", "mh-body");
    this.note = new Trouble(() => this.load());
    this.place = element("div", "mh-tree");
    this.actions = element("div", "mh-actions");
    this.said = element("span", "mh-quiet");
    this.build();
    this.addActions();
    this.setOpen(false);
  }

  build() {
    for (const el of [this.pick, this.query]) keepKeys(el);
    this.pick.addEventListener("change", () => this.session.on.picked(this, this.pick.checked));
    this.facts.append(this.status, this.figures);
    this.button.append(this.query, this.when, this.facts);
    this.said.setAttribute("role", "status");
    this.body.append(this.note.root, this.place, this.actions);
    const head = element("div", "mh-card-head");
    head.append(this.pick, this.button);
    this.root.append(head, this.body);
  }

  addActions() {
    const { source, id } = this.session;
    if (source.askAgain) {
      this.actions.append(pushButton("Ask again", async ({ detail }) => {
        if (detail > 1) return; // the second click of two puts no second cell
        setText(this.said, await source.askAgain?.(id, this.wholeQuery, this.root) ?? "");
      }));
    }
    if (source.linkTo) this.actions.append(pushButton("Copy link", () => this.copyLink()));
    if (this.actions.childElementCount) this.actions.append(this.said);
  }

  async copyLink() {
    const link = this.session.source.linkTo?.(this.session.id, this.id) ?? "";
    const isCopied = await copyText(this.actions, link);
    setText(this.said, isCopied ? "The link is copied." : link); // to be copied by hand
  }

  /** The query as far as the page has it: of a card that was never opened, its beginning. */
  get wholeQuery() {
    return (this.isTold ? this.feed.state.query : this.summary?.query) ?? "";
  }

  get isTold() {
    return this.feed.rev > 0 && Boolean(this.feed.state.started || this.feed.state.query);
  }

  get isLive() {
    return this.feed.rev > 0 && this.feed.state.status === "running";
  }

  /** Whether the run is, by what is stored. */
  get isOver() {
    return this.summary !== null && this.summary.status !== "running";
  }

  /** @param {Summary} summary */
  tell(summary) {
    const wasRunning = this.summary?.status === "running" || this.isLive;
    this.summary = summary;
    this.draw();
    // A run that is over without having been followed to its end: it is fetched again.
    if (this.isOpen && wasRunning && this.isOver) this.load();
  }

  /** @param {any} message */
  take(message) {
    // Who tells the run from its beginning counts anew, after a connection that broke off too.
    const isNew = message.base === 0 && message.rev > 0;
    this.feed = receive(isNew ? { rev: 0, state: EMPTY_RUN } : this.feed, message).feed;
    this.reach?.note(this.feed.state);
    if (this.tree) this.tree.update(this.feed.state);
    else if (this.isOpen) this.mount();
    this.draw();
  }

  /** Not before something is known: a run without an end is followed to its end. */
  mount() {
    this.tree = mountTree(this.place, {
      state: this.feed.state, memory: this.memory, talk: this.talk,
    });
  }

  /** What can be asked of this run: what the store has of it, and whoever runs it.
   *  @returns {import("../tree/view.js").Talk} */
  get talk() {
    const { source, id } = this.session;
    return {
      ...this.reach?.talk, whole: (_run, calls, name) => source.whole(id, this.id, calls, name),
    };
  }

  draw() {
    const { state } = this.feed;
    const told = this.summary;
    const status = this.isTold ? state.status : told?.status ?? "running";
    setAttribute(this.root, "data-status", status);
    const query = (this.isTold ? state.query : told?.query) || "(no query)";
    setText(this.query, this.isOpen ? query.slice(0, 4_000) : oneLine(query));
    setAttribute(this.pick, "aria-label", `Compare: ${oneLine(query, 80)}`);
    setText(this.status, wordFor(RUN_WORDS, status));
    setWhen(this.when, (this.isTold ? state.started : told?.started) || this.id / 1e6);
    setText(this.figures, told ? figuresOf(told) : "");
  }

  /** @param {boolean} open @param {string} [find] what the reader looks for in it */
  setOpen(open, find = "") {
    this.isOpen = open;
    setAttribute(this.button, "aria-expanded", String(open));
    setHidden(this.body, !open);
    this.draw();
    if (!open) {
      this.stopFollowing();
      return;
    }
    this.seek(find);
    if (this.feed.rev && !this.tree) this.mount();
    if (!this.feed.rev) this.place.replaceChildren(element("p", "mh-quiet", "Loading…"));
    if (this.feed.rev === 0 || (this.isLive && (!this.isFed || this.isOver))) this.load();
  }

  /** Have the tree's own search open with what the reader looks for. @param {string} find */
  seek(find) {
    if (!find) return;
    this.memory.search = { isOpen: true, query: find, now: null };
    this.tree?.destroy();
    this.tree = null;
  }

  /** Fetch what is stored of the run, or follow it where it goes on. */
  async load() {
    const { source, id } = this.session;
    if (this.summary?.status === "running") {
      this.unfollow ??= source.follow(id, this.id, {
        message: (message) => this.take(message),
        end: () => {
          this.stopFollowing();
          this.session.refresh();
        },
        state: () => undefined,
      });
      return;
    }
    this.body.setAttribute("aria-busy", "true");
    const number = this.asked += 1;
    try {
      const tree = await source.interaction(id, this.id);
      if (number !== this.asked) return; // asked once more, or nobody shows it any more
      // All of it: what a stream would add to it is not taken any more.
      if (!this.isLive || this.isOver) this.take({ ...tree, rev: Number.MAX_SAFE_INTEGER });
      if (this.note.end()) this.button.focus({ preventScroll: true });
    } catch (error) {
      if (number !== this.asked) return;
      this.note.tell(String(/** @type {Error} */ (error).message));
      if (!this.tree) this.place.replaceChildren();
    }
    this.body.removeAttribute("aria-busy");
  }

  stopFollowing() {
    this.unfollow?.();
    this.unfollow = null;
  }

  destroy() {
    this.asked += 1;
    this.stopFollowing();
    this.tree?.destroy();
    this.root.remove();
  }
}
