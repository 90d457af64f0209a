// Figures that are read and drawn every second: state, tiles, charts, and a table for each part of the server.

import { get, newToken, tokenAccepted } from './api.js';
import { CHALLENGES } from './challenges.js';
import { Charts } from './charts.js';
import { $, element, setHidden, setText, Table } from './dom.js';
import { addUp, bytes, clock, duration, number, percent, percentile, rate, uptime, words } from './figures.js';

const POLL_MS = 1000;
const CENSUS_MS = 10_000;
const SENDERS_MS = 3000;
const CLUSTER_MS = 2000;
/** Share of a limit from which the page shows an alarm. */
const LIMIT_ALARM = 0.8;
/** Seconds that the tiles' percentiles cover. */
const TILE_SECONDS = 10;
/** Domains shown, of those without contacts. */
const DOMAINS_SHOWN = 20;
const SPANS = { '5m': 300_000, '1h': 3_600_000, '1d': 86_400_000 };

const n = true;
const tables = {
  shards: new Table('shards', [
    { title: 'Shard' },
    { title: 'Contacts', n },
    { title: 'Msgs/s', n },
    { title: 'CPU', n },
    { title: 'Disk', n },
    { title: 'Ring', n },
  ]),
  transports: new Table('transports', [
    { title: 'Transport' },
    { title: 'Contacts', n },
    { title: 'Connections', n },
    { title: 'Requests/s', n },
  ]),
  domains: new Table('domains', [{ title: 'Domain' }, { title: 'Contacts', n }, { title: 'Limit', n }]),
  refusals: new Table('refusals', [{ title: 'Reason' }, { title: 'Per second', n }, { title: 'Since the start', n }]),
  limits: new Table('limits', [{ title: 'Limit' }, { title: 'Used', n }, { title: 'Of', n }, { title: 'Share', n }]),
  storms: new Table('storms', [{ title: 'Kept off' }, { title: 'Per second', n }, { title: 'Since the start', n }]),
  sources: new Table('sources', [{ title: 'Source' }, { title: 'Messages/s', n }, { title: 'Refused/s', n }]),
  senders: new Table('senders', [{ title: 'Address' }, { title: 'Messages/s', n }, { title: 'Refused/s', n }]),
  nodes: new Table('cluster-nodes', [
    { title: 'Node' },
    { title: 'Address' },
    { title: 'State' },
    { title: 'Owns', n },
    { title: 'Behind', n },
    { title: 'Clock', n },
    { title: 'Policy' },
  ]),
  owners: new Table('cluster-shards', [
    { title: 'Shard' },
    { title: 'Owner' },
    { title: 'Epoch', n },
    { title: 'Sequence', n },
    { title: 'Stream leader' },
    { title: 'Nodes' },
  ]),
  faults: new Table('cluster-faults', [{ title: 'Stream or server' }, { title: 'State' }, { title: 'What to do' }]),
};
/** Texts of faults, by kind. */
const FAULTS = {
  gone: 'gone',
  changed: 'changed',
  unsynced: 'does not sync',
  old: 'too old',
  unrouted: 'no route to another',
};

/** Reasons for requests held off, by counter. */
const KEPT_OFF = [
  ['put_off_new', 'put off by storm control'],
  ['put_off_guesses', 'put off for guessing'],
  ['put_off_ring_full', 'put off, ring full'],
  ['put_off_not_owner', 'put off, another node’s'],
  ['dropped_source', 'dropped: source refused'],
  ['dropped_scanner', 'dropped: scanner'],
  ['dropped_ring_full', 'dropped: ring full'],
  ['dropped_send', 'dropped: answer not sent'],
];

const charts = new Charts();
const past = new Map(Object.keys(SPANS).map((range) => [range, undefined]));
let range = '5m';
let before;
let census = { at: null, asleep: null, transports: {}, domains: {} };
const asked = { census: -CENSUS_MS, senders: -SENDERS_MS, cluster: -CLUSTER_MS };
/** Each is called with every status. */
export const listeners = [];

