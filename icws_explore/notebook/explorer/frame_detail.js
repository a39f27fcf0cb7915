// @ts-check
// The detail of one frame: fields beside bytes, the proof as a walk, relations, deadlines, findings.
// Whatever a peer wrote reaches the page as text only. The drawing of the hash trees is the package's own SVG, in
// which text is drawn as paths.

/** @typedef {[number, string, string, string, string, string, number, number, boolean, boolean, boolean]} Field */
/** @typedef {{get(name: string): any, set(name: string, value: any): void, save_changes(): void, send(message: any): void,
 *   on(event: string, callback: Function): void, off(event: string, callback: Function): void}} Model */

// Places in a field.
const DEPTH = 0, NAME = 1, TYPE = 2, VALUE = 3, MEANING = 4, FAULT = 5, START = 6, END = 7, HAS_PARTS = 8, ENCODES = 9, IS_OPEN = 10;
const ROW_PX = 18;
const BYTES_A_ROW = 16;
const INDENT_PX = 14;
const GROWS_MS = 1500; // what a tab below holds comes from the kernel, a part of a second after the click
const TABS = /** @type {const} */ ([["fields", "Fields"], ["proof", "Proof"], ["related", "Related"]]);
const KEYS = [["↑ ↓", "the frame above, below; also Page ↑ ↓, Home, End"], ["Enter", "from the list to the detail; ← → change its tab, ↓ goes into the fields"], ["Esc", "back to the list; in the list: no frame"], ["/", "to the filter; Tab takes the word that is offered"]];
const SEVERITIES = { error: "✗", warning: "!", info: "·" };

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

/** @param {Uint8Array} bytes */
const hexOf = (bytes) => Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");

/** @param {Uint8Array} bytes */
function base64Of(bytes) {
  let text = "";
  for (let at = 0; at < bytes.length; at += 0x8000) text += String.fromCharCode(...bytes.subarray(at, at + 0x8000));
  return btoa(text);
}

/** @param {string} text */
async function copy(text) {
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    const area = /** @type {HTMLTextAreaElement} */ (make("textarea", { style: "position:fixed;opacity:0" }));
    area.value = text;
    document.body.append(area);
    area.select();
    document.execCommand("copy"); // pages without a secure context have nothing else
    area.remove();
  }
}

