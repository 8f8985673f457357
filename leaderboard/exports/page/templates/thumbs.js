// Thumbnails: of each method the best, median and worst subject, drawn when they come into view; each opens the viewer.
"use strict";
(function () {
  const place = bench.byId("thumbs");
  if (!place) return;
  const { state, content } = bench;
  const AT_ONCE = 6; // methods; those behind them open
  const HOW = { mode: "verdict", opacity: 0.65, window: "full", smooth: false, cross: false };

  // best, median and worst among the subjects with a lesion and a preview; ranks are among all with a lesion
  bench.thumbsOf = function (row) {
    const table = bench.table();
    const dice = row.subjects[`dice@${content.ranking_point}`] || [];
    const ranked = table.subjects.map((_, s) => s).filter((s) => table.lesion_ml[s] !== 0 && (dice[s] ?? null) !== null).sort((a, b) => dice[b] - dice[a] || a - b);
    const seen = ranked.map((s, rank) => ({ s, rank })).filter(({ s }) => bench.previewOf(row, table.subjects[s]));
    if (!seen.length) return [];
    const middle = (ranked.length - 1) / 2;
    const median = seen.reduce((best, one) => (Math.abs(one.rank - middle) < Math.abs(best.rank - middle) ? one : best));
    const found = [["best", seen[0]], ["median", median], ["worst", seen[seen.length - 1]]];
    return found.filter(([, one], k) => found.findIndex(([, other]) => other.s === one.s) === k)
      .map(([name, { s, rank }]) => ({ name, subject: s, rank: rank + 1, of: ranked.length, dice: dice[s] }));
  };

  const watcher = new IntersectionObserver((entries) => {
    for (const entry of entries) if (entry.isIntersecting) { watcher.unobserve(entry.target); entry.target.drawNow(); }
  }, { rootMargin: "1500px" });

  function thumb(row, index, one) {
    const subject = bench.table().subjects[one.subject];
    const canvas = bench.make("canvas", { "aria-hidden": "true" });
    const words = `${one.name} ${bench.number(one.dice)}`;
    const button = bench.make("button", { type: "button", class: "thumb", "aria-label": `${bench.rowName(row)}, Dice ${words}, ${subject}, ${one.rank} of ${one.of}: show in the viewer` },
      canvas, bench.make("span", {}, words), bench.make("small", { title: subject }, subject), bench.make("small", {}, `${one.rank} of ${one.of}`));
    button.addEventListener("click", () => bench.openSubject(index, one.subject));
    button.drawNow = async () => {
      try {
        const data = await bench.loadPreview(row, bench.previewOf(row, subject), "");
        bench.planes.draw(canvas, data, bench.planes.AXES[0], data.start, HOW);
        canvas.style.height = ""; // from now on as wide as its place
        button.classList.add("drawn");
      } catch (error) { button.append(bench.make("small", {}, `cannot be shown: ${error.message}`)); }
    };
    watcher.observe(button);
    return button;
  }

  function card({ row, index }) {
    const found = bench.thumbsOf(row);
    const inside = found.length ? bench.make("div", { class: "row" }, ...found.map((one) => thumb(row, index, one)))
      : bench.make("p", { class: "means" }, "No preview of a subject with a lesion was kept.");
    return bench.make("article", { class: "thumbs" }, bench.make("h3", {}, ...bench.whole(bench.rowName(row))), inside);
  }

  function refresh() {
    const rows = bench.shownRows();
    const cards = rows.map(card);
    const parts = [bench.make("div", { class: "gallery" }, ...cards.slice(0, AT_ONCE))];
    if (cards.length > AT_ONCE) parts.push(bench.make("details", {}, bench.make("summary", {}, cards.length === AT_ONCE + 1 ? "The other method" : `The other ${cards.length - AT_ONCE} methods`), bench.make("div", { class: "gallery" }, ...cards.slice(AT_ONCE))));
    place.replaceChildren(...(rows.length ? parts : [bench.make("p", {}, bench.nobody())]));
  }

  state.onChange((changed) => { if (changed.includes("table") || changed.includes("method")) refresh(); });
})();
