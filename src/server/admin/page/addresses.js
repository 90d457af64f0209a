// Search over addresses of record, and the view of one with its state and actions.

import { change, get } from './api.js';
import { confirmed } from './confirm.js';
import { $, button, setHidden, setText, Table, tell } from './dom.js';
import { number, sourceOf } from './figures.js';
import { endMessages, toggleMessages } from './messages.js';

const PAGE = 25;
const TRACE_SECONDS = 600;
const when = (at) => new Date(at).toLocaleString();
const path = (aor) => `/v1/aors/${encodeURIComponent(aor)}`;

const n = true;
const found = new Table('found', [
  { title: 'Address' },
  { title: 'Contacts', n },
  { title: 'Newest contact' },
  { title: 'From' },
  { title: 'User-Agent' },
  { title: 'Open', hidden: true },
]);
const contacts = new Table('bindings', [
  { title: 'Contact' },
  { title: 'q', n },
  { title: 'Expires in', n },
  { title: 'From' },
  { title: 'User-Agent' },
  { title: 'Instance' },
  { title: 'Path' },
  { title: 'Refreshed' },
  { title: 'Remove', hidden: true },
]);
const history = new Table('history', [
  { title: 'When' },
  { title: 'Change' },
  { title: 'Contact' },
  { title: 'By' },
  { title: 'From' },
  { title: 'Call-ID, CSeq' },
]);
const traces = new Table('traces', [{ title: 'Name' }, { title: 'Until' }, { title: 'End', hidden: true }]);

/** The search: a text, and whether among the bindings that sleep. */
let asked = { text: '', asleep: false };
let items = [];
let cursor = '';
let aor = '';

const more = button('Show more', () => nextPage());
$('results').append(more);

async function search(text, asleep) {
  asked = { text, asleep };
  items = [];
  cursor = '';
  setHidden($('aor'), true);
  setHidden($('results'), true);
  if (!asleep && text.includes('@') && (await open(text))) return;
  setText($('search-note'), 'Searching …');
  await nextPage();
}

/** Pages of the API may be short where few items match: they are read until one of ours is full. */
async function nextPage() {
  const search = asked;
  const { text, asleep } = search;
  const wanted = items.length + PAGE;
  do {
    const find = text === '' ? '' : `&find=${encodeURIComponent(text)}`;
    const page = await get(
      `/v1/aors?limit=${PAGE}${find}${asleep ? '&asleep=true' : ''}${cursor && `&cursor=${cursor}`}`,
    );
    if (asked !== search) return;
    items.push(...page.items);
    cursor = page.next ?? '';
  } while (cursor !== '' && items.length < wanted);
  const count = `${number(items.length)}${cursor ? ' or more' : ''}`;
  const kind = asleep ? ' asleep' : '';
  setText($('search-note'), items.length === 0 ? `Nothing found${kind}.` : `${count} found${kind}.`);
  setHidden($('results'), items.length === 0);
  setHidden(more, cursor === '');
  found.show(items.map(foundRow));
}

function foundRow({ aor: name, contacts: list }) {
  const newest = list.reduce((a, b) => (b.refreshedAt > a.refreshedAt ? b : a));
  const cells = [name, number(list.length), newest.uri, sourceOf(newest), newest.userAgent ?? ''];
  // An address whose devices sleep has no contacts to open: a lookup wakes them.
  const actions = asked.asleep ? [] : [['Open', () => open(name)]];
  return { key: `${name} ${asked.asleep}`, cells: [...cells, { actions }] };
}

