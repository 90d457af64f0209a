// What comes whole over a connection is answered, whatever stands around it: foreign keep-alives, rubbish, halves, ends. And what
// never becomes whole costs no more than it may. On connections that shards read, on Node's and over TLS.

import { writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { connect as connectTls } from 'node:tls';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Aorta, removeDirectories, temporaryDirectory } from '../support/aorta-process.ts';
import { selfSigned } from '../support/certificate.ts';
import { killAll, poll } from '../support/child-process.ts';
import { freePort } from '../support/free-ports.ts';
import { StreamClient } from '../support/stream-client.ts';
import { responseTo } from '../support/watcher.ts';

const INCOMPLETE_BYTES = 1 << 20;
const KINDS = ['shards', 'node', 'tls'] as const;
type Kind = (typeof KINDS)[number];

const ports = {} as Record<Kind, number>;
const metricsOf = {} as Record<Kind, string>;
const servers: Aorta[] = [];

beforeAll(async () => {
  const { certFile, keyFile } = selfSigned();
  const config = join(temporaryDirectory(), 'aorta.yaml');
  writeFileSync(
    config,
    `tls: {cert: ${certFile}, key: ${keyFile}}
connections: {message-seconds: 20, header-bytes: 4096, incomplete-bytes: ${INCOMPLETE_BYTES}}
abuse: {enabled: false}
`,
  );
  for (const udp of ['auto', 'dgram'] as const) {
    const [tls, admin] = [await freePort(), await freePort()];
    const flags = ['--config', config, '--listen', `tls:127.0.0.1:${tls}`, '--admin', `http:127.0.0.1:${admin}`];
    const server = await Aorta.start({ udp, transports: ['udp', 'tcp'], shards: 2, flags });
    servers.push(server);
    const kind = udp === 'auto' ? 'shards' : 'node';
    ports[kind] = server.port;
    ports.tls = tls;
    metricsOf[kind] = `http://127.0.0.1:${admin}/metrics`;
    metricsOf.tls = metricsOf[kind];
  }
});

afterAll(async () => {
  for (const server of servers) await server.stop();
  await killAll();
  removeDirectories();
});

function open(kind: Kind): Promise<StreamClient> {
  if (kind !== 'tls') return StreamClient.tcp({ address: '127.0.0.1', port: ports[kind] });
  return new Promise((resolve, reject) => {
    const socket = connectTls({ host: '127.0.0.1', port: ports.tls, rejectUnauthorized: false });
    socket.once('error', reject);
    socket.once('secureConnect', () => resolve(new StreamClient(socket, 'TLS')));
  });
}

async function metric(kind: Kind, name: string): Promise<number> {
  const text = await (await fetch(metricsOf[kind])).text();
  const line = text.split('\n').find((row) => row.startsWith(`${name} `));
  return Number(line?.slice(name.length + 1));
}

const half = 'REGISTER sip:example.com SIP/2.0\r\nX: ';

