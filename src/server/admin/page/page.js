// The dashboard: asks the admin API every second, draws what it says, follows the change feed where one wants it to.
// Plain modules, no build step. Everything shown comes in as text, never as markup.

/** Share of a limit from which on there is an alarm. */
const LIMIT_ALARM = 0.8;
const POLL_MS = 1000;
const CENSUS_MS = 10_000;
const CLUSTER_MS = 2000;
const KEPT = 300;
const FEED_ROWS = 100;
const LINES = ['one', 'two', 'three'];

const $ = (id) => document.getElementById(id);
const number = (n) => Math.round(n).toLocaleString('en-US');
const clock = (at) => new Date(at).toLocaleTimeString();
const points = { accepted: [], refused: [], p50: [], p95: [], p99: [] };
let token = sessionStorage.getItem('token') ?? '';
let before;
let clusterAt = 0;

function element(name, text, attributes = {}) {
  const made = document.createElement(name);
  if (text !== undefined) made.textContent = text;
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  return made;
}

/** Puts rows into a table; the columns named are numbers. */
function rows(id, values, numeric = []) {
  const made = values.map((row) => {
    const line = element('tr');
    line.append(...row.map((text, i) => element('td', text, numeric.includes(i) ? { class: 'n' } : {})));
    return line;
  });
  if (made.length === 0) made.push(element('tr'));
  if (values.length === 0) made[0].append(element('td', 'none', { colspan: '9' }));
  $(id).tBodies[0].replaceChildren(...made);
}

function ask(path, options = {}) {
  return fetch(path, {
    ...options,
    headers: { ...options.headers, ...(token && { authorization: `Bearer ${token}` }) },
  });
}

async function get(path) {
  const answer = await ask(path);
  if (answer.status === 401) $('token-form').hidden = false;
  const body = await answer.json();
  if (!answer.ok) throw Object.assign(new Error(body.detail), { status: answer.status });
  return body;
}

// --- numbers

function percentile(counts, bounds, part) {
  const all = counts.reduce((sum, count) => sum + count, 0);
  if (all === 0) return null;
  let seen = 0;
  const bucket = counts.findIndex((count) => (seen += count) >= all * part);
  return (bounds[bucket] ?? bounds.at(-1)) * 1000;
}

function acceptedCounts({ rows: found, boundsSeconds }) {
  const total = Array.from({ length: boundsSeconds.length + 1 }, () => 0);
  for (const { outcome, counts } of found)
    if (outcome === 'accepted') for (const [i, count] of counts.entries()) total[i] += count;
  return total;
}

async function poll() {
  try {
    const [status, counters, latency, shards] = await Promise.all(
      ['/v1/status', '/v1/counters', '/v1/latency', '/v1/shards'].map(get),
    );
    const now = { at: performance.now(), status, counters, latency, shards: shards.items };
    show(status);
    if (before !== undefined) draw(before, now);
    before = now;
    if (status.cluster) await drawCluster();
  } catch (error) {
    $('state').textContent = error.status === 401 ? 'needs the token' : `no answer: ${error.message}`;
    $('state').className = 'bad';
  }
  setTimeout(poll, POLL_MS);
}

/** Who owns what, and how far each node is: asked less often, since it asks others. */
async function drawCluster() {
  if (performance.now() - clusterAt < CLUSTER_MS) return;
  clusterAt = performance.now();
  const { cluster, node, connected, nodes, shards } = await get('/v1/cluster');
  $('cluster').hidden = false;
  $('cluster-note').textContent =
    `${cluster}, seen by node ${node}${connected ? '' : ', which reaches no NATS server'}`;
  const state = ({ alive, draining }) => (alive ? (draining ? 'draining' : 'alive') : 'silent');
  rows(
    'cluster-nodes',
    nodes.map((one) => [
      one.name,
      one.listen,
      state(one),
      number(one.owns),
      number(one.behind),
      `${(one.clockAheadMs / 1000).toFixed(1)} s`,
      one.policyDiffers ? 'differs' : '',
    ]),
    [3, 4, 5],
  );
  rows(
    'cluster-shards',
    shards.map(({ shard, owner, epoch, sequence, leader, roles, behind }) => [
      String(shard),
      owner ?? 'nobody',
      number(epoch),
      number(sequence),
      leader ?? '?',
      Object.entries(roles)
        .map(([name, role]) => `${name}: ${role}${behind[name] > 0 ? ` (${behind[name]} behind)` : ''}`)
        .join(', '),
    ]),
    [2, 3],
  );
}

