// The page of ctr score --http: its figures, how it looks to axe, and what it
// does when the scorer goes.

import assert from 'node:assert/strict';
import fs from 'node:fs';
import { after, before, test } from 'node:test';
import * as h from './harness.mjs';

let url, brokers, score;
const rows = 20_000;
const bad = 3;

before(async () => {
  await h.openBrowser();
  await h.ctr(['synth', '--rows', '40000', '--seed', '11', '--out', 'train.csv', '--quiet']);
  await h.ctr(['train', 'train.csv', '--out', 'model.ctr', '--quiet']);
  await h.ctr(['synth', '--rows', String(rows), '--seed', '12', '--out', 'rows.csv', '--quiet']);
  const lines = fs.readFileSync('rows.csv', 'utf8').split('\n');
  for (let i = 1; i <= bad; i++) lines.splice(5000 * i, 0, lines[i].replace(/^([^,]*),[01],/, '$1,<b onclick=alert(1)>yes</b>,'));
  fs.writeFileSync('rows.csv', lines.join('\n'));
  ({ match: [, brokers] } = await h.start(['broker', '--listen', '127.0.0.1:0', '--dir='], /listening on (\S+),/));
  await h.ctr(['replay', 'rows.csv', '--topic', 'clicks', '--limit', '1000', '--rate', 'max', '--create', '--partitions', '3', '--brokers', brokers, '--quiet']);
  let match;
  ({ child: score, match } = await h.start(['score', '--topic', 'clicks', '--model', 'model.ctr', '--brokers', brokers, '--http', '0', '--print-rate', '0'], /at (http:\S+)/));
  url = match[1];
});
after(async () => {
  await h.closeBrowser();
  await h.stopAll();
});

test('it updates by itself', async () => {
  const { page, eye, close } = await h.open(url);
  await h.drawn(page);
  const at = page.url();
  await page.evaluate(() => { window.here = true; });
  const note = () => page.locator('#t-rows-per-second + .note').textContent();
  await h.until('1,000 rows are scored', async () => (await note()).startsWith('1,000 '));
  await h.ctr(['replay', 'rows.csv', '--topic', 'clicks', '--rate', 'max', '--brokers', brokers, '--quiet']);
  await h.until('all rows are scored', async () => (await note()).startsWith('21,000 '));
  assert.equal(await page.evaluate(() => window.here), true, 'it was loaded anew');
  assert.equal(page.url(), at);
  assert.deepEqual(eye.faults, []);
  assert.deepEqual([...eye.hosts], [new URL(url).host], 'it asks others');
  await close();
});

