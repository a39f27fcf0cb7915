// @ts-check
// The sequence diagram of all parties. What is drawn of a frame has the id icws-frame-NUMBER-PART; a click on it, or
// Enter on its label, selects the frame.

const DRAWN = /^icws-frame-(\d+)-([a-z]+)/;

/** @param {{model: any, el: HTMLElement}} context */
function render({ model, el }) {
  const root = document.createElement("div");
  root.className = "icws icws-x icws-parties";
  el.append(root);
  const watcher = new ResizeObserver(([entry]) => {
    const pixels = Math.round(entry.contentRect.width);
    if (pixels > 0) model.send({ type: "width", pixels });
  });
  watcher.observe(root);

  function show() {
    const focused = root.contains(document.activeElement) ? document.activeElement?.getAttribute("data-frame") : null;
    root.innerHTML = model.get("svg"); // made by the kernel, and without any text: letters are paths
    const svg = root.querySelector("svg");
    if (!svg) return;
    for (const name of ["width", "height"]) svg.removeAttribute(name);
    svg.setAttribute("role", "group");
    svg.setAttribute("aria-label", model.get("words").split("\n")[0]);
    const lines = new Map(
      model.get("words").split("\n").map((/** @type {string} */ line) => [/^frame (\d+)/.exec(line)?.[1], line]),
    );
    for (const part of /** @type {NodeListOf<SVGElement>} */ (root.querySelectorAll('[id^="icws-frame-"]'))) {
      const [, frame, name] = DRAWN.exec(part.id) ?? [];
      if (frame === undefined) continue;
      part.dataset.frame = frame;
      part.dataset.part = name;
      part.removeAttribute("id"); // another picture on the page may show the same frame
      if (name !== "label") continue;
      part.setAttribute("tabindex", "0");
      part.setAttribute("role", "button");
      part.setAttribute("aria-label", lines.get(frame) ?? `frame ${frame}`);
      // JupyterLab asks the element that has the focus first, so that the attribute of one around it comes too late.
      part.setAttribute("data-lm-suppress-shortcuts", "true");
      const title = document.createElementNS("http://www.w3.org/2000/svg", "title");
      title.textContent = lines.get(frame) ?? "";
      part.append(title);
    }
    mark();
    if (focused !== null && focused !== undefined) {
      /** @type {SVGElement | null} */ (root.querySelector(`[data-frame="${focused}"][tabindex]`))?.focus();
    }
  }

  function mark() {
    const chosen = String(model.get("selected"));
    for (const part of /** @type {NodeListOf<SVGElement>} */ (root.querySelectorAll("[data-frame]"))) {
      part.classList.toggle("icws-chosen", part.dataset.frame === chosen);
      if (part.hasAttribute("tabindex")) part.setAttribute("aria-pressed", String(part.dataset.frame === chosen));
    }
  }

  /** @param {Event} event */
  function choose(event) {
    const part = /** @type {HTMLElement | null} */ (/** @type {Element} */ (event.target).closest("[data-frame]"));
    if (!part) return false;
    model.send({ type: "link", frame: Number(part.dataset.frame) });
    return true;
  }

  root.addEventListener("click", choose);
  root.addEventListener("keydown", (event) => {
    if ((event.key === "Enter" || event.key === " ") && choose(event)) event.preventDefault();
  });
  model.on("change:svg", show);
  model.on("change:selected", mark);
  show();
  return () => {
    watcher.disconnect();
    model.off("change:svg", show);
    model.off("change:selected", mark);
  };
}

export default { render };
