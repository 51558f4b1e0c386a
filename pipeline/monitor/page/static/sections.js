// Everything of the page but the plots: tiles, alarms and tables.

import { $, attr, each, make, once, rows, show, table, text } from './dom.js';
import { bar, spark } from './plots.js';
import { age, clock, cut, dash, dec, int, plural, rate, share, span } from './format.js';

// section gives an element its table and its word for when there is nothing.
function section(id, caption, headings) {
  return once($(id), (root) => {
    const t = table(caption, headings);
    const empty = make('p', { class: 'empty', hidden: true });
    root.append(t.node, empty);
    return {
      fill(items, why) {
        show(t.node, items.length > 0);
        show(empty, items.length === 0);
        text(empty, items.length ? '' : why);
        rows(t, items);
      },
    };
  });
}

export function facts(live, m) {
  const list = [];
  if (m) {
    const version = m.version && m.version !== m.hash && m.version !== '1' ? `@${m.version}` : '';
    list.push(['Model', m.name + version], ['Algorithm', m.algo], ['Hash', m.hash.slice(0, 12)], ['Click above', dec(m.threshold)], ['Loaded', since(live, m.loaded)]);
  }
  if (live.topic) list.push(['Topic', live.topic]);
  if (live.group) list.push(['Group', live.group]);
  list.push(['Up', age(live.uptime_seconds)], ['ctr', live.version]);
  each($('facts'), list, () => make('div', {}, make('dt'), make('dd')), (e, [name, value]) => {
    text(e.children[0], name);
    text(e.children[1], value);
  });
}

const since = (live, t) => `${age((Date.parse(live.time) - Date.parse(t)) / 1000)} ago`;

// recent gives the last n seconds' rows of all models.
function recent(live, n) {
  const byTime = new Map();
  for (const m of live.models) for (const p of m.seconds) byTime.set(p.time, (byTime.get(p.time) ?? 0) + p.predictions);
  return [...byTime.keys()].sort().slice(-n).map((t) => byTime.get(t));
}

export function tiles(live, m) {
  const stream = live.source === 'stream';
  const main = live.latency.find((l) => l.name === (stream ? 'record' : 'request')) ?? live.latency[0];
  const quality = m?.quality;
  const noLabels = 'no labels have come';
  const t = live.totals;
  const list = [
    { id: 'rows-per-second', name: 'Rows a second', value: live.rows_per_second, text: rate(live.rows_per_second), note: `${int(t.predictions)} scored in all`, spark: recent(live, 60) },
    stream
      ? { id: 'lag', name: 'Lag', value: live.lag_total, text: int(live.lag_total), note: live.lag.length ? `records in ${plural(live.lag.length, 'partition')}` : 'no partitions yet' }
      : { id: 'requests-per-second', name: 'Requests a second', value: live.requests_per_second, text: rate(live.requests_per_second), note: `${int(t.requests)} in all` },
    { id: 'p99', name: `Latency, p99`, value: main?.p99, text: span(main?.p99), note: main?.p50 != null ? `p50 ${span(main.p50)}` : stream ? 'no records in the last minute' : 'no requests in the last minute' },
    { id: 'mean-score', name: 'Predicted click rate', value: m?.mean_score, text: share(m?.mean_score), note: quality ? `${share(quality.observed)} observed` : noLabels },
    { id: 'log-loss', name: 'Log loss', value: quality?.log_loss, text: dec(quality?.log_loss), note: quality ? `AUC ${dec(quality.auc)}` : noLabels },
    { id: 'bad', name: stream ? 'Bad rows' : 'Errors', value: stream ? t.bad : t.errors, text: int(stream ? t.bad : t.errors), cls: (stream ? t.bad : t.errors) ? 'warn' : '',
      note: stream ? plural(t.dead_letters, 'dead letter') : plural(t.bad, 'bad row') },
  ];
  each($('tiles'), list, () => make('div', { class: 'tile' }, make('dt'), make('dd', { class: 'figure' }), make('dd', { class: 'note' })), (e, item) => {
    text(e.children[0], item.name);
    text(e.children[1], item.text);
    attr(e.children[1], 'id', `t-${item.id}`);
    attr(e.children[1], 'data-value', item.value ?? null);
    attr(e.children[1], 'class', `figure ${item.cls ?? ''}`.trim());
    text(e.children[2], item.note);
    e.querySelector('.spark')?.remove();
    if (item.spark?.length > 2) e.append(spark(item.spark, 100, 26));
  });
}

const alarmNames = { psi: 'Drift', unseen: 'Unseen values', missing: 'Missing values', calibration: 'Calibration', lag: 'Lag', errors: 'Errors', model: 'Model' };

export function alarms(live) {
  const list = live.alarms;
  $('alarms').classList.toggle('raised', list.length > 0);
  show($('alarm-none'), list.length === 0);
  show($('alarm-list'), list.length > 0);
  each($('alarm-list'), list, () => make('li', {}, make('b'), make('span'), make('span', { class: 'since' })), (e, a) => {
    text(e.children[0], alarmNames[a.kind] ?? a.kind);
    text(e.children[1], ` ${a.text} `);
    text(e.children[2], `since ${clock(a.since)}`);
  });
}

