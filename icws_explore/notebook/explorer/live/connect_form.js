// @ts-check
// The connection form. Fields are sent as messages when they are needed, and never stored: a URL may hold a password,
// an uploaded file a key. Uploaded files stay in this page until the form connects.

const CHECK_MS = 350;
const MAX_FILE = 1024 * 1024; // bytes

/** @param {{model: Model, el: HTMLElement}} context */
function render({ model, el }) {
  const root = frame("connect", "Connect");
  el.append(root);
  const key = ownId();
  /** @type {Record<string, {control: any, error: HTMLElement, remark: HTMLElement}>} */ const places = {};
  /** @type {Record<string, string>} */ const files = {}; // text of the uploaded .did and identity
  let wasTouched = false;

  // -- a lab ----------------------------------------------------------------------------------------

  const present = make("div", { class: "icws-lp-row" });
  const scale = make("select", { id: `${key}-scale` }, ...model.get("scales").map((/** @type {number} */ one) => make("option", { value: one, text: one === 1 ? "real time" : `× ${one}`, selected: one === 10 })));
  const apps = make("div", { class: "icws-lp-row" },
    ...model.get("apps").map((/** @type {[string, string]} */ [app, about]) =>
      button(app, () => model.send({ do: "lab", app, scale: Number(scale.value), fields: fields() }), { title: about, class: "icws-lp-app", "aria-label": `Start a lab with ${app} and connect` }),
    ),
    make("span", { class: "icws-lp-check" }, make("label", { for: `${key}-scale`, text: "clock" }), scale));
  const app = make("input", { type: "text", id: `${key}-app`, class: "icws-lp-grow", placeholder: "my_app.py", spellcheck: "false", autocomplete: "off" });
  const starting = button("Start", () => model.send({ do: "lab", app: app.value.trim(), scale: Number(scale.value), fields: fields() }), { "aria-label": "Start a lab with this app and connect" });
  app.addEventListener("keydown", (/** @type {KeyboardEvent} */ event) => {
    if (event.key === "Enter") starting.click();
  });
  const ownApp = make("div", { class: "icws-lp-row" }, make("label", { for: `${key}-app`, text: "own app" }), app, starting);
  const lab = make("section", { "aria-label": "A lab" }, make("h3", { text: "Lab on this machine" }), present, apps, ownApp,
    make("p", { class: "icws-lp-soft", text: "A click starts a replica, the app's canister and a gateway, and connects. Nothing leaves this machine." }));

  function showLab() {
    const running = model.get("lab");
    present.replaceChildren();
    present.hidden = !running;
    if (running) present.append(button("Connect to this lab", () => model.send({ do: "connect to the lab", fields: fields() }), { class: "icws-lp-main" }), make("span", { text: running }));
  }

  // -- a gateway of one's own -----------------------------------------------------------------------

  /** @param {string} name @param {string} label @param {Record<string, string>} more */
  function line(name, label, more) {
    const id = `${key}-${name}`;
    const control = make("input", { type: "text", id, spellcheck: "false", autocomplete: "off", "aria-describedby": `${id}-error`, ...more });
    control.addEventListener("input", touched);
    return row(name, label, control);
  }

  /** @param {string} name @param {string} label @param {any} control @param {...Node} others */
  function row(name, label, control, ...others) {
    const id = `${key}-${name}`;
    const error = make("div", { class: "icws-lp-error", id: `${id}-error`, role: "alert" });
    const remark = make("div", { class: "icws-lp-soft icws-lp-remark" });
    places[name] = { control, error, remark };
    return make("div", { class: "icws-lp-entry" }, make("label", { for: control.id, text: label }), make("div", {}, make("div", { class: "icws-lp-row" }, control, ...others), error, remark));
  }

  const didHow = make("select", { id: `${key}-did` }, make("option", { value: "metadata", text: "from the canister's metadata" }), make("option", { value: "path", text: ".did file: path" }), make("option", { value: "upload", text: ".did file: choose" }), make("option", { value: "type", text: "Candid type" }));
  const didPath = make("input", { type: "text", class: "icws-lp-grow", placeholder: "path on the kernel's machine", "aria-label": "Path of the .did file", spellcheck: "false" });
  const didType = make("input", { type: "text", class: "icws-lp-grow icws-lp-mono", placeholder: "record { text : text }", "aria-label": "Candid type of the messages", spellcheck: "false" });
  const didFile = file("did", ".did,.txt", "Choose the .did file");
  const did = row("did", "messages", didHow, didPath, didFile, didType);

  const who = make("select", { id: `${key}-identity` }, make("option", { value: "new", text: "a new key" }), make("option", { value: "pem", text: "PEM file" }), make("option", { value: "ii", text: "Internet Identity (JSON)" }), make("option", { value: "variable", text: "variable of this notebook" }));
  const whoPath = make("input", { type: "text", class: "icws-lp-grow", placeholder: "path on the kernel's machine", "aria-label": "Path of the identity's file", spellcheck: "false" });
  const whoFile = file("identity", ".pem,.json,.txt", "Choose the identity's file");
  const whoNames = make("datalist", { id: `${key}-names` });
  const whoName = make("input", { type: "text", list: `${key}-names`, placeholder: "name", "aria-label": "Name of the variable", spellcheck: "false" });
  const identity = row("identity", "identity", who, whoPath, whoFile, whoName, whoNames);

  const own = make("form", { "aria-label": "Own gateway" }, make("h3", { text: "Own gateway" }),
    line("gateway", "gateway", { placeholder: "ws://127.0.0.1:8080 or wss://gateway.example", class: "icws-lp-grow" }),
    line("network", "network", { placeholder: "http://127.0.0.1:4943 or https://icp-api.io", class: "icws-lp-grow" }),
    line("canister", "canister", { placeholder: "bkyz2-fmaaa-aaaaa-qaaaq-cai", class: "icws-lp-grow" }),
    did,
    line("ack", "ack interval", { placeholder: "300", inputmode: "decimal", size: "6" }));
  places.ack.control.after(make("span", { class: "icws-lp-soft", text: "s, as the canister's" }));
  const connecting = make("button", { type: "submit", class: "icws-lp-main", text: "Connect" });
  own.append(make("div", { class: "icws-lp-foot" }, connecting));
  own.addEventListener("submit", (/** @type {Event} */ event) => {
    event.preventDefault();
    wasTouched = true;
    model.send({ do: "connect", fields: fields() });
  });
  const cancel = button("Cancel", () => model.send({ do: "cancel" }), { hidden: true });
  const status = make("span", { class: "icws-lp-line", role: "status" });
  root.append(
    make("section", { "aria-label": "Who connects", class: "icws-lp-who" }, identity),
    make("div", { class: "icws-lp-ways" }, lab, own),
    make("div", { class: "icws-lp-foot" }, status, cancel),
  );
  for (const control of [didHow, didPath, didType, who, whoPath, whoName]) control.addEventListener("input", () => {
    showHow();
    touched();
  });

  /** A button that lets one choose a file, whose text stays here. @param {string} name @param {string} accept @param {string} label */
  function file(name, accept, label) {
    const input = make("input", { type: "file", accept, hidden: true });
    const chosen = make("span", { class: "icws-lp-soft", text: "no file" });
    const choose = button("Choose file", () => input.click(), { "aria-label": label });
    input.addEventListener("change", async () => {
      const one = input.files?.[0];
      if (!one) return;
      chosen.textContent = one.size > MAX_FILE ? `${one.name} is too large` : one.name;
      files[name] = one.size > MAX_FILE ? "" : await one.text();
      input.value = "";
      touched();
    });
    return make("span", { class: "icws-lp-row" }, choose, chosen, input);
  }

  function showHow() {
    didPath.hidden = didHow.value !== "path";
    didFile.hidden = didHow.value !== "upload";
    didType.hidden = didHow.value !== "type";
    const isFile = who.value === "pem" || who.value === "ii";
    whoPath.hidden = whoFile.hidden = !isFile;
    whoName.hidden = who.value !== "variable";
    if (who.value === "variable") model.send({ do: "variables" });
  }

  function fields() {
    const didFields = { metadata: {}, path: { path: didPath.value }, upload: { text: files.did ?? "" }, type: { text: didType.value } };
    const how = didHow.value === "upload" || didHow.value === "type" ? "text" : didHow.value;
    return {
      gateway: places.gateway.control.value, network: places.network.control.value, canister: places.canister.control.value, ack: places.ack.control.value,
      did: { how, .../** @type {any} */ (didFields)[didHow.value] },
      identity: who.value === "new" ? { how: "new" } : who.value === "variable" ? { how: "variable", name: whoName.value } : { how: who.value, path: whoPath.value, text: whoPath.value ? "" : files.identity ?? "" },
    };
  }

  const check = calm(() => model.send({ do: "check", fields: fields() }), CHECK_MS);
  function touched() {
    wasTouched = true;
    check();
  }

  // -- what Python says -----------------------------------------------------------------------------

  function showProblems() {
    for (const [name, { control, error, remark }] of Object.entries(places)) {
      const text = model.get("problems")[name];
      const said = model.get("remarks")[name];
      error.textContent = text ? `✗ ${text}` : "";
      control.setAttribute("aria-invalid", String(Boolean(text)));
      remark.textContent = !text && said ? said : "";
      remark.hidden = remark.textContent === "";
    }
  }

  function showKnown() {
    if (wasTouched) return;
    for (const name of ["gateway", "network", "canister"]) places[name].control.value = model.get("known")[name] ?? "";
  }

  function showBusy() {
    const isBusy = model.get("is_busy");
    cancel.hidden = !isBusy;
    for (const one of root.querySelectorAll("button")) if (one !== cancel) one.disabled = isBusy;
  }

  const showStatus = () => showLine(status, model.get("status"));
  const showNames = () => whoNames.replaceChildren(...model.get("names").map((/** @type {string} */ name) => make("option", { value: name })));
  const showLabAgain = () => {
    showLab();
    showBusy();
  };
  const end = follow(model, { problems: showProblems, remarks: showProblems, known: showKnown, lab: showLabAgain, is_busy: showBusy, status: showStatus, names: showNames });
  showHow();
  showKnown();
  showProblems();
  showLabAgain();
  showStatus();
  showNames();
  return () => {
    check.drop();
    end();
  };
}

export default { render };