/** @param {{model: Model, el: HTMLElement}} context */
function render({ model, el }) {
  const stop = new AbortController();
  const listen = (/** @type {EventTarget} */ on, /** @type {string} */ what, /** @type {any} */ then) =>
    on.addEventListener(what, then, { signal: stop.signal });
  const id = `icws-${Math.random().toString(36).slice(2, 9)}`;
  const root = make("div", { class: "icws icws-x icws-detail", "data-lm-suppress-shortcuts": "true" });
  el.append(root);
  let tab = /** @type {string} */ (model.get("tab"));
  let showsAll = false;

  /** @type {Field[]} */ let fields = [];
  /** @type {Set<number>} */ let open = new Set();
  /** @type {number[]} */ let parents = [];
  /** @type {Map<number, HTMLElement>} */ let lines = new Map(); // the fields that are drawn
  /** @type {Uint8Array} */ let bytes = new Uint8Array();
  let chosen = -1; // the field whose bytes are marked for good
  let pointed = -1; // the field that is pointed at
  let frameRequest = 0;

  // ---- the frame as a whole --------------------------------------------------------------------------
  const blank = make("div", { class: "icws-overview" });
  const heading = make("div", { class: "icws-heading" });
  const findings = make("div", { class: "icws-found" });
  const tabs = make("div", { class: "icws-tabs", role: "tablist", "aria-label": "detail" });
  const pages = new Map(TABS.map(([name]) => [name, make("div", { class: `icws-page icws-page-${name}`, role: "tabpanel", id: `${id}-${name}`, "aria-labelledby": `${id}-tab-${name}` })]));
  const buttons = new Map(
    TABS.map(([name, label]) => {
      const button = make("button", { type: "button", role: "tab", id: `${id}-tab-${name}`, "aria-controls": `${id}-${name}` }, label);
      listen(button, "click", () => choosePage(name));
      tabs.append(button);
      return [name, button];
    }),
  );
  const copied = make("span", { class: "icws-copied", role: "status" });
  const copies = make("details", { class: "icws-copies" }, make("summary", { title: "copy the frame" }, "copy"));
  const copyMenu = make("div", { class: "icws-menu" });
  copies.append(copyMenu);
  tabs.append(make("span", { class: "icws-space" }), copied, copies);
  const body = make("div", { class: "icws-body" }, heading, findings, tabs, ...pages.values());
  root.append(blank, body);

  /** @param {string} name */
  function turn(name) {
    tab = name;
    for (const [one, page] of pages) page.hidden = one !== name;
    for (const [one, button] of buttons) {
      button.setAttribute("aria-selected", String(one === name));
      button.tabIndex = one === name ? 0 : -1;
    }
    if (name === "fields") later();
    if (name === "proof") root.querySelector(".icws-step.icws-failed")?.scrollIntoView({ block: "nearest" });
  }

  /** The user's choice, which the kernel knows. @param {string} name */
  function choosePage(name) {
    turn(name);
    model.set("tab", name);
    model.save_changes();
  }

  listen(tabs, "keydown", (/** @type {KeyboardEvent} */ event) => {
    const names = TABS.map(([name]) => /** @type {string} */ (name));
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (step && /** @type {HTMLElement} */ (event.target).getAttribute("role") === "tab") {
      choosePage(names[(names.indexOf(tab) + step + names.length) % names.length]);
      buttons.get(/** @type {any} */ (tab))?.focus();
      event.preventDefault();
    } else if ((event.key === "ArrowDown" || event.key === "Enter") && tab === "fields" && /** @type {HTMLElement} */ (event.target).getAttribute("role") === "tab") {
      tree.focus();
      event.preventDefault();
    }
  });
  // A tab below the frames may be at the edge of the screen: who opens it wants to see what is in it.
  const growing = new ResizeObserver(([{ target }]) => target.scrollIntoView({ block: "nearest" }));
  let grown = 0;
  const turnedBelow = (/** @type {Event} */ event) => {
    if (event instanceof KeyboardEvent && event.key !== "Enter" && event.key !== " ") return;
    const bar = /** @type {Element} */ (event.target).closest?.(".icws-tabs-below > .lm-TabBar");
    const below = bar?.closest(".icws-explorer") === el.closest(".icws-explorer") ? bar?.parentElement : null;
    if (!below) return;
    growing.disconnect();
    growing.observe(below); // it calls now, and when the kernel has sent what is in the tab
    window.clearTimeout(grown);
    grown = window.setTimeout(() => growing.disconnect(), GROWS_MS);
  };
  for (const kind of ["click", "keydown"]) document.addEventListener(kind, turnedBelow, { capture: true, signal: stop.signal });

  listen(root, "keydown", (/** @type {KeyboardEvent} */ event) => {
    if (event.key !== "Escape") return;
    if (copies.hasAttribute("open")) copies.removeAttribute("open");
    else /** @type {HTMLElement | null | undefined} */ (el.closest(".icws-explorer")?.querySelector(".icws-grid"))?.focus({ preventScroll: true });
    event.preventDefault();
  });

  /** A button that selects another frame. @param {number} frame @param {string} label @param {string} [title] */
  function link(frame, label, title = "select this frame") {
    return make("button", { type: "button", class: "icws-link", title, "data-frame": String(frame) }, label);
  }
  listen(root, "click", (/** @type {MouseEvent} */ event) => {
    const target = /** @type {HTMLElement | null} */ (/** @type {HTMLElement} */ (event.target).closest("[data-frame]"));
    if (target && !target.hasAttribute("disabled")) model.send({ type: target.closest(".icws-finding") ? "evidence" : "link", frame: Number(target.dataset.frame) });
  });

  function head() {
    const detail = model.get("detail");
    const kind = make("span", { class: "icws-kind", style: `--icws-k: var(--icws-k-${detail.kind})` }, make("span", { class: "icws-glyph", "aria-hidden": "true" }, detail.glyph), detail.kind);
    const step = (/** @type {number | null} */ to, /** @type {string} */ label, /** @type {string} */ title) => {
      const button = link(to ?? -1, label, title);
      if (to === null) button.setAttribute("disabled", "");
      return button;
    };
    const title = make("div", { class: "icws-title" }, make("b", {}, `frame ${detail.frame}`), ` ${detail.arrow} `, kind, detail.sequence === null ? "" : ` ${detail.sequence}`, make("span", { class: "icws-space" }),
      step(detail.before, "‹ previous", "the frame before it in its session"), step(detail.after, "next ›", "the frame after it in its session"));
    const facts = make("dl", { class: "icws-facts" });
    for (const [name, value, weight] of detail.facts) facts.append(make("dt", {}, name), make("dd", weight ? { class: `icws-${weight}` } : {}, value));
    heading.replaceChildren(title, make("div", { class: detail.fault && !detail.content ? "icws-said icws-bad" : "icws-said" }, detail.content || detail.summary), facts);
    if (detail.fault && detail.fault !== detail.summary) heading.append(make("div", { class: "icws-bad icws-fault" }, `✗ ${detail.fault}`));
    findings.replaceChildren(
      ...detail.findings.map((/** @type {any} */ it) => {
        const others = it.frames.filter((/** @type {number} */ n) => n !== detail.frame);
        const all = make("details", { class: `icws-finding icws-of-${it.severity}` }, make("summary", {}, make("b", {}, `${SEVERITIES[/** @type {keyof SEVERITIES} */ (it.severity)]} ${it.id}`), ` ${it.explanation}`));
        all.append(make("p", {}, make("b", {}, "fix: "), it.fix));
        if (others.length) all.append(make("p", {}, "evidence with it: ", ...others.flatMap((/** @type {number} */ n) => [link(n, String(n)), " "])));
        return all;
      }),
    );
    copyMenu.replaceChildren(
      ...[["hex", "as hex"], ["base64", "as base64"], ["python", "as Python"], ["command", `as ${detail.command}`]].map(([format, label]) => {
        const button = make("button", { type: "button" }, label);
        button.addEventListener("click", () => copyAs(format));
        return button;
      }),
    );
    const proof = detail.proof;
    const state = proof ? { good: "✓", bad: "✗", note: "–" }[/** @type {string} */ (proof.weight)] : "";
    const proofButton = /** @type {HTMLElement} */ (buttons.get("proof"));
    proofButton.replaceChildren("Proof ", make("span", { class: `icws-${proof?.weight ?? ""}` }, state ?? ""));
    const related = detail.links.length + detail.deadlines.length;
    /** @type {HTMLElement} */ (buttons.get("related")).replaceChildren(`Related${related ? ` (${related})` : ""}`);
  }

  /** @param {string} format */
  function copyAs(format) {
    const isPart = model.get("data").byteLength < model.get("detail").size;
    if ((format === "hex" || format === "base64") && !isPart) done(format === "hex" ? hexOf(bytes) : base64Of(bytes), format);
    else if (format === "hex" || format === "base64") say("the frame is longer than what is shown: save the recording");
    else model.send({ type: "copy", format, frame: model.get("detail").frame });
  }
  /** @param {string} words */
  function say(words) {
    copied.textContent = words;
    window.setTimeout(() => (copied.textContent = ""), 2500);
  }
  /** @param {string} text @param {string} format */
  async function done(text, format) {
    await copy(text);
    copies.removeAttribute("open");
    say(`copied as ${format}`);
  }

  // ---- fields ---------------------------------------------------------------------------------------------
  const jumps = make("span", { class: "icws-jumps" });
  const every = /** @type {HTMLInputElement} */ (make("input", { type: "checkbox" }));
  const tree = make("div", { class: "icws-tree", role: "tree", "aria-label": "fields", tabindex: "0" });
  const hexCanvas = make("div", { class: "icws-hexcanvas" });
  const hex = make("div", { class: "icws-hexpane", tabindex: "0", role: "img", "aria-label": "bytes" }, hexCanvas);
  const where = make("div", { class: "icws-where-bytes" });
  /** @type {HTMLElement} */ (pages.get("fields")).append(
    make("div", { class: "icws-fieldbar" }, jumps, make("label", { title: "lengths, names of fields, type tables" }, every, " every byte")), tree, where, hex);

  function parts(/** @type {number} */ at) {
    const found = [];
    for (let next = at + 1; next < fields.length && fields[next][DEPTH] > fields[at][DEPTH]; next += 1) {
      if (parents[next] === at && (showsAll || !fields[next][ENCODES])) found.push(next);
    }
    return found;
  }

  function drawTree() {
    lines = new Map();
    const shown = document.createDocumentFragment();
    for (let at = 0; at < fields.length; at += 1) {
      const field = fields[at];
      let isShown = showsAll || !field[ENCODES];
      for (let up = parents[at]; up >= 0 && isShown; up = parents[up]) isShown = open.has(up) && (showsAll || !fields[up][ENCODES]);
      if (!isShown) continue;
      const hasParts = field[HAS_PARTS] && parts(at).length > 0;
      const line = make("div", { class: `icws-line${field[ENCODES] ? " icws-encodes" : ""}`, role: "treeitem", id: `${id}-f${at}`, "aria-level": String(field[DEPTH] + 1), "data-at": String(at) });
      if (hasParts) line.setAttribute("aria-expanded", String(open.has(at)));
      line.style.paddingLeft = `${field[DEPTH] * INDENT_PX + 4}px`;
      line.append(make("span", { class: "icws-twist", "aria-hidden": "true" }, hasParts ? (open.has(at) ? "▾" : "▸") : ""), make("b", {}, field[NAME]));
      if (field[VALUE]) line.append(" ", make("code", {}, field[VALUE]));
      if (field[TYPE]) line.append(" ", make("span", { class: "icws-type" }, field[TYPE]));
      if (field[MEANING]) line.append(" ", make("span", { class: "icws-meaning" }, field[MEANING]));
      if (field[FAULT]) line.append(" ", make("span", { class: "icws-bad" }, `✗ ${field[FAULT]}`));
      line.title = line.textContent ?? "";
      lines.set(at, line);
      shown.append(line);
    }
    tree.replaceChildren(shown);
    mark();
  }

  function mark() {
    for (const [at, line] of lines) {
      line.classList.toggle("icws-chosen", at === chosen);
      line.classList.toggle("icws-pointed", at === pointed);
      line.setAttribute("aria-selected", String(at === chosen));
    }
    if (chosen >= 0) tree.setAttribute("aria-activedescendant", `${id}-f${chosen}`);
    else tree.removeAttribute("aria-activedescendant");
    const field = fields[pointed >= 0 ? pointed : chosen];
    where.textContent = field ? `${path(fields.indexOf(field))}: bytes ${field[START]}–${Math.max(field[START], field[END] - 1)}, ${field[END] - field[START]} in all` : `${model.get("detail").size ?? 0} bytes`;
    later();
  }

  /** Bring the bytes of a field into sight. @param {number} at */
  function bringBytes(at) {
    const top = Math.floor(fields[at][START] / BYTES_A_ROW) * ROW_PX;
    if (top < hex.scrollTop || top + ROW_PX > hex.scrollTop + hex.clientHeight) hex.scrollTop = Math.max(0, top - ROW_PX);
  }

  /** @param {number} at */
  function path(at) {
    const names = [];
    for (let up = at; up >= 0; up = parents[up]) names.unshift(fields[up][NAME]);
    return names.join(" › ");
  }

  /** @param {number} at @param {boolean} [movesBytes] */
  function choose(at, movesBytes = true) {
    chosen = at;
    if (at >= 0) {
      let isChanged = false;
      for (let up = parents[at]; up >= 0; up = parents[up]) {
        if (!open.has(up)) {
          open.add(up);
          isChanged = true;
        }
      }
      if (isChanged || !lines.has(at)) drawTree();
      const line = lines.get(at);
      if (line) {
        const top = line.offsetTop;
        if (top < tree.scrollTop) tree.scrollTop = top - ROW_PX;
        else if (top + line.offsetHeight > tree.scrollTop + tree.clientHeight) tree.scrollTop = top + line.offsetHeight - tree.clientHeight + ROW_PX;
      }
      if (movesBytes) bringBytes(at);
    }
    mark();
  }

  /** The deepest field with a line of its own that holds a byte. @param {number} byte */
  function fieldOf(byte) {
    let found = -1;
    for (let at = 0; at < fields.length; at += 1) {
      const field = fields[at];
      if (field[START] <= byte && byte < field[END] && (showsAll || !field[ENCODES]) && (found < 0 || field[DEPTH] >= fields[found][DEPTH])) found = at;
    }
    return found;
  }

  listen(tree, "mousemove", (/** @type {MouseEvent} */ event) => {
    const line = /** @type {HTMLElement | null} */ (/** @type {HTMLElement} */ (event.target).closest(".icws-line"));
    const at = line ? Number(line.dataset.at) : -1;
    if (at !== pointed) {
      pointed = at;
      if (at >= 0) bringBytes(at);
      mark();
    }
  });
  listen(tree, "mouseleave", () => {
    pointed = -1;
    mark();
  });
  listen(tree, "click", (/** @type {MouseEvent} */ event) => {
    const target = /** @type {HTMLElement} */ (event.target);
    const line = /** @type {HTMLElement | null} */ (target.closest(".icws-line"));
    if (!line) return;
    const at = Number(line.dataset.at);
    if (line.hasAttribute("aria-expanded") && (target.classList.contains("icws-twist") || at === chosen)) toggle(at);
    choose(at);
  });
  /** @param {number} at */
  function toggle(at) {
    if (!open.delete(at)) open.add(at);
    drawTree();
  }
  listen(tree, "keydown", (/** @type {KeyboardEvent} */ event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const shown = [...lines.keys()];
    const place = shown.indexOf(chosen);
    const isOpen = lines.get(chosen)?.getAttribute("aria-expanded");
    switch (event.key) {
      case "ArrowDown": choose(shown[Math.min(place + 1, shown.length - 1)] ?? -1); break;
      case "ArrowUp": choose(shown[Math.max(place - 1, 0)] ?? -1); break;
      case "Home": choose(shown[0] ?? -1); break;
      case "End": choose(shown[shown.length - 1] ?? -1); break;
      case "ArrowRight":
        if (isOpen === "false") toggle(chosen);
        else if (isOpen === "true") choose(shown[place + 1]);
        break;
      case "ArrowLeft":
        if (isOpen === "true") toggle(chosen);
        else if (chosen >= 0 && parents[chosen] >= 0) choose(parents[chosen]);
        break;
      case "Enter":
      case " ":
        if (isOpen) toggle(chosen);
        break;
      default: return;
    }
    event.preventDefault();
    event.stopPropagation();
  });
  listen(every, "change", () => {
    showsAll = every.checked;
    if (chosen >= 0 && fields[chosen][ENCODES] && !showsAll) chosen = -1;
    drawTree();
  });

  // ---- bytes: only the rows that are in sight are on the page ------------------------------------------------
  function later() {
    if (!frameRequest) frameRequest = requestAnimationFrame(drawBytes);
  }

  function drawBytes() {
    frameRequest = 0;
    const all = Math.ceil(bytes.length / BYTES_A_ROW);
    hexCanvas.style.height = `${all * ROW_PX}px`;
    if (!hex.clientHeight) return; // hidden: the observers call again
    const first = Math.max(0, Math.floor(hex.scrollTop / ROW_PX) - 2);
    const last = Math.min(all, Math.ceil((hex.scrollTop + hex.clientHeight) / ROW_PX) + 2);
    const strong = fields[chosen];
    const weak = fields[pointed];
    const shown = document.createDocumentFragment();
    for (let row = first; row < last; row += 1) {
      const line = make("div", { class: "icws-hexrow" }, make("span", { class: "icws-offset" }, (row * BYTES_A_ROW).toString(16).padStart(4, "0")));
      line.style.transform = `translateY(${row * ROW_PX}px)`;
      const pairs = make("span", { class: "icws-pairs" });
      const letters = make("span", { class: "icws-letters" });
      for (let at = row * BYTES_A_ROW; at < Math.min((row + 1) * BYTES_A_ROW, bytes.length); at += 1) {
        const byte = bytes[at];
        const style = `${strong && strong[START] <= at && at < strong[END] ? "icws-chosen" : ""}${weak && weak[START] <= at && at < weak[END] ? " icws-pointed" : ""}`;
        const pair = make("i", { "data-byte": String(at) }, byte.toString(16).padStart(2, "0"));
        const letter = make("i", { "data-byte": String(at) }, byte >= 32 && byte < 127 ? String.fromCharCode(byte) : "·");
        if (style) pair.className = letter.className = style;
        pairs.append(pair);
        letters.append(letter);
      }
      line.append(pairs, letters);
      shown.append(line);
    }
    hexCanvas.replaceChildren(shown);
  }

  listen(hex, "scroll", later);
  listen(hex, "mousemove", (/** @type {MouseEvent} */ event) => {
    const byte = /** @type {HTMLElement} */ (event.target).dataset.byte;
    const at = byte === undefined ? -1 : fieldOf(Number(byte));
    if (at !== pointed) {
      pointed = at;
      mark();
    }
  });
  listen(hex, "mouseleave", () => {
    pointed = -1;
    mark();
  });
  // Not at "click", which is lost if the bytes are drawn anew before the button is let go.
  listen(hex, "mousedown", (/** @type {MouseEvent} */ event) => {
    const byte = /** @type {HTMLElement} */ (event.target).dataset.byte;
    if (event.button === 0 && byte !== undefined) choose(fieldOf(Number(byte)), false);
  });

  // ---- proof ---------------------------------------------------------------------------------------------------
  function proofPage() {
    const page = /** @type {HTMLElement} */ (pages.get("proof"));
    const detail = model.get("detail");
    const proof = detail.proof;
    if (!proof) {
      page.replaceChildren(make("p", { class: "icws-hint" }, "This frame proves nothing: it is neither a message of the canister nor a request of the client."));
      return;
    }
    const walk = make("ol", { class: "icws-walk" });
    proof.steps.forEach((/** @type {any} */ step) => {
      const item = make("li", { class: `icws-step icws-${step.outcome.replace(" ", "-")}` }, make("span", { class: "icws-badge", title: step.outcome }, step.mark));
      const line = [make("b", {}, step.name), ` ${step.detail || step.outcome}`];
      const compared = step.sides.length ? make("details", step.outcome === "failed" ? { open: "" } : {}, make("summary", {}, ...line)) : make("div", {}, ...line);
      item.append(compared);
      for (const [name, short, full] of step.sides) {
        const value = full ? make("details", { class: "icws-side" }, make("summary", {}, make("code", {}, short)), make("code", {}, full)) : make("code", {}, short);
        compared.append(make("div", { class: "icws-sides" }, make("span", {}, name), value));
      }
      walk.append(item);
    });
    page.replaceChildren(make("p", { class: `icws-verdict icws-${proof.weight}` }, proof.heading), walk);
    if (!proof.has_trees) return;
    const trees = make("details", { class: "icws-trees" }, make("summary", {}, "the hash trees, from the root key to this message"), make("div", { class: "icws-drawn" }));
    trees.addEventListener("toggle", () => {
      if (trees.hasAttribute("open") && model.get("drawing").frame !== detail.frame) {
        /** @type {HTMLElement} */ (trees.lastElementChild).textContent = "drawing …";
        model.send({ type: "trees", frame: detail.frame });
      }
    });
    page.append(trees);
    if (wantsTrees) trees.setAttribute("open", "");
    trees.addEventListener("toggle", () => (wantsTrees = trees.hasAttribute("open")));
    drawn();
  }
  let wantsTrees = false;

  function drawn() {
    const drawing = model.get("drawing");
    const place = root.querySelector(".icws-drawn");
    if (!place || drawing.frame !== model.get("detail").frame) return;
    if (!drawing.svg) {
      place.textContent = drawing.words;
      return;
    }
    place.innerHTML = drawing.svg;
    const svg = place.querySelector("svg");
    svg?.removeAttribute("height");
    svg?.setAttribute("width", "100%");
    svg?.setAttribute("role", "img");
    svg?.setAttribute("aria-label", drawing.words);
    const page = /** @type {HTMLElement} */ (pages.get("proof"));
    page.scrollTop = /** @type {HTMLElement} */ (place.parentElement).offsetTop - page.offsetTop - 4;
  }

  // ---- relations ---------------------------------------------------------------------------------------------------
  function relatedPage() {
    const page = /** @type {HTMLElement} */ (pages.get("related"));
    const detail = model.get("detail");
    page.replaceChildren();
    if (detail.links.length) {
      const list = make("ul", { class: "icws-relations" });
      for (const [relation, frame, text, kind] of detail.links) {
        list.append(make("li", {}, `${relation} `, link(frame, `frame ${frame}`), " ", make("span", { style: `color: var(--icws-k-${kind})` }, text)));
      }
      page.append(make("h4", {}, "answers"), list);
    }
    if (detail.deadlines.length) {
      const list = make("ul", { class: "icws-relations" });
      for (const [role, name, outcome, frame, weight] of detail.deadlines) {
        const item = make("li", {}, `${role} the ${name}: `, make("span", weight ? { class: `icws-${weight}` } : {}, outcome));
        if (frame !== null) item.append(role === "starts" ? ", by " : ", started by ", link(frame, `frame ${frame}`));
        list.append(item);
      }
      page.append(make("h4", {}, "time-outs"), list);
    }
    if (!page.children.length) page.append(make("p", { class: "icws-hint" }, "The protocol ties no other frame and no time-out to this one."));
  }

  // ---- what the kernel says ------------------------------------------------------------------------------------------
  function overview() {
    const facts = make("dl", { class: "icws-facts" });
    for (const [name, value, weight] of model.get("overview")) facts.append(make("dt", {}, name), make("dd", weight ? { class: `icws-${weight}` } : {}, value));
    const keys = make("dl", { class: "icws-facts icws-keys" });
    for (const [key, does] of KEYS) keys.append(make("dt", {}, make("kbd", {}, key)), make("dd", {}, does));
    blank.replaceChildren(make("p", { class: "icws-hint" }, "Select a frame to see its fields, bytes, proof and time-outs."), facts, make("h4", {}, "keys"), keys);
  }

  let shownFrame = -1;
  function show() {
    const detail = model.get("detail");
    const isEmpty = detail.frame === undefined;
    blank.hidden = !isEmpty;
    body.hidden = isEmpty;
    overview();
    if (isEmpty) {
      shownFrame = -1;
      return;
    }
    const data = model.get("data");
    bytes = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
    fields = detail.fields;
    parents = [];
    const way = /** @type {number[]} */ ([]);
    fields.forEach((field, at) => {
      way.length = field[DEPTH];
      parents[at] = way[field[DEPTH] - 1] ?? -1;
      way[field[DEPTH]] = at;
    });
    if (detail.frame !== shownFrame) {
      open = new Set(fields.flatMap((field, at) => (field[HAS_PARTS] && field[IS_OPEN] ? [at] : [])));
      chosen = pointed = -1;
      tree.scrollTop = hex.scrollTop = 0;
    }
    shownFrame = detail.frame;
    head();
    jumps.replaceChildren(
      ...detail.jumps.map((/** @type {[string, number]} */ [name, at]) => {
        const button = make("button", { type: "button", class: "icws-jump", title: `go to ${name}` }, name);
        button.addEventListener("click", () => {
          open.add(at);
          drawTree();
          choose(at);
          const line = lines.get(at);
          if (line) tree.scrollTop = line.offsetTop - 2;
          tree.focus({ preventScroll: true });
        });
        return button;
      }),
    );
    drawTree();
    proofPage();
    relatedPage();
    turn(tab);
  }

  /** @param {any} message */
  function told(message) {
    if (message.type === "copy") done(message.text, message.format);
  }

  const watched = /** @type {[string, Function][]} */ ([["change:detail", show], ["change:tab", () => turn(model.get("tab"))], ["change:drawing", drawn], ["change:overview", overview], ["msg:custom", told]]);
  for (const [event, callback] of watched) model.on(event, callback);
  const sight = new IntersectionObserver(later);
  const size = new ResizeObserver(later);
  sight.observe(hex);
  size.observe(hex);
  show();
  return () => {
    for (const [event, callback] of watched) model.off(event, callback);
    stop.abort();
    sight.disconnect();
    size.disconnect();
    growing.disconnect();
    window.clearTimeout(grown);
    cancelAnimationFrame(frameRequest);
  };
}

export default { render };
