// Content of the page, small tools, theme. Text from records is only ever set as text, never as markup.
"use strict";
const bench = {};

bench.content = JSON.parse(document.getElementById("content").textContent);

// the views of a table share its subjects, and its rows of every method with every pipeline
for (const table of bench.content.tables) {
  const { rows, ...shared } = bench.content.bases[table.base];
  Object.assign(table, shared, { every: rows, rows: table.rows.map((row) => ({ ...rows[row.of], ...row })) });
}

bench.counted = (number, noun) => `${number} ${noun}${number === 1 ? "" : "s"}`;
bench.byId = (id) => document.getElementById(id);

// a name from a record may be "__proto__": only a mapping's own keys count
bench.own = (mapping, key) => (mapping && Object.hasOwn(mapping, key) ? mapping[key] : undefined);

bench.make = function (tag, attributes, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes || {})) {
    if (value === true) element.setAttribute(name, "");
    else if (value !== false && value !== null && value !== undefined) element.setAttribute(name, String(value));
  }
  for (const child of children) element.append(child); // strings become text nodes
  return element;
};

// a text's nodes, in which no line ends within a hyphenated word, such as a method's name; longer ones would not fit on a phone
bench.whole = (text) => String(text).split(/(\s+)/).map((word) => (word.length <= 28 && /[\p{L}\p{N}_]-[\p{L}\p{N}_]/u.test(word) ? bench.make("span", { class: "whole" }, word) : word));

bench.fill = function (select, options, chosen) {
  select.replaceChildren(...options.map(([value, text]) => {
    const option = bench.make("option", { value: value }, text);
    if (String(value) === String(chosen)) option.selected = true;
    return option;
  }));
};

bench.number = function (value, digits = 3) {
  return value === null || value === undefined || !Number.isFinite(value) ? "–" : value.toFixed(digits);
};

bench.score = function (value) {
  if (value === 0) return "0";
  const size = Math.abs(value);
  return size >= 1e5 || size < 1e-3 ? value.toExponential(2) : Number(value.toPrecision(4)).toString();
};

bench.fail = function (text) {
  const place = bench.byId("failure");
  place.textContent = text;
  place.hidden = false;
};

// --- theme: system, light, dark -------------------------------------------------------------------------------
bench.theme = (function () {
  const names = ["system", "light", "dark"];
  const button = bench.byId("theme");
  const listeners = [];
  let current = "system";
  let printing = false;
  try { current = names.includes(localStorage.getItem("andi-theme")) ? localStorage.getItem("andi-theme") : current; } catch (error) { /* no storage on some local files */ }
  function apply() {
    if (printing) document.documentElement.setAttribute("data-theme", "light");
    else if (current === "system") document.documentElement.removeAttribute("data-theme");
    else document.documentElement.setAttribute("data-theme", current);
    button.textContent = `Theme: ${current}`;
    listeners.forEach((call) => call());
  }
  button.addEventListener("click", () => {
    current = names[(names.indexOf(current) + 1) % names.length];
    try { localStorage.setItem("andi-theme", current); } catch (error) { /* as above */ }
    apply();
  });
  window.matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => listeners.forEach((call) => call()));
  apply();
  return {
    print: (on) => { printing = on; apply(); },
    onChange: (call) => listeners.push(call),
    color: (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim(),
  };
})();

// --- what is chosen -------------------------------------------------------------------------------------------
bench.state = {
  table: 0, point: bench.content.ranking_point, method: "", row: 0, subject: null, other: "",
  modality: "", seed: "", window: "full", colours: "verdict", smooth: false, // how the viewer shows it
  listeners: [],
  set(changes) {
    Object.assign(this, changes);
    this.listeners.forEach((call) => call(Object.keys(changes)));
  },
  onChange(call) { this.listeners.push(call); },
};

bench.table = () => bench.content.tables[bench.state.table];
bench.rowName = (row) => `${row.label}, ${row.chain}`;

bench.shownRows = function () {
  const wanted = bench.state.method.toLowerCase();
  return bench.table().rows
    .map((row, index) => ({ row, index }))
    .filter(({ row }) => !wanted || row.label.toLowerCase().includes(wanted));
};

bench.nobody = () => `No method's name contains "${bench.state.method}".`;

// preview of a row's subject: of the seed that is asked for where it has one, else of the first that has the subject
bench.previewOf = function (row, subject, seed = "") {
  let first = null;
  for (const place of row.runs) {
    const run = bench.content.runs[place];
    const found = bench.own(bench.own(bench.content.previews, run.folder), subject);
    const map = found && bench.own(found.maps, row.chain);
    if (!map) continue;
    const { scan, modality, others } = found;
    const one = { run, seed: row.runs.indexOf(place), scan, modality, others, map };
    if (run.seed === seed) return one;
    first = first || one;
  }
  return first;
};
