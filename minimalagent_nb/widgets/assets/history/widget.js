// @ts-check
/** The history browser as a widget: the thin adapter between a model of anywidget and its views. */

import { HistoryBrowser } from "./browser.js";
import { CommSource } from "./comm.js";

/** The widget of one model; each view has a place of its own in the history. */
export default function widget() {
  return {
    /** @param {{model: any, el: HTMLElement}} context */
    render({ model, el }) {
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
