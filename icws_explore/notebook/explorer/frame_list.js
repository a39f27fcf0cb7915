// @ts-check
// The list of frames: virtual rows that are asked for in blocks, a filter with completion, all by keyboard.
// Whatever a peer wrote reaches the page as text only.

/** @typedef {[number, number, number | null, "in" | "out", string, string, number, string, string, string, string, string]} Row */
/** @typedef {{get(name: string): any, set(name: string, value: any): void, save_changes(): void, send(message: any): void,
 *   on(event: string, callback: Function): void, off(event: string, callback: Function): void}} Model */

const ROW_PX = 20;
const BLOCK = 100;
const SPARE = 40; // rows above and below what is in sight
const MAX_KEPT = 60000; // rows
const TYPING_MS = 80;
const ERROR_MS = 500;
const LIVE_MS = 200; // between two drawings of what arrives; what the reader does is drawn at once
const COLUMNS = {
  frame: ["#", "number of the frame, from 0"],
  time: ["time", ""],
  session: ["session", "name of the session"],
  direction: ["", "→ sent by the client, ← received by it"],
  kind: ["kind", "what the frame is"],
  seq: ["seq", "sequence number within its direction"],
  size: ["bytes", "size of the payload"],
  summary: ["summary", ""],
};
const WIDTHS = {
  frame: "4ch", time: "8.6ch", session: "minmax(3ch, 8ch)", direction: "1.6ch", kind: "13.4ch", seq: "4ch", size: "5ch",
  summary: "minmax(8ch, 1fr)",
};
const ABSOLUTE_WIDTH = "13ch";
const PROOFS = { passed: ["✓", "verified: every step passed"], failed: ["✗", "a step of its proof failed"], unchecked: ["–", "not checked: something is missing to check its proof"] };
const FINDINGS = { error: ["✗", "the doctor names it as evidence of an error"], warning: ["!", "the doctor names it as evidence of a warning"], info: ["·", "the doctor names it in a note"] };
const FLAGS = { closed: "closes the session", malformed: "does not decode", misplaced: "its time is before that of a frame ahead of it" };
const OPERATORS = [["==", "equals"], ["!=", "differs from"], [">", "is more than"], [">=", "is at least"], ["<", "is less than"], ["<=", "is at most"], ["in (", "is one of"], ["not in (", "is none of"]];

const FOCUSABLE = ["button", "input", "select", "summary", "textarea"];

/**
 * @param {string} tag
 * @param {Record<string, string>} [attributes]
 * @param {(Node | string)[]} children
 */
function make(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  // JupyterLab asks the element that has the focus first, so that the attribute of one around it comes too late.
  if (FOCUSABLE.includes(tag) || "tabindex" in attributes) made.setAttribute("data-lm-suppress-shortcuts", "true");
  made.append(...children);
  return made;
}

/** Hours, minutes, seconds and milliseconds (UTC) of a time in seconds since the epoch. @param {number} t */
function clock(t) {
  const at = new Date(t * 1000);
  return Number.isNaN(at.getTime()) ? t.toFixed(3) : at.toISOString().slice(11, 23);
}

/**
 * What may be typed at the end of a filter: [what it replaces, [text, meaning][]].
 * @param {string} before the filter up to the caret
 * @param {[string, string][]} names
 * @param {Record<string, string[]>} values of the names that have a closed set of them
 * @returns {[string, string[][]]}
 */
