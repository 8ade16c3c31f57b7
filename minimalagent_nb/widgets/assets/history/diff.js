// @ts-check
/**
 * What two texts do not have in common, by lines and in them by words. Pure.
 *
 * Myers' algorithm, with the common beginning and end taken off before. The work is bounded:
 * what differs in more than MOST_EDITS places counts as wholly different.
 */

/**
 * @typedef {"same" | "gone" | "new"} Mark
 * @typedef {{mark: Mark, text: string}} Piece
 * @typedef {{mark: Mark, pieces: Piece[]}} DiffLine
 */

/**
 * @template T
 * @typedef {{mark: Mark, one: T | null, other: T | null}} Pair
 */

const MOST_EDITS = 1_000;
const MOST_CHARACTERS = 4_000; // of a line whose words are compared
const AROUND = 400; // characters that stay before the first difference of long texts
const LEAST_IN_COMMON = 0.3; // of two lines that count as one that was changed

/**
 * The lines of both texts, those that changed with their words marked.
 * @param {string} before @param {string} after @returns {DiffLine[]}
 */
export function textDiff(before, after) {
  /** @type {DiffLine[]} */
  const lines = [];
  /** @type {string[]} */
  let gone = [];
  /** @type {string[]} */
  let added = [];
  const flush = () => {
    lines.push(...changedLines(gone, added));
    gone = [];
    added = [];
  };
  for (const { mark, one, other } of aligned(linesOf(before), linesOf(after))) {
    if (mark === "gone") gone.push(String(one));
    else if (mark === "new") added.push(String(other));
    else {
      flush();
      lines.push({ mark, pieces: [{ mark, text: String(one) }] });
    }
  }
  flush();
  return lines;
}

/**
 * Two texts from shortly before their first difference on, and how many characters both have
 * before that.
 * @param {string} before @param {string} after @param {number} most characters of each
 */
export function differingPart(before, after, most) {
  if (Math.max(before.length, after.length) <= most) return { skipped: 0, one: before, other: after };
  const shorter = Math.min(before.length, after.length);
  let first = 0;
  while (first < shorter && before[first] === after[first]) first += 1;
  // From the beginning of a line, where that is not far.
  const least = Math.max(first - AROUND, 0);
  const line = before.indexOf("\n", least) + 1;
  const skipped = least === 0 ? 0 : line > 0 && line <= first ? line : least;
  const end = skipped + most;
  return { skipped, one: before.slice(skipped, end), other: after.slice(skipped, end) };
}

/** @param {string[]} gone @param {string[]} added @returns {DiffLine[]} */
function changedLines(gone, added) {
  const pairs = gone.map((line, at) => at < added.length ? wordPieces(line, added[at]) : null);
  /**
   * @param {Mark} mark @param {string} text @param {Piece[] | null | undefined} pieces
   * @returns {DiffLine}
   */
  const made = (mark, text, pieces) => ({
    mark, pieces: pieces?.filter((piece) => piece.mark === "same" || piece.mark === mark) ??
      [{ mark, text }],
  });
  return [
    ...gone.map((line, at) => made("gone", line, pairs[at])),
    ...added.map((line, at) => made("new", line, pairs[at])),
  ];
}

/**
 * The words of two lines; null where they have little in common.
 * @param {string} before @param {string} after
 */
function wordPieces(before, after) {
  if (Math.max(before.length, after.length) > MOST_CHARACTERS) return null;
  const pieces = wordDiff(before, after);
  const common = pieces.reduce(
    (sum, { mark, text }) => sum + (mark === "same" ? text.trim().length : 0), 0);
  return common < LEAST_IN_COMMON * Math.max(before.length, after.length) ? null : pieces;
}

/**
 * The words of both texts, neighbours of one kind joined.
 * @param {string} before @param {string} after
 */
export function wordDiff(before, after) {
  /** @type {Piece[]} */
  const pieces = [];
  for (const { mark, one, other } of aligned(wordsOf(before), wordsOf(after))) {
    const text = String(one ?? other);
    const last = pieces.at(-1);
    if (last?.mark === mark) last.text += text;
    else pieces.push({ mark, text });
  }
  return pieces;
}

