const D = JSON.parse(document.getElementById("data").textContent);
const main = document.getElementById("main");
const color = (i) => `var(--c${i % 7})`;
const range = (n) => [...Array(n).keys()];

const root = document.documentElement;
const system = matchMedia("(prefers-color-scheme: dark)");
root.dataset.theme = system.matches ? "dark" : "light";
system.addEventListener("change", () => { root.dataset.theme = system.matches ? "dark" : "light"; });
document.getElementById("theme").addEventListener("click", () => {
  root.dataset.theme = root.dataset.theme === "dark" ? "light" : "dark";
});

function section(id, title, note) {
  const body = el("section", { id }, el("h2", {}, title), note ? el("p", { class: "note" }, note) : null);
  main.append(body);
  document.getElementById("nav").append(el("a", { href: `#${id}` }, title));
  return body;
}
function slider(label, low, high, step, value, changed, show) {
  const shown = el("b", {}, show(value));
  const input = el("input", { type: "range", min: low, max: high, step, value, "aria-label": label });
  input.addEventListener("input", () => { shown.textContent = show(Number(input.value)); changed(Number(input.value)); });
  const box = el("label", {}, label, input, shown);
  box.set = (next) => { input.value = next; input.dispatchEvent(new Event("input")); };
  return box;
}
function choice(label, options, changed) {
  const select = el("select", { "aria-label": label }, options.map(([value, text]) => el("option", { value }, text)));
  select.addEventListener("change", () => changed(select.value));
  const box = el("label", {}, label, select);
  box.set = (value) => { select.value = value; changed(value); };
  return box;
}
const between = (interval, show) => (interval ? `${show(interval[0])} – ${show(interval[1])}` : "");
const picture = (source, alt) => {
  const image = el("img", { src: source, alt });
  image.addEventListener("load", () => { if (image.naturalWidth <= 160) image.classList.add("small"); });
  return image;
};

