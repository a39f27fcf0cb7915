// A figure that can be zoomed (wheel, or + and -), dragged, reset (double click, or 0) and asked (hover, arrows).
// The SVG is the package's own; everything that a peer wrote reaches the page as text only.

const NEAR_PX = 14;
const MOST = 60; // how far one can zoom in
const TICK_PX = 90; // of a ruler, at the least, between two of its numbers
const LINE_PX = 15;
const FOOT_PX = 20;

// Round numbers from low to high, a step of 1, 2 or 5 times a power of ten apart, with the digits that the step needs.
function ticks(low, high, most) {
  const rough = (high - low) / Math.max(1, most);
  if (!(rough > 0)) return [];
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((n) => n * power).find((n) => n >= rough);
  const digits = Math.min(9, Math.max(0, -Math.floor(Math.log10(step) + 1e-9)));
  const found = [];
  for (let n = Math.ceil(low / step); n * step <= high; n += 1) found.push([n * step, (n * step).toFixed(digits)]);
  return found;
}

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
  const foot = ruler("left:0;right:0;bottom:0;border-top:1px solid var(--icws-rule,#d1d5da)");
  foot.style.height = `${FOOT_PX}px`;
  const side = ruler(`left:0;top:0;bottom:0;padding:0 4px;border-right:1px solid var(--icws-rule,#d1d5da)`);

  let svg, whole, view, chosen, name;

  function ruler(place) {
    const made = document.createElement("div");
    made.style.cssText =
      `position:absolute;display:none;pointer-events:none;overflow:hidden;${place};z-index:1;` +
      "background:var(--icws-paper,#fff);color:var(--icws-ink,#1f2328);font:11px/15px sans-serif";
    made.setAttribute("aria-hidden", "true");
    return made;
  }

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
    const before = whole && `${name} ${whole.width} ${whole.height}`;
    whole = { x: box.x, y: box.y, width: box.width, height: box.height };
    name = model.get("description").split(":")[0];
    if (before !== `${name} ${whole.width} ${whole.height}`) view = { ...whole };
    chosen = -1;
    frame.append(foot, side, tip);
    tip.style.display = "none";
    show();
  }

  function show() {
    view.width = Math.min(view.width, whole.width);
    view.height = Math.min(view.height, whole.height);
    view.x = Math.min(Math.max(view.x, whole.x), whole.x + whole.width - view.width);
    view.y = Math.min(Math.max(view.y, whole.y), whole.y + whole.height - view.height);
    svg.setAttribute("viewBox", `${view.x} ${view.y} ${view.width} ${view.height}`);
    measure();
    if (chosen >= 0) tell(chosen);
  }

  // The panel that fills most of what is in sight.
  function panel() {
    const [left, top] = [(view.x - whole.x) / whole.width, (view.y - whole.y) / whole.height];
    const [right, bottom] = [left + view.width / whole.width, top + view.height / whole.height];
    let most = 0;
    let found;
    for (const one of model.get("panels")) {
      const [x0, y0, x1, y1] = one.box;
      const area = Math.max(0, Math.min(right, x1) - Math.max(left, x0)) * Math.max(0, Math.min(bottom, y1) - Math.max(top, y0));
      if (area > most) [most, found] = [area, one];
    }
    return found;
  }

  // The words of an axis that are in sight: [pixels from the left or the top, text].
  function words(axis, from, to, low, high, size, unit, gap) {
    const at = (fraction) => ((fraction - low) / (high - low)) * size;
    if (axis.marks) return axis.marks.map(([fraction, text]) => [at(fraction), text]);
    const [first, last] = axis.range;
    const value = (fraction) => first + ((fraction - from) / (to - from)) * (last - first);
    const ends = [value(Math.max(low, from)), value(Math.min(high, to))];
    const place = (number) => at(from + ((number - first) / (last - first)) * (to - from));
    return ticks(Math.min(...ends), Math.max(...ends), size / gap).map(([number, text]) => [place(number), text + unit]);
  }

  // Zoomed in, the axes are out of sight: rulers at the edges take their place.
  function measure() {
    const shown = view.width < whole.width * 0.999 ? panel() : undefined;
    foot.style.display = side.style.display = shown ? "block" : "none";
    if (!shown) return;
    const [x0, y0, x1, y1] = shown.box;
    const [left, top] = [(view.x - whole.x) / whole.width, (view.y - whole.y) / whole.height];
    const [right, bottom] = [left + view.width / whole.width, top + view.height / whole.height];
    const { width, height } = svg.getBoundingClientRect();
    fill(side, words(shown.y, y0, y1, top, bottom, height, "", LINE_PX * 3), height - FOOT_PX, LINE_PX, "top", "translateY(-50%)");
    const across = words(shown.x, x0, x1, left, right, width, shown.unit, TICK_PX);
    fill(foot, across, width, TICK_PX / 2, "left", "translateX(-50%)", side.offsetWidth);
  }

  function fill(strip, marks, size, gap, edge, shift, from = 0) {
    strip.replaceChildren();
    let last = -Infinity;
    let widest = "";
    for (const [at, text] of [...marks].sort((one, other) => one[0] - other[0])) {
      if (at < from + gap / 2 || at > size - gap / 2 || at - last < gap) continue;
      last = at;
      if (text.length > widest.length) widest = text;
      const label = document.createElement("span");
      label.textContent = text;
      label.style.cssText = `position:absolute;white-space:nowrap;${edge}:${at}px;transform:${shift}`;
      strip.append(label);
    }
    if (edge === "left") return;
    const room = document.createElement("span"); // as wide as the widest, so that the strip is
    room.textContent = widest;
    room.style.cssText = "visibility:hidden;white-space:nowrap";
    strip.append(room);
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