describe.each(KINDS)('over %s', (kind) => {
  it.each([
    ['a line feed', '\n'],
    ['a NUL', '\0'],
    ['a line of text', 'HELLO\r\n'],
    ['binary', '\u0016\u0003\u0001\u0002\0'],
    ['HTTP', 'GET / HTTP/1.1\r\nHost: x\r\n\r\n'],
    ['half a message', half],
    ['a message without a length', 'OPTIONS sip:example.com SIP/2.0\r\nX: 1\r\n\r\n'],
    ['a length beyond reason', 'OPTIONS sip:example.com SIP/2.0\r\nContent-Length: 99999999\r\n\r\n'],
    ['a head without an end', `${half}${'x'.repeat(5000)}`],
    ['more NULs than are skipped', '\0'.repeat(5000)],
    ['a flood of rubbish', 'HELLO\r\n'.repeat(20_000)],
  ])('R3261-18.3-04: a request is answered, and then more of them, before %s', async (_what, junk) => {
    for (const ends of [false, true]) {
      const client = await open(kind);
      const requests = Array.from({ length: 3 }, () => client.register());
      const answers = requests.map((request) => client.answerTo(request));
      client.send(requests.join('') + junk);
      if (ends) client.socket.end();
      for (const answer of answers) expect((await answer).status).toBe(200);
      client.close();
    }
  });

  it('R5626-5.4-01: foreign keep-alives leave the connection as it is, and pings among them are answered', async () => {
    const client = await open(kind);
    const before = await metric(kind, 'aorta_flow_skipped_bytes_total');
    for (const filler of ['\0', '\n', '\r\n\0', ' ', '\t\0\n', '\r']) {
      client.send(filler);
      expect((await client.request(client.register())).status).toBe(200);
      expect((await client.request(`${filler}${client.register()}`)).status).toBe(200);
    }
    client.send('\0\r\n\r\n\0');
    await poll('the pong', 3000, () => client.blanks === '\r\n');
    expect((await client.request(client.register())).status).toBe(200);
    const counted = async () => (await metric(kind, 'aorta_flow_skipped_bytes_total')) - before;
    await poll('them to be counted', 3000, async () => (await counted()) >= 16);
    client.close();
  });

  it('responses and ACKs, which nobody answers, keep no connection whose peer has ended it', async () => {
    const client = await open(kind);
    const request = client.register();
    expect((await client.request(request)).status).toBe(200);
    client.send(responseTo(client.register()) + client.register().replaceAll('REGISTER', 'ACK'));
    expect((await client.request(client.register())).status).toBe(200);
    client.socket.end();
    await poll('the end', 3000, () => client.ended || client.closed);
    client.close();
  });

  it('more of them than are skipped end the connection', async () => {
    const client = await open(kind);
    client.send('\0'.repeat(4096));
    expect((await client.request(client.register())).status).toBe(200);
    client.send(' '.repeat(4097));
    await poll('the end', 3000, () => client.ended || client.closed);
    client.close();
  });

  it('R3261-26.1.5-01: halves beyond what is kept of them end the oldest first; whoever comes then is served', async () => {
    const crowded = 'aorta_flows_closed_total{reason="half_messages"}';
    const before = await metric(kind, crowded);
    const first = await open(kind);
    const body = `${half}\r\nContent-Length: 60000\r\n\r\n${'x'.repeat(30_000)}`;
    first.send(body);
    const many: StreamClient[] = [];
    for (let i = 0; i < 60; i++) {
      const client = await open(kind);
      client.send(body);
      many.push(client);
    }
    const standing = () => many.filter((client) => !client.ended && !client.closed);
    await poll('the oldest to end', 5000, () => standing().length <= INCOMPLETE_BYTES / 30_000);
    const left = standing();
    expect(first.ended || first.closed).toBe(true);
    expect(left).toContain(many.at(-1));
    const late = await open(kind);
    const request = late.register();
    late.send(request.slice(0, 100));
    const answer = late.answerTo(request);
    setTimeout(() => late.send(request.slice(100)), 50);
    expect((await answer).status).toBe(200);
    expect((await metric(kind, crowded)) - before).toBeGreaterThanOrEqual(many.length - left.length);
    for (const client of [first, late, ...many]) client.close();
  });

  it('R3261-26.1.5-01: a head has less room than a message', async () => {
    const client = await open(kind);
    const long = client.register({ headers: [`X: ${'x'.repeat(3000)}`, `Y: ${'y'.repeat(3000)}`] });
    client.send(long);
    await poll('the end', 3000, () => client.ended || client.closed);
    const other = await open(kind);
    const fields = { headers: [`X: ${'x'.repeat(3000)}`] };
    expect((await other.request(other.register(fields))).status).toBe(200);
    other.close();
  });
});

it('a request whose peer resets the connection harms nobody else', async () => {
  const socket = connect(ports.shards, '127.0.0.1');
  await new Promise((resolve) => socket.once('connect', resolve));
  const client = new StreamClient(socket, 'TCP');
  const contact = `<sip:reset@192.0.2.9;transport=tcp>`;
  socket.write(client.register({ aor: 'reset@example.com', contacts: [contact] }), () => socket.resetAndDestroy());
  const other = await open('shards');
  expect((await other.request(other.register())).status).toBe(200);
  expect(servers[0].alive).toBe(true);
  other.close();
});
