// @ts-check
/** The history browser as a widget: the thin adapter between a model of anywidget and its views. */

import { restoreView, savesStaticForms } from "../tree/notebook.js";
import { HistoryBrowser } from "./browser.js";
import { CommSource } from "./comm.js";

/** The widget of one model; each view has a place of its own in the history. */
export default function widget() {
  let isShown = false;
  return {
    /** @param {{model: any}} context */
    initialize({ model }) {
      restoreView(model);
    },
    /** @param {{model: any, el: HTMLElement}} context */
    render({ model, el }) {
      if (!isShown) model.send({ type: "shown", saves: savesStaticForms(model) });
      isShown = true;
      /** @type {HistoryBrowser | null} */
      let browser = null;
      const source = new CommSource(model, (isWaiting) => browser?.tellWaiting(isWaiting));
      browser = new HistoryBrowser(el, source, { first: model.get("first") });
      return () => {
        browser?.destroy();
        source.close();
      };
    },
  };
}
