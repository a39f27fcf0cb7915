// The explorer's panel for breakpoints and faults. State comes from Python; what the user does goes there as messages.
// Everything a peer sent is written as text, never as markup.
// @ts-check

const STYLE = `
.icws-fp { color: var(--jp-ui-font-color1, #212121); font: var(--jp-ui-font-size1, 13px)/1.45 var(--jp-ui-font-family, sans-serif);
  display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 400px), 1fr)); gap: 8px 20px; }
.icws-fp > * { min-width: 0; }
.icws-fp [hidden] { display: none !important; }
.icws-fp h3 { font-size: 1.1em; font-weight: 600; margin: 4px 0 6px; }
.icws-fp p { margin: 4px 0; }
.icws-fp .row { display: flex; flex-wrap: wrap; gap: 6px; align-items: center; margin: 4px 0; }
.icws-fp .pair { display: inline-flex; gap: 6px; align-items: center; white-space: nowrap; }
.icws-fp input, .icws-fp select, .icws-fp textarea, .icws-fp button { font: inherit; color: inherit; padding: 3px 7px;
  background: var(--jp-layout-color1, #fff); border: 1px solid var(--jp-border-color1, #bdbdbd); border-radius: 3px; }
.icws-fp button { background: var(--jp-layout-color2, #eee); cursor: pointer; }
.icws-fp button.main { background: var(--jp-brand-color1, #1976d2); border-color: transparent;
  color: var(--jp-ui-inverse-font-color1, #fff); }
.icws-fp button:disabled { opacity: .5; cursor: default; }
.icws-fp :focus-visible { outline: 2px solid var(--jp-brand-color1, #1976d2); outline-offset: 1px; }
.icws-fp .where, .icws-fp textarea, .icws-fp .ascii, .icws-fp code { font-family: var(--jp-code-font-family, monospace);
  font-size: var(--jp-code-font-size, 12px); }
.icws-fp .where { flex: 1 1 16em; min-width: 10em; }
.icws-fp input[type=number] { width: 4.5em; }
.icws-fp textarea { width: 100%; box-sizing: border-box; height: 9em; resize: vertical; }
.icws-fp select { flex: 0 1 auto; max-width: 48%; min-width: 0; text-overflow: ellipsis; }
.icws-fp .ascii { max-height: 5em; overflow: auto; word-break: break-all; white-space: pre-wrap; margin: 2px 0;
  color: var(--jp-ui-font-color2, #616161); }
.icws-fp .error { color: var(--jp-error-color0, #b71c1c); overflow-wrap: anywhere; }
.icws-fp .error::before { content: "✗ "; }
.icws-fp .quiet { color: var(--jp-ui-font-color2, #616161); }
.icws-fp .held { max-height: 15em; overflow: auto; border: 1px solid var(--jp-border-color2, #e0e0e0); }
.icws-fp table { border-collapse: collapse; width: 100%; table-layout: auto; }
.icws-fp th, .icws-fp td { text-align: left; padding: 2px 8px; vertical-align: top; white-space: nowrap; }
.icws-fp td.summary { white-space: normal; overflow-wrap: anywhere; width: 99%; }
.icws-fp td.num { text-align: right; font-variant-numeric: tabular-nums; }
.icws-fp th { position: sticky; top: 0; background: var(--jp-layout-color2, #eee); font-weight: 600; }
.icws-fp tr.on { background: var(--jp-brand-color3, #bbdefb); color: var(--jp-ui-font-color0, #000); }
[data-jp-theme-light="false"] .icws-fp tr.on { background: #0d47a1; color: #fff; }
[data-jp-theme-light="false"] .icws-fp button.main { background: #1565c0; color: #fff; }
[data-jp-theme-light="false"] .icws-fp .error { color: #ff8a80; }
.icws-fp label.fault { display: grid; grid-template-columns: auto 1fr; gap: 0 8px; padding: 5px 0;
  border-top: 1px solid var(--jp-border-color2, #e0e0e0); }
.icws-fp .fault small, .icws-fp details small { display: block; font-size: .92em; overflow-wrap: anywhere; }
.icws-fp .fault b { overflow-wrap: anywhere; }
.icws-fp .faults { max-height: 30em; overflow: auto; padding-right: 6px; }
.icws-fp .state { font-weight: 600; margin-left: 6px; }
.icws-fp ul { margin: 4px 0; padding-left: 18px; }
`;

const FOCUSABLE = ["input", "select", "textarea", "button", "summary"];

const CHANGES = /^(tamper|alter|modif|edit|forg|corrupt)/; // words for what the catalogue calls a change

