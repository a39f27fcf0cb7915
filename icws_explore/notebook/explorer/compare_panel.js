// @ts-check
// A comparison as the kernel has drawn it, escaped; the numbers of the explorer's own frames become buttons.

const LINK =
  "font: inherit; color: var(--icws-k-message); background: none; border: none; padding: 0; cursor: pointer; text-decoration: underline dotted;";

/** @param {number} frame @param {string} words */
function link(frame, words) {
  const button = document.createElement("button");
  button.type = "button";
  button.textContent = words;
  button.title = "select this frame";
  button.dataset.frame = String(frame);
  button.style.cssText = LINK;
  button.setAttribute("data-lm-suppress-shortcuts", "true");
  return button;
}

/** @param {{model: any, el: HTMLElement}} context */
function render({ model, el }) {
  const top = document.createElement("p");
  top.className = "icws";
  const view = document.createElement("div");
  view.style.cssText = "max-height: 70vh; overflow: auto;"; // so that the frames above stay near
  view.tabIndex = 0;
  const root = document.createElement("div");
  root.className = "icws-comparison";
  root.setAttribute("data-lm-suppress-shortcuts", "true");
  root.append(top, view);
  el.append(root);

  function show() {
    view.innerHTML = model.get("html");
    const first = model.get("first");
    top.replaceChildren(...(first < 0 ? [] : [link(first, `select frame ${first}, the first difference`)]));
    for (const row of /** @type {NodeListOf<HTMLTableRowElement>} */ (view.querySelectorAll("table.icws-compared tbody tr"))) {
      const mine = row.cells[1];
      const theirs = row.cells[mine?.colSpan === 5 ? 2 : 6];
      for (const cell of model.get("both") ? [mine, theirs] : [mine]) {
        if (cell?.classList.contains("icws-num")) cell.replaceChildren(link(Number(cell.textContent), cell.textContent ?? ""));
      }
    }
  }

  root.addEventListener("click", (event) => {
    const button = /** @type {HTMLElement | null} */ (/** @type {HTMLElement} */ (event.target).closest("[data-frame]"));
    if (button) model.send({ type: "link", frame: Number(button.dataset.frame) });
  });
  const watched = ["change:html", "change:first", "change:both"];
  for (const name of watched) model.on(name, show);
  show();
  return () => {
    for (const name of watched) model.off(name, show);
  };
}

export default { render };
