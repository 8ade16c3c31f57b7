// What is measured in the page. An expression: the functions that the benchmark calls.
(() => {
  const tasks = [];
  new PerformanceObserver((list) => {
    for (const { startTime, duration } of list.getEntries()) tasks.push({ startTime, duration });
  }).observe({ entryTypes: ["longtask"] });

  // When the frame that is being made has been painted.
  const painted = () => new Promise((done) => requestAnimationFrame(() => {
    const { port1, port2 } = new MessageChannel();
    port1.onmessage = () => done(performance.now());
    port2.postMessage(0);
  }));
  const quiet = () => new Promise((done) => setTimeout(done, 300));
  const longest = async (since) => {
    await quiet(); // long tasks are reported late
    return Math.max(0, ...tasks.filter((task) => task.startTime >= since).map((t) => t.duration));
  };
  const items = () => document.querySelectorAll("[role=treeitem]").length;

  // The newest number of an event that the tree shows.
  const newest = () => {
    const turns = document.querySelectorAll(".ma-turn");
    const turn = turns[turns.length - 1];
    if (!turn) return 0;
    const tails = [...turn.querySelectorAll(".ma-thinking .ma-label, .ma-arguments")]
      .map((el) => el.textContent.slice(-80));
    const numbers = tails.flatMap((text) => [...text.matchAll(/#(\d+)\D/g)].map((m) => Number(m[1])));
    return Math.max(0, ...numbers);
  };

  return {
    /** How busy the machine is: the median of a fixed piece of work, in times of its fastest. */
    business() {
      const times = [];
      for (let round = 0; round < 60; round += 1) {
        const begun = performance.now();
        let sum = 0;
        for (let count = 0; count < 6e6; count += 1) sum += count % 7;
        times.push(performance.now() - begun + (sum ? 0 : 1));
      }
      times.sort((one, other) => one - other);
      return { times: times[30] / times[0], slowest: times[59] / times[0] };
    },
    /** @returns first paint, all built, longest task, in ms from when the message is there */
    async open(message, talk = null) {
      await painted();
      await quiet();
      const begun = performance.now();
      const root = document.createElement("div");
      document.body.replaceChildren(root);
      const nothing = { rev: 0, state: window.tree.EMPTY_RUN };
      const { state } = window.tree.receive(nothing, message).feed;
      window.tree.mountTree(root, { state, talk });
      const first = await painted() - begun;
      const atFirst = items();
      let seen = -1;
      while (seen !== items()) {
        seen = items();
        await painted();
        await painted();
      }
      const whole = performance.now() - begun;
      return { first, atFirst, whole, items: items(), task: await longest(begun) };
    },
    /** Open everything below the first call; the longest task of that. */
    async look(name) {
      await quiet();
      const begun = performance.now();
      document.querySelector(".ma-tool > .ma-row").click();
      await painted();
      const opened = performance.now() - begun;
      for (const button of document.querySelectorAll(".ma-body button")) {
        if (button.textContent.startsWith(name)) button.click();
      }
      await painted();
      const all = performance.now() - begun;
      return { opened, all, task: await longest(begun) };
    },
    /** Search the whole run for a text: until it is counted and shown, and the longest task. */
    async search(query) {
      await quiet();
      document.querySelector("[aria-label=Search]").click();
      const field = document.querySelector(".ma-field");
      const begun = performance.now();
      field.value = query;
      field.dispatchEvent(new KeyboardEvent("keydown", { key: "Enter", bubbles: true }));
      const count = () => document.querySelector(".ma-count").textContent;
      while (!/^[\d,]+ of [\d,]+$/.test(count())) await painted();
      const found = performance.now() - begun;
      return { found, task: await longest(begun) };
    },
    /** Have the only call's result, a table of 1 MB, fetched whole and shown. */
    async whole(message) {
      const row = (id) => ({ id, text: "x".repeat(80) });
      const value = JSON.stringify({ rows: Array.from({ length: 9_000 }, (_, id) => row(id)) });
      await this.open(message, { whole: async () => ({ value: JSON.parse(value), isCut: false }) });
      document.querySelector(".ma-tool > .ma-row").click();
      await quiet();
      const begun = performance.now();
      document.querySelector(".ma-whole button").click();
      while (!document.querySelector(".ma-table")) await painted();
      const shown = performance.now() - begun;
      return { shown, task: await longest(begun) };
    },
    /** From now on: at which time which number could be seen. */
    watch() {
      const seen = [];
      let last = 0;
      window.seen = seen;
      const look = async () => {
        await painted();
        const number = newest();
        if (number > last) seen.push([last = number, Date.now()]);
        look();
      };
      look();
      window.watchedFrom = performance.now();
    },
    /** What the page has in the end. */
    async result() {
      const thinking = [...document.querySelectorAll(".ma-thinking .ma-label")]
        .map((el) => el.textContent).join("");
      const numbers = [...thinking.matchAll(/#(\d+)/g)].map((m) => Number(m[1]));
      const calls = [...document.querySelectorAll(".ma-tool")];
      return {
        seen: window.seen,
        numbers,
        calls: calls.map((el) => el.querySelector(".ma-arguments").textContent),
        done: calls.filter((el) => el.dataset.status === "success").length,
        turns: document.querySelectorAll(".ma-turn").length,
        task: await longest(window.watchedFrom),
      };
    },
  };
})()
