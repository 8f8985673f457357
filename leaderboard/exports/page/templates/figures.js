// Figures: each is drawn when it comes into view, and again when a choice or the theme changes.
"use strict";
(function () {
  const { state } = bench;
  const [RANKING, BOUND] = [bench.content.ranking_point, bench.content.upper_bound];
  const SYMBOLS = ["circle", "square", "diamond", "triangle-up", "triangle-down", "cross", "x", "star", "hexagon", "pentagon", "bowtie", "hourglass"];
  const COLORS = 7;
  const DASHES = ["solid", "dash", "dot", "dashdot", "longdash", "longdashdot"];
  const FEW = 8; // curves that bear their names
  const CONFIG = { responsive: true, displaylogo: false, displayModeBar: false, showTips: false, plotlyServerURL: "" };

  // plotly reads markup in labels: what comes from a record is made plain
  const safe = (text) => String(text).replace(/&/g, "&amp;").replace(/</g, "&lt;").replace(/>/g, "&gt;");
  const cut = (text, length) => (text.length > length ? `${text.slice(0, length - 1)}…` : text);
  const narrow = () => window.innerWidth < 720;
  // the chain is what tells two rows of a method apart: it is never cut off
  const label = (row) => safe(`${cut(row.label, Math.max(8, (narrow() ? 22 : 36) - row.chain.length))}, ${cut(row.chain, 24)}`);

  const methodOf = (row) => bench.table().methods.indexOf(row.label);
  // colour and dash, and colour and mark, are a method's own: 42 of the one, 84 of the other
  bench.looksOf = (place) => ({ color: place % COLORS, dash: DASHES[Math.floor(place / COLORS) % DASHES.length], symbol: SYMBOLS[place % SYMBOLS.length] });
  const color = (row) => bench.theme.color(`--c${bench.looksOf(methodOf(row)).color}`);
  const isRaw = (row) => row.chain === bench.table().chains[0] && bench.table().chains.length > 1;
  const symbol = (row) => bench.looksOf(methodOf(row)).symbol + (isRaw(row) ? "-open" : "");
  const dash = (row) => bench.looksOf(methodOf(row)).dash;
  const dice = (row) => row.estimates[`dice@${state.point}`] || [null, null, null, null];

  function layout(changes) {
    const [text, line, soft] = ["--text", "--line", "--soft"].map(bench.theme.color);
    const axis = { gridcolor: line, zerolinecolor: line, linecolor: line, tickcolor: line, automargin: true, tickfont: { size: 11 }, title: { font: { size: 12 } } };
    const merged = {
      paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)", font: { color: text, size: 12, family: "system-ui, sans-serif" },
      margin: { l: 10, r: 14, t: 10, b: 42 }, hovermode: "closest", showlegend: false, dragmode: narrow() ? false : "zoom",
      hoverlabel: { bgcolor: bench.theme.color("--raised"), bordercolor: soft, font: { color: text, size: 12 }, align: "left" },
      legend: { orientation: "h", y: -0.2, yanchor: "top", x: 0, font: { size: 11 } },
      ...changes,
    };
    merged.xaxis = { ...axis, ...(changes.xaxis || {}) };
    merged.yaxis = { ...axis, ...(changes.yaxis || {}) };
    if (changes.xaxis2) merged.xaxis2 = { ...axis, ...changes.xaxis2 };
    for (const name of ["xaxis", "yaxis", "xaxis2"].filter((one) => merged[one])) {
      if (typeof merged[name].title === "string") merged[name].title = { text: merged[name].title, font: { size: 12 }, standoff: 8 };
    }
    return merged;
  }

  // rows as places on a vertical axis, best on top; numbers, for a name might read as a date
  function rowAxis(rows) {
    return { tickvals: rows.map((_, k) => -k), ticktext: rows.map(({ row }) => label(row)), range: [-rows.length + 0.4, 0.6], zeroline: false };
  }
  // a logarithmic axis whose marks are few and written out, whatever it spans
  function logAxis(title, values) {
    const known = values.filter((value) => value > 0);
    const [low, high] = [Math.log10(Math.min(...known)), Math.log10(Math.max(...known))];
    const marks = [];
    for (let power = Math.floor(low) - 1; power <= high + 1; power += 1) for (const part of high - low > 2.5 ? [1] : [1, 2, 5]) marks.push(Number(`${part}e${power}`));
    const pad = Math.max(0.06, 0.05 * (high - low));
    return { title, type: "log", range: [low - pad, high + pad], tickvals: marks, ticktext: marks.map((mark) => bench.score(mark)), minor: { showgrid: false, ticks: "" } };
  }
  const tall = (rows, each, least) => Math.max(least, 80 + each * rows.length);
  const lesionOf = (s) => { const ml = bench.table().lesion_ml[s]; return ml === null ? "" : ml === 0 ? "<br>no lesion" : `<br>lesion ${bench.number(ml, 2)} ml`; };
  // Names on the curves themselves, each where it is farthest from the others and from the names before it.
  function onCurves(curves, [wide, high], at = bench.precisionAt) {
    const placed = [];
    return curves.map(({ row, curve }, own) => {
      const text = cut(row.label, 18);
      const half = (4 * text.length) / wide;
      let best = null;
      for (let x = half + 0.02; x < 0.99 - half; x += 0.02) {
        const y = at(curve, x);
        if (y === null) continue;
        let free = 1;
        for (const near of [x - half, x, x + half]) {
          curves.forEach((other, k) => { const there = k === own ? null : at(other.curve, near); if (there !== null) free = Math.min(free, Math.abs(there - y)); });
        }
        for (const one of placed) if (Math.abs(one.x - x) < one.half + half) free = Math.min(free, Math.abs(one.y - y) - 15 / high);
        if (best === null || free > best.free) best = { x, y, half, free };
      }
      if (best === null) return null;
      placed.push(best);
      return { x: best.x, y: best.y, text: safe(text), showarrow: false, borderpad: 1, bgcolor: bench.theme.color("--ground"), font: { size: 11, color: color(row) } };
    }).filter(Boolean);
  }
  bench.drawing = { FEW, safe, cut, narrow, label, color, dash, rowAxis, logAxis, tall, onCurves };
  const LEAST_ML = 0.01; // less is drawn there: a logarithmic axis has no 0
  const jitter = (k) => (((k * 0.6180339887) % 1) - 0.5) * 0.5;

  const figures = [
    {
      name: "dice", title: () => `Mean Dice@${state.point}`, text: "Mean over subjects with its 95 % interval over subjects; small ticks: single seeds' spread (one SD). Rows in the order of their rank.",
      draw(rows) {
        const traces = rows.map(({ row, index }, k) => {
          const [value, low, high, sd] = dice(row);
          const text = `${label(row)}<br>${bench.number(value)}${low === null ? "" : ` [${bench.number(low)}, ${bench.number(high)}]`}${sd === null ? "" : `<br>SD over seeds ${bench.number(sd)}`}${row.reason ? `<br>no rank: ${safe(cut(row.reason, 80))}` : ""}`;
          return {
            x: [value], y: [-k], mode: "markers", type: "scatter", hoverinfo: "text", text: [text], customdata: [[index, null]],
            marker: { color: color(row), symbol: symbol(row), size: 10, line: { width: 2, color: color(row) } },
            error_x: value === null || low === null ? undefined : { type: "data", symmetric: false, array: [high - value], arrayminus: [value - low], color: color(row), thickness: 2, width: 5 },
          };
        });
        rows.forEach(({ row }, k) => {
          const [value, , , sd] = dice(row);
          if (value !== null && sd !== null) traces.push({ x: [value - sd, value + sd], y: [-k, -k], mode: "markers", type: "scatter", hoverinfo: "skip", marker: { symbol: "line-ns-open", size: 14, color: bench.theme.color("--text"), line: { width: 1.5 } } });
        });
        return { traces, layout: { height: tall(rows, 24, 240), xaxis: { title: `Dice@${state.point}`, rangemode: "tozero" }, yaxis: rowAxis(rows) } };
      },
    },
    {
      name: "gap", title: () => "What the frozen threshold costs", text: `From Dice@${RANKING} (filled, its 95 % interval pale) to the ${BOUND}'s (open): the threshold chosen on the test split itself, which never ranks. A long line: the validation split does not tell where to cut.`,
      draw(rows) {
        const known = rows.filter(({ row }) => row.estimates[`dice@${RANKING}`][0] !== null && row.estimates[`dice@${BOUND}`][0] !== null);
        const bands = known.filter(({ row }) => row.estimates[`dice@${RANKING}`][1] !== null).map((one) => {
          const place = -known.indexOf(one);
          return { x: one.row.estimates[`dice@${RANKING}`].slice(1, 3), y: [place, place], mode: "lines", type: "scatter", hoverinfo: "skip", line: { color: `${color(one.row)}48`, width: 9 } };
        });
        const traces = known.map(({ row }, k) => {
          const [frozen, best] = [row.estimates[`dice@${RANKING}`][0], row.estimates[`dice@${BOUND}`][0]];
          const text = `${label(row)}<br>${RANKING} ${bench.number(frozen)}, ${BOUND} ${bench.number(best)}, gap ${bench.number(best - frozen)}`;
          return { x: [frozen, best], y: [-k, -k], mode: "lines+markers", type: "scatter", hoverinfo: "text", text: [text, text], line: { color: color(row), width: 3 }, marker: { size: [7, 12], opacity: 1, symbol: ["circle", "circle-open"], color: color(row), line: { width: [0, 2], color: color(row) } } };
        });
        const most = Math.max(0, ...known.flatMap(({ row }) => [row.estimates[`dice@${RANKING}`][0], row.estimates[`dice@${RANKING}`][2], row.estimates[`dice@${BOUND}`][0]]));
        const n = bench.table().lesion_ml.filter((ml) => ml > 0).length;
        const note = `${n ? `Dice of n = ${bench.counted(n, "subject")} with a lesion; thresholds` : "Thresholds"} frozen on n = ${bench.counted(bench.table().validation, "validation subject")}.`;
        return { traces: [...bands, ...traces], note, empty: bench.table().validation ? "No run has both thresholds." : "No threshold was frozen: there are no validation subjects.", layout: { height: tall(known, 24, 240), xaxis: { title: "mean Dice", range: [0, 1.04 * most || 1] }, yaxis: rowAxis(known) } };
      },
    },
    bench.further.rates,
    {
      name: "strip", wide: true, title: () => `Dice@${state.point} of every subject`, text: "One point a subject, mean over seeds; the bar is the median. Subjects without a lesion have a column of their own: what is detected in them, on a logarithmic axis. Select a point to see that subject.",
      draw(rows) {
        const table = bench.table();
        const traces = rows.map(({ row, index }, k) => {
          const values = row.subjects[`dice@${state.point}`] || [];
          const known = values.map((value, s) => [value, s]).filter(([value]) => value !== null);
          return {
            x: known.map(([value]) => value), y: known.map(([, s]) => -k + jitter(s)), mode: "markers", type: "scatter", hoverinfo: "text",
            text: known.map(([value, s]) => `${safe(table.subjects[s])}: ${bench.number(value)}<br>${label(row)}${lesionOf(s)}`),
            customdata: known.map(([, s]) => [index, s]), marker: { color: color(row), symbol: symbol(row), size: known.length > 60 ? 5 : 8, opacity: known.length > 60 ? 0.6 : 0.9 },
          };
        });
        rows.forEach(({ row }, k) => {
          const sorted = (row.subjects[`dice@${state.point}`] || []).filter((value) => value !== null).sort((a, b) => a - b);
          if (!sorted.length) return;
          const median = (sorted[Math.floor((sorted.length - 1) / 2)] + sorted[Math.ceil((sorted.length - 1) / 2)]) / 2;
          traces.push({ x: [median, median], y: [-k - 0.36, -k + 0.36], mode: "lines", type: "scatter", hoverinfo: "skip", line: { color: bench.theme.color("--text"), width: 3 } });
        });
        const apart = rows.map(({ row, index }, k) => {
          const known = row.false_ml.map((value, s) => [value, s]).filter(([value]) => value !== null);
          return {
            x: known.map(([value]) => Math.max(value, LEAST_ML)), y: known.map(([, s]) => -k + jitter(s)), xaxis: "x2", mode: "markers", type: "scatter", hoverinfo: "text",
            text: known.map(([value, s]) => `${safe(table.subjects[s])}: ${bench.number(value, 2)} ml falsely detected<br>${label(row)}${lesionOf(s)}`),
            customdata: known.map(([, s]) => [index, s]), marker: { color: color(row), symbol: symbol(row), size: 7, opacity: 0.8 },
          };
        }).filter((trace) => trace.x.length);
        const powers = [0.01, 0.1, 1, 10, 100, 1000].map((mark) => (mark === LEAST_ML ? "≤ 0.01" : String(mark)));
        const column = apart.length ? { ...logAxis(narrow() ? "false ml" : "lesion-free: false ml", apart.flatMap((trace) => trace.x)), domain: [0.7, 1], tickvals: [0.01, 0.1, 1, 10, 100, 1000], ticktext: powers, tickangle: 0 } : undefined;
        return { traces: [...traces, ...apart], layout: { height: tall(rows, 34, 260), xaxis: { title: column && narrow() ? "Dice" : `Dice@${state.point}`, range: [-0.02, 1.02], domain: column ? [0, 0.64] : [0, 1] }, ...(column ? { xaxis2: column } : {}), yaxis: rowAxis(rows) } };
      },
    },
    {
      name: "recall", title: () => "Precision and recall", text: "Pooled over the brain voxels of all subjects, first seed. The thin grey line is the prevalence: what a map of chance gives.",
      draw(rows) {
        const traces = rows.filter(({ row }) => row.curve).map(({ row }) => ({
          x: row.curve.recall, y: row.curve.precision, mode: "lines", type: "scatter", name: label(row), hoverinfo: "text",
          text: row.curve.recall.map((recall, k) => `${label(row)}<br>recall ${bench.number(recall)}, precision ${bench.number(row.curve.precision[k])}`),
          line: { color: color(row), dash: dash(row), width: 2 },
        }));
        const chance = rows.map(({ row }) => row.estimates.prevalence[0]).find((value) => value !== null);
        if (traces.length && chance !== undefined) traces.push({ x: [0, 1], y: [chance, chance], mode: "lines", type: "scatter", name: "chance", hoverinfo: "skip", line: { color: bench.theme.color("--soft"), dash: "dash", width: 1.5 } });
        const curves = rows.filter(({ row }) => row.curve).map(({ row }) => ({ row, curve: row.curve }));
        const few = curves.length <= FEW;
        const annotations = few ? onCurves(curves, [narrow() ? 280 : 430, 300]) : [];
        return { traces, empty: "The records hold no histograms with a lesion voxel.", layout: { height: few ? 380 : 360 + 11 * rows.length, annotations, showlegend: !few, xaxis: { title: "recall", range: [0, 1.01] }, yaxis: { title: "precision", range: [0, 1.02] } } };
      },
    },
    bench.further.froc,
    {
      name: "size", title: () => `Dice@${state.point} by lesion volume`, text: "The chosen row in colour (the first, until one is chosen), the others in grey. A point a subject; line: local mean, band: 95 % over subjects (1.96 standard errors), neither where fewer than 5 are near. Select a point to see that subject, a grey line to see that row.",
      draw(rows) {
        const table = bench.table();
        const found = rows.map((one) => {
          const known = (one.row.subjects[`dice@${state.point}`] || []).map((value, s) => [value, s]).filter(([value, s]) => value !== null && table.lesion_ml[s] > 0);
          return { ...one, known, line: bench.smooth(known.map(([, s]) => Math.log10(table.lesion_ml[s])), known.map(([value]) => value)) };
        }).filter(({ known }) => known.length);
        const own = found.find(({ index }) => index === state.row) || found[0];
        const curve = ({ line }, y) => ({ x: line.x.map((value) => 10 ** value), y, mode: "lines", type: "scatter", hoverinfo: "skip" });
        const traces = found.filter((one) => one !== own).map((one) => ({
          ...curve(one, one.line.mean), hoverinfo: "text", text: one.line.x.map(() => label(one.row)), customdata: one.line.x.map(() => [one.index, null]), line: { color: bench.theme.color("--line"), width: 1.5 },
        }));
        if (own) {
          const { row, index, known, line } = own;
          traces.push({ ...curve(own, line.low), line: { width: 0 } }, { ...curve(own, line.high), line: { width: 0 }, fill: "tonexty", fillcolor: `${color(row)}38` });
          traces.push({ ...curve(own, line.mean), line: { color: color(row), width: 3 } });
          traces.push({
            x: known.map(([, s]) => table.lesion_ml[s]), y: known.map(([value]) => value), mode: "markers", type: "scatter", hoverinfo: "text",
            text: known.map(([value, s]) => `${safe(table.subjects[s])}: ${bench.number(value)}<br>${label(row)}<br>lesion ${bench.number(table.lesion_ml[s], 2)} ml`),
            customdata: known.map(([, s]) => [index, s]), marker: { color: color(row), symbol: symbol(row), size: known.length > 60 ? 5 : 8, opacity: 0.8 },
          });
        }
        return { traces, note: own ? `In colour: ${bench.rowName(own.row)}, n = ${own.known.length}.` : "", empty: "No lesion volumes are recorded.", layout: { height: 380, xaxis: logAxis("lesion volume, ml", found.flatMap(({ known }) => known.map(([, s]) => table.lesion_ml[s]))), yaxis: { title: `Dice@${state.point}`, range: [-0.02, 1.02] } } };
      },
    },
    {
      name: "filter", title: () => `Raw against filtered maps, Dice@${state.point}`, text: "The same maps before (open) and after (filled) the median filter. It lifts large lesions and can destroy small ones, so it is never hidden. Both are shown whatever is chosen above.",
      draw() {
        const table = bench.table();
        const wanted = state.method.toLowerCase();
        const pairs = table.methods.map((method) => table.chains.map((chain) => table.every.find((row) => row.label === method && row.chain === chain)))
          .filter((pair) => pair.length > 1 && pair.every((row) => row && dice(row)[0] !== null) && pair[0].label.toLowerCase().includes(wanted));
        const traces = pairs.map((pair, k) => {
          const text = pair.map((row) => `${safe(row.label)}<br>${safe(row.chain)}: ${bench.number(dice(row)[0])}`);
          const shade = color(pair[0]);
          return { x: pair.map((row) => dice(row)[0]), y: pair.map(() => -k), mode: "lines+markers", type: "scatter", hoverinfo: "text", text, line: { color: shade, width: 3 }, marker: { size: 10, symbol: pair.map((_, c) => (c === 0 ? "circle-open" : "circle")), color: shade, line: { width: 2, color: shade } } };
        });
        const axis = { tickvals: pairs.map((_, k) => -k), ticktext: pairs.map((pair) => safe(cut(pair[0].label, narrow() ? 20 : 34))), range: [-pairs.length + 0.4, 0.6], zeroline: false };
        return { traces, empty: "Only one kind of maps is recorded.", layout: { height: tall(pairs, 30, 240), xaxis: { title: `mean Dice@${state.point}`, rangemode: "tozero" }, yaxis: axis } };
      },
    },
    {
      name: "cost", title: () => "Cost against accuracy", text: "Seconds to score one volume, without reading and filtering, on a logarithmic axis. Only runs on the same device compare.",
      draw(rows) {
        const known = rows.filter(({ row }) => row.seconds > 0 && dice(row)[0] !== null);
        const names = known.map(({ row }) => cut(row.label, narrow() ? 14 : 22));
        const axis = logAxis("seconds a volume", known.map(({ row }) => row.seconds));
        const highest = Math.max(0.01, ...known.map(({ row }) => dice(row)[0])) * 1.12;
        const [wide, high] = narrow() ? [270, 270] : [430, 270];
        const places = known.map(({ row }) => [((Math.log10(row.seconds) - axis.range[0]) / (axis.range[1] - axis.range[0])) * wide, (1 - dice(row)[0] / highest) * high]);
        const sides = bench.sidesOf(places, names, [wide, high]);
        const traces = known.map(({ row, index }, k) => ({
          x: [row.seconds], y: [dice(row)[0]], mode: "markers+text", type: "scatter", hoverinfo: "text", customdata: [[index, null]],
          text: [` ${safe(names[k])} `], textposition: sides[k], textfont: { size: 11, color: color(row) }, cliponaxis: false,
          hovertext: [`${label(row)}<br>${bench.score(row.seconds)} s a volume, Dice ${bench.number(dice(row)[0])}`],
          marker: { color: color(row), symbol: symbol(row), size: 12, line: { width: 2, color: color(row) } },
        }));
        return { traces, empty: "No times are recorded.", layout: { height: 340, xaxis: axis, yaxis: { title: `mean Dice@${state.point}`, range: [0, highest] } } };
      },
    },
    {
      name: "pair", title: () => "Two rows, subject by subject", text: "Above the diagonal the vertical one is better. Select a point to see that subject of the vertical one.", pair: true,
      draw(rows, pair) {
        const table = bench.table();
        const [across, up] = pair.map((index) => table.every[index]);
        const shown = table.rows.findIndex((row) => row.of === pair[1]);
        const key = `dice@${state.point}`;
        const [x, y] = [across.subjects[key] || [], up.subjects[key] || []];
        const known = table.subjects.map((_, s) => s).filter((s) => (x[s] ?? null) !== null && (y[s] ?? null) !== null);
        const better = known.filter((s) => y[s] > x[s]).length;
        const worse = known.filter((s) => y[s] < x[s]).length;
        const traces = [
          { x: [0, 1], y: [0, 1], mode: "lines", type: "scatter", hoverinfo: "skip", line: { color: bench.theme.color("--soft"), dash: "dash", width: 1.5 } },
          {
            x: known.map((s) => x[s]), y: known.map((s) => y[s]), mode: "markers", type: "scatter", hoverinfo: "text",
            text: known.map((s) => `${safe(table.subjects[s])}<br>${label(up)}: ${bench.number(y[s])}<br>${label(across)}: ${bench.number(x[s])}`),
            customdata: known.map((s) => [shown < 0 ? null : shown, s]), marker: { color: color(up), size: known.length > 60 ? 6 : 9, opacity: 0.8 },
          },
        ];
        return {
          traces: known.length ? traces : [], empty: "No subject has both.", note: `${better} of ${known.length} subjects above the diagonal, ${worse} below, ${known.length - better - worse} on it.`,
          layout: { height: 400, xaxis: { title: label(across), range: [-0.03, 1.03] }, yaxis: { title: label(up), range: [-0.03, 1.03] } },
        };
      },
    },
    {
      name: "tests", title: () => "Which differences are significant",
      text: "A cell compares its row with its column: ▲ better, ▼ worse, significant at 5 % within the family (mean differences, sign flips); the number is the p of the family. No mark is no proof that two methods are equal.",
      draw(rows, pair, family) {
        if (!family || !family.tests.length) return { traces: [], empty: "No tests: they need two ranked rows and two subjects." };
        const table = bench.table();
        const size = family.rows.length;
        const z = Array.from({ length: size }, () => Array(size).fill(null));
        const words = Array.from({ length: size }, () => Array(size).fill(""));
        const hover = Array.from({ length: size }, () => Array(size).fill(""));
        const shortP = (p) => (p < 0.001 ? "<.001" : p > 0.9995 ? "1" : p.toFixed(3).replace(/^0/, ""));
        for (const test of family.tests) {
          const [i, j] = [family.rows.indexOf(test.first), family.rows.indexOf(test.second)];
          for (const [a, b, own, sign] of [[i, j, test.first, 1], [j, i, test.second, -1]]) {
            z[a][b] = test.better === null ? 0 : test.better === own ? 1 : -1;
            words[a][b] = `${["▼ ", "", "▲ "][z[a][b] + 1]}${shortP(test.p)}`;
            const limits = test.low === null ? null : [sign * test.low, sign * test.high].sort((x, y) => x - y);
            const between = limits === null ? "" : ` [${bench.number(limits[0])}, ${bench.number(limits[1])}]`;
            hover[a][b] = `${label(table.rows[own])}<br>less ${label(table.rows[own === test.first ? test.second : test.first])}<br>${safe(family.metric)} ${sign * test.difference > 0 ? "+" : ""}${bench.number(sign * test.difference)}${between}<br>p (family) ${shortP(test.p)}`;
          }
        }
        const places = family.rows.map((_, k) => k);
        const names = family.rows.map((row) => label(table.rows[row]));
        const ground = bench.theme.color("--raised");
        const [worse, better] = [bench.theme.color("--c1"), bench.theme.color("--c0")];
        const many = size > 9 || narrow();
        return {
          note: family.warnings.join(" "),
          traces: [{
            type: "heatmap", x: places, y: places, z, zmin: -1, zmax: 1, hovertext: hover, hoverinfo: "text", xgap: 2, ygap: 2, showscale: false, hoverongaps: false,
            colorscale: [[0, worse], [0.33, worse], [0.34, ground], [0.66, ground], [0.67, better], [1, better]],
          }],
          layout: {
            height: Math.max(280, 130 + (narrow() ? 34 : 40) * size),
            xaxis: { tickvals: places, ticktext: places.map((k) => String(k + 1)), side: "top", showgrid: false, zeroline: false },
            yaxis: { tickvals: places, ticktext: names.map((name, k) => `${name}  ${k + 1}`), autorange: "reversed", showgrid: false, zeroline: false },
            annotations: places.flatMap((a) => places.filter((b) => words[a][b]).map((b) => ({
              x: b, y: a, text: many ? words[a][b].slice(0, 1).replace(/[^▲▼]/, "·") : words[a][b], showarrow: false,
              font: { size: 11, color: z[a][b] === 0 ? bench.theme.color("--text") : bench.theme.color("--ground") },
            }))),
          },
        };
      },
    },
    {
      name: "ranks", title: () => "How stable the ranks are",
      text: "Each mark is a rank. Circle: by the mean over subjects, which ranks, with the interval that holds 95 % of the ranks when subjects and seeds are resampled (no test, and none where subjects are too few); where further schemes were asked for, square: by the mean of ranks within subjects; diamond: by tests won.",
      draw(rows, pair, family) {
        if (!family || !family.rankings.length) return { traces: [], empty: "No rankings: they need two ranked rows and two subjects." };
        const table = bench.table();
        const order = family.rows.map((_, k) => k).sort((a, b) => family.rankings[0].ranks[a] - family.rankings[0].ranks[b]);
        const looks = [["circle", "--c0", 0.22], ["square", "--c1", 0], ["diamond", "--c2", -0.22]];
        const traces = family.rankings.map((ranking, s) => ({
          x: order.map((k) => ranking.ranks[k]), y: order.map((_, place) => -place + looks[s % 3][2]), mode: "markers", type: "scatter", name: safe(ranking.scheme), hoverinfo: "text",
          text: order.map((k) => `${label(table.rows[family.rows[k]])}<br>${safe(ranking.scheme)}: rank ${ranking.ranks[k]}${ranking.low.length ? ` [${ranking.low[k]}, ${ranking.high[k]}]` : ""}`),
          marker: { symbol: looks[s % 3][0], size: 9, color: bench.theme.color(looks[s % 3][1]) },
          error_x: { type: "data", symmetric: false, array: order.map((k) => (ranking.low.length ? ranking.high[k] - ranking.ranks[k] : 0)), arrayminus: order.map((k) => (ranking.low.length ? ranking.ranks[k] - ranking.low[k] : 0)), color: bench.theme.color(looks[s % 3][1]), thickness: 2, width: 4 },
        }));
        const shown = order.map((k) => ({ row: table.rows[family.rows[k]] }));
        return { traces, layout: { height: tall(shown, 40, 280) + 40, showlegend: true, legend: { orientation: "h", y: 1, yanchor: "bottom", x: 0, font: { size: 11 } }, xaxis: { title: "rank", dtick: 1, range: [0.5, family.rows.length + 0.5] }, yaxis: rowAxis(shown) } };
      },
    },
    {
      name: "blobs", title: () => "How often each rank",
      text: "Share of 1,000 resamples of subjects and seeds in which a method had each rank, by the mean over subjects; the area of a mark is its share, the ring is the rank itself. This is no test: of a method with one seed it covers other subjects, not other trainings. Which methods differ is tested, and told by the letters of the groups.",
      draw(rows, pair, family) {
        if (!family || !family.rankings.length) return { traces: [], empty: "No rankings: they need two ranked rows and two subjects." };
        if (!family.rankings[0].frequencies.length) return { traces: [], empty: "Too few subjects with a lesion: their resamples would say nothing of other subjects." };
        const table = bench.table();
        const ranking = family.rankings[0];
        const order = family.rows.map((_, k) => k).sort((a, b) => ranking.ranks[a] - ranking.ranks[b]);
        const shown = order.map((k) => ({ row: table.rows[family.rows[k]] }));
        const traces = order.map((k, place) => {
          const row = table.rows[family.rows[k]];
          const known = ranking.frequencies[k].map((share, rank) => [share, rank + 1]).filter(([share]) => share > 0);
          return {
            x: known.map(([, rank]) => rank), y: known.map(() => -place), mode: "markers", type: "scatter", hoverinfo: "text",
            text: known.map(([share, rank]) => `${label(row)}<br>rank ${rank}: ${(100 * share).toFixed(1)} %`),
            marker: { size: known.map(([share]) => Math.max(3, 30 * Math.sqrt(share))), color: color(row), opacity: 0.85, line: { width: 0 } },
          };
        });
        traces.push({ x: order.map((k) => ranking.ranks[k]), y: order.map((_, place) => -place), mode: "markers", type: "scatter", hoverinfo: "skip", marker: { symbol: "circle-open", size: 34, color: bench.theme.color("--text"), line: { width: 1.5 } } });
        return { traces, layout: { height: tall(shown, 40, 280), xaxis: { title: "rank", dtick: 1, range: [0.3, family.rows.length + 0.7] }, yaxis: rowAxis(shown) } };
      },
    },
    bench.further.transfer,
  ];

  const PAPER = 680; // pixels of an A4 page between its margins
  let paper = null;
  const stale = new Set();
  const visible = new Set();

  function build(figure) {
    figure.head = bench.make("h3", { id: `figure-${figure.name}-head` }, "");
    figure.note = bench.make("p", {}, figure.text);
    figure.more = bench.make("p", { role: "status" });
    figure.place = bench.make("div", { class: "plot", id: `plot-${figure.name}`, role: "img", "aria-labelledby": `figure-${figure.name}-head` });
    figure.card = bench.make("article", { class: figure.wide ? "card wide" : "card", "data-figure": figure.name }, figure.head, figure.note);
    if (figure.pair) {
      figure.picks = ["across", "up"].map((name) => {
        const select = bench.make("select", { id: `pair-${name}` });
        select.addEventListener("change", () => redraw(figure));
        return select;
      });
      figure.card.append(bench.make("div", { class: "pair" }, ...figure.picks.map((select, k) => bench.make("label", {}, k ? "vertical" : "horizontal", select))));
    }
    figure.save = bench.make("button", { type: "button", class: "quiet", hidden: "" }, "Save as PNG");
    figure.save.addEventListener("click", () => Plotly.downloadImage(figure.place, { format: "png", scale: 2, filename: `${bench.table().dataset}-${figure.name}` }));
    figure.values = bench.make("details", { class: "values" }, bench.make("summary", {}, "Values as a table"));
    figure.values.addEventListener("toggle", () => tell(figure));
    figure.card.append(figure.more, figure.place, figure.save, figure.values);
    bench.byId("cards").append(figure.card);
    watcher.observe(figure.card);
  }

  // the two best rows; the others, and the other pipeline of each, can be chosen
  function offerPairs(figure) {
    const table = bench.table();
    const options = table.every.map((row, index) => [index, bench.rowName(row)]);
    const best = table.rows.map((row) => row.of);
    bench.fill(figure.picks[0], options, best.length > 1 ? best[1] : Math.min(1, options.length - 1));
    bench.fill(figure.picks[1], options, best[0]);
  }

  // the table below a figure, made when it is opened
  function tell(figure) {
    const [summary] = figure.values.children;
    if (figure.values.open && stale.has(figure)) return redraw(figure); // which comes back here
    figure.values.hidden = figure.drawn === null;
    if (!figure.values.open || !figure.drawn) return figure.values.replaceChildren(summary);
    const table = bench.valuesTable(figure.name, figure.title(), figure.drawn.from, figure.drawn.traces);
    return figure.values.replaceChildren(summary, bench.make("div", { class: "scroll tall", tabindex: 0, role: "region", "aria-label": `Values of ${figure.title()}, scrolls` }, table));
  }

  function redraw(figure) {
    stale.delete(figure);
    figure.head.textContent = figure.title();
    const rows = bench.shownRows();
    const from = [rows, figure.pair ? figure.picks.map((select) => Number(select.value)) : null, bench.table().statistics.family];
    const { traces, layout: wanted, empty, note } = figure.draw(...from);
    figure.drawn = traces.length ? { from, traces } : null;
    tell(figure);
    figure.more.replaceChildren(...bench.whole(traces.length ? note || "" : bench.shownRows().length ? empty || "Nothing to show." : bench.nobody()));
    figure.more.hidden = !figure.more.textContent;
    figure.place.hidden = traces.length === 0;
    figure.save.hidden = traces.length === 0;
    if (!traces.length) return;
    const made = Plotly.react(figure.place, traces, layout(paper ? { ...wanted, width: paper, autosize: false } : { width: undefined, autosize: true, ...wanted }), CONFIG);
    if (!figure.bound) {
      figure.bound = true;
      Promise.resolve(made).then(() => figure.place.on("plotly_click", (event) => {
        const [row, subject] = event.points[0].customdata || [];
        if (row === undefined || row === null) return;
        if (subject === null) bench.openRow(row);
        else bench.openSubject(row, subject);
      }));
    }
  }

  const watcher = new IntersectionObserver((entries) => {
    for (const entry of entries) {
      const figure = figures.find((one) => one.card === entry.target);
      if (entry.isIntersecting) {
        visible.add(figure);
        if (stale.has(figure)) redraw(figure);
      } else visible.delete(figure);
    }
  }, { rootMargin: "300px" });

  function refresh(some = figures) {
    for (const figure of some) {
      stale.add(figure);
      figure.head.textContent = figure.title(); // a figure has its name before it is drawn
      if (visible.has(figure)) redraw(figure);
    }
  }

  figures.forEach(build);
  state.onChange((changed) => {
    if (changed.includes("table")) figures.filter((figure) => figure.pair).forEach(offerPairs);
    if (changed.some((key) => ["table", "point", "method"].includes(key))) refresh();
    else if (changed.includes("row")) refresh(figures.filter((figure) => figure.name === "size"));
  });
  bench.theme.onChange(() => refresh());
  window.matchMedia("(max-width: 720px)").addEventListener("change", () => refresh());
  bench.drawAll = () => figures.forEach(redraw);

  // on paper all figures stand, in dark ink and as wide as the paper
  window.addEventListener("beforeprint", () => { paper = PAPER; bench.theme.print(true); bench.drawAll(); });
  window.addEventListener("afterprint", () => { paper = null; bench.theme.print(false); refresh(); });
})();
