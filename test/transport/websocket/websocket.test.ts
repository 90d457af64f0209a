// The WebSocket listener by itself (RFC 7118): handshakes, frames, limits and ends of connections, with a client that also
// does what no browser would.

import type { TLSSocket } from 'node:tls';
import { afterAll, beforeEach, describe, expect, it, onTestFinished } from 'vitest';
import { type FlowCounts, Flows } from '../../../src/transport/flow/flows.ts';
import { HalfMessages } from '../../../src/transport/flow/half-messages.ts';
import { createLiveFlowsMemory, LiveFlows } from '../../../src/transport/flow/live-flows.ts';
import type { HalfConnection, StreamListener } from '../../../src/transport/flow/stream-listener.ts';
import { DEFAULT_STREAM_POLICY, type StreamPolicy } from '../../../src/transport/flow/stream-policy.ts';
import { uWebSockets } from '../../../src/transport/websocket/uwebsockets.ts';
import { openWebSocketListener } from '../../../src/transport/websocket/websocket-listener.ts';
import { openNodeWebSocketListener } from '../../../src/transport/websocket/websocket-node.ts';
import type { WebSocketOptions } from '../../../src/transport/websocket/websocket-options.ts';
import { DEFAULT_WEBSOCKET_POLICY } from '../../../src/transport/websocket/websocket-policy.ts';
import { openUwsListener } from '../../../src/transport/websocket/websocket-uws.ts';
import { removeDirectories } from '../../support/aorta-process.ts';
import { selfSigned } from '../../support/certificate.ts';
import { noWebSockets } from '../../support/websocket-library.ts';
import { BINARY, CLOSE, frame, PING, PONG, TEXT, WsClient } from '../../support/ws-client.ts';

interface Door {
  readonly listener: StreamListener;
  readonly port: number;
  readonly flows: Flows;
  readonly counts: FlowCounts;
  readonly messages: string[];
  /** Addresses of clients, in the order of their messages. */
  readonly addresses: string[];
  /** Tokens in the order of messages and of ends. */
  readonly tokens: number[];
  readonly closed: number[];
  readonly errors: string[];
  /** While false, no message finds room. */
  room: boolean;
}

const LIBRARIES = noWebSockets ? (['ws'] as const) : (['uWebSockets.js', 'ws'] as const);
/** Which library serves. */
let by: (typeof LIBRARIES)[number] = 'ws';

/** A listener that sends every message back. @param finished of a test that runs beside others: its own */
async function door(
  options: Partial<Omit<WebSocketOptions, 'policy'>> & { policy?: Partial<StreamPolicy>; port?: number } = {},
  finished: typeof onTestFinished = onTestFinished,
): Promise<Door> {
  const policy = { ...DEFAULT_STREAM_POLICY, ...options.policy };
  const numbers = { first: 1, step: 1 << 20, reserve: () => {} };
  const flows = new Flows(new LiveFlows(createLiveFlowsMemory(1000)), numbers, policy);
  const lists = {
    messages: [] as string[],
    addresses: [] as string[],
    tokens: [] as number[],
    closed: [] as number[],
    errors: [] as string[],
  };
  const transport = options.tls === undefined ? 'ws' : 'wss';
  const made = { ...lists, flows, counts: flows.counts, room: true };
  const listenerOptions: WebSocketOptions = {
    address: { transport, host: '127.0.0.1', port: options.port ?? 0 },
    listener: 0,
    flows,
    messageBytesMax: 65_535,
    webSocket: DEFAULT_WEBSOCKET_POLICY,
    halves: new HalfMessages<HalfConnection>(policy.incompleteBytesMax, (connection) => connection.crowdedOut()),
    ...options,
    policy,
    events: {
      notice: () => {},
      message: (token, bytes, at, end) => {
        if (!made.room) return false;
        const row = flows.rowOf(token);
        made.messages.push(Buffer.from(bytes.subarray(at, end)).toString('latin1'));
        made.tokens.push(token);
        made.addresses.push(flows.peers.ip.subarray(row << 4, (row << 4) + 4).join('.'));
        flows.send(token, bytes, at, end);
        return true;
      },
      closed: (token) => made.closed.push(token),
      error: (_, error) => made.errors.push(error.message),
    },
  };
  const library = uWebSockets();
  const listener =
    by === 'ws' || typeof library === 'string'
      ? await openNodeWebSocketListener(listenerOptions)
      : openUwsListener(library, listenerOptions);
  const { port } = listener.address;
  finished(() => {
    WsClient.leave(port);
    return listener.close();
  });
  return Object.assign(made, { listener, port });
}