function show(status) {
  $('token-form').hidden = true;
  $('state').textContent = status.ready ? 'ready' : status.problems.join(', ');
  $('state').className = status.ready ? 'good' : 'bad';
  const near = status.limits.filter(({ share }) => share >= LIMIT_ALARM);
  $('limits').hidden = near.length === 0;
  $('limits').textContent = near
    .map(({ limit, share }) => `${limit.replaceAll('_', ' ')}: ${Math.round(share * 100)}% of the limit`)
    .join(', ');
  const minutes = Math.floor(status.uptimeSeconds / 60);
  $('about').textContent =
    `version ${status.version}, up ${Math.floor(minutes / 60)} h ${minutes % 60} min, ${status.listen.join(', ')}, domains ${status.domains.join(', ')}`;
}

function draw(from, to) {
  const seconds = (to.at - from.at) / 1000;
  const rate = (name) => Math.max(0, (to.counters[name] - from.counters[name]) / seconds);
  const counts = acceptedCounts(to.latency).map((count, i) => count - acceptedCounts(from.latency)[i]);
  const at = (part) => percentile(counts, to.latency.boundsSeconds, part);
  const now = { accepted: rate('ok'), refused: rate('refused'), p50: at(0.5), p95: at(0.95), p99: at(0.99) };
  for (const [name, kept] of Object.entries(points)) {
    kept.push(now[name]);
    if (kept.length > KEPT) kept.shift();
  }
  const ms = (value) => (value === null ? '–' : `≤ ${value} ms`);
  tiles([
    ['Accepted per second', number(now.accepted)],
    ['Refreshed per second', number(rate('refreshed'))],
    ['Refused per second', number(now.refused)],
    ['Bindings', number(to.status.bindings)],
    ['Addresses of record', number(to.status.aors)],
    ['Latency p50', ms(now.p50)],
    ['Latency p99', ms(now.p99)],
  ]);
  chart('rates', ['accepted', 'refused'], number);
  chart('latency', ['p50', 'p95', 'p99'], (value) => `${value}`);
  const refusals = Object.keys(to.counters).filter((name) => name.startsWith('refused_') && to.counters[name] > 0);
  refusals.sort((a, b) => to.counters[b] - to.counters[a]);
  rows(
    'refusals',
    refusals.map((name) => [name.slice(8).replaceAll('_', ' '), number(rate(name)), number(to.counters[name])]),
    [1, 2],
  );
  rows(
    'shards',
    to.shards.map((shard, i) => [
      `${shard.shard}${shard.up ? '' : ' (down)'}`,
      number(shard.bindings),
      number((shard.received - from.shards[i].received) / seconds),
      `${(((shard.busySeconds - from.shards[i].busySeconds) / seconds) * 100).toFixed(0)}%`,
      `${((shard.ringBytes / shard.ringCapacity) * 100).toFixed(0)}%`,
    ]),
    [1, 2, 3, 4],
  );
}

function tiles(values) {
  const made = values.map(([name, value]) => {
    const tile = element('div');
    tile.append(element('dt', name), element('dd', value));
    return tile;
  });
  $('tiles').replaceChildren(...made);
}

// --- charts: one line for each series, newest at the right

const SVG = 'http://www.w3.org/2000/svg';
const WIDTH = 600;
const HEIGHT = 140;
const TOP = 12;

