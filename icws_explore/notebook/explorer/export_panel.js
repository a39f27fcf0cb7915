// @ts-check
// Buttons that download what the kernel writes, and the code of the view to copy.

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

/** @param {{model: any, el: HTMLElement}} context */
function render({ model, el }) {
  const said = make("div", { class: "icws-said-export", role: "status", style: "margin-top: 6px" });
  const files = make("div", { class: "icws-exports" });
  for (const [name, about, lacking] of model.get("exports")) {
    const button = /** @type {HTMLButtonElement} */ (make("button", { type: "button", title: about }, `↓ ${name}`));
    button.disabled = Boolean(lacking);
    button.addEventListener("click", () => {
      said.textContent = "writing …";
      model.send({ type: "export", name });
    });
    files.append(button, make("span", {}, lacking || about));
  }
  const code = make("pre", { class: "icws-code", tabindex: "0" });
  const copy = make("button", { type: "button" }, "copy");
  copy.addEventListener("click", async () => {
    await navigator.clipboard.writeText(model.get("code"));
    said.textContent = "copied";
  });
  const root = make("div", { class: "icws icws-x icws-export", "data-lm-suppress-shortcuts": "true" }, make("div", {}, make("h4", {}, "Files"), files, said), make("div", {}, make("h4", {}, "The Python that reproduces the view ", copy), code));
  el.append(root);

  const write = () => (code.textContent = model.get("code"));
  const complain = () => {
    said.textContent = model.get("fault");
    said.className = model.get("fault") ? "icws-bad" : "icws-said-export";
  };
  /** @param {any} message @param {DataView[]} buffers */
  function told(message, buffers) {
    if (message.type !== "file") return;
    const url = URL.createObjectURL(new Blob([/** @type {any} */ (buffers[0])]));
    const link = /** @type {HTMLAnchorElement} */ (make("a", { href: url, download: message.name }));
    link.click();
    window.setTimeout(() => URL.revokeObjectURL(url), 10000);
    said.textContent = `${message.name}, ${buffers[0].byteLength} bytes. ${message.lost}`;
  }
  const watched = /** @type {[string, Function][]} */ ([["change:code", write], ["change:fault", complain], ["msg:custom", told]]);
  for (const [event, callback] of watched) model.on(event, callback);
  write();
  complain();
  return () => {
    for (const [event, callback] of watched) model.off(event, callback);
  };
}

export default { render };