/** A message there and back, so that what came before it has been dealt with. */
async function echo(client: WsClient, text = 'hello'): Promise<string> {
  client.text(text);
  return (await client.next()).payload.toString();
}

/** Waits for what the listener learns from the network in its own time. */
const WAIT_MS = 20_000;
const eventually = (what: () => unknown) => expect.poll(what, { timeout: WAIT_MS, interval: 10 });

afterAll(removeDirectories);

describe.each(LIBRARIES)('handshake by %s', (name) => {
  beforeEach(() => {
    by = name;
  });

  it('R7118-4.1-01 answers with the sub-protocol sip, also where it is one of several', async () => {
    const { status, head } = await WsClient.try(await door(), { protocol: 'chat, sip' });
    expect([status, /^sec-websocket-protocol: sip\r$/im.test(head)], head).toEqual([101, true]);
  });

  it.each(['', 'chat', 'sips', 'SIP'])('R7118-4.1-01 refuses a client that offers "%s"', async (protocol) => {
    const at = await door();
    expect((await WsClient.try(at, { protocol })).status).toBe(400);
    expect(at.counts.opened).toBe(0);
  });

  it.each([
    ['chat and then sip', ['chat', 'sip']],
    ['sip and then chat', ['sip', 'chat']],
    ['sip in a list in the last of three', ['chat', 'x', 'y, sip']],
  ])('R7118-4.1-01 takes several rows of sub-protocols as one list: %s', async (_what, rows) => {
    const headers = rows.map((row) => `Sec-WebSocket-Protocol: ${row}`);
    const { status, head } = await WsClient.try(await door(), { protocol: '', headers });
    expect([status, head.match(/^sec-websocket-protocol: .*$/gim)?.map((row) => row.toLowerCase())]).toEqual([
      101,
      ['sec-websocket-protocol: sip'],
    ]);
  });

  it.each(['8', '12', '14', '130', 'x', ''])(
    'R7118-4.1-01 answers version "%s" with 426 and the one there is',
    async (version) => {
      const at = await door();
      const { status, head } = await WsClient.try(at, { version });
      expect([status, /^sec-websocket-version: 13\r$/im.test(head)], head).toEqual([426, true]);
      expect(at.counts.opened).toBe(0);
    },
  );

  it('tells who speaks plain HTTP to upgrade', async () => {
    const at = await door();
    const client = await WsClient.dial(at);
    client.raw('GET / HTTP/1.1\r\nHost: x\r\n\r\n');
    await client.ended;
    expect([client.head, at.counts.opened]).toEqual([
      expect.stringMatching(/^HTTP\/1.1 426 [\s\S]*upgrade: websocket/i),
      0,
    ]);
  });

  it('R7118-7-01 lets pages of the listed origins in and no others, and clients that are no browsers', async () => {
    const at = await door({
      webSocket: { ...DEFAULT_WEBSOCKET_POLICY, origins: ['https://phone.example.com', 'loopback'] },
    });
    const status = async (origin?: string) =>
      (await WsClient.try(at, { headers: origin === undefined ? [] : [`Origin: ${origin}`] })).status;
    expect(await status()).toBe(101);
    expect(await status('https://phone.example.com')).toBe(101);
    expect(await status('HTTPS://Phone.example.com')).toBe(101);
    for (const own of ['http://localhost:8080', 'http://127.0.0.1', 'https://[::1]:4'])
      expect(await status(own)).toBe(101);
    for (const other of [
      'https://example.com',
      'http://phone.example.com',
      'null',
      'http://localhost.evil.example',
      'x',
    ])
      expect(await status(other), other).toBe(403);
  });

  it('R7118-7-01 asks a hook that reads cookies; it may refuse with 401 or another status, and take its time', async () => {
    const seen: string[] = [];
    const at = await door({
      handshake: async ({ cookie, url, address }) => {
        seen.push(`${url} ${address}`);
        await new Promise((resolve) => setImmediate(resolve));
        if (cookie === 'broken') throw new Error('no session store');
        return cookie === 'session=good' || (cookie === 'late' ? 503 : false);
      },
    });
    const status = async (...headers: string[]) => (await WsClient.try(at, { path: '/ws?a=b', headers })).status;
    expect(await status('Cookie: session=good')).toBe(101);
    expect(await status('Cookie: session=bad')).toBe(401);
    expect(await status()).toBe(401);
    expect(await status('Cookie: late')).toBe(503);
    expect(await status('Cookie: broken')).toBe(500);
    expect(seen[0]).toBe('/ws?a=b 127.0.0.1');
    const impatient = await WsClient.dial(at);
    impatient.raw(
      'GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nSec-WebSocket-Key: x\r\nSec-WebSocket-Protocol: sip\r\n',
    );
    impatient.raw('Cookie: session=good\r\n\r\n');
    impatient.destroy();
    expect(await status('Cookie: session=good')).toBe(101);
  });

  it('takes the word of a trusted proxy, and of no one else, for the address of the client', async () => {
    const headers = ['X-Forwarded-For: 198.51.100.1, 203.0.113.9'];
    const proxied = await door({ trustsProxy: (address) => address === '127.0.0.1' });
    await echo(await WsClient.open(proxied, { headers }));
    await echo(await WsClient.open(proxied, { headers: ['X-Forwarded-For: unknown'] }));
    expect(proxied.addresses).toEqual(['203.0.113.9', '127.0.0.1']);
    const direct = await door();
    await echo(await WsClient.open(direct, { headers }));
    expect(direct.addresses).toEqual(['127.0.0.1']);
  });
});

