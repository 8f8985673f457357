// Start: the first table, or the subject that the address names.
"use strict";
(function () {
  if (!bench.content.tables.length) return;
  const found = /^#view=(\d+)\.(\d+)\.(\d+)$/.exec(location.hash);
  const [table, row, subject] = found ? found.slice(1).map(Number) : [0, 0, null];
  const known = bench.content.tables[table];
  const valid = found && known && known.rows[row] && known.subjects[subject] !== undefined;
  bench.state.set({ table: valid ? table : 0, point: bench.content.ranking_point, method: "", row: 0, subject: null, other: "" });
  if (valid) bench.openSubject(row, subject);
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
