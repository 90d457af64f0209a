// Pictures of the dashboard for docs/screens: empty, under load and in alarm, at three widths, light and dark. They are of the build
// in dist and of the system's Chromium. `npm run screens [FOLDER]`.

import { spawn } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { chromium } from 'playwright-core';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const FOLDER = process.argv[2] ?? join(ROOT, 'docs/screens');
const CHROMIUM = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'].find((path) =>
  existsSync(path),
);
const LOAD_S = Number(process.env.LOAD_S ?? 75);
const PER_SECOND = 250;
const USERS = 6000;
const SOURCES = 12;
const TCP_CLIENTS = 9;
const PHONES = [
  'Linphone/5.2.5 (belle-sip/5.3.0)',
  'Yealink SIP-T54W 96.86.0.100',
  'Grandstream GXP2170 1.0.11.64',
  'Zoiper rv2.10.20.7',
  'MicroSIP/3.21.6',
];
const DOMAINS = ['example.com', 'example.com', 'example.net'];

const directory = mkdtempSync(join(tmpdir(), 'aorta-screens-'));
const config = join(directory, 'aorta.yaml');
writeFileSync(
  config,
  `listen: [udp:127.0.0.1:25060, tcp:127.0.0.1:25060]
domains:
  example.com: {}
  example.net: { policy: { bindings-max: 2500 } }
data: ${directory}/data
shards: 2
auth: none
connections: { max: 10 }
admin: http:127.0.0.1:25080
`,
);
const URL_OF_PAGE = 'http://127.0.0.1:25080';

let cseq = 0;

/** Phones that register and refresh, a few of them wrongly. */
class Load {
  constructor() {
    this.sockets = Array.from({ length: SOURCES }, (_, i) => {
      const socket = createSocket('udp4');
      socket.bind(0, `127.1.${i >> 2}.${(i & 3) + 2}`);
      return socket;
    });
    this.sent = 0;
    this.timer = setInterval(() => this.some(), 20);
  }

  some() {
    for (let n = 0; n < PER_SECOND / 50; n++) {
      const user = this.sent < USERS ? this.sent : Math.floor(Math.random() * USERS);
      this.sent++;
      const index = user % SOURCES;
      const host = `127.1.${index >> 2}.${(index & 3) + 2}`;
      const expires = Math.random() < 0.01 ? 5 : 3600;
      this.sockets[index].send(register(user, host, 'UDP', expires), 25060, '127.0.0.1');
    }
  }

  connect(count) {
    return Array.from({ length: count }, (_, i) => {
      const socket = connect({ port: 25060, host: '127.0.0.1' });
      socket.on('error', () => {}).write(register(USERS + i, '127.0.0.1', 'TCP', 3600));
      return socket;
    });
  }

  stop() {
    clearInterval(this.timer);
    for (const socket of this.sockets) socket.close();
  }
}

const server = spawn(
  process.execPath,
  [join(ROOT, 'dist/cli.js'), 'serve', '--config', config, '--log-level', 'error'],
  {
    stdio: ['ignore', 'ignore', 'inherit'],
  },
);
const browser = await chromium.launch({ executablePath: CHROMIUM, args: ['--no-sandbox', '--disable-gpu'] });
try {
  mkdirSync(FOLDER, { recursive: true });
  await ready();
  await picture('empty', 1280, 'light', 4000);
  const load = new Load();
  await delay(LOAD_S * 1000);
  for (const scheme of ['light', 'dark'])
    for (const width of [400, 1280, 1920]) await picture('load', width, scheme, 5000, search);
  const sockets = load.connect(TCP_CLIENTS);
  await post('/v1/drain', { draining: true });
  await picture('alarm', 1280, 'dark', 6000);
  for (const socket of sockets) socket.destroy();
  load.stop();
} finally {
  await browser.close();
  const ended = once(server, 'exit');
  server.kill();
  await ended;
  rmSync(directory, { recursive: true, force: true, maxRetries: 10 });
}

async function ready() {
  for (let n = 0; n < 100; n++, await delay(100)) {
    const answer = await fetch(`${URL_OF_PAGE}/readyz`).catch(() => undefined);
    if (answer?.ok) return;
  }
  throw new Error('the server does not start');
}

function post(path, body) {
  const headers = { 'content-type': 'application/json' };
  return fetch(URL_OF_PAGE + path, { method: 'POST', headers, body: JSON.stringify(body) });
}

async function picture(name, width, colorScheme, ms, act = async () => {}) {
  const context = await browser.newContext({ viewport: { width, height: 900 }, colorScheme });
  const page = await context.newPage();
  await page.goto(URL_OF_PAGE);
  await delay(ms);
  await act(page);
  await page.evaluate(() => scrollTo(0, 0));
  const path = join(FOLDER, `${name}-${width}-${colorScheme}.jpg`);
  await page.screenshot({ path, fullPage: true, type: 'jpeg', quality: 78 });
  await context.close();
}

/** An address is open, and changes are followed. */
async function search(page) {
  await page.fill('#search', 'user123@example.com');
  await page.click('#search-form button');
  await page.waitForSelector('#aor:not([hidden])');
  await page.click('#feed-button');
  await delay(1500);
  await page.click('#feed-pause');
}

function register(user, host, transport, expires) {
  const domain = DOMAINS[user % DOMAINS.length];
  const aor = `sip:user${user}@${domain}`;
  const port = 5000 + (user % 50_000);
  return [
    `REGISTER sip:${domain} SIP/2.0`,
    `Via: SIP/2.0/${transport} ${host}:${port};branch=z9hG4bK${user}x${++cseq};rport`,
    'Max-Forwards: 70',
    `From: <${aor}>;tag=t${user}`,
    `To: <${aor}>`,
    `Call-ID: call${user}@${host}`,
    `CSeq: ${cseq} REGISTER`,
    `Contact: <sip:user${user}@${host}:${port}>`,
    `Expires: ${expires}`,
    `User-Agent: ${PHONES[user % PHONES.length]}`,
    'Content-Length: 0',
    '',
    '',
  ].join('\r\n');
}