describe.each(LIBRARIES)('frames by %s', (name) => {
  beforeEach(() => {
    by = name;
  });

  it('R7118-4.2-01 takes text and binary, and sends what is no UTF-8 as binary', async () => {
    const kinds = [];
    const other = await WsClient.open(await door());
    other.text(Buffer.from('grüße'));
    other.binary(Buffer.from('plain'));
    other.binary(Buffer.from([0x52, 0xff, 0xfe]));
    for (let i = 0; i < 3; i++) kinds.push((await other.next()).opcode);
    expect(kinds).toEqual([TEXT, TEXT, BINARY]);
  });

  it('R7118-5-01 hands over one message per WebSocket message, however it was cut into frames and segments', async () => {
    const at = await door();
    const client = await WsClient.open(at);
    for (const byte of Buffer.concat([
      frame(TEXT, 'OPT', { fin: false }),
      frame(PING, 'between'),
      frame(0, 'IO', { fin: false }),
      frame(0, 'NS'),
      frame(TEXT, 'second'),
    ]))
      client.raw(Buffer.from([byte]));
    expect((await client.next()).opcode).toBe(PONG);
    expect((await client.next()).payload.toString()).toBe('OPTIONS');
    expect((await client.next()).payload.toString()).toBe('second');
    expect(at.messages).toEqual(['OPTIONS', 'second']);
  });

  it('R7118-6-01 answers CRLF CRLF with CRLF, pings with pongs, and a single CRLF not at all', async () => {
    const at = await door();
    const client = await WsClient.open(at);
    client.text('\r\n');
    client.text('');
    client.text('\r\n\r\n');
    client.raw(frame(PING, 'are you there'));
    const [crlf, pong] = [await client.next(), await client.next()];
    expect([crlf.opcode, crlf.payload.toString()]).toEqual([TEXT, '\r\n']);
    expect([pong.opcode, pong.payload.toString()]).toEqual([PONG, 'are you there']);
    expect(at.messages).toEqual([]);
  });

  it.each([
    ['too long', frame(TEXT, 'x'.repeat(70_000))],
    [
      'too long in fragments',
      Buffer.concat(Array.from({ length: 8 }, () => frame(TEXT, 'x'.repeat(10_000), { fin: false }))),
    ],
    ['not masked and garbled', frame(TEXT, 'hello', { mask: false, lie: 4_000_000_000 })],
    ['with reserved bits', frame(TEXT, 'hello', { rsv: 7 })],
    ['of an unknown kind', frame(5, 'hello')],
    ['a control frame in fragments', frame(PING, 'x', { fin: false })],
    ['a control frame that is too long', frame(PING, 'x'.repeat(126))],
    ['text that is no UTF-8', frame(TEXT, Buffer.from([0xff]))],
    ['a continuation of nothing, too long', frame(0, 'x'.repeat(70_000))],
  ])('ends the connection at a frame %s, and no other', async (_, bytes) => {
    const at = await door();
    const other = await WsClient.open(at);
    const client = await WsClient.open(at);
    client.raw(bytes);
    await client.ended;
    await eventually(() => at.closed.length).toBe(1);
    expect(await echo(other, 'still here')).toBe('still here');
    expect(at.messages).toEqual(['still here']);
  });

  it('R7118-5-03 sends nothing to a client that is gone, nor to the next one', async () => {
    const at = await door();
    const client = await WsClient.open(at);
    await echo(client);
    const [token] = at.tokens;
    client.destroy();
    await eventually(() => at.closed).toEqual([token]);
    const next = await WsClient.open(at);
    expect([at.flows.isAlive(token), at.flows.send(token, Buffer.from('late'), 0, 4)]).toEqual([false, false]);
    expect(await echo(next, 'mine')).toBe('mine');
  });
});