function svg(name, attributes, text) {
  const made = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  if (text !== undefined) made.textContent = text;
  return made;
}

function chart(id, names, format) {
  const largest = Math.max(1, ...names.flatMap((name) => points[name].map((value) => value ?? 0)));
  const scale = 10 ** Math.floor(Math.log10(largest));
  const top = [1, 2, 5, 10].map((step) => step * scale).find((step) => step >= largest);
  const latest = names.map((name) => `${name} ${points[name].at(-1) === null ? 'none' : format(points[name].at(-1))}`);
  const picture = svg('svg', {
    viewBox: `0 0 ${WIDTH} ${HEIGHT + TOP + 4}`,
    preserveAspectRatio: 'none',
    role: 'img',
    'aria-label': `now: ${latest.join(', ')}`,
  });
  for (const part of [0, 0.5, 1]) {
    const y = TOP + HEIGHT * (1 - part);
    picture.append(svg('line', { class: 'grid', x1: 0, x2: WIDTH, y1: y, y2: y }));
    if (part > 0) picture.append(svg('text', { x: 2, y: y - 2 }, `${top * part}`));
  }
  for (const [i, name] of names.entries()) picture.append(svg('path', { class: LINES[i], d: path(points[name], top) }));
  const legend = element('ul', undefined, { class: 'legend' });
  for (const [i, text] of latest.entries()) {
    const item = element('li');
    item.append(element('i', undefined, { class: LINES[i] }), text);
    legend.append(item);
  }
  $(id).replaceChildren(picture, legend);
}

function path(values, top) {
  let drawing = false;
  return values
    .map((value, i) => {
      if (value === null) {
        drawing = false;
        return '';
      }
      const x = WIDTH - (values.length - 1 - i) * (WIDTH / (KEPT - 1));
      const step = `${drawing ? 'L' : 'M'}${x.toFixed(1)} ${(TOP + HEIGHT * (1 - value / top)).toFixed(1)}`;
      drawing = true;
      return step;
    })
    .join('');
}

// --- census

async function census() {
  try {
    const { at, transports, domains } = await get('/v1/census');
    const sorted = (counts) => Object.entries(counts).sort(([, a], [, b]) => b - a);
    rows(
      'transports',
      sorted(transports).map(([name, count]) => [name, number(count)]),
      [1],
    );
    rows(
      'domains',
      sorted(domains).map(([name, count]) => [name || 'others', number(count)]),
      [1],
    );
    $('census').textContent = at === null ? 'Being counted.' : `Counted at ${clock(at)}.`;
    setTimeout(census, at === null ? POLL_MS : CENSUS_MS);
  } catch {
    setTimeout(census, CENSUS_MS);
  }
}

// --- addresses of record

const sourceOf = ({ source }) => `${source.transport} ${source.address}:${source.port}`;

async function search(text) {
  $('aor').hidden = true;
  $('found').replaceChildren();
  if (text === '') return;
  $('search-note').textContent = 'Searching …';
  if (text.includes('@') && (await open(text))) return;
  const items = [];
  let cursor = '';
  do {
    const page = await get(`/v1/aors?limit=50&match=${encodeURIComponent(text)}${cursor && `&cursor=${cursor}`}`);
    items.push(...page.items);
    cursor = page.next ?? '';
  } while (cursor !== '' && items.length < 50 && $('search').value.trim() === text);
  $('search-note').textContent =
    items.length === 0 ? 'Nothing found.' : `${items.length}${cursor ? ' or more' : ''} found.`;
  for (const { aor, contacts } of items) {
    const item = element('li');
    const button = element('button', `${aor} (${contacts.length})`);
    button.addEventListener('click', () => open(aor));
    item.append(button);
    $('found').append(item);
  }
}

