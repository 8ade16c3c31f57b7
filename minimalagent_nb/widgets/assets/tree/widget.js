// @ts-check
/**
 * The tree as a widget: the thin adapter between a model of anywidget and the views.
 *
 * The tree is plain modules without Jupyter in them; only this file and notebook.js know of
 * it. A widget cannot load modules beside its own, so component.py joins them: each imports
 * names only from files beside it, and no two files define one name. Everything of a model or
 * tool reaches the page as text: there is no way from data to HTML in any of them.
 */

import { cutOff, EMPTY_RUN, receive } from "./fold.js";
import { putStatic, restoreView, savesStaticForms } from "./notebook.js";
import { remember } from "./remembered.js";
import { mountTree, newMemory } from "./view.js";
import { Wholes } from "./wholes.js";

/**
 * @typedef {import("./fold.js").Feed} Feed
 * @typedef {import("./view.js").Talk} Talk
 */

const PATIENCE = 400; // ms that the kernel has to answer
const AGAIN = 40; // messages that do not fit, after which the kernel is asked once more

/** Interrupt the kernel, where the page can. @param {any} model @returns {Promise<boolean>} */
async function interrupt(model) {
  const kernel = model.get("by_interrupt") ? model.widget_manager?.kernel : null;
  if (typeof kernel?.interrupt !== "function") return false;
  try {
    await kernel.interrupt();
    return true;
  } catch {
    return false; // which is said to the reader
  }
}

/** The widget of one model: its views share what is known and what was opened. */
class TreeWidget {
  constructor() {
    /** @type {any} */
    this.model = null;
    /** @type {Feed} */
    this.feed = { rev: 0, state: EMPTY_RUN };
    this.memory = newMemory();
    this.run = ""; // whose memory that is
    /** @type {Set<ReturnType<typeof mountTree>>} */
    this.views = new Set();
    this.missing = 0; // messages since something of the run is, which the kernel was asked for
    this.patience = 0; // the timer of a stop that the kernel has not answered
    this.isShown = false;
    this.wholes = new Wholes((id, args) => this.model.send({ type: "whole", id, ...args }));
    /** @type {Talk} */
    this.talk = {
      stop: (run) => this.stop(run),
      decide: (answer) => this.model.send({ type: "approval", ...answer }),
      whole: (_run, calls, name) => this.wholes.ask({ calls, name }),
    };
  }

  /** @param {any} model @returns {() => void} what ends it */
  initialize(model) {
    this.model = model;
    const take = (/** @type {any} */ message) => this.take(message);
    const sayEnd = () => this.sayEnd();
    model.on("msg:custom", take);
    model.on("comm_live_update", sayEnd);
    take(model.get("snap"));
    // That this is heard tells the kernel that it can ask here.
    model.send({ type: "here", have: this.feed.rev });
    restoreView(model).then((isRestored) => {
      if (isRestored) model.send({ type: "restored" });
    });
    return () => {
      model.off("msg:custom", take);
      model.off("comm_live_update", sayEnd);
      clearTimeout(this.patience);
      this.memory.wholes.clear(); // the rest is remembered
    };
  }

  /** @param {HTMLElement} el @returns {() => void} what ends this view */
  render(el) {
    const { model, feed, memory, talk, views } = this;
    if (!this.isShown) model.send({ type: "shown", saves: savesStaticForms(model) });
    this.isShown = true;
    const view = mountTree(el, { state: feed.state, memory, talk, name: model.get("name") });
    views.add(view);
    return () => {
      views.delete(view);
      view.destroy();
    };
  }

  refresh() {
    for (const view of this.views) view.refresh();
  }

  /** The kernel is another one now: nothing more comes, and there is nothing to be stopped. */
  sayEnd() {
    clearTimeout(this.patience);
    this.wholes.end("The kernel was restarted.");
    const { state } = this.feed;
    this.feed.state = cutOff(state, "Cut off: the kernel was restarted before this was done.");
    if (this.feed.state !== state) for (const view of this.views) view.update(this.feed.state);
  }

  /** @param {string} run @param {string} note */
  noteStop(run, note) {
    this.memory.stopping = { run, note };
    this.refresh();
  }

  /** Ask the kernel, and interrupt it where it does not answer. @param {string} run */
  stop(run) {
    clearTimeout(this.patience);
    this.noteStop(run, "Stopping…");
    this.model.send({ type: "stop", run });
    this.patience = window.setTimeout(async () => {
      const { id, status } = this.feed.state;
      const isOver = id !== run || status !== "running";
      if (isOver || await interrupt(this.model)) return;
      this.noteStop(run, "Stops as soon as the kernel is free");
    }, PATIENCE);
  }

  /** What the kernel says, by its type; what has none of these is of the run. @param {any} message */
  take(message) {
    switch (message?.type) {
      case "stopping":
        clearTimeout(this.patience);
        return this.noteStop(String(message.run), "Stopping…");
      case "unstopped": // why, a notice says
        clearTimeout(this.patience);
        if (this.memory.stopping?.run === message.run) this.memory.stopping = null;
        return this.refresh();
      case "asking":
        this.memory.asked = new Set(
          message.calls.map((/** @type {string[]} */ call) => call.join("\n")));
        return this.refresh();
      case "refused":
        this.memory.refused.set(`${message.run}\n${message.call}`, String(message.text));
        return this.refresh();
      case "whole":
        return this.wholes.take(message);
      case "static":
        return putStatic(this.model, message.output, Boolean(message.instead));
      default:
        return this.takeRun(message);
    }
  }

  /** @param {import("./fold.js").Message} message more of the run, or all of it */
  takeRun(message) {
    const { feed, missing } = receive(this.feed, message);
    // What a server leaves out in a flood of messages may be the answer to that, too.
    if (missing && this.missing % AGAIN === 0) this.model.send({ type: "resync", have: this.feed.rev });
    this.missing = missing ? this.missing + 1 : 0;
    this.feed = feed;
    const { id } = feed.state;
    if (id && id !== this.run) remember(id, this.memory);
    this.run = id;
    for (const view of this.views) view.update(feed.state);
  }
}

/** What anywidget takes. */
export default function widget() {
  const made = new TreeWidget();
  return {
    /** @param {{model: any}} context */
    initialize: ({ model }) => made.initialize(model),
    /** @param {{el: HTMLElement}} context */
    render: ({ el }) => made.render(el),
  };
}
