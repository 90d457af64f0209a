import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';
import { constants, networkInterfaces } from 'node:os';
import { afterEach, describe, expect, it } from 'vitest';
import { SLOT_COUNT, slab, slotStart } from '../../../src/sip/parser/slab.ts';
import { createPeers } from '../../../src/sip/sources.ts';
import { UdpReceiver, type UdpSocket, UdpWait } from '../../../src/transport/linux/linux-udp.ts';
import { type HostPort, type NativeUdp, nativeUdp } from '../../../src/transport/linux/native-udp.ts';
import { UdpSender } from '../../../src/transport/linux/udp-sender.ts';

const native = nativeUdp();
const reason = typeof native === 'string' ? native : '';
if (typeof native === 'string') console.log(`native UDP is not tested here: ${native}`);
const hasIpv6 = Object.values(networkInterfaces()).some((list) => list?.some(({ address }) => address === '::1'));
if (!hasIpv6) console.log('native UDP over IPv6 is not tested here: no ::1');

const opened: { close(): void }[] = [];
afterEach(() => {
  for (const thing of opened.splice(0)) thing.close();
});

type Calls = NativeUdp['calls'];
/** Takes the place of a system call. */
type Send = (calls: Calls) => Partial<Pick<Calls, 'sendmmsg' | 'errno'>>;

/** One thread's worth of the native path over the sockets of some listeners. */
class Endpoint {
  readonly peers = createPeers();
  readonly lengths = new Int32Array(SLOT_COUNT);
  readonly ports: number[] = [];
  readonly sockets: UdpSocket[] = [];
  readonly receiver: UdpReceiver;
  readonly sender: UdpSender;
  readonly waiter: UdpWait;

  constructor(addresses: readonly HostPort[], { segments = true, sendmmsg = undefined as Send | undefined } = {}) {
    if (typeof native === 'string') throw new Error(native);
    const { listen } = nativeUdp(segments) as NativeUdp;
    for (const [listener, address] of addresses.entries()) {
      const { port, sockets } = listen(address, listener, 1);
      this.ports.push(port);
      this.sockets.push(...sockets);
    }
    const bell = native.openBell();
    opened.push({ close: () => [bell, ...this.sockets.map(({ fd }) => fd)].forEach(native.close) });
    this.receiver = new UdpReceiver(native.calls, this.sockets, this.peers, this.lengths);
    const calls = sendmmsg ? { ...native.calls, ...sendmmsg(native.calls) } : native.calls;
    this.sender = new UdpSender(calls, this.sockets, this.peers);
    this.waiter = new UdpWait(native.calls, bell, this.sockets);
  }

  receiveBufferBytes(): number {
    if (typeof native === 'string') throw new Error(native);
    return native.receiveBufferBytes(this.sockets[0]);
  }

  /** Fills the slots with what comes within a second. */
  receive(): number {
    this.waiter.wait(1000);
    let filled = 0;
    for (let s = 0; s < this.sockets.length; s++) filled += this.receiver.receive(s, filled);
    return filled;
  }

  bytes(slot: number): Uint8Array {
    return slab.subarray(slotStart(slot), slotStart(slot) + this.lengths[slot]);
  }

  /** Sends to the peers in `slots`, each with the bytes given. */
  send(slots: readonly number[], bodies: readonly Uint8Array[]): number {
    const bytes = Buffer.concat(bodies);
    const at = new Int32Array(SLOT_COUNT);
    const end = new Int32Array(SLOT_COUNT);
    let used = 0;
    for (const [i, body] of bodies.entries()) {
      at[i] = used;
      used += body.length;
      end[i] = used;
    }
    const port = new Uint16Array(slots.map((slot) => this.peers.port[slot]));
    const arena = new Uint8Array(new ArrayBuffer(Math.max(bytes.length, 1)));
    arena.set(bytes);
    return this.sender.send({ count: slots.length, bytes: arena, at, end, slot: new Uint16Array(slots), port });
  }
}

