// Connections that shards read and write themselves: what no test of one connection shows. The same over Node's own sockets.

import { afterAll, afterEach, describe, expect, it } from 'vitest';
import { Aorta, removeDirectories } from '../support/aorta-process.ts';
import { killAll } from '../support/child-process.ts';
import { bindings } from '../support/sip-client.ts';
import { StreamClient } from '../support/stream-client.ts';

let aorta: Aorta;

afterEach(() => aorta.stop());
afterAll(async () => {
  await killAll();
  removeDirectories();
});

describe.each(['auto', 'dgram'] as const)('TCP with --udp %s', (udp) => {
  it('R3261-18.2.2-01: answers to connections that are gone reach nobody else, however fast they follow each other', async () => {
    aorta = await Aorta.start({ udp, transports: ['udp', 'tcp'], shards: 3, flags: ['--durability', 'process'] });
    for (let wave = 0; wave < 8; wave++) {
      const clients = await Promise.all(Array.from({ length: 40 }, () => StreamClient.tcp(aorta)));
      const kept = clients.filter((_, i) => i % 2 === 0);
      const answers = clients.map((client, i) => {
        const register = client.register({
          aor: `w${wave}-${i}@example.com`,
          contacts: [`<sip:w${wave}-${i}@x.invalid>`],
        });
        if (i % 2 === 0) return client.request(register);
        client.socket.end(register, () => client.socket.destroy());
        return undefined;
      });
      for (const [i, answer] of answers.entries())
        if (answer !== undefined) expect([...bindings(await answer).keys()]).toEqual([`sip:w${wave}-${i}@x.invalid`]);
      for (const client of kept) {
        expect(client.inbox).toEqual([]);
        client.close();
      }
    }
  });

  it('R3261-18.3-04: more in one piece than a batch holds is answered whole, beside others', async () => {
    aorta = await Aorta.start({ udp, transports: ['udp', 'tcp'], shards: 2 });
    const [many, other] = [await StreamClient.tcp(aorta), await StreamClient.tcp(aorta)];
    const messages = Array.from({ length: 900 }, (_, i) => many.register({ aor: `m${i}@example.com` }));
    const answers = messages.map((message) => many.answerTo(message));
    many.send(messages.join(''));
    expect((await other.request(other.register())).status).toBe(200);
    for (const answer of answers) expect((await answer).status).toBe(200);
    many.close();
    other.close();
  });
});
