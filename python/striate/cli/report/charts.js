"use strict";
// Small pieces of SVG and HTML, and a chart of lines whose points can be read with a pointer.
const NS = "http://www.w3.org/2000/svg";

function make(space, tag, attributes, children) {
  const node = space ? document.createElementNS(space, tag) : document.createElement(tag);
  for (const [name, value] of Object.entries(attributes || {})) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else node.setAttribute(name, value === true ? "" : value);
  }
  for (const child of children.flat()) if (child !== null && child !== undefined) node.append(child);
  return node;
}
const el = (tag, attributes, ...children) => make(null, tag, attributes, children);
const svg = (tag, attributes, ...children) => make(NS, tag, attributes, children);

function digits(value) {
  if (value === null || value === undefined) return "–";
  const size = Math.abs(value);
  if (size !== 0 && (size < 1e-3 || size >= 1e6)) return value.toExponential(2);
  return size >= 100 ? value.toFixed(1) : value.toFixed(4);
}
const percent = (value) => (value === null || value === undefined ? "–" : (100 * value).toFixed(2) + " %");
const short = (value) => String(Number(value.toPrecision(6)));

// About `count` round numbers between two limits.
function roundSteps(low, high, count) {
  const raw = (high - low) / count;
  const power = 10 ** Math.floor(Math.log10(raw));
  const step = [1, 2, 5, 10].map((factor) => factor * power).find((value) => value >= raw * 0.99);
  const found = [];
  for (let value = Math.ceil(low / step - 1e-9) * step; value <= high + step * 1e-6; value += step) found.push(value);
  return found.map((value) => (Math.abs(value) < step * 1e-6 ? 0 : value));
}

