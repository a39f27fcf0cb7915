// A figure whose axes can be zoomed and moved, and whose markers say what they are.
// The kernel draws each part of the axes anew. Until its picture is here, the panels of the last one are magnified.
// The SVG is the package's own; everything that a peer wrote reaches the page as text only.

const NEAR_PX = 14;
const STEP = 0.7; // of what is shown, at one press of a button
const LEAST = 0.002; // of an axis: as far as one can zoom in
const MOST = 8; // times: how far a diagram without axes is enlarged
const ASK_MS = 80; // between two questions to the kernel
const WIDER_PX = 24; // more than a scroll bar, which comes and goes with a figure's height
const SVG = "http://www.w3.org/2000/svg";

let figures = 0; // for ids that are unique in the page

/** @typedef {{x: number[], y: number[][]}} View parts of the panels, from 0 (left, bottom) to 1 (right, top) */

/** @param {number[]} part @param {number} factor @param {number} at where the pointer is, 0 to 1 of the part */
function scaled([low, high], factor, at) {
  const size = Math.min(1, Math.max(LEAST, (high - low) * factor));
  const low_ = Math.min(1 - size, Math.max(0, low + (high - low) * at - size * at));
  return [low_, low_ + size];
}

/** @param {number[]} part @param {number} by of what is shown */
function moved([low, high], by) {
  const size = high - low;
  const from = Math.min(1 - size, Math.max(0, low + by * size));
  return [from, from + size];
}

const same = (one, other) => JSON.stringify(one) === JSON.stringify(other);