describe.each(LIBRARIES)('limits by %s', (name) => {
  beforeEach(() => {
    by = name;
  });

  it('connections of one source, and in all', async () => {
    const at = await door({ policy: { connectionsPerSourceMax: 2 } });
    const clients = [await WsClient.open(at), await WsClient.open(at)];
    await (await WsClient.dial(at)).ended;
    expect(at.counts).toMatchObject({ open: 2, refusedSource: 1 });
    clients[0].destroy();
    await eventually(() => at.counts.open).toBe(1);
    await WsClient.open(at);
    expect(at.counts).toMatchObject({ open: 2, refusedSource: 1 });

    const full = await door({ policy: { connectionsMax: 1 } });
    const only = await WsClient.open(full);
    await (await WsClient.dial(full)).ended;
    expect(full.counts).toMatchObject({ open: 1, refusedTotal: 1 });
    expect(await echo(only)).toBe('hello');
  });

  it('counts connections that never finish their handshake', async () => {
    const at = await door({ policy: { connectionsMax: 2 } });
    const slow = [await WsClient.dial(at), await WsClient.dial(at)];
    for (const client of slow) client.raw('GET / HTT');
    await (await WsClient.dial(at)).ended;
    for (const client of slow) client.destroy();
    await expect.poll(async () => (await WsClient.try(at)).status, { timeout: WAIT_MS }).toBe(101);
  });

  it('keeps what a shard has no room for, in order, and no more than a limit of it', async () => {
    const at = await door();
    const client = await WsClient.open(at);
    await echo(client, 'first');
    const [token] = at.tokens;
    at.room = false;
    for (const text of ['second', 'third']) client.text(text);
    client.raw(frame(PING));
    expect((await client.next()).opcode).toBe(PONG);
    at.room = true;
    client.text('fourth'); // not before the others
    client.raw(frame(PING));
    expect((await client.next()).opcode).toBe(PONG);
    at.flows.resume(token);
    expect(at.messages).toEqual(['first', 'second', 'third', 'fourth']);
    for (const text of ['second', 'third', 'fourth']) expect((await client.next()).payload.toString()).toBe(text);
    expect(await echo(client, 'fifth')).toBe('fifth');
    at.room = false;
    for (let i = 0; i < 20; i++) client.text('x'.repeat(20_000));
    await client.ended;
    await eventually(() => at.counts.open).toBe(0);
  });

  it('ends the connection of a client that does not read', async () => {
    const at = await door({ policy: { unsentBytesMax: 100_000 } });
    const client = await WsClient.open(at);
    await echo(client);
    client.socket.pause();
    const [token] = at.tokens;
    const chunk = Buffer.alloc(60_000, 'x');
    let sent = 0;
    while (at.flows.send(token, chunk, 0, chunk.length)) sent += chunk.length;
    expect(sent).toBeLessThan(64 << 20);
    await eventually(() => at.closed).toEqual([token]);
    client.destroy();
  });

  it('holds memory against floods of pings from a client that reads no pongs', async () => {
    const at = await door({ policy: { unsentBytesMax: 10_000 } });
    const client = await WsClient.open(at);
    client.socket.pause();
    const pings = Buffer.concat(Array.from({ length: 500 }, () => frame(PING, 'x'.repeat(125))));
    while (!client.over && at.closed.length === 0) {
      if (!client.socket.write(pings)) await new Promise((resolve) => setTimeout(resolve, 1));
    }
    expect(at.closed).toHaveLength(1);
    client.destroy();
  });
});

