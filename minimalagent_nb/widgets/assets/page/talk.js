// @ts-check
/**
 * What a reader of the page asks of a run: to stop, and to let a tool call go on or not.
 *
 * The tree's own buttons come here through the `Talk` that `mountTree` is given; the server
 * hands it to the kernel of the run, wherever that is.
 *
 * Before a new state is drawn, `noteQuestions` says what it asks.
 */

/**
 * @typedef {{id: string, status: string, turns: {tools: {id: string, status: string,
 *   approval: {decision: string} | null, run: Run | null}[]}[]}} Run
 * @typedef {{stopping: {run: string, note: string} | null, asked: Set<string>,
 *   refused: Map<string, string>}} Memory
 * @typedef {{status: number, state: string, message: string}} Reply
 */

const LONGEST_NOTE = 6_000; // milliseconds that it is said why a run was not stopped

/** The value of Jupyter's cookie against requests of other sites. */
function xsrfToken() {
  const found = /(?:^|;\s*)_xsrf=([^;]*)/.exec(document.cookie);
  return found ? decodeURIComponent(found[1]) : "";
}

/** @param {string} path @param {object} body @returns {Promise<Reply>} */
async function post(path, body) {
  let response;
  try {
    response = await fetch(`api/${path}`, {
      method: "POST",
      headers: {
        Accept: "application/json", "Content-Type": "application/json", "X-XSRFToken": xsrfToken(),
      },
      body: JSON.stringify(body),
    });
  } catch {
    return { status: 0, state: "", message: "Jupyter cannot be reached." };
  }
  const { status } = response;
  if (status === 403) {
    return { status, state: "", message: "You may not stop runs or answer their questions here." };
  }
  let said;
  try {
    said = await response.json();
  } catch {
    said = {};
  }
  const message = String(said.message || (status < 300 ? "" : `Jupyter answered ${status}.`));
  return { status, state: String(said.state ?? ""), message };
}

/**
 * How a tree reaches the kernel of its run.
 * @param {string} path of the interaction, below api/
 * @param {Memory} memory that of the tree
 * @param {() => void} refresh draws the tree again
 */
export function makeTalk(path, memory, refresh) {
  /** @param {string} run @param {string} note */
  function noteStop(run, note) {
    memory.stopping = note ? { run, note } : null;
    refresh();
  }

  return {
    slow: "Jupyter takes its time. The whole appears as soon as it answers.",
    /** @param {string} run */
    async stop(run) {
      noteStop(run, "Stopping…");
      const { state, message } = await post(`${path}/stop`, { run });
      if (state === "taken") return; // its end comes with its events
      const note = state === "waiting" ? "The kernel has not answered" : message;
      noteStop(run, note.slice(0, 200));
      setTimeout(() => {
        // So that it can be tried once more.
        if (memory.stopping?.note === note.slice(0, 200)) noteStop(run, "");
      }, LONGEST_NOTE);
    },
    /** @param {{run: string, call: string}} answer */
    async decide(answer) {
      const { state, message } = await post(`${path}/approval`, answer);
      if (state === "taken") return;
      memory.refused.set(`${answer.run}\n${answer.call}`, message.slice(0, 500));
      refresh();
    },
  };
}

/**
 * Have the tree ask about the calls that wait, those of sub-agents too.
 * @param {Memory} memory @param {Run} run
 */
export function noteQuestions(memory, run) {
  memory.asked = new Set(run.status === "running" ? waiting(run) : []);
}

/** @param {Run} run @returns {string[]} */
function waiting(run) {
  return run.turns.flatMap(({ tools }) => tools.flatMap((tool) => [
    ...(tool.status === "running" && tool.approval?.decision === "pending"
      ? [`${run.id}\n${tool.id}`] : []),
    ...(tool.run ? waiting(tool.run) : []),
  ]));
}
