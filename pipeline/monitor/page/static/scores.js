// The histogram of probabilities and the calibration of a model.

import { $, table, rows } from './dom.js';
import { Figure, Frame, ceiling, shares, svg, ticks } from './plots.js';
import { compact, dash, dec, int, share } from './format.js';

let histogram, calibration;

export function begin() {
  histogram = new Figure($('scores'), {
    heading: 'Histogram', height: 220,
    table: table('Histogram of probabilities', ['Probability', 'Rows', 'Share', 'Clicks']),
  });
  calibration = new Figure($('calibration'), {
    heading: 'Calibration', height: 220,
    table: table('Calibration', ['Probabilities', 'Rows', 'Predicted', 'Observed', 'Ratio']),
  });
}

export function show(live, m) {
  histogramShow(live, m);
  calibrationShow(m);
}

function histogramShow(live, m) {
  const bins = m?.scores ?? [];
  const total = bins.reduce((a, b) => a + b.rows, 0);
  const clicks = bins.reduce((a, b) => a + b.clicks, 0);
  const filled = bins.filter((b) => b.rows);
  const most = filled.reduce((a, b) => (a && a.rows >= b.rows ? a : b), null);
  // The axis ends where rows do, with the threshold in sight.
  const last = Math.min(1, Math.max(0.1, (filled.at(-1)?.to ?? 1), (m?.threshold ?? 0) + 0.02));
  histogram.show({
    empty: total ? null : 'Nothing yet: no rows have been scored by this model.',
    say: total ? `${int(total)} rows; most lie at ${dec(most.from, 2)} to ${dec(most.to, 2)}, ${share(most.rows / total)}; a click is predicted above ${dec(m.threshold)}.` : '',
    paint: (width, height, at) => {
      const top = ceiling(most.rows / total);
      const f = new Frame(width, height, { x: [0, last], y: [0, top] });
      const nodes = f.axes(ticks(0, last, width / 70).map((v) => [v, Number(v.toFixed(2)).toString()]), shares(0, top, 4));
      const under = at === null ? null : bins.find((b) => f.back(at) > b.from && f.back(at) <= b.to);
      for (const b of bins) {
        if (!b.rows || b.from >= last) continue;
        const x = f.x(b.from), w = Math.max(1, f.x(b.to) - x - 1);
        const h = Math.max(1, f.bottom - f.y(b.rows / total));
        nodes.push(svg('rect', { class: b === under ? 'column on' : 'column', x, y: f.bottom - h, width: w, height: h }));
        if (b.clicks) {
          const c = f.bottom - f.y(b.clicks / total);
          nodes.push(svg('rect', { class: 'column clicks', x, y: f.bottom - c, width: w, height: c }));
        }
      }
      const t = f.x(m.threshold);
      nodes.push(svg('line', { class: 'cross', x1: t, x2: t, y1: f.top, y2: f.bottom }),
        svg('text', { class: 'tick', x: t + 5, y: f.top + 8 }, `click above ${dec(m.threshold)}`));
      if (under) {
        return { nodes, legend: [{ cls: 'predicted', name: `${dec(under.from, 2)} to ${dec(under.to, 2)}`, value: `${int(under.rows)} rows, ${share(under.rows / total)}` },
          { cls: 'observed', name: 'clicks', value: clicks ? int(under.clicks) : dash }] };
      }
      return { nodes, legend: [{ cls: 'predicted', name: 'rows', value: compact(total) },
        { cls: 'observed', name: 'clicks among them', value: clicks ? compact(clicks) : m.labelled ? '0' : 'no labels have come' }] };
    },
    fill: () => rows(histogram.table, filled.map((b) => [`${dec(b.from, 2)} to ${dec(b.to, 2)}`, { text: int(b.rows), value: b.rows }, share(b.rows / total), m.labelled ? int(b.clicks) : dash])),
  });
}

function calibrationShow(m) {
  const groups = m?.calibration ?? [];
  const q = m?.quality;
  calibration.show({
    empty: groups.length ? null : 'No labels have come: nothing to hold the probabilities against.',
    say: groups.length ? `${groups.length} groups of rows by rising probability; overall ${dec(q?.calibration, 3)} clicks were promised for each that came.` : '',
    paint: (width, height, at) => {
      const top = Math.min(1, ceiling(Math.max(...groups.flatMap((g) => [g.predicted, g.observed])) * 1.02));
      const f = new Frame(width, height, { x: [0, top], y: [0, top], bottom: 34, top: 18 });
      const nodes = f.axes(shares(0, top, Math.min(6, width / 60)), shares(0, top, 4), { x: 'predicted', y: 'observed' });
      nodes.push(svg('line', { class: 'ideal', x1: f.x(0), y1: f.y(0), x2: f.x(top), y2: f.y(top) }));
      nodes.push(...f.line(groups.map((g) => [g.predicted, g.observed]), 'observed'));
      const most = Math.max(...groups.map((g) => g.rows));
      let under = null;
      if (at !== null) under = groups.reduce((a, g) => (Math.abs(f.x(g.predicted) - at) < Math.abs(f.x(a.predicted) - at) ? g : a));
      for (const g of groups) {
        nodes.push(svg('circle', { class: g === under ? 'point on' : 'point', cx: f.x(g.predicted), cy: f.y(g.observed), r: 3 + 2 * Math.sqrt(g.rows / most) }));
      }
      if (under) {
        return { nodes, legend: [{ cls: 'observed', name: `${int(under.rows)} rows:`, value: `${share(under.predicted)} predicted, ${share(under.observed)} observed` }] };
      }
      return { nodes, legend: [{ name: 'predicted / observed', value: dec(q?.calibration, 3) }, { name: 'on the diagonal they are right', value: '' }] };
    },
    fill: () => rows(calibration.table, groups.map((g) => [`${dec(g.from, 3)} to ${dec(g.to, 3)}`, int(g.rows), share(g.predicted), share(g.observed), g.observed ? dec(g.predicted / g.observed, 3) : dash])),
  });
}
