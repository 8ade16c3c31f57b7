// @ts-check
/** What a tool printed and displayed. */

import { outputSize } from "./words.js";
import { buildImage, element, growText, RenderedText, setText } from "./elements.js";
import { Item } from "./item.js";

/**
 * @typedef {import("./fold.js").Part} Part
 * @typedef {import("./view.js").TreeView} TreeView
 */

/** What a tool printed and displayed while it worked, in order. */
export class OutputItem extends Item {
  /** @param {TreeView} view @param {string} key @param {number} level */
  constructor(view, key, level) {
    super(view, key, level, "output", { openAtFirst: true });
    this.root.classList.add("ma-part");
    this.label.append(element("span", "ma-key", "Output"));
    /** @type {Part[]} */
    this.parts = [];
    /** @type {Element[]} */
    this.blocks = [];
  }

  /** @param {Part[]} parts */
  update(parts) {
    if (parts === this.parts) return;
    this.parts = parts;
    setText(this.note, outputSize(parts));
    if (this.body) this.fill();
    this.makeOpenable();
  }

  /** @param {string} field the number of a part */
  spot(field) {
    return this.blocks[Number(field)] ?? null;
  }

  showSpot() {
    this.setOpen(true);
  }

  fill() {
    this.parts.forEach((part, index) => {
      if (!this.blocks[index]) {
        this.blocks[index] = this.build(part);
        this.body?.append(this.blocks[index]);
      } else if (!part.shown) {
        const block = this.blocks[index];
        const wasAtEnd = block.scrollTop + block.clientHeight >= block.scrollHeight - 4;
        growText(block, part.text);
        if (wasAtEnd) block.scrollTop = block.scrollHeight;
      }
    });
  }

  /** @param {Part} part */
  build({ kind, text, shown }) {
    if (!shown) {
      const block = element("pre", `ma-block ma-printed${kind === "stderr" ? " ma-stderr" : ""}`, text);
      if (kind === "stderr") block.setAttribute("aria-label", "Printed to standard error");
      return block;
    }
    const image = buildImage(shown);
    if (image) return image;
    if (shown.kind !== "markdown") return element("pre", "ma-block ma-display", shown.text ?? "");
    const rendered = new RenderedText("ma-rendered ma-display");
    rendered.update(shown.nodes ?? null, shown.text ?? "");
    return rendered.root;
  }
}
