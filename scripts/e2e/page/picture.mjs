// Writes the README's picture: the page of ctr score --http after two minutes of
// rows from ctr synth.

import assert from 'node:assert/strict';
import fs from 'node:fs';
import { after, test } from 'node:test';
import * as h from './harness.mjs';

after(async () => {
  await h.closeBrowser();
  await h.stopAll();
});

test('a picture', async () => {
  await h.openBrowser();
  await h.ctr(['synth', '--rows', '500000', '--seed', '1', '--out', 'all.csv', '--quiet']);
  const lines = fs.readFileSync('all.csv', 'utf8').split('\n');
  fs.writeFileSync('train.csv', lines.slice(0, 100_001).join('\n'));
  const rest = [lines[0], ...lines.slice(100_001)];
  rest.splice(60_000, 0, rest[1].replace(/^([^,]*),[01],/, '$1,yes,'));
  fs.writeFileSync('rest.csv', rest.join('\n'));
  await h.ctr(['train', 'train.csv', '--out', 'clicks.ctr', '--quiet']);
  const { match: [, brokers] } = await h.start(['broker', '--listen', '127.0.0.1:0', '--dir='], /listening on (\S+),/);
  const { match: [, url] } = await h.start(['score', '--topic', 'clicks', '--model', 'clicks.ctr', '--brokers', brokers, '--http', '0', '--print-rate', '0'], /at (http:\S+)/);
  await h.start(['replay', 'rest.csv', '--topic', 'clicks', '--rate', '2500', '--create', '--partitions', '3', '--brokers', brokers], /./);
  const { page, eye, close } = await h.open(url, { viewport: { width: 1200, height: 900 } });
  await h.sleep(125_000);
  await h.drawn(page);
  await page.screenshot({ path: 'picture.png', fullPage: true });
  assert.deepEqual(eye.faults, []);
  await close();
});
