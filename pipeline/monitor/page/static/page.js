// The live page: asks for api/live each second and draws what it says. It asks
// again rather than being told (api/events), since a request can carry a token
// and leaves no connection open that would hold up a server's end.

import { $, attr, make, show, text } from './dom.js';
import { clock, plural } from './format.js';
import * as time from './time.js';
import * as scores from './scores.js';
import * as parts from './sections.js';
import { last } from './last.js';

const every = 1000; // ms between questions
const patience = 4000; // ms for an answer

let live = null; // the last answer
let lost = 0; // when the connection was lost, else 0
let paused = false;
let model = null; // name of the model that was chosen
let span = stored('ctr-span') === 'minutes' ? 'minutes' : 'seconds';
const said = { alarms: null, models: null };

function stored(name, value) {
  try { // storage may be forbidden
    if (value === undefined) return sessionStorage.getItem(name);
    sessionStorage.setItem(name, value);
  } catch { /* then it is not remembered */ }
  return null;
}

// announce tells screen readers of something, once.
function announce(words) { text($('say'), words); }

async function ask() {
  const token = stored('ctr-token');
  const answer = await fetch('api/live', {
    cache: 'no-store', signal: AbortSignal.timeout(patience),
    headers: token ? { Authorization: `Bearer ${token}` } : {},
  });
  if (answer.status === 401) return 'token';
  if (!answer.ok) throw new Error(`the server answers ${answer.status}`);
  return answer.json();
}

// turn asks once and draws.
async function turn() {
  if (paused || (document.hidden && live)) return;
  if (!$('token').hidden && !stored('ctr-token')) return; // each try would count as an error
  try {
    const answer = await ask();
    if (answer === 'token') {
      wantToken();
      return;
    }
    if (paused) return;
    live = answer;
    found();
    draw();
  } catch (e) {
    lose(e);
  }
}

function wantToken() {
  const form = $('token');
  stored('ctr-token', '');
  if (form.hidden) {
    show($('figures'), false);
    show(form, true);
    state('wants a token', 'warn');
    $('token-text').focus();
  } else {
    text($('token-why'), 'The server does not know this token.');
    announce('The server does not know this token.');
  }
}

// lose says that the server can't be reached, and since when.
function lose(e) {
  const since = live ? `The figures are those of ${clock(live.time)}.` : 'No figures have come yet.';
  const why = e.name === 'TimeoutError' ? 'no answer' : e instanceof TypeError ? 'the server can’t be reached' : e.message;
  text($('lost'), `Connection lost: ${why}. ${since} Trying again each second.`);
  show($('lost'), true);
  document.body.classList.add('stale');
  state('connection lost', 'bad');
  if (!lost) {
    lost = Date.now();
    announce('Connection lost. Trying again.');
  }
}

function found() {
  show($('lost'), false);
  show($('token'), false);
  show($('figures'), true);
  document.body.classList.remove('stale');
  if (lost) announce('Connected again.');
  lost = 0;
}

function state(words, cls) {
  text($('state'), words);
  attr($('state'), 'class', `pill ${cls}`);
}

// chosen gives the model whose figures are shown.
const chosen = () => live.models.find((m) => `${m.name}@${m.version}` === model) ?? live.models[0];

function choose() {
  const names = live.models.map((m) => `${m.name}@${m.version}`);
  const select = $('model');
  show($('choose'), names.length > 1);
  if ([...select.options].map((o) => o.value).join('\n') !== names.join('\n')) {
    select.replaceChildren(...names.map((n) => make('option', { value: n }, n)));
    if (model !== null && names.includes(model)) select.value = model;
  }
}

// tell announces what changed, not what goes on.
function tell() {
  const alarms = live.alarms.map((a) => [a.kind, a.model, a.column].join(' '));
  if (said.alarms !== null) {
    const fresh = live.alarms.filter((a, i) => !said.alarms.includes(alarms[i]));
    if (fresh.length) announce(`Alarm: ${fresh.map((a) => a.text).join('; ')}`);
    else if (said.alarms.length && !alarms.length) announce('All alarms have ended.');
  } else if (alarms.length) {
    announce(`${plural(alarms.length, 'alarm')}.`);
  }
  said.alarms = alarms;
  const models = live.models.map((m) => m.hash).join(' ');
  if (said.models !== null && said.models !== models) announce('A model was replaced.');
  said.models = models;
}

function draw() {
  choose();
  const m = chosen();
  text($('what'), live.source === 'stream' ? live.topic ?? 'stream' : 'serve');
  const count = live.alarms.length;
  const title = `${count ? `(${count}) ` : ''}ctr ${live.source === 'stream' ? live.topic ?? '' : 'serve'}`.trim();
  if (document.title !== title) document.title = title;
  state(paused ? 'paused' : live.state, paused ? 'warn' : live.state === 'ready' ? 'good' : 'warn');
  text($('asof'), `As of ${clock(live.time)}.`);
  parts.facts(live, m);
  parts.alarms(live);
  parts.tiles(live, m);
  time.show(live, m, span);
  scores.show(live, m);
  parts.quality(live, m);
  parts.latency(live);
  parts.lag(live);
  parts.columns(live, m);
  last(live);
  parts.problems(live);
  parts.events(live);
  tell();
}

function begin() {
  time.begin();
  scores.begin();
  for (const input of $('span').querySelectorAll('input')) {
    input.checked = input.value === span;
    input.addEventListener('change', () => {
      span = input.value;
      stored('ctr-span', span);
      if (live) draw();
    });
  }
  $('model').addEventListener('change', () => { model = $('model').value; draw(); });
  $('pause').addEventListener('click', () => {
    paused = !paused;
    text($('pause'), paused ? 'Go on' : 'Pause');
    if (live) draw();
  });
  $('token').addEventListener('submit', (e) => {
    e.preventDefault();
    stored('ctr-token', $('token-text').value.trim());
    turn();
  });
  document.addEventListener('visibilitychange', () => { if (!document.hidden) turn(); });
  loop();
}

// loop asks each second, and not before the answer to the last question.
async function loop() {
  const began = Date.now();
  await turn();
  setTimeout(loop, Math.max(0, every - (Date.now() - began)));
}

begin();
