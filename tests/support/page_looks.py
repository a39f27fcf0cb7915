"""What a reader could not read on a page: text that is cut off, or that its background swallows."""

from __future__ import annotations

from playwright.sync_api import Page

MIN_CONTRAST = 3.0  # WCAG's for large text and for signs; most text here has more than 4.5

# Outputs that leave the notebook's panel, and text that is cut without dots that say so.
CUT_OFF = """within => {
  const name = e => `${e.tagName.toLowerCase()}.${e.getAttribute("class") || ""}: ` +
    (e.innerText || e.textContent || "").trim().slice(0, 60);
  const scrolls = e => ["auto", "scroll"].includes(getComputedStyle(e).overflowX);
  const found = [];
  for (const output of document.querySelectorAll(within)) {
    const edge = output.getBoundingClientRect().right + 1;
    for (const e of output.querySelectorAll("*")) {
      if (!e.checkVisibility?.({ visibilityProperty: true, opacityProperty: true })) continue;
      const box = e.getBoundingClientRect();
      if (box.width < 2 || box.height < 2 || e.closest("svg") !== null && e.tagName !== "svg") continue;
      if (box.right > edge) {
        let up = e.parentElement;
        while (up !== output && !scrolls(up)) up = up.parentElement;
        if (up === output && !scrolls(output)) found.push(`leaves the page: ${name(e)}`);
      }
      const style = getComputedStyle(e);
      const own = [...e.childNodes].some(n => n.nodeType === Node.TEXT_NODE && n.data.trim());
      const hides = ["hidden", "clip"].includes(style.overflowX) && style.textOverflow !== "ellipsis";
      if (own && hides && e.scrollWidth > e.clientWidth + 1) found.push(`is cut: ${name(e)}`);
    }
  }
  return [...new Set(found)];
}"""

# Text whose colour is too near to that of the nearest background that is not clear.
FAINT = """([within, least]) => {
  const canvas = new OffscreenCanvas(1, 1).getContext("2d", { willReadFrequently: true });
  const rgba = colour => {
    canvas.clearRect(0, 0, 1, 1);
    canvas.fillStyle = colour;
    canvas.fillRect(0, 0, 1, 1);
    const [r, g, b, a] = canvas.getImageData(0, 0, 1, 1).data;
    return [r, g, b, a / 255];
  };
  const over = ([r, g, b, a], [R, G, B]) => [r * a + R * (1 - a), g * a + G * (1 - a), b * a + B * (1 - a), 1];
  const background = e => {
    if (e === null) return [255, 255, 255, 1];
    const own = rgba(getComputedStyle(e).backgroundColor);
    return own[3] === 1 ? own : over(own, background(e.parentElement));
  };
  const linear = c => c <= 0.03928 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4;
  const light = ([r, g, b]) =>
    0.2126 * linear(r / 255) + 0.7152 * linear(g / 255) + 0.0722 * linear(b / 255);
  const found = [];
  for (const output of document.querySelectorAll(within)) {
    const walker = document.createTreeWalker(output, NodeFilter.SHOW_TEXT);
    while (walker.nextNode()) {
      const e = walker.currentNode.parentElement;
      const text = walker.currentNode.data.trim();
      if (!text || e.closest("svg, style, script, [disabled], [aria-disabled=true]")) continue;
      if (!e.checkVisibility({ visibilityProperty: true, opacityProperty: true })) continue;
      const behind = background(e);
      const [a, b] = [light(over(rgba(getComputedStyle(e).color), behind)), light(behind)].sort((x, y) => y - x);
      const contrast = (a + 0.05) / (b + 0.05);
      if (contrast < least) found.push(`${contrast.toFixed(1)}: ${e.className}: ${text.slice(0, 40)}`);
    }
  }
  return [...new Set(found)];
}"""


def cut_off(page: Page, within: str = ".jp-OutputArea-output") -> list[str]:
    """What leaves its output or is cut in it, without a bar to scroll and without dots."""
    found: list[str] = page.evaluate(CUT_OFF, within)
    return found


def faint(page: Page, within: str = ".jp-OutputArea-output") -> list[str]:
    """Text with a contrast of less than `MIN_CONTRAST`, outside of pictures."""
    found: list[str] = page.evaluate(FAINT, [within, MIN_CONTRAST])
    return found
