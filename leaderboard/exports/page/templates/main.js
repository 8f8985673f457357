// Start: the first table, or what the address says; from then on the address says what is shown, so that a link shows it too.
"use strict";
(function () {
  const { content, state } = bench;
  if (!content.tables.length) return;
  const columns = bench.byId("pick-columns");
  const LOOKS = { window: ["full", "middle", "bright", "dark"], colours: ["verdict", "above", "all", "none"] }; // the first is not said

  function read() {
    const said = new URLSearchParams(location.hash.slice(1));
    const view = /^(\d+)\.(\d+)\.(\d+)$/.exec(said.get("view") || "");
    const [table, row, subject] = view ? view.slice(1).map(Number) : [Number(said.get("table")), Number(said.get("row")), null];
    const known = content.tables[table];
    const valid = known && known.rows[row] && (subject === null || known.subjects[subject] !== undefined);
    const point = said.get("point");
    const looks = Object.fromEntries(Object.entries(LOOKS).map(([name, values]) => [name, values.includes(said.get(name)) ? said.get(name) : values[0]]));
    return {
      table: valid ? table : 0,
      row: valid ? row : 0,
      subject: valid ? subject : null,
      point: Object.hasOwn(content.points, point) ? point : content.ranking_point,
      method: said.get("method") || "",
      other: valid && known.every[said.get("beside")] ? said.get("beside") : "",
      all: said.get("columns") === "all",
      modality: said.get("modality") || "",
      seed: /^\d+$/.test(said.get("seed") || "") ? Number(said.get("seed")) : "",
      smooth: said.get("smooth") === "1",
      ...looks,
    };
  }

  function write() {
    const { table, row, subject } = state;
    const said = [];
    if (subject !== null) said.push(["view", `${table}.${row}.${subject}`]);
    else {
      if (table) said.push(["table", table]);
      if (row) said.push(["row", row]);
    }
    if (state.point !== content.ranking_point) said.push(["point", state.point]);
    if (state.method) said.push(["method", state.method]);
    if (state.other !== "") said.push(["beside", state.other]);
    if (columns.checked) said.push(["columns", "all"]);
    for (const name of ["modality", "seed"]) if (state[name] !== "") said.push([name, state[name]]);
    for (const [name, values] of Object.entries(LOOKS)) if (state[name] !== values[0]) said.push([name, state[name]]);
    if (state.smooth) said.push(["smooth", 1]);
    const hash = said.map(([name, value]) => `${name}=${encodeURIComponent(value)}`).join("&");
    try { history.replaceState(null, "", hash ? `#${hash}` : location.pathname + location.search); } catch (error) { /* not from every place */ }
  }

  const { subject, other, all, ...first } = read();
  columns.checked = all;
  bench.byId("pick-method").value = first.method;
  state.set({ ...first, subject: null });
  if (subject !== null) bench.openSubject(first.row, subject);
  if (other !== "") state.set({ other });
  state.onChange(write);
  columns.addEventListener("change", write);
})();

// A link to a run opens its details, and the data set that it belongs to.
(function () {
  const { content, state } = bench;
  function open() {
    const target = /^#run-\d+$/.test(location.hash) ? document.getElementById(location.hash.slice(1)) : null;
    if (!target) return;
    if (target.hidden) state.set({ table: content.tables.find((table) => table.dataset === target.dataset.dataset).id, row: 0, subject: null, other: "" });
    target.open = true;
    target.scrollIntoView();
  }
  window.addEventListener("hashchange", open);
  open();
})();
