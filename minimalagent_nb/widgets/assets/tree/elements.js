// @ts-check
/** Elements: all ways from a text to the page, and none of them reads it as HTML. */

/**
 * @typedef {import("./fold.js").Markup} Markup
 * @typedef {import("./fold.js").Shown} Shown
 */

// Control characters, and those that turn the direction of writing: with them a text
// could look like another one.
const UNSEEN = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069]/g;

/** Any text as the page shows it. @param {unknown} text */
export function plain(text) {
  return String(text ?? "").replace(UNSEEN, "");
}

/** @param {string} tag @param {string} [className] @param {string} [text] */
export function element(tag, className, text) {
  const made = document.createElement(tag);
  if (tag === "pre") keepKeys(made);
  if (className) made.className = className;
  if (text !== undefined) made.textContent = plain(text);
  return made;
}

/**
 * Keys of a focused element must not reach the notebook: `x` would cut a cell. Browsers give the
 * focus to what scrolls, too.
 * @param {Element} el
 */
export function keepKeys(el) {
  el.setAttribute("data-lm-suppress-shortcuts", "true");
}

/** Touches the page only where the text has changed. @param {Node} node @param {string} text */
export function setText(node, text) {
  const seen = plain(text);
  if (node.textContent !== seen) node.textContent = seen;
}

/** As `setText`, but a text that grows is only added to. @param {Element} el @param {string} text */
export function growText(el, text) {
  const last = el.firstChild;
  const before = last?.nodeValue ?? "";
  const seen = plain(text);
  if (last instanceof Text && seen.length > before.length && seen.startsWith(before)) {
    last.appendData(seen.slice(before.length));
  } else {
    setText(el, seen);
  }
}

/** As `setText`, for an attribute. @param {Element} el @param {string} name @param {string} value */
export function setAttribute(el, name, value) {
  if (el.getAttribute(name) !== value) el.setAttribute(name, value);
}

/** As `setText`, for whether it is there. @param {HTMLElement} el @param {boolean} hidden */
export function setHidden(el, hidden) {
  if (el.hidden !== hidden) el.hidden = hidden;
}

/** @param {string} label @param {() => void} onClick */
export function button(label, onClick) {
  const made = /** @type {HTMLButtonElement} */ (element("button", "ma-button", label));
  made.type = "button";
  keepKeys(made);
  made.addEventListener("click", (event) => {
    event.stopPropagation();
    onClick();
  });
  return made;
}

const TAGS = new Set([
  "a", "blockquote", "br", "code", "del", "em", "h3", "h4", "h5", "h6", "hr", "li", "ol", "p",
  "pre", "strong", "table", "tbody", "td", "th", "thead", "tr", "ul",
]);

/**
 * An element of a rendered text, from the allow-list and with no attribute of the data's choice.
 * @param {Markup} node @returns {Node}
 */
export function buildNode(node) {
  if (!Array.isArray(node)) return document.createTextNode(plain(node));
  const [tag, attributes, children] = node;
  const made = element(TAGS.has(tag) ? tag : "span");
  if (tag === "table") keepKeys(made);
  if (tag === "a" && /^(https?|mailto):/i.test(String(attributes.href))) {
    const link = /** @type {HTMLAnchorElement} */ (made);
    link.href = String(attributes.href);
    link.target = "_blank";
    link.rel = "noopener noreferrer";
    keepKeys(link);
  }
  if (tag === "ol" && Number.isInteger(attributes.start)) {
    /** @type {HTMLOListElement} */ (made).start = Number(attributes.start);
  }
  if ((tag === "td" || tag === "th") && typeof attributes.align === "string") {
    made.style.textAlign = attributes.align;
  }
  for (const child of children) made.append(buildNode(child));
  return made;
}

/**
 * An image whose bytes are in the page, in one of two formats; null for anything else.
 * @param {Shown} shown
 */
export function buildImage({ kind, text, mime, data, width, height }) {
  const isImage = kind === "image" && (mime === "image/png" || mime === "image/jpeg") &&
    typeof data === "string" && /^[A-Za-z0-9+/]+={0,2}$/.test(data);
  if (!isImage) return null;
  const made = /** @type {HTMLImageElement} */ (element("img", "ma-image"));
  made.alt = plain(text);
  if (Number.isInteger(width) && Number.isInteger(height)) {
    // Known before it is decoded, so that nothing below it jumps.
    made.width = Number(width);
    made.height = Number(height);
  }
  made.decoding = "async";
  made.src = `data:${mime};base64,${data}`;
  return made;
}

/** A rendered text that grows: blocks that did not change stay as they are. */
export class RenderedText {
  /** @param {string} className */
  constructor(className) {
    this.root = element("div", className);
    this.root.dir = "auto";
    /** @type {string[]} */
    this.blocks = [];
    /** @type {Markup[] | null} */
    this.nodes = null;
    this.text = "";
  }

  /** @param {Markup[] | null} nodes @param {string} text shown as it stands where there are no nodes */
  update(nodes, text) {
    if (nodes === this.nodes && text === this.text) return;
    this.nodes = nodes;
    this.text = text;
    const blocks = nodes ?? (text ? [["p", {}, [text]]] : []);
    const keys = blocks.map((block) => JSON.stringify(block));
    let same = 0;
    while (same < keys.length && keys[same] === this.blocks[same]) same += 1;
    while (this.root.childNodes.length > same) this.root.lastChild?.remove();
    for (const block of blocks.slice(same)) this.root.append(buildNode(block));
    this.blocks = keys;
  }
}