test('its figures are those of /api/live and /metrics', async () => {
  const { page, eye, close } = await h.open(url);
  await h.drawn(page);
  await h.until('all is quiet', () => eye.live?.lag_total === 0 && eye.live.rows_per_second === 0 && eye.live.totals.predictions === rows + 1000);
  await h.sleep(1500); // the metrics that are worked out each second
  await page.click('#pause');
  await h.sleep(300);
  const live = eye.live, m = live.models[0], q = m.quality;
  const metrics = await h.metrics(`${url}/metrics`);

  const tiles = Object.fromEntries((await h.figures(page, '#tiles')).map((f) => [f.id, f.value]));
  const record = live.latency.find((l) => l.name === 'record');
  const want = { 't-rows-per-second': live.rows_per_second, 't-lag': live.lag_total, 't-mean-score': m.mean_score, 't-log-loss': q.log_loss, 't-bad': live.totals.bad };
  if (record.p99 !== null) want['t-p99'] = record.p99;
  assert.deepEqual(tiles, want);
  const quality = h.byHead(await h.figures(page, '#quality'));
  for (const [head, key] of Object.entries({ 'Rows with labels': 'rows', Clicks: 'clicks', Accuracy: 'accuracy', Precision: 'precision', Recall: 'recall', F1: 'f1', AUC: 'auc', 'Log loss': 'log_loss', 'Predicted click rate': 'predicted', 'Observed click rate': 'observed', 'Predicted / observed': 'calibration' })) {
    assert.deepEqual(quality[head].map((f) => f.value), [m.recent_quality[key], q[key]], head);
  }
  assert.deepEqual((await h.figures(page, '#lag')).map((f) => f.value), live.lag.map((p) => p.lag));
  const psi = Object.fromEntries(m.columns.map((c) => [c.name, c.psi]));
  await page.click('#h-columns ~ button');
  await h.sleep(200);
  const columns = h.byHead(await h.figures(page, '#columns'));
  assert.equal(Object.keys(columns).length, m.columns.filter((c) => c.psi !== null || c.unseen !== null).length);
  for (const [name, [first]] of Object.entries(columns)) if (psi[name] !== null) assert.equal(first.value, psi[name], name);
  await page.click('#scores summary');
  await h.until('the table is filled', async () => (await h.figures(page, '#scores')).length > 0);
  assert.deepEqual((await h.figures(page, '#scores')).map((f) => f.value), m.scores.filter((b) => b.rows).map((b) => b.rows));
  for (const f of await h.figures(page, '#figures')) { // what stands there is what it is
    const said = h.number(f.text);
    assert.ok(Math.abs(said - f.value) <= Math.max(0.006 * Math.abs(f.value), 0.00051), `${f.head} ${f.id}: ${f.text} for ${f.value}`);
  }

  // And both are what Prometheus gets, and what was sent.
  assert.equal(live.totals.predictions, rows + 1000);
  assert.equal(live.totals.bad, bad);
  const same = (name, value) => assert.ok(Math.abs(metrics.sum(name) - value) <= 1e-9 * Math.abs(value), `${name}: ${metrics.sum(name)}, the page has ${value}`);
  same('ctr_predictions_total', m.predictions);
  same('ctr_bad_rows_total', live.totals.bad);
  same('ctr_dead_letters_total', live.totals.dead_letters);
  same('ctr_stream_lag_records', live.lag_total);
  same('ctr_labelled_rows_total', q.rows);
  same('ctr_accuracy_ratio', m.recent_quality.accuracy);
  same('ctr_auc_ratio', m.recent_quality.auc);
  same('ctr_f1_ratio', m.recent_quality.f1);
  same('ctr_calibration_ratio', m.recent_quality.calibration);
  same('ctr_alarms', live.alarms.length);
  same('ctr_score_count', m.scores.reduce((a, b) => a + b.rows, 0));
  for (const s of metrics.samples.get('ctr_feature_psi')) {
    const shown = columns[s.labels.feature]?.[0].value;
    assert.ok(shown === undefined || Math.abs(shown - s.value) < 1e-9, `${s.labels.feature}: PSI ${s.value}, the page has ${shown}`);
  }
  await close();
});

test('values of rows are text, never HTML', async () => {
  const { page, eye, close } = await h.open(url);
  await h.drawn(page);
  await page.waitForFunction(() => document.querySelector('#problems').textContent.includes('<b onclick'));
  assert.equal(await page.locator('#problems b').count(), 0);
  assert.deepEqual(eye.faults, []);
  await close();
});

for (const colorScheme of ['light', 'dark']) {
  for (const [device, width] of [['phone', 360], ['desktop', 1280]]) {
    test(`axe finds nothing: ${colorScheme}, ${device}`, async () => {
      const { page, eye, close } = await h.open(url, { colorScheme, viewport: { width, height: 800 } });
      await h.drawn(page);
      await page.$$eval('details', (all) => all.forEach((d) => { d.open = true; }));
      await h.sleep(1500);
      assert.deepEqual(await h.axe(page), []);
      assert.ok(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth), 'it has to be scrolled sideways');
      const smallest = await page.$$eval('button, select, summary, a', (all) => Math.min(...all.filter((e) => e.checkVisibility()).map((e) => e.getBoundingClientRect().height)));
      assert.ok(smallest >= 14, `a target is ${smallest} px high`);
      assert.deepEqual(eye.faults, []);
      await close();
    });
  }
}

