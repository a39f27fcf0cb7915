// @ts-check
// What the widgets of the live panel share. Everything that a peer wrote reaches the page as text only.

/** @typedef {{get(name: string): any, set(name: string, value: any): void, send(message: any): void,
 *   on(event: string, callback: Function): void, off(event: string, callback: Function): void}} Model */

let made = 0; // elements with an id, over all views of this module
const PAGE_KEY = Math.random().toString(36).slice(2, 8); // the module is evaluated anew for each widget

/** An id that no other element of the page has. @returns {string} */
function ownId() {
  made += 1;
  return `icws-${PAGE_KEY}-${made}`;
}

/**
 * An element with attributes ("text" is its text; an undefined or false attribute is left out) and children.
 * @param {string} tag
 * @param {Record<string, any>} [attributes]
 * @param {...(Node | string | null | undefined)} children
 * @returns {any}
 */
function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name === "text") element.textContent = value;
    else if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (value !== undefined && value !== false && value !== null) element.setAttribute(name, value === true ? "" : String(value));
  }
  element.append(...children.filter((child) => child !== null && child !== undefined));
  return element;
}

/** The outermost element of a widget: its keys are not JupyterLab's. @param {string} name @param {string} label */
function frame(name, label) {
  const element = make("div", { class: `icws icws-lp icws-lp-${name}`, role: "group", "aria-label": label, "data-lm-suppress-shortcuts": "true" });
  element.addEventListener("keydown", (/** @type {KeyboardEvent} */ event) => {
    if (event.key !== "Escape") event.stopPropagation(); // Notebook 7 listens on the document
  });
  return element;
}

/** @param {string} text @param {() => void} act @param {Record<string, any>} [more] */
function button(text, act, more = {}) {
  return make("button", { type: "button", text, ...more, onclick: act });
}

const GLYPHS = { good: "✓", bad: "✗", busy: "…", note: "!" };

/** Show a line with its tone, which a glyph tells as well as the colour. @param {HTMLElement} where @param {string[]} line */
function showLine(where, [tone, text]) {
  const glyph = /** @type {Record<string, string>} */ (GLYPHS)[tone];
  where.textContent = text ? `${glyph ? `${glyph} ` : ""}${text}` : "";
  where.dataset.tone = tone;
}

/** Call the last of several calls that follow each other closely. @param {() => void} act @param {number} ms */
function calm(act, ms) {
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let waiting;
  const later = () => {
    clearTimeout(waiting);
    waiting = setTimeout(() => later.now(), ms);
  };
  later.now = () => {
    if (waiting === undefined) return;
    clearTimeout(waiting);
    waiting = undefined;
    act();
  };
  later.drop = () => {
    clearTimeout(waiting);
    waiting = undefined;
  };
  return later;
}

/** Text without half characters, which no UTF-8 can hold. @param {string} text @returns {string} */
function wellFormed(text) {
  return text.replace(/[\uD800-\uDBFF](?![\uDC00-\uDFFF])|(?<![\uD800-\uDBFF])[\uDC00-\uDFFF]/g, "\uFFFD");
}

/** Follow names of the model; gives the function that ends it. @param {Model} model @param {Record<string, () => void>} by */
function follow(model, by) {
  for (const [name, act] of Object.entries(by)) model.on(`change:${name}`, act);
  return () => {
    for (const [name, act] of Object.entries(by)) model.off(`change:${name}`, act);
  };
}
