// Viewer: scan, map and lesion in three planes; one method, or two side by side, moved by one set of controls.
"use strict";
(function () {
  if (!bench.byId("views")) return;
  const { state, content } = bench;
  const { AXES, VERDICTS, WINDOWS, INFERNO, draw, frame, millimetres } = bench.planes;
  const STEPS = 120; // of the threshold's slider: from the whole brain to nothing
  const LOWEST = 1e-4;
  const MODES = [["verdict", "found, false alarm, missed"], ["above", "scores above the threshold"], ["all", "all scores"], ["none", "the scan alone"]];

  const pick = (name) => bench.byId(`view-${name}`);
  const look = { opacity: 0.65, lesion: true, found: true, cross: true };
  const how = () => ({ ...look, mode: state.colours, window: state.window, smooth: state.smooth });
  const chosen = { modality: "", seed: "", step: null }; // as far as they are there; step: null where an operating point is chosen
  let place = null; // the cross-hair, in voxels of the working grid: both views show it

  // --- one view -----------------------------------------------------------------------------------------------
  class View {
    constructor(number) {
      this.data = null;
      this.head = bench.make("h3", {});
      this.planes = AXES.map((plane) => {
        const name = plane.name.toLowerCase();
        const canvas = bench.make("canvas", { tabindex: 0, role: "img", id: `view${number}-${name}` });
        canvas.addEventListener("keydown", (event) => typed(event, plane, this));
        canvas.addEventListener("pointerdown", (event) => this.point(event, plane, canvas));
        canvas.addEventListener("pointermove", (event) => { if (event.buttons === 1 && event.pointerType === "mouse") this.point(event, plane, canvas); });
        return { ...plane, canvas, box: bench.make("div", { class: "plane" }, canvas) };
      });
      this.overall = bench.make("p", { class: "readout", id: `view${number}-overall`, role: "status" });
      this.here = bench.make("p", { class: "readout", id: `view${number}-here`, role: "status" });
      this.root = bench.make("div", { class: "view", id: `view${number}` }, this.head,
        bench.make("div", { class: "planes" }, ...this.planes.map((plane) => plane.box)), this.overall, this.here);
      this.root.hidden = true;
      bench.byId("views").append(this.root);
      new ResizeObserver(() => this.draw()).observe(this.root);
    }

    async show(row, subjectIndex) {
      const table = bench.table();
      const found = row ? bench.previewOf(row, table.subjects[subjectIndex], chosen.seed) : null;
      const ticket = (this.ticket = {});
      this.data = null;
      this.root.hidden = !found;
      if (!found) return;
      this.title = `${bench.rowName(row)}: ${table.subjects[subjectIndex]}, seed ${found.run.seed}`;
      // a preview may lack what is chosen in the menu, such as an expected image: what is shown instead has a name
      const [[first, named], ...others] = bench.modalitiesOf(found);
      const instead = chosen.modality === first || others.some(([one]) => one === chosen.modality) ? "" : `; ${named} is shown, ${chosen.modality} is not kept`;
      this.head.replaceChildren(...bench.whole(`${row.label} `), bench.make("small", {}, `${row.chain} `), bench.make("small", {}, `${table.subjects[subjectIndex]}, seed ${found.run.seed}${instead}`));
      try {
        const data = await bench.loadPreview(row, found, chosen.modality);
        if (this.ticket !== ticket) return; // another one was chosen meanwhile
        this.data = data;
        place = place || data.start.map((value, axis) => data.origin[axis] + value * data.step[axis]);
        ready();
      } catch (error) {
        if (this.ticket === ticket) { this.root.hidden = true; pick("note").textContent = `Preview cannot be shown: ${error.message}`; }
      }
    }

    cut() {
      const { data } = this;
      if (!data) return;
      data.cut = chosen.step === null ? bench.cutAt(data, state.point) : bench.cutOfShare(data, shareOf(chosen.step));
      const [marked, lesion, hits] = [data.above[data.cut + 1] || 0, data.hits[0], data.hits[data.cut + 1] || 0];
      const ml = (data.spacing[0] * data.spacing[1] * data.spacing[2]) / 1000;
      const dice = lesion === 0 ? null : (2 * hits) / (marked + lesion); // as everywhere: no lesion, no Dice
      const whole = data.step.every((step) => step === 1) && bench.table().grid === "working";
      const volumes = [["tp", hits], ["fp", marked - hits], ["fn", lesion - hits]].map(([name, count]) => `${VERDICTS[name][0]} ${bench.number(count * ml, 2)} ml`);
      const named = data.points.filter(([, , k]) => k === data.cut).map(([name]) => name);
      this.threshold = data.cut < 0 ? "below all scores" : bench.score(data.edges[data.cut]);
      this.overall.textContent = `Threshold ${this.threshold}${named.length ? ` (${named.join(", ")})` : ""}: detected ${bench.number(marked * ml, 2)} ml of ${bench.number(data.above[0] * ml, 0)} ml; `
        + `${volumes.join(", ")}. Dice at this threshold ${bench.number(dice)}${whole ? "" : " on the voxels shown"}.`;
    }

    index(axis) {
      const { origin, step, shape } = this.data;
      return Math.min(shape[axis] - 1, Math.max(0, Math.round((place[axis] - origin[axis]) / step[axis])));
    }

    point(event, plane, canvas) {
      if (!this.data) return;
      const box = canvas.getBoundingClientRect();
      const at = frame(this.data, plane, box.width, box.height);
      const size = this.data.shape[plane.down];
      const line = Math.floor((event.clientY - box.top - at.top) / at.dy);
      moveTo(plane.across, Math.floor((event.clientX - box.left - at.left) / at.dx), this);
      moveTo(plane.down, plane.flip ? size - 1 - line : line, this);
    }

    draw() {
      const { data } = this;
      if (!data || this.root.hidden || !place) return;
      const at = [0, 1, 2].map((axis) => this.index(axis));
      const { shape, codes, mask, edges, origin, step } = data;
      for (const plane of this.planes) {
        draw(plane.canvas, data, plane, at, how());
        plane.canvas.setAttribute("aria-label", `${this.title}: ${plane.name} plane, slice ${at[plane.through] + 1} of ${shape[plane.through]}. Arrow keys move the cross-hair, Page Up and Page Down change the slice.`);
      }
      const v = (at[0] * shape[1] + at[1]) * shape[2] + at[2];
      const code = codes[v];
      const low = code === 0 ? data.low : edges[code - 1];
      const high = code === edges.length ? data.high : edges[code];
      const voxel = at.map((value, axis) => origin[axis] + value * step[axis]).join(", ");
      const where = `${millimetres(data, at)} mm from the middle of the brain (voxel ${voxel})`;
      this.here.dataset.voxel = voxel;
      this.here.textContent = mask[v] & 1
        ? `${where}: score ${bench.score(low)}${low === high ? "" : ` to ${bench.score(high)}`}, ${code > data.cut ? "detected" : "not detected"}, ${mask[v] & 2 ? "lesion" : "no lesion"}.`
        : `${where}: outside the brain.`;
    }
  }

  const views = [new View(0), new View(1)];
  bench.views = views;
  const shown = () => views.filter((view) => view.data && !view.root.hidden);

  // --- the controls, once for both views ----------------------------------------------------------------------
  const slices = AXES.map((plane) => {
    const slider = bench.make("input", { type: "range", min: 0, max: 0, step: 1, id: `slice-${plane.name.toLowerCase()}` });
    const text = bench.make("span", {}, plane.name);
    slider.addEventListener("input", () => { if (shown().length) moveTo(plane.through, Number(slider.value), shown()[0]); });
    return { ...plane, slider, text, label: bench.make("label", {}, text, slider) };
  });
  const threshold = bench.make("input", { type: "range", min: 0, max: STEPS, step: 1, id: "view-threshold" });
  const thresholdText = bench.make("span", {});
  threshold.addEventListener("input", () => { chosen.step = Number(threshold.value); recut(); });
  const points = bench.make("div", { class: "points", role: "group", "aria-label": "Thresholds of the operating points, frozen" });
  const checkbox = (name, text, change) => {
    const box = bench.make("input", { type: "checkbox", id: `view-${name}`, checked: name in look });
    box.addEventListener("change", () => change(box.checked));
    return bench.make("label", {}, box, text);
  };
  const outlined = (name, text) => checkbox(name, text, (on) => { look[name] = on; redraw(); });
  const mode = bench.make("select", { id: "view-mode" });
  mode.addEventListener("change", () => state.set({ colours: mode.value }));
  const opacity = bench.make("input", { type: "range", min: 0, max: 100, value: 100 * look.opacity, id: "view-opacity" });
  opacity.addEventListener("input", () => { look.opacity = Number(opacity.value) / 100; redraw(); });
  const key = bench.make("p", { class: "keys", id: "view-key" });
  const outlines = bench.make("div", { class: "checks" }, outlined("lesion", "outline of the lesion (blue)"), outlined("found", "outline of the detection (white)"));

  const tools = bench.make("div", { class: "tools", id: "view-tools" },
    bench.make("div", {}, ...slices.map((one) => one.label)),
    bench.make("div", {}, bench.make("label", {}, "Threshold: ", thresholdText, threshold), points,
      bench.make("p", { class: "means" }, "Buttons: each method at its own frozen threshold. Slider: both cut so that the same share of the brain is detected.")),
    bench.make("div", {}, bench.make("label", {}, "Colours show ", mode), key, bench.make("label", {}, "Opacity of the colours", opacity), outlines,
      bench.make("div", { class: "checks" }, checkbox("smooth", "linear interpolation (display only)", (on) => state.set({ smooth: on })))));
  tools.hidden = true;
  bench.byId("views").after(tools);

  function keyLines() {
    const swatch = (colour, text) => { const one = bench.make("span", { class: "swatch" }); one.style.background = colour; return bench.make("span", {}, one, text); };
    if (state.colours === "verdict") return Object.values(VERDICTS).map(([text, rgb]) => swatch(`rgb(${rgb.join()})`, text));
    if (state.colours === "none" || !shown().length) return [];
    const bar = bench.make("span", { class: "bar" });
    bar.style.background = `linear-gradient(90deg, ${INFERNO.map((rgb) => `rgb(${rgb.join()})`).join(", ")})`;
    return [bar, ...shown().map(({ data }) => bench.make("span", {}, `${data.row.label}: ${bench.score(data.low)} to ≥ ${bench.score(data.top)}`))];
  }

  // the operating point that a view is cut at: the one chosen, where the map has it
  const pointOf = (data) => [state.point, content.ranking_point].find((point) => data.points.some(([name]) => name === point)) || "no frozen threshold";
  const shareOf = (step) => (step === 0 ? 1 : step === STEPS ? 0 : LOWEST ** (step / STEPS));

  // the cut and all that follows from it
  function recut() {
    const first = shown()[0];
    if (!first) return;
    shown().forEach((view) => view.cut());
    const share = (first.data.above[first.data.cut + 1] || 0) / (first.data.above[0] || 1);
    if (chosen.step === null) threshold.value = share <= 0 ? STEPS : Math.round((STEPS * Math.log(Math.max(share, LOWEST))) / Math.log(LOWEST));
    const said = chosen.step === null ? pointOf(first.data) : `${(100 * share).toPrecision(2)} % of the brain detected`;
    const one = new Set(shown().map(({ data }) => data.row.label)).size < shown().length;
    const scores = shown().map((view) => (shown().length > 1 ? `${one ? view.data.row.chain : view.data.row.label} ${view.threshold}` : `score ${view.threshold}`)).join(", ");
    thresholdText.textContent = `${said} (${scores})`;
    threshold.setAttribute("aria-valuetext", thresholdText.textContent);
    for (const button of points.children) {
      button.setAttribute("aria-pressed", String(chosen.step === null && button.dataset.point === pointOf(first.data)));
    }
    redraw();
  }

  function redraw() {
    key.replaceChildren(...keyLines());
    outlines.hidden = state.colours === "verdict";
    shown().forEach((view) => view.draw());
    const first = shown()[0];
    tools.hidden = !first;
    if (!first) return;
    for (const one of slices) {
      const [index, size] = [first.index(one.through), first.data.shape[one.through]];
      one.slider.max = size - 1;
      one.slider.value = index;
      one.text.textContent = `${one.name}, slice ${index + 1} of ${size}`;
    }
  }

  // a view has its data: what both share is made ready
  function ready() {
    const names = [...new Set(shown().flatMap(({ data }) => data.points.map(([name]) => name)))];
    points.replaceChildren(...names.map((name) => {
      const button = bench.make("button", { type: "button", "data-point": name }, name);
      button.addEventListener("click", () => { chosen.step = null; if (state.point === name) recut(); else state.set({ point: name }); });
      return button;
    }));
    recut();
  }

  function moveTo(axis, index, view) {
    if (!view.data) return;
    const kept = Math.min(view.data.shape[axis] - 1, Math.max(0, index));
    place[axis] = view.data.origin[axis] + kept * view.data.step[axis];
    redraw();
  }

  function keyMoves(plane) {
    const down = plane.flip ? -1 : 1;
    return {
      ArrowLeft: [plane.across, -1], ArrowRight: [plane.across, 1], ArrowUp: [plane.down, -down], ArrowDown: [plane.down, down],
      PageUp: [plane.through, 1], PageDown: [plane.through, -1],
    };
  }

  function typed(event, plane, view) {
    if (!view.data || event.altKey || event.ctrlKey || event.metaKey) return;
    const move = bench.own(keyMoves(plane), event.key);
    if (!move) return;
    event.preventDefault();
    moveTo(move[0], view.index(move[0]) + move[1], view);
  }

  // --- what is chosen -----------------------------------------------------------------------------------------
  function offerSubjects(row, subject) {
    const table = bench.table();
    const dice = row.subjects[`dice@${content.ranking_point}`] || [];
    const groups = [["with a preview", []], ["no preview kept", []]];
    table.subjects.forEach((name, index) => {
      const seen = bench.previewOf(row, name) !== null;
      const option = bench.make("option", { value: index }, seen ? `${name}: Dice ${bench.number(dice[index])}` : name);
      option.selected = index === subject;
      groups[seen ? 0 : 1][1].push(option);
    });
    pick("subject").replaceChildren(...groups.filter(([, options]) => options.length).map(([label, options]) => bench.make("optgroup", { label }, ...options)));
  }

  function offerImages(row, subject) {
    const name = bench.table().subjects[subject];
    const seeds = row.runs.map((run) => content.runs[run].seed).filter((seed) => (bench.previewOf(row, name, seed) || { run: {} }).run.seed === seed);
    chosen.seed = seeds.includes(state.seed) ? state.seed : seeds.length ? seeds[0] : "";
    bench.fill(pick("seed"), seeds.map((seed) => [seed, seed]), chosen.seed);
    bench.byId("label-seed").hidden = seeds.length < 2;
    const found = bench.previewOf(row, name, chosen.seed);
    const modalities = found ? bench.modalitiesOf(found) : [];
    chosen.modality = modalities.some(([one]) => one === state.modality) ? state.modality : modalities.length ? modalities[0][0] : "";
    bench.fill(pick("modality"), modalities, chosen.modality);
    pick("modality").disabled = modalities.length < 2;
      bench.fill(pick("window"), Object.entries(WINDOWS).map(([one, [text]]) => [one, text]), state.window);
    bench.fill(mode, MODES, state.colours);
    bench.byId("view-smooth").checked = state.smooth;
  }

  function refresh(fresh) {
    const table = bench.table();
    const row = table.rows[state.row];
    const names = table.subjects;
    const known = names.map((_, index) => index).filter((index) => bench.previewOf(row, names[index]));
    const subject = state.subject === null && known.length ? known[0] : state.subject;
    bench.fill(pick("row"), table.rows.map((one, index) => [index, bench.rowName(one)]), state.row);
    offerSubjects(row, subject);
    const others = table.every.map((one, index) => [index, one]).filter(([index, one]) => index !== row.of && subject !== null && bench.previewOf(one, names[subject]));
    if (!others.some(([index]) => String(index) === String(state.other))) state.other = "";
    bench.fill(pick("other"), [["", "nothing"], ...others.map(([index, one]) => [index, bench.rowName(one)])], state.other);
    offerImages(row, subject);
    const note = pick("note");
    note.textContent = "";
    if (!known.length) note.textContent = `No previews in the records of ${bench.rowName(row)}.`;
    else if (!known.includes(subject)) note.textContent = `No preview of ${names[subject]} was kept for ${bench.rowName(row)}: ${known.length} of ${names.length} subjects have one.`;
    else if (table.grid !== "working") note.textContent = "Previews are on the working grid; the table's figures and thresholds are those of each scan's own grid.";
    if (fresh) place = null;
    bench.byId("views").classList.toggle("two", state.other !== "");
    views[0].show(subject === null ? null : row, subject);
    views[1].show(state.other === "" || subject === null ? null : table.every[Number(state.other)], subject);
    redraw();
  }

  pick("window").addEventListener("change", (event) => state.set({ window: event.target.value }));
  pick("modality").addEventListener("change", (event) => state.set({ modality: event.target.value }));
  pick("seed").addEventListener("change", (event) => state.set({ seed: Number(event.target.value) }));
  pick("row").addEventListener("change", (event) => state.set({ row: Number(event.target.value) }));
  pick("subject").addEventListener("change", (event) => state.set({ subject: Number(event.target.value) }));
  pick("other").addEventListener("change", (event) => state.set({ other: event.target.value }));
  state.onChange((changed) => {
    if (changed.includes("point")) chosen.step = null;
    if (changed.some((name) => ["table", "row", "subject", "other", "modality", "seed", "window", "colours", "smooth"].includes(name))) refresh(changed.includes("table") || changed.includes("subject"));
    else if (changed.includes("point")) recut();
  });
})();
