// Plots as SVG, drawn to the width they are shown at so that text keeps its size.
// Colours are classes of page.css: the policy of the page forbids style attributes.

import { make, text } from './dom.js';
import { share } from './format.js';

const NS = 'http://www.w3.org/2000/svg';

// svg gives an SVG element with attributes and children.
export function svg(name, attributes = {}, ...children) {
  const e = document.createElementNS(NS, name);
  for (const [k, v] of Object.entries(attributes)) if (v !== null && v !== undefined) e.setAttribute(k, v);
  e.append(...children);
  return e;
}

const px = (x) => Math.round(x * 10) / 10;

// Figure is a plot in a <figure>: a heading, a legend whose figures follow the
// pointer, the drawing, a word in its place where there is nothing to draw, and
// the same as a table for those who can't see it or want the numbers.
export class Figure {
  // table is what dom.table gives; draw(width, height) gives the drawing's children.
  constructor(root, { heading, height, table }) {
    this.height = height;
    this.table = table;
    const id = `${root.id}-h`;
    this.legend = make('ul', { class: 'legend' });
    this.canvas = svg('svg', { role: 'img', 'aria-labelledby': id, 'aria-describedby': `${root.id}-say`, height, class: 'plot' });
    this.say = make('p', { class: 'unseen', id: `${root.id}-say` });
    this.empty = make('p', { class: 'empty', hidden: true });
    this.details = make('details', {}, make('summary', {}, make('span', {}, 'As a table'), make('span', { class: 'unseen' }, `: ${heading}`)), table.node);
    root.append(make('figcaption', {}, make('h3', { id }, heading), this.legend), this.canvas, this.say, this.empty, this.details);
    this.at = null; // x of the pointer, in pixels
    const redraw = () => this.paint();
    this.canvas.addEventListener('pointermove', (e) => { this.at = e.clientX - this.canvas.getBoundingClientRect().left; redraw(); });
    this.canvas.addEventListener('pointerleave', () => { this.at = null; redraw(); });
    new ResizeObserver(redraw).observe(root);
    this.details.addEventListener('toggle', () => this.fill?.());
  }

  // show sets what is drawn. paint(width, height, at) gives {nodes, legend};
  // say is one sentence for screen readers; fill fills the table when it is open;
  // where empty is a text, it stands in the place of the drawing.
  show({ paint, say, fill, empty }) {
    this.painter = paint;
    this.fill = () => { if (this.details.open) fill(); };
    const none = empty !== undefined && empty !== null;
    this.canvas.classList.toggle('gone', none);
    this.empty.hidden = !none;
    this.details.hidden = none;
    text(this.empty, none ? empty : '');
    text(this.say, none ? '' : say);
    this.none = none;
    this.paint();
    this.fill();
  }

  paint() {
    if (!this.painter) return;
    const width = Math.floor(this.canvas.getBoundingClientRect().width || this.canvas.parentElement.clientWidth);
    if (this.none || width < 40) {
      this.key([]);
      return;
    }
    this.canvas.setAttribute('viewBox', `0 0 ${width} ${this.height}`);
    const { nodes, legend } = this.painter(width, this.height, this.at);
    this.canvas.replaceChildren(...nodes);
    this.key(legend ?? []);
  }

  // key draws the legend: [{cls, name, value}].
  key(items) {
    while (this.legend.children.length > items.length) this.legend.lastElementChild.remove();
    items.forEach((item, i) => {
      let li = this.legend.children[i];
      if (!li) this.legend.append((li = make('li', {}, make('span', { class: 'swatch' }), make('span'), make('b'))));
      li.children[0].setAttribute('class', item.cls ? `swatch ${item.cls}` : 'swatch none');
      text(li.children[1], item.name);
      text(li.children[2], item.value ?? '');
    });
  }
}

// ticks gives about count round numbers from low to high.
export function ticks(low, high, count) {
  const raw = (high - low) / Math.max(1, count);
  if (!(raw > 0)) return [low];
  const power = 10 ** Math.floor(Math.log10(raw));
  const step = [1, 2, 2.5, 5, 10].map((m) => m * power).find((s) => s >= raw * 0.999);
  const out = [];
  for (let k = Math.ceil(low / step - 1e-9); k * step <= high + step * 1e-9; k++) out.push(k * step + 0); // no -0
  return out;
}

// shares gives ticks of an axis of shares, with as many digits as they differ by.
export function shares(low, high, count) {
  const all = ticks(low, high, count);
  const digits = Math.max(0, ...all.map((v) => (Number((100 * v).toFixed(3)).toString().split('.')[1] ?? '').length));
  return all.map((v) => [v, share(v, digits)]);
}

// ceiling gives the round number from which an axis goes down.
export function ceiling(x, count = 4) {
  if (!(x > 0)) return 1;
  const t = ticks(0, x, count);
  const step = t.length > 1 ? t[1] - t[0] : x;
  return Math.ceil(x / step - 1e-9) * step;
}

// Frame has the room inside the axes and draws these.
export class Frame {
  constructor(width, height, { left = 46, right = 12, top = 10, bottom = 24, x, y }) {
    Object.assign(this, { width, height, left, right: width - right, top, bottom: height - bottom, domain: { x, y } });
  }

  x(v) { const [a, b] = this.domain.x; return this.left + ((v - a) / (b - a || 1)) * (this.right - this.left); }

