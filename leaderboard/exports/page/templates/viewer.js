// Viewer: scan, map and lesion in three planes, for one row or two beside each other.
"use strict";
(function () {
  if (!bench.byId("views")) return;
  const { state, content } = bench;
  const LESION = "#56B4E9";
  const INFERNO = [[0, 0, 4], [31, 12, 72], [85, 15, 109], [136, 34, 106], [186, 54, 85], [227, 89, 51], [249, 140, 10], [249, 201, 50], [252, 255, 164]];
  // axes of the working grid: x to the left, y to the back, z to the top; what grows to the right and downwards
  const PLANES = [
    { name: "Axial", across: 0, down: 1, through: 2, flip: false, marks: ["R", "L", "A", "P"] },
    { name: "Coronal", across: 0, down: 2, through: 1, flip: true, marks: ["R", "L", "S", "I"] },
    { name: "Sagittal", across: 1, down: 2, through: 0, flip: true, marks: ["A", "P", "S", "I"] },
  ];

  const lut = Array.from({ length: 256 }, (_, k) => {
    const place = (k / 255) * (INFERNO.length - 1);
    const low = Math.min(INFERNO.length - 2, Math.floor(place));
    return INFERNO[low].map((value, c) => Math.round(value + (place - low) * (INFERNO[low + 1][c] - value)));
  });

  // --- packed previews ----------------------------------------------------------------------------------------
  const arrived = new Map();
  const waiting = new Map();
  window.andiBlob = (name, text) => { const call = waiting.get(name); if (call) call(text); };

  function packed(name) {
    const element = bench.byId(`blob-${name}`);
    if (element) return Promise.resolve(element.textContent);
    if (content.folder === null) return Promise.reject(new Error("this preview is not in the page"));
    return new Promise((resolve, reject) => {
      waiting.set(name, resolve);
      const script = bench.make("script", { src: `${content.folder}/${name}.js` });
      script.addEventListener("error", () => reject(new Error(`${content.folder}/${name}.js is not beside the page`)));
      document.head.append(script);
    });
  }

  async function unpack(name) {
    if (!("DecompressionStream" in window)) throw new Error("this browser is too old for the viewer");
    const raw = Uint8Array.from(atob(await packed(name)), (mark) => mark.charCodeAt(0));
    const stream = new Blob([raw]).stream().pipeThrough(new DecompressionStream("deflate"));
    return new Response(stream).arrayBuffer();
  }

  function bytes(name) {
    if (!arrived.has(name)) {
      if (arrived.size >= 24) arrived.delete(arrived.keys().next().value);
      arrived.set(name, unpack(name));
    }
    return arrived.get(name);
  }

  // --- one view -----------------------------------------------------------------------------------------------
  const cross = { place: null, listeners: [] }; // shared by the views, in voxels of the working grid

  class View {
    constructor(number) {
      this.number = number;
      this.data = null;
      const id = (name) => `view${number}-${name}`;
      this.head = bench.make("h3", {});
      this.planes = PLANES.map((plane) => {
        const canvas = bench.make("canvas", { tabindex: 0, role: "img", id: id(plane.name.toLowerCase()) });
        const slider = bench.make("input", { type: "range", min: 0, max: 0, step: 1, id: id(`slice-${plane.name.toLowerCase()}`) });
        const name = bench.make("span", {}, plane.name);
        slider.addEventListener("input", () => this.moveTo(plane.through, Number(slider.value)));
        canvas.addEventListener("keydown", (event) => this.key(event, plane));
        canvas.addEventListener("pointerdown", (event) => this.point(event, plane, canvas));
        canvas.addEventListener("pointermove", (event) => { if (event.buttons === 1 && event.pointerType === "mouse") this.point(event, plane, canvas); });
        return { ...plane, canvas, slider, label: name, box: bench.make("div", { class: "plane" }, canvas, bench.make("label", {}, name, slider)) };
      });
      this.slider = bench.make("input", { type: "range", min: -1, max: 0, step: 1, id: id("threshold") });
      this.sliderText = bench.make("span", {});
      this.slider.addEventListener("input", () => this.cut(Number(this.slider.value)));
      this.buttons = bench.make("div", { class: "points", role: "group", "aria-label": "Thresholds of the operating points" });
      this.mode = bench.make("select", { id: id("mode") });
      bench.fill(this.mode, [["above", "above the threshold"], ["all", "all scores"], ["none", "hidden"]], "above");
      this.mode.addEventListener("change", () => this.draw());
      this.opacity = bench.make("input", { type: "range", min: 0, max: 100, value: 65, id: id("opacity") });
      this.opacity.addEventListener("input", () => this.draw());
      this.lesion = bench.make("input", { type: "checkbox", checked: true, id: id("lesion") });
      this.found = bench.make("input", { type: "checkbox", checked: true, id: id("found") });
      for (const box of [this.lesion, this.found]) box.addEventListener("change", () => this.draw());
      const key = (shade) => { const line = bench.make("span", { class: "key" }); line.style.setProperty("--shade", shade); return line; };
      this.bar = bench.make("div", { class: "bar" });
      this.bar.style.background = `linear-gradient(90deg, ${INFERNO.map((rgb) => `rgb(${rgb.join()})`).join(", ")})`;
      this.barLow = bench.make("span", {});
      this.barHigh = bench.make("span", {});
      this.overall = bench.make("p", { class: "readout", id: id("overall"), role: "status" });
      this.here = bench.make("p", { class: "readout", id: id("here"), role: "status" });
      this.root = bench.make("div", { class: "view", id: `view${number}` }, this.head,
        bench.make("div", { class: "planes" }, ...this.planes.map((plane) => plane.box)),
        this.here,
        bench.make("div", { class: "tools" },
          bench.make("div", {}, bench.make("label", {}, "Threshold: ", this.sliderText, this.slider), this.buttons, this.overall),
          bench.make("div", {},
            bench.make("div", { class: "checks" },
              bench.make("label", {}, this.lesion, key(LESION), "lesion"),
              bench.make("label", {}, this.found, key("#ffffff"), "detection")),
            bench.make("label", {}, "Map ", this.mode),
            bench.make("label", {}, "Opacity of the map", this.opacity),
            bench.make("div", {}, this.bar, bench.make("div", { class: "scale" }, this.barLow, bench.make("span", {}, "score"), this.barHigh)))));
      this.root.hidden = true;
      bench.byId("views").append(this.root);
      cross.listeners.push(() => this.draw());
      new ResizeObserver(() => this.draw()).observe(this.root);
    }

    async show(row, subjectIndex) {
      const table = bench.table();
      const subject = table.subjects[subjectIndex];
      const found = row ? bench.previewOf(row, subject) : null;
      const ticket = (this.ticket = {});
      this.data = null;
      this.root.hidden = !found;
      if (!found) return;
      this.head.textContent = `${bench.rowName(row)}: ${subject}, seed ${found.run.seed}`;
      try {
        const [scan, map] = await Promise.all([bytes(found.scan), bytes(found.map.blob)]);
        if (this.ticket !== ticket) return; // another one was chosen meanwhile
        this.take(found, scan, map, row, subjectIndex);
      } catch (error) {
        if (this.ticket === ticket) { this.root.hidden = true; bench.byId("view-note").textContent = `Preview cannot be shown: ${error.message}`; }
      }
    }

    take(found, scan, map, row, subjectIndex) {
      const place = content.scans[found.scan];
      const voxels = place.shape[0] * place.shape[1] * place.shape[2];
      const edges = new Float32Array(map.slice(0, 4 * found.map.edges));
      const codes = new Uint8Array(map, 4 * found.map.edges, voxels);
      const mask = new Uint8Array(scan, voxels, voxels);
      const data = { ...place, gray: new Uint8Array(scan, 0, voxels), mask, edges, codes, low: found.map.low, high: found.map.high, row, subject: subjectIndex };
      const thresholds = row.thresholds[found.seed] || {};
      data.points = Object.entries(thresholds).map(([name, threshold]) => [name, threshold, this.placeOf(data, threshold)]);
      data.levels = Array.from({ length: edges.length + 1 }, (_, k) => (k === 0 ? data.low : k === edges.length ? (edges[k - 1] + data.high) / 2 : (edges[k - 1] + edges[k]) / 2));
      data.top = this.topOf(data);
      this.data = data;
      this.slider.min = -1;
      this.slider.max = edges.length - 1;
      this.buttons.replaceChildren(...data.points.map(([name, , k]) => {
        const button = bench.make("button", { type: "button", "data-point": name }, name);
        button.addEventListener("click", () => this.cut(k));
        return button;
      }));
      this.barLow.textContent = bench.score(data.low);
      this.barHigh.textContent = `≥ ${bench.score(data.top)}`;
      this.planes.forEach((plane) => { plane.slider.max = data.shape[plane.through] - 1; });
      if (!cross.place) cross.place = this.start();
      this.toPoint();
    }

    // the last edge at or below a threshold: score > threshold is code > place, exactly where they are equal
    placeOf(data, threshold) {
      const value = Math.fround(threshold);
      let k = -1;
      while (k + 1 < data.edges.length && data.edges[k + 1] <= value) k += 1;
      return k;
    }

    topOf(data) {
      const counts = new Float64Array(data.levels.length);
      let total = 0;
      for (let v = 0; v < data.codes.length; v += 1) if (data.mask[v] & 1) { counts[data.codes[v]] += 1; total += 1; }
      let above = 0;
      let k = counts.length - 1;
      while (k > 0 && (above += counts[k]) < 0.001 * total) k -= 1;
      const frozen = data.points.find(([name]) => name === content.ranking_point);
      return Math.max(data.levels[k], frozen && frozen[1] > 0 ? 1.25 * frozen[1] : data.low) || 1;
    }

    // where the lesion is largest, else where the scores are highest
    start() {
      const { shape, mask, codes } = this.data;
      const weights = shape.map((size) => new Float64Array(size));
      const lesion = mask.some((value) => value & 2);
      const [, ny, nz] = shape;
      const edge = this.data.edges.length * 0.8;
      for (let v = 0; v < mask.length; v += 1) {
        const counts = lesion ? mask[v] & 2 : codes[v] > edge;
        if (!counts) continue;
        weights[2][v % nz] += 1;
        weights[1][Math.floor(v / nz) % ny] += 1;
        weights[0][Math.floor(v / nz / ny)] += 1;
      }
      return weights.map((weight, axis) => {
        let best = Math.floor(shape[axis] / 2);
        weight.forEach((value, k) => { if (value > weight[best]) best = k; });
        return this.data.origin[axis] + best * this.data.step[axis];
      });
    }

    toPoint() {
      if (!this.data) return;
      const found = this.data.points.find(([name]) => name === state.point) || this.data.points.find(([name]) => name === content.ranking_point) || this.data.points[0];
      this.cut(found ? found[2] : Math.floor(this.data.edges.length * 0.9));
    }

    cut(k) {
      const data = this.data;
      data.cut = k;
      this.slider.value = k;
      const text = k < 0 ? "below all scores" : bench.score(data.edges[k]);
      const named = data.points.filter(([, , place]) => place === k).map(([name]) => name);
      this.sliderText.textContent = named.length ? `${text} (${named.join(", ")})` : text;
      this.slider.setAttribute("aria-valuetext", `score ${this.sliderText.textContent}`);
      [...this.buttons.children].forEach((button) => button.setAttribute("aria-pressed", String(named.includes(button.dataset.point))));
      let [hits, marked, lesion] = [0, 0, 0];
      for (let v = 0; v < data.codes.length; v += 1) {
        if (!(data.mask[v] & 1)) continue;
        const found = data.codes[v] > k;
        const truth = (data.mask[v] & 2) > 0;
        marked += found;
        lesion += truth;
        hits += found && truth;
      }
      const ml = (data.spacing[0] * data.spacing[1] * data.spacing[2]) / 1000;
      const dice = lesion === 0 ? null : (2 * hits) / (marked + lesion); // as everywhere: no lesion, no Dice
      const whole = data.step.every((step) => step === 1) && bench.table().grid === "working";
      this.overall.textContent = `Detected ${bench.number(marked * ml, 2)} ml, lesion ${bench.number(lesion * ml, 2)} ml, both ${bench.number(hits * ml, 2)} ml. `
        + `Dice at this threshold ${bench.number(dice)}${whole ? "" : " on the voxels shown"}.`;
      this.draw();
    }

    index(axis) {
      const { origin, step, shape } = this.data;
      return Math.min(shape[axis] - 1, Math.max(0, Math.round((cross.place[axis] - origin[axis]) / step[axis])));
    }

    moveTo(axis, index) {
      if (!this.data) return;
      const kept = Math.min(this.data.shape[axis] - 1, Math.max(0, index));
      cross.place[axis] = this.data.origin[axis] + kept * this.data.step[axis];
      cross.listeners.forEach((call) => call());
    }

    key(event, plane) {
      if (!this.data || event.altKey || event.ctrlKey || event.metaKey) return;
      const down = plane.flip ? -1 : 1;
      const moves = {
        ArrowLeft: [plane.across, -1], ArrowRight: [plane.across, 1], ArrowUp: [plane.down, -down], ArrowDown: [plane.down, down],
        PageUp: [plane.through, 1], PageDown: [plane.through, -1],
      };
      const move = Object.hasOwn(moves, event.key) ? moves[event.key] : null;
      if (!move) return;
      event.preventDefault();
      this.moveTo(move[0], this.index(move[0]) + move[1]);
    }

    point(event, plane, canvas) {
      if (!this.data) return;
      const box = canvas.getBoundingClientRect();
      const frame = this.frame(plane, box.width, box.height);
      const across = Math.floor((event.clientX - box.left - frame.left) / frame.dx);
      const line = Math.floor((event.clientY - box.top - frame.top) / frame.dy);
      const size = this.data.shape[plane.down];
      this.moveTo(plane.across, across);
      this.moveTo(plane.down, plane.flip ? size - 1 - line : line);
    }

    // all planes at one scale, in the middle of their canvas
    frame(plane, width, height) {
      const { shape, spacing } = this.data;
      const extent = (axis) => shape[axis] * spacing[axis];
      const scale = Math.min(width / this.widest(), height / this.highest());
      const [dx, dy] = [scale * spacing[plane.across], scale * spacing[plane.down]];
      return { dx, dy, left: (width - scale * extent(plane.across)) / 2, top: (height - scale * extent(plane.down)) / 2 };
    }

    widest() { return Math.max(this.data.shape[0] * this.data.spacing[0], this.data.shape[1] * this.data.spacing[1]); }
    highest() { return Math.max(this.data.shape[1] * this.data.spacing[1], this.data.shape[2] * this.data.spacing[2]); }

    draw() {
      if (!this.data || this.root.hidden || !cross.place) return;
      const at = [0, 1, 2].map((axis) => this.index(axis));
      this.planes.forEach((plane) => this.drawPlane(plane, at));
      const { shape, codes, mask, edges, origin, step } = this.data;
      const v = (at[0] * shape[1] + at[1]) * shape[2] + at[2];
      const code = codes[v];
      const low = code === 0 ? this.data.low : edges[code - 1];
      const high = code === edges.length ? this.data.high : edges[code];
      const where = at.map((value, axis) => origin[axis] + value * step[axis]).join(", ");
      this.here.textContent = mask[v] & 1
        ? `Voxel ${where}: score ${bench.score(low)}${low === high ? "" : ` to ${bench.score(high)}`}, ${code > this.data.cut ? "detected" : "not detected"}, ${mask[v] & 2 ? "lesion" : "no lesion"}.`
        : `Voxel ${where}: outside the brain.`;
    }

    drawPlane(plane, at) {
      const { shape, gray, mask, codes, levels, low, top, cut } = this.data;
      const canvas = plane.canvas;
      const ratio = window.devicePixelRatio || 1;
      const width = Math.max(60, canvas.clientWidth);
      const height = Math.round((width * this.highest()) / this.widest());
      canvas.style.height = `${height}px`;
      const [pixels, lines] = [Math.round(width * ratio), Math.round(height * ratio)];
      if (canvas.width !== pixels || canvas.height !== lines) { canvas.width = pixels; canvas.height = lines; }
      const [columns, rows] = [shape[plane.across], shape[plane.down]];
      const stride = [shape[1] * shape[2], shape[2], 1];
      const base = at[plane.through] * stride[plane.through];
      const voxel = (i, j) => base + i * stride[plane.across] + (plane.flip ? rows - 1 - j : j) * stride[plane.down];
      const image = new ImageData(columns, rows);
      const mode = this.mode.value;
      const opacity = Number(this.opacity.value) / 100;
      const range = top - low || 1;
      for (let j = 0; j < rows; j += 1) {
        for (let i = 0; i < columns; i += 1) {
          const v = voxel(i, j);
          const q = 4 * (j * columns + i);
          let [r, g, b] = [gray[v], gray[v], gray[v]];
          if (mode !== "none" && mask[v] & 1 && (mode === "all" || codes[v] > cut)) {
            const part = Math.min(1, Math.max(0, (levels[codes[v]] - low) / range));
            const shade = lut[Math.round(255 * part)];
            const alpha = mode === "all" ? opacity * (0.25 + 0.75 * part) : opacity;
            [r, g, b] = [r, g, b].map((value, c) => value + alpha * (shade[c] - value));
          }
          image.data[q] = r; image.data[q + 1] = g; image.data[q + 2] = b; image.data[q + 3] = 255;
        }
      }
      const small = new OffscreenCanvas(columns, rows);
      small.getContext("2d").putImageData(image, 0, 0);
      const pen = canvas.getContext("2d");
      const frame = this.frame(plane, pixels, lines);
      pen.imageSmoothingEnabled = false;
      pen.fillStyle = "#000";
      pen.fillRect(0, 0, pixels, lines);
      pen.drawImage(small, frame.left, frame.top, columns * frame.dx, rows * frame.dy);
      const outline = (test, shade, wide) => {
        const path = new Path2D();
        for (let j = 0; j <= rows; j += 1) {
          for (let i = 0; i <= columns; i += 1) {
            const here = i < columns && j < rows && test(voxel(i, j));
            const [x, y] = [frame.left + i * frame.dx, frame.top + j * frame.dy];
            if (j < rows && here !== (i > 0 && test(voxel(i - 1, j)))) { path.moveTo(x, y); path.lineTo(x, y + frame.dy); }
            if (i < columns && here !== (j > 0 && test(voxel(i, j - 1)))) { path.moveTo(x, y); path.lineTo(x + frame.dx, y); }
          }
        }
        pen.lineCap = "square";
        pen.strokeStyle = "rgba(0, 0, 0, 0.75)";
        pen.lineWidth = (wide + 2) * ratio;
        pen.stroke(path);
        pen.strokeStyle = shade;
        pen.lineWidth = wide * ratio;
        pen.stroke(path);
      };
      if (this.found.checked) outline((v) => (mask[v] & 1) > 0 && codes[v] > cut, "#ffffff", 1.6);
      if (this.lesion.checked) outline((v) => (mask[v] & 2) > 0, LESION, 2);
      const line = plane.flip ? rows - 1 - at[plane.down] : at[plane.down];
      const [x, y] = [frame.left + (at[plane.across] + 0.5) * frame.dx, frame.top + (line + 0.5) * frame.dy];
      pen.strokeStyle = "rgba(120, 255, 120, 0.75)";
      pen.lineWidth = ratio;
      const gap = 9 * ratio;
      pen.beginPath();
      for (const [a, b, c, d] of [[0, y, x - gap, y], [x + gap, y, pixels, y], [x, 0, x, y - gap], [x, y + gap, x, lines]]) { pen.moveTo(a, b); pen.lineTo(c, d); }
      pen.stroke();
      pen.fillStyle = "#fff";
      pen.font = `${12 * ratio}px system-ui, sans-serif`;
      const [left, right, up, down] = plane.marks;
      pen.textBaseline = "middle";
      pen.textAlign = "left"; pen.fillText(left, 5 * ratio, lines / 2);
      pen.textAlign = "right"; pen.fillText(right, pixels - 5 * ratio, lines / 2);
      pen.textAlign = "center"; pen.fillText(up, pixels / 2, 9 * ratio); pen.fillText(down, pixels / 2, lines - 9 * ratio);
      const index = at[plane.through];
      plane.slider.value = index;
      plane.label.textContent = `${plane.name}, slice ${index + 1} of ${shape[plane.through]}`;
      plane.canvas.setAttribute("aria-label", `${plane.name} plane, slice ${index + 1} of ${shape[plane.through]}. Arrow keys move the cross-hair, Page Up and Page Down change the slice.`);
    }
  }

  const views = [new View(0), new View(1)];
  const pick = (name) => bench.byId(`view-${name}`);
  bench.views = views;

  function shownSubjects(row) {
    return bench.table().subjects.map((name, index) => [name, index]).filter(([name]) => bench.previewOf(row, name));
  }

  function refresh(fresh) {
    const table = bench.table();
    const row = table.rows[state.row];
    bench.fill(pick("row"), table.rows.map((one, index) => [index, bench.rowName(one)]), state.row);
    const known = shownSubjects(row);
    let subject = state.subject;
    if (subject === null && known.length) subject = known[0][1];
    const options = known.map(([name, index]) => [index, `${name}: Dice@${content.ranking_point} ${bench.number((row.subjects[`dice@${content.ranking_point}`] || [])[index])}`]);
    if (subject !== null && !known.some(([, index]) => index === subject)) options.unshift([subject, `${table.subjects[subject]}: no preview`]);
    bench.fill(pick("subject"), options, subject);
    const others = table.every.map((one, index) => [index, one]).filter(([index, one]) => index !== row.of && subject !== null && bench.previewOf(one, table.subjects[subject]));
    if (!others.some(([index]) => String(index) === String(state.other))) state.other = "";
    bench.fill(pick("other"), [["", "nothing"], ...others.map(([index, one]) => [index, bench.rowName(one)])], state.other);
    const note = pick("note");
    note.textContent = "";
    if (!known.length) note.textContent = `No previews in the records of ${bench.rowName(row)}.`;
    else if (!known.some(([, index]) => index === subject)) note.textContent = `No preview of ${table.subjects[subject]} for ${bench.rowName(row)}: ${known.length} of ${table.subjects.length} subjects have one.`;
    else if (table.grid !== "working") note.textContent = "Previews are on the working grid; the table's figures and thresholds are those of each scan's own grid.";
    if (fresh) cross.place = null;
    views[0].show(subject === null ? null : row, subject);
    views[1].show(state.other === "" || subject === null ? null : table.every[Number(state.other)], subject);
  }

  pick("row").addEventListener("change", (event) => state.set({ row: Number(event.target.value) }));
  pick("subject").addEventListener("change", (event) => state.set({ subject: Number(event.target.value) }));
  pick("other").addEventListener("change", (event) => state.set({ other: event.target.value }));
  state.onChange((changed) => {
    if (changed.some((key) => ["table", "row", "subject", "other"].includes(key))) refresh(changed.includes("table") || changed.includes("subject"));
    else if (changed.includes("point")) views.forEach((view) => view.toPoint());
  });
})();
