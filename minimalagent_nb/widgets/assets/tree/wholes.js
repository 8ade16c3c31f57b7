// @ts-check
/** Values that a kernel is asked for, which come in parts. Pure but for what sends. */

/**
 * @typedef {{parts: string[], left: number, done: (whole: Whole) => void,
 *   fail: (error: Error) => void}} Waiting
 * @typedef {{value: any, isCut: boolean}} Whole `isCut` where no page could hold all of it
 */

export class Wholes {
  /** @param {(id: string, args: object) => void} send asks the kernel */
  constructor(send) {
    this.send = send;
    /** @type {Map<string, Waiting>} */
    this.waiting = new Map();
  }

  /** @param {object} args what is asked for; see `Talk` @returns {Promise<Whole>} */
  ask(args) {
    // Several pages may show the run, and all of them hear the answer.
    const id = Math.random().toString(36).slice(2);
    return new Promise((done, fail) => {
      this.waiting.set(id, { parts: [], left: -1, done, fail });
      try {
        this.send(id, args);
      } catch {
        this.waiting.delete(id);
        fail(new Error("The kernel is gone."));
      }
    });
  }

  /** Nobody is there any more who could answer. @param {string} error what a reader is told */
  end(error) {
    for (const id of [...this.waiting.keys()]) this.take({ id, error });
  }

  /** @param {any} message a part, or why there is none */
  take({ id, part, parts, text, cut, error }) {
    const one = this.waiting.get(id);
    if (!one) return; // asked for by another page of the same run
    if (error !== undefined) {
      this.waiting.delete(id);
      return one.fail(new Error(String(error)));
    }
    if (one.left < 0) one.left = parts;
    if (one.parts[part] === undefined) one.left -= 1;
    one.parts[part] = String(text);
    if (one.left > 0) return;
    this.waiting.delete(id);
    try {
      one.done({ value: JSON.parse(one.parts.join("")), isCut: Boolean(cut) });
    } catch {
      one.fail(new Error("What the kernel sent cannot be read."));
    }
  }
}