// options: series [{name, x, y, color, dashed, labels}], xlabel, ylabel, log, xlim, ylim, whole (x counts), marks
// [{x, y, color, name}], lines [{x, name}], byPoint (read the nearest point rather than the nearest x), diagonal, height,
// read (text of a point).
function lineChart(host, options) {
  const chart = el("div", { class: "chart" });
  const tip = el("div", { class: "tip" });
  if (options.series.length > 1) {
    host.append(el("div", { class: "legend" }, options.series.map((one) =>
      el("span", {}, el("i", { class: one.dashed ? "dashed" : "", style: `border-color:${one.color}` }), one.name))));
  }
  host.append(chart);
  const height = options.height || 210;
  const margin = { left: 46, right: 12, top: (options.lines || []).length ? 16 : 8, bottom: 34 };

  function draw() {
    const width = Math.max(chart.clientWidth, 180);
    const log = options.log;
    const xs = options.series.flatMap((one) => one.x);
    const ys = options.series.flatMap((one) => one.y).filter((v) => v !== null && (!log || v > 0));
    if (!xs.length || !ys.length) return;
    let [x0, x1] = options.xlim || [Math.min(...xs), Math.max(...xs)];
    let [y0, y1] = options.ylim || [Math.min(...ys), Math.max(...ys)];
    if (x0 === x1) { x0 -= 1; x1 += 1; }
    if (!options.ylim && !log) { const pad = (y1 - y0 || Math.abs(y1) || 1) * 0.06; y0 -= pad; y1 += pad; }
    if (log) { y0 = Math.log10(y0) - 0.05; y1 = Math.log10(y1) + 0.05; }
    const px = (x) => margin.left + ((x - x0) / (x1 - x0)) * (width - margin.left - margin.right);
    const place = (y) => height - margin.bottom - ((y - y0) / (y1 - y0)) * (height - margin.top - margin.bottom);
    const py = (y) => place(log ? Math.log10(y) : y);
    const root = svg("svg", { viewBox: `0 0 ${width} ${height}`, height, role: "img", "aria-label": options.ylabel });

    let rows = roundSteps(y0, y1, 4);
    if (log) rows = rows.filter((v) => Number.isInteger(v)).length > 1 ? rows.filter((v) => Number.isInteger(v)) : rows;
    for (const row of rows) {
      const y = place(row);
      root.append(svg("line", { class: "gridline", x1: margin.left, x2: width - margin.right, y1: y, y2: y }));
      const value = log ? 10 ** row : row;
      const text = log ? (value >= 1e-3 && value < 1e5 ? short(Number(value.toPrecision(2))) : value.toExponential(0)) : short(value);
      root.append(svg("text", { x: margin.left - 6, y: y + 4, "text-anchor": "end" }, text));
    }
    let columns = roundSteps(x0, x1, Math.max(3, Math.floor(width / 80)));
    if (options.whole) columns = [...new Set(columns.map(Math.round))].filter((v) => v >= x0 && v <= x1);
    for (const column of columns) {
      root.append(svg("text", { x: px(column), y: height - margin.bottom + 15, "text-anchor": "middle" }, short(column)));
    }
    root.append(svg("line", { class: "axis", x1: margin.left, x2: width - margin.right, y1: height - margin.bottom, y2: height - margin.bottom }));
    root.append(svg("text", { x: (margin.left + width - margin.right) / 2, y: height - 3, "text-anchor": "middle" }, options.xlabel || ""));
    if (options.diagonal) root.append(svg("line", { class: "axis", "stroke-dasharray": "3 3", x1: px(x0), y1: py(options.diagonal[0]), x2: px(x1), y2: py(options.diagonal[1]) }));
    for (const line of options.lines || []) {
      root.append(svg("line", { stroke: "var(--soft)", "stroke-dasharray": "2 3", x1: px(line.x), x2: px(line.x), y1: margin.top, y2: height - margin.bottom }));
      const right = px(line.x) > width * 0.9;
      root.append(svg("text", { x: px(line.x) + (right ? 4 : 0), y: margin.top - 5, "text-anchor": right ? "end" : "middle" }, line.name));
    }
    for (const one of options.series) {
      let path = "", open = false;
      one.x.forEach((x, i) => {
        const y = one.y[i];
        if (y === null || (log && y <= 0)) { open = false; return; }
        path += `${open ? "L" : "M"}${px(x).toFixed(1)} ${py(y).toFixed(1)}`;
        open = true;
      });
      root.append(svg("path", { d: path, fill: "none", stroke: one.color, "stroke-width": 2, "stroke-linejoin": "round", "stroke-dasharray": one.dashed ? "5 4" : null }));
      if (one.x.length <= 30 && !options.byPoint) one.x.forEach((x, i) => {
        if (one.y[i] !== null && !(log && one.y[i] <= 0)) root.append(svg("circle", { cx: px(x), cy: py(one.y[i]), r: 2.4, fill: one.color }));
      });
    }
    for (const mark of options.marks ? options.marks() : []) {
      root.append(svg("circle", { cx: px(mark.x), cy: py(mark.y), r: 6, fill: mark.color, stroke: "var(--card)", "stroke-width": 2 }));
    }
    const cross = svg("line", { stroke: "var(--soft)", y1: margin.top, y2: height - margin.bottom, visibility: "hidden" });
    const dot = svg("circle", { r: 4.5, fill: "none", stroke: "var(--ink)", "stroke-width": 2, visibility: "hidden" });
    root.append(cross, dot);

    function hide() {
      tip.style.display = "none";
      cross.setAttribute("visibility", "hidden");
      dot.setAttribute("visibility", "hidden");
    }
    root.addEventListener("pointerleave", hide);
    root.addEventListener("pointermove", (event) => {
      const box = root.getBoundingClientRect();
      const at = ((event.clientX - box.left) / box.width) * width, down = ((event.clientY - box.top) / box.height) * height;
      let best = null, bestGap = Infinity;
      for (const one of options.series) one.x.forEach((x, i) => {
        if (one.y[i] === null || (log && one.y[i] <= 0)) return;
        const gap = options.byPoint ? Math.hypot(px(x) - at, py(one.y[i]) - down) : Math.abs(px(x) - at);
        if (gap < bestGap) { bestGap = gap; best = { one, i, x }; }
      });
      if (!best) return;
      const x = px(best.x);
      let text;
      if (options.byPoint) {
        dot.setAttribute("cx", x);
        dot.setAttribute("cy", py(best.one.y[best.i]));
        dot.setAttribute("visibility", "visible");
        text = [options.read(best.one, best.i)];
      } else {
        cross.setAttribute("x1", x);
        cross.setAttribute("x2", x);
        cross.setAttribute("visibility", "visible");
        const head = best.one.labels ? best.one.labels[best.i] : `${options.xlabel} ${short(best.x)}`;
        text = [head, ...options.series.map((one) => [one, one.x.indexOf(best.x)])
          .filter(([one, i]) => i >= 0 && one.y[i] !== null).map(([one, i]) => `${one.name} ${digits(one.y[i])}`)];
      }
      tip.replaceChildren(...text.flatMap((line, i) => (i ? [el("br"), line] : [line])));
      tip.style.display = "block";
      const left = (x / width) * chart.clientWidth;
      tip.style.left = `${Math.max(0, Math.min(left + 12, chart.clientWidth - tip.offsetWidth))}px`;
      if (left + 12 + tip.offsetWidth > chart.clientWidth) tip.style.left = `${Math.max(0, left - 12 - tip.offsetWidth)}px`;
      tip.style.top = `${margin.top}px`;
    });
    chart.replaceChildren(root, tip);
  }
  draw();
  let last = chart.clientWidth;
  new ResizeObserver(() => {
    if (chart.clientWidth === last) return;
    last = chart.clientWidth;
    requestAnimationFrame(draw);
  }).observe(chart);
  return draw;
}
