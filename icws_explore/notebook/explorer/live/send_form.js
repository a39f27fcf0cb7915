// @ts-check
// The fields of a form for a Candid type, with JSON and Candid text beside them. What the contents mean is decided in
// Python (form_values.py); here they are drawn and edited. A field is known by its path: steps joined by slashes, an
// index in a record or vec, "v" in a variant, "s" in an option.

const TYPING_MS = 180;
const START_NODES = 60; // as in form_values.py
const GROUPS = ["record", "variant", "opt", "vec", "func"];
const ITEMS = 50; // of a vec that are drawn before one asks for more
const FIELDS = 200; // of a record

/**
 * The contents with which a node begins; the same function as `start` of form_values.py.
 * @param {any[]} nodes @param {number} at
 * @returns {any}
 */
export function start(nodes, at) {
  let left = START_NODES;
  const of = (/** @type {number} */ index, /** @type {number[]} */ above) => {
    const node = nodes[index];
    left -= 1;
    if (node.kind === "record" || node.kind === "variant") {
      if (left < 0 || !node.finite) return null;
      const inner = [...above, index];
      if (node.kind === "record") return node.parts.map((/** @type {[string, number]} */ part) => of(part[1], inner));
      const chosen = nodes[node.parts[0][1]].finite && !above.includes(index) ? 0 : node.least;
      return { case: chosen, value: of(node.parts[chosen][1], inner) };
    }
    return simpleStart(node.kind);
  };
  return of(at, []);
}

/** @param {string} kind @returns {any} */
function simpleStart(kind) {
  if (kind === "vec") return [];
  if (kind === "opt" || kind === "null") return null;
  if (kind === "bool") return false;
  if (kind === "number" || kind === "float") return "0";
  if (kind === "blob") return { as: "hex", text: "" };
  if (kind === "func") return { principal: "", method: "" };
  return "";
}

/** @param {string} hex @returns {string | null} the text that bytes are, null if they are none */
function textOfHex(hex) {
  const digits = hex.replace(/[\s:,_-]|0x/g, "");
  if (digits.length % 2 || /[^0-9a-fA-F]/.test(digits)) return null;
  const bytes = Uint8Array.from(digits.match(/../g) ?? [], (pair) => parseInt(pair, 16));
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    return null;
  }
}

