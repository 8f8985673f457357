// What figures need beside plotly: a smooth line through subjects, and names beside points.
"use strict";
(function () {
  const FEWEST = 5; // subjects: where fewer are near, there is no line
  const STEPS = 60;

  /* The local mean of y along x (tricube kernel), and 1.96 of its standard errors to either side; null where few are near. */
  bench.smooth = function (x, y) {
    const out = { x: [], mean: [], low: [], high: [] };
    if (x.length < FEWEST) return out;
    const [from, to] = [Math.min(...x), Math.max(...x)];
    const reach = Math.max(0.25, 0.35 * (to - from));
    for (let step = 0; step <= STEPS; step += 1) {
      const at = from + ((to - from) * step) / STEPS;
      const weights = x.map((value) => { const away = Math.abs(value - at) / reach; return away < 1 ? (1 - away ** 3) ** 3 : 0; });
      const [sum, squares] = [weights.reduce((a, w) => a + w, 0), weights.reduce((a, w) => a + w * w, 0)];
      const known = squares > 0 && sum * sum >= FEWEST * squares; // as many as count, by their weights
      const mean = known ? weights.reduce((a, w, k) => a + w * y[k], 0) / sum : null;
      const error = known ? Math.sqrt(weights.reduce((a, w, k) => a + (w * (y[k] - mean)) ** 2, 0)) / sum : null;
      out.x.push(at);
      out.mean.push(mean);
      out.low.push(known ? Math.max(0, mean - 1.96 * error) : null);
      out.high.push(known ? Math.min(1, mean + 1.96 * error) : null);
    }
    return out;
  };

  const SIDES = ["middle right", "middle left", "top center", "bottom center", "top right", "bottom right", "top left", "bottom left"];

  /* For points in pixels and their names: the side on which each name covers least. */
  bench.sidesOf = function (points, names, [wide, high]) {
    const taken = points.map(([x, y]) => [x - 7, y - 7, x + 7, y + 7]);
    const shared = (a, b) => Math.max(0, Math.min(a[2], b[2]) - Math.max(a[0], b[0])) * Math.max(0, Math.min(a[3], b[3]) - Math.max(a[1], b[1]));
    return points.map(([x, y], own) => {
      const [width, height] = [6.3 * names[own].length, 13];
      const costs = SIDES.map((side) => {
        const left = side.includes("right") ? x + 9 : side.includes("left") ? x - 9 - width : x - width / 2;
        const top = side.includes("top") ? y - 9 - height : side.includes("bottom") ? y + 9 : y - height / 2;
        const box = [left, top, left + width, top + height];
        const inside = shared(box, [0, 0, wide, high]);
        return { side, box, cost: taken.reduce((sum, other, k) => sum + (k === own ? 0 : shared(box, other)), 2 * (width * height - inside)) };
      });
      const best = costs.reduce((a, b) => (b.cost < a.cost - 1e-9 ? b : a));
      taken.push(best.box);
      return best.side;
    });
  };
})();