function headline() {
  const tiles = document.getElementById("headline");
  for (const one of D.headline || []) {
    const show = one.kind === "share" ? percent : digits;
    tiles.append(el("div", { class: "tile" }, el("span", {}, one.name), el("b", {}, show(one.value)),
      el("span", {}, one.interval ? `95 %: ${between(one.interval, show)}` : "")));
  }
}
function facts() {
  const body = section("run", "The run", D.part ? `The figures above are of the ${D.part} pictures, with 95 % confidence intervals.` : "");
  body.append(el("table", { class: "facts" }, D.facts.map(([name, value]) => el("tr", {}, el("th", {}, name), el("td", {}, value)))));
}
function curves() {
  const names = Object.keys(D.history);
  const plain = [...new Set(names.map((name) => name.replace(/^val_/, "")))].filter((name) => !["epoch", "seconds"].includes(name));
  plain.sort((a, b) => (b === "loss") - (a === "loss") || (a === "learning_rate") - (b === "learning_rate"));
  if (!plain.length) return;
  const body = section("curves", "Learning curves", D.best_epoch ? `The weights are those of epoch ${D.best_epoch}, the best in validation.` : "");
  const grid = body.appendChild(el("div", { class: "grid" }));
  for (const name of plain) {
    const series = [[name, "training", 0, false], [`val_${name}`, "validation", 1, true]]
      .filter(([key]) => D.history[key] && D.history[key].every((v) => !Array.isArray(v)))
      .map(([key, label, c, dashed]) => ({ name: label, dashed, color: color(c), y: D.history[key], x: range(D.history[key].length).map((i) => i + 1) }));
    if (!series.length) continue;
    const values = series.flatMap((one) => one.y).filter((v) => v !== null);
    const log = /loss|error|learning_rate/.test(name) && Math.min(...values) > 0 && Math.max(...values) > 20 * Math.min(...values);
    const card = grid.appendChild(el("div", { class: "card" }, el("h3", {}, name.replaceAll("_", " ") + (log ? " (logarithmic)" : ""))));
    lineChart(card, { series, xlabel: "epoch", ylabel: name, log, whole: true,
      lines: D.best_epoch && name !== "learning_rate" ? [{ x: D.best_epoch, name: "kept" }] : [] });
  }
}
function thumb(i) {
  const one = D.samples[i], wrong = one.truth !== one.predicted;
  return el("figure", { class: "thumb" }, picture(one.image, one.file), el("figcaption", {},
    el("span", { class: wrong ? "wrong" : "" }, `${D.classes[one.predicted]} ${(100 * one.probability).toFixed(0)} %`), el("br"),
    wrong ? `true: ${D.classes[one.truth]} ${(100 * one.of_truth).toFixed(0)} %` : "right", el("br"), one.file.split(/[\\/]/).slice(-2).join("/")));
}
function figuresTable(table) {
  return el("div", { class: table.rows.length > 25 ? "scroll tall" : "scroll" }, el("table", {},
    el("thead", {}, el("tr", {}, table.head.map((name, i) => el("th", { class: i ? "n" : "" }, name)))),
    el("tbody", {}, table.rows.map((row) => el("tr", {}, row.map((cell, i) => {
      if (i === 0) return el("th", {}, cell);
      if (typeof cell === "number") return el("td", { class: "n" }, cell.toLocaleString("en"));
      return el("td", { class: "n" }, percent(cell.value), cell.interval ? el("small", {}, `${(100 * cell.interval[0]).toFixed(0)}–${(100 * cell.interval[1]).toFixed(0)}`) : null);
    }))))));
}
function perClass() {
  if (!D.table) return;
  const body = section("classes", "Each class", "Small numbers are the limits of the 95 % confidence intervals, in percent.");
  body.append(figuresTable(D.table));
}
function matrix() {
  if (!D.matrix) return;
  const pixels = D.task === "segment";
  const body = section("confusion", "Confusion matrix", pixels
    ? "Rows are true classes of pixels, columns predicted ones; the colour is the share of the row."
    : "Rows are true classes, columns predicted ones; the colour is the share of the row. Choose a cell to see its pictures.");
  const many = D.classes.length > 25;
  const shown = el("div", { class: "thumbs", "aria-live": "polite" });
  const told = el("p", { class: "note" });
  const buttons = [];
  function open(i, j, button) {
    buttons.forEach((one) => one.setAttribute("aria-pressed", one === button));
    const places = D.cells[`${i},${j}`] || [], count = D.matrix[i][j];
    told.textContent = `${count.toLocaleString("en")} of class ${D.classes[i]} called ${D.classes[j]}` +
      (places.length < count ? `; ${places.length ? `the ${places.length} surest:` : "no picture is kept"}` : ":");
    shown.replaceChildren(...places.map(thumb));
  }
  let first = null;
  const rows = D.matrix.map((row, i) => {
    const total = row.reduce((a, b) => a + b, 0) || 1;
    return el("tr", {}, el("th", { title: D.classes[i] }, D.classes[i]), row.map((count, j) => {
      const share = count / total, strong = Math.sqrt(share);
      const text = many || !count ? "" : pixels ? (100 * share).toFixed(share < 0.1 ? 1 : 0) + " %" : String(count);
      const button = el("button", { type: "button", "aria-pressed": "false", title: `${D.classes[i]} called ${D.classes[j]}: ${count.toLocaleString("en")} (${percent(share)})`,
        "aria-label": `${count} of class ${D.classes[i]} called ${D.classes[j]}`,
        style: `background:color-mix(in srgb, var(--${i === j ? "accent" : "bad"}) ${(strong * 88 + (count ? 6 : 0)).toFixed(0)}%, var(--chip));` +
          (strong > 0.62 ? "color:var(--paper)" : "") }, text);
      if (!pixels) button.addEventListener("click", () => open(i, j, button));
      else { button.tabIndex = -1; button.style.cursor = "default"; }
      buttons.push(button);
      if (i !== j && count && (!first || count > first[0])) first = [count, i, j, button];
      return el("td", {}, button);
    }));
  });
  body.append(el("div", { class: "scroll" }, el("table", { class: "matrix" + (many ? " many" : "") },
    many ? null : el("thead", {}, el("tr", {}, el("th", {}, ""), D.classes.map((name) => el("th", { title: name }, name)))), el("tbody", {}, rows))));
  if (pixels) return;
  body.append(told, shown);
  if (first) open(first[1], first[2], first[3]);
}
function mistakes() {
  if (!D.mistakes) return;
  const there = D.classes.map((name, i) => [String(i), name, (D.mistakes[i] || []).length]).filter((one) => one[2]);
  if (!there.length) return;
  const body = section("mistakes", "Surest mistakes", "Pictures that were called something else with the highest probability: wrong labels are often among them.");
  const shown = el("div", { class: "thumbs" });
  const pick = choice("true class", there.map(([i, name, count]) => [i, `${name} (${count})`]), (i) => shown.replaceChildren(...D.mistakes[i].map(thumb)));
  body.append(el("div", { class: "controls" }, pick), shown);
  pick.set(there[0][0]);
}
function thresholds() {
  if (!D.curves || !D.curves.length) return;
  const roc = D.curves[0].negatives !== undefined;
  const body = section("threshold", roc ? "Precision, recall and ROC" : "Precision and recall",
    roc ? "Each class against all others. Move the threshold of its probability to see what would be called that class." : "At an overlap (IoU) of at least a half. Move the score from which on detections count.");
  const numbers = el("div", { class: "numbers" });
  const left = el("div", { class: "card" }, el("h3", {}, "Precision against recall")), right = roc ? el("div", { class: "card" }, el("h3", {}, "ROC")) : null;
  const pair = el("div", { class: "pair" }, left, right);
  let now = D.curves[0], at = D.score ?? 0.5, redraw = [];
  const index = () => { let best = 0; now.thresholds.forEach((t, i) => { if (t <= at + 1e-9) best = i; }); return best; };
  const part = (i) => {
    const tp = now.tp[i], fp = now.fp[i], p = now.positives, n = now.negatives;
    const precision = tp + fp ? tp / (tp + fp) : null, recall = p ? tp / p : 0;
    return { tp, fp, fn: p - tp, precision, recall, f1: tp ? (2 * tp) / (tp + fp + p) : 0, alarms: n ? fp / n : 0 };
  };
  function tell() {
    const one = part(index());
    const items = [["precision", percent(one.precision)], ["recall", percent(one.recall)], ["F1", percent(one.f1)],
      ["right", one.tp.toLocaleString("en")], [roc ? "false alarms" : "invented", one.fp.toLocaleString("en")], ["missed", one.fn.toLocaleString("en")]];
    if (roc) items.push(["specificity", percent(1 - one.alarms)]);
    numbers.replaceChildren(...items.map(([name, value]) => el("span", {}, `${name} `, el("b", {}, value))));
    redraw.forEach((draw) => draw());
  }
  function plot() {
    [left, right].forEach((card) => card && [...card.children].slice(1).forEach((child) => child.remove()));
    const all = range(now.thresholds.length).map(part), kept = all.map((one, i) => [one, i]).filter(([one]) => one.precision !== null);
    const read = (one, i) => `threshold ${one.at[i].toFixed(3)}: ${percent(one.y[i])} at ${percent(one.x[i])}`;
    redraw = [lineChart(left, { series: [{ name: "precision", color: color(0), x: kept.map(([one]) => one.recall), y: kept.map(([one]) => one.precision), at: kept.map(([, i]) => now.thresholds[i]) }],
      xlim: [0, 1], ylim: [0, 1.02], xlabel: "recall", ylabel: "precision", byPoint: true, read, height: 260,
      marks: () => { const one = part(index()); return one.precision === null ? [] : [{ x: one.recall, y: one.precision, color: color(1) }]; } })];
    if (right) redraw.push(lineChart(right, { series: [{ name: "recall", color: color(0), x: all.map((one) => one.alarms), y: all.map((one) => one.recall), at: now.thresholds }],
      xlim: [0, 1], ylim: [0, 1.02], xlabel: "false alarms: share of the others", ylabel: "recall", byPoint: true, read, height: 260, diagonal: [0, 1],
      marks: () => { const one = part(index()); return [{ x: one.alarms, y: one.recall, color: color(1) }]; } }));
    tell();
  }
  const bar = slider("threshold", 0, 1, 0.005, at, (value) => { at = value; tell(); }, (v) => v.toFixed(3));
  const pick = choice("class", D.curves.map((one, i) => [String(i), one.name]), (i) => { now = D.curves[i]; plot(); });
  const best = el("button", { type: "button", onclick: () => {
    let top = 0;
    now.thresholds.forEach((t, i) => { if (part(i).f1 > part(top).f1) top = i; });
    bar.set(now.thresholds[top]);
  } }, "highest F1");
  body.append(el("div", { class: "controls" }, D.curves.length > 1 ? pick : null, bar, best), numbers, pair);
  plot();
}
function calibration() {
  if (!D.calibration || !D.calibration.bins.length) return;
  const { bins, error } = D.calibration;
  const body = section("calibration", "Calibration", `Of predictions with a probability of 80 %, 80 % should be right: points below the diagonal are too sure. The expected calibration error is ${percent(error)}.`);
  const card = body.appendChild(el("div", { class: "card", style: "max-width:520px" }));
  lineChart(card, { series: [{ name: "right", color: color(0), x: bins.map((b) => b.mean), y: bins.map((b) => b.share) }], xlim: [0, 1], ylim: [0, 1.02], xlabel: "probability of the predicted class", ylabel: "share that is right",
    height: 260, diagonal: [0, 1], byPoint: true, marks: () => bins.map((b) => ({ x: b.mean, y: b.share, color: color(0) })),
    read: (one, i) => `${bins[i].count} pictures: ${percent(bins[i].share)} right at ${percent(bins[i].mean)}` });
}
function segmentations() {
  if (!D.masks) return;
  const body = section("pictures", "Segmentations", "From the worst picture to the best. In the difference, orange was missed, blue was invented, purple was taken for another class.");
  const grid = el("div", { class: "grid" });
  const cards = D.masks.map((one) => {
    const layers = { predicted: el("img", { class: "over small", src: one.predicted, alt: "predicted mask" }), truth: el("img", { class: "over small", src: one.truth, alt: "true mask" }),
      difference: el("img", { class: "over small", src: one.difference, alt: "difference" }) };
    const cut = el("div", { class: "cut" }), caption = el("figcaption");
    return { one, layers, cut, caption, node: el("figure", { class: "card" }, el("div", { class: "stack" }, picture(one.image, one.file), Object.values(layers), cut), caption) };
  });
  const state = { view: "wipe", opacity: 0.55, wipe: 0.5, by: "dice" };
  function show() {
    for (const { one, layers, cut, caption } of cards) {
      for (const [name, layer] of Object.entries(layers)) {
        const wipes = state.view === "wipe" && name !== "difference";
        layer.style.display = wipes || state.view === name ? "" : "none";
        layer.style.opacity = state.opacity;
        layer.style.clipPath = !wipes ? "" : name === "truth" ? `inset(0 ${100 - 100 * state.wipe}% 0 0)` : `inset(0 0 0 ${100 * state.wipe}%)`;
      }
      cut.style.display = state.view === "wipe" ? "" : "none";
      cut.style.left = `${100 * state.wipe}%`;
      caption.textContent = `${state.by === "dice" ? "Dice" : "IoU"} ${percent(one[state.by])} · ${one.file.split(/[\\/]/).slice(-2).join("/")}`;
    }
    wipe.style.display = state.view === "wipe" ? "" : "none";
  }
  const wipe = slider("truth ↔ prediction", 0, 1, 0.01, 0.5, (v) => { state.wipe = v; show(); }, (v) => `${(100 * v).toFixed(0)} %`);
  body.append(el("div", { class: "controls" },
    choice("show", [["wipe", "truth beside prediction"], ["predicted", "prediction"], ["truth", "truth"], ["difference", "difference"]], (v) => { state.view = v; show(); }),
    wipe, slider("opacity", 0, 1, 0.05, 0.55, (v) => { state.opacity = v; show(); }, (v) => v.toFixed(2)),
    choice("in", [["dice", "Dice"], ["iou", "IoU"]], (v) => { state.by = v; show(); })), grid);
  grid.append(...cards.map((card) => card.node));
  show();
}
function overlap(a, b) {
  const w = Math.min(a[2], b[2]) - Math.max(a[0], b[0]), h = Math.min(a[3], b[3]) - Math.max(a[1], b[1]);
  if (w <= 0 || h <= 0) return 0;
  const both = w * h;
  return both / ((a[2] - a[0]) * (a[3] - a[1]) + (b[2] - b[0]) * (b[3] - b[1]) - both);
}
function detections() {
  if (!D.detections) return;
  const body = section("pictures", "Detections", "A detection is right if it overlaps an object of its class by a half (IoU). Point at a box for its class and score.");
  const numbers = el("div", { class: "numbers" }), grid = el("div", { class: "grid" });
  const state = { score: D.score ?? 0.3, right: true, invented: true, missed: true };
  const kinds = [["right", "--right", "right"], ["invented", "--invented", "invented"], ["missed", "--missed", "missed"]];
  const cards = D.detections.map((one) => {
    const [h, w] = one.size, layer = svg("svg", { class: "over", viewBox: `0 0 ${w} ${h}` }), caption = el("figcaption");
    grid.append(el("figure", { class: "card" }, el("div", { class: "stack" }, picture(one.image, one.file), layer), caption));
    return { one, layer, caption };
  });
  function show() {
    const total = { right: 0, invented: 0, missed: 0 };
    for (const { one, layer, caption } of cards) {
      const count = { right: 0, invented: 0, missed: 0 }, taken = new Set(), drawn = [];
      for (const box of one.found.filter((box) => box[5] >= state.score)) {
        let best = -1, most = 0.5, skipped = false;
        one.truth.forEach((true_, i) => {
          if (true_[4] !== box[4]) return;
          const share = overlap(box, true_);
          if (true_[5]) { skipped = skipped || share >= 0.5; return; }
          if (!taken.has(i) && share >= most) { best = i; most = share; }
        });
        if (best < 0 && skipped) continue;
        if (best >= 0) taken.add(best);
        const kind = best >= 0 ? "right" : "invented";
        count[kind] += 1;
        drawn.push([kind, box, `${kind}: ${D.classes[box[4]]} ${box[5].toFixed(2)}`]);
      }
      one.truth.forEach((box, i) => { if (!box[5] && !taken.has(i)) { count.missed += 1; drawn.push(["missed", box, `missed: ${D.classes[box[4]]}`]); } });
      layer.replaceChildren(...drawn.filter(([kind]) => state[kind]).map(([kind, box, text]) => svg("rect", { x: box[0], y: box[1], width: Math.max(box[2] - box[0], 0.1), height: Math.max(box[3] - box[1], 0.1),
        fill: "transparent", stroke: `var(${kinds.find((k) => k[0] === kind)[1]})`, "stroke-dasharray": kind === "missed" ? "6 4" : null }, svg("title", {}, text))));
      caption.textContent = `${count.right} right, ${count.invented} invented, ${count.missed} missed · ${one.file.split(/[\\/]/).slice(-1)[0]}`;
      for (const kind of Object.keys(total)) total[kind] += count[kind];
    }
    numbers.replaceChildren(...kinds.map(([kind, , word]) => el("span", {}, `${word} `, el("b", {}, String(total[kind])))), el("span", { class: "unit" }, `in the ${cards.length} pictures shown`));
  }
  body.append(el("div", { class: "controls" }, slider("score from", 0.05, 0.95, 0.01, state.score, (v) => { state.score = v; show(); }, (v) => v.toFixed(2)),
    kinds.map(([kind, variable, word]) => el("label", {}, el("input", { type: "checkbox", checked: true, onchange: (event) => { state[kind] = event.target.checked; show(); } }),
      el("span", {}, el("i", { class: "key", style: `background:var(${variable})` }), word)))), numbers, grid);
  show();
}
function gradCam() {
  if (!D.grad_cams || !D.grad_cams.length) return;
  const body = section("grad-cam", "Grad-CAM", D.grad_cams_told);
  const heats = [];
  const grid = el("div", { class: "thumbs" }, D.grad_cams.map((one) => {
    const layer = el("img", { class: "over", src: one.heat, alt: "evidence" }), wrong = one.predicted !== one.truth;
    heats.push(layer);
    return el("figure", { class: "thumb", style: "width:150px" }, el("div", { class: "stack" }, picture(one.image, one.file), layer),
      el("figcaption", {}, el("span", { class: wrong ? "wrong" : "" }, D.classes[one.predicted]), wrong ? ` (true: ${D.classes[one.truth]})` : "", el("br"), one.file.split(/[\\/]/).slice(-1)[0]));
  }));
  body.append(el("div", { class: "controls" }, slider("opacity", 0, 1, 0.05, 0.9, (v) => heats.forEach((one) => { one.style.opacity = v; }), (v) => v.toFixed(2))), grid);
}
function network() {
  if (!D.graph) return;
  const layers = D.graph.layers, body = section("network", "The network", `A prediction of ${D.graph.batch} pictures takes ${digits(D.graph.ms)} ms. Layers without a time are computed together with another one.`);
  // Connections other than to the row before are arcs at the left, each in the first lane that is free.
  const lanes = [], arcs = [];
  layers.forEach((layer, i) => layer.inputs.filter((from) => from !== i - 1).forEach((from) => {
    let lane = lanes.findIndex((end) => end <= from);
    if (lane < 0) lane = lanes.push(0) - 1;
    lanes[lane] = i;
    arcs.push([from, i, lane]);
  }));
  const high = 27, wide = 12 + 9 * lanes.length, most = Math.max(...layers.map((one) => one.ms), 1e-9);
  const lines = svg("svg", { width: wide, height: high * layers.length, style: "display:block", "aria-hidden": "true" });
  layers.forEach((one, i) => {
    lines.append(svg("circle", { cx: wide - 5, cy: high * (i + 0.5), r: 2.5, fill: "var(--soft)" }));
    if (one.inputs.includes(i - 1)) lines.append(svg("line", { x1: wide - 5, x2: wide - 5, y1: high * (i - 0.5), y2: high * (i + 0.5), stroke: "var(--soft)" }));
  });
  for (const [from, to, lane] of arcs) {
    const x = wide - 12 - 9 * lane, a = high * (from + 0.5), b = high * (to + 0.5);
    lines.append(svg("path", { d: `M${wide - 5} ${a}C${x} ${a} ${x} ${a} ${x} ${a + 9}V${b - 9}C${x} ${b} ${x} ${b} ${wide - 5} ${b}`, fill: "none", stroke: color(lane), "stroke-width": 1.5 }));
  }
  const head = el("tr", {}, el("th", { class: "arcs" }), el("th", {}, "layer"), el("th", {}, "type"), el("th", { class: "n" }, "output"), el("th", { class: "n" }, "parameters"), el("th", { class: "n" }, "sees"), el("th", {}, "ms"));
  const rows = layers.map((one, i) => el("tr", { style: `height:${high}px` }, i === 0 ? el("td", { class: "arcs", rowspan: layers.length, style: `width:${wide + 8}px` }, lines) : null,
    el("th", {}, one.name), el("td", {}, one.type), el("td", { class: "n" }, one.shape.join(" × ")), el("td", { class: "n" }, one.parameters ? one.parameters.toLocaleString("en") : "–"),
    el("td", { class: "n" }, one.field ? `${one.field} px` : "–"), el("td", {}, one.ms ? [el("i", { class: "bar", style: `width:${Math.max(1, (60 * one.ms) / most).toFixed(0)}px` }), one.ms.toFixed(3)] : "")));
  const table = el("div", { class: "scroll" }, el("table", { class: "layers" }, el("thead", {}, head), el("tbody", {}, rows)));
  body.append(layers.length > 24 ? el("details", {}, el("summary", {}, `${layers.length} layers`), table) : table);
  receptive(layers);
}
function receptive(layers) {
  const seen = layers.filter((one) => one.field);
  if (!seen.length || !D.maps_image) return;
  const body = section("field", "Receptive field", "");
  body.append(el("p", { class: "said" }, D.sees));
  const [h, w] = D.input_size, across = 1.7 * w, down = 1.7 * h, x0 = -0.35 * w, y0 = -0.35 * h;
  const frame = svg("rect", { fill: "none", stroke: "var(--invented)" });
  const drawn = svg("svg", { viewBox: `${x0} ${y0} ${across} ${down}`, role: "img", "aria-label": "receptive field" },
    svg("image", { href: D.maps_image, width: w, height: h, preserveAspectRatio: "none", class: Math.max(h, w) <= 64 ? "small" : "" }), frame);
  const stack = el("div", { class: "stack", style: "width:min(340px,100%)" }, drawn);
  const name = el("p", { class: "note" });
  function show(i) {
    const one = seen[i], side = one.field;
    // A field that is larger than what is drawn is drawn at its edge, dashed.
    const wide = Math.min(side, across * 0.985), high = Math.min(side, down * 0.985);
    for (const [key, value] of [["x", (w - wide) / 2], ["y", (h - high) / 2], ["width", wide], ["height", high]]) frame.setAttribute(key, value);
    frame.setAttribute("stroke-dasharray", wide < side || high < side ? "6 4" : "none");
    name.textContent = `${one.name}: a unit in the middle sees ${side} × ${side} of the ${h} × ${w} pixels; the fields of adjacent units are ${one.jump} apart`;
  }
  body.append(el("div", { class: "controls" }, slider("layer", 0, seen.length - 1, 1, seen.length - 1, show, (v) => `${v + 1} of ${seen.length}`)), stack, name);
  show(seen.length - 1);
}
function featureMaps() {
  if (!D.maps) return;
  const body = section("maps", "Feature maps", `What layers make of ${D.maps_file}: the first channels of each, black the lowest value and white the highest.`);
  const grid = body.appendChild(el("div", { class: "pair" }));
  for (const one of D.maps) {
    const label = `${one.name}, ${one.shape.join(" × ")}`;
    const card = grid.appendChild(el("div", { class: "card" }, el("h3", {}, label)));
    if (one.image) card.append(el("div", { class: "scroll" }, el("img", { src: one.image, alt: `feature maps of ${one.name}`, class: "small", style: "display:block" })), el("p", { class: "note", style: "margin:6px 0 0" }, `${digits(one.low)} to ${digits(one.high)}`));
    else {
      const most = Math.max(...one.values.map(Math.abs), 1e-9);
      const names = one.values.length === D.classes.length ? D.classes : one.values.map((_, i) => String(i));
      card.append(el("div", { class: "scroll" }, el("table", {}, one.values.map((v, i) => el("tr", {}, el("th", {}, names[i]), el("td", { class: "n" }, digits(v)),
        el("td", {}, el("i", { class: "bar", style: `width:${((160 * Math.abs(v)) / most).toFixed(0)}px;background:${v < 0 ? color(1) : color(0)}` })))))));
    }
  }
}
function gradients() {
  if (!D.flow) return;
  const { layers, norms, told } = D.flow, epochs = norms[0].length;
  const chosen = [...new Set([0, Math.floor((epochs - 1) / 2), epochs - 1])];
  const body = section("gradients", "Gradient flow", "The norm of the gradient that reaches each layer's weights, from the input at the left to the output at the right.");
  body.append(el("p", { class: "said" }, told));
  const card = body.appendChild(el("div", { class: "card" }));
  lineChart(card, { series: chosen.map((epoch, i) => ({ name: `epoch ${epoch + 1}`, color: color([6, 0, 1][chosen.length === 1 ? 1 : i]), x: range(layers.length).map((n) => n + 1), y: norms.map((one) => one[epoch]), labels: layers })),
    xlabel: "layer", ylabel: "gradient norm", log: true, whole: true, height: 260 });
}
function reproduce() {
  const body = section("reproduce", "Reproduce", "");
  if (D.command) {
    const copy = el("button", { type: "button", onclick: () => { if (navigator.clipboard) navigator.clipboard.writeText(D.command).then(() => { copy.textContent = "copied"; }, () => {}); } }, "copy");
    body.append(el("pre", {}, D.command), el("div", { class: "controls" }, copy));
  }
  body.append(el("table", {}, Object.entries(D.versions).map(([name, value]) => el("tr", {}, el("th", {}, name), el("td", {}, value)))));
}
function compare() {
  const body = section("runs", "Runs", D.same_pictures ? "All were judged on the same pictures." : "They were judged on different pictures: the figures say little about which is better.");
  const best = D.figures.map((one, i) => {
    const values = D.runs.map((run) => run.figures[i]).filter((v) => v !== null && v !== undefined);
    return D.same_pictures && values.length > 1 ? (one.less ? Math.min(...values) : Math.max(...values)) : null;
  });
  const head = ["run", ...D.figures.map((one) => one.name), "model", "parameters", "epochs", "seconds", "judged on", ...D.differing.map((name) => name.replaceAll("_", " "))];
  const rows = D.runs.map((run) => el("tr", {}, el("th", {}, run.name),
    D.figures.map((one, i) => el("td", { class: "n" + (run.figures[i] !== null && run.figures[i] === best[i] ? " best" : "") }, one.less || one.name === "AUC" ? digits(run.figures[i]) : percent(run.figures[i]))),
    el("td", {}, run.model ?? "–"), el("td", { class: "n" }, (run.parameters ?? 0).toLocaleString("en")), el("td", { class: "n" }, String(run.epochs ?? "–")), el("td", { class: "n" }, run.seconds == null ? "–" : run.seconds.toFixed(1)), el("td", {}, run.part),
    D.differing.map((name) => el("td", {}, run.settings[name] === null ? "–" : String(run.settings[name])))));
  body.append(el("div", { class: "scroll" }, el("table", {}, el("thead", {}, el("tr", {}, head.map((name, i) => el("th", { class: i && i <= D.figures.length ? "n" : "" }, name)))), el("tbody", {}, rows))));
  const names = [...new Set(D.runs.flatMap((run) => Object.keys(run.history)))].filter((name) => !["epoch", "seconds"].includes(name));
  if (!names.length) return;
  names.sort((a, b) => b.startsWith("val_") - a.startsWith("val_"));
  const grid = section("curves", "Learning curves", "").appendChild(el("div", { class: "grid" }));
  for (const name of names) {
    const series = D.runs.map((run, i) => ({ name: run.name, color: color(i), dashed: i > 6, y: run.history[name] || [], x: range((run.history[name] || []).length).map((n) => n + 1) }));
    const card = grid.appendChild(el("div", { class: "card" }, el("h3", {}, name.replace(/^val_/, "validation ").replaceAll("_", " "))));
    lineChart(card, { series, xlabel: "epoch", ylabel: name, whole: true });
  }
}
function live() {
  const { epoch, epochs, left, version } = D.live, box = document.getElementById("live");
  const minutes = left === null || left === undefined ? "" : left < 60 ? `, about ${Math.ceil(left)} s left` : `, about ${Math.ceil(left / 60)} min left`;
  box.append(D.live.done ? "The training has ended." : `Training: ${epoch} of ${epochs} epochs done${minutes}. This page follows each epoch.`, el("progress", { max: epochs, value: epoch, "aria-label": "epochs done" }));
  async function ask() {
    try {
      const answer = await (await fetch("version", { cache: "no-store" })).text();
      if (answer !== String(version)) { location.reload(); return; }
    } catch { box.firstChild.textContent = "The training has ended, or was stopped: its server does not answer. "; return; }
    setTimeout(ask, 1000);
  }
  if (!D.live.done) setTimeout(ask, 1000);
}
if (D.kind === "comparison") compare();
else {
  headline();
  if (D.live) live();
  for (const part of [facts, curves, segmentations, detections, perClass, matrix, mistakes, thresholds, calibration, gradCam, network, featureMaps, gradients]) part();
}
reproduce();