/** Shows one AOR; false where it has no bindings. */
async function open(aor) {
  let found;
  try {
    found = await get(`/v1/aors/${encodeURIComponent(aor)}`);
  } catch (error) {
    $('search-note').textContent = error.message;
    return false;
  }
  const { items } = await get(`/v1/aors/${encodeURIComponent(aor)}/history`);
  $('aor-name').textContent = found.aor;
  rows(
    'contacts',
    found.contacts.map((contact) => [
      contact.uri,
      `${contact.q}`,
      contact.expires === null ? 'never' : `${number(contact.expires)} s`,
      sourceOf(contact),
      contact.userAgent ?? '',
      contact.path.join(' '),
      new Date(contact.refreshedAt).toLocaleString(),
    ]),
    [1, 2],
  );
  rows(
    'history',
    items.map((change) => [
      new Date(change.at).toLocaleString(),
      change.type,
      change.contact ?? '',
      change.user ?? change.by,
      change.source ? sourceOf(change) : '',
      [change.callId, change.cseq].filter(Boolean).join(' '),
    ]),
  );
  $('history-note').textContent =
    items.length === 0 ? 'No change since the start.' : 'As far back as the shard keeps changes; refreshes are none.';
  $('search-note').textContent = found.contacts.length === 1 ? '1 contact.' : `${found.contacts.length} contacts.`;
  $('aor').hidden = false;
  $('aor-name').focus();
  return true;
}

// --- the change feed; by fetch, because EventSource cannot send the token

let following;
let lastId = '';

async function follow() {
  following = new AbortController();
  const { signal } = following;
  while (!signal.aborted) {
    try {
      const answer = await ask('/v1/events', { signal, headers: lastId ? { 'last-event-id': lastId } : {} });
      if (!answer.ok) throw new Error(`the server answers ${answer.status}`);
      $('feed-note').textContent = 'Following.';
      await read(answer.body.pipeThrough(new TextDecoderStream()).getReader());
      throw new Error('the server ended it');
    } catch (error) {
      if (signal.aborted) break;
      $('feed-note').textContent = `Interrupted (${error.message}); trying again.`;
      await new Promise((resolve) => setTimeout(resolve, 2000));
    }
  }
}

async function read(reader) {
  let text = '';
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return;
    const messages = (text + value).split('\n\n');
    text = messages.pop();
    const lines = [];
    for (const message of messages) {
      const fields = Object.fromEntries(message.split('\n').map((line) => line.split(/: ?(.*)/s)));
      if (fields.id) lastId = fields.id;
      if (fields.data) lines.push([fields.event, JSON.parse(fields.data)]);
    }
    if (lines.length > 0) tell(lines);
  }
}

function tell(lines) {
  const body = $('feed').tBodies[0];
  for (const [type, event] of lines.slice(-FEED_ROWS)) {
    const line = element('tr');
    const missed = event.missed ?? event.count;
    const cells =
      event.binding === undefined
        ? [clock(Date.now()), type, `${missed ?? 'an unknown number of'} changes were missed`, '', '']
        : [clock(event.at), type, event.aor, event.binding.uri, sourceOf(event.binding)];
    line.append(...cells.map((cell) => element('td', cell)));
    body.prepend(line);
  }
  while (body.rows.length > FEED_ROWS) body.lastElementChild.remove();
}

$('feed-button').addEventListener('click', () => {
  const on = following === undefined;
  $('feed-button').setAttribute('aria-pressed', String(on));
  $('feed-button').textContent = on ? 'Stop following' : 'Follow';
  if (on) return void follow();
  following.abort();
  following = undefined;
  $('feed-note').textContent = 'Not following.';
});
$('search-form').addEventListener('submit', (event) => {
  event.preventDefault();
  void search($('search').value.trim()).catch((error) => ($('search-note').textContent = error.message));
});
$('token-form').addEventListener('submit', (event) => {
  event.preventDefault();
  token = $('token').value.trim();
  sessionStorage.setItem('token', token);
});
void poll();
void census();
