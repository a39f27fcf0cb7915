// @ts-check
// Raw frames, frames of the recording sent again after an edit, and closing with a code.

const LOOK_MS = 250;
const OTHER = "other";

/** @param {{model: Model, el: HTMLElement}} context */
function render({ model, el }) {
  const root = frame("raw", "Raw frames and closing");
  el.append(root);
  const key = ownId();
  let shown = ""; // number of the change that the bytes include

  const number = make("input", { type: "text", id: `${key}-number`, inputmode: "numeric", size: "5" });
  const load = button("Load", () => model.send({ do: "load", number: number.value }), { "aria-label": "Load the frame with this number" });
  const selected = button("Load the selected frame", () => model.send({ do: "load selected" }));
  const about = make("div", { class: "icws-lp-soft" });
  number.addEventListener("keydown", (/** @type {KeyboardEvent} */ event) => {
    if (event.key === "Enter") load.click();
  });

  const bytes = make("textarea", { id: `${key}-bytes`, rows: "5", spellcheck: "false", autocomplete: "off", placeholder: "bytes in hexadecimal: d9 d9 f7 …", "aria-describedby": `${key}-verdict` });
  const op = make("select", { id: `${key}-op` }, ...model.get("ops").map((/** @type {string} */ one) => make("option", { value: one, text: one })));
  const verdict = make("div", { class: "icws-lp-line", id: `${key}-verdict`, role: "status" });
  const look = calm(() => model.send({ do: "look", hex: bytes.value, op: op.value }), LOOK_MS);
  bytes.addEventListener("input", look);
  op.addEventListener("change", look);

  const path = make("select", { id: `${key}-path`, class: "icws-lp-wide" });
  const value = make("input", { type: "text", id: `${key}-value`, class: "icws-lp-grow icws-lp-mono", spellcheck: "false", autocomplete: "off" });
  const change = button("Change", () => model.send({ do: "change", hex: bytes.value, op: op.value, path: path.value, value: value.value }), { "aria-label": "Change the field" });
  const field = make("div", {}, make("div", { class: "icws-lp-entry" }, make("label", { for: `${key}-path`, text: "field" }), path),
    make("div", { class: "icws-lp-entry" }, make("label", { for: `${key}-value`, text: "value" }), make("div", { class: "icws-lp-row icws-lp-tight" }, value, change)));
  path.addEventListener("change", showValue);
  value.addEventListener("keydown", (/** @type {KeyboardEvent} */ event) => {
    if (event.key === "Enter") change.click();
  });

  const signing = button("Sign again", () => model.send({ do: "sign", hex: bytes.value, op: op.value }), { title: "sign these bytes with the session's identity, so that only their content can be refused" });
  const sending = button("Send frame", () => model.send({ do: "send", hex: bytes.value, op: op.value }), { class: "icws-lp-main" });
  const frames = make("section", { "aria-label": "Raw frame" }, make("h3", { text: "Raw frame" }),
    make("div", { class: "icws-lp-row" }, make("label", { for: `${key}-number`, text: "frame" }), number, load, selected),
    about,
    make("label", { for: `${key}-bytes`, text: "bytes", class: "icws-lp-above" }), bytes, verdict, field,
    make("div", { class: "icws-lp-foot" }, sending, signing, make("span", { class: "icws-lp-check" }, make("label", { for: `${key}-op`, text: "as" }), op),
      make("span", { class: "icws-lp-soft", text: "The client's state machine does not see it: nothing is numbered." })));

  const code = make("select", { id: `${key}-code`, class: "icws-lp-grow" }, ...model.get("codes").map((/** @type {[number, string]} */ [one, what]) => make("option", { value: one, text: `${one} ${what}` })), make("option", { value: OTHER, text: "another code" }));
  const other = make("input", { type: "text", inputmode: "numeric", size: "5", value: "3000", "aria-label": "Other close code", hidden: true });
  code.addEventListener("change", () => (other.hidden = code.value !== OTHER));
  const reason = make("input", { type: "text", id: `${key}-reason`, class: "icws-lp-grow", maxlength: "123", spellcheck: "false", autocomplete: "off" });
  const closing = button("Close the session", () => model.send({ do: "close", code: Number(code.value === OTHER ? other.value : code.value), reason: reason.value }));
  const end = make("section", { "aria-label": "Close" }, make("h3", { text: "Close" }),
    make("div", { class: "icws-lp-entry" }, make("label", { for: `${key}-code`, text: "code" }), make("div", { class: "icws-lp-row icws-lp-tight" }, code, other)),
    make("div", { class: "icws-lp-entry" }, make("label", { for: `${key}-reason`, text: "reason" }), make("div", { class: "icws-lp-row icws-lp-tight" }, reason)),
    make("div", { class: "icws-lp-foot" }, closing));

  const status = make("div", { class: "icws-lp-line", role: "status" });
  root.append(make("div", { class: "icws-lp-ways icws-lp-ways-raw" }, frames, end), make("div", { class: "icws-lp-foot" }, status));

  function showLoaded() {
    const loaded = model.get("loaded");
    if (loaded.hex === undefined) return;
    number.value = loaded.number;
    bytes.value = loaded.hex;
    op.value = loaded.op;
    about.textContent = loaded.about;
    fit();
  }

  function showChanged() {
    const [count, hex] = model.get("changed");
    if (hex === undefined || String(count) === shown) return;
    shown = String(count);
    bytes.value = hex;
    fit();
  }

  function fit() {
    bytes.rows = Math.min(12, Math.max(5, Math.ceil(bytes.value.length / 90)));
  }

  function showFields() {
    const before = path.value;
    path.replaceChildren(...model.get("fields").map((/** @type {[string, string]} */ [name]) => make("option", { value: name, text: name, selected: name === before })));
    field.hidden = path.options.length === 0;
    showValue();
  }

  function showValue() {
    const found = model.get("fields").find((/** @type {[string, string]} */ [name]) => name === path.value);
    if (found && document.activeElement !== value) value.value = found[1];
  }

  function showRefusal() {
    const refusal = model.get("refusal");
    sending.disabled = signing.disabled = closing.disabled = refusal !== "";
    showLine(status, model.get("status")[1] || !refusal ? model.get("status") : ["note", refusal]);
  }

  const showVerdict = () => showLine(verdict, model.get("verdict"));
  const stop = follow(model, { loaded: showLoaded, changed: showChanged, fields: showFields, verdict: showVerdict, status: showRefusal, refusal: showRefusal });
  showLoaded();
  showFields();
  showVerdict();
  showRefusal();
  return () => {
    look.drop();
    stop();
  };
}

export default { render };
