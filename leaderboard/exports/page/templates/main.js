// Start: the first table, or what the address says; from then on the address says what is shown, so that a link shows it too.
"use strict";
(function () {
  const { content, state } = bench;
  if (!content.tables.length) return;
  const columns = bench.byId("pick-columns");

  function read() {
    const said = new URLSearchParams(location.hash.slice(1));
    const view = /^(\d+)\.(\d+)\.(\d+)$/.exec(said.get("view") || "");
    const [table, row, subject] = view ? view.slice(1).map(Number) : [Number(said.get("table")), Number(said.get("row")), null];
    const known = content.tables[table];
    const valid = known && known.rows[row] && (subject === null || known.subjects[subject] !== undefined);
    const point = said.get("point");
    return {
      table: valid ? table : 0,
      row: valid ? row : 0,
      subject: valid ? subject : null,
      point: Object.hasOwn(content.points, point) ? point : content.ranking_point,
      method: said.get("method") || "",
      other: valid && known.every[said.get("beside")] ? said.get("beside") : "",
      all: said.get("columns") === "all",
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
    const hash = said.map(([name, value]) => `${name}=${encodeURIComponent(value)}`).join("&");
    try { history.replaceState(null, "", hash ? `#${hash}` : location.pathname + location.search); } catch (error) { /* not from every place */ }
  }

  const { subject, all, ...first } = read();
  columns.checked = all;
  bench.byId("pick-method").value = first.method;
  state.set({ ...first, subject: null });
  if (subject !== null) {
    bench.openSubject(first.row, subject);
    state.set({ other: first.other });
  }
  state.onChange(write);
  columns.addEventListener("change", write);
})();

// A link to a run opens its details.
(function () {
  function open() {
    const target = /^#run-\d+$/.test(location.hash) ? document.getElementById(location.hash.slice(1)) : null;
    if (target) { target.open = true; target.scrollIntoView(); }
  }
  window.addEventListener("hashchange", open);
  open();
})();
