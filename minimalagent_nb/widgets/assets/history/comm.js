// @ts-check
/** Sessions from a kernel: what is asked and answered over the widget's comm. */

import { Wholes } from "../tree/wholes.js";
import { putCell } from "./cells.js";
import { download, SourceError } from "./source.js";

/**
 * @typedef {import("./source.js").Source} Source
 * @typedef {{done: (value: any) => void, fail: (error: Error) => void}} Waiting
 * @typedef {{event: (event: string, data: any) => void, fail: (message: string) => void}} Stream
 */

const STILL_HERE = 60_000; // milliseconds between two signs of life
const RESUME = 3_000; // before what failed is followed again
const LOST = "The kernel was restarted: run the cell again to see the history.";

/** @type {Record<string, string>} */
const MIME_TYPES = {
  html: "text/html", ipynb: "application/x-ipynb+json", jsonl: "application/x-ndjson",
  md: "text/markdown",
};

/** @implements {Source} */
export class CommSource {
  /** @param {any} model of anywidget @param {(isWaiting: boolean) => void} [onWait] */
  constructor(model, onWait = () => undefined) {
    this.model = model;
    this.onWait = onWait;
    this.count = 0;
    // Several pages may share one kernel's widget: each knows its own by this.
    this.name = Math.random().toString(36).slice(2, 10);
    /** @type {Map<string, Waiting>} */
    this.waiting = new Map();
    /** @type {Map<string, Stream>} */
    this.streams = new Map();
    this.wholes = new Wholes((id, args) => model.send({ type: "ask", id, method: "whole", args }));
    /** @type {string[]} */
    this.forms = model.get("forms") ?? [];
    /** @type {Source["reach"]} */
    this.reach = null;
    /** @type {Source["linkTo"]} */
    this.linkTo = null;
    this.offline = 'Switch it on with %config AgentMagics.memory = "sqlite", or give the agent ' +
      'a memory: Agent(..., memory="sqlite").';
    this.listen = (/** @type {any} */ message, /** @type {any[]} */ buffers) => {
      this.take(message, buffers);
    };
    model.on("msg:custom", this.listen);
    this.isLost = false;
    this.notice = () => this.setLost(model.comm_live === false);
    model.on("comm_live_update", this.notice);
    this.timer = window.setInterval(() => {
      if (this.streams.size && !this.isLost) model.send({ type: "here", id: this.name });
    }, STILL_HERE);
  }

  /** @param {any} message @param {any[]} [buffers] */
  take(message, buffers = []) {
    const { type, id, value } = message ?? {};
    const stream = this.streams.get(id);
    const waiting = this.waiting.get(id);
    if (type === "whole") this.wholes.take(message);
    else if (type === "failed") this.wholes.take({ id, error: message.message });
    if (type === "event") stream?.event(message.event, value);
    else if (type === "failed" && stream) stream.fail(String(message.message));
    else if (waiting) {
      this.waiting.delete(id);
      this.tellWaiting();
      if (type === "answer") waiting.done(buffers.length ? buffers[0] : value);
      else waiting.fail(new SourceError(String(message.message)));
    }
  }

  /** Whether the kernel is another one now, which knows of no question. @param {boolean} isLost */
  setLost(isLost) {
    this.isLost = isLost;
    if (!isLost) return;
    const waiting = [...this.waiting.values()];
    this.waiting.clear();
    this.tellWaiting();
    for (const { fail } of waiting) fail(new SourceError(LOST));
    for (const stream of [...this.streams.values()]) stream.fail(LOST);
    this.wholes.end(LOST);
  }

  newId() {
    this.count += 1;
    return `${this.name}.${this.count}`;
  }

  /** @param {string} method @param {object} args @returns {Promise<any>} */
  ask(method, args) {
    const id = this.newId();
    if (this.isLost) return Promise.reject(new SourceError(LOST));
    return new Promise((done, fail) => {
      this.waiting.set(id, { done, fail });
      this.model.send({ type: "ask", id, method, args });
      setTimeout(() => this.tellWaiting(id), 1_500);
    });
  }

  /** Whether the kernel lets us wait. @param {string} [id] a question that is not new any more */
  tellWaiting(id) {
    const isNews = id === undefined ? !this.waiting.size : this.waiting.has(id);
    if (isNews) this.onWait(this.waiting.size > 0);
  }

  /** @param {string} method @param {object} args @param {Stream} stream @returns {() => void} */
  stream(method, args, stream) {
    const id = this.newId();
    this.streams.set(id, stream);
    if (this.isLost) queueMicrotask(() => this.streams.get(id)?.fail(LOST));
    else this.model.send({ type: "ask", id, method, args });
    return () => {
      if (this.streams.delete(id) && !this.isLost) this.model.send({ type: "cancel", id });
    };
  }

  /** @type {Source["sessions"]} */
  sessions(about) {
    return this.ask("sessions", about);
  }

  /** @type {Source["interactions"]} */
  interactions(session, about) {
    return this.ask("interactions", { session, ...about });
  }

  /** @type {Source["interaction"]} */
  async interaction(session, interaction) {
    const found = await this.ask("interaction", { session, interaction });
    if (found) return found.tree;
    throw new SourceError("It is not in the store: it may have expired or been deleted.", true);
  }

  /** @type {Source["whole"]} */
  whole(session, interaction, calls, name) {
    if (this.isLost) return Promise.reject(new SourceError(LOST));
    return this.wholes.ask({ session, interaction, calls, name });
  }

  /** @type {Source["search"]} */
  search(about, { found, failed }) {
    const end = this.stream("search", about, {
      event: (_, data) => {
        if (data.over) end();
        found(data);
      },
      fail: (message) => {
        end();
        failed(message);
      },
    });
    return end;
  }

  /** @type {Source["follow"]} */
  follow(session, interaction, on) {
    let timer = 0;
    const begin = () => this.stream("follow", { session, interaction }, {
      event: (event, data) => (event === "end" ? on.end(data) : on.message(data)),
      fail: (message) => {
        on.state(false, message);
        end();
        if (this.isLost) return;
        timer = window.setTimeout(() => {
          end = begin();
          on.state(true, "");
        }, RESUME);
      },
    });
    let end = begin();
    on.state(true, "");
    return () => {
      clearTimeout(timer);
      end();
    };
  }

  /** @type {Source["save"]} */
  async save(session, form) {
    const bytes = await this.ask("export", { session, form });
    const url = URL.createObjectURL(new Blob([bytes], { type: MIME_TYPES[form] }));
    download(`${session}.${form}`, url);
    setTimeout(() => URL.revokeObjectURL(url), 10_000);
  }

  /** @param {string} session @param {string} query @param {Element} near */
  askAgain(session, query, near) {
    const options = query.includes("{") ? " --raw" : "";
    return putCell(this.model, `%%agent --session ${session}${options}\n${query}`, near);
  }

  close() {
    clearInterval(this.timer);
    for (const id of this.isLost ? [] : this.streams.keys()) this.model.send({ type: "cancel", id });
    this.streams.clear();
    this.model.off("msg:custom", this.listen);
    this.model.off("comm_live_update", this.notice);
  }
}
