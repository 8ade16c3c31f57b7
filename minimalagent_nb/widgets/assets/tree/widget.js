// @ts-check
/**
 * The tree as a widget: the thin adapter between a model of anywidget and the views.
 *
 * The tree is plain modules without Jupyter in them; only this file and notebook.js know of
 * it. A widget cannot load modules beside its own, so component.py joins them: each imports
 * names only from files beside it, and no two files define one name. Everything of a model or
 * tool reaches the page as text: there is no way from data to HTML in any of them.
 */

import { EMPTY_RUN, receive } from "./fold.js";
import { putStatic, restoreView, savesStaticForms } from "./notebook.js";
import { mountTree, newMemory } from "./view.js";
import { Wholes } from "./wholes.js";

/**
 * @typedef {import("./fold.js").Feed} Feed
 * @typedef {import("./view.js").Talk} Talk
 */

const PATIENCE = 400; // ms that the kernel has to answer

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
export default function widget() {
  /** @type {Feed} */
  let feed = { rev: 0, state: EMPTY_RUN };
  let isAsking = false;
  let isHeard = false;
  let isShown = false;
  const memory = newMemory();
  /** @type {any} */
  let model = null;
  /** @type {Set<ReturnType<typeof mountTree>>} */
  const views = new Set();

  /** @param {string} run @param {string} note */
  function noteStop(run, note) {
    memory.stopping = { run, note };
    for (const view of views) view.refresh();
  }

  const wholes = new Wholes((id, args) => model.send({ type: "whole", id, ...args }));

  /** The kernel is another one now: nothing more comes, and there is nothing to be stopped. */
  function sayEnd() {
    if (feed.state.status === "running") noteStop(feed.state.id, "Cut off: the kernel was restarted");
  }

  /** @type {Talk} */
  const talk = {
    stop(run) {
      isHeard = false;
      noteStop(run, "Stopping…");
      model.send({ type: "stop", run });
      setTimeout(async () => {
        const isOver = feed.state.id !== run || feed.state.status !== "running";
        if (isHeard || isOver || await interrupt(model)) return;
        noteStop(run, "Stops as soon as the kernel is free");
      }, PATIENCE);
    },
    decide(answer) {
      model.send({ type: "approval", ...answer });
    },
    whole: (_run, calls, name) => wholes.ask({ calls, name }),
  };

  /** @param {any} message */
  function take(message) {
    if (message?.type === "stopping") {
      isHeard = true;
      noteStop(String(message.run), "Stopping…");
      return;
    }
    if (message?.type === "unstopped") { // why, a notice says
      if (memory.stopping?.run === message.run) memory.stopping = null;
      for (const view of views) view.refresh();
      return;
    }
    if (message?.type === "asking" || message?.type === "refused") {
      if (message.type === "refused") {
        memory.refused.set(`${message.run}\n${message.call}`, String(message.text));
      } else {
        memory.asked = new Set(message.calls.map((/** @type {string[]} */ call) => call.join("\n")));
      }
      for (const view of views) view.refresh();
      return;
    }
    if (message?.type === "whole") return wholes.take(message);
    if (message?.type === "static") {
      putStatic(model, message.output, Boolean(message.instead));
      return;
    }
    const { feed: next, missing } = receive(feed, message);
    if (missing && !isAsking) model.send({ type: "resync", have: feed.rev });
    isAsking = missing;
    feed = next;
    for (const view of views) view.update(feed.state);
  }

  return {
    /** @param {{model: any}} context */
    initialize(context) {
      model = context.model;
      model.on("msg:custom", take);
      model.on("comm_live_update", sayEnd);
      take(model.get("snap"));
      // That this is heard tells the kernel that it can ask here.
      model.send({ type: "here" });
      restoreView(model).then((isRestored) => {
        if (isRestored) model.send({ type: "restored" });
      });
      return () => {
        model.off("msg:custom", take);
        model.off("comm_live_update", sayEnd);
      };
    },
    /** @param {{el: HTMLElement}} context */
    render({ el }) {
      if (!isShown) model.send({ type: "shown", saves: savesStaticForms(model) });
      isShown = true;
      const view = mountTree(el, { state: feed.state, memory, talk, name: model.get("name") });
      views.add(view);
      return () => {
        views.delete(view);
        view.destroy();
      };
    },
  };
}