  y(v) { const [a, b] = this.domain.y; return this.bottom - ((v - a) / (b - a || 1)) * (this.bottom - this.top); }

  // back gives the value of a pixel on the x axis.
  back(pixel) { const [a, b] = this.domain.x; return a + ((pixel - this.left) / (this.right - this.left)) * (b - a); }

  // axes draws lines and numbers; a tick is [value, text].
  axes(xTicks, yTicks, names = {}) {
    const out = [];
    for (const [v, label] of yTicks) {
      const y = px(this.y(v));
      out.push(svg('line', { class: v === this.domain.y[0] ? 'axis' : 'grid', x1: this.left, x2: this.right, y1: y, y2: y }),
        svg('text', { class: 'tick', x: this.left - 6, y: y + 3.5, 'text-anchor': 'end' }, label));
    }
    for (const [v, label] of xTicks) {
      const x = px(this.x(v));
      const anchor = x > this.right - 14 ? 'end' : x < this.left + 14 ? 'start' : 'middle';
      out.push(svg('line', { class: 'axis', x1: x, x2: x, y1: this.bottom, y2: this.bottom + 4 }),
        svg('text', { class: 'tick', x: anchor === 'end' ? this.right : x, y: this.bottom + 16, 'text-anchor': anchor }, label));
    }
    if (names.x) out.push(svg('text', { class: 'tick', x: this.right, y: this.height - 2, 'text-anchor': 'end' }, names.x));
    if (names.y) out.push(svg('text', { class: 'tick', x: this.left, y: 9, 'text-anchor': 'start' }, names.y));
    return out;
  }

  // line draws [x, y] points; null breaks it, a lone point is a dot. fill, where
  // not null, is the class of the area below it.
  line(points, cls, fill) {
    const parts = [];
    let part = [];
    for (const p of points) {
      if (p[1] === null) { if (part.length) parts.push(part); part = []; } else part.push([px(this.x(p[0])), px(this.y(p[1]))]);
    }
    if (part.length) parts.push(part);
    const out = [];
    for (const p of parts) {
      if (p.length === 1) { out.push(svg('circle', { class: `dot ${cls}`, cx: p[0][0], cy: p[0][1], r: 2 })); continue; }
      const d = `M${p.map((q) => q.join(' ')).join('L')}`;
      if (fill) out.push(svg('path', { class: fill, d: `${d}L${p.at(-1)[0]} ${this.bottom}L${p[0][0]} ${this.bottom}Z` }));
      out.push(svg('path', { class: `line ${cls}`, d }));
    }
    return out;
  }

  // cross marks where the pointer is.
  cross(v) { const x = px(this.x(v)); return svg('line', { class: 'cross', x1: x, x2: x, y1: this.top, y2: this.bottom }); }
}

// timeTicks gives ticks of an axis of milliseconds.
export function timeTicks([from, to], width, label) {
  const steps = [5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10800].map((s) => s * 1000);
  const step = steps.find((s) => (to - from) / s <= Math.max(2, width / 90)) ?? steps.at(-1);
  const offset = new Date(from).getTimezoneOffset() * 60000;
  const out = [];
  for (let t = Math.ceil((from - offset) / step) * step + offset; t <= to; t += step) out.push([t, label(t)]);
  return out;
}

// spark is a small line without axes: of a tile.
export function spark(values, width, height) {
  const top = Math.max(...values, 0) || 1;
  const n = Math.max(values.length - 1, 1);
  const points = values.map((v, i) => `${px((i / n) * width)} ${px(height - 1.5 - (v / top) * (height - 3))}`);
  const node = svg('svg', { class: 'spark', viewBox: `0 0 ${width} ${height}`, preserveAspectRatio: 'none', 'aria-hidden': 'true' });
  if (points.length > 1) {
    node.append(svg('path', { class: 'area predicted', d: `M${points.join('L')}L${width} ${height}L0 ${height}Z` }),
      svg('path', { class: 'line predicted', d: `M${points.join('L')}` }));
  }
  return node;
}

// bar is a bar in a table's cell: of a share 0..1, with marks at others.
export function bar(share, cls, marks = []) {
  const node = svg('svg', { class: 'cellbar', viewBox: '0 0 100 10', preserveAspectRatio: 'none', 'aria-hidden': 'true' },
    svg('rect', { class: 'track', x: 0, y: 3, width: 100, height: 4 }),
    svg('rect', { class: cls, x: 0, y: 2, width: px(100 * Math.min(1, Math.max(0, share))), height: 6 }));
  for (const m of marks) node.append(svg('rect', { class: 'tip', x: px(100 * m), y: 0, width: 0.7, height: 10 }));
  return node;
}

// lean is a bar to the left or right of the middle: of a contribution -1..1.
export function lean(x) {
  const w = px(50 * Math.min(1, Math.abs(x)));
  return svg('svg', { class: 'lean', viewBox: '0 0 100 10', preserveAspectRatio: 'none', 'aria-hidden': 'true' },
    svg('rect', { class: x < 0 ? 'down' : 'up', x: x < 0 ? 50 - w : 50, y: 1, width: w, height: 8 }),
    svg('rect', { class: 'tip', x: 49.7, y: 0, width: 0.6, height: 10 }));
}