/** Shows one address; false where it has no contacts. */
export async function open(name) {
  let read;
  try {
    read = await get(path(name));
  } catch (error) {
    setText($('search-note'), error.message);
    if (aor === name) setHidden($('aor'), true);
    return false;
  }
  const { items: changes } = await get(`${path(name)}/history`);
  if (aor !== read.aor) {
    endMessages();
    showFollowing(false);
  }
  aor = read.aor;
  setText($('aor-name'), aor);
  contacts.show(read.contacts.map(contactRow));
  history.show(changes.map(changeRow));
  setText(
    $('history-note'),
    changes.length === 0
      ? 'No change since the start.'
      : 'As far back as the shard keeps changes; refreshes are left out.',
  );
  setText($('search-note'), read.contacts.length === 1 ? '1 contact.' : `${read.contacts.length} contacts.`);
  setHidden($('aor'), false);
  $('aor-name').focus();
  return true;
}

function contactRow(contact) {
  return {
    key: contact.uri,
    contact,
    cells: [
      contact.uri,
      `${contact.q}`,
      contact.expires === null ? 'never' : `${number(contact.expires)} s`,
      sourceOf(contact),
      contact.userAgent ?? '',
      contact.instance ?? '',
      contact.path.join(' '),
      when(contact.refreshedAt),
      { actions: contact.static ? [] : [['Remove', (row) => remove(row.contact)]] },
    ],
  };
}

function changeRow(one, i, all) {
  return {
    key: `${one.at} ${one.type} ${all.length - i}`,
    cells: [
      when(one.at),
      one.type,
      one.contact ?? '',
      one.user ?? one.by,
      one.source ? sourceOf(one) : '',
      [one.callId, one.cseq].filter((part) => part !== undefined).join(' '),
    ],
  };
}

// --- actions

async function remove({ uri }) {
  const text = `${aor} is not reached at ${uri} until that phone registers again.`;
  if (!(await confirmed('Remove this contact?', text, 'Remove'))) return;
  await change('DELETE', `${path(aor)}/bindings?contact=${encodeURIComponent(uri)}`);
  tell(`Removed ${uri} of ${aor}.`);
  await reopen();
}

async function unregister() {
  const text = `All contacts of ${aor} are removed. Nobody reaches it until its phones register again.`;
  if (!(await confirmed(`Unregister ${aor}?`, text, 'Unregister'))) return;
  await change('DELETE', path(aor));
  tell(`Unregistered ${aor}.`);
  await reopen();
}

async function trace() {
  const text = `Every message of ${aor} is written to the server's log for ten minutes, credentials left out.`;
  if (!(await confirmed(`Trace ${aor}?`, text, 'Trace'))) return;
  await change('PUT', `/v1/traces/${encodeURIComponent(aor)}`, { seconds: TRACE_SECONDS });
  tell(`Tracing ${aor} for ten minutes.`);
  await showTraces();
}

/** With its last contact gone, an address has only its history to show. */
async function reopen() {
  if (await open(aor)) return;
  setHidden($('aor'), true);
  items = items.filter((item) => item.aor !== aor);
  found.show(items.map(foundRow));
}

export async function showTraces() {
  const { items: active } = await get('/v1/traces');
  setHidden($('traces'), active.length === 0);
  traces.show(
    active.map(({ name, until }) => ({
      key: name,
      cells: [name, when(until), { actions: [['End', () => endTrace(name)]] }],
    })),
  );
}

async function endTrace(name) {
  await change('DELETE', `/v1/traces/${encodeURIComponent(name)}`);
  tell(`No longer tracing ${name}.`);
  await showTraces();
}

const follow = button('Show messages', () => showFollowing(toggleMessages(aor)), { 'aria-pressed': 'false' });

function showFollowing(on) {
  follow.setAttribute('aria-pressed', String(on));
  setText(follow, on ? 'Hide messages' : 'Show messages');
}

$('aor-actions').append(
  button('Read again', () => open(aor)),
  follow,
  button('Trace …', trace),
  button('Unregister …', unregister),
);
$('search-form').addEventListener('submit', (event) => {
  event.preventDefault();
  search($('search').value.trim(), $('search-asleep').checked).catch((error) =>
    setText($('search-note'), error.message),
  );
});
setHidden($('traces'), true);