/** @param {string} name @param {Record<string, any>} [props] @param {...(Node|string)} inside */
function el(name, props = {}, ...inside) {
  const made = document.createElement(name);
  // JupyterLab looks for this at what has the focus, not around it: an arrow key would go to the next cell
  if (FOCUSABLE.includes(name)) made.setAttribute("data-lm-suppress-shortcuts", "true");
  for (const [key, value] of Object.entries(props)) {
    if (key.startsWith("on")) made.addEventListener(key.slice(2), value);
    else if (key in made && key !== "list") /** @type {any} */ (made)[key] = value;
    else made.setAttribute(key, value);
  }
  made.append(...inside);
  return made;
}

/** The bytes of a text of hexadecimal digits, as characters. @param {string} hex */
function ascii(hex) {
  const digits = hex.replace(/\s+/g, "");
  let text = "";
  for (let at = 0; at + 1 < digits.length; at += 2) {
    const code = parseInt(digits.slice(at, at + 2), 16);
    text += code >= 32 && code < 127 ? String.fromCharCode(code) : "·";
  }
  return text;
}

const grouped = (/** @type {string} */ hex) => hex.replace(/(..)(?=.)/g, "$1 ");
const plain = (/** @type {string} */ text) => text.replace(/\s+/g, "").toLowerCase();

/** How many bytes differ. @param {string} was @param {string} now */
function changed(was, now) {
  const [a, b] = [plain(was), plain(now)];
  const more = (b.length - a.length) / 2;
  if (more) return `${Math.abs(more)} ${Math.abs(more) === 1 ? "byte" : "bytes"} ${more > 0 ? "longer" : "shorter"}`;
  let count = 0;
  for (let at = 0; at < a.length; at += 2) if (a.slice(at, at + 2) !== b.slice(at, at + 2)) count += 1;
  return count === 0 ? "" : count === 1 ? "1 byte changed" : `${count} bytes changed`;
}

