// @ts-check
// The doctor's findings as cards, each with the frames that prove it; their numbers select those frames.
// What a peer sent (the summaries) reaches the page as text only.

const FOCUSABLE = ["button", "input", "select", "summary", "textarea"];

/** @param {string} tag @param {Record<string, string>} [attributes] @param {(Node | string)[]} children */
function make(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  // JupyterLab asks the element that has the focus first, so that the attribute of one around it comes too late.
  if (FOCUSABLE.includes(tag) || "tabindex" in attributes) made.setAttribute("data-lm-suppress-shortcuts", "true");
  made.append(...children);
  return made;
}

/** @param {number} number */
function link(number) {
  return make("button", { type: "button", class: "icws-link", "data-frame": String(number), title: "select this frame" }, String(number));
}

/** One frame that proves a finding. @param {any[]} row */
function evidence([number, time, arrow, glyph, kind, sequence, summary]) {
  const cell = (/** @type {string} */ name, /** @type {string} */ text) => make("td", { class: `icws-e-${name}` }, text);
  return make("tr", { style: `--icws-k: var(--icws-k-${kind})` },
    make("td", {}, link(number)), cell("time", time), cell("kind", `${arrow} ${glyph} ${kind}`), cell("seq", sequence), cell("summary", summary));
}

/** @param {{model: any, el: HTMLElement}} context */
function render({ model, el }) {
  const root = make("div", { class: "icws icws-x icws-findings", "data-lm-suppress-shortcuts": "true" });
  el.append(root);

  function show() {
    root.replaceChildren(
      ...model.get("findings").map((/** @type {any} */ it) => {
        const card = make("article", { class: `icws-card icws-weight-${it.weight}` }, make("h4", {}, it.title), make("p", {}, it.explanation));
        if (it.rows.length) card.append(make("table", { class: "icws-proving", "aria-label": "frames" }, make("tbody", {}, ...it.rows.map(evidence))));
        if (it.frames.length) card.append(make("p", { class: "icws-evidence" }, "also ", ...it.frames.map(link), it.more ? ` and ${it.more} more` : ""));
        const facts = make("dl", { class: "icws-facts" });
        for (const [name, said] of it.rest) facts.append(make("dt", {}, name), make("dd", {}, said));
        card.append(facts);
        return card;
      }),
      ...model.get("notes").map((/** @type {[string, string]} */ [weight, line]) => make("p", { class: `icws-check icws-weight-${weight}` }, line)),
    );
  }

  const clicked = (/** @type {MouseEvent} */ event) => {
    const button = /** @type {HTMLElement | null} */ (/** @type {HTMLElement} */ (event.target).closest("[data-frame]"));
    if (button) model.send({ type: "link", frame: Number(button.dataset.frame) });
  };
  root.addEventListener("click", clicked);
  model.on("change:findings", show);
  model.on("change:notes", show);
  show();
  return () => {
    model.off("change:findings", show);
    model.off("change:notes", show);
  };
}

export default { render };