async function client(type: 'udp4' | 'udp6', host: string): Promise<Socket> {
  const socket = createSocket(type);
  opened.push(socket);
  socket.bind(0, host);
  await once(socket, 'listening');
  socket.setRecvBufferSize(4 << 20);
  return socket;
}

function sendAll(socket: Socket, bodies: readonly (Buffer | string)[], port: number, host: string): Promise<unknown> {
  return Promise.all(
    bodies.map(
      (body) =>
        new Promise<void>((resolve, reject) =>
          socket.send(body, port, host, (error) => (error ? reject(error) : resolve())),
        ),
    ),
  );
}

describe.skipIf(reason !== '')('native UDP', () => {
  it('receives into the slab and answers to the row', async () => {
    const end = new Endpoint([{ host: '127.0.0.1', port: 0 }]);
    const phone = await client('udp4', '127.0.0.1');
    await sendAll(phone, ['hello'], end.ports[0], '127.0.0.1');
    expect(end.receive()).toBe(1);
    expect(Buffer.from(end.bytes(0)).toString()).toBe('hello');
    expect(end.peers.family[0]).toBe(4);
    expect([...end.peers.ip.subarray(0, 16)]).toEqual([127, 0, 0, 1, ...new Array(12).fill(0)]);
    expect(end.peers.port[0]).toBe(phone.address().port);
    const answered = once(phone, 'message');
    expect(end.send([0], [Buffer.from('world')])).toBe(0);
    const [answer, from] = await answered;
    expect(String(answer)).toBe('world');
    expect(from.port).toBe(end.ports[0]);
  });

  it('R3261-18-01 keeps a burst of 4000 datagrams', async () => {
    const end = new Endpoint([{ host: '127.0.0.1', port: 0 }]);
    const phone = await client('udp4', '127.0.0.1');
    // A datagram of this size takes 1,280 bytes of the kernel's account. Without the right to force it the buffer is small.
    const room = Math.floor(end.receiveBufferBytes() / 1280);
    const count = Math.min(4000, room);
    if (count < 4000) console.log(`a burst of ${count} only: this user's socket buffers hold no more`);
    const bodies = Array.from({ length: count }, (_, i) => Buffer.alloc(600, `${i} `));
    await sendAll(phone, bodies, end.ports[0], '127.0.0.1');
    let next = 0;
    while (next < count) {
      const got = end.receive();
      expect(got).toBeGreaterThan(0);
      for (let slot = 0; slot < got; slot++) expect(Buffer.compare(end.bytes(slot), bodies[next++])).toBe(0);
    }
  });

  it('sleeps while a datagram waits that there is no slot for', async () => {
    const end = new Endpoint([{ host: '127.0.0.1', port: 0 }]);
    const phone = await client('udp4', '127.0.0.1');
    await sendAll(phone, ['message'], end.ports[0], '127.0.0.1');
    end.waiter.wait(1000);
    const began = performance.now();
    end.waiter.wait(200, false);
    expect(performance.now() - began).toBeGreaterThan(150);
    expect(end.receive()).toBe(1);
  });

  it('answers a whole batch, in order', async () => {
    const end = new Endpoint([{ host: '127.0.0.1', port: 0 }]);
    const phone = await client('udp4', '127.0.0.1');
    const bodies = Array.from({ length: SLOT_COUNT }, (_, i) => `message ${i}`);
    await sendAll(phone, bodies, end.ports[0], '127.0.0.1');
    let filled = 0;
    while (filled < SLOT_COUNT) {
      end.waiter.wait(1000);
      filled += end.receiver.receive(0, filled);
    }
    const answers: string[] = [];
    const all = new Promise<void>((resolve) => {
      phone.on('message', (answer) => answers.push(String(answer)) === SLOT_COUNT && resolve());
    });
    const slots = Array.from({ length: SLOT_COUNT }, (_, i) => i);
    expect(
      end.send(
        slots,
        slots.map((i) => Buffer.from(end.bytes(i))),
      ),
    ).toBe(0);
    await all;
    expect(answers).toEqual(bodies);
  });

  it('R3261-18.1.1-01 takes and sends datagrams up to the largest of 65,507 bytes, and empty ones', async () => {
    const end = new Endpoint([{ host: '127.0.0.1', port: 0 }]);
    const phone = await client('udp4', '127.0.0.1');
    const sizes = [0, 1, 1500, 60_000, 65_507];
    for (const size of sizes) {
      const body = Buffer.alloc(size, 'abcdefghijk');
      await sendAll(phone, [body], end.ports[0], '127.0.0.1');
      expect(end.receive()).toBe(1);
      expect(Buffer.compare(end.bytes(0), body)).toBe(0);
      if (size === 0) continue;
      const answered = once(phone, 'message');
      expect(end.send([0], [body])).toBe(0);
      const [answer] = await answered;
      expect(Buffer.compare(answer as Buffer, body)).toBe(0);
    }
  });

  it('drops and counts what cannot be sent, and sends the rest', async () => {
    const end = new Endpoint([{ host: '127.0.0.1', port: 0 }]);
    const phone = await client('udp4', '127.0.0.1');
    await sendAll(phone, ['a', 'b', 'c'], end.ports[0], '127.0.0.1');
    let filled = 0;
    while (filled < 3) {
      end.waiter.wait(1000);
      filled += end.receiver.receive(0, filled);
    }
    end.peers.port[0] = 0; // EINVAL
    end.peers.family[2] = 6; // not this socket's family
    const answered = once(phone, 'message');
    const bodies = [Buffer.from('0'), Buffer.from('1'), Buffer.from('2'), Buffer.alloc(65_520)];
    expect(end.send([0, 1, 2, 1], bodies)).toBe(3);
    expect(String((await answered)[0])).toBe('1');
  });

  it('never hands the kernel bytes outside the arena', () => {
    const end = new Endpoint([{ host: '127.0.0.1', port: 0 }]);
    end.peers.family.fill(4);
    end.peers.port.fill(9);
    end.peers.ip.set([127, 0, 0, 1]);
    const bytes = new Uint8Array(new ArrayBuffer(100));
    const rows = [
      [-1, 10],
      [0, 101],
      [90, 80],
      [100, 101],
      [0, 0],
      [1 << 30, (1 << 30) + 5],
    ];
    const at = new Int32Array(rows.map(([from]) => from));
    const ends = new Int32Array(rows.map(([, to]) => to));
    const slot = new Uint16Array(rows.length);
    const port = new Uint16Array(rows.length).fill(9);
    expect(end.sender.send({ count: rows.length, bytes, at, end: ends, slot, port })).toBe(rows.length);
    slot.fill(SLOT_COUNT);
    expect(end.sender.send({ count: 1, bytes, at: new Int32Array([0]), end: new Int32Array([5]), slot, port })).toBe(0);
  });

  describe('answers to one address', () => {
    const COUNT = 200;
    const answer = (i: number, filler = 'x'.repeat((i * 37) % 90)) =>
      `SIP/2.0 200 OK\r\nCall-ID: ${i}${filler}\r\nContent-Length: 0\r\n\r\n`;
    const withoutSpaces = (text: string) => text.replace(/Content-Length: +0/, 'Content-Length: 0');

    /** What arrives at the phone of `count` datagrams that one batch sends it, and the messages that the kernel got. */
    async function arrivals(
      host: string,
      bodies: readonly string[],
      options: { segments?: boolean; fail?: number } = {},
    ) {
      const messages: number[] = [];
      let failed = false;
      const end = new Endpoint([{ host, port: 0 }], {
        segments: options.segments ?? true,
        sendmmsg: (calls) => ({
          sendmmsg: (fd, headers, count, flags) => {
            failed = options.fail !== undefined && messages.length === 0;
            messages.push(count);
            return failed ? -1 : calls.sendmmsg(fd, headers, count, flags);
          },
          errno: () => (failed ? (options.fail as number) : calls.errno()),
        }),
      });
      const six = host === '::1';
      const phone = await client(six ? 'udp6' : 'udp4', six ? '::1' : '127.0.0.1');
      const to = host === '0.0.0.0' ? '127.9.8.7' : host;
      await sendAll(
        phone,
        bodies.map((_, i) => `${i}`),
        end.ports[0],
        to,
      );
      let filled = 0;
      while (filled < bodies.length) {
        end.waiter.wait(1000);
        filled += end.receiver.receive(0, filled);
      }
      const texts: string[] = [];
      const sources = new Set<string>();
      const all = new Promise<void>((resolve) => {
        phone.on('message', (text, from) => {
          sources.add(from.address);
          if (texts.push(String(text)) === bodies.length) resolve();
        });
      });
      expect(
        end.send(
          bodies.map((_, i) => i),
          bodies.map((body) => Buffer.from(body)),
        ),
      ).toBe(0);
      await all;
      expect([...sources]).toEqual([to]);
      return { texts, messages };
    }

    it.each(hasIpv6 ? ['127.0.0.1', '0.0.0.0', '::1'] : ['127.0.0.1', '0.0.0.0'])(
      'R3261-18.2.2-01: leave %s as a few messages, each a datagram of its own that differs by spaces alone',
      async (host) => {
        const bodies = Array.from({ length: COUNT }, (_, i) => answer(i));
        const { texts, messages } = await arrivals(host, bodies);
        expect(texts.map(withoutSpaces).sort()).toEqual([...bodies].sort());
        for (const text of texts) expect(text.length - withoutSpaces(text).length).toBeLessThan(32);
        expect(messages).toEqual([6]); // four classes of lengths, of which two hold more than the 64 of one message
      },
    );

    it('stay as they are with a body, without an end that may grow, or where they are few', async () => {
      const bodies = [
        ...Array.from({ length: 8 }, (_, i) => `SIP/2.0 200 OK\r\nCall-ID: ${i}\r\nContent-Length: 4\r\n\r\nbody`),
        ...Array.from({ length: 8 }, (_, i) => `Content-Length: ${i % 2}0\r\n\r\n`),
        ...Array.from({ length: 3 }, (_, i) => answer(i)),
      ];
      const { texts, messages } = await arrivals('127.0.0.1', bodies);
      expect(texts).toEqual(bodies);
      expect(messages).toEqual([bodies.length]);
    });

    it('stay as they are where the configuration wants them apart', async () => {
      const bodies = Array.from({ length: COUNT }, (_, i) => answer(i));
      const { texts, messages } = await arrivals('127.0.0.1', bodies, { segments: false });
      expect(texts).toEqual(bodies);
      expect(messages).toEqual([COUNT]);
    });

    it.each([constants.errno.EINVAL, constants.errno.EIO, constants.errno.EMSGSIZE])(
      'leave one by one where the kernel would not cut them (errno %i)',
      async (fail) => {
        const bodies = Array.from({ length: 64 }, (_, i) => answer(i, ''));
        const { texts } = await arrivals('127.0.0.1', bodies, { fail });
        expect(texts.map(withoutSpaces)).toEqual(bodies);
      },
    );
  });

  it('survives ICMP errors about its answers', async () => {
    const end = new Endpoint([{ host: '127.0.0.1', port: 0 }]);
    const phone = await client('udp4', '127.0.0.1');
    await sendAll(phone, ['gone'], end.ports[0], '127.0.0.1');
    expect(end.receive()).toBe(1);
    const port = phone.address().port;
    opened.splice(opened.indexOf(phone), 1);
    await new Promise<void>((resolve) => phone.close(() => resolve()));
    for (let i = 0; i < 20; i++) end.send([0, 0], [Buffer.from('x'), Buffer.from('y')]);
    expect(end.peers.port[0]).toBe(port);
    const other = await client('udp4', '127.0.0.1');
    await sendAll(other, ['here'], end.ports[0], '127.0.0.1');
    expect(end.receive()).toBe(1);
    expect(end.receiver.failure).toBe(0);
    const answered = once(other, 'message');
    expect(end.send([0], [Buffer.from('still')])).toBe(0);
    expect(String((await answered)[0])).toBe('still');
  });

  it.skipIf(!hasIpv6)('serves ::1, and IPv4 beside it on the same port of its own listener', async () => {
    const end = new Endpoint([
      { host: '::1', port: 0 },
      { host: '127.0.0.1', port: 0 },
    ]);
    const six = await client('udp6', '::1');
    const four = await client('udp4', '127.0.0.1');
    for (const [listener, phone, host] of [
      [0, six, '::1'],
      [1, four, '127.0.0.1'],
    ] as const) {
      await sendAll(phone, [`to ${host}`], end.ports[listener], host);
      expect(end.receive()).toBe(1);
      expect(end.peers.listener[0]).toBe(listener);
      expect(end.peers.family[0]).toBe(listener === 0 ? 6 : 4);
      const answered = once(phone, 'message');
      expect(end.send([0], [Buffer.from(host)])).toBe(0);
      expect(String((await answered)[0])).toBe(host);
    }
    expect(end.peers.ip[0]).toBe(127);
  });

  for (const [wildcard, to, type] of [
    ['0.0.0.0', '127.9.8.7', 'udp4'],
    ['::', '::1', 'udp6'],
  ] as const) {
    it.skipIf(type === 'udp6' && !hasIpv6)(
      `R3581-4-03 answers from the address the request came to, listening on ${wildcard}`,
      async () => {
        const end = new Endpoint([{ host: wildcard, port: 0 }]);
        const phone = await client(type, type === 'udp4' ? '127.0.0.1' : '::1');
        await sendAll(phone, ['hello'], end.ports[0], to);
        expect(end.receive()).toBe(1);
        const answered = once(phone, 'message');
        expect(end.send([0], [Buffer.from('world')])).toBe(0);
        const [, from] = await answered;
        expect(from.address).toBe(to);
        expect(from.port).toBe(end.ports[0]);
      },
    );
  }

  it('shares a port between sockets of one listener and refuses it to everybody else', async () => {
    if (typeof native === 'string') return;
    const { port, sockets } = native.listen({ host: '127.0.0.1', port: 0 }, 0, 2);
    opened.push({ close: () => sockets.map(({ fd }) => fd).forEach(native.close) });
    expect(sockets).toHaveLength(2);
    const again = () => native.listen({ host: '127.0.0.1', port }, 0, 1);
    expect(again).toThrowError(`address in use: udp:127.0.0.1:${port}`);
    const lengths = new Int32Array(SLOT_COUNT);
    const receiver = new UdpReceiver(native.calls, sockets, createPeers(), lengths);
    const phones = await Promise.all(Array.from({ length: 32 }, () => client('udp4', '127.0.0.1')));
    for (const phone of phones) await sendAll(phone, ['x'], port, '127.0.0.1');
    const got = [receiver.receive(0, 0), receiver.receive(1, 0)];
    expect(got[0] + got[1]).toBe(32);
    expect(Math.min(...got)).toBeGreaterThan(0);
  });

  it('names the address that cannot be had, with the code of the error', async () => {
    if (typeof native === 'string') return;
    const holder = await client('udp4', '127.0.0.1');
    const { port } = holder.address();
    const codeOf = (host: string, at: number) => {
      try {
        native.listen({ host, port: at }, 0, 1);
      } catch (error) {
        return [(error as NodeJS.ErrnoException).code, (error as Error).message];
      }
      return [];
    };
    expect(codeOf('127.0.0.1', port)).toEqual(['EADDRINUSE', `address in use: udp:127.0.0.1:${port}`]);
    expect(codeOf('192.0.2.1', 5060)).toEqual(['EADDRNOTAVAIL', 'address not of this machine: udp:192.0.2.1:5060']);
    expect(codeOf('2001:db8::1', 5060)[1]).toMatch(/: udp:\[2001:db8::1\]:5060$/);
    expect(codeOf('example.com', 5060)[1]).toBe('not an IP address: example.com');
  });
});
