// @ts-check
// The client's state diagram with the present state lit, and countdowns that run by themselves between two messages
// of Python, at the pace of the session's clock.

const TICK_MS = 200;

/** @param {number} seconds @returns {string} */
function inSeconds(seconds) {
  return Math.abs(seconds) < 10 ? seconds.toFixed(1) : seconds.toFixed(0);
}

/** @param {{model: Model, el: HTMLElement}} context */
function render({ model, el }) {
  const root = frame("state", "State of the client");
  const words = make("div", { class: "icws-lp-line icws-lp-now", role: "status" });
  const diagram = make("div", { class: "icws-lp-diagram", role: "img" });
  const bars = make("div", { class: "icws-lp-bars", role: "group", "aria-label": "Time-outs" });
  const next = make("details", { class: "icws-lp-next" });
  const still = make("div", { class: "icws-lp-soft", text: "The lab's time stands still: it passes while a call waits, or when the lab is resumed." });
  root.append(words, make("div", { class: "icws-lp-sight" }, diagram, bars), still, next);
  el.append(root);
  diagram.innerHTML = model.get("diagram"); // the package's own drawing; nothing of a peer is in it

  let since = performance.now();
  let isVisible = true;
  /** @type {ReturnType<typeof setInterval> | undefined} */ let ticking;

  function showState() {
    const state = model.get("state");
    const [from, to, trigger] = model.get("taken");
    const ending = model.get("ending");
    const failure = model.get("failure");
    for (const box of diagram.querySelectorAll("[data-state]")) {
      box.classList.toggle("icws-lp-lit", box.getAttribute("data-state") === state);
    }
    for (const move of diagram.querySelectorAll("[data-move]")) {
      move.classList.toggle("icws-lp-lit", move.getAttribute("data-move") === `${from} ${to}`);
    }
    const cause = trigger && to === state ? ` (after: ${trigger})` : "";
    const name = make("b", { text: state || "no session" });
    words.replaceChildren(name, state ? `: ${model.get("words")[state]}${cause}` : ": connect to see the client's state");
    if (ending) words.append(make("div", { class: ending.startsWith("closed with 1000") ? "" : "icws-lp-ending", text: `${ending}${failure && !failure.includes(ending) ? ` (${failure})` : ""}` }));
    diagram.style.display = state ? "" : "none"; // before a session it only keeps the way to one out of sight
    diagram.setAttribute("aria-label", state ? `State diagram of the client; the present state is ${state}` : "State diagram of the client");
    showNext(state);
  }

  /** The rows of the table that leave this state, or keep it. @param {string} state */
  function showNext(state) {
    const rows = model.get("rows").filter((/** @type {string[]} */ row) => row[0] === state);
    next.hidden = rows.length === 0;
    if (next.hidden) return;
    const table = make("table", {}, make("tr", {}, ...["when", "if", "then", "close"].map((text) => make("th", { scope: "col", text }))));
    for (const [, trigger, guard, to, close] of rows) {
      table.append(make("tr", {}, ...[trigger, guard, to === state ? `stays ${to}` : `→ ${to}`, close].map((text) => make("td", { text }))));
    }
    next.replaceChildren(make("summary", { text: `What can happen while ${state}` }), table);
  }

  function drawBars() {
    since = performance.now();
    const all = model.get("countdowns");
    const same = bars.children.length === all.length && all.every((/** @type {any} */ one, /** @type {number} */ index) => bars.children[index].dataset.name === one.name);
    if (!same) {
      bars.replaceChildren(
        ...all.map((/** @type {any} */ one) => {
          const box = make("div", { class: "icws-lp-bar", title: one.meaning }, make("span", { class: "icws-lp-label", text: one.label }), make("span", { class: "icws-lp-track", "aria-hidden": "true" }, make("span")), make("span", { class: "icws-lp-left" }));
          box.dataset.name = one.name;
          return box;
        }),
      );
    }
    still.hidden = model.get("scale") > 0 || all.length === 0;
    tick();
    run();
  }

  function tick() {
    const passed = ((performance.now() - since) / 1000) * model.get("scale");
    model.get("countdowns").forEach((/** @type {any} */ one, /** @type {number} */ index) => {
      const box = bars.children[index];
      const left = one.left - passed;
      const share = Math.min(1, Math.max(0, left / one.limit));
      const isAge = one.name === "certificate";
      box.querySelector(".icws-lp-track > span").style.width = `${100 * (isAge ? 1 - share : share)}%`;
      const isUrgent = left < one.limit / 10 && one.name !== "next_ack";
      box.classList.toggle("icws-lp-urgent", isUrgent);
      const spread = one.inferred ? ` ± ${inSeconds(one.spread)} s` : "";
      const amount = isAge ? `${inSeconds(one.limit - left)} s of ${inSeconds(one.limit)} s` : left >= 0 ? `${inSeconds(left)} s left of ${inSeconds(one.limit)} s${spread}` : `${inSeconds(-left)} s overdue${spread}`;
      box.lastChild.textContent = `${isUrgent ? "! " : ""}${amount}`;
    });
  }

  function run() {
    const isNeeded = isVisible && model.get("countdowns").length > 0;
    if (isNeeded && ticking === undefined) ticking = setInterval(tick, TICK_MS);
    if (!isNeeded && ticking !== undefined) {
      clearInterval(ticking);
      ticking = undefined;
    }
  }

  const sight = new IntersectionObserver((entries) => {
    isVisible = entries[entries.length - 1].isIntersecting;
    if (isVisible) tick();
    run();
  });
  sight.observe(root);
  const end = follow(model, { state: showState, taken: showState, ending: showState, failure: showState, countdowns: drawBars, scale: drawBars });
  showState();
  drawBars();
  model.send({ do: "now" }); // the numbers of the state may be old
  return () => {
    sight.disconnect();
    clearInterval(ticking);
    end();
  };
}

export default { render };