/** @param {string} text @returns {string} */
function hexOfText(text) {
  return Array.from(new TextEncoder().encode(text), (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** @param {{model: Model, el: HTMLElement}} context */
function render({ model, el }) {
  const root = frame("send", "Send a message");
  const fields = make("div", { class: "icws-lp-fields" });
  const texts = make("div", { class: "icws-lp-texts" });
  const status = make("span", { class: "icws-lp-line", role: "status" });
  const sending = button("Send", send, { class: "icws-lp-main", title: "Ctrl+Enter in any field" });
  const replies = make("div", { class: "icws-lp-replies", role: "log", "aria-label": "Replies" });
  const typing = make("div", { class: "icws-lp-type" });
  root.append(typing, make("div", { class: "icws-lp-columns" }, make("div", { class: "icws-lp-left-side" }, fields, make("div", { class: "icws-lp-foot" }, sending, status), replies), texts));
  el.append(root);

  /** @type {any} */ let contents = null;
  let edit = model.get("seen"); // number of the last edit of this view
  let triedToSend = false;
  /** @type {Set<string>} */ const touched = new Set();
  /** @type {Map<string, {control: any, error: HTMLElement}>} */ const places = new Map();

  const nodes = () => model.get("nodes");
  const later = calm(() => model.send({ do: "form", contents, n: edit }), TYPING_MS);

  /** @param {string} path */
  function changed(path) {
    touched.add(path);
    edit += 1; // an answer to an earlier edit must not undo this one
    later();
  }

  // -- texts beside the fields ----------------------------------------------------------------------

  const panes = { json: pane("json", "JSON"), candid: pane("candid", "Candid text") };
  texts.append(panes.json.box, panes.candid.box);

  /** @param {"json" | "candid"} which @param {string} name */
  function pane(which, name) {
    const id = ownId();
    const error = make("div", { class: "icws-lp-error", id: `${id}-error`, role: "alert" });
    const area = make("textarea", { id, rows: "3", spellcheck: "false", autocomplete: "off", "aria-describedby": `${id}-error` });
    const soon = calm(() => model.send({ do: "text", which, text: wellFormed(area.value), n: edit }), TYPING_MS);
    area.addEventListener("input", () => {
      edit += 1;
      later.now();
      soon();
    });
    return { box: make("div", { class: "icws-lp-pane" }, make("label", { for: id, text: name }), area, error), area, error, soon };
  }

  function showTexts() {
    const [which, problem] = model.get("text_problem");
    const broken = model.get("problems").length > 0;
    for (const [name, { area, error }] of Object.entries(panes)) {
      const text = model.get(name);
      if (document.activeElement !== area && !(which === name && problem) && area.value !== text) area.value = text;
      area.rows = Math.min(16, Math.max(2, area.value.split("\n").length));
      area.classList.toggle("icws-lp-stale", broken);
      area.setAttribute("aria-invalid", String(which === name && problem !== ""));
      error.textContent = which === name && problem ? `✗ ${problem}` : broken && name === "json" && model.get("nodes").length ? "waits until every field is filled in" : "";
      error.classList.toggle("icws-lp-quiet", which !== name || !problem);
    }
  }

  // -- fields ---------------------------------------------------------------------------------------

  function drawAll() {
    contents = structuredClone(model.get("contents"));
    places.clear();
    const schema = nodes();
    if (!schema.length) fields.replaceChildren();
    else if (model.get("is_large")) {
      fields.replaceChildren(make("p", { class: "icws-lp-soft", text: "This value has too many parts for fields: edit it as text." }));
    } else fields.replaceChildren(whole(0, "", "value", () => contents, (value) => (contents = value)));
    showProblems();
  }

  /**
   * A field: its name, its type, its control, and below it what it contains.
   * @param {number} at @param {string} path @param {string} label
   * @param {() => any} get @param {(value: any) => void} set @param {Node[]} extra controls beside the name
   */
  function whole(at, path, label, get, set, ...extra) {
    const node = nodes()[at];
    const id = ownId();
    const error = make("div", { class: "icws-lp-error", id: `${id}-error`, role: "alert" });
    const head = make("div", { class: "icws-lp-head" });
    const body = make("div", { class: "icws-lp-body" });
    const isGroup = GROUPS.includes(node.kind);
    const name = isGroup ? make("span", { class: "icws-lp-name", id, text: label }) : make("label", { class: "icws-lp-name", for: id, text: label });
    const isBare = path === "" && node.kind === "record" && get() !== null;
    const box = make("div", { class: `icws-lp-field${isBare ? " icws-lp-bare" : ""}`, ...(isGroup ? { role: "group", "aria-labelledby": id } : {}) });
    name.title = `${label} : ${node.hint}`;
    head.append(name);
    const redraw = () => {
      const fresh = whole(at, path, label, get, set, ...extra);
      box.replaceWith(fresh);
      for (const [known, place] of places) if (!place.error.isConnected) places.delete(known);
      return fresh;
    };
    const parts = { node, at, path, label, id, get, set, head, body, error, redraw };
    const control = draw(parts);
    if (control) {
      control.id = control.id || id;
      control.setAttribute("aria-describedby", error.id);
    }
    head.append(...extra);
    box.append(head, error);
    if (body.childNodes.length) box.append(body);
    places.set(path, { control: control || box, error });
    return box;
  }

  /** @param {any} p @returns {any} the control that stands for the field, if there is one */
  function draw(p) {
    if ((p.node.kind === "record" || p.node.kind === "variant") && p.get() === null) return drawUnfilled(p);
    const by = { record: drawRecord, variant: drawVariant, opt: drawOpt, vec: drawVec, blob: drawBlob, bool: drawBool, func: drawFunc, null: drawNothing, empty: drawNothing };
    return (/** @type {any} */ (by)[p.node.kind] ?? drawText)(p);
  }

  /** @param {any} p */
  function drawUnfilled(p) {
    if (!p.node.finite) {
      p.head.append(make("span", { class: "icws-lp-soft", text: "no value of this type comes to an end" }));
      return null;
    }
    const fill = button("Fill in", () => {
      p.set(start(nodes(), p.at));
      changed(p.path);
      focusFirst(p.redraw());
    }, { "aria-label": `Fill in ${p.label}` });
    p.head.append(fill);
    return fill;
  }

  /** @param {HTMLElement} where */
  function focusFirst(where) {
    const first = where.querySelector("input, select, textarea, button");
    if (first instanceof HTMLElement) first.focus();
  }

  /** @param {string} path @param {string | number} step */
  const below = (path, step) => (path === "" ? String(step) : `${path}/${step}`);

  /**
   * What an option or a variant contains: a single field stands beside it, the fields of a record below it.
   * @param {any} p @param {number} inner @param {string} step @param {string} label
   * @param {() => any} get @param {(value: any) => void} set
   */
  function drawInside(p, inner, step, label, get, set) {
    const node = nodes()[inner];
    const path = below(p.path, step);
    if (node.kind !== "record" && GROUPS.includes(node.kind)) {
      p.body.append(whole(inner, path, label, get, set));
      return;
    }
    const part = { ...p, node, at: inner, path, label: `${p.label} ${label}`, get, set };
    const control = draw(part);
    if (control) {
      control.setAttribute("aria-label", control.getAttribute("aria-label") ?? part.label);
      control.setAttribute("aria-describedby", p.error.id);
    }
    places.set(path, { control: control || p.body, error: p.error });
  }

  /**
   * The first parts of many, and a button for more.
   * @param {any} p @param {number} count @param {number} step @param {(index: number) => Node} drawOne
   */
  function drawSome(p, count, step, drawOne) {
    let shown = 0;
    const more = button("Show more", showMore, { "aria-label": `Show more of ${p.label}` });
    function showMore() {
      more.remove();
      for (const end = Math.min(count, shown + step); shown < end; shown += 1) p.body.append(drawOne(shown));
      if (shown < count) p.body.append(more);
      showProblems();
    }
    showMore();
  }

  /** @param {any} p */
  function drawRecord(p) {
    drawSome(p, p.node.parts.length, FIELDS, (index) => {
      const [label, inner] = p.node.parts[index];
      return whole(inner, below(p.path, index), label, () => p.get()[index], (value) => (p.get()[index] = value));
    });
    if (!p.node.parts.length) p.head.append(make("span", { class: "icws-lp-soft", text: "no fields" }));
    return null;
  }

  /** @param {any} p */
  function drawVariant(p) {
    const choice = make("select", { "aria-label": `${p.label}: case` });
    p.node.parts.forEach((/** @type {[string, number]} */ [label], /** @type {number} */ index) => {
      choice.append(make("option", { value: index, text: label, selected: index === p.get().case }));
    });
    choice.addEventListener("change", () => {
      const chosen = Number(choice.value);
      p.set({ case: chosen, value: start(nodes(), p.node.parts[chosen][1]) });
      changed(p.path);
      p.redraw().querySelector("select").focus();
    });
    p.head.append(choice);
    const [label, inner] = p.node.parts[p.get().case];
    if (nodes()[inner].kind !== "null") drawInside(p, inner, "v", label, () => p.get().value, (value) => (p.get().value = value));
    return choice;
  }

  /** @param {any} p */
  function drawOpt(p) {
    const isThere = p.get() !== null;
    const check = make("input", { type: "checkbox", "aria-label": `${p.label}: present`, checked: isThere });
    check.addEventListener("change", () => {
      p.set(check.checked ? { some: start(nodes(), p.node.inner) } : null);
      changed(p.path);
      p.redraw().querySelector("input").focus();
    });
    p.head.append(make("label", { class: "icws-lp-check" }, check, isThere ? "present" : "absent (null)"));
    if (isThere) drawInside(p, p.node.inner, "s", "value", () => p.get().some, (value) => (p.get().some = value));
    return check;
  }

  /** @param {any} p */
  function drawVec(p) {
    const items = p.get();
    const add = button("Add", () => {
      p.get().push(start(nodes(), p.node.inner));
      changed(p.path);
      const box = p.redraw();
      const all = box.querySelectorAll(":scope > .icws-lp-body > .icws-lp-field");
      if (all.length) focusFirst(all[all.length - 1]);
    }, { "aria-label": `Add an item to ${p.label}` });
    p.head.append(make("span", { class: "icws-lp-soft", text: items.length === 1 ? "1 item" : `${items.length} items` }), add);
    drawSome(p, items.length, ITEMS, (index) => {
      const remove = button("✕", () => {
        p.get().splice(index, 1);
        changed(p.path);
        p.redraw().querySelector("button").focus();
      }, { "aria-label": `Remove item ${index} of ${p.label}`, class: "icws-lp-small" });
      return whole(p.node.inner, below(p.path, index), String(index), () => p.get()[index], (value) => (p.get()[index] = value), remove);
    });
    return add;
  }

  /** @param {any} p */
  function drawBlob(p) {
    const control = area(p, p.get().text, (value) => (p.get().text = value), p.get().as === "hex" ? "bytes in hexadecimal: 00 ff" : "bytes of this text (UTF-8)");
    const form = make("select", { "aria-label": `${p.label}: written as` }, ...["hex", "text"].map((as) => make("option", { value: as, text: as, selected: p.get().as === as })));
    form.addEventListener("change", () => {
      const text = form.value === "hex" ? hexOfText(p.get().text) : textOfHex(p.get().text);
      if (text === null) {
        form.value = "hex";
        p.error.textContent = "✗ these bytes are not UTF-8 text";
        return;
      }
      p.set({ as: form.value, text });
      changed(p.path);
      p.redraw().querySelector("select").focus();
    });
    p.head.append(form);
    return control;
  }

  /** @param {any} p */
  function drawBool(p) {
    const check = make("input", { type: "checkbox", checked: p.get() });
    const word = make("span", { text: String(p.get()) });
    check.addEventListener("change", () => {
      p.set(check.checked);
      word.textContent = String(check.checked);
      changed(p.path);
    });
    p.head.append(make("span", { class: "icws-lp-check" }, check, word));
    return check;
  }

  /** @param {any} p */
  function drawFunc(p) {
    for (const part of ["principal", "method"]) {
      const input = make("input", { type: "text", spellcheck: "false", autocomplete: "off", "aria-label": `${p.label}: ${part}`, placeholder: part, value: p.get()[part], class: "icws-lp-value" });
      input.addEventListener("input", () => {
        p.get()[part] = wellFormed(input.value);
        changed(p.path);
      });
      p.head.append(input);
    }
    return p.head.querySelector("input");
  }

  /** @param {any} p */
  function drawNothing(p) {
    p.head.append(make("span", { class: "icws-lp-soft", text: p.node.kind === "null" ? "null" : "this type has no values" }));
    return null;
  }

  /** @param {any} p */
  function drawText(p) {
    if (p.node.kind === "text" || p.node.kind === "candid") return area(p, p.get(), p.set, p.node.kind === "text" ? "text" : `Candid text of ${p.node.hint}`);
    const more = p.node.kind === "number" ? { inputmode: "numeric", title: p.node.high ? `${p.node.name}: ${p.node.low} to ${p.node.high}` : p.node.name } : {};
    const input = make("input", { type: "text", spellcheck: "false", autocomplete: "off", value: p.get(), placeholder: p.node.name ?? p.node.kind, class: "icws-lp-value", ...more });
    input.addEventListener("input", () => {
      p.set(wellFormed(input.value));
      changed(p.path);
    });
    p.head.append(input, make("span", { class: "icws-lp-hint", text: p.node.name ?? p.node.hint, "aria-hidden": "true" }));
    return input;
  }

  /** A field of one or more lines. @param {any} p @param {string} text @param {(value: string) => void} set @param {string} hint */
  function area(p, text, set, hint) {
    const input = make("textarea", { rows: "1", spellcheck: "false", autocomplete: "off", placeholder: hint, class: "icws-lp-value" });
    input.value = text;
    const fit = () => (input.rows = Math.min(8, Math.max(1, input.value.split("\n").length)));
    input.addEventListener("input", () => {
      set(wellFormed(input.value));
      fit();
      changed(p.path);
    });
    fit();
    p.head.append(input);
    if (p.node.kind === "text") p.head.append(make("span", { class: "icws-lp-hint", text: "text", "aria-hidden": "true" }));
    return input;
  }

  // -- what Python says -----------------------------------------------------------------------------

  function showProblems() {
    const found = new Map(model.get("problems").map((/** @type {[string, string]} */ [path, text]) => [path, text]));
    for (const { error } of places.values()) error.textContent = "";
    for (const [path, { control, error }] of places) {
      const text = found.get(path);
      const isShown = text !== undefined && (triedToSend || touched.has(path));
      if (isShown) error.textContent = `✗ ${text}`; // an option and the field beside it share one
      control.setAttribute("aria-invalid", String(isShown));
    }
    showTexts();
  }

  function contentsChanged() {
    if (model.get("seen") < edit || JSON.stringify(model.get("contents")) === JSON.stringify(contents)) return;
    drawAll();
  }

  function showRefusal() {
    const refusal = model.get("refusal");
    sending.disabled = refusal !== "";
    showLine(status, refusal ? ["note", refusal] : model.get("status"));
  }

  function showReplies() {
    const list = model.get("replies");
    replies.replaceChildren(
      ...list.map((/** @type {[number, string]} */ [number, text]) =>
        make("div", {}, button(`frame ${number}`, () => model.send({ do: "select", frame: number }), { class: "icws-lp-link", title: "show this frame" }), make("span", { class: "icws-lp-reply", text: `■ ${text}`, title: text })),
      ),
    );
  }

  function showType() {
    typing.replaceChildren();
    root.classList.toggle("icws-lp-typeless", model.get("needs_type"));
    if (!model.get("needs_type")) return;
    const id = ownId();
    const area = make("textarea", { id, rows: "2", spellcheck: "false", placeholder: "record { text : text }, or a whole .did" });
    typing.append(make("label", { for: id, text: "The canister publishes no interface. Candid type of its messages:" }), area, button("Use this type", () => model.send({ do: "type", text: wellFormed(area.value) })));
  }

  function send() {
    triedToSend = true;
    later.now();
    panes.json.soon.now();
    panes.candid.soon.now();
    model.send({ do: "send" });
    showProblems();
  }

  root.addEventListener("keydown", (/** @type {KeyboardEvent} */ event) => {
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) {
      event.preventDefault();
      if (!sending.disabled) send();
    }
  });

  const schemaChanged = () => {
    touched.clear();
    triedToSend = false;
    drawAll();
  };
  const end = follow(model, {
    nodes: schemaChanged, contents: contentsChanged, is_large: drawAll, problems: showProblems, json: showTexts, candid: showTexts,
    text_problem: showTexts, status: showRefusal, refusal: showRefusal, replies: showReplies, needs_type: showType,
  });
  const told = (/** @type {any} */ message) => {
    if (message.type === "reveal") requestAnimationFrame(() => root.scrollIntoView({ block: "nearest" }));
  };
  model.on("msg:custom", told);
  showType();
  drawAll();
  showRefusal();
  showReplies();
  return () => {
    model.off("msg:custom", told);
    later.drop();
    end();
  };
}

export default { render };
