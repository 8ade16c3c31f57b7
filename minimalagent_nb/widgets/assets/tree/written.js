// @ts-check
/**
 * Matches in a text that is shown rendered: in what is seen, and in what was written, whose
 * marks, addresses and numbers of lists are not seen. Pure.
 */

/** @typedef {{at: number, size: number}} Match where it is in what is seen */

const FARTHEST = 2_000; // characters of what was written that may be unseen in a row
const LONGEST = 100; // characters by which a match is made whole words
const AHEAD = 4; // characters by which a place is known

/** @param {string} character */
const isSpace = (character) => /^\s$/.test(character);
/** Or a digit, or half of a character. @param {string} character */
const isLetter = (character) => /^[\p{L}\p{M}\p{N}\p{Cs}_]$/u.test(character);

/**
 * Where in what was written each character of what is seen stands. They have the same order, so
 * that each is looked for after the one before, with those that follow it as long as they help.
 * @param {string} seen @param {string} written @returns {Int32Array} never falling
 */
function alignment(seen, written) {
  const places = new Int32Array(seen.length).fill(-1);
  let next = 0;
  for (let at = 0; at < seen.length; at += 1) {
    if (isSpace(seen[at])) {
      if (!isSpace(written[next] ?? "")) continue; // between two blocks, and the like
    } else if (written[next] !== seen[at]) {
      next += distance(written.slice(next, next + FARTHEST), seen.slice(at, at + AHEAD));
      if (written[next] !== seen[at]) continue;
    }
    places[at] = next;
    next += 1;
  }
  for (let at = seen.length - 1, after = written.length; at >= 0; at -= 1) {
    if (places[at] < 0) places[at] = after;
    after = places[at];
  }
  return places;
}

/** How far a word, or its first letter, is. @param {string} text @param {string} ahead */
function distance(text, ahead) {
  const place = text.indexOf(ahead.split(/\s/, 1)[0]);
  return Math.max(place < 0 ? text.indexOf(ahead[0]) : place, 0);
}

/** How many of the places are before this one. @param {Int32Array} places @param {number} place */
function countBefore(places, place) {
  let low = 0;
  let high = places.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (places[middle] < place) low = middle + 1;
    else high = middle;
  }
  return low;
}

/**
 * The whole words of what is seen that a match touches; of a match between them the word before,
 * where it goes on from there, else the next one, else the last.
 * @param {string} seen @param {number} from @param {number} to @returns {Match}
 */
function wordsAt(seen, from, to) {
  let goesOn = isLetter;
  if (!seen.slice(from, to).trim()) {
    if (from === 0 || isSpace(seen[from - 1])) {
      while (from < seen.length && isSpace(seen[from])) from += 1;
    }
    if (from === seen.length) while (from > 0 && isSpace(seen[from - 1])) from -= 1;
    to = from;
    goesOn = (character) => !isSpace(character);
  } else {
    while (isSpace(seen[from])) from += 1;
    while (isSpace(seen[to - 1])) to -= 1;
  }
  const [first, last] = [Math.max(from - LONGEST, 0), Math.min(to + LONGEST, seen.length)];
  while (from > first && goesOn(seen[from - 1])) from -= 1;
  while (to < last && goesOn(seen[to])) to += 1;
  return { at: from, size: to - from };
}

/** Where a pattern matches what was written, as words of what is seen.
 *  @param {string} seen @param {string} written @param {RegExp} pattern @returns {Match[]} */
function matchesOfWritten(seen, written, pattern) {
  /** @type {Int32Array | null} */
  let places = null;
  const found = [];
  for (const { index, 0: { length } } of written.matchAll(pattern)) {
    places ??= alignment(seen, written);
    found.push(wordsAt(seen, countBefore(places, index), countBefore(places, index + length)));
  }
  return found;
}

/**
 * Where a pattern matches, each place once and in order.
 * @param {string} seen @param {RegExp} pattern
 * @param {string} [written] what is seen as Markdown has it, where that is something else
 * @returns {Iterable<Match>}
 */
export function* matchesIn(seen, pattern, written) {
  const others = written === undefined ? [] : matchesOfWritten(seen, written, pattern);
  let next = 0;
  let end = 0; // of the last one
  for (const { index, 0: { length } } of seen.matchAll(pattern)) {
    for (; next < others.length && others[next].at < index + length; next += 1) {
      const { at, size } = others[next];
      if (at < end || at + size > index || !size) continue; // it is one of those that are seen
      yield others[next];
      end = at + size;
    }
    yield { at: index, size: length };
    end = index + length;
  }
  for (const other of others.slice(next)) {
    if (other.at < end || !other.size) continue;
    yield other;
    end = other.at + other.size;
  }
}