function render({ model, el }) {
  const frame = document.createElement("div");
  frame.className = "icws icws-plot";
  const tools = document.createElement("div");
  tools.className = "icws-tools";
  tools.setAttribute("role", "toolbar");
  tools.setAttribute("aria-label", "zoom");
  const stage = document.createElement("div");
  stage.className = "icws-stage";
  frame.tabIndex = 0;
  const tip = document.createElement("div");
  tip.className = "icws-tip";
  tip.setAttribute("role", "status");
  frame.append(tools, stage, tip);
  el.append(frame);

  /** @type {SVGSVGElement | null} */
  let svg = null;
  let chosen = -1;
  let grip = null; // where a drag began
  let asking = 0;
  let enlarged = 1; // of a diagram without axes
  /** @type {View} */
  let view = model.get("view");
  /** @type {View | null} what the kernel was asked for last */
  let asked = null;
  const content = `icws-figure-${(figures += 1)}`;

  const button = (text, label, act) => {
    const made = document.createElement("button");
    made.type = "button";
    made.textContent = text;
    made.title = label;
    made.setAttribute("aria-label", label);
    made.addEventListener("click", act);
    tools.append(made);
    return made;
  };
  const closer = button("+", "zoom in", () => zoom(STEP));
  const farther = button("−", "zoom out", () => zoom(1 / STEP));
  const back = button("←", "earlier", () => move(-0.3));
  const forth = button("→", "later", () => move(0.3));
  const reset = button("Reset", "show everything", home);
  const hint = document.createElement("span");
  tools.append(hint);

  const panels = () => model.get("panels");
  const isWhole = () => enlarged === 1 && same(view.x, [0, 1]) && view.y.every((part) => same(part, [0, 1]));

  function draw() {
    stage.innerHTML = model.get("svg");
    svg = stage.querySelector("svg");
    if (!svg) return;
    svg.removeAttribute("width");
    svg.removeAttribute("height");
    svg.setAttribute("role", "img");
    svg.setAttribute("aria-label", model.get("description"));
    const group = document.createElementNS(SVG, "g");
    group.id = content;
    group.append(...svg.childNodes);
    svg.append(group);
    chosen = -1;
    tip.style.display = "none";
    const drawn = model.get("drawn");
    if (asked && same(asked, drawn)) asked = null;
    if ((!asked && !asking && !grip) || view.y.length !== drawn.y.length) view = drawn;
    back.hidden = forth.hidden = !panels().length;
    show();
  }

  // What the reader asks for, as far as the picture that is here can show it.
  function show() {
    if (!svg) return;
    const whole = isWhole();
    closer.disabled = panels().length ? view.x[1] - view.x[0] <= LEAST * 1.01 : enlarged >= MOST;
    farther.disabled = reset.disabled = whole;
    back.disabled = view.x[0] <= 0;
    forth.disabled = view.x[1] >= 1;
    stage.classList.toggle("icws-zoomed", !whole && panels().length > 0);
    stage.classList.toggle("icws-enlarged", enlarged > 1);
    svg.style.width = `${100 * enlarged}%`;
    for (const old of svg.querySelectorAll(":scope > svg")) old.remove();
    /** @type {View} */
    const drawn = model.get("drawn");
    const pending = panels().length > 0 && !same(drawn, view);
    if (pending) panels().forEach((panel, number) => magnify(panel, drawn, number));
    hint.className = model.get("fault") ? "icws-bad" : "";
    hint.textContent = model.get("fault") || (panels().length ? "Click the figure to zoom with the wheel; drag to move." : "");
    if (pending) hidden();
    else if (chosen >= 0) tell(chosen);
  }

  function magnify({ box: [x0, y0, x1, y1] }, drawn, number) {
    const { width, height, x: left, y: top } = svg.viewBox.baseVal;
    const [across, up] = [x1 - x0, y1 - y0];
    const of = (part, of_) => [(part[0] - of_[0]) / (of_[1] - of_[0]), (part[1] - of_[0]) / (of_[1] - of_[0])];
    const [fromX, toX] = of(view.x, drawn.x);
    const [fromY, toY] = of(view.y[number], drawn.y[number]);
    const inner = document.createElementNS(SVG, "svg");
    const set = (node, values) => Object.entries(values).forEach(([name, value]) => node.setAttribute(name, String(value)));
    set(inner, {
      x: left + x0 * width, y: top + y0 * height, width: across * width, height: up * height, preserveAspectRatio: "none",
      viewBox: [
        left + (x0 + fromX * across) * width, top + (y1 - toY * up) * height,
        (toX - fromX) * across * width, (toY - fromY) * up * height,
      ].join(" "),
    });
    const paper = document.createElementNS(SVG, "rect");
    set(paper, { x: left - 9 * width, y: top - 9 * height, width: 20 * width, height: 20 * height });
    paper.style.fill = "var(--icws-paper, #fff)";
    const use = document.createElementNS(SVG, "use");
    use.setAttribute("href", `#${content}`);
    inner.append(paper, use);
    svg.append(inner);
  }

  function ask() {
    show();
    if (asking) return;
    asking = window.setTimeout(() => {
      asking = 0;
      asked = view;
      model.set("view", { x: [...view.x], y: view.y.map((part) => [...part]) });
      model.save_changes();
    }, ASK_MS);
  }

  function zoom(factor, atX = 0.5, atY = 0.5, number = -1) {
    if (!panels().length) {
      enlarged = Math.min(MOST, Math.max(1, enlarged / factor));
      show();
      return;
    }
    if (number >= 0) view = { ...view, y: view.y.map((part, n) => (n === number ? scaled(part, factor, atY) : part)) };
    else view = { ...view, x: scaled(view.x, factor, atX) };
    ask();
  }

  function move(byX, byY = 0, number = -1) {
    view = { x: moved(view.x, byX), y: view.y.map((part, n) => (n === number ? moved(part, byY) : part)) };
    ask();
  }

  function home() {
    enlarged = 1;
    view = { x: [0, 1], y: view.y.map(() => [0, 1]) };
    if (panels().length) ask();
    else show();
  }

  // Which panel the pointer is in or beside, and where in it: fractions from its lower left corner.
  function under(event) {
    const box = svg.getBoundingClientRect();
    const [x, y] = [(event.clientX - box.left) / box.width, (event.clientY - box.top) / box.height];
    const number = panels().findIndex(({ box: [, top, , bottom] }) => y >= top && y <= bottom);
    if (number < 0) return { number, x: 0.5, y: 0.5 };
    const [left, top, right, bottom] = panels()[number].box;
    const within = (n) => Math.min(1, Math.max(0, n));
    return { number, x: within((x - left) / (right - left)), y: within((bottom - y) / (bottom - top)) };
  }

  function hidden() {
    tip.style.display = "none";
  }

  function spot([x, y]) {
    const box = svg.getBoundingClientRect();
    const outer = frame.getBoundingClientRect();
    return [box.left - outer.left + x * box.width, box.top - outer.top + y * box.height];
  }

  function tell(number) {
    chosen = number;
    const point = model.get("points")[number];
    if (!point) {
      hidden();
      return;
    }
    const [x, y] = spot(point);
    tip.textContent = point[2];
    tip.style.display = "block";
    tip.style.left = `${Math.max(0, Math.min(x + 10, frame.clientWidth - tip.offsetWidth))}px`;
    tip.style.top = `${Math.max(0, y - 26)}px`;
  }

  function nearest(event) {
    const outer = frame.getBoundingClientRect();
    let best = -1;
    let least = NEAR_PX;
    model.get("points").forEach((point, number) => {
      const [x, y] = spot(point);
      const away = Math.hypot(x - (event.clientX - outer.left), y - (event.clientY - outer.top));
      if (away < least) [best, least] = [number, away];
    });
    return best;
  }

  stage.addEventListener(
    "wheel",
    (event) => {
      // Only where the reader has clicked, so that the page scrolls on over a figure.
      if (!svg || !(event.ctrlKey || frame.contains(document.activeElement))) return;
      event.preventDefault();
      const at = under(event);
      const factor = event.deltaY + event.deltaX < 0 ? 0.8 : 1.25;
      const tall = event.shiftKey && at.number >= 0 && panels()[at.number].tall;
      zoom(factor, at.x, at.y, tall ? at.number : -1);
    },
    { passive: false },
  );
  stage.addEventListener("pointerdown", (event) => {
    frame.focus({ preventScroll: true });
    grip = svg && panels().length && !isWhole() ? { x: event.clientX, y: event.clientY, view, at: under(event) } : null;
    if (grip) stage.setPointerCapture(event.pointerId);
  });
  stage.addEventListener("pointermove", (event) => {
    if (!svg) return;
    if (!grip) {
      if (same(model.get("drawn"), view) || !panels().length) tell(nearest(event));
      return;
    }
    const box = svg.getBoundingClientRect();
    const [left, top, right, bottom] = panels()[Math.max(0, grip.at.number)].box;
    view = grip.view;
    move(
      -(event.clientX - grip.x) / (box.width * (right - left)),
      (event.clientY - grip.y) / (box.height * (bottom - top)),
      grip.at.number,
    );
  });
  const release = () => (grip = null);
  stage.addEventListener("pointerup", release);
  stage.addEventListener("pointercancel", release);
  stage.addEventListener("pointerleave", () => {
    if (!grip) tell(-1);
  });
  stage.addEventListener("dblclick", home);
  frame.addEventListener("keydown", (event) => {
    const count = model.get("points").length;
    if (!svg) return;
    if (event.key === "+" || event.key === "=") zoom(STEP);
    else if (event.key === "-") zoom(1 / STEP);
    else if (event.key === "0") home();
    else if (event.shiftKey && event.key === "ArrowLeft") move(-0.3);
    else if (event.shiftKey && event.key === "ArrowRight") move(0.3);
    else if (event.key === "ArrowRight" && count) tell((chosen + 1) % count);
    else if (event.key === "ArrowLeft" && count) tell((chosen - 1 + count) % count);
    else return;
    event.preventDefault();
    event.stopPropagation(); // the notebook has keys of its own
  });

  const sized = new ResizeObserver(([{ contentRect }]) => {
    const width = Math.round(contentRect.width);
    if (!width || Math.abs(width - model.get("width")) < WIDER_PX) return;
    model.set("width", width);
    model.save_changes();
  });
  if (model.get("is_fitted")) sized.observe(frame);

  model.on("change:svg", draw);
  model.on("change:fault", show);
  draw();
  return () => {
    window.clearTimeout(asking);
    sized.disconnect();
    model.off("change:svg", draw);
    model.off("change:fault", show);
  };
}

export default { render };