/** @param {{model: any, el: HTMLElement}} context */
function render({ model, el: root }) {
  const send = (/** @type {Record<string, any>} */ message) => model.send(message);
  const style = el("style", { textContent: STYLE });
  const where = /** @type {HTMLInputElement} */ (
    el("input", { className: "where", placeholder: "kind == 'app' and direction == 'in'", spellcheck: false })
  );
  where.setAttribute("aria-label", "hold frames where");
  const timeout = /** @type {HTMLInputElement} */ (el("input", { type: "number", min: "1", max: "600", value: "60" }));
  timeout.setAttribute("aria-label", "time-out in seconds");
  const hold = () => send({ do: "hold", where: where.value, timeout_s: Number(timeout.value) });
  // JupyterLab takes Enter before a form could
  where.addEventListener("keydown", (event) => {
    if (event.key === "Enter") hold();
  });
  const form = el(
    "div",
    { className: "row" },
    "hold where", where, "for", timeout, "s", el("button", { className: "main", onclick: hold }, "Hold"),
  );
  const error = el("p", { className: "error", role: "alert" });
  const holds = el("div");
  const heldBox = el("div", { className: "held", tabIndex: -1 });
  const editor = el("div");
  const done = el("ul", { className: "quiet done" });
  const faults = el("div", { className: "faults" });
  const target = el("p", { className: "quiet" });
  const sought = /** @type {HTMLInputElement} */ (
    el("input", { type: "search", className: "where sought", placeholder: "find a fault: BODY_HASH, reorder, certificate …", spellcheck: false, oninput: () => sift() })
  );
  sought.setAttribute("aria-label", "find a fault");
  const none = el("p", { className: "quiet" }, "No fault that can be switched here has these words.");
  const finder = el("div", { className: "row" }, sought);
  const left = el("section", { className: "breakpoints" }, el("h3", {}, "Breakpoints"), form, error, holds, heldBox, editor, done);
  const right = el("section", {}, el("h3", {}, "Faults"), target, finder, faults, none);
  const panel = el("div", { className: "icws-fp" }, left, right);
  panel.addEventListener("keydown", (event) => {
    if (event.key !== "Escape") event.stopPropagation(); // Notebook 7 listens on the document
  });
  root.append(style, panel);

  let lastField = "";
  const drawHolds = () => {
    holds.replaceChildren(
      ...model.get("holds").map((/** @type {any} */ hold) =>
        el("div", { className: "row hold" }, el("code", {}, hold.where), el("span", { className: "quiet" }, `${hold.count} held`),
          el("button", { onclick: () => send({ do: "release", id: hold.id }) }, "Release and end"))),
    );
  };

  const drawHeld = () => {
    const rows = model.get("held");
    const picked = model.get("selected").id;
    heldBox.hidden = rows.length === 0;
    const had = heldBox.contains(document.activeElement);
    const body = el("tbody", {}, ...rows.map((/** @type {any} */ row) => {
      const radio = el("input", {
        type: "radio", name: "held", checked: row.id === picked, onchange: () => send({ do: "select", id: row.id }),
      });
      radio.setAttribute("aria-label", `${row.kind} ${row.direction}`);
      return el("tr", { className: row.id === picked ? "on" : "", onclick: () => send({ do: "select", id: row.id }) },
        el("td", {}, radio), el("td", {}, row.direction === "in" ? "← in" : "→ out"), el("td", {}, row.kind),
        el("td", { className: "num" }, row.seq === null ? "" : String(row.seq)), el("td", {}, row.session),
        el("td", { className: "num" }, String(row.size)), el("td", { className: "summary" }, row.summary));
    }));
    const names = ["", "", "kind", "seq", "session", "bytes", "held frame"];
    heldBox.replaceChildren(el("table", {}, el("thead", {}, el("tr", {}, ...names.map((name) => el("th", {}, name)))), body));
    if (had) /** @type {HTMLElement|null} */ (heldBox.querySelector("input:checked"))?.focus();
  };

  const drawEditor = () => {
    const frame = model.get("selected");
    if (!frame.id) {
      const hasRows = model.get("held").length > 0;
      editor.replaceChildren(el("p", { className: "quiet" }, hasRows ? "Select a held frame to change it or to decide about it. Pause the lab to take your time: the deadlines of the session go on while a frame is held." : ""));
      return;
    }
    const area = /** @type {HTMLTextAreaElement} */ (el("textarea", { value: grouped(frame.hex), spellcheck: false }));
    area.setAttribute("aria-label", "bytes of the frame, hexadecimal");
    const text = el("div", { className: "ascii" }, ascii(frame.hex));
    const note = el("span", { className: "quiet note" });
    const forward = el("button", { className: "main", onclick: () => {
      const edited = frame.can_edit && changed(frame.was, area.value) !== "";
      send({ do: "forward", id: frame.id, hex: edited ? area.value : null });
    } });
    const update = () => {
      const what = frame.can_edit ? changed(frame.was, area.value) : "";
      note.textContent = what;
      forward.textContent = what ? "Forward edited" : "Forward";
      text.textContent = ascii(area.value);
    };
    area.addEventListener("input", update);
    update();
    const seconds = /** @type {HTMLInputElement} */ (el("input", { type: "number", min: "0", value: "5" }));
    seconds.setAttribute("aria-label", "delay in seconds");
    const act = (/** @type {string} */ what) => send({ do: what, id: frame.id, seconds: Number(seconds.value) });
    const actions = el("div", { className: "row actions" }, forward,
      el("button", { onclick: () => act("drop") }, "Drop"), el("button", { onclick: () => act("duplicate") }, "Duplicate"),
      el("button", { onclick: () => act("reorder") }, "Send behind the next"),
      el("span", { className: "pair" }, el("button", { onclick: () => act("delay") }, "Delay"), seconds, "s"), note);
    const parts = [actions];
    if (frame.can_edit) {
      const value = /** @type {HTMLInputElement} */ (el("input", { className: "where", spellcheck: false }));
      value.setAttribute("aria-label", "new value");
      const field = /** @type {HTMLSelectElement} */ (el("select", { onchange: () => show() },
        ...frame.fields.map((/** @type {any} */ each) => el("option", { value: each.path }, each.path))));
      field.setAttribute("aria-label", "field");
      field.value = frame.fields.some((/** @type {any} */ each) => each.path === lastField) ? lastField : field.value;
      const show = () => { lastField = field.value; value.value = frame.fields.find((/** @type {any} */ each) => each.path === field.value)?.value ?? ""; };
      show();
      const set = () => send({ do: "set", id: frame.id, hex: area.value, path: field.value, value: value.value });
      if (frame.fields.length) parts.push(el("div", { className: "row" }, field, "=", value, el("button", { onclick: set }, "Set")));
      if (frame.sign_refusal !== null) {
        const why = frame.sign_refusal || "sign these bytes with the session's identity, so that only their content can be refused";
        const signing = el("button", { disabled: frame.sign_refusal !== "", title: why,
          onclick: () => send({ do: "sign", id: frame.id, hex: area.value }) }, "Sign again");
        const told = el("span", { className: "quiet signed" },
          frame.sign_refusal || (frame.is_signed ? "signed again by the session's identity" : ""));
        area.addEventListener("input", () => { if (!frame.sign_refusal) told.textContent = ""; });
        parts.push(el("div", { className: "row" }, signing, told));
      }
      parts.push(area, text);
    } else {
      parts.push(el("p", { className: "quiet" }, "This frame cannot be edited here: it is a control frame, or too large."));
    }
    editor.replaceChildren(...parts);
  };

  const drawFaults = () => {
    const place = model.get("target");
    const texts = /** @type {Record<string, string>} */ ({
      tap: "In the path between the dapp and its gateway (tap).", lab: "In the lab: its gateway, network and canister.",
      "lab and tap": "In the path between client and gateway (tap); what nobody there can do, in the lab.",
    });
    const counted = " Messages count from when the fault is switched on, in each session.";
    target.textContent = texts[place] ? texts[place] + counted : "Start a lab or a tap to use breakpoints and faults.";
    const scrolled = faults.scrollTop;
    const open = /** @type {HTMLDetailsElement|null} */ (faults.querySelector("details"))?.open ?? false;
    const active = /** @type {HTMLElement|null} */ (faults.contains(document.activeElement) ? document.activeElement : null)?.id;
    const all = model.get("faults").map((/** @type {any} */ it) => {
      const box = el("input", { type: "checkbox", id: `${uid}-${it.name}`, checked: it.on,
        onchange: (/** @type {any} */ event) => send({ do: "fault", name: it.name, on: event.target.checked }) });
      const acts = it.acts === 1 ? "acted once" : `acted ${it.acts} times`;
      const state = it.on ? el("span", { className: "state" }, `on · ${it.acts ? acts : "has not acted yet: the message that it waits for has not come"}`) : "";
      return el("label", { className: "fault" }, box, el("span", {}, el("b", {}, it.name), state, el("small", {}, it.about),
        el("small", { className: "quiet" }, `the client's SDK: ${it.noticed}`)));
    });
    const refused = model.get("refused");
    if (refused.length) {
      const inside = refused.map((/** @type {any} */ it) => el("small", {}, el("b", {}, it.name), ` ${it.about}: ${it.why}`));
      const others = /** @type {HTMLDetailsElement} */ (el("details", { open }, el("summary", {}), ...inside));
      // It opens below the edge of the list. Not at "toggle", which also comes when the list is drawn anew.
      others.firstElementChild?.addEventListener("click", () => requestAnimationFrame(() => {
        if (others.open) others.scrollIntoView({ block: "nearest" });
      }));
      all.push(others);
    }
    faults.replaceChildren(...all);
    faults.scrollTop = scrolled;
    if (active) document.getElementById(active)?.focus();
    for (const part of [form, finder, faults]) part.hidden = !place;
    sift();
  };
  /** Show the faults that have every word that is sought, switchable or not. Who tampers with a message changes it. */
  const sift = () => {
    const words = sought.value.toLowerCase().split(/\s+/).filter(Boolean).map((word) => (CHANGES.test(word) ? "change" : word));
    let shown = 0;
    for (const each of /** @type {NodeListOf<HTMLElement>} */ (faults.querySelectorAll("label.fault"))) {
      const text = (each.textContent ?? "").toLowerCase();
      each.hidden = !words.every((word) => text.includes(word));
      if (!each.hidden) shown += 1;
    }
    none.hidden = finder.hidden || shown > 0;
    let others = 0;
    for (const each of /** @type {NodeListOf<HTMLElement>} */ (faults.querySelectorAll("details small"))) {
      each.hidden = !words.every((word) => (each.textContent ?? "").toLowerCase().includes(word));
      if (!each.hidden) others += 1;
    }
    const rest = /** @type {HTMLDetailsElement|null} */ (faults.querySelector("details"));
    if (!rest) return;
    rest.hidden = others === 0;
    const that = words.length ? (others === 1 ? "other with these words" : "others with these words") : "others";
    /** @type {HTMLElement} */ (rest.firstElementChild).textContent = `${others} ${that} cannot be switched here`;
  };

  const uid = `icws-fp-${Math.random().toString(36).slice(2)}`;
  const drawError = () => { error.textContent = model.get("error"); error.hidden = !model.get("error"); };
  const drawDone = () => done.replaceChildren(...model.get("done").slice(-5).map((/** @type {string} */ text) => el("li", {}, text)));
  const watched = /** @type {[string, () => void][]} */ ([
    ["holds", drawHolds], ["held", drawHeld], ["selected", drawHeld], ["selected", drawEditor], ["faults", drawFaults],
    ["target", drawFaults], ["refused", drawFaults], ["error", drawError], ["done", drawDone],
  ]);
  for (const [name, draw] of watched) model.on(`change:${name}`, draw);
  model.on("change:held", () => { if (!model.get("selected").id) drawEditor(); });
  for (const draw of [drawHolds, drawHeld, drawEditor, drawFaults, drawError, drawDone]) draw();
  return () => { for (const [name, draw] of watched) model.off(`change:${name}`, draw); };
}

export default { render };
