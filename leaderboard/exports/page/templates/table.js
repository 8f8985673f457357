// The ranking: choices, sorting, columns; and the table of subjects.
"use strict";
(function () {
  const { state, content } = bench;
  const pick = (name) => bench.byId(`pick-${name}`);
  const unique = (values) => [...new Set(values)];

  function measured(table) {
    const parts = [`${table.grid} grid`, `split ${table.split}`];
    if (table.protocol !== "standard") parts.push(table.protocol);
    return table.differs.length ? `${parts.join(", ")} (${table.differs.join("; ")})` : parts.join(", ");
  }

  function offerTables() {
    const now = bench.table();
    const datasets = unique(content.tables.map((table) => table.dataset));
    bench.fill(pick("dataset"), datasets.map((name) => [name, name]), now.dataset);
    const inSet = content.tables.filter((table) => table.dataset === now.dataset);
    bench.fill(pick("region"), unique(inSet.map((table) => table.region)).map((name) => [name, name]), now.region);
    const inRegion = inSet.filter((table) => table.region === now.region);
    const bases = unique(inRegion.map((table) => table.base));
    bench.fill(pick("table"), bases.map((base) => [base, measured(inRegion.find((table) => table.base === base))]), now.base);
    bench.byId("label-table").hidden = bases.length < 2;
    const views = content.tables.filter((table) => table.base === now.base);
    bench.fill(pick("pipeline"), views.map((table) => [table.id, table.shows]), now.id);
    bench.byId("label-pipeline").hidden = views.length < 2;
    const role = (point) => (`dice@${point}` === now.metric ? " (ranks)" : content.upper_bounds.includes(point) ? " (upper bound)" : "");
    bench.fill(pick("point"), Object.keys(content.points).map((point) => [point, `${point}${role(point)}`]), state.point);
  }

  function open(table) {
    state.set({ table: table.id, row: 0, subject: null, other: "" });
  }

  // another table, seen as this one is where it has that view
  function choose(table) {
    const view = bench.table().view;
    open(content.tables.find((one) => one.base === table.base && one.view === view) || table);
  }

  pick("dataset").addEventListener("change", (event) => choose(content.tables.find((table) => table.dataset === event.target.value)));
  pick("region").addEventListener("change", (event) => choose(content.tables.find((table) => table.dataset === bench.table().dataset && table.region === event.target.value)));
  pick("table").addEventListener("change", (event) => choose(content.tables.find((table) => table.base === Number(event.target.value))));
  pick("pipeline").addEventListener("change", (event) => open(content.tables[Number(event.target.value)]));
  pick("point").addEventListener("change", (event) => state.set({ point: event.target.value }));
  pick("method").addEventListener("input", (event) => state.set({ method: event.target.value }));
  pick("columns").addEventListener("change", show);
  for (const id of ["controls", "subject-controls", "viewer-controls"]) {
    const form = bench.byId(id);
    if (form) form.addEventListener("submit", (event) => event.preventDefault());
  }

  // Sorting is stable and starts from the ranking; cells without a value come last either way.
  function sortable(table, cellsOf) {
    const heads = [...table.tHead.rows[0].cells];
    const original = [...table.tBodies[0].rows];
    heads.forEach((head, column) => {
      if (head.classList.contains("unsorted")) return;
      const button = bench.make("button", { type: "button" });
      button.append(...head.childNodes);
      head.replaceChildren(button);
      button.addEventListener("click", () => {
        const order = head.getAttribute("aria-sort");
        const first = head.classList.contains("number") && head.textContent !== "#" ? "descending" : "ascending";
        const second = first === "descending" ? "ascending" : "descending";
        const next = order === null ? first : order === first ? second : null;
        heads.forEach((other) => other.removeAttribute("aria-sort"));
        const rows = [...original];
        if (next !== null) {
          head.setAttribute("aria-sort", next);
          const sign = next === "ascending" ? 1 : -1;
          const isNumber = head.classList.contains("number");
          const keys = new Map(rows.map((row) => [row, cellsOf(row, column, isNumber)]));
          rows.sort((a, b) => {
            const [x, y] = [keys.get(a), keys.get(b)];
            if (x === null || y === null) return (x === null) - (y === null);
            return sign * (isNumber ? x - y : x.localeCompare(y, "en", { numeric: true }));
          });
        }
        table.tBodies[0].append(...rows);
      });
    });
  }

  function cellKey(row, column, isNumber) {
    const cell = row.cells[column];
    if (isNumber) return cell.dataset.value === undefined ? null : Number(cell.dataset.value);
    return cell.textContent === "–" || cell.textContent === "" ? null : cell.textContent;
  }

  // on a narrow screen the choices fold into one line, which says what is chosen
  const narrow = window.matchMedia("(max-width: 720px)");
  const fold = () => { bench.byId("choices").open = !narrow.matches; };
  narrow.addEventListener("change", fold);
  fold();

  function chosenText() {
    const table = bench.table();
    const parts = [table.dataset, state.point, `region ${table.region}`, table.shows];
    if (!bench.byId("label-table").hidden) parts.push(measured(table));
    if (state.method) parts.push(`methods whose name contains "${state.method}"`);
    if (pick("columns").checked) parts.push("all columns");
    return `Shown: ${parts.join(", ")}`;
  }

  document.querySelectorAll("table.first, table.board").forEach((table) => sortable(table, cellKey));

  function show() {
    const all = pick("columns").checked;
    document.querySelectorAll("article.table").forEach((article) => {
      article.hidden = Number(article.dataset.table) !== state.table;
    });
    const own = (rest) => `#ranking article[data-table="${state.table}"] ${rest}, #details article[data-table="${state.table}"] ${rest}`;
    const kept = new Set(bench.shownRows().map(({ index }) => index));
    document.querySelectorAll(own("tbody tr[data-row]")).forEach((row) => { row.hidden = !kept.has(Number(row.dataset.row)); });
    document.querySelectorAll(own("[data-points]")).forEach((cell) => {
      const points = cell.dataset.points ? cell.dataset.points.split(" ") : [];
      const other = points.length > 0 && !points.includes(state.point);
      const extra = cell.classList.contains("further") && !(points.includes(state.point) && state.point !== content.ranking_point);
      cell.hidden = !all && (other || extra);
    });
    if (all || state.point !== content.ranking_point) document.querySelector(own("details.more")).open = true;
    const count = document.querySelector(own(".count"));
    count.textContent = kept.size ? `${kept.size} of ${bench.table().rows.length} rows` : bench.nobody();
    count.hidden = kept.size === bench.table().rows.length;
    showRuns();
    bench.byId("chosen").textContent = chosenText();
    bench.byId("point-means").hidden = state.point === content.ranking_point;
    bench.byId("point-means").textContent = `${state.point}: ${content.points[state.point]} The rank is by ${bench.table().ranked_by}, whatever is chosen here.`;
  }

  function showRuns() {
    const runs = [...document.querySelectorAll("#runs details.run")];
    const { dataset } = bench.table();
    runs.forEach((run) => { run.hidden = run.dataset.dataset !== dataset; });
    const shown = runs.filter((run) => !run.hidden).length;
    bench.byId("runs-count").textContent = shown === runs.length ? bench.counted(shown, "run") : `${shown} of ${runs.length} runs: those on ${dataset}`;
  }

  // --- subjects -----------------------------------------------------------------------------------------------
  const rowPick = bench.byId("subject-row");
  const namePick = bench.byId("subject-name");

  function offerRows() {
    bench.fill(rowPick, bench.table().rows.map((row, index) => [index, bench.rowName(row)]), state.row);
  }

  function metrics() {
    const point = state.point;
    const shown = content.subject_columns
      .filter((column) => column.at !== "ranking" || point === content.ranking_point)
      .map(({ key, head, digits, at, named }) => [at === "map" ? key : `${key}@${point}`, named ? `${head}@${point}` : head, digits]);
    return shown.filter(([key]) => bench.table().rows.some((row) => row.subjects[key]));
  }

  function showSubjects() {
    const table = bench.table();
    const row = table.rows[state.row];
    const columns = metrics();
    const target = bench.byId("subject-table");
    const sites = table.sites.some((site) => site);
    const heads = [["Subject", "text"], ...(sites ? [["Site", "text"]] : []), ["Lesion (ml)", "number"], ...columns.map((column) => [column[1], "number"]), ["Viewer", "text unsorted"]];
    target.tHead.replaceChildren(bench.make("tr", {}, ...heads.map(([name, kind]) => bench.make("th", { scope: "col", class: kind }, name))));
    const wanted = namePick.value.toLowerCase();
    const lines = [];
    table.subjects.forEach((subject, index) => {
      if (wanted && !`${subject} ${table.sites[index]}`.toLowerCase().includes(wanted)) return;
      const numbers = [[table.lesion_ml[index], 2], ...columns.map(([key, , digits]) => [(row.subjects[key] || [])[index] ?? null, digits])];
      const line = bench.make("tr", { "data-subject": index, class: state.subject === index ? "chosen" : null }, bench.make("td", {}, subject));
      if (sites) line.append(bench.make("td", {}, table.sites[index]));
      for (const [value, digits] of numbers) line.append(bench.make("td", { class: "number", "data-value": value }, bench.number(value, digits)));
      const cell = bench.make("td", {});
      if (bench.previewOf(row, subject)) {
        const button = bench.make("button", { type: "button", "aria-label": `Show ${subject} in the viewer` }, "show");
        button.addEventListener("click", () => bench.openSubject(state.row, index));
        cell.append(button);
      } else cell.append("no preview");
      line.append(cell);
      lines.push(line);
    });
    target.tBodies[0].replaceChildren(...lines);
    sortable(target, cellKey);
    const many = row.seeds.length > 1 ? `, means over seeds ${row.seeds.join(", ")}` : "";
    bench.byId("subject-count").textContent = `${lines.length} of ${table.subjects.length} subjects: ${bench.rowName(row)}${many}`;
  }

  rowPick.addEventListener("change", () => state.set({ row: Number(rowPick.value) }));
  namePick.addEventListener("input", showSubjects);

  // a method's point, or its button: that method's subjects
  bench.openRow = function (row) {
    state.set({ row });
    bench.byId("subjects").scrollIntoView();
  };

  // a point in a figure, or a button: that subject's line, and its viewer where there is one
  bench.openSubject = function (row, subject) {
    state.set({ row, subject });
    const target = bench.byId("viewer");
    target.scrollIntoView();
    target.focus({ preventScroll: true });
  };

  state.onChange((changed) => {
    if (changed.includes("table")) { offerTables(); offerRows(); }
    if (changed.some((key) => ["table", "point", "method"].includes(key))) show();
    if (changed.includes("row")) rowPick.value = String(state.row);
    if (changed.some((key) => ["table", "row", "point", "subject"].includes(key))) showSubjects();
  });
})();
