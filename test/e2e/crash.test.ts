// kill -9 in the middle of a load: whatever was acknowledged is there after the restart, with the right remaining time.

import { afterAll, afterEach, describe, expect, it } from 'vitest';
import { Aorta, removeDirectories } from '../support/aorta-process.ts';
import { killAll, pause, poll } from '../support/child-process.ts';
import { fetchAll, keeps, Load, possible } from '../support/load.ts';
import { bindings, SipClient } from '../support/sip-client.ts';
import { StreamClient } from '../support/stream-client.ts';

afterEach(killAll);
afterAll(removeDirectories);

describe.each(['auto', 'dgram'] as const)('kill -9 under load, --udp %s', (udp) => {
  it('R3261-8.2-01 R3261-10.3-32 loses not one acknowledged binding and keeps expiry within a second', async () => {
    const aorta = await Aorta.start({ udp, shards: 2 });
    // New registrations, refreshes with other intervals, and removals.
    const interval = (round: number, index: number): number =>
      round > 0 && (index + round) % 7 === 0 ? 0 : 600 + ((index * 13 + round * 1000) % 6000);
    const load = new Load({ port: aorta.port, aors: 2000, window: 128, rounds: 1000, interval });
    await load.open();
    const ended = load.start();
    await poll('6000 acknowledged requests', 20_000, () => load.acknowledged >= 6000, 5);
    await aorta.kill9();
    load.stop();
    const killedAt = Date.now();
    await ended;
    expect(load.refused).toEqual([]);
    expect(load.lines.filter((line) => line.outstanding).length, 'it died in the middle').toBeGreaterThan(0);

    const again = await aorta.restart();
    const seen = await fetchAll(load, again);
    const wrong = load.lines.flatMap((line, index) => {
      const { remaining, askedAt, toldAt } = seen[index];
      const right = possible(line, killedAt).some((promised) => keeps(promised, remaining, askedAt, toldAt));
      return right ? [] : [{ ...line, seen: seen[index] }];
    });
    expect(wrong.slice(0, 5), `${wrong.length} of ${load.lines.length} AORs are wrong`).toEqual([]);
    expect(seen.filter((one) => one.remaining !== undefined).length).toBeGreaterThan(1000);

    // A second crash at once, with nothing written in between, changes nothing.
    await again.kill9();
    const third = await again.restart();
    const after = await fetchAll(load, third);
    expect(after.map((one) => one.remaining !== undefined)).toEqual(seen.map((one) => one.remaining !== undefined));
    load.close();
    await third.stop();
  });

  it('R3261-10.3-39 what expired while it was down is gone, and the rest is not', async () => {
    const aorta = await Aorta.start({ udp, flags: ['--min-expires', '1'] });
    const interval = (_: number, index: number): number => (index % 2 === 0 ? 2 : 3600);
    const load = new Load({ port: aorta.port, aors: 400, window: 64, rounds: 1, interval });
    await load.open();
    await load.start();
    expect(load.refused).toEqual([]);
    await aorta.kill9();
    const lastEnd = Math.max(...load.lines.map((line) => (line.promised?.answeredAt ?? 0) + 2000));
    await pause(Math.max(0, lastEnd + 100 - Date.now())); // the intervals run out while nobody is there

    const again = await aorta.restart();
    const seen = await fetchAll(load, again);
    const short = seen.filter((_, index) => index % 2 === 0);
    expect(short.filter((one) => one.remaining !== undefined)).toEqual([]);
    const wrong = load.lines.filter(
      (line, index) =>
        index % 2 === 1 && !keeps(line.promised, seen[index].remaining, seen[index].askedAt, seen[index].toldAt),
    );
    expect(wrong.length, 'bindings of an hour').toBe(0);
    load.close();
    await again.stop();
  });
});

it('R3261-17.2.2-02 R3261-10.3-30 a request whose answer was lost is answered when it comes again', async () => {
  let aorta = await Aorta.start({ transports: ['udp', 'tcp'] });
  const phone = await SipClient.open(aorta);
  const contacts = ['<sip:a@192.0.2.20:5060>', '<sip:b@192.0.2.20:5060>'];
  const overTcp = await StreamClient.tcp(aorta);
  const texts = [
    phone.register({ aor: 'udp@example.com', contacts, callId: 'u', cseq: 1 }),
    phone.register({
      aor: 'udp@example.com',
      contacts: [contacts[0], `${contacts[1]};expires=0`],
      callId: 'u',
      cseq: 2,
    }),
  ];
  const text = overTcp.register({ aor: 'tcp@example.com', contacts, callId: 't', cseq: 1 });
  for (const each of texts) expect((await phone.request(each)).status).toBe(200);
  expect((await overTcp.request(text)).status).toBe(200);
  await aorta.kill9();
  aorta = await aorta.restart();
  const again = await phone.request(texts[1]);
  expect([again.status, ...bindings(again).keys()]).toEqual([200, 'sip:a@192.0.2.20:5060']);
  const other = await StreamClient.tcp(aorta);
  const answer = await other.request(text);
  expect([answer.status, bindings(answer).size]).toEqual([200, 2]);
  phone.close();
  other.close();
  await aorta.stop();
});