describe.each(LIBRARIES)('WSS by %s', (name) => {
  beforeEach(() => {
    by = name;
  });

  const subject = ({ socket }: WsClient) => (socket as TLSSocket).getPeerCertificate().subject.CN;

  it('serves TLS, and a renewed certificate without a break for open connections', async () => {
    const tls = { ...selfSigned('first.example.com') };
    const at = await door({ tls });
    const client = await WsClient.open({ ...at, tls: true });
    const second = selfSigned('second.example.com');
    Object.assign(tls, second);
    at.listener.reload?.();
    const later = await WsClient.open({ ...at, tls: true });
    expect([subject(client), subject(later)]).toEqual(['first.example.com', 'second.example.com']);
    expect(await echo(client, 'old')).toBe('old');
    Object.assign(tls, { certFile: second.keyFile });
    at.listener.reload?.();
    expect(at.errors).toEqual([expect.stringContaining(second.keyFile)]);
    expect(subject(await WsClient.open({ ...at, tls: true }))).toBe('second.example.com');
  });

  it('R3261-26.3.1-03 shows the certificate of the name that is asked for', async () => {
    const domains = { 'b.example.com': selfSigned('b.example.com'), 'c.example.com': selfSigned('c.example.com') };
    const at = await door({ tls: { ...selfSigned('a.example.com'), domains } });
    for (const name of ['b.example.com', 'a.example.com', 'c.example.com', 'unknown.example.com', '']) {
      const client = await WsClient.open({ ...at, tls: true, ...(name && { servername: name }) });
      expect(subject(client), name).toBe(name in domains ? name : 'a.example.com');
      expect(await echo(client)).toBe('hello');
    }
  });

  it('names the file that is no good', async () => {
    const { certFile } = selfSigned();
    await expect(door({ tls: { certFile, keyFile: '/nowhere/key.pem' } })).rejects.toThrow(
      '/nowhere/key.pem (no such file)',
    );
  });

  it('refuses what is no TLS and survives it', async () => {
    const at = await door({ tls: selfSigned() });
    const plain = await WsClient.dial(at);
    plain.raw('GET / HTTP/1.1\r\nHost: x\r\n\r\n');
    await plain.ended;
    expect(await echo(await WsClient.open({ ...at, tls: true }))).toBe('hello');
  });
});

describe.each(LIBRARIES)('the end by %s', (name) => {
  beforeEach(() => {
    by = name;
  });

  it('tells clients that the server goes away', async () => {
    const at = await door();
    const client = await WsClient.open(at);
    const closing = at.listener.close();
    const last = await client.next();
    expect([last.opcode, last.payload.readUInt16BE(0)]).toEqual([CLOSE, 1001]);
    await closing;
    expect([at.closed.length, at.counts.open]).toEqual([1, 0]);
  });

  it('a port that is taken is named', async () => {
    const first = await door();
    await expect(door({ port: first.port })).rejects.toThrow(`address in use: ws:127.0.0.1:${first.port}`);
  });
});

describe('halves of messages by ws', () => {
  beforeEach(() => {
    by = 'ws';
  });

  const code = async (client: WsClient) => {
    let last = await client.next();
    while (last.opcode !== CLOSE) last = await client.next();
    return last.payload.readUInt16BE(0);
  };

  it.each([
    ['a frame that is not masked', frame(TEXT, 'hello', { mask: false }), 1002],
    ['a frame with reserved bits', frame(TEXT, 'hello', { rsv: 7 }), 1002],
    ['a frame of an unknown kind', frame(5, 'hello'), 1002],
    ['a continuation of nothing', frame(0, 'hello'), 1002],
    ['text that is no UTF-8', frame(TEXT, Buffer.from([0xff])), 1007],
    ['a message that is too long', frame(TEXT, 'x'.repeat(70_000)), 1009],
  ])('R7118-4.2-01 %s ends the connection with the code for it', async (_what, bytes, expected) => {
    const at = await door();
    const client = await WsClient.open(at);
    client.raw(bytes);
    expect(await code(client)).toBe(expected);
    await eventually(() => at.closed.length).toBe(1);
    expect(at.messages).toEqual([]);
  });

  it('R3261-26.1.5-01 halves beyond what is kept of them end the oldest first, large or in many small pieces', async () => {
    for (const [half, most] of [
      [frame(TEXT, 'x'.repeat(20_000), { fin: false }), 5],
      [Buffer.concat(Array.from({ length: 150 }, (_, i) => frame(i === 0 ? TEXT : 0, 'x', { fin: false }))), 5],
    ] as const) {
      const at = await door({ policy: { incompleteBytesMax: 110_000 } });
      const clients: WsClient[] = [];
      for (let i = 0; i < 12; i++) {
        const client = await WsClient.open(at);
        client.raw(half);
        client.raw(frame(PING));
        await client.next();
        clients.push(client);
      }
      await eventually(() => at.counts.crowded).toBeGreaterThanOrEqual(12 - most);
      expect(clients[0].over || (await code(clients[0])) === 1013).toBe(true);
      clients[11].raw(frame(0, 'end'));
      expect((await clients[11].next()).payload.toString()).toMatch(/end$/);
      for (const client of clients) client.destroy();
    }
  });
});

