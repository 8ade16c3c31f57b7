// @ts-check
/** A value that was cut for display, and the way to the whole of it. */

import { button, element, setHidden, setText } from "./elements.js";
import { callsTo } from "./places.js";

/**
 * @typedef {import("./values.js").ValueItem} ValueItem
 * @typedef {import("./view.js").TreeView} TreeView
 */

const SILENCE = 1500; // ms after which a reader is told why it takes so long
const BUSY = "The kernel is busy, or gone. The whole appears as soon as it answers.";

/** Says that a value is cut; where somebody can give the whole, it is shown on demand. */
export class WholeLine {
  /** @param {TreeView} view @param {ValueItem} item */
  constructor(view, item) {
    this.view = view;
    this.item = item;
    this.root = element("div", "ma-whole");
    this.words = element("span", "ma-whole-words", "Cut for display.");
    this.words.setAttribute("aria-live", "polite");
    this.show = button("Show whole", () => this.demand());
    this.root.append(this.words, this.show);
    if (!view.talk?.whole) this.show.remove();
    this.draw();
  }

  /** Once it was fetched there is nothing to be said, or that there is no more of it. */
  draw() {
    const whole = this.view.memory.wholes.get(this.item.key);
    if (!whole) return;
    setHidden(this.root, !whole.isCut);
    setText(this.words, "Cut: no page could hold all of it. In Python it is whole.");
    this.show.remove();
  }

  async demand() {
    const { view, item } = this;
    const ask = view.talk?.whole;
    if (!ask || this.show.getAttribute("aria-disabled") === "true") return;
    this.show.setAttribute("aria-disabled", "true");
    setText(this.words, "Asking for the whole…");
    const timer = setTimeout(() => setText(this.words, view.talk?.slow ?? BUSY), SILENCE);
    const name = item.key.slice(item.key.lastIndexOf("/") + 1);
    try {
      const whole = await ask(view.state.id, callsTo(view.state, item.key), name);
      if (!view.tree.contains(item.root)) return; // a newer run of the sub-agent is in its place
      view.memory.wholes.set(item.key, whole);
      if (view.isGone) return;
      item.set(whole.value);
      view.choose(item, true);
      view.searching.changed();
      const isFocused = document.activeElement === this.show;
      this.draw();
      view.announcer.say(whole.isCut ? "More of the value is shown." : "The whole value is shown.");
      if (isFocused) item.root.focus({ preventScroll: true });
    } catch (error) {
      setText(this.words, error instanceof Error ? error.message : "The whole cannot be shown.");
    } finally {
      clearTimeout(timer);
      this.show.removeAttribute("aria-disabled");
    }
  }
}
