// `npm run bench:lookups`: CPU per lookup. By SIP (INVITE, 302, ACK) of Aorta and of Kamailio's own lookup() in turn, by HTTP with
// keep-alive, and inside a program with many bindings. The server has one core, this program another.

import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { Agent, get } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { createRegistrar } from '../../src/server/embed/embedded.ts';

const { values } = parseArgs({
  options: {
    cli: { type: 'string', default: 'dist/cli.js' },
    only: { type: 'string', default: 'sip,http,embedded' },
    rounds: { type: 'string', default: '3' },
    seconds: { type: 'string', default: '4' },
    aors: { type: 'string', default: '20000' },
    bindings: { type: 'string', default: '1000000' },
    window: { type: 'string', default: '256' },
    core: { type: 'string', default: '1' },
  },
});
const aors = Number(values.aors);
const windowSize = Number(values.window);
const ms = Number(values.seconds) * 1000;
const PORT = 17_160;
const DOMAIN = 'bench.example.org';
const parts = values.only.split(',');

const KAMAILIO = `
debug=0
log_stderror=yes
children=1
disable_tcp=yes
auto_aliases=no
alias="${DOMAIN}"
listen=udp:127.0.0.1:${PORT}
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

async function start(command: string, args: readonly string[], ready: RegExp | number): Promise<Running> {
  const child = spawn('taskset', ['-c', values.core, command, ...args], {
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

const user = (n: number): string => `u${n % aors}`;

function registerText(n: number): string {
  return [
    `REGISTER sip:${DOMAIN} SIP/2.0`,
    `Via: SIP/2.0/UDP 127.0.0.1:17161;branch=z9hG4bKr${n};rport`,
    'Max-Forwards: 70',
    `From: <sip:${user(n)}@${DOMAIN}>;tag=r${n}`,
    `To: <sip:${user(n)}@${DOMAIN}>`,
    `Call-ID: register-${n}@127.0.0.1`,
    'CSeq: 1 REGISTER',
    `Contact: <sip:${user(n)}@127.0.0.1:17161>;q=0.5`,
    'Expires: 3600',
    'User-Agent: bench phone 1.0',
    'Content-Length: 0\r\n\r\n',
  ].join('\r\n');
}

/** The program of sip-load.c, compiled. */
function compileLoad(directory: string): string {
  const program = join(directory, 'sip-load');
  const source = fileURLToPath(new URL('./sip-load.c', import.meta.url));
  const made = spawnSync('cc', ['-O2', '-o', program, source], { encoding: 'utf8' });
  if (made.status !== 0) throw new Error(`a C compiler is needed (Debian: gcc): ${made.error?.message ?? made.stderr}`);
  return program;
}

/** Runs the load on the other core; calls `begun` where what counts begins. Resolves with the number of calls. */
function load(program: string, mode: 'register' | 'lookup', begun: () => void): Promise<number> {
  const args = [mode, String(PORT), String(aors), String(windowSize), values.seconds, DOMAIN];
  const child = spawn('taskset', ['-c', String(1 - Number(values.core)), program, ...args]);
  return new Promise((resolve, reject) => {
    let text = '';
    child.stderr.on('data', (chunk) => (text += chunk));
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

async function bySip(server: Running, program: string): Promise<Cost> {
  const enrolled = await load(program, 'register', () => {});
  if (enrolled !== aors) throw new Error(`${enrolled} of ${aors} users could be registered`);
  let before = cpuUs(server);
  let began = performance.now();
  const calls = await load(program, 'lookup', () => {
    before = cpuUs(server);
    began = performance.now();
  });
  return cost(server, before, calls, began);
}

async function byHttp(server: Running, port: number): Promise<Cost> {
  const agent = new Agent({ keepAlive: true, maxSockets: 32 });
  const one = (n: number): Promise<void> =>
    new Promise((resolve, reject) => {
      const path = `/v1/aors/${user(Math.imul(n, 2_654_435_761) >>> 0)}@${DOMAIN}/contacts`;
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
  await run(performance.now() + 1000);
  done = 0;
  const before = cpuUs(server);
  const began = performance.now();
  await run(began + ms);
  agent.destroy();
  return cost(server, before, done, began);
}

async function embedded(): Promise<string> {
  const count = Number(values.bindings);
  const data = mkdtempSync(join(tmpdir(), 'aorta-lookups-'));
  let answered = 0;
  const registrar = createRegistrar({
    domains: [DOMAIN],
    threads: false,
    durability: 'process',
    data,
    send: () => answered++,
  });
  await registrar.start();
  const source = { address: '127.0.0.1', port: 17_161 };
  for (let n = 0; n < count; n++) {
    registrar.handle(Buffer.from(registerText(n).replaceAll(`:${user(n)}@`, `:b${n}@`)), source);
    if (n % 250 === 249) await new Promise(setImmediate);
  }
  await new Promise((resolve) => setTimeout(resolve, 50));
  const look = (times: number): number => {
    let found = 0;
    for (let i = 0; i < times; i++)
      found += registrar.lookup(`b${(Math.imul(i, 2_654_435_761) >>> 0) % count}@${DOMAIN}`).contacts.length;
    return found;
  };
  look(20_000);
  const times = 200_000;
  const before = process.cpuUsage();
  const found = look(times);
  const { user: u, system: s } = process.cpuUsage(before);
  const missing = process.cpuUsage();
  for (let i = 0; i < times; i++) registrar.lookup(`nobody${i}@${DOMAIN}`);
  const miss = process.cpuUsage(missing);
  await registrar.stop();
  rmSync(data, { recursive: true, force: true });
  return `| embedded, ${answered} bindings | found ${found} of ${times}: ${((u + s) / times).toFixed(2)} us | without a binding: ${((miss.user + miss.system) / times).toFixed(2)} us |`;
}

const median = (list: number[]): number => [...list].sort((a, b) => a - b)[list.length >> 1];

async function main(): Promise<void> {
  const directory = mkdtempSync(join(tmpdir(), 'aorta-lookups-'));
  const program = compileLoad(directory);
  const file = join(directory, 'kamailio.cfg');
  writeFileSync(file, KAMAILIO);
  const results = { kamailio: [] as number[], aorta: [] as number[], http: [] as number[], ratio: [] as number[] };
  const show = (name: string, { userUs, systemUs, perS }: Cost): number => {
    console.log(
      `| ${name} | ${(userUs + systemUs).toFixed(1)} us | ${userUs.toFixed(1)} + ${systemUs.toFixed(1)} | ${Math.round(perS)} per s |`,
    );
    return userUs + systemUs;
  };
  for (let round = 0; round < Number(values.rounds) && parts.some((part) => part !== 'embedded'); round++) {
    if (parts.includes('sip')) {
      const run = [
        '-DD',
        '-E',
        '-f',
        file,
        '-w',
        directory,
        '-Y',
        directory,
        '-m',
        '256',
        '-M',
        '16',
        '-x',
        'fm',
        '-X',
        'fm',
      ];
      const kamailio = await start('kamailio', run, 1500);
      results.kamailio.push(show('Kamailio, lookup() and 302', await bySip(kamailio, program)));
      await kamailio.stop();
    }
    const data = join(directory, `data-${round}`);
    const flags = [
      '--listen',
      `udp:127.0.0.1:${PORT}`,
      '--domain',
      DOMAIN,
      '--data',
      data,
      '--shards',
      '1',
      '--durability',
      'process',
    ];
    const serve = ['serve', ...flags, '--lookup', `http:127.0.0.1:${PORT}`];
    const aorta = await start(process.execPath, [values.cli, ...serve], /^ready/m);
    results.aorta.push(show('Aorta, 302', await bySip(aorta, program)));
    if (parts.includes('http')) results.http.push(show('Aorta, HTTP', await byHttp(aorta, PORT)));
    await aorta.stop();
    if (parts.includes('sip')) results.ratio.push(results.aorta[round] / results.kamailio[round]);
  }
  const line = (name: string, list: number[]): void => {
    if (list.length > 0)
      console.log(
        `${name}: median ${median(list).toFixed(2)} (${Math.min(...list).toFixed(2)} - ${Math.max(...list).toFixed(2)})`,
      );
  };
  line('302 / Kamailio', results.ratio);
  line('HTTP, us', results.http);
  if (parts.includes('embedded')) console.log(await embedded());
  rmSync(directory, { recursive: true, force: true });
}

process.setMaxListeners(100);
process.once('SIGTERM', () => process.exit(1));
await main();
