// Planes: one slice of a preview on a canvas, with what was found, missed and wrongly marked, or with the scores.
"use strict";
(function () {
  const INFERNO = [[0, 0, 4], [31, 12, 72], [85, 15, 109], [136, 34, 106], [186, 54, 85], [227, 89, 51], [249, 140, 10], [249, 201, 50], [252, 255, 164]];
  const lut = Array.from({ length: 256 }, (_, k) => {
    const place = (k / 255) * (INFERNO.length - 1);
    const low = Math.min(INFERNO.length - 2, Math.floor(place));
    return INFERNO[low].map((value, c) => Math.round(value + (place - low) * (INFERNO[low + 1][c] - value)));
  });

  // told apart with every common kind of colour vision, and from each other by lightness
  const VERDICTS = { tp: ["found (TP)", [0, 190, 130]], fp: ["false alarm (FP)", [240, 120, 30]], fn: ["missed (FN)", [86, 180, 255]] };

  // axes of the working grid: x to the left, y to the back, z to the top; what grows to the right and downwards
  const AXES = [
    { name: "Axial", across: 0, down: 1, through: 2, flip: false, marks: ["R", "L", "A", "P"] },
    { name: "Coronal", across: 0, down: 2, through: 1, flip: true, marks: ["R", "L", "S", "I"] },
    { name: "Sagittal", across: 1, down: 2, through: 0, flip: true, marks: ["A", "P", "S", "I"] },
  ];
  const SIDES = [["R", "L"], ["A", "P"], ["I", "S"]]; // below and above the middle, along x, y, z

  // levels of gray, in percent of the highest: what is shown black, and what white
  const WINDOWS = { full: ["whole range", 0, 100], middle: ["middle, 20 to 80 %", 20, 80], bright: ["bright, 50 to 100 %", 50, 100], dark: ["dark, 0 to 50 %", 0, 50] };

  // all planes of a scan at one scale, in the middle of their canvas
  const extent = (data, axis) => data.shape[axis] * data.spacing[axis];
  const widest = (data) => Math.max(extent(data, 0), extent(data, 1));
  const highest = (data) => Math.max(extent(data, 1), extent(data, 2));
  function frame(data, plane, width, height) {
    const scale = Math.min(width / widest(data), height / highest(data));
    return {
      dx: scale * data.spacing[plane.across], dy: scale * data.spacing[plane.down],
      left: (width - scale * extent(data, plane.across)) / 2, top: (height - scale * extent(data, plane.down)) / 2,
    };
  }

  function shade(data, v, how) {
    if (!(data.mask[v] & 1)) return null; // nothing is counted outside the brain
    const found = data.codes[v] > data.cut;
    if (how.mode === "verdict") {
      const lesion = (data.mask[v] & 2) > 0;
      if (!found && !lesion) return null;
      return [...VERDICTS[found ? (lesion ? "tp" : "fp") : "fn"][1], how.opacity];
    }
    if (how.mode === "none" || (how.mode === "above" && !found)) return null;
    const part = Math.min(1, Math.max(0, (data.levels[data.codes[v]] - data.low) / (data.top - data.low || 1)));
    return [...lut[Math.round(255 * part)], how.mode === "all" ? how.opacity * (0.25 + 0.75 * part) : how.opacity];
  }

  function outlines(pen, data, plane, box, voxel, [columns, rows], how, ratio) {
    const outline = (test, colour, wide) => {
      const path = new Path2D();
      for (let j = 0; j <= rows; j += 1) {
        for (let i = 0; i <= columns; i += 1) {
          const here = i < columns && j < rows && test(voxel(i, j));
          const [x, y] = [box.left + i * box.dx, box.top + j * box.dy];
          if (j < rows && here !== (i > 0 && test(voxel(i - 1, j)))) { path.moveTo(x, y); path.lineTo(x, y + box.dy); }
          if (i < columns && here !== (j > 0 && test(voxel(i, j - 1)))) { path.moveTo(x, y); path.lineTo(x + box.dx, y); }
        }
      }
      pen.lineCap = "square";
      for (const [style, width] of [["rgba(0, 0, 0, 0.75)", wide + 2], [colour, wide]]) {
        pen.strokeStyle = style;
        pen.lineWidth = width * ratio;
        pen.stroke(path);
      }
    };
    if (how.mode === "verdict") return; // its colours say it
    if (how.found) outline((v) => (data.mask[v] & 1) > 0 && data.codes[v] > data.cut, "#ffffff", 1.6);
    if (how.lesion) outline((v) => (data.mask[v] & 2) > 0, `rgb(${VERDICTS.fn[1].join()})`, 2);
  }

  function cross(pen, plane, box, at, rows, [pixels, lines], ratio) {
    const line = plane.flip ? rows - 1 - at[plane.down] : at[plane.down];
    const [x, y] = [box.left + (at[plane.across] + 0.5) * box.dx, box.top + (line + 0.5) * box.dy];
    pen.strokeStyle = "rgba(255, 255, 120, 0.75)";
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
  }

  /* Draw one plane through ``at`` (voxels of the preview) on a canvas as wide as its place; ``how``: mode, opacity,
     window, smooth, lesion, found, cross. Only levels of gray and scores are ever interpolated, never a mask. */
  function draw(canvas, data, plane, at, how) {
    const ratio = window.devicePixelRatio || 1;
    const width = Math.max(40, canvas.clientWidth);
    const height = Math.round((width * highest(data)) / widest(data));
    canvas.style.height = `${height}px`;
    const [pixels, lines] = [Math.round(width * ratio), Math.round(height * ratio)];
    if (canvas.width !== pixels || canvas.height !== lines) { canvas.width = pixels; canvas.height = lines; }
    const { shape } = data;
    const [columns, rows] = [shape[plane.across], shape[plane.down]];
    const stride = [shape[1] * shape[2], shape[2], 1];
    const base = at[plane.through] * stride[plane.through];
    const voxel = (i, j) => base + i * stride[plane.across] + (plane.flip ? rows - 1 - j : j) * stride[plane.down];
    const layer = () => { const small = new OffscreenCanvas(columns, rows); return { small, image: new ImageData(columns, rows) }; };
    const [scan, over] = [layer(), layer()];
    const [, low, high] = WINDOWS[how.window];
    const gray = (v) => Math.min(255, Math.max(0, (255 * (data.gray[v] / 2.55 - low)) / (high - low)));
    for (let j = 0; j < rows; j += 1) {
      for (let i = 0; i < columns; i += 1) {
        const v = voxel(i, j);
        const q = 4 * (j * columns + i);
        scan.image.data.set([gray(v), gray(v), gray(v), 255], q);
        const found = shade(data, v, how);
        if (found) over.image.data.set([found[0], found[1], found[2], Math.round(255 * found[3])], q);
      }
    }
    const pen = canvas.getContext("2d");
    const box = frame(data, plane, pixels, lines);
    pen.fillStyle = "#000";
    pen.fillRect(0, 0, pixels, lines);
    for (const [one, smooth] of [[scan, how.smooth], [over, how.smooth && how.mode === "all"]]) {
      one.small.getContext("2d").putImageData(one.image, 0, 0);
      pen.imageSmoothingEnabled = smooth;
      pen.imageSmoothingQuality = "low"; // linear between neighbouring voxels
      pen.drawImage(one.small, box.left, box.top, columns * box.dx, rows * box.dy);
    }
    outlines(pen, data, plane, box, voxel, [columns, rows], how, ratio);
    if (how.cross) cross(pen, plane, box, at, rows, [pixels, lines], ratio);
  }

  // millimetres from the middle of the brain, with the side of the head
  function millimetres(data, at) {
    return at.map((value, axis) => {
      const mm = Math.round((value - data.middle[axis]) * data.spacing[axis]);
      return mm === 0 ? `${SIDES[axis].join("/")} 0` : `${SIDES[axis][mm > 0 ? 1 : 0]} ${Math.abs(mm)}`;
    }).join(", ");
  }

  bench.planes = { AXES, VERDICTS, WINDOWS, INFERNO, draw, frame, millimetres };
})();
