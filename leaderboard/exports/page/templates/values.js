// The values behind each figure as a table: what a point opens, a button in it opens too, with the keyboard.
"use strict";
(function () {
  const { state, content } = bench;
  const [RANKING, BOUND] = [content.ranking_point, content.upper_bound];
  const key = () => `dice@${state.point}`;
  const shown = (value, digits) => bench.number(value ?? null, digits);
  const figuresOf = (row) => row.estimates[key()] || [null, null, null, null];
  const interval = (low, high) => (low === null || low === undefined ? "–" : `[${shown(low)}, ${shown(high)}]`);
  const opens = (text, row, subject) => ({ text, row, subject });
  const open = (row, index) => opens(bench.rowName(row), index, null);

  // subjects in lines, methods in columns: one button a value
  function bySubject(rows, keep) {
    const table = bench.table();
    const falsely = (row, s) => row.false_ml[s] ?? null; // of subjects without a lesion
    const order = table.subjects.map((_, s) => s).filter(keep).filter((s) => rows.some(({ row }) => ((row.subjects[key()] || [])[s] ?? falsely(row, s)) !== null));
    return {
      heads: ["Subject", "Lesion (ml)", ...rows.map(({ row }) => bench.rowName(row))],
      lines: order.map((s) => [table.subjects[s], shown(table.lesion_ml[s], 2), ...rows.map(({ row, index }) => {
        const value = (row.subjects[key()] || [])[s] ?? null;
        if (value === null && falsely(row, s) !== null) return opens(`${shown(falsely(row, s), 2)} ml false`, index, s);
        return value === null ? "–" : opens(shown(value), index, s);
      })]),
    };
  }

  // precision at some recalls, between the curve's points
  function precisionAt({ recall, precision }, wanted) {
    const k = recall.findIndex((value) => value >= wanted);
    if (k <= 0) return k === 0 ? precision[0] : null;
    const part = (wanted - recall[k - 1]) / (recall[k] - recall[k - 1] || 1);
    return precision[k - 1] + part * (precision[k] - precision[k - 1]);
  }
  bench.precisionAt = precisionAt;

  const RECALLS = [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9];
  const makers = {
    dice: (rows) => ({
      heads: ["Method", `Dice@${state.point}`, "95 %", "SD over seeds"],
      lines: rows.map(({ row, index }) => { const [value, low, high, sd] = figuresOf(row); return [open(row, index), shown(value), interval(low, high), shown(sd)]; }),
    }),
    gap: (rows) => ({
      heads: ["Method", RANKING, BOUND, "Gap"],
      lines: rows.map(({ row, index }) => {
        const [frozen, best] = [row.estimates[`dice@${RANKING}`][0], row.estimates[`dice@${BOUND}`][0]];
        return [open(row, index), shown(frozen), shown(best), frozen === null || best === null ? "–" : shown(best - frozen)];
      }),
    }),
    strip: (rows) => bySubject(rows, () => true),
    size: (rows) => {
      const { lesion_ml: ml } = bench.table();
      const found = bySubject(rows, (s) => ml[s] > 0);
      found.lines.sort((a, b) => Number(a[1]) - Number(b[1]));
      return found;
    },
    recall: (rows) => ({
      heads: ["Method", ...RECALLS.map((recall) => `Precision at recall ${recall}`)],
      lines: rows.filter(({ row }) => row.curve).map(({ row, index }) => [open(row, index), ...RECALLS.map((recall) => shown(precisionAt(row.curve, recall)))]),
    }),
    filter: () => {
      const table = bench.table();
      const of = (method, chain) => table.every.find((row) => row.label === method && row.chain === chain);
      const methods = table.methods.filter((method) => method.toLowerCase().includes(state.method.toLowerCase()));
      return { heads: ["Method", ...table.chains], lines: methods.map((method) => [method, ...table.chains.map((chain) => { const row = of(method, chain); return row ? shown(figuresOf(row)[0]) : "–"; })]) };
    },
    cost: (rows) => ({
      heads: ["Method", "Seconds a volume", `Dice@${state.point}`],
      lines: rows.map(({ row, index }) => [open(row, index), row.seconds === null ? "–" : bench.score(row.seconds), shown(figuresOf(row)[0])]),
    }),
    pair: (rows, pair) => {
      const table = bench.table();
      const [across, up] = pair.map((index) => table.every[index]);
      const place = table.rows.findIndex((row) => row.of === pair[1]);
      const [x, y] = [across, up].map((row) => row.subjects[key()] || []);
      const known = table.subjects.map((_, s) => s).filter((s) => (x[s] ?? null) !== null && (y[s] ?? null) !== null);
      return {
        heads: ["Subject", bench.rowName(up), bench.rowName(across), "Difference"],
        lines: known.map((s) => [place < 0 ? table.subjects[s] : opens(table.subjects[s], place, s), shown(y[s]), shown(x[s]), shown(y[s] - x[s])]),
      };
    },
    tests: (rows, pair, family) => {
      const name = (place) => bench.rowName(bench.table().rows[place]);
      const tests = family ? family.tests : [];
      return {
        heads: ["First", "Second", `Difference, ${family ? family.metric : ""}`, "95 %", "p (family)", "Better"],
        lines: tests.map((test) => [name(test.first), name(test.second), shown(test.difference), interval(test.low, test.high), shown(test.p), test.better === null ? "not told apart" : name(test.better)]),
      };
    },
    ranks: (rows, pair, family) => {
      const rankings = family ? family.rankings : [];
      return {
        heads: ["Method", ...rankings.map((ranking) => `Rank ${ranking.scheme}`)],
        lines: rankings.length ? family.rows.map((place, k) => [open(bench.table().rows[place], place), ...rankings.map((one) => `${one.ranks[k]}${one.low.length ? ` [${one.low[k]}, ${one.high[k]}]` : ""}`)]) : [],
      };
    },
    blobs: (rows, pair, family) => {
      const first = family ? family.rankings[0] : undefined;
      const ranking = first && first.frequencies.length ? first : undefined;
      return {
        heads: ["Method", ...(ranking ? ranking.frequencies[0].map((_, rank) => `Rank ${rank + 1}`) : [])],
        lines: ranking ? family.rows.map((place, k) => [open(bench.table().rows[place], place), ...ranking.frequencies[k].map((share) => `${(100 * share).toFixed(1)} %`)]) : [],
      };
    },
  };

  // a figure without a table of its own: what its points say when one points at them
  function ofTraces(traces) {
    const plain = (text) => String(text).replace(/<br>/g, "; ").replace(/&lt;/g, "<").replace(/&gt;/g, ">").replace(/&amp;/g, "&");
    const lines = traces.filter((trace) => Array.isArray(trace.text)).flatMap((trace) => trace.text.map((text, k) => {
      const [row, subject] = (trace.customdata || [])[k] || [];
      return [row === undefined || row === null ? plain(text) : opens(plain(text), row, subject)];
    }));
    return { heads: ["Points"], lines };
  }

  function cell(content_, first) {
    if (typeof content_ === "string") return bench.make(first ? "th" : "td", first ? { scope: "row" } : {}, content_);
    const button = bench.make("button", { type: "button", tabindex: -1 }, content_.text);
    button.addEventListener("click", () => (content_.subject === null || content_.subject === undefined ? bench.openRow(content_.row) : bench.openSubject(content_.row, content_.subject)));
    return bench.make(first ? "th" : "td", first ? { scope: "row" } : { class: "number" }, button);
  }

  // one stop of the Tab key a table; arrow keys go from button to button
  function steps(table) {
    const grid = [...table.tBodies[0].rows].map((line) => [...line.cells].map((one) => one.querySelector("button")));
    const flat = grid.flat().filter(Boolean);
    if (!flat.length) return;
    flat[0].tabIndex = 0;
    table.addEventListener("keydown", (event) => {
      const move = bench.own({ ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] }, event.key);
      let line = grid.findIndex((cells) => cells.includes(event.target));
      if (!move || line < 0) return;
      event.preventDefault();
      let column = grid[line].indexOf(event.target);
      do { line += move[0]; column += move[1]; } while (grid[line] && column >= 0 && column < grid[line].length && !grid[line][column]);
      const next = grid[line] && grid[line][column];
      if (!next) return;
      event.target.tabIndex = -1;
      next.tabIndex = 0;
      next.focus();
    });
  }

  /* The table of a figure: ``name``, its title, what it was drawn from and its traces. */
  bench.valuesTable = function (name, title, from, traces) {
    const maker = bench.own(makers, name);
    const further = bench.own(bench.further, name);
    const { heads, lines } = maker ? maker(...from) : further ? further.tells(from[0], open) : ofTraces(traces);
    const body = bench.make("tbody", {}, ...lines.map((line) => bench.make("tr", {}, ...line.map((one, k) => cell(one, k === 0)))));
    const buttons = body.querySelector("button") ? " A button opens what its point in the figure opens; arrow keys go from one to the next." : "";
    const table = bench.make("table", { class: "values" },
      bench.make("caption", {}, `${title}: ${bench.counted(lines.length, "line")}.${buttons}`),
      bench.make("thead", {}, bench.make("tr", {}, ...heads.map((head, k) => bench.make("th", { scope: "col", class: k ? "number" : "text" }, ...bench.whole(head))))), body);
    steps(table);
    return table;
  };
})();
