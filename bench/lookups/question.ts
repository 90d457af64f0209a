// CPU per lookup. By SIP (INVITE, 302, ACK) of Aorta and of Kamailio's own lookup() in turn, by HTTP with keep-alive, and inside a
// program with many bindings. The server has one core, this program another.

import { type ChildProcess, spawn } from 'node:child_process';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { Agent, get } from 'node:http';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { createRegistrar } from '../../src/server/embed/embedded.ts';
import { tied } from '../children.ts';
import { compiled, installed } from '../compile.ts';
import { KAMAILIO, NO_KAMAILIO } from '../load/contestants.ts';
import type { Question, Table } from '../question.ts';
import { grouped } from '../results.ts';
import { atMost, median, type Row, ratios, spread, targetTable } from '../rows.ts';
import type { Settings } from '../settings.ts';

const DOMAIN = 'bench.example.org';

const CONFIGURATION = (port: number) => `
debug=0
log_stderror=yes
children=1
disable_tcp=yes
auto_aliases=no
alias="${DOMAIN}"
listen=udp:127.0.0.1:${port}
server_signature=no
dns=no
rev_dns=no
loadmodule "sl.so"
loadmodule "pv.so"
loadmodule "siputils.so"
loadmodule "maxfwd.so"
loadmodule "usrloc.so"
loadmodule "registrar.so"
modparam("usrloc", "hash_size", 18)
modparam("usrloc", "db_mode", 0)
request_route {
    if (!mf_process_maxfwd_header("10")) exit;
    if (method == "REGISTER") { save("location"); exit; }
    if (method == "ACK") exit;
    if (!lookup("location")) { sl_send_reply("404", "Not Found"); exit; }
    sl_send_reply("302", "Moved Temporarily");
}
`;

interface Running {
  readonly child: ChildProcess;
  stop(): Promise<void>;
}

