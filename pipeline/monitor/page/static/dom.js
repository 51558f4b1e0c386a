// Small tools for the document. Nothing is touched that does not change, so that
// focus, selection and a screen reader's place stay where they are.

export const $ = (id) => document.getElementById(id);

// make gives an element with attributes and children.
export function make(name, attributes = {}, ...children) {
  const e = document.createElement(name);
  for (const [k, v] of Object.entries(attributes)) {
    if (v === null || v === undefined || v === false) continue;
    e.setAttribute(k, v === true ? '' : v);
  }
  e.append(...children);
  return e;
}

// text sets an element's text.
export function text(e, s) {
  if (e.textContent !== s) e.textContent = s;
}

// attr sets an attribute, or takes it away where it is null.
export function attr(e, name, value) {
  if (value === null || value === undefined || value === false) {
    if (e.hasAttribute(name)) e.removeAttribute(name);
  } else if (e.getAttribute(name) !== String(value)) {
    e.setAttribute(name, value);
  }
}

// show hides an element or shows it.
export function show(e, yes) {
  if (e.hidden === yes) e.hidden = !yes;
}

// once gives what make made for an element the first time.
const made = new WeakMap();
export function once(e, build) {
  if (!made.has(e)) made.set(e, build(e));
  return made.get(e);
}

// each makes the children of a parent as many as items, and fills each.
export function each(parent, items, build, fill) {
  while (parent.children.length > items.length) parent.lastElementChild.remove();
  items.forEach((item, i) => {
    let child = parent.children[i];
    if (!child) parent.append((child = build(item)));
    fill(child, item, i);
  });
}

// table gives a table with a caption and headings in its own scroller. A heading
// is its text, or {text, left: true}, or {unseen: text} of one for screen readers.
export function table(caption, headings, options = {}) {
  const norm = headings.map((h) => (typeof h === 'string' ? { text: h } : h));
  const row = make('tr', {}, ...norm.map((h, i) => make('th', { scope: 'col', class: i === 0 || h.left ? 'left' : null }, h.unseen ? make('span', { class: 'unseen' }, h.unseen) : h.text)));
  const body = make('tbody');
  const captionNode = make('caption', { class: options.shown ? null : 'unseen' }, caption);
  const node = make('div', { class: 'scroll', tabindex: '0', role: 'group', 'aria-label': caption },
    make('table', {}, captionNode, make('thead', {}, row), body));
  const e = { node, body, caption: captionNode, headings: norm };
  reachable(node);
  return e;
}

// reachable lets a scroller be focused only while there is something to scroll.
function reachable(node) {
  new ResizeObserver(() => {
    attr(node, 'tabindex', node.scrollWidth > node.clientWidth + 1 || node.scrollHeight > node.clientHeight + 1 ? '0' : null);
  }).observe(node);
}

// rows fills a table. A cell is its text, or {text, value, cls, node, title}: value
// is the number behind the text, node an element in its place.
export function rows(t, items) {
  each(t.body, items, () => make('tr'), (tr, cells) => {
    each(tr, cells, (c) => make(tr.children.length === 0 ? 'th' : 'td', tr.children.length === 0 ? { scope: 'row' } : {}), (td, c, j) => {
      if (typeof c === 'string') c = { text: c };
      const h = t.headings[j] ?? {};
      attr(td, 'class', [j === 0 || h.left ? 'left' : '', c.cls ?? ''].join(' ').trim() || null);
      attr(td, 'data-value', c.value ?? null);
      attr(td, 'title', c.title ?? null);
      if (c.node) {
        if (td.firstChild !== c.node) td.replaceChildren(c.node);
      } else {
        text(td, c.text);
      }
    });
  });
}