export function completions(before, names, values) {
  const quoted = /["']([^"']*)$/.exec(before);
  const isOpen = quoted !== null && (before.match(/["']/g) ?? []).length % 2 === 1;
  const token = isOpen && quoted ? quoted[0] : (/[A-Za-z_]*$/.exec(before)?.[0] ?? "");
  const ahead = before.slice(0, before.length - token.length);
  const wanted = token.replace(/^["']/, "").toLowerCase();
  const starts = (/** @type {string[]} */ [text]) => text.toLowerCase().replace(/^"/, "").startsWith(wanted) && text !== token;
  const compared = /([a-z_]+)\s*(?:==|!=|in|not in)\s*(?:[[(][^\])]*)?$/.exec(ahead);
  if (compared && values[compared[1]] && /(?:[=(,[]|\bin)\s*$/.test(ahead)) {
    return [token, values[compared[1]].map((value) => [JSON.stringify(value), ""]).filter(starts)];
  }
  if (isOpen) return [token, []];
  const named = /([a-z_]+)\s+$/.exec(ahead);
  if (named && names.some(([name]) => name === named[1])) return token ? [token, [["in (", "is one of"], ["not in (", "is none of"]].filter(starts)] : [token, OPERATORS];
  if (/(["')\]\d])\s+$/.test(ahead)) return [token, [["and", "both hold"], ["or", "one of them holds"]].filter(starts)];
  if (/(?:==|!=|[<>]=?)\s*$/.test(ahead)) return [token, []];
  if (/["')\]\d]$/.test(ahead) && !token) return [token, []];
  return [token, [...names, ["not", "does not hold"]].filter(starts)];
}

/** @param {{model: Model, el: HTMLElement}} context */
function render({ model, el }) {
  const stop = new AbortController();
  const listen = (/** @type {EventTarget} */ on, /** @type {string} */ what, /** @type {any} */ then) =>
    on.addEventListener(what, then, { signal: stop.signal });
  const id = `icws-${Math.random().toString(36).slice(2, 9)}`;

  // ---- what is on the page ------------------------------------------------------------------------
  const where = /** @type {HTMLInputElement} */ (make("input", {
    class: "icws-where", type: "text", role: "combobox", "aria-expanded": "false", "aria-autocomplete": "list",
    "aria-controls": `${id}-options`, "aria-label": "filter", spellcheck: "false", autocomplete: "off",
    placeholder: 'kind == "ack" (/)', title: "filter: show only frames like this; press / to come here",
  }));
  const options = make("ul", { class: "icws-options", role: "listbox", id: `${id}-options`, hidden: "" });
  const clear = make("button", { type: "button", class: "icws-clear", title: "remove the filter", "aria-label": "remove the filter", hidden: "" }, "×");
  const text = /** @type {HTMLInputElement} */ (make("input", {
    class: "icws-text", type: "search", "aria-label": "find in decoded content", spellcheck: "false", title: "show only frames that have this text in their content", placeholder: "find …",
  }));
  const session = /** @type {HTMLSelectElement} */ (make("select", { "aria-label": "session", title: "all sessions in one list, or one apart" }));
  const times = /** @type {HTMLSelectElement} */ (make("select", { "aria-label": "time", title: "what the column of times shows" }));
  for (const [value, label] of [["relative", "from start"], ["since previous", "since row above"], ["absolute", "time of day"]]) times.append(make("option", { value }, label));
  const chooser = make("details", { class: "icws-columns" }, make("summary", { title: "columns to show" }, "columns"));
  const columnList = make("div", { class: "icws-menu" });
  chooser.append(columnList);
  const follow = make("button", { type: "button", class: "icws-follow", title: "stay at the newest frame (End)", "aria-label": "follow" }, "↓", make("span", { class: "icws-word" }, " follow"));
  const pause = make("button", { type: "button", class: "icws-pause", title: "keep the list as it is while frames arrive" });
  const bar = make("div", { class: "icws-bar" }, make("div", { class: "icws-wherebox" }, where, clear, options), text, session, times, chooser, pause, follow);
  const error = make("div", { class: "icws-error", role: "alert", hidden: "" });
  const header = make("div", { class: "icws-header", role: "row" });
  const canvas = make("div", { class: "icws-canvas", role: "rowgroup" });
  const scroller = make("div", { class: "icws-scroller", tabindex: "-1" }, canvas);
  const blank = make("div", { class: "icws-blank", hidden: "" });
  const grid = make("div", { class: "icws-grid", role: "grid", tabindex: "0", "aria-label": "frames", "aria-multiselectable": "false" }, header, scroller, blank);
  const counted = make("span", { class: "icws-counted" });
  const status = make("span", { class: "icws-status" });
  const foot = make("div", { class: "icws-foot", role: "status" }, counted, status);
  const root = make("div", { class: "icws icws-x icws-list", "data-lm-suppress-shortcuts": "true" }, bar, error, grid, foot);
  el.append(root);

  // ---- rows -----------------------------------------------------------------------------------------
  /** @type {Map<number, Row>} */ let rows = new Map();
  /** @type {Map<number, [string, string]>} */ const marks = new Map();
  /** @type {Set<number>} */ let asked = new Set();
  /** @type {Map<number, HTMLElement>} */ const drawn = new Map(); // by row
  let generation = -1;
  let isFollowing = true;
  let expected = -1; // the scrollTop that this set itself
  let cursor = -1; // the row of the selection
  let wantedRow = -1; // a row to select once it is there
  let frameRequest = 0;
  let arrived = 0; // when the last drawing of what arrived was asked for
  let arriving = 0; // the timer of the next one
  let hidden = -1; // a frame that is selected and that the filter hides

  const total = () => /** @type {number} */ (model.get("total"));

  function restart() {
    generation = model.get("generation");
    rows = new Map();
    asked = new Set();
    marks.clear();
    drop();
    model.get("head").forEach((/** @type {Row} */ row, /** @type {number} */ at) => rows.set(at, row));
    keep(model.get("tail"));
    cursor = model.get("selected_row");
    wantedRow = -1;
    if (cursor >= 0) bring(cursor);
    else if (model.get("live") && isFollowing) isFollowing = true;
    else move(0);
    refresh();
  }

  /** @param {any} part */
  function keep(part) {
    if (!part || part.generation !== generation) return;
    part.rows.forEach((/** @type {Row} */ row, /** @type {number} */ at) => rows.set(part.start + at, row));
  }

  function drop() {
    for (const row of drawn.values()) row.remove();
    drawn.clear();
  }

  function refresh() {
    if (!frameRequest) frameRequest = requestAnimationFrame(paint);
  }

  function refreshSoon() {
    if (arriving) return;
    const wait = arrived + LIVE_MS - performance.now();
    arriving = window.setTimeout(() => {
      arriving = 0;
      arrived = performance.now();
      refresh();
    }, Math.max(0, wait));
  }

  function paint() {
    frameRequest = 0;
    const height = scroller.clientHeight;
    const all = total();
    canvas.style.height = `${all * ROW_PX}px`;
    grid.setAttribute("aria-rowcount", String(all));
    blank.hidden = all > 0;
    if (!height) return; // hidden: the observers call again
    if (model.get("live") && isFollowing && !model.get("paused")) move(all * ROW_PX - height);
    if (rows.size > MAX_KEPT) rows = new Map();
    const first = Math.max(0, Math.floor(scroller.scrollTop / ROW_PX) - 4);
    const last = Math.min(all, Math.ceil((scroller.scrollTop + height) / ROW_PX) + 4);
    for (const [at, row] of drawn) {
      if (at < first || at >= last) {
        row.remove();
        drawn.delete(at);
      }
    }
    for (let at = first; at < last; at += 1) draw(at);
    request(Math.max(0, first - SPARE), Math.min(all, last + SPARE));
    tell();
  }

  /** @param {number} from @param {number} to */
  function request(from, to) {
    for (let block = Math.floor(from / BLOCK); block * BLOCK < to; block += 1) {
      const start = block * BLOCK;
      const stop = Math.min(start + BLOCK, total());
      let isWhole = true;
      for (let at = Math.max(start, from); at < Math.min(stop, to); at += 1) isWhole &&= rows.has(at);
      if (isWhole || asked.has(block)) continue;
      asked.add(block);
      model.send({ type: "rows", generation, start, stop });
    }
  }

  /** @param {number} top */
  function move(top) {
    const most = Math.max(0, total() * ROW_PX - scroller.clientHeight);
    expected = Math.min(Math.max(0, Math.round(top)), most);
    scroller.scrollTop = expected;
    expected = scroller.scrollTop; // a fraction of a pixel may have been rounded
  }

  /** Bring a row into sight. @param {number} at */
  function bring(at) {
    const height = scroller.clientHeight;
    if (!height) return;
    canvas.style.height = `${total() * ROW_PX}px`;
    const top = at * ROW_PX;
    if (top < scroller.scrollTop) move(top - 2 * ROW_PX);
    else if (top + ROW_PX > scroller.scrollTop + height) move(top + 3 * ROW_PX - height);
    if (top < scroller.scrollTop || top + ROW_PX > scroller.scrollTop + height) move(top);
    isFollowing = isFollowing && isAtEnd();
  }

  const isAtEnd = () => scroller.scrollTop + scroller.clientHeight >= total() * ROW_PX - ROW_PX / 2;

  /** @param {Row} row */
  function timeOf(row) {
    switch (model.get("times")) {
      case "absolute":
        return clock(model.get("start") + row[1]);
      case "since previous":
        return row[2] === null ? "" : `${row[2] < 0 ? "" : "+"}${row[2].toFixed(3)}`;
      default:
        return row[1].toFixed(3);
    }
  }

  /** @param {number} at */
  function draw(at) {
    const row = rows.get(at);
    let element = drawn.get(at);
    if (!element) {
      element = make("div", { class: "icws-row", role: "row", id: `${id}-r${at}`, "aria-rowindex": String(at + 1) });
      element.style.transform = `translateY(${at * ROW_PX}px)`;
      drawn.set(at, element);
      canvas.append(element);
    }
    const isSelected = row !== undefined && row[0] === model.get("selected");
    const [proof, finding] = row ? (marks.get(row[0]) ?? [row[10], row[11]]) : ["", ""];
    const state = row ? `${row[0]}|${proof}|${finding}|${isSelected}|${model.get("times")}|${columns().join()}` : "?";
    if (element.dataset.state === state) return;
    element.dataset.state = state;
    element.replaceChildren();
    element.classList.toggle("icws-selected", isSelected);
    element.setAttribute("aria-selected", String(isSelected));
    if (!row) return;
    element.dataset.frame = String(row[0]);
    const flags = row[9].split(" ").filter(Boolean).map((flag) => `icws-${flag}`);
    element.className = ["icws-row", ...(isSelected ? ["icws-selected"] : []), ...(proof === "failed" ? ["icws-failed"] : []), ...flags].join(" ");
    element.style.setProperty("--icws-k", `var(--icws-k-${row[4]})`);
    const found = FINDINGS[/** @type {keyof FINDINGS} */ (finding)];
    const proved = PROOFS[/** @type {keyof PROOFS} */ (proof)];
    element.append(
      make("span", { class: `icws-mark icws-finding-${finding || "none"}`, role: "gridcell", title: found ? found[1] : "" }, found ? found[0] : ""),
      make("span", { class: `icws-mark icws-proof-${proof || "none"}`, role: "gridcell", title: proved ? proved[1] : "" }, proved ? proved[0] : ""),
    );
    for (const name of columns()) element.append(cell(name, row));
  }

  /** @param {string} name @param {Row} row */
  function cell(name, row) {
    const attributes = { class: `icws-c-${name}`, role: "gridcell" };
    switch (name) {
      case "frame":
        return make("span", { ...attributes, title: row[9].split(" ").map((flag) => FLAGS[/** @type {keyof FLAGS} */ (flag)] ?? "").join("; ") }, String(row[0]));
      case "time":
        return make("span", attributes, timeOf(row));
      case "session":
        return make("span", { ...attributes, title: row[8] }, row[8]);
      case "direction":
        return make("span", { ...attributes, title: row[3] === "out" ? "sent by the client" : "received by the client" }, row[3] === "out" ? "→" : "←");
      case "kind":
        return make("span", attributes, make("span", { class: "icws-glyph", "aria-hidden": "true" }, model.get("kinds")[row[4]] ?? ""), row[4]);
      case "seq":
        return make("span", attributes, row[5]);
      case "size":
        return make("span", attributes, String(row[6]));
      default:
        return make("span", { ...attributes, title: row[7] }, row[7]);
    }
  }

  /** @returns {string[]} */
  function columns() {
    const several = model.get("sessions").length > 0 && !model.get("session");
    return model.get("columns").filter((/** @type {string} */ name) => name !== "session" || several);
  }

  function head() {
    const shown = columns();
    const digits = Math.max(2, String(Math.max(0, model.get("frames") - 1)).length);
    const widths = { ...WIDTHS, frame: `${digits + 1}ch`, ...(model.get("times") === "absolute" ? { time: ABSOLUTE_WIDTH } : {}) };
    grid.style.setProperty("--icws-columns", `13px 1.3ch ${shown.map((name) => widths[/** @type {keyof WIDTHS} */ (name)]).join(" ")}`);
    const unit = { relative: "time (s)", "since previous": "Δ time (s)", absolute: "time (UTC)" }[/** @type {string} */ (model.get("times"))] ?? "time";
    header.replaceChildren(
      make("span", { role: "columnheader", title: "findings of the doctor" }),
      make("span", { role: "columnheader", title: "proofs" }),
      ...shown.map((name) => {
        const [label, meaning] = COLUMNS[/** @type {keyof COLUMNS} */ (name)];
        return make("span", { class: `icws-c-${name}`, role: "columnheader", title: meaning }, name === "time" ? unit : label);
      }),
    );
    columnList.replaceChildren(
      ...Object.entries(COLUMNS).map(([name, [label, meaning]]) => {
        const box = /** @type {HTMLInputElement} */ (make("input", { type: "checkbox", value: name }));
        box.checked = model.get("columns").includes(name);
        return make("label", {}, box, ` ${name === "frame" ? "number" : name === "direction" ? "direction" : label || name}`, meaning ? "" : "");
      }),
    );
    drop();
    refresh();
  }

  function tell() {
    const all = total();
    const frames = model.get("frames");
    const later = model.get("paused") ? frames : 0;
    const isFiltered = Boolean(model.get("where") || model.get("text") || model.get("session"));
    counted.textContent = isFiltered ? `${all} of ${frames} frames` : `${all} ${all === 1 ? "frame" : "frames"}${later > all ? `, ${later - all} more since the pause` : ""}`;
    status.textContent = hidden >= 0 && hidden === model.get("selected") ? `frame ${hidden} is hidden by the filter` : model.get("status");
    pause.hidden = follow.hidden = !model.get("live");
    const [sign, word] = model.get("paused") ? ["▶", "go on"] : ["❚❚", "hold list"];
    if (pause.getAttribute("aria-label") !== word) {
      pause.replaceChildren(sign, make("span", { class: "icws-word" }, ` ${word}`));
      pause.setAttribute("aria-label", word);
    }
    pause.setAttribute("aria-pressed", String(model.get("paused")));
    follow.setAttribute("aria-pressed", String(isFollowing));
    blank.textContent = frames ? "no frame matches" : model.get("empty");
    clear.hidden = !where.value;
  }

  // ---- selection --------------------------------------------------------------------------------------
  /** @param {number} at */
  function choose(at) {
    const all = total();
    if (!all) return;
    isFollowing = isFollowing && at >= all - 1; // who looks at a frame wants it to stay
    cursor = Math.min(Math.max(0, at), all - 1);
    bring(cursor);
    const row = rows.get(cursor);
    wantedRow = row ? -1 : cursor;
    if (row) select(row[0]);
    refresh();
  }

  /** @param {number} frame */
  function select(frame) {
    if (model.get("selected") !== frame) {
      model.set("selected", frame);
      model.save_changes();
    }
    grid.setAttribute("aria-activedescendant", `${id}-r${cursor}`);
    refresh();
  }

  listen(canvas, "mousedown", (/** @type {MouseEvent} */ event) => {
    const row = /** @type {HTMLElement | null} */ (/** @type {HTMLElement} */ (event.target).closest(".icws-row"));
    if (event.button !== 0 || !row) return;
    for (const [at, element] of drawn) if (element === row) choose(at);
    grid.focus({ preventScroll: true });
  });
  listen(grid, "keydown", (/** @type {KeyboardEvent} */ event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const page = Math.max(1, Math.floor(scroller.clientHeight / ROW_PX) - 1);
    switch (event.key) {
      case "ArrowDown": choose(cursor + 1); break;
      case "ArrowUp": choose(cursor < 0 ? total() - 1 : cursor - 1); break;
      case "PageDown": choose(cursor + page); break;
      case "PageUp": choose(Math.max(0, cursor - page)); break;
      case "Home": choose(0); break;
      case "End":
        isFollowing = true;
        choose(total() - 1);
        isFollowing = true;
        break;
      case "Enter":
        if (cursor < 0) choose(0);
        /** @type {HTMLElement | null | undefined} */ (el.closest(".icws-explorer")?.querySelector(".icws-detail [role=tab][aria-selected=true]"))?.focus();
        break;
      case "/": where.focus(); where.select(); break;
      case "Escape":
        if (model.get("selected") >= 0) {
          cursor = -1;
          model.set("selected", -1);
          model.save_changes();
        }
        break;
      default: return;
    }
    event.preventDefault();
    event.stopPropagation();
  });

  // ---- filter ---------------------------------------------------------------------------------------------
  let typing = 0;
  let complaint = 0;
  let chosenOption = -1;
  /** @type {[string, string[][]]} */ let offered = ["", []];

  function apply() {
    clearTimeout(typing);
    if (model.get("where") === where.value && model.get("text") === text.value) return;
    model.set("where", where.value);
    model.set("text", text.value);
    model.save_changes();
  }

  function offer() {
    const caret = where.selectionStart ?? where.value.length;
    offered = completions(where.value.slice(0, caret), model.get("names"), {
      kind: Object.keys(model.get("kinds")), direction: ["in", "out"], session: model.get("sessions"),
    });
    chosenOption = -1;
    show();
  }

  function show() {
    const isOpen = offered[1].length > 0 && document.activeElement === where;
    options.hidden = !isOpen;
    where.setAttribute("aria-expanded", String(isOpen));
    options.replaceChildren(
      ...offered[1].map(([word, meaning], at) =>
        make("li", { role: "option", id: `${id}-o${at}`, "aria-selected": String(at === chosenOption), "data-at": String(at) }, make("code", {}, word), meaning ? make("span", {}, meaning) : ""),
      ),
    );
    if (!isOpen && model.get("error")) complain();
    if (chosenOption >= 0) {
      where.setAttribute("aria-activedescendant", `${id}-o${chosenOption}`);
      options.children[chosenOption]?.scrollIntoView({ block: "nearest" });
    } else where.removeAttribute("aria-activedescendant");
  }

  function hideOptions() {
    offered = ["", []];
    show();
  }

  /** @param {number} at */
  function accept(at) {
    const caret = where.selectionStart ?? where.value.length;
    const word = offered[1][at][0];
    const ahead = where.value.slice(0, caret - offered[0].length);
    const behind = where.value.slice(caret);
    const space = word.endsWith("(") || behind.startsWith(" ") ? "" : " ";
    where.value = ahead + word + space + behind;
    const end = (ahead + word + space).length;
    where.setSelectionRange(end, end);
    typed();
  }

  function typed() {
    clearTimeout(typing);
    typing = window.setTimeout(apply, TYPING_MS);
    offer();
    tell();
  }

  function complain() {
    clearTimeout(complaint);
    const words = model.get("error");
    where.setAttribute("aria-invalid", String(Boolean(words)));
    if (!words) {
      error.hidden = true;
      return;
    }
    complaint = window.setTimeout(() => {
      if (!options.hidden) return; // still typing, with words to choose from
      error.textContent = `${words}; the list still shows the last filter that could be read`;
      error.hidden = false;
    }, error.hidden ? ERROR_MS : 0);
  }

  listen(where, "input", typed);
  listen(where, "focus", offer);
  listen(where, "click", offer);
  listen(where, "blur", hideOptions);
  listen(where, "keydown", (/** @type {KeyboardEvent} */ event) => {
    const count = offered[1].length;
    if (event.key === "ArrowDown" && count) chosenOption = (chosenOption + 1) % count;
    else if (event.key === "ArrowUp" && count) chosenOption = (chosenOption - 1 + count) % count;
    else if ((event.key === "Tab" && count && !event.shiftKey && where.value) || (event.key === "Enter" && chosenOption >= 0)) {
      accept(Math.max(0, chosenOption));
      event.preventDefault();
      return;
    } else if (event.key === "Enter" || (event.key === "ArrowDown" && !count)) {
      apply();
      hideOptions();
      grid.focus({ preventScroll: true });
    } else if (event.key === "Escape") {
      if (count) hideOptions();
      else {
        where.value = "";
        apply();
        tell();
        grid.focus({ preventScroll: true });
      }
    } else return;
    event.preventDefault();
    show();
  });
  listen(options, "mousedown", (/** @type {MouseEvent} */ event) => {
    event.preventDefault(); // the box keeps the focus
    const item = /** @type {HTMLElement | null} */ (/** @type {HTMLElement} */ (event.target).closest("li"));
    if (item) accept(Number(item.dataset.at));
  });
  listen(clear, "click", () => {
    where.value = "";
    apply();
    tell();
    where.focus();
  });
  listen(text, "input", () => {
    clearTimeout(typing);
    typing = window.setTimeout(apply, TYPING_MS);
  });
  listen(text, "keydown", (/** @type {KeyboardEvent} */ event) => {
    if (event.key === "Escape") text.value = "";
    if (event.key === "Escape" || event.key === "Enter") {
      apply();
      grid.focus({ preventScroll: true });
    }
  });
  listen(session, "change", () => {
    model.set("session", session.value);
    model.save_changes();
  });
  listen(times, "change", () => {
    model.set("times", times.value);
    model.save_changes();
  });
  listen(columnList, "change", () => {
    const chosen = [...columnList.querySelectorAll("input")].filter((box) => box.checked).map((box) => box.value);
    model.set("columns", Object.keys(COLUMNS).filter((name) => chosen.includes(name)));
    model.save_changes();
  });
  listen(chooser, "keydown", (/** @type {KeyboardEvent} */ event) => {
    if (event.key === "Escape") chooser.removeAttribute("open");
  });
  listen(chooser, "focusout", (/** @type {FocusEvent} */ event) => {
    if (event.relatedTarget && !chooser.contains(/** @type {Node} */ (event.relatedTarget))) chooser.removeAttribute("open");
  });
  listen(pause, "click", () => {
    model.set("paused", !model.get("paused"));
    model.save_changes();
    tell();
  });
  listen(follow, "click", () => {
    isFollowing = !isFollowing;
    refresh();
    tell();
  });
  listen(scroller, "scroll", () => {
    if (Math.abs(scroller.scrollTop - expected) > 1) {
      isFollowing = isAtEnd(); // the reader has scrolled
      expected = -1;
      refresh();
    } // else this set it, and draws or has drawn
  });

  // ---- what the kernel says -------------------------------------------------------------------------------
  function name() {
    const names = /** @type {string[]} */ (model.get("sessions"));
    session.hidden = !names.length;
    session.replaceChildren(make("option", { value: "" }, "all sessions"), ...names.map((one) => make("option", { value: one }, `session ${one}`)));
    session.value = model.get("session");
    head();
  }
  function grown() {
    keep(model.get("tail"));
    refreshSoon();
  }
  function selection() {
    refresh();
  }
  function boxes() {
    if (document.activeElement !== where) where.value = model.get("where");
    if (document.activeElement !== text) text.value = model.get("text");
    tell();
  }
  /** @param {any} message */
  function told(message) {
    if (message.type === "rows") {
      if (message.generation !== generation) return;
      keep(message);
      for (let at = message.start; at < message.start + message.rows.length; at += 1) asked.delete(Math.floor(at / BLOCK));
      const row = rows.get(wantedRow);
      if (row) {
        wantedRow = -1;
        select(row[0]);
      }
    } else if (message.type === "marks") {
      for (const [frame, proof, finding] of message.marks) marks.set(frame, [proof, finding]);
      return refreshSoon();
    } else if (message.type === "reveal") {
      cursor = message.row;
      hidden = cursor < 0 ? message.frame : -1;
      if (cursor >= 0) bring(cursor);
      root.scrollIntoView({ block: "nearest" }); // a link in a tab below is clicked while the list is out of sight
    }
    refresh();
  }
  const watched = /** @type {[string, Function][]} */ ([
    ["change:generation", restart], ["change:total", grown], ["change:frames", tell], ["change:tail", grown], ["change:selected", selection],
    ["change:error", complain], ["change:status", tell], ["change:live", tell], ["change:paused", tell], ["change:times", head],
    ["change:columns", head], ["change:sessions", name], ["change:session", name], ["change:where", boxes], ["change:text", boxes],
    ["change:empty", tell], ["msg:custom", told],
  ]);
  for (const [event, callback] of watched) model.on(event, callback);
  const sight = new IntersectionObserver(refresh);
  const size = new ResizeObserver(refresh);
  sight.observe(scroller);
  size.observe(scroller);

  where.value = model.get("where");
  text.value = model.get("text");
  times.value = model.get("times");
  restart();
  name();
  tell();
  complain();
  model.send({ type: "view", open: true });
  // Rows that were in the state before this view was made may have marks since.
  if (rows.size) model.send({ type: "rows", generation, start: 0, stop: rows.size });
  return () => {
    model.send({ type: "view", open: false });
    for (const [event, callback] of watched) model.off(event, callback);
    stop.abort();
    sight.disconnect();
    size.disconnect();
    cancelAnimationFrame(frameRequest);
    clearTimeout(typing);
    clearTimeout(complaint);
    clearTimeout(arriving);
  };
}

export default { render };
