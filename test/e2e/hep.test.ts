// HEP v3 to a capture server: sngrep is the collector, and tshark reads what it took out of the packets.

import { createSocket } from 'node:dgram';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { Aorta, removeDirectories, temporaryDirectory } from '../support/aorta-process.ts';
import { Child, killAll, poll, run } from '../support/child-process.ts';
import { freePort } from '../support/free-ports.ts';
import { peerMissing } from '../support/peers.ts';
import { SipClient } from '../support/sip-client.ts';

const FIELDS = ['ip.src', 'ip.dst', 'udp.srcport', 'udp.dstport', 'sip.Method', 'sip.Status-Code', 'sip.to.user'];

afterAll(async () => {
  await killAll();
  removeDirectories();
});

class Collector {
  readonly port: number;
  readonly file = join(temporaryDirectory(), 'capture.pcap');
  private readonly sngrep: Child;

  private constructor(port: number) {
    this.port = port;
    this.sngrep = new Child('sngrep', ['-N', '-q', '-L', `udp:127.0.0.1:${port}`, '-O', this.file]);
  }

  static async start(): Promise<Collector> {
    const collector = new Collector(await freePort());
    const hex = collector.port.toString(16).toUpperCase().padStart(4, '0');
    await poll('sngrep listens', 5000, () => readFileSync('/proc/net/udp', 'latin1').includes(`:${hex} `));
    return collector;
  }

  /** What has arrived so far, a row per message. */
  async rows(): Promise<string[][]> {
    const fields = FIELDS.flatMap((field) => ['-e', field]);
    const tshark = await run('tshark', ['-r', this.file, '-T', 'fields', '-E', 'separator=|', ...fields], 30_000);
    const rows = tshark.stdout.split('\n').filter((row) => row !== '');
    return rows.map((row) => row.split('|'));
  }

  stop(): void {
    this.sngrep.killTree();
  }
}

function configuration(hep: string): string {
  const file = join(temporaryDirectory(), 'aorta.yaml');
  writeFileSync(file, `hep: ${hep}\n`);
  return file;
}

describe.skipIf(peerMissing('sngrep') || peerMissing('tshark'))('HEP', () => {
  it.each(['auto', 'dgram'] as const)('sends each request and its answer (udp %s)', async (udp) => {
    const collector = await Collector.start();
    const file = configuration(`{ to: '127.0.0.1:${collector.port}', capture-id: 77 }`);
    const aorta = await Aorta.start({ udp, shards: 2, flags: ['--config', file] });
    const client = await SipClient.open(aorta);
    const users = ['alice', 'bob', 'carol'];
    for (const user of users) {
      const request = client.register({ aor: `${user}@example.com`, contacts: [`<sip:${user}@127.0.0.1:9>`] });
      expect((await client.request(request)).status).toBe(200);
    }
    const rows = await poll('six messages', 10_000, async () => {
      const seen = await collector.rows();
      return seen.length === 6 ? seen : undefined;
    });
    const [ours, theirs] = [String(aorta.port), String(client.port)];
    for (const user of users) {
      expect(rows.filter((row) => row[6] === user)).toEqual([
        ['127.0.0.1', '127.0.0.1', theirs, ours, 'REGISTER', '', user],
        ['127.0.0.1', '127.0.0.1', ours, theirs, '', '200', user],
      ]);
    }
    client.close();
    collector.stop();
    await aorta.stop();
  });

  it('a sample is of AORs, not of messages, and a collector that goes away harms nobody', async () => {
    const collector = await Collector.start();
    const aorta = await Aorta.start({
      flags: ['--config', configuration(`{ to: '127.0.0.1:${collector.port}', sample: 50 }`)],
    });
    const client = await SipClient.open(aorta);
    const users = Array.from({ length: 40 }, (_, i) => `user${i}`);
    for (const user of [...users, ...users]) {
      const request = client.register({ aor: `${user}@example.com`, contacts: [`<sip:${user}@127.0.0.1:9>`] });
      expect((await client.request(request)).status).toBe(200);
    }
    const seen = await poll('all messages of some', 10_000, async () => {
      const names = (await collector.rows()).map((row) => row[6]);
      return names.length > 0 && names.every((name) => names.filter((other) => other === name).length === 4)
        ? new Set(names)
        : undefined;
    });
    // Of 40 at a half, fewer than 5 or more than 35 come once in a hundred thousand times.
    expect(seen.size).toBeGreaterThanOrEqual(5);
    expect(seen.size).toBeLessThanOrEqual(35);
    collector.stop();
    for (const user of users) {
      expect((await client.request(client.register({ aor: `${user}@example.com` }))).status).toBe(200);
    }
    client.close();
    await aorta.stop();
  });
});

describe('what a collector gets', () => {
  it('holds no credentials, however their rows are written', async () => {
    const collector = createSocket('udp4');
    let heard = '';
    collector.on('message', (packet) => {
      heard += packet.toString('latin1');
    });
    await new Promise<void>((resolve) => collector.bind(0, '127.0.0.1', resolve));
    const file = configuration(`{ to: '127.0.0.1:${collector.address().port}' }`);
    const aorta = await Aorta.start({ flags: ['--config', file] });
    const client = await SipClient.open(aorta);
    const secret = 'response="5ec2e7"';
    const rows = [
      `Authorization: Digest username="a", ${secret}`,
      `authorization : Digest username="a",\r\n ${secret},\r\n\t${secret}`,
      `Proxy-Authorization: Basic ${secret}`,
      `PROXY-AUTHORIZATION:Digest ${secret}`,
      `Authorization Digest ${secret}`,
      `Proxy-Authorization\tDigest ${secret}`,
    ];
    for (const [i, row] of rows.entries())
      await client.request(
        client.register({ aor: `u${i}@example.com`, contacts: ['<sip:u@127.0.0.1:9>'], headers: [row, `X-End: ${i}`] }),
      );
    const broken = client.register({
      aor: 'x@example.com',
      headers: [`Authorization: Digest\r${secret}`, 'X-End: broken'],
    });
    await client.send(broken);
    await poll('all requests', 5000, () => [...rows.keys(), 'broken'].every((i) => heard.includes(`X-End: ${i}`)));
    expect(heard).not.toContain('5ec2e7');
    expect(heard.match(/authorization\s*:? \(left out\)/gi)).toHaveLength(7);
    client.close();
    collector.close();
    await aorta.stop();
  });
});
