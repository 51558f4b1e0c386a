// The page of ctr serve: tokens, several models, and what it says where there is
// nothing to show.

import assert from 'node:assert/strict';
import fs from 'node:fs';
import { after, before, test } from 'node:test';
import * as h from './harness.mjs';

let url;
const token = 'sesame';

before(async () => {
  await h.openBrowser();
  await h.ctr(['synth', '--rows', '5000', '--seed', '21', '--out', 'serve.csv', '--quiet']);
  await h.ctr(['train', 'serve.csv', '--out', 'lr.ctr', '--quiet']);
  await h.ctr(['train', 'serve.csv', '--algo', 'dt', '--out', 'dt.ctr', '--quiet']);
  const { match } = await h.start(['serve', '--model', 'lr.ctr,trees=dt.ctr', '--listen', '0'], /at (http:[^;\s]+);/, { CTR_SERVE_TOKENS: token });
  url = match[1];
});
after(async () => {
  await h.closeBrowser();
  await h.stopAll();
});

// enter gives the page its token.
async function enter(page) {
  await page.waitForSelector('#token:not([hidden])');
  await page.fill('#token-text', token);
  await page.keyboard.press('Enter');
  await h.drawn(page);
}

test('it asks for a token', async () => {
  const { page, eye, close } = await h.open(url);
  await page.waitForSelector('#token:not([hidden])');
  assert.equal(await page.evaluate(() => document.activeElement.id), 'token-text');
  assert.deepEqual(await h.axe(page), []);
  await h.sleep(2500);
  assert.deepEqual(eye.faults.length, 1, 'it goes on asking without a token'); // one line for each 401
  await page.fill('#token-text', 'wrong');
  await page.keyboard.press('Enter');
  await page.waitForFunction(() => document.querySelector('#token-why').textContent.includes('does not know'));
  assert.ok(!(await page.locator('#figures').isVisible()));
  await enter(page);
  await page.reload();
  await h.drawn(page); // it is remembered by the tab
  await close();
});

test('it says why it has nothing to show', async () => {
  const { page, eye, close } = await h.open(url, { viewport: { width: 360, height: 800 } });
  await enter(page);
  const text = await page.locator('main').innerText();
  for (const want of ['No labels have come', 'no rows have been scored by this model', 'there is no topic to lag behind', 'about one row a second is looked at once rows come', 'Nothing has happened since the start.']) {
    assert.ok(text.includes(want), `no ${JSON.stringify(want)} in ${text}`);
  }
  assert.deepEqual(await h.axe(page), []);
  assert.deepEqual(eye.faults.filter((f) => !f.includes('401')), []);
  await close();
});

test('rows without labels, and each model for itself', async () => {
  const [head, ...lines] = fs.readFileSync('serve.csv', 'utf8').trim().split('\n').map((l) => l.split(','));
  const click = head.indexOf('click');
  const csv = [head, ...lines.slice(0, 500)].map((l) => l.filter((_, i) => i !== click).join(',')).join('\n');
  const send = async (path, body) => (await fetch(url + path, { method: 'POST', body, headers: { Authorization: `Bearer ${token}`, 'Content-Type': 'text/csv' } })).status;
  assert.equal(await send('/v1/score', csv), 200);
  assert.equal(await send('/v1/models/trees/score', csv.split('\n').slice(0, 101).join('\n')), 200);
  assert.equal(await send('/v1/score', 'nonsense\n1\n'), 400);
  const { page, eye, close } = await h.open(url);
  await enter(page);
  await page.waitForFunction(() => document.querySelector('#t-rows-per-second + .note').textContent.startsWith('600 '));
  const predicted = await page.locator('#t-mean-score').getAttribute('data-value');
  assert.equal(Number(predicted), eye.live.models[0].mean_score);
  assert.match(await page.locator('#quality').innerText(), /No labels have come/);
  assert.match(await page.locator('#problems').innerText(), /400/);
  assert.match(await page.locator('#last').innerText(), /log-odds from a baseline|probability from a baseline/);
  await page.selectOption('#model', { index: 1 });
  await h.until('the trees are shown', async () => Number(await page.locator('#t-mean-score').getAttribute('data-value')) === eye.live.models[1].mean_score);
  assert.equal(eye.live.models[1].predictions, 100);
  assert.deepEqual(await h.axe(page), []);
  await close();
});
