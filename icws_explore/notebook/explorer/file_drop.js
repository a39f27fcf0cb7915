// @ts-check
// A button that uploads recordings, onto which files can be dropped as well.

/** @param {{model: any, el: HTMLElement}} context */
function render({ model, el }) {
  const input = document.createElement("input");
  Object.assign(input, { type: "file", accept: model.get("accept"), hidden: true });
  const button = document.createElement("button");
  Object.assign(button, { type: "button", className: "jupyter-button icws-drop", textContent: "upload one, or drop it here" });
  button.setAttribute("data-lm-suppress-shortcuts", "true");
  el.append(button, input);

  /** @param {FileList | null | undefined} files */
  async function send(files) {
    for (const file of files ?? []) model.send({ type: "file", name: file.name }, undefined, [await file.arrayBuffer()]);
    input.value = ""; // so that the same file can be chosen again
  }
  /** @param {boolean} isOver @param {DragEvent} event */
  function dragged(isOver, event) {
    event.preventDefault();
    event.stopPropagation(); // JupyterLab would take the file for itself
    button.classList.toggle("icws-over", isOver);
  }
  button.addEventListener("click", () => input.click());
  input.addEventListener("change", () => send(input.files));
  for (const name of ["dragenter", "dragover"]) button.addEventListener(name, (event) => dragged(true, /** @type {DragEvent} */ (event)));
  button.addEventListener("dragleave", (event) => dragged(false, event));
  button.addEventListener("drop", (event) => {
    dragged(false, event);
    send(event.dataTransfer?.files);
  });
}

export default { render };
