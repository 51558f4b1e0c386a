// The two plots over time: rows a second, and predicted beside observed CTR.

import { $, table, rows } from './dom.js';
import { Figure, Frame, ceiling, shares, ticks, timeTicks } from './plots.js';
import { clock, compact, dash, int, rate, share } from './format.js';

const settings = {
  seconds: { step: 1, group: 5, length: 120, unit: 's' },
  minutes: { step: 60, group: 1, length: 180, unit: 'min' },
};

let rateFigure, ctrFigure;

export function begin() {
  rateFigure = new Figure($('rate'), {
    heading: 'Rows a second', height: 190,
    table: table('Rows a second over time', ['Time', 'Rows/s', 'Bad rows/s']),
  });
  ctrFigure = new Figure($('ctr'), {
    heading: 'Click rate', height: 190,
    table: table('Click rate over time', ['Time', 'Rows', 'Predicted', 'With labels', 'Predicted of these', 'Observed']),
  });
}

// merge adds up the points of several models by time.
function merge(models, key) {
  const byTime = new Map();
  for (const m of models) {
    for (const p of m[key]) {
      const t = Date.parse(p.time);
      const sum = byTime.get(t) ?? { t, predictions: 0, bad: 0 };
      sum.predictions += p.predictions;
      sum.bad += p.bad;
      byTime.set(t, sum);
    }
  }
  return [...byTime.values()].sort((a, b) => a.t - b.t);
}

// grouped joins points of a model into groups of n, means weighed by rows.
function grouped(points, n, step) {
  const out = [];
  const width = n * step * 1000;
  for (const p of points) {
    const t = Math.floor(Date.parse(p.time) / width) * width;
    let g = out.at(-1);
    if (!g || g.t !== t) out.push((g = { t, predictions: 0, labelled: 0, sum: 0, sumLabelled: 0, clicks: 0 }));
    g.predictions += p.predictions;
    g.labelled += p.labelled;
    g.sum += (p.predicted ?? 0) * p.predictions;
    g.sumLabelled += (p.predicted_labelled ?? 0) * p.labelled;
    g.clicks += (p.observed ?? 0) * p.labelled;
  }
  for (const g of out) {
    g.predicted = g.predictions ? g.sum / g.predictions : null;
    g.predictedLabelled = g.labelled ? g.sumLabelled / g.labelled : null;
    g.observed = g.labelled ? g.clicks / g.labelled : null;
  }
  return out;
}

// nearest gives the point whose time is nearest to the pointer, else the last.
function nearest(points, frame, at) {
  if (at === null || !points.length) return points.at(-1);
  const t = frame.back(at);
  return points.reduce((best, p) => (Math.abs(p.t - t) < Math.abs(best.t - t) ? p : best));
}

// timeText gives the time that a point is of; seconds are told where they matter.
const timeText = (t, key) => clock(t, key === 'seconds');

export function show(live, model, key) {
  const s = settings[key];
  const now = Date.parse(live.time);
  // The window grows until it is full, so that a young process has no empty plot.
  const began = Math.max(Date.parse(live.started), now - s.length * s.step * 1000);
  const domain = [Math.min(began, now - 20 * s.step * 1000), now];
  rateShow(merge(live.models, key), domain, s, key, live);
  ctrShow(grouped(model?.[key] ?? [], s.group, s.step), domain, key, live);
}

function rateShow(points, domain, s, key, live) {
  const value = (p) => p.predictions / s.step;
  const top = ceiling(Math.max(...points.map(value), 4));
  const mean = points.length ? points.reduce((a, p) => a + value(p), 0) / points.length : 0;
  rateFigure.show({
    empty: points.length ? null : key === 'minutes' ? 'Nothing yet: the first whole minute is not over.' : 'Nothing yet: no second has passed since the start.',
    say: `${rate(mean)} rows a second on average, at most ${rate(Math.max(...points.map(value), 0))}; ${rate(live.rows_per_second)} over the last ten seconds.`,
    paint: (width, height, at) => {
      const f = new Frame(width, height, { x: domain, y: [0, top] });
      const nodes = f.axes(timeTicks(domain, width, (t) => timeText(t, key)), ticks(0, top, 4).map((v) => [v, compact(v)]));
      nodes.push(...f.line(points.map((p) => [p.t, value(p)]), 'predicted', 'area predicted'));
      if (points.some((p) => p.bad)) nodes.push(...f.line(points.map((p) => [p.t, p.bad / s.step]), 'bad'));
      const p = nearest(points, f, at);
      if (at !== null) nodes.push(f.cross(p.t));
      const legend = [{ cls: 'predicted', name: 'rows/s', value: rate(value(p)) }];
      if (points.some((q) => q.bad)) legend.push({ cls: 'bad', name: 'bad', value: rate(p.bad / s.step) });
      legend.push({ name: 'at', value: timeText(p.t, key) });
      return { nodes, legend };
    },
    fill: () => rows(rateFigure.table, points.toReversed().slice(0, 60).map((p) => [timeText(p.t, key), { text: rate(value(p)), value: value(p) }, rate(p.bad / s.step)])),
  });
}

function ctrShow(points, domain, key, live) {
  const scored = points.filter((p) => p.predictions);
  const labels = points.some((p) => p.labelled);
  const all = points.flatMap((p) => [p.predicted, p.observed]).filter((v) => v !== null);
  const top = Math.min(1, ceiling(Math.max(...all, 0) * 1.05 || 1));
  const last = scored.at(-1);
  ctrFigure.show({
    empty: scored.length ? null : live.totals.predictions ? 'No rows were scored in this span.' : 'Nothing yet: no rows have come.',
    say: last ? `Last: ${share(last.predicted)} predicted, ${labels ? `${share(last.observed)} observed` : 'no labels have come'}.` : '',
    paint: (width, height, at) => {
      const f = new Frame(width, height, { x: domain, y: [0, top] });
      const nodes = f.axes(timeTicks(domain, width, (t) => timeText(t, key)), shares(0, top, 4));
      if (labels) nodes.push(...f.line(points.map((p) => [p.t, p.observed]), 'observed'));
      nodes.push(...f.line(points.map((p) => [p.t, p.predicted]), 'predicted'));
      const p = nearest(scored, f, at);
      if (at !== null) nodes.push(f.cross(p.t));
      const legend = [{ cls: 'predicted', name: 'predicted', value: share(p.predicted) },
        { cls: 'observed', name: 'observed', value: labels ? share(p.observed) : 'no labels have come' },
        { name: 'at', value: timeText(p.t, key) }];
      return { nodes, legend };
    },
    fill: () => rows(ctrFigure.table, scored.toReversed().slice(0, 60).map((p) => [timeText(p.t, key), int(p.predictions), share(p.predicted), int(p.labelled),
      p.labelled ? share(p.predictedLabelled) : dash, p.labelled ? share(p.observed) : dash])),
  });
}