function isDue(what, ms) {
  const now = performance.now();
  if (now - asked[what] < ms) return false;
  asked[what] = now;
  return true;
}

export async function poll() {
  for (;;) {
    if (!document.hidden) await look();
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
}

async function look() {
  try {
    const [status, counters, latency, shards] = await Promise.all(
      ['/v1/status', '/v1/counters', '/v1/latency', '/v1/shards?limit=1000'].map(get),
    );
    tokenAccepted();
    const now = { at: performance.now(), status, counters, latency, shards: shards.items };
    showState(status);
    await Promise.all([showPast(status), ...slowParts(status)]);
    if (before !== undefined) showParts(before, now);
    before = now;
    for (const hear of listeners) hear(status);
  } catch (error) {
    before = undefined;
    const told = error.status === undefined ? `no answer: ${error.message}` : error.message;
    setText($('state'), error.status === 401 ? 'needs the token' : told);
    $('state').className = 'bad';
    if (error.status === 401) await newToken();
  }
}

function showState(status) {
  setText($('state'), status.ready ? 'ready' : status.problems.join(', '));
  $('state').className = status.ready ? 'good' : 'bad';
  const near = status.limits.filter(({ share }) => share >= LIMIT_ALARM);
  setHidden($('limits-near'), near.length === 0);
  setText($('limits-near'), near.map(({ limit }) => `${words(limit)} nearly used up`).join(', '));
  const about = [`version ${status.version}`, `up ${uptime(status.uptimeSeconds)}`, status.listen.join(', ')];
  setText($('about'), [...about, domainsText(status.domains)].filter(Boolean).join(' · '));
}

function domainsText(domains) {
  const more = domains.length > 3 ? ` and ${number(domains.length - 3)} more` : '';
  return domains.length === 0 ? '' : `domains ${domains.slice(0, 3).join(', ')}${more}`;
}

// --- tiles and charts: the past from the server's memory

async function showPast(status) {
  const recent = await extended('5m');
  tiles(status, recent);
  const shown = range === '5m' ? recent : await extended(range);
  if (shown.at.length > 0) charts.show(shown, shown.stepSeconds, SPANS[range]);
}

/** The kept columns of a range, with those new since the last look. */
async function extended(name) {
  const kept = past.get(name);
  const last = kept?.at.at(-1) ?? 0;
  if (kept !== undefined && Date.now() - last < kept.stepSeconds * 1000 * 0.9 && Date.now() >= last) return kept;
  const found = await get(`/v1/timeline?range=${name}&since=${last}`);
  if (kept !== undefined) {
    const first = kept.at.findIndex((at) => at > (found.at.at(-1) ?? last) - SPANS[name]);
    const joined = (old, more) => [...old.slice(Math.max(0, first)), ...more];
    found.at = joined(kept.at, found.at);
    found.latency = joined(kept.latency, found.latency);
    for (const [series, values] of Object.entries(found.series))
      found.series[series] = joined(kept.series[series], values);
  }
  past.set(name, found);
  return found;
}

const tileNodes = new Map();

function tiles(status, { series, latency, boundsSeconds }) {
  const last = (name) => series[name].at(-1) ?? 0;
  const counts = addUp(latency.slice(-TILE_SECONDS));
  const at = (part) => {
    const bound = percentile(counts, boundsSeconds, part);
    return bound === null ? '–' : `≤ ${duration(bound)}`;
  };
  const values = [
    ['Accepted per second', rate(last('accepted'))],
    ['Refreshed per second', rate(last('refreshed'))],
    ['Refused per second', rate(last('refused'))],
    ['Contacts', number(status.bindings)],
    ['Addresses of record', number(status.aors)],
    ['Connections', number(Object.values(status.connections).reduce((sum, count) => sum + count, 0))],
    ['Latency p50', at(0.5)],
    ['Latency p99', at(0.99)],
  ];
  for (const [name, value] of values) {
    let node = tileNodes.get(name);
    if (node === undefined) {
      const tile = element('div');
      node = element('dd');
      tile.append(element('dt', name), node);
      $('tiles').append(tile);
      tileNodes.set(name, node);
    }
    setText(node, value);
  }
}

for (const choice of document.querySelectorAll('input[name="range"]'))
  choice.addEventListener('change', async () => {
    range = choice.value;
    const shown = await extended(range).catch(() => undefined);
    if (shown !== undefined) charts.show(shown, shown.stepSeconds, SPANS[range]);
  });

// --- parts

function showParts(from, to) {
  const seconds = (to.at - from.at) / 1000;
  const perSecond = (name) => Math.max(0, (to.counters[name] - from.counters[name]) / seconds);
  const counted = (label, name) => ({ key: name, cells: [label, rate(perSecond(name)), number(to.counters[name])] });
  const reasons = Object.keys(to.counters).filter((name) => name.startsWith('refused_') && to.counters[name] > 0);
  reasons.sort((a, b) => to.counters[b] - to.counters[a]);
  tables.refusals.show(
    reasons
      .filter((name) => name !== 'refused_connections')
      .map((name) => ({ name, reason: name.slice(8) }))
      // Challenges are no refusals and stand below them.
      .sort((a, b) => CHALLENGES.includes(a.reason) - CHALLENGES.includes(b.reason))
      .map(({ name, reason }) => counted(`${CHALLENGES.includes(reason) ? 'challenge: ' : ''}${words(reason)}`, name)),
  );
  tables.storms.show(
    KEPT_OFF.filter(([name], i) => i === 0 || to.counters[name] > 0).map(([name, label]) => ({
      ...counted(label, name),
      alarm: perSecond(name) > 0,
    })),
  );
  tables.shards.show(to.shards.map((shard, i) => shardRow(shard, from.shards[i] ?? shard, seconds)));
  tables.limits.show(
    to.status.limits.map(({ limit, used, max, share }) => {
      const shown = limit === 'memory' || limit === 'disk' ? bytes : number;
      const near = share >= LIMIT_ALARM;
      return {
        key: limit,
        alarm: near,
        cells: [words(limit), shown(used), shown(max), { text: percent(share), share, near }],
      };
    }),
  );
  showTransports(from, to, seconds);
  showDomains(to.status);
}

function shardRow(shard, old, seconds) {
  const disk = Math.max(0, (shard.commitSeconds - old.commitSeconds) / seconds);
  const busy = Math.max(0, (shard.busySeconds - old.busySeconds) / seconds);
  const cpu = Math.max(0, busy - disk);
  const ring = shard.ringBytes / shard.ringCapacity;
  const bar = (share, most) => ({ text: percent(share), share, near: share > most });
  return {
    key: String(shard.shard),
    alarm: !shard.up,
    cells: [
      `${shard.shard}${shard.up ? '' : ' (down)'}`,
      number(shard.bindings),
      number(Math.max(0, (shard.received - old.received) / seconds)),
      bar(cpu, 0.8),
      bar(disk, 0.8),
      bar(ring, 0.5),
    ],
  };
}

function requestsBy(latency) {
  const by = {};
  for (const { transport, counts } of latency.rows)
    by[transport] = (by[transport] ?? 0) + counts.reduce((sum, count) => sum + count, 0);
  return by;
}

function showTransports(from, to, seconds) {
  const [old, now] = [requestsBy(from.latency), requestsBy(to.latency)];
  const { connections } = to.status;
  const names = ['udp', ...Object.keys(connections)].filter(
    (name) => census.transports[name] > 0 || connections[name] > 0 || now[name] > 0,
  );
  tables.transports.show(
    names.map((name) => ({
      key: name,
      cells: [
        name.toUpperCase(),
        census.at === null ? '…' : number(census.transports[name] ?? 0),
        name === 'udp' ? '–' : number(connections[name] ?? 0),
        rate(Math.max(0, ((now[name] ?? 0) - (old[name] ?? 0)) / seconds)),
      ],
    })),
  );
}

function showDomains({ domains, quotas }) {
  const served = Object.fromEntries(domains.slice(0, DOMAINS_SHOWN).map((name) => [name, 0]));
  const limitOf = new Map(quotas.map(({ domain, max }) => [domain, max]));
  const sorted = Object.entries({ ...served, ...census.domains }).sort(([, a], [, b]) => b - a);
  tables.domains.show(
    sorted.map(([name, count]) => {
      const max = limitOf.get(name);
      const share = max === undefined ? 0 : count / max;
      const limit =
        max === undefined ? '–' : { text: `${percent(share)} of ${number(max)}`, share, near: share >= LIMIT_ALARM };
      return { key: name, alarm: share >= LIMIT_ALARM, cells: [name || 'others', number(count), limit] };
    }),
  );
}

// --- figures that are read less often

function slowParts(status) {
  return [
    isDue('census', CENSUS_MS) && lookAtCensus(),
    isDue('senders', SENDERS_MS) && lookAtSenders(),
    status.cluster && isDue('cluster', CLUSTER_MS) && lookAtCluster(),
  ];
}

async function lookAtCensus() {
  census = await get('/v1/census');
  if (census.at === null) asked.census = -CENSUS_MS; // the server is still counting it
  setText(
    $('census'),
    census.at === null ? 'Contacts are being counted.' : `Contacts as counted at ${clock(census.at)}${asleepText()}.`,
  );
}

function asleepText() {
  return census.asleep === null ? '' : `, and ${number(census.asleep)} that sleep`;
}

async function lookAtSenders() {
  const { sources, aors } = await get('/v1/top-senders?limit=8');
  const row = ({ name, perSecond, refusedPerSecond }) => ({
    key: name,
    cells: [name, rate(perSecond), rate(refusedPerSecond)],
  });
  tables.sources.show(sources.map(row));
  tables.senders.show(aors.map(row));
}

/** Owners of shards, and the progress of each node: the server asks other nodes for it. */
async function lookAtCluster() {
  const { cluster, node, connected, nodes, shards, faults } = await get('/v1/cluster');
  setHidden($('cluster'), false);
  setText($('cluster-note'), `${cluster}, seen by node ${node}${connected ? '' : ', which reaches no NATS server'}`);
  setHidden($('cluster-broken'), faults.length === 0);
  tables.faults.show(
    faults.map(({ of, kind, problem }) => ({ key: of, alarm: true, cells: [of, FAULTS[kind] ?? kind, problem] })),
  );
  const state = ({ alive, draining }) => (alive ? (draining ? 'draining' : 'alive') : 'silent');
  tables.nodes.show(
    nodes.map((one) => ({
      key: one.name,
      alarm: !one.alive || one.policyDiffers,
      cells: [
        one.name,
        one.listen,
        state(one),
        number(one.owns),
        number(one.behind),
        `${(one.clockAheadMs / 1000).toFixed(1)} s`,
        one.policyDiffers ? 'differs' : 'same',
      ],
    })),
  );
  const rolesOf = ({ roles, behind }) =>
    Object.entries(roles).map(
      ([name, role]) => `${name}: ${role}${behind[name] > 0 ? ` (${behind[name]} behind)` : ''}`,
    );
  tables.owners.show(
    shards.map((one) => ({
      key: String(one.shard),
      alarm: one.owner === null,
      cells: [
        String(one.shard),
        one.owner ?? 'nobody',
        number(one.epoch),
        number(one.sequence),
        one.leader ?? '?',
        rolesOf(one).join(', '),
      ],
    })),
  );
}
