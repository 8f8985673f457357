// Figures of lesions found, of false-positive rates and across data sets; figures.js puts them among its own and draws them.
"use strict";
(function () {
  const { state, content } = bench;
  const [RANKING, BOUND] = [content.ranking_point, content.upper_bound];
  const RATES = Object.entries(content.rates); // of false-positive voxels, by the points that ask for them
  const SIGNS = [["triangle-up", "▲"], ["square", "■"], ["diamond", "◆"], ["triangle-down", "▼"]];
  const [LEAST, MOST] = [1 / 8, 16].map(Math.log10); // false-positive lesions per scan, as far as curves reach

  const names = (rows) => rows.map(({ row }) => bench.rowName(row)).join("; ");
  const span = (low, high) => (low === high ? String(low) : `${low} to ${high}`);
  const percent = (share) => (share === null || share === undefined ? "–" : `${bench.score(share)} %`);

  // the share of lesions found at no more than so many false positives
  const foundAt = ({ false_positives: paid, sensitivity }, most) => {
    const k = paid.findLastIndex((value) => value <= most);
    return k < 0 ? null : sensitivity[k];
  };

  const froc = {
    name: "froc", title: () => "Lesions found against false-positive lesions per scan",
    text: "FROC: over all thresholds, mean over seeds; lesions and detections are matched one to one, IoU above 0.1. Upright lines: the rates of the tables.",
    draw(rows) {
      const kit = bench.drawing;
      const known = rows.filter(({ row }) => row.froc);
      const without = rows.filter(({ row }) => !row.froc);
      const traces = known.map(({ row, index }) => ({
        x: row.froc.false_positives, y: row.froc.sensitivity, mode: "lines", type: "scatter", name: kit.label(row), hoverinfo: "text",
        customdata: row.froc.sensitivity.map(() => [index, null]),
        text: row.froc.sensitivity.map((value, k) => `${kit.label(row)}<br>${bench.number(value)} of the lesions at ${bench.number(row.froc.false_positives[k], 2)} false per scan`),
        line: { color: kit.color(row), dash: kit.dash(row), width: 2, shape: "hv" },
      }));
      const few = known.length <= (kit.narrow() ? 5 : kit.FEW); // steps lie on each other more often than smooth curves
      const across = (x) => LEAST + x * (MOST - LEAST); // from a share of the width to the axis
      const curves = known.map(({ row }) => ({ row, curve: row.froc }));
      const annotations = few ? kit.onCurves(curves, [kit.narrow() ? 280 : 430, 300], (curve, x) => foundAt(curve, 10 ** across(x))).map((one) => ({ ...one, x: across(one.x) })) : [];
      const counts = known.flatMap(({ row }) => row.froc.counts);
      const [lesions, ill, scans] = [0, 1, 2].map((k) => span(Math.min(...counts.map((one) => one[k])), Math.max(...counts.map((one) => one[k]))));
      const note = [known.length ? `n = ${bench.counted(lesions, "lesion")} of ${bench.counted(ill, "subject")}, in ${bench.counted(scans, "scan")}.` : "", without.length ? `No curve is recorded of ${names(without)}.` : ""];
      return {
        traces, note: note.filter(Boolean).join(" "), empty: "These records hold no FROC curves: older ones have none, nor do those without a lesion.",
        layout: {
          height: few ? 380 : 360 + 11 * known.length, annotations, showlegend: !few,
          xaxis: { title: "false-positive lesions per scan", type: "log", range: [LEAST, MOST], tickvals: content.froc_rates, ticktext: content.froc_rates.map(String), minor: { showgrid: false, ticks: "" } },
          yaxis: { title: "share of all lesions found", range: [0, 1.02] },
        },
      };
    },
    tells: (rows, open) => ({
      heads: ["Method", ...content.froc_rates.map((rate) => `Found at ${rate} false per scan, 95 %`)],
      lines: rows.filter(({ row }) => row.froc).map(({ row, index }) => [open(row, index), ...content.froc_rates.map((rate) => {
        const [value, low, high] = row.estimates[`froc_${rate}`] || [foundAt(row.froc, rate), null, null];
        return `${bench.number(value)}${low === null ? "" : ` [${bench.number(low)}, ${bench.number(high)}]`}`;
      })]),
    }),
  };

  const rates = {
    name: "rates", title: () => "False-positive rates, asked for and reached",
    text: `Share of lesion-free brain voxels of the test subjects above a threshold, mean over seeds. ${RATES.map(([name, rate], k) => `${SIGNS[k % SIGNS.length][1]} ${name}, whose threshold has ${100 * rate} % above it on validation subjects`).join("; ")}; dotted: those rates. ● ${RANKING}, ○ ${BOUND}, which never ranks.`,
    draw(rows) {
      const kit = bench.drawing;
      const known = rows.filter(({ row }) => [RANKING, ...RATES.map(([name]) => name)].some((name) => row.shares[name] !== undefined));
      const without = rows.filter((one) => !known.includes(one));
      const ink = known.map(({ row }) => kit.color(row));
      const points = (name, lift, symbol, size) => {
        const drawn = known.map(({ row, index }, k) => ({ row, index, k, share: row.shares[name] })).filter(({ share }) => share > 0);
        return {
          x: drawn.map(({ share }) => share), y: drawn.map(({ k }) => -k + lift), mode: "markers", type: "scatter", hoverinfo: "text", customdata: drawn.map(({ index }) => [index, null]),
          text: drawn.map(({ row, share }) => `${kit.label(row)}<br>${name}: ${percent(share)}${content.rates[name] === undefined ? "" : `, asked for ${100 * content.rates[name]} %`}`),
          marker: { symbol, size, color: drawn.map(({ k }) => ink[k]), line: { width: 2, color: drawn.map(({ k }) => ink[k]) } },
        };
      };
      const pairs = known.map(({ row }, k) => ({ x: [row.shares[RANKING], row.shares[BOUND]], y: [-k + 0.17, -k + 0.17], mode: "lines", type: "scatter", hoverinfo: "skip", line: { color: ink[k], width: 2 } }))
        .filter(({ x }) => x.every((share) => share > 0));
      const traces = [...pairs, ...RATES.map(([name], k) => points(name, -0.17, SIGNS[k % SIGNS.length][0], 8)), points(BOUND, 0.17, "circle-open", 10), points(RANKING, 0.17, "circle", 6)].filter(({ x }) => x.length);
      const shares = known.flatMap(({ row }) => Object.values(row.shares)).filter((share) => share > 0);
      const none = known.filter(({ row }) => Object.values(row.shares).includes(0));
      const note = [`Thresholds from n = ${bench.table().validation} validation subjects, measured on n = ${bench.table().subjects.length} test subjects.`,
        none.length ? `Not drawn, because it is 0: a share of ${names(none)}.` : "", without.length ? `No rates are recorded of ${names(without)}.` : ""];
      return {
        traces, note: note.filter(Boolean).join(" "),
        empty: bench.table().validation ? "These records hold no false-positive rates of their frozen thresholds." : "No threshold was frozen and no rate asked for: there are no validation subjects.",
        layout: {
          height: kit.tall(known, 34, 260), yaxis: kit.rowAxis(known),
          xaxis: shares.length ? kit.logAxis(kit.narrow() ? "share above, %" : "lesion-free brain voxels above, %", [...shares, ...RATES.map(([, rate]) => 100 * rate)]) : {},
          shapes: RATES.map(([, rate]) => ({ type: "line", x0: 100 * rate, x1: 100 * rate, yref: "paper", y0: 0, y1: 1, line: { color: bench.theme.color("--soft"), width: 1.5, dash: "dot" } })),
        },
      };
    },
    tells: (rows, open) => ({
      heads: ["Method", ...RATES.map(([name, rate]) => `Asked for ${100 * rate} % (${name}), reached`), `At ${RANKING}`, `At ${BOUND}`],
      lines: rows.filter(({ row }) => Object.keys(row.shares).length).map(({ row, index }) => [open(row, index), ...[...RATES.map(([name]) => name), RANKING, BOUND].map((name) => percent(row.shares[name]))]),
    }),
  };

  // of the methods that are shown: what was tested on several data sets, in the pipeline that is shown
  function crossed() {
    const found = content.crossed.find(({ view }) => view === bench.table().view) || { datasets: [], subjects: [], lines: [] };
    const wanted = state.method.toLowerCase();
    const lines = found.lines.filter(({ method }) => method.toLowerCase().includes(wanted));
    return { ...found, lines: lines.some(({ cells }) => cells.filter(Boolean).length > 1) ? lines : [] };
  }

  const transfer = {
    name: "transfer", wide: true, title: () => "Trained on one data set, tested on another",
    text: `Mean Dice@${RANKING} over the subjects with a lesion of each data set, in brackets 95 %; the fuller a cell, the higher. Without a remark each data set's own validation subjects froze the threshold. It is the same whatever data set is chosen above.`,
    draw() {
      const kit = bench.drawing;
      const { datasets, subjects, lines } = crossed();
      const [rows, columns] = [lines.map((_, k) => k), datasets.map((_, k) => k)];
      const parts = ({ method, trained_on: from, threshold_from: origin }) => [kit.safe(kit.cut(method, kit.narrow() ? 18 : 36)), from ? `trained on ${kit.safe(kit.cut(from, 18))}` : "", origin ? `threshold of ${kit.safe(kit.cut(origin, 18))}` : ""].filter(Boolean);
      const named = (line) => parts(line).join(kit.narrow() ? "<br>" : ", ");
      const words = ([value, low, high], whole) => `${bench.number(value)}${low === null || !whole ? "" : ` [${bench.number(low)}, ${bench.number(high)}]`}`;
      const z = lines.map(({ cells }) => cells.map((cell) => (cell ? cell[0] : null)));
      const ink = bench.theme.color("--c0");
      const counted = datasets.map((name, k) => `${name} n = ${subjects[k] === null ? "–" : subjects[k]}`);
      const carried = lines.some((line) => line.threshold_from);
      const whole = !kit.narrow() && columns.length < 6;
      return {
        traces: lines.length ? [{
          type: "heatmap", x: columns, y: rows, z, zmin: 0, zmax: Math.max(1e-9, ...z.flat().filter((value) => value !== null)), xgap: 2, ygap: 2, showscale: false, hoverongaps: false, hoverinfo: "text",
          hovertext: lines.map((line) => line.cells.map((cell, k) => (cell ? `${parts(line).join("<br>")}<br>tested on ${kit.safe(datasets[k])}: ${words(cell, true)}` : ""))),
          colorscale: [[0, `${ink}00`], [1, `${ink}80`]],
        }] : [],
        note: `Methods that were tested on several data sets: ${new Set(lines.map(({ method }) => method)).size}, on ${counted.join(", ")}.${carried ? " 'Threshold of' a data set: frozen on its validation subjects and carried over." : content.carried ? " No threshold could be carried over: that needs whole records of one training, with their histograms." : " Thresholds carried over are on pages made with --carry-thresholds."}`,
        empty: "None of these methods has a Dice at a frozen threshold on two data sets, so there is no transfer to show.",
        layout: {
          height: kit.tall(lines, kit.narrow() ? 20 + 16 * Math.max(1, ...lines.map((line) => parts(line).length - 1)) : 28, 200),
          xaxis: { title: "tested on", tickvals: columns, ticktext: datasets.map((name) => kit.safe(kit.cut(name, 20))), showgrid: false, zeroline: false, tickangle: kit.narrow() ? -90 : 0 },
          yaxis: { tickvals: rows, ticktext: lines.map(named), autorange: "reversed", showgrid: false, zeroline: false },
          annotations: lines.flatMap(({ cells }, y) => cells.map((cell, x) => ({ x, y, text: cell ? words(cell, whole) : "–", showarrow: false, font: { size: 11, color: bench.theme.color("--text") } }))),
        },
      };
    },
    tells() {
      const { datasets, lines } = crossed();
      return {
        heads: ["Method", "Trained on", "Threshold from", ...datasets],
        lines: lines.map((line) => [line.method, line.trained_on || "nothing", line.threshold_from || "each its own", ...line.cells.map((cell) => (cell ? `${bench.number(cell[0])}${cell[1] === null ? "" : ` [${bench.number(cell[1])}, ${bench.number(cell[2])}]`}` : "–"))]),
      };
    },
  };

  bench.further = { froc, rates, transfer };
})();
