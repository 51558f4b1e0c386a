// The last predictions and why they came out so. One is shown in full: the
// newest, or the one that was picked.

import { $, attr, each, make, once, rows, show, table, text } from './dom.js';
import { lean } from './plots.js';
import { clock, cut, dash, dec, signed } from './format.js';

let picked = null; // the prediction that was picked, else the newest is shown
let latest = null;
let shown = []; // what the list has

const same = (a, b) => a && b && a.time === b.time && a.place === b.place && a.id === b.id;

// build makes the two halves.
function build(root) {
  const why = table('What moved this prediction', [{ text: 'Column', left: true }, { text: 'Value', left: true }, { unseen: 'As a bar' }, 'Adds']);
  const heading = make('h3');
  const lead = make('p', { class: 'lead' });
  const none = make('p', { class: 'empty', hidden: true });
  const follow = make('button', { type: 'button', hidden: true }, 'Follow the newest');
  follow.addEventListener('click', () => { picked = null; draw(); });
  const list = table('Last predictions, the newest first', [{ text: 'Time', left: true }, 'Probability', 'Click?', 'Label', { text: 'Most by', left: true }, { text: 'Where', left: true }]);
  const pickers = new WeakMap(); // a row's button
  const held = make('p', { class: 'note', hidden: true }, 'The list waits while you choose.');
  const empty = make('p', { class: 'empty', hidden: true }, 'None yet: about one row a second is looked at once rows come.');
  const halves = make('div', { class: 'halves' }, make('div', { class: 'one' }, make('div', { class: 'head' }, heading, follow), lead, why.node, none), make('div', {}, list.node, held));
  root.append(halves, empty);
  return { why, heading, lead, none, follow, list, pickers, held, empty, halves };
}

export function last(live) {
  latest = live;
  draw();
}

function draw() {
  const e = once($('last'), build);
  const all = latest.predictions;
  show(e.halves, all.length > 0);
  show(e.empty, all.length === 0);
  if (!all.length) return;
  const one = picked ?? all[0];
  detail(e, one);
  const waits = chosenFrom(e.list.node) && shown.length > 0;
  show(e.held, waits);
  if (!waits) shown = all.slice(0, 10);
  rows(e.list, shown.map((p) => [
    { text: clock(p.time), cls: 'pick' }, { text: dec(p.probability), value: p.probability }, p.prediction ? 'click' : 'no',
    p.label === null ? dash : p.label ? 'click' : 'no', strongest(p), cut(p.place || (p.id ?? dash), 30)]));
  pickable(e, one);
}

// chosenFrom tells whether somebody points at a list or has the focus in it: rows
// that move then would be other ones by the time of a click.
const chosenFrom = (node) => node.contains(document.activeElement) || (matchMedia('(hover: hover)').matches && node.matches(':hover'));

// pickable puts a button into each row's time.
function pickable(e, one) {
  [...e.list.body.children].forEach((tr, i) => {
    const cell = tr.children[0];
    let button = e.pickers.get(cell);
    if (!button) {
      button = make('button', { type: 'button', class: 'link' });
      button.addEventListener('click', () => { picked = shown[button.at]; draw(); });
      e.pickers.set(cell, button);
    }
    button.at = i;
    text(button, clock(shown[i].time));
    if (cell.firstChild !== button) cell.replaceChildren(button);
    const on = same(shown[i], one);
    attr(button, 'aria-pressed', String(on && picked !== null));
    attr(tr, 'class', on ? 'on' : null);
  });
}

const strongest = (p) => (p.why.length ? `${p.why[0].column} ${signed(p.why[0].contribution, 2)}` : dash);

function detail(e, p) {
  show(e.follow, picked !== null);
  text(e.heading, `${dec(p.probability)} → ${p.prediction ? 'click' : 'no click'}${p.label === null ? '' : p.label ? ', and it was a click' : ', and it was none'}`);
  const where = [p.id === null ? '' : `id ${cut(p.id, 24)}`, p.place].filter(Boolean).join(', ');
  const from = p.scale === 'log-odds' ? `log-odds from a baseline of ${signed(p.baseline, 2)}` : p.scale ? `probability from a baseline of ${dec(p.baseline)}` : '';
  text(e.lead, [`${picked ? 'Picked' : 'The newest looked at'}, ${clock(p.time)}`, where, from].filter(Boolean).join('; ') + '.');
  show(e.why.node, p.why.length > 0);
  show(e.none, p.why.length === 0);
  text(e.none, p.why.length ? '' : 'This model does not say why.');
  const most = Math.max(...p.why.map((r) => Math.abs(r.contribution)), 1e-12);
  rows(e.why, p.why.map((r) => [r.column, { text: value(r), cls: r.value === null ? 'quiet' : '' }, { node: lean(r.contribution / most), cls: 'leancell' }, { text: signed(r.contribution), value: r.contribution }]));
}

const value = (r) => (r.value === null ? 'not shown' : (r.value === '' ? '(empty)' : cut(r.value, 24)) + (r.unseen ? ' (unseen)' : ''));