export function quality(live, m) {
  const t = section('quality', 'Running quality against labels', [{ unseen: 'Figure' }, 'last 15 minutes', 'since the start']);
  const two = [m?.recent_quality, m?.quality];
  const line = (name, key, format) => [name, ...two.map((q) => ({ text: q ? format(q[key]) : dash, value: q?.[key] }))];
  const none = !m?.quality;
  t.fill(none ? [] : [
    line('Rows with labels', 'rows', int), line('Clicks', 'clicks', int), line('Accuracy', 'accuracy', dec), line('Precision', 'precision', dec),
    line('Recall', 'recall', dec), line('F1', 'f1', dec), line('AUC', 'auc', dec), line('Log loss', 'log_loss', dec),
    line('Predicted click rate', 'predicted', share), line('Observed click rate', 'observed', share), line('Predicted / observed', 'calibration', (x) => dec(x, 3)),
  ], live.totals.predictions
    ? 'No labels have come. Where rows carry the label column, predictions are judged here as they are made.'
    : 'No rows have come yet.');
}

const latencyNames = { request: 'Request', score: 'Scoring', record: 'End to end' };

export function latency(live) {
  const t = section('latency', 'Latency over the last minute', [{ unseen: 'Span' }, 'p50', 'p90', 'p99', 'p99.9', 'max', 'count']);
  const cell = (x) => ({ text: span(x), value: x });
  const last = once($('h-latency'), (h) => { const p = make('p', { class: 'lead' }, 'From when a record was produced to its prediction is end to end.'); h.after(p); return p; });
  show(last, live.latency.some((l) => l.name === 'record'));
  t.fill(live.latency.map((l) => [latencyNames[l.name] ?? l.name, cell(l.p50), cell(l.p90), cell(l.p99), cell(l.p999), cell(l.max), { text: int(l.count), value: l.count }]),
    'Nothing was measured yet.');
}

export function lag(live) {
  const t = section('lag', 'Lag by partition', ['Partition', 'Lag', { unseen: 'Lag as a bar' }, 'Rows/s', 'Next offset', 'Committed']);
  const most = Math.max(...live.lag.map((p) => p.lag), 1);
  t.fill(live.lag.map((p) => [`${p.topic}/${p.partition}`, { text: int(p.lag), value: p.lag }, { node: bar(p.lag / most, p.lag ? 'fill' : 'none'), cls: 'barcell' },
    rate(p.rows_per_second), int(p.next), p.committed < 0 ? dash : int(p.committed)]),
  live.source === 'stream' ? 'No partition has been given to this process yet. There may be more members of the group than partitions.' : 'Rows come by request here: there is no topic to lag behind.');
}

const kinds = { dict: 'values', hash: 'hashed', num: 'number' };

// fewColumns is how many columns are shown until all are asked for.
const fewColumns = 10;
let allColumns = false;

export function columns(live, m) {
  const t = section('columns', 'Drift of each column against the training rows', [{ text: 'Column', left: true }, { text: 'Kind', left: true }, 'PSI', { unseen: 'PSI as a bar' }, 'Unseen', 'in training', 'Missing', 'in training', { text: 'Note', left: true }]);
  const rank = (c) => (c.alarm ? 10 : 0) + (c.psi ?? -1);
  const list = [...(m?.sampled ? m.columns : [])].sort((a, b) => rank(b) - rank(a));
  const cell = (x, over) => ({ text: share(x), value: x, cls: over ? 'alarm' : '' });
  const more = once($('columns').closest('section'), (root) => {
    const button = make('button', { type: 'button', class: 'more', 'aria-expanded': 'false' });
    button.addEventListener('click', () => { allColumns = !allColumns; button.redraw(); });
    root.append(button); // below the table
    return button;
  });
  more.redraw = () => columns(live, m);
  show(more, list.length > fewColumns);
  attr(more, 'aria-expanded', String(allColumns));
  text(more, allColumns ? `Show the first ${fewColumns}` : `Show all ${list.length} columns`);
  t.fill(list.slice(0, allColumns ? list.length : fewColumns).map((c) => {
    const level = c.psi === null ? 'none' : c.psi > 0.2 ? 'over' : c.psi > 0.1 ? 'near' : 'fill';
    return [{ text: c.name, cls: c.alarm ? 'alarm' : '' }, kinds[c.kind] ?? c.kind, { text: dec(c.psi, 3), value: c.psi, cls: c.alarm === 'psi' ? 'alarm' : '' },
      { node: bar((c.psi ?? 0) / 0.4, level, [0.5]), cls: 'barcell' }, cell(c.unseen, c.alarm === 'unseen'), share(c.train_unseen), cell(c.missing, c.alarm === 'missing'), share(c.train_missing), c.note];
  }), m ? 'No rows have been looked at yet.' : 'No model is loaded yet.');
  const say = once($('h-columns'), (h) => { const p = make('p', { class: 'lead' }); h.after(p); return p; });
  text(say, m?.sampled ? `PSI, the population stability index, compares ${int(m.sampled)} rows of the last 15 minutes with the training rows: under 0.1 is as good as none, over 0.2 (the mark) is drift.` : '');
}

export function problems(live) {
  const t = section('problems', 'Last errors and dead letters', [{ text: 'Time', left: true }, { text: 'Reason', left: true }, { text: 'Where', left: true }, { text: 'Answer', left: true }]);
  t.fill(live.problems.map((p) => [clock(p.time), { text: p.count > 1 ? `${p.text} (${int(p.count)} times)` : p.text, cls: 'reason' },
    cut(p.place, 40), p.status ? `${p.status}` : p.kind]), 'None since the start.');
}

export function events(live) {
  const t = section('events', 'Events', [{ text: 'Time', left: true }, { text: 'What happened', left: true }]);
  t.fill(live.events.map((e) => [clock(e.time), { text: e.text, cls: 'reason' }]), 'Nothing has happened since the start.');
}