async function start(
  settings: Settings,
  command: string,
  args: readonly string[],
  ready: RegExp | number,
): Promise<Running> {
  const child = spawn('taskset', ['-c', String(settings.serverCore), command, ...args], {
    detached: true,
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  const kill = (): void => {
    try {
      process.kill(-(child.pid ?? 0), 'SIGKILL');
    } catch {
      // gone already
    }
  };
  process.once('exit', kill);
  const gone = new Promise<void>((resolve) => child.once('close', () => resolve()));
  let text = '';
  if (typeof ready === 'number') await new Promise((resolve) => setTimeout(resolve, ready));
  else
    await new Promise<void>((resolve, reject) => {
      child.once('close', () => reject(new Error(`${command} did not start`)));
      child.stdout?.on('data', (chunk) => {
        text += chunk;
        if (ready.test(text)) resolve();
      });
    });
  return {
    child,
    stop: () => {
      process.kill(-(child.pid ?? 0), 'SIGTERM');
      return gone;
    },
  };
}

interface Cost {
  readonly userUs: number;
  readonly systemUs: number;
  readonly perS: number;
}

/** Since `before`, per lookup. */
function cost(server: Running, before: { user: number; system: number }, count: number, began: number): Cost {
  const after = cpuUs(server);
  return {
    userUs: (after.user - before.user) / count,
    systemUs: (after.system - before.system) / count,
    perS: (count / (performance.now() - began)) * 1000,
  };
}

/** User and system time of every process of the group, in microseconds. */
function cpuUs({ child }: Running): { user: number; system: number } {
  let user = 0;
  let system = 0;
  for (const pid of readdirSync('/proc').filter((name) => /^\d+$/.test(name))) {
    try {
      const fields = readFileSync(`/proc/${pid}/stat`, 'latin1')
        .replace(/^.*\) /s, '')
        .split(' ');
      if (Number(fields[2]) === child.pid) {
        user += Number(fields[11]) * 10_000;
        system += Number(fields[12]) * 10_000;
      }
    } catch {
      // ended meanwhile
    }
  }
  return { user, system };
}

function registerText(user: string, n: number, branch: number): string {
  return [
    `REGISTER sip:${DOMAIN} SIP/2.0`,
    `Via: SIP/2.0/UDP 127.0.0.1:17161;branch=z9hG4bKr${branch};rport`,
    'Max-Forwards: 70',
    `From: <sip:${user}@${DOMAIN}>;tag=r${n}`,
    `To: <sip:${user}@${DOMAIN}>`,
    `Call-ID: register-${n}@127.0.0.1`,
    'CSeq: 1 REGISTER',
    `Contact: <sip:${user}@127.0.0.1:17161>;q=0.5`,
    'Expires: 3600',
    'User-Agent: bench phone 1.0',
    'Content-Length: 0\r\n\r\n',
  ].join('\r\n');
}

interface Load {
  readonly settings: Settings;
  readonly program: string;
  readonly aors: number;
  readonly seconds: number;
}

/** Runs the load on the other core; calls `begun` where what counts begins. Resolves with the number of calls. */
function load(
  { settings, program, aors, seconds }: Load,
  mode: 'register' | 'lookup',
  begun: () => void,
): Promise<number> {
  const window = settings.number('window', 256, 32);
  const args = [mode, settings.port, aors, window, seconds, DOMAIN].map(String);
  const { clientCore, signal } = settings;
  const child = tied(spawn('taskset', ['-c', String(clientCore), program, ...args], { signal }));
  return new Promise((resolve, reject) => {
    let text = '';
    child.once('error', reject);
    child.stderr.on('data', (chunk) => {
      text += chunk;
    });
    child.stdout.on('data', (chunk) => {
      text += chunk;
      if (String(chunk).includes('begin')) begun();
    });
    child.once('close', () => {
      const calls = /^end (\d+)$/m.exec(text)?.[1];
      if (calls === undefined) reject(new Error(text));
      else resolve(Number(calls));
    });
  });
}

async function bySip(server: Running, what: Load): Promise<Cost> {
  const enrolled = await load(what, 'register', () => {});
  if (enrolled !== what.aors) throw new Error(`${enrolled} of ${what.aors} users could be registered`);
  let before = cpuUs(server);
  let began = performance.now();
  const calls = await load(what, 'lookup', () => {
    before = cpuUs(server);
    began = performance.now();
  });
  return cost(server, before, calls, began);
}

async function byHttp(server: Running, { settings, aors, seconds }: Load): Promise<Cost> {
  const agent = new Agent({ keepAlive: true, maxSockets: 32 });
  const { port } = settings;
  const one = (n: number): Promise<void> =>
    new Promise((resolve, reject) => {
      const path = `/v1/aors/u${(Math.imul(n, 2_654_435_761) >>> 0) % aors}@${DOMAIN}/contacts`;
      get({ host: '127.0.0.1', port, path, agent }, (answer) => {
        answer.resume();
        answer.once('end', () => (answer.statusCode === 200 ? resolve() : reject(new Error(`${answer.statusCode}`))));
      }).once('error', reject);
    });
  let done = 0;
  const run = async (end: number): Promise<void> => {
    await Promise.all(
      Array.from({ length: 32 }, async () => {
        while (performance.now() < end) await one(done++);
      }),
    );
  };
  await run(performance.now() + (settings.isSmall ? 300 : 1000));
  done = 0;
  const before = cpuUs(server);
  const began = performance.now();
  await run(began + seconds * 1000);
  agent.destroy();
  return cost(server, before, done, began);
}

/** CPU of a lookup inside a program, microseconds: with a binding, and without. */
async function embedded(settings: Settings, count: number, times: number): Promise<{ found: number; missing: number }> {
  const registered = new Uint8Array(count);
  const registrar = createRegistrar({
    domains: [DOMAIN],
    threads: false,
    durability: 'process',
    data: settings.fresh(),
    send: (bytes) => {
      const [, status, n] = /^SIP\/2.0 (\d+)[\s\S]*\r\nCall-ID: register-(\d+)@/.exec(bytes.toString('latin1')) ?? [];
      if (status === '200') registered[Number(n)] = 1;
    },
  });
  await registrar.start();
  const source = { address: '127.0.0.1', port: 17_161 };
  // Newcomers are put off where many come while others wait: then once more.
  for (let sent = 0; registered.includes(0); await delay(50))
    for (let n = 0; n < count; n++) {
      if (registered[n] === 1) continue;
      registrar.handle(Buffer.from(registerText(`b${n}`, n, ++sent)), source);
      if (sent % 250 === 0) await new Promise(setImmediate);
    }
  const look = (n: number): number => {
    let found = 0;
    for (let i = 0; i < n; i++)
      found += registrar.lookup(`b${(Math.imul(i, 2_654_435_761) >>> 0) % count}@${DOMAIN}`).contacts.length;
    return found;
  };
  const usEach = (work: () => void) => {
    const before = process.cpuUsage();
    work();
    const { user, system } = process.cpuUsage(before);
    return (user + system) / times;
  };
  look(Math.min(20_000, times));
  const found = usEach(() => {
    const seen = look(times);
    if (seen !== times) throw new Error(`${seen} of ${times} lookups found a contact`);
  });
  const missing = usEach(() => {
    for (let i = 0; i < times; i++) registrar.lookup(`nobody${i}@${DOMAIN}`);
  });
  await registrar.stop();
  return { found, missing };
}

/** Every cost by the name of its row. */
type Costs = Map<string, Cost[]>;

const OWN = 'Aorta, 302';
const HTTP = 'Aorta, HTTP, 32 connections kept';

async function round(what: Load, parts: readonly string[], costs: Costs): Promise<void> {
  const { settings } = what;
  const add = (name: string, cost: Cost) => costs.set(name, [...(costs.get(name) ?? []), cost]);
  const directory = settings.fresh();
  if (parts.includes('sip') && installed('kamailio')) {
    const file = join(directory, 'kamailio.cfg');
    writeFileSync(file, CONFIGURATION(settings.port));
    const memory = ['-m', '256', '-M', '16', '-x', 'fm', '-X', 'fm'];
    const args = ['-DD', '-E', '-f', file, '-w', directory, '-Y', directory, ...memory];
    const kamailio = await start(settings, 'kamailio', args, 1500);
    try {
      add(`${KAMAILIO}, lookup() and 302`, await bySip(kamailio, what));
    } finally {
      await kamailio.stop();
    }
  }
  const listen = ['--listen', `udp:127.0.0.1:${settings.port}`, '--lookup', `http:127.0.0.1:${settings.port}`];
  const flags = ['--domain', DOMAIN, '--data', join(directory, 'data'), '--shards', '1', '--durability', 'process'];
  const serve = [settings.cli, 'serve', ...listen, ...flags, ...settings.serveFlags];
  const aorta = await start(settings, settings.node, serve, /^ready/m);
  try {
    add(OWN, await bySip(aorta, what));
    if (parts.includes('http')) add(HTTP, await byHttp(aorta, what));
  } finally {
    await aorta.stop();
  }
}

const all = ({ userUs, systemUs }: Cost) => userUs + systemUs;

function costTable(costs: Costs): Table[] {
  const rows = [...costs].map(([name, list]) => [
    name,
    spread(list.map(all), 1),
    `${median(list.map(({ userUs }) => userUs)).toFixed(1)} + ${median(list.map(({ systemUs }) => systemUs)).toFixed(1)}`,
    grouped(median(list.map(({ perS }) => perS))),
  ]);
  const theirs = costs.get(`${KAMAILIO}, lookup() and 302`);
  if (theirs === undefined) rows.unshift([`${KAMAILIO}: ${NO_KAMAILIO}`, '-', '-', '-']);
  const ratio = ratios((costs.get(OWN) ?? []).map(all), theirs?.map(all) ?? []);
  const http = costs.get(HTTP);
  const limits: Row[] = [];
  if (ratio.length > 0) limits.push(atMost('a 302: CPU / Kamailio', ratio, 0.6, 2, ''));
  if (http !== undefined) limits.push(atMost('a lookup over HTTP', http.map(all), 40, 1, 'us'));
  const bars = ratio.length > 0 ? [{ label: 'a 302', ratio: median(ratio), limit: 0.6 }] : [];
  const table = { head: ['lookup', 'CPU us', 'user + system', 'per s'], rows, bars, data: [...costs] };
  return limits.length === 0 ? [table] : [table, targetTable(limits)];
}

async function run(settings: Settings): Promise<Table[]> {
  const parts = settings.words('only', 'sip,http,embedded');
  const tables: Table[] = [];
  if (parts.some((part) => part !== 'embedded')) {
    const program = compiled('bench/lookups/sip-load.c');
    const what = {
      settings,
      program,
      aors: settings.number('aors', 20_000, 500),
      seconds: settings.isSmall ? 1 : settings.number('seconds', 4),
    };
    const costs: Costs = new Map();
    for (let n = 0; n < settings.number('rounds', 5, 1); n++) await round(what, parts, costs);
    tables.push(...costTable(costs));
  }
  if (!parts.includes('embedded')) return tables;
  const count = settings.isSmall ? 1000 : 1_000_000;
  const { found, missing } = await embedded(settings, count, settings.isSmall ? 2000 : 200_000);
  const rows = [
    atMost(`inside a program, ${grouped(count)} bindings: a contact`, [found], 10, 2, 'us'),
    atMost('the same, no binding', [missing], 1, 2, 'us'),
  ];
  return [...tables, targetTable(rows)];
}

export const LOOKUPS_QUESTION: Question = {
  name: 'lookups',
  asks: 'CPU of a lookup by SIP beside Kamailio, by HTTP, and inside a program',
  against: 'twice',
  run,
};
