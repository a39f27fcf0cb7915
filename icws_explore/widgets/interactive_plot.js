// A figure that can be zoomed (wheel, or + and -), dragged, reset (double click, or 0) and asked (hover, arrows).
// The SVG is the package's own; everything that a peer wrote reaches the page as text only.

const NEAR_PX = 14;
const MOST = 60; // how far one can zoom in

function render({ model, el }) {
  const frame = document.createElement("div");
  frame.style.cssText = "position:relative;max-width:1000px;cursor:grab;outline-offset:2px";
  frame.tabIndex = 0;
  frame.className = "icws";
  const tip = document.createElement("div");
  tip.style.cssText =
    "position:absolute;pointer-events:none;display:none;padding:2px 6px;border-radius:3px;" +
    "background:#1f2328;color:#fff;font:12px sans-serif;white-space:nowrap;z-index:2";
  tip.setAttribute("role", "status");
  el.append(frame);

  let svg, whole, view, chosen;

  function draw() {
    frame.innerHTML = model.get("svg");
    svg = frame.querySelector("svg");
    if (!svg) return;
    svg.removeAttribute("width");
    svg.removeAttribute("height");
    svg.style.cssText = "width:100%;display:block";
    svg.setAttribute("role", "img");
    svg.setAttribute("aria-label", model.get("description"));
    const box = svg.viewBox.baseVal;
    whole = { x: box.x, y: box.y, width: box.width, height: box.height };
    view = { ...whole };
    chosen = -1;
    frame.append(tip);
    tip.style.display = "none";
  }

  function show() {
    view.width = Math.min(view.width, whole.width);
    view.height = Math.min(view.height, whole.height);
    view.x = Math.min(Math.max(view.x, whole.x), whole.x + whole.width - view.width);
    view.y = Math.min(Math.max(view.y, whole.y), whole.y + whole.height - view.height);
    svg.setAttribute("viewBox", `${view.x} ${view.y} ${view.width} ${view.height}`);
    if (chosen >= 0) tell(chosen);
  }

  function zoom(factor, atX, atY) {
    if (view.width * factor < whole.width / MOST) return;
    const x = view.x + view.width * atX;
    const y = view.y + view.height * atY;
    view.width *= factor;
    view.height *= factor;
    view.x = x - view.width * atX;
    view.y = y - view.height * atY;
    show();
  }

  function spot(point) {
    const box = svg.getBoundingClientRect();
    const x = (whole.x + point[0] * whole.width - view.x) / view.width;
    const y = (whole.y + point[1] * whole.height - view.y) / view.height;
    return [x * box.width, y * box.height];
  }

  function tell(number) {
    chosen = number;
    const point = model.get("points")[number];
    if (!point) {
      tip.style.display = "none";
      return;
    }
    const [x, y] = spot(point);
    tip.textContent = point[2];
    tip.style.display = "block";
    tip.style.left = `${Math.max(0, Math.min(x + 10, frame.clientWidth - tip.offsetWidth))}px`;
    tip.style.top = `${Math.max(0, y - 26)}px`;
  }

  function nearest(event) {
    const box = svg.getBoundingClientRect();
    let best = -1;
    let least = NEAR_PX;
    model.get("points").forEach((point, number) => {
      const [x, y] = spot(point);
      const away = Math.hypot(x - (event.clientX - box.left), y - (event.clientY - box.top));
      if (away < least) [best, least] = [number, away];
    });
    return best;
  }

  frame.addEventListener("wheel", (event) => {
    if (!svg) return;
    event.preventDefault();
    const box = svg.getBoundingClientRect();
    const at = [(event.clientX - box.left) / box.width, (event.clientY - box.top) / box.height];
    zoom(event.deltaY < 0 ? 0.8 : 1.25, ...at);
  });
  let grip = null;
  frame.addEventListener("pointerdown", (event) => {
    grip = svg && { x: event.clientX, y: event.clientY, from: { ...view } };
  });
  frame.addEventListener("pointermove", (event) => {
    if (!svg) return;
    if (!grip) {
      tell(nearest(event));
      return;
    }
    const box = svg.getBoundingClientRect();
    view.x = grip.from.x - ((event.clientX - grip.x) / box.width) * view.width;
    view.y = grip.from.y - ((event.clientY - grip.y) / box.height) * view.height;
    show();
  });
  const release = () => (grip = null);
  frame.addEventListener("pointerup", release);
  frame.addEventListener("pointerleave", () => {
    release();
    tell(-1);
  });
  frame.addEventListener("dblclick", () => {
    view = { ...whole };
    show();
  });
  frame.addEventListener("keydown", (event) => {
    const count = model.get("points").length;
    if (!svg) return;
    if (event.key === "+") zoom(0.8, 0.5, 0.5);
    else if (event.key === "-") zoom(1.25, 0.5, 0.5);
    else if (event.key === "0") {
      view = { ...whole };
      show();
    } else if (event.key === "ArrowRight" && count) tell((chosen + 1) % count);
    else if (event.key === "ArrowLeft" && count) tell((chosen - 1 + count) % count);
    else return;
    event.preventDefault();
  });
  model.on("change:svg", draw);
  draw();
  return () => model.off("change:svg", draw);
}

export default { render };
