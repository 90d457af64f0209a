// Requests of the server's own that are too large for UDP (RFC 3261 §18.1.1), by real sockets: NOTIFYs and pings go by TCP to whom takes it, and
// by UDP to all others.

import { once } from 'node:events';
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { Aorta, removeDirectories } from '../support/aorta-process.ts';
import { killAll, poll } from '../support/child-process.ts';
import { configFile } from '../support/login-client.ts';
import { type Answer, header, newToken, SipClient } from '../support/sip-client.ts';
import { StreamClient } from '../support/stream-client.ts';
import { readNotify, responseTo, type SubscribeFields, subscribe } from '../support/watcher.ts';

const LARGE_BYTES = 1300;

/** An element with a UDP socket and, at the same port, a TCP one. */
class Peer {
  readonly udp: SipClient;
  readonly tcp: Server | null;
  /** Connections that it has taken. */
  readonly taken: StreamClient[] = [];

  private constructor(udp: SipClient, tcp: Server | null) {
    this.udp = udp;
    this.tcp = tcp;
    tcp?.on('connection', (socket: Socket) => this.taken.push(new StreamClient(socket, 'TCP')));
  }

  static async open(server: Aorta, takesTcp: boolean): Promise<Peer> {
    const tcp = createServer();
    if (takesTcp) await once(tcp.listen(0, '127.0.0.1'), 'listening');
    const port = takesTcp ? (tcp.address() as AddressInfo).port : 0;
    const udp = await SipClient.open({ address: '127.0.0.1', port: server.port }, '127.0.0.1', port);
    return new Peer(udp, takesTcp ? tcp : null);
  }

  /** The next request by the one connection, which it answers. */
  async byTcp(): Promise<string> {
    await poll('the connection', 10_000, () => this.taken.length > 0, 5);
    const { text } = this.taken[0].inbox.shift() ?? (await this.taken[0].next());
    this.taken[0].send(responseTo(text));
    return text;
  }

  /** The same by UDP. */
  async byUdp(): Promise<string> {
    const { text } = this.udp.inbox.shift() ?? (await this.udp.next());
    this.udp.send(responseTo(text));
    return text;
  }

  close(): void {
    this.udp.close();
    this.tcp?.close();
    for (const connection of this.taken) connection.close();
  }
}

const peers: Peer[] = [];
afterEach(() => {
  for (const peer of peers.splice(0)) peer.close();
});
afterAll(async () => {
  await killAll();
  removeDirectories();
});

describe.each(['auto', 'dgram'] as const)('R3261-18.1.1-02 by --udp %s', (udp) => {
  let server: Aorta;

  beforeAll(async () => {
    const file = configFile(
      'registration-events: {enabled: true, notify-interval: 0}',
      'domains: {example.com: {}, pinged.example.com: {policy: {ping: all}}}',
      'pings: {interval: 1s, losses: 3, dead: remove}',
    );
    server = await Aorta.start({ shards: 2, udp, domains: [], transports: ['udp', 'tcp'], flags: ['--config', file] });
  });

  async function peer(takesTcp: boolean): Promise<Peer> {
    const opened = await Peer.open(server, takesTcp);
    peers.push(opened);
    return opened;
  }

  /** Somebody with contacts whose description is no small document. */
  async function register(aor: string, contacts: number): Promise<SipClient> {
    const phone = await SipClient.open({ address: '127.0.0.1', port: server.port });
    for (let i = 0; i < contacts; i++) {
      const contact = `<sip:phone-${i}@127.0.0.1:${phone.port}>`;
      expect((await phone.request(phone.register({ aor, contacts: [contact], expires: 600 }))).status).toBe(200);
    }
    return phone;
  }

  function watch(peer: Peer, aor: string, fields: SubscribeFields = {}): Promise<Answer> {
    const { udp: client } = peer;
    const dialog = { uri: `sip:${aor}`, to: `<sip:${aor}>`, callId: newToken(), via: client.via() };
    return client.request(subscribe({ ...dialog, ...fields }));
  }

  it('a large NOTIFY goes to the same address by TCP, and a small one by UDP', async () => {
    const aor = `${newToken()}@example.com`;
    const phone = await register(aor, 5);
    const watcher = await peer(true);
    const callId = newToken();
    const granted = await watch(watcher, aor, { callId });
    expect(granted.status).toBe(200);
    const full = await watcher.byTcp();
    expect(full.length).toBeGreaterThan(LARGE_BYTES);
    expect(full).toMatch(/\r\nVia: SIP\/2\.0\/TCP [^\r]*;rport\r\n/);
    expect(readNotify(full).reginfo.contacts.length).toBe(5);
    await phone.request(phone.register({ aor, contacts: [`<sip:sixth@127.0.0.1:${phone.port}>`], expires: 600 }));
    const changed = await watcher.byUdp();
    expect(readNotify(changed).reginfo).toMatchObject({ version: 1, state: 'partial' });
    expect(changed).toMatch(/\r\nVia: SIP\/2\.0\/UDP /);
    const refreshed = await watch(watcher, aor, { callId, to: header(granted.text, 'To') ?? '', cseq: 2 });
    expect([refreshed.status, readNotify(await watcher.byTcp()).reginfo.version]).toEqual([200, 2]);
    expect([watcher.taken.length, watcher.udp.inbox]).toEqual([1, []]);
    phone.close();
  });

  it('it goes by UDP, and at once, to whom refuses TCP', async () => {
    const aor = `${newToken()}@example.com`;
    const phone = await register(aor, 5);
    const took: number[] = [];
    for (let n = 0; n < 5; n++) {
      const watcher = await peer(false);
      const began = performance.now();
      expect((await watch(watcher, aor)).status).toBe(200);
      const full = await watcher.byUdp();
      took.push(performance.now() - began);
      expect([full.length > LARGE_BYTES, /\r\nVia: SIP\/2\.0\/UDP /.test(full)]).toEqual([true, true]);
      expect(readNotify(full).reginfo.contacts.length).toBe(5);
    }
    expect(Math.min(...took), 'a timer would delay each; the machine may delay some').toBeLessThan(400);
    phone.close();
  });

  it('a large ping goes by TCP, and by UDP to whom refuses that; both contacts stay', async () => {
    const aor = `${newToken()}@pinged.example.com`;
    const long = 'x'.repeat(600);
    for (const takesTcp of [true, false]) {
      const phone = await peer(takesTcp);
      const contact = `<sip:phone@127.0.0.1:${phone.udp.port};name=${long}>`;
      await phone.udp.request(phone.udp.register({ aor, contacts: [contact], expires: 600 }));
      for (let i = 0; i < 3; i++) {
        const ping = takesTcp ? await phone.byTcp() : await phone.byUdp();
        expect(ping).toMatch(new RegExp(`^OPTIONS [^\\r]*\\r\\nVia: SIP/2\\.0/${takesTcp ? 'TCP' : 'UDP'} `));
        expect(ping.length).toBeGreaterThan(LARGE_BYTES);
      }
    }
    const asks = await peer(false);
    expect((await asks.udp.fetch(aor)).size).toBe(2);
  });

  it('a server stops that has opened connections, and ends them', async () => {
    const aor = `${newToken()}@example.com`;
    const phone = await register(aor, 5);
    const watcher = await peer(true);
    expect((await watch(watcher, aor)).status).toBe(200);
    await watcher.byTcp();
    await server.stop();
    await poll('its end', 10_000, () => watcher.taken[0].ended);
    phone.close();
  });
});
