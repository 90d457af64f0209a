// The change feed, followed while the user asks for it: by type, filtered, paused.

import { $, element, setText, Table } from './dom.js';
import { readEvents } from './events.js';
import { clock, number, sourceOf } from './figures.js';

const ROWS = 200;
const DRAW_MS = 250;
const RETRY_MS = 2000;
const TYPES = ['registered', 'refreshed', 'unregistered', 'expired', 'evicted', 'flow-ended', 'removed'];

const table = new Table(
  'feed',
  [{ title: 'When' }, { title: 'Change' }, { title: 'Address' }, { title: 'Contact' }, { title: 'From' }],
  'no changes yet',
);
let following;
let lastId = '';
let paused = false;
let drawing;
/** Newest first; rows that arrived during a pause are in `waiting`. */
let rows = [];
let waiting = [];

async function follow() {
  following = new AbortController();
  const { signal } = following;
  while (!signal.aborted) {
    try {
      const type = $('feed-type').value;
      const headers = lastId ? { 'last-event-id': lastId } : {};
      await readEvents(`/v1/events${type && `?types=${type}`}`, { signal, headers, started: note }, add);
      throw new Error('the server ended it');
    } catch (error) {
      if (signal.aborted) return;
      setText($('feed-note'), `Interrupted (${error.message}); trying again.`);
      await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
    }
  }
}

function add(type, event, id) {
  if (id) lastId = id;
  const missed = event.missed ?? event.count;
  const cells =
    event.binding === undefined
      ? [clock(Date.now()), type, `${missed ?? 'an unknown number of'} changes were missed`, '', '']
      : [clock(event.at), type, event.aor, event.binding.uri, sourceOf(event.binding)];
  const into = paused ? waiting : rows;
  into.unshift({ key: `${id} ${type}`, cells });
  if (into.length > ROWS) into.length = ROWS;
  drawing ??= setTimeout(draw, DRAW_MS);
}

function draw() {
  clearTimeout(drawing);
  drawing = undefined;
  if (paused) return note();
  const wanted = $('feed-filter').value.trim().toLowerCase();
  const fits = ({ cells }) => wanted === '' || cells.slice(2).some((cell) => cell.toLowerCase().includes(wanted));
  table.show(rows.filter(fits));
}

function note() {
  const count = waiting.length < ROWS ? number(waiting.length) : `${number(ROWS)} or more`;
  if (following === undefined) setText($('feed-note'), 'Not following.');
  else if (!paused) setText($('feed-note'), 'Following.');
  else setText($('feed-pause'), waiting.length === 0 ? 'Resume' : `Resume (${count} newer)`);
}

function pause(on) {
  paused = on;
  $('feed-pause').setAttribute('aria-pressed', String(on));
  setText($('feed-pause'), on ? 'Resume' : 'Pause');
  if (on) return setText($('feed-note'), 'Paused.');
  rows = [...waiting, ...rows].slice(0, ROWS);
  waiting = [];
  note();
  return draw();
}

function stop() {
  following?.abort();
  following = undefined;
}

for (const type of TYPES) $('feed-type').append(element('option', type));
$('feed-button').addEventListener('click', () => {
  const on = following === undefined;
  $('feed-button').setAttribute('aria-pressed', String(on));
  setText($('feed-button'), on ? 'Stop following' : 'Follow');
  $('feed-pause').disabled = !on;
  if (on) return void follow();
  stop();
  pause(false);
  return undefined;
});
$('feed-pause').addEventListener('click', () => pause(!paused));
$('feed-type').addEventListener('change', () => {
  if (following === undefined) return;
  stop();
  lastId = '';
  void follow();
});
$('feed-filter').addEventListener('input', draw);
$('feed-form').addEventListener('submit', (event) => event.preventDefault());
