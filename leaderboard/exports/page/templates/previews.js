// Previews: unpacked once, made ready to be shown, and cut at thresholds exactly as they were measured.
"use strict";
(function () {
  const { content } = bench;
  const KEPT = 48;
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
      if (arrived.size >= KEPT) arrived.delete(arrived.keys().next().value);
      arrived.set(name, unpack(name));
    }
    return arrived.get(name);
  }

  const nameOf = (modality, place) => modality || (place ? `modality ${place + 1}` : "first modality");

  // which modalities a preview has, the first one first
  bench.modalitiesOf = (found) => [found.modality, ...Object.keys(found.others)].map((name, place) => [name, nameOf(name, place)]);

  // the last edge at or below a threshold: score > threshold is code > place, exactly where they are equal
  function placeOf(edges, threshold) {
    const value = Math.fround(threshold);
    let k = -1;
    while (k + 1 < edges.length && edges[k + 1] <= value) k += 1;
    return k;
  }

  // Where the lesion is largest, else where the scores are highest, in voxels of the preview.
  function start(data) {
    const { shape, mask, codes } = data;
    const weights = shape.map((size) => new Float64Array(size));
    const lesion = mask.some((value) => value & 2);
    const [, ny, nz] = shape;
    const edge = data.edges.length * 0.8;
    for (let v = 0; v < mask.length; v += 1) {
      if (!(lesion ? mask[v] & 2 : codes[v] > edge)) continue;
      weights[2][v % nz] += 1;
      weights[1][Math.floor(v / nz) % ny] += 1;
      weights[0][Math.floor(v / nz / ny)] += 1;
    }
    return weights.map((weight, axis) => {
      let best = Math.floor(shape[axis] / 2);
      weight.forEach((value, k) => { if (value > weight[best]) best = k; });
      return best;
    });
  }

  // the middle of the brain's box, in voxels of the preview: where millimetres are counted from
  function middle(data) {
    const { shape: [nx, ny, nz], mask } = data;
    const [low, high] = [[nx, ny, nz], [-1, -1, -1]];
    for (let v = 0; v < mask.length; v += 1) {
      if (!(mask[v] & 1)) continue;
      const at = [Math.floor(v / nz / ny), Math.floor(v / nz) % ny, v % nz];
      at.forEach((value, axis) => { low[axis] = Math.min(low[axis], value); high[axis] = Math.max(high[axis], value); });
    }
    return low.map((value, axis) => (high[axis] < 0 ? (data.shape[axis] - 1) / 2 : (value + high[axis]) / 2));
  }

  // how many voxels of the brain, and of the lesion in it, lie above each edge, from none (index -1 is "all") on
  function counted(data) {
    const { edges, codes, mask } = data;
    const above = new Float64Array(edges.length + 1);
    const hits = new Float64Array(edges.length + 1);
    for (let v = 0; v < codes.length; v += 1) {
      if (!(mask[v] & 1)) continue;
      above[codes[v]] += 1;
      if (mask[v] & 2) hits[codes[v]] += 1;
    }
    for (let k = edges.length - 1; k >= 0; k -= 1) { above[k] += above[k + 1]; hits[k] += hits[k + 1]; }
    return { above, hits }; // by code: above[k + 1] is what is detected with a cut at k
  }

  // highest score that is given a colour of its own: few voxels lie above it
  function topOf(data) {
    let k = data.levels.length - 1;
    while (k > 0 && data.above[k] < 0.001 * data.above[0]) k -= 1;
    const frozen = data.points.find(([name]) => name === content.ranking_point);
    return Math.max(data.levels[k], frozen && frozen[1] > 0 ? 1.25 * frozen[1] : data.low) || 1;
  }

  /* A preview of a row that was found, with the levels of one modality; throws where it cannot be read. */
  bench.loadPreview = async function (row, found, modality) {
    const other = bench.own(found.others, modality);
    const [scan, map, levels] = await Promise.all([bytes(found.scan), bytes(found.map.blob), other ? bytes(other) : null]);
    const place = content.scans[found.scan];
    const voxels = place.shape[0] * place.shape[1] * place.shape[2];
    const edges = new Float32Array(map.slice(0, 4 * found.map.edges));
    const data = {
      ...place, row, seed: found.run.seed, edges, low: found.map.low, high: found.map.high,
      gray: levels === null ? new Uint8Array(scan, 0, voxels) : new Uint8Array(levels, 0, voxels),
      mask: new Uint8Array(scan, voxels, voxels),
      codes: new Uint8Array(map, 4 * found.map.edges, voxels),
    };
    data.points = Object.entries(row.thresholds[found.seed] || {}).map(([name, threshold]) => [name, threshold, placeOf(edges, threshold)]);
    data.levels = Array.from({ length: edges.length + 1 }, (_, k) => (k === 0 ? data.low : k === edges.length ? (edges[k - 1] + data.high) / 2 : (edges[k - 1] + edges[k]) / 2));
    Object.assign(data, counted(data));
    data.top = topOf(data);
    data.start = start(data);
    data.middle = middle(data);
    data.cut = bench.cutAt(data, content.ranking_point);
    return data;
  };

  // where a map is cut at an operating point; at the one that ranks where it has no such threshold
  bench.cutAt = function (data, point) {
    const found = data.points.find(([name]) => name === point) || data.points.find(([name]) => name === content.ranking_point) || data.points[0];
    return found ? found[2] : Math.floor(data.edges.length * 0.9);
  };

  // where a map is cut so that at most so large a share of the brain is detected
  bench.cutOfShare = function (data, share) {
    let k = -1;
    while (k < data.edges.length - 1 && data.above[k + 1] > share * data.above[0]) k += 1;
    return k;
  };
})();