/** @param {string} text @returns {string[]} */
function wordsOf(text) {
  return text.match(/\s+|[\p{L}\p{N}_]+|[^\s\p{L}\p{N}_]/gu) ?? [];
}

/** @param {string} text @returns {string[]} */
function linesOf(text) {
  return text === "" ? [] : text.replace(/\n$/, "").split("\n");
}

/**
 * The two lists as one: what stands in both, in the first only, in the second only.
 * @template T
 * @param {T[]} before @param {T[]} after @param {(one: T, other: T) => boolean} [equal]
 * @returns {Pair<T>[]}
 */
export function aligned(before, after, equal = (one, other) => one === other) {
  const shorter = Math.min(before.length, after.length);
  let start = 0;
  while (start < shorter && equal(before[start], after[start])) start += 1;
  let end = 0;
  const most = shorter - start;
  while (end < most && equal(before[before.length - 1 - end], after[after.length - 1 - end])) end += 1;
  const left = before.slice(start, before.length - end);
  const right = after.slice(start, after.length - end);
  /** @param {T} one @param {T} other @returns {Pair<T>} */
  const same = (one, other) => ({ mark: "same", one, other });
  return [
    ...before.slice(0, start).map((one, at) => same(one, after[at])),
    ...edits(left, right, equal),
    ...before.slice(before.length - end).map((one, at) => same(one, after[after.length - end + at])),
  ];
}

/**
 * @template T
 * @param {T[]} left @param {T[]} right @param {(one: T, other: T) => boolean} equal
 * @returns {Pair<T>[]}
 */
function edits(left, right, equal) {
  /** @param {T} one @returns {Pair<T>} */
  const gone = (one) => ({ mark: "gone", one, other: null });
  /** @param {T} other @returns {Pair<T>} */
  const added = (other) => ({ mark: "new", one: null, other });
  const rounds = roundsOf(left, right, equal);
  if (!rounds) return [...left.map(gone), ...right.map(added)];
  /** @type {Pair<T>[]} */
  const back = [];
  let x = left.length;
  let y = right.length;
  for (let d = rounds.length - 1; d >= 0; d -= 1) {
    const from = d ? cameFrom(rounds[d], d, x - y) : { x: 0, y: 0 };
    while (x > from.x && y > from.y) {
      x -= 1;
      y -= 1;
      back.push({ mark: "same", one: left[x], other: right[y] });
    }
    if (d) back.push(x === from.x ? added(right[y - 1]) : gone(left[x - 1]));
    x = from.x;
    y = from.y;
  }
  return back.reverse();
}

/**
 * The point that an edit began at, on the diagonal that it came from.
 * @param {Int32Array} furthest before round `d`, from diagonal -d - 1 on
 * @param {number} d @param {number} k the diagonal that it led to
 */
function cameFrom(furthest, d, k) {
  const isDown = k === -d || (k !== d && furthest[k + d] < furthest[k + d + 2]);
  const x = furthest[isDown ? k + d + 2 : k + d];
  return { x, y: x - (isDown ? k + 1 : k - 1) };
}

/**
 * How far each number of edits led on each diagonal, before the next edit; null where it
 * takes too many.
 * @template T
 * @param {T[]} left @param {T[]} right @param {(one: T, other: T) => boolean} equal
 * @returns {Int32Array[] | null}
 */
function roundsOf(left, right, equal) {
  const most = Math.min(left.length + right.length, MOST_EDITS);
  const zero = most + 1; // where diagonal 0 stands
  const furthest = new Int32Array(2 * most + 3);
  /** @type {Int32Array[]} */
  const rounds = [];
  for (let d = 0; d <= most; d += 1) {
    rounds.push(furthest.slice(zero - d - 1, zero + d + 2));
    for (let k = -d; k <= d; k += 2) {
      const below = furthest[zero + k + 1];
      const beside = furthest[zero + k - 1];
      let x = k === -d || (k !== d && beside < below) ? below : beside + 1;
      while (x < left.length && x - k < right.length && equal(left[x], right[x - k])) x += 1;
      furthest[zero + k] = x;
      if (x >= left.length && x - k >= right.length) return rounds;
    }
  }
  return null;
}