test('it is used by keyboard', async () => {
  const { page, eye, close } = await h.open(url);
  const trickle = h.ctr(['replay', 'rows.csv', '--topic', 'clicks', '--limit', '100', '--rate', '10', '--brokers', brokers, '--quiet']); // one is looked at each second
  await page.waitForSelector('#last tbody tr:nth-child(2) button');
  const focused = () => page.evaluate(() => {
    const e = document.activeElement, s = getComputedStyle(e), next = e.nextElementSibling && getComputedStyle(e.nextElementSibling);
    return { name: e.id || e.name || e.tagName, text: e.textContent, seen: s.outlineStyle !== 'none' || (e.type === 'radio' && next.outlineStyle !== 'none') };
  });
  await page.keyboard.press('Tab');
  assert.match((await focused()).text, /Skip/);
  const seen = [];
  for (let i = 0; i < 40; i++) {
    await page.keyboard.press('Tab');
    const f = await focused();
    if (f.name === 'BODY') break;
    assert.ok(f.seen, `the focus on ${f.name} ${f.text} can't be seen`);
    seen.push(f.name === 'BUTTON' ? f.text : f.name);
  }
  for (const want of ['pause', 'span', 'SUMMARY', 'A']) assert.ok(seen.includes(want), `${want} is not among ${seen}`);
  await page.focus('#last tbody tr:nth-child(2) button');
  const time = await page.locator('#last tbody tr:nth-child(2) button').last().textContent();
  const newest = eye.live.predictions[0].time;
  await h.until('newer predictions come', () => eye.live.predictions[0].time !== newest);
  await h.sleep(200);
  assert.ok(await page.getByText('The list waits while you choose.').isVisible());
  await page.keyboard.press('Enter');
  assert.match(await page.locator('#last .lead').textContent(), new RegExp(`^Picked, ${time}`));
  await page.getByRole('button', { name: 'Follow the newest' }).press('Enter');
  await h.until('the list goes on', async () => !(await page.getByText('The list waits while you choose.').isVisible()));
  assert.match(await page.locator('#last .lead').textContent(), /^The newest/);
  await page.focus('input[value=seconds]');
  await page.keyboard.press('ArrowRight');
  assert.ok(await page.locator('input[value=minutes]').isChecked());
  await trickle;
  await close();
});

test('alarms are told once', async () => {
  const { page, close } = await h.open('about:blank');
  let alarms = [];
  await page.route('**/api/live', async (route) => {
    const answer = await route.fetch();
    await route.fulfill({ response: answer, json: { ...(await answer.json()), alarms } });
  });
  await page.goto(url);
  await h.drawn(page);
  await page.evaluate(() => {
    window.told = [];
    new MutationObserver(() => window.told.push(document.getElementById('say').textContent)).observe(document.getElementById('say'), { childList: true, characterData: true, subtree: true });
  });
  assert.ok(await page.locator('#alarm-none').isVisible());
  alarms = [{ kind: 'psi', model: 'model', column: 'C14', value: 0.3, limit: 0.2, since: new Date().toISOString(), text: 'column C14 <i>drifts</i>' }];
  await page.waitForSelector('#alarm-list li');
  await h.sleep(2500);
  assert.equal(await page.title(), '(1) ctr clicks');
  assert.deepEqual(await page.evaluate(() => window.told), ['Alarm: column C14 <i>drifts</i>']);
  assert.deepEqual(await h.axe(page), []);
  alarms = [];
  await page.waitForSelector('#alarm-none:not([hidden])');
  assert.deepEqual(await page.evaluate(() => window.told), ['Alarm: column C14 <i>drifts</i>', 'All alarms have ended.']);
  await close();
});

test('a lost connection is said and comes back', async () => {
  const { page, close } = await h.open(url);
  await h.drawn(page);
  await h.stop(score);
  await page.waitForSelector('#lost:not([hidden])');
  assert.match(await page.locator('#lost').textContent(), /^Connection lost: .* The figures are those of \d\d:\d\d:\d\d\. Trying again each second\.$/);
  assert.equal(await page.locator('#state').textContent(), 'connection lost');
  assert.match(await page.locator('#say').textContent(), /Connection lost/);
  assert.ok(await page.locator('#tiles').isVisible(), 'the last figures are gone');
  assert.deepEqual(await h.axe(page), []);
  ({ child: score } = await h.start(['score', '--topic', 'clicks', '--model', 'model.ctr', '--brokers', brokers, '--http', new URL(url).port, '--print-rate', '0'], /at (http:\S+)/));
  await page.waitForSelector('#lost', { state: 'hidden' });
  assert.match(await page.locator('#say').textContent(), /Connected again/);
  await close();
});
