// @ts-check
/**
 * Following a run: while the end of the tree is in view it stays in view as the tree grows.
 *
 * It never goes before the reader: who scrolls up, selects text or has the end out of sight
 * is left alone, until the end is in view again. What scrolls is whatever does around the
 * tree: a notebook's panel, an output of limited height within it, or the page.
 */

import { button, element, setHidden } from "./elements.js";

/**
 * @typedef {import("./view.js").TreeView} TreeView
 */

const SLACK = 32; // pixels that the end may be below the edge and still be in view
const LEAST = 60; // pixels of the tree that are in view where it says that there is more
const UPWARD = new Set(["ArrowUp", "PageUp", "Home"]);

/** What may scroll around an element, from the inside out. @param {Element} el */
export function scrollersOf(el) {
  const found = [];
  for (let at = el.parentElement; at; at = at.parentElement) {
    if (at === document.scrollingElement || at === document.body) continue;
    if (/auto|scroll|overlay/.test(getComputedStyle(at).overflowY)) found.push(at);
  }
  if (document.scrollingElement) found.push(document.scrollingElement);
  return found.filter((at) => at.scrollHeight > at.clientHeight + 1);
}

/** The edges between which a scroller shows something, on the screen. @param {Element} scroller */
function edgesOf(scroller) {
  if (scroller === document.scrollingElement) return { top: 0, bottom: window.innerHeight };
  const { top } = scroller.getBoundingClientRect();
  return { top: top + scroller.clientTop, bottom: top + scroller.clientTop + scroller.clientHeight };
}

/** The edges of what all of them show, on the screen. @param {Element[]} scrollers */
function commonEdges(scrollers) {
  const edges = scrollers.map(edgesOf);
  return {
    top: Math.max(...edges.map(({ top }) => top)),
    bottom: Math.min(...edges.map(({ bottom }) => bottom), window.innerHeight),
  };
}

export class Follower {
  /** @param {TreeView} view */
  constructor(view) {
    this.view = view;
    this.isReleased = false; // the reader went up
    this.wasInView = false;
    this.wasRunning = false;
    this.isHolding = false; // what grows now is what was drawn, nothing that the reader opened
    this.isNew = false; // something came out of sight
    this.height = 0;
    this.lastTops = new WeakMap();
    this.end = element("div", "ma-end");
    this.latest = button("↓ Latest", () => this.goToEnd());
    this.latest.classList.add("ma-latest");
    this.latest.hidden = true;
    this.frame = 0;
    this.listening = new AbortController();
    // Turns have their true height only when they are in view, images when they are loaded.
    this.resized = new ResizeObserver(() => {
      if (this.isHolding && !this.isReleased) this.holdEnd();
    });
    this.resized.observe(view.root);
    const options = { capture: true, passive: true, signal: this.listening.signal };
    document.addEventListener("pointerdown", () => this.letGo(), options);
    document.addEventListener("scroll", (event) => this.onScroll(event), options);
    document.addEventListener("wheel", (event) => {
      if (event.deltaY < 0) this.release(event);
    }, options);
    document.addEventListener("touchmove", (event) => this.release(event), options);
    document.addEventListener("keydown", (event) => {
      this.letGo();
      if (UPWARD.has(event.key)) this.release(event);
    }, options);
  }

  destroy() {
    this.listening.abort();
    this.resized.disconnect();
    cancelAnimationFrame(this.frame);
  }

  /** The reader does something, after which what grows may be what was asked for. */
  letGo() {
    this.isHolding = false;
  }

  /** The reader moves what is around the tree, or within it. @param {Event} event */
  release(event) {
    const { target } = event;
    if (!(target instanceof Node) || !this.view.isRunning) return;
    if (scrollersOf(this.view.root).some((at) => at.contains(target))) this.isReleased = true;
  }

  /** Before the page is changed: whether the reader is at the end. */
  before() {
    const { root, isRunning } = this.view;
    const isFollowed = isRunning || this.wasRunning; // also what came with the run's end
    this.wasRunning = isRunning;
    this.height = isFollowed ? root.offsetHeight : 0;
    this.wasInView = this.height > 0 && this.isEndInView(scrollersOf(root));
  }

  /** After it: hold the end in view, or say that there is more. */
  after() {
    const { root, isRunning } = this.view;
    if (!this.height) return;
    if (root.offsetHeight > this.height + 1) {
      this.isHolding = this.wasInView && !this.isReleased && !this.isReading();
      if (this.isHolding) this.holdEnd();
      else if (isRunning) this.isNew = true;
    }
    this.showButton();
  }

  /** @param {Element[]} scrollers */
  isEndInView(scrollers) {
    const { top, bottom } = commonEdges(scrollers);
    const end = this.end.getBoundingClientRect().bottom;
    return end >= top && end <= bottom + SLACK;
  }

  /** Whether the reader marks text, or writes above the tree, which would be moved away. */
  isReading() {
    const { root } = this.view;
    const selection = document.getSelection();
    if (selection && !selection.isCollapsed && root.contains(selection.anchorNode)) return true;
    const at = document.activeElement;
    const isWriting = at instanceof HTMLElement &&
      (at.isContentEditable || at.matches("input, textarea"));
    return isWriting && (root.contains(at) ||
      Boolean(at.compareDocumentPosition(root) & Node.DOCUMENT_POSITION_FOLLOWING));
  }

  holdEnd() {
    for (const scroller of scrollersOf(this.view.root)) {
      const over = this.end.getBoundingClientRect().bottom - edgesOf(scroller).bottom;
      if (over <= 0) continue;
      scroller.scrollTop += Math.ceil(over);
      this.lastTops.set(scroller, scroller.scrollTop);
    }
  }

  goToEnd() {
    this.isReleased = false;
    this.isNew = false;
    this.isHolding = true;
    this.holdEnd();
    this.showButton();
  }

  /** @param {Event} event */
  onScroll(event) {
    const scroller = event.target === document ? document.scrollingElement : event.target;
    if (!(scroller instanceof Element) || !scroller.contains(this.view.root)) return;
    const isDown = scroller.scrollTop > (this.lastTops.get(scroller) ?? Infinity);
    this.lastTops.set(scroller, scroller.scrollTop);
    if (this.isReleased && isDown) this.isReleased = !this.isEndInView(scrollersOf(this.view.root));
    this.frame ||= requestAnimationFrame(() => {
      this.frame = 0;
      this.showButton();
    });
  }

  /** The way to the end: there while something new is below the edge of a tree in view. */
  showButton() {
    const { root, isRunning } = this.view;
    this.isNew &&= isRunning;
    if (!this.isNew) return setHidden(this.latest, true);
    const scrollers = scrollersOf(root);
    this.isNew = !this.isEndInView(scrollers);
    const { top, bottom } = commonEdges(scrollers);
    const place = root.getBoundingClientRect();
    const isBelow = place.top < bottom - LEAST && place.bottom > bottom && bottom - top > LEAST;
    setHidden(this.latest, !this.isNew || !isBelow);
    this.latest.style.top = `${Math.round(bottom - place.top - 34)}px`;
  }
}
