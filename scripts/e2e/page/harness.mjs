// Runs ctr and Chromium for the tests of the live page.

import assert from 'node:assert/strict';
import { execFile, spawn } from 'node:child_process';
import { promisify } from 'node:util';
import { chromium } from 'playwright-core';
import { AxeBuilder } from '@axe-core/playwright';

const { CTR, CHROMIUM } = process.env;
export const sleep = (ms) => new Promise((done) => setTimeout(done, ms));

// ctr runs a command to its end and gives its output.
export async function ctr(args, env = {}) {
  const { stdout } = await promisify(execFile)(CTR, args, { env: { ...process.env, ...env }, maxBuffer: 1 << 26 });
  return stdout;
}

const running = new Set();

// start runs a command that goes on, and gives it once its standard error or
// output matches ready, with the match.
export async function start(args, ready, env = {}) {
  const child = spawn(CTR, args, { env: { ...process.env, ...env }, stdio: ['ignore', 'pipe', 'pipe'] });
  running.add(child);
  let text = '';
  child.stdout.on('data', (b) => { text += b; });
  child.stderr.on('data', (b) => { text += b; });
  child.ended = new Promise((done) => child.on('exit', (code) => { running.delete(child); child.code = code; done(code); }));
  const match = await until(`ctr ${args[0]} says ${ready}`, () => {
    if (child.code !== undefined) throw new Error(`ctr ${args.join(' ')} ended with ${child.code}: ${text}`);
    return text.match(ready);
  });
  return { child, match };
}

// stop ends a process as Ctrl-C does.
export async function stop(child, signal = 'SIGINT') {
  child.kill(signal);
  await child.ended;
}

export async function stopAll() {
  for (const child of running) child.kill('SIGKILL');
  await Promise.all([...running].map((c) => c.ended));
}

// until waits until f gives something, at most 60 seconds.
export async function until(what, f) {
  for (const end = Date.now() + 60_000; ;) {
    const got = await f();
    if (got) return got;
    if (Date.now() > end) throw new Error(`waited 60 s: ${what}`);
    await sleep(100);
  }
}

export const json = async (url, token) => (await fetch(url, { headers: token ? { Authorization: `Bearer ${token}` } : {} })).json();

// metrics gives the samples of /metrics by name, the labels of one as an object.
export async function metrics(url) {
  const samples = new Map();
  for (const line of (await (await fetch(url)).text()).split('\n')) {
    const m = line.match(/^(\w+)(?:\{(.*)\})? (\S+)/);
    if (!m) continue;
    const labels = Object.fromEntries([...(m[2] ?? '').matchAll(/(\w+)="((?:[^"\\]|\\.)*)"/g)].map((l) => [l[1], l[2]]));
    if (!samples.has(m[1])) samples.set(m[1], []);
    samples.get(m[1]).push({ labels, value: Number(m[3]) });
  }
  const sum = (name) => {
    assert.ok(samples.has(name), `no ${name} in /metrics`);
    return samples.get(name).reduce((a, s) => a + s.value, 0);
  };
  return { samples, sum };
}

let browser;
export async function openBrowser() {
  browser = await chromium.launch({ executablePath: CHROMIUM, args: process.getuid?.() === 0 ? ['--no-sandbox'] : [] });
}
export const closeBrowser = () => browser?.close();

// open shows a URL and keeps an eye on it: faults are what it complained of,
// hosts whom it asked, live the last document it was given.
export async function open(url, options = {}) {
  const context = await browser.newContext({ viewport: { width: 1280, height: 900 }, locale: 'en-US', timezoneId: 'UTC', ...options });
  const page = await context.newPage();
  page.setDefaultTimeout(60_000);
  const eye = { faults: [], hosts: new Set(), live: null };
  page.on('console', (m) => { if (['error', 'warning'].includes(m.type())) eye.faults.push(m.text()); });
  page.on('pageerror', (e) => eye.faults.push(e.stack));
  page.on('request', (q) => eye.hosts.add(new URL(q.url()).host));
  page.on('response', async (r) => { if (r.url().endsWith('/api/live') && r.ok()) eye.live = await r.json().catch(() => eye.live); });
  await page.goto(url);
  const close = async () => {
    await page.unrouteAll({ behavior: 'ignoreErrors' }); // a request may be under way
    await context.close();
  };
  return { page, eye, close };
}

// drawn waits until the page shows figures and has drawn those that it got last.
export const drawn = (page) => page.waitForSelector('#figures:not([hidden]) .tile');

// axe gives what axe-core finds wrong, one line each.
export async function axe(page) {
  const { violations, passes } = await new AxeBuilder({ page }).analyze();
  assert.ok(passes.length > 10, 'axe looked at next to nothing');
  return violations.flatMap((v) => v.nodes.map((n) => `${v.id}: ${n.target} ${n.any[0]?.message ?? v.help}`));
}

// number reads a figure as a person does: 1,234 or 3.1 % or 21.4 ms.
export function number(text) {
  const m = text.replaceAll(',', '').replace('−', '-').match(/^<?([+-]?[\d.]+)(K|M|B)?(?: (%|µs|ms|s|min|h))?$/);
  assert.ok(m, `${JSON.stringify(text)} is no figure`);
  const unit = { '%': 0.01, µs: 1e-6, ms: 1e-3, s: 1, min: 60, h: 3600, K: 1e3, M: 1e6, B: 1e9 };
  return Number(m[1]) * (unit[m[2]] ?? 1) * (unit[m[3]] ?? 1);
}

// byHead groups figures by the first cell of their row.
export function byHead(list) {
  const groups = {};
  for (const f of list) (groups[f.head] ??= []).push(f);
  return groups;
}

// figures gives all figures of the page: the text and the number behind it.
export const figures = (page, selector) => page.$$eval(`${selector} [data-value]`, (all) => all.map((e) => ({ text: e.textContent, value: Number(e.dataset.value), id: e.id, head: e.closest('tr')?.firstElementChild.textContent ?? '' })));