it('where no build of uWebSockets.js loads ws takes over WSS, and the log says so', async () => {
  const notices: unknown[] = [];
  const { certFile, keyFile } = selfSigned();
  const policy = DEFAULT_STREAM_POLICY;
  const flows = new Flows(
    new LiveFlows(createLiveFlowsMemory(1000)),
    { first: 1, step: 1 << 20, reserve: () => {} },
    policy,
  );
  const listener = await openWebSocketListener(
    {
      address: { transport: 'wss', host: '127.0.0.1', port: 0 },
      listener: 3,
      flows,
      policy,
      messageBytesMax: 65_535,
      webSocket: DEFAULT_WEBSOCKET_POLICY,
      halves: new HalfMessages<HalfConnection>(1 << 20, (connection) => connection.crowdedOut()),
      tls: { certFile, keyFile },
      events: {
        message: () => true,
        closed: () => {},
        error: () => {},
        notice: (event, fields) => notices.push([event, fields]),
      },
    },
    'no build for this system',
  );
  onTestFinished(() => {
    WsClient.leave(listener.address.port);
    return listener.close();
  });
  expect(notices).toEqual([
    ['WebSockets by the package ws', { listener: 3, reason: 'no build for this system', cost: expect.any(String) }],
  ]);
  const client = await WsClient.open({ port: listener.address.port, tls: true });
  client.raw(frame(PING, 'hello'));
  expect((await client.next()).opcode).toBe(PONG);
});

// They wait for seconds, beside each other.
describe.concurrent('time by ws', () => {
  beforeEach(() => {
    by = 'ws';
  });

  it.for<[string, Buffer[]]>([
    ['a fragment and no more', [frame(TEXT, 'x'.repeat(1000), { fin: false })]],
    ['a fragment with pings behind it', [frame(TEXT, 'x', { fin: false }), frame(PING, 'still here')]],
    ['half a frame', [frame(TEXT, 'x'.repeat(1000)).subarray(0, 500)]],
    ['one byte', [frame(TEXT, 'x').subarray(0, 1)]],
    [
      'a message and half of another in one piece',
      [frame(TEXT, 'whole'), frame(TEXT, 'x'.repeat(100)).subarray(0, 50)],
    ],
  ])(
    'R3261-26.1.5-01 a message that takes too long ends its connection, and no other: %s',
    async ([, frames], { expect, onTestFinished }) => {
      const at = await door({ policy: { messageMs: 1500 } }, onTestFinished);
      const other = await WsClient.open(at);
      const client = await WsClient.open(at);
      client.raw(Buffer.concat(frames));
      const betweenFrames = frames.length > 0 && (frames[0][0] & 0x80) === 0;
      const drip = setInterval(() => betweenFrames && client.raw(frame(PING, 'x')), 300);
      await client.ended;
      clearInterval(drip);
      await expect.poll(() => at.counts.slow, { timeout: WAIT_MS }).toBe(1);
      expect(await echo(other, 'still here')).toBe('still here');
    },
  );

  it('a message under way for long after others of its connection is as old as itself', async ({
    expect,
    onTestFinished,
  }) => {
    const at = await door({ policy: { messageMs: 1500 } }, onTestFinished);
    const client = await WsClient.open(at);
    const frames = Array.from({ length: 9 }, (_, i) => frame(TEXT, `message ${i}`));
    for (const [i, bytes] of frames.entries()) {
      client.raw(Buffer.concat([...(i === 0 ? [] : [frames[i - 1].subarray(4)]), bytes.subarray(0, 4)]));
      await new Promise((resolve) => setTimeout(resolve, 300));
    }
    expect([client.over, at.counts.slow]).toEqual([false, 0]);
  });

  it('silence ends a connection; one that answers pings stays', async ({ expect, onTestFinished }) => {
    const at = await door({ webSocket: { ...DEFAULT_WEBSOCKET_POLICY, idleS: 4 } }, onTestFinished);
    const silent = await WsClient.open(at);
    const alive = await WsClient.open(at);
    const pongs = setInterval(() => alive.raw(frame(PONG)), 200);
    expect((await silent.next()).opcode).toBe(PING);
    await silent.ended;
    clearInterval(pongs);
    expect([at.counts.idle, alive.over]).toEqual([1, false]);
  });
});
