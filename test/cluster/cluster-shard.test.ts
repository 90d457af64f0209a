// Shards of one stream on several nodes: what is written by one is there on all, who owns it changes hands without a binding lost, and what
// a node may have missed it does not decide by.

import { describe, expect, it } from 'vitest';
import { ROLE_COPYING } from '../../src/cluster/roles.ts';
import { FRAME_LEVEL, FramePress, FrameReader, READ_SOUND } from '../../src/cluster/stream-frame.ts';
import { StreamMac } from '../../src/cluster/stream-mac.ts';
import { DEFAULT_AUTH_POLICY } from '../../src/core/auth/auth-policy.ts';
import { noCheckpoint } from '../../src/location/checkpoint/checkpoint.ts';
import { CONTROL_CLAIM } from '../../src/location/log/control-entry.ts';
import { LogStore } from '../../src/location/log/log-store.ts';
import { suspect } from '../../src/location/table/binding-table.ts';
import { TRANSPORT_TCP } from '../../src/sip/sources.ts';
import { TestUsers } from '../support/authentication.ts';
import { Cluster, type ClusteredShard } from '../support/clustered-shard.ts';
import { authorization } from '../support/digest-client.ts';
import { SimulatedDisk, SimulatedLog } from '../support/simulated-log.ts';
import { storedBindings } from '../support/stored-bindings.ts';
import { type RegisterOptions, register, VIRTUAL_SECRET, type VirtualShardOptions } from '../support/virtual-shard.ts';

const CONTACT = '<sip:alice@192.0.2.9>';
const bob = { to: '<sip:bob@example.com>', from: '<sip:bob@example.com>;tag=b', callId: 'bob', branch: 'z9hG4bKbob' };

function statusOf(node: ClusteredShard, options: RegisterOptions): number | undefined {
  return node.virtual.send(register(options))?.status;
}

function two(options: Partial<VirtualShardOptions> = {}): { cluster: Cluster; a: ClusteredShard; b: ClusteredShard } {
  const cluster = new Cluster();
  const a = cluster.join(options);
  const b = cluster.join(options);
  a.claim();
  return { cluster, a, b };
}

function expectEqual(a: ClusteredShard, b: ClusteredShard): void {
  expect([...storedBindings(b.store)]).toEqual([...storedBindings(a.store)]);
  expect([b.store.aors, b.store.bindings]).toEqual([a.store.aors, a.store.bindings]);
}

describe('shards of one stream', () => {
  it('have the same bindings once a 200 has left and the follower has heard', () => {
    const { cluster, a, b } = two();
    expect(statusOf(a, { contacts: [CONTACT, '<sip:second@192.0.2.9>'] })).toBe(200);
    expect(statusOf(a, { ...bob, contacts: ['<sip:bob@192.0.2.9>'] })).toBe(200);
    expect(statusOf(a, { ...bob, cseq: 2, branch: 'z9hG4bKb2', contacts: ['<sip:bob@192.0.2.9>'] })).toBe(200);
    expect(statusOf(a, { cseq: 2, branch: 'z9hG4bK2', contacts: [`${CONTACT};expires=0`] })).toBe(200);
    cluster.pass(100);
    expect([a.store.aors, a.store.bindings]).toEqual([2, 2]);
    expectEqual(a, b);
    expect([b.table.owner(0), b.table.epoch(0), b.table.applied(0), b.table.behind(0)]).toEqual([1, 1, 5, 0]);
  });

  it('a follower decides nothing: over UDP nobody hears of it, over streams 503', () => {
    const { b } = two();
    expect(statusOf(b, { contacts: [CONTACT] })).toBeUndefined();
    expect(b.virtual.counter('dropped_not_owner')).toBe(1);
    const overTcp = b.virtual.send(register({ contacts: [CONTACT] }), { transport: TRANSPORT_TCP, flow: 7 });
    expect([overTcp?.status, overTcp?.header('Retry-After').length]).toEqual([503, 1]);
  });

  it('what runs out is removed by the owner alone, and everywhere', () => {
    const { cluster, a, b } = two();
    statusOf(a, { contacts: [`${CONTACT};expires=60`] });
    a.isPaused = true;
    cluster.pass(90_000);
    b.virtual.batch([]);
    expect(b.store.bindings).toBe(1);
    a.isPaused = false;
    a.tick();
    for (let i = 0; i < 3; i++) {
      cluster.pass(1000);
      a.virtual.batch([]);
    }
    cluster.pass(100);
    expect([a.store.bindings, b.store.bindings]).toEqual([0, 0]);
  });

  it('F1 F12 a successor has every binding, and answers what the one before could not', () => {
    const { cluster, a, b } = two();
    const request = register({ contacts: [CONTACT] });
    expect(a.virtual.send(request)?.status).toBe(200); // and the phone does not hear it
    a.isPaused = true;
    b.claim();
    expect(b.table.epoch(0)).toBe(2);
    const [before] = [...storedBindings(b.store).values()];
    expect(b.virtual.send(request)?.status).toBe(200);
    expect([...storedBindings(b.store).values()]).toEqual([before]);
    expect(
      statusOf(b, { cseq: 1, branch: 'z9hG4bKx', from: '<sip:x@b.example>;tag=9', contacts: [`${CONTACT};q=0.5`] }),
    ).toBe(500);
    cluster.pass(1000);
  });

  it('F12 a clock that was ahead makes no stale request of a repeated one', () => {
    const cluster = new Cluster();
    const a = cluster.join({ skewMs: 4000 });
    const b = cluster.join();
    a.claim();
    const request = register({ contacts: [CONTACT] });
    expect(a.virtual.send(request)?.status).toBe(200);
    a.isPaused = true;
    b.claim();
    expect(b.virtual.send(request)?.status).toBe(200);
  });

  it('F12 a clock that was behind makes no stale request of the last repetition', () => {
    const cluster = new Cluster();
    const a = cluster.join({ skewMs: -4000 });
    const b = cluster.join();
    a.claim();
    const request = register({ contacts: [CONTACT] });
    const sentAt = cluster.timeline.now;
    expect(a.virtual.send(request)?.status).toBe(200);
    a.isPaused = true;
    b.claim();
    cluster.pass(sentAt + 31_500 - cluster.timeline.now);
    const before = [...storedBindings(b.store)];
    expect(b.virtual.send(request)?.status).toBe(200);
    expect([...storedBindings(b.store)]).toEqual(before);
  });

  it('F6 an owner that was stopped and comes again: its batch is answered by nobody, and it follows', () => {
    const { cluster, a, b } = two();
    a.isPaused = true;
    b.claim();
    statusOf(b, { ...bob, contacts: ['<sip:bob@192.0.2.9>'] });
    a.isPaused = false;
    expect(a.cluster.decides).toBe(true); // as it believes
    expect(statusOf(a, { contacts: [CONTACT] })).toBeUndefined();
    cluster.pass(500);
    expect(a.virtual.batch([])).toEqual([]);
    expect([a.cluster.decides, a.table.count(0, 'fenced')]).toEqual([false, 1]);
    expectEqual(b, a);
    expect([...storedBindings(a.store).keys()]).toEqual(['bob@example.com']);
    expect(a.virtual.counter('commits_failing')).toBe(0);
  });

  it('a copy of a request that was not kept is a new one, to whoever owns the shard then', () => {
    const { cluster, a, b } = two();
    const request = register({ contacts: [CONTACT] });
    a.isPaused = true;
    b.claim();
    a.isPaused = false;
    expect(a.virtual.batch([request])).toEqual([]);
    cluster.pass(500);
    expect(a.virtual.batch([])).toEqual([]);
    b.isPaused = true;
    a.claim();
    expect(a.virtual.send(request)?.status).toBe(200);
  });

  it('a batch that is longer than a message may be draws 503, and nothing of it is there', () => {
    const { cluster, a, b } = two();
    a.client.bytesMax = 500;
    const long = { ...bob, contacts: [`<sip:bob@192.0.2.9;x=${'x'.repeat(500)}>`] };
    expect([statusOf(a, long), a.store.bindings]).toEqual([503, 0]);
    expect(statusOf(a, { contacts: [CONTACT] })).toBe(200);
    a.client.bytesMax = 1 << 20;
    expect(statusOf(a, { ...long, cseq: 2, branch: 'z9hG4bKb2' })).toBe(200);
    cluster.pass(100);
    expectEqual(a, b);
  });

  it('over a stream such a request draws 503, for nobody repeats it', () => {
    const { cluster, a, b } = two();
    a.isPaused = true;
    b.claim();
    a.isPaused = false;
    const tcp = { transport: TRANSPORT_TCP, flow: 3 };
    const answers = a.virtual.batch([register({ contacts: [CONTACT] })], tcp);
    cluster.pass(500);
    expect([...answers, ...a.virtual.batch([])].map(({ status }) => status)).toEqual([503]);
  });

  it('an owner that was stopped tells nobody what is not so any more', () => {
    const { cluster, a, b } = two();
    statusOf(a, { contacts: [CONTACT] });
    a.isPaused = true;
    b.claim();
    statusOf(b, { cseq: 2, branch: 'z9hG4bK2', contacts: [`${CONTACT};expires=0`] });
    cluster.pass(2000);
    a.isPaused = false;
    a.virtual.now = cluster.timeline.now;
    const fetch = register({ cseq: 3, branch: 'z9hG4bK3', callId: 'fetch' });
    expect(a.virtual.batch([fetch])).toEqual([]);
    cluster.pass(500);
    expect(a.virtual.batch([])).toEqual([]);
  });

  it('a fetch is answered at once within 2 s of an acknowledgement, and behind a proof later', () => {
    const { cluster, a } = two();
    statusOf(a, { contacts: [CONTACT] });
    const { last } = cluster.stream;
    expect(statusOf(a, { cseq: 2, branch: 'z9hG4bK2', callId: 'f1' })).toBe(200);
    expect(cluster.stream.last).toBe(last);
    cluster.pass(2500);
    expect(statusOf(a, { cseq: 3, branch: 'z9hG4bK3', callId: 'f2' })).toBe(200);
    expect(cluster.stream.last).toBe(last + 1);
  });

  it('F2 a stream without a leader: REGISTERs wait, then draw 503, and 504 where they were published; those hold once', () => {
    const { cluster, a, b } = two();
    cluster.stream.loseLeader(20_000);
    const request = register({ contacts: [CONTACT] });
    expect(a.virtual.batch([request])).toEqual([]);
    cluster.pass(1000);
    expect(a.virtual.batch([register({ ...bob, contacts: ['<sip:bob@192.0.2.9>'] })])).toEqual([]);
    cluster.pass(10_000);
    const refused = a.virtual.batch([]);
    expect(refused.map(({ status, header }) => [status, header('Retry-After').length])).toEqual([
      [503, 1],
      [504, 1],
    ]);
    expect(a.virtual.batch([request]).map(({ text }) => text)).toEqual([refused[1].text]);
    cluster.pass(10_000);
    expect(a.virtual.batch([])).toEqual([]); // nobody hears a second word about one request
    cluster.pass(500);
    expectEqual(a, b);
    expect(a.store.bindings).toBe(1);
    expect(a.virtual.counter('registered')).toBe(1);
    const again = register({ contacts: [CONTACT], cseq: 2, branch: 'z9hG4bK-2' });
    expect(a.virtual.batch([again]).map(({ status }) => status)).toEqual([200]);
  });

  it.each([
    ['a connection', { transport: TRANSPORT_TCP, flow: 3 }],
    ['UDP', {}],
  ])('F2 over %s REGISTERs are kept while the stream waits: they draw their 200, or 503 where it lasts', (_, over) => {
    const { cluster, a } = two();
    const of = (user: string) =>
      register({ to: `<sip:${user}@example.com>`, callId: user, contacts: [`<sip:${user}@192.0.2.9>`] });
    const answers = () => a.virtual.batch([]).map(({ status, header }) => [status, ...header('Call-ID')]);
    cluster.stream.loseLeader(5000);
    expect(a.virtual.batch([of('u0')], over)).toEqual([]);
    cluster.pass(100);
    expect(a.virtual.batch([of('u1'), of('u2')], over)).toEqual([]);
    cluster.pass(3000);
    expect([answers(), a.virtual.batch([of('u3')], over)]).toEqual([[], []]);
    cluster.pass(3000);
    expect(answers()).toEqual([
      [200, 'u0'],
      [200, 'u1'],
      [200, 'u2'],
      [200, 'u3'],
    ]);
    cluster.stream.loseLeader(20_000);
    expect(a.virtual.batch([of('u4')], over)).toEqual([]);
    cluster.pass(5000);
    expect(a.virtual.batch([of('u5')], over)).toEqual([]);
    cluster.pass(5100);
    expect(answers()).toEqual([
      [503, 'u5'],
      [504, 'u4'],
    ]);
    cluster.pass(10_500);
    expect(answers()).toEqual([]);
    expect(a.store.aors).toBe(5);
  });

  it('F2 a phone that repeats its REGISTER while the stream waits draws its 200 when that is over, and one binding', () => {
    const { cluster, a } = two();
    cluster.stream.loseLeader(3000);
    expect(a.virtual.batch([register({ ...bob, contacts: ['<sip:bob@192.0.2.9>'] })])).toEqual([]);
    const request = register({ contacts: [CONTACT] });
    for (let time = 0; time < 3; time++) {
      cluster.pass(500);
      expect(a.virtual.batch([request])).toEqual([]);
    }
    cluster.pass(3000);
    const answers = a.virtual.batch([]).filter(({ header }) => header('Call-ID')[0] === 'call-1');
    expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([200]));
    expect(a.store.bindings).toBe(2);
  });

  it('F2 of many datagrams that wait the last are left to be repeated, and a connection has its capacity', () => {
    const { cluster, a } = two();
    cluster.stream.loseLeader(3000);
    const of = (i: number) =>
      register({
        to: `<sip:m${i}@example.com>`,
        callId: `m${i}`,
        branch: `z9hG4bKm${i}`,
        contacts: [`<sip:m@192.0.2.9:${i}>`],
      });
    expect(a.virtual.batch([register({ contacts: [CONTACT] })])).toEqual([]);
    cluster.pass(100);
    for (let i = 1; i <= 520; i++) a.virtual.batch([of(i)]);
    expect(a.virtual.counter('dropped_not_owner')).toBe(8);
    expect(a.virtual.batch([of(600)], { transport: TRANSPORT_TCP, flow: 3 })).toEqual([]);
    expect(a.virtual.counter('put_off_not_owner')).toBe(0);
  });

  it('F11 an acknowledgement that is lost: the frame stands once in the stream', () => {
    const { cluster, a } = two();
    const { last } = cluster.stream;
    cluster.stream.weather = { ...cluster.stream.weather, instant: 0 };
    a.virtual.batch([register({ contacts: [CONTACT] })]);
    cluster.timeline.runUntil(cluster.timeline.now + 16); // it is there
    a.client.cut = true;
    cluster.timeline.runUntil(cluster.timeline.now + 100);
    expect(cluster.stream.last).toBe(last + 1);
    a.client.cut = false;
    cluster.pass(2000);
    expect(a.virtual.batch([]).map(({ status }) => status)).toEqual([200]);
    expect([cluster.stream.last, a.table.count(0, 'unknown_outcomes')]).toEqual([last + 1, 1]);
  });

  it("a stranger's message is passed over by all, and a true one that is published again, too", () => {
    const { cluster, a, b } = two();
    statusOf(a, { contacts: [CONTACT] });
    cluster.stream.intrude(Uint8Array.from({ length: 100 }, (_, i) => i));
    cluster.stream.intrude(cluster.stream.messages[1]);
    expect(statusOf(a, { ...bob, contacts: ['<sip:bob@192.0.2.9>'] })).toBe(200);
    cluster.pass(100);
    expectEqual(a, b);
    expect([b.table.count(0, 'strangers'), a.store.bindings, cluster.stream.last]).toEqual([2, 2, 5]);
  });

  it('F17 a frame that does not follow upon the one before is followed by nobody', () => {
    const { cluster, a, b } = two();
    statusOf(a, { contacts: [CONTACT] });
    cluster.pass(100);
    const frame = Uint8Array.from(cluster.stream.messages[1]);
    const mac = new StreamMac(VIRTUAL_SECRET.subarray(0, 16), 0);
    frame[frame.length - 20] ^= 1;
    mac.seal(frame, frame.length - 16);
    cluster.stream.intrude(frame);
    cluster.pass(100);
    expect([b.cluster.trouble, b.store.bindings]).toEqual([
      'message 3: the frame is damaged, or of a later version',
      1,
    ]);
    expect(a.cluster.decides).toBe(true);
    statusOf(a, { ...bob, contacts: ['<sip:bob@192.0.2.9>'] });
    cluster.pass(500);
    expect(a.cluster.decides).toBe(false);
  });

  it('a claim of a version whose frames this one cannot read is followed by nobody of this one', () => {
    const { cluster, a, b } = two();
    statusOf(a, { contacts: [CONTACT] });
    cluster.pass(100);
    const claimed = (level: number) => {
      const press = new FramePress(new StreamMac(VIRTUAL_SECRET.subarray(0, 16), 0));
      press.start(b.cluster.applied, 2, 3, 1, cluster.timeline.now);
      press.frame.control(CONTROL_CLAIM, [level]);
      press.seal(cluster.stream.last + 1);
      cluster.stream.intrude(press.bytes.slice(0, press.length));
      cluster.pass(100);
      return b.table.applied(0) === cluster.stream.last;
    };
    expect([claimed(FRAME_LEVEL), claimed(FRAME_LEVEL + 1)]).toEqual([true, false]);
    expect([b.cluster.trouble, b.store.bindings]).toEqual([
      'message 4: the frame is damaged, or of a later version',
      1,
    ]);
  });

  it('a restart goes on from what the log has, and one with an empty disk from the beginning', () => {
    const { cluster, a, b } = two();
    for (let i = 0; i < 200; i++)
      statusOf(a, {
        callId: `c${i}`,
        branch: `z9hG4bK${i}`,
        to: `<sip:u${i % 40}@example.com>`,
        cseq: i + 1,
        contacts: [`<sip:u${i}@192.0.2.9>`],
      });
    cluster.pass(100);
    b.cluster.close();
    cluster.nodes.pop();
    const again = cluster.join({ node: 2, life: 2, disk: b.disk });
    expect(again.cluster.applied.sequence).toBe(cluster.stream.last);
    const empty = cluster.join({ node: 3 });
    cluster.pass(1000);
    expectEqual(a, again);
    expectEqual(a, empty);
    expect(empty.store.bindings).toBe(200);
  });

  it('F13 a node whose log is damaged, and whose stream does not reach back, asks for a copy; one with a copy follows', () => {
    const { cluster, a, b } = two();
    for (let i = 0; i < 20; i++)
      statusOf(a, {
        callId: `c${i}`,
        branch: `z9hG4bK${i}`,
        to: `<sip:u${i}@example.com>`,
        contacts: [`<sip:u${i}@192.0.2.9>`],
      });
    cluster.pass(100);
    const [[number, bytes]] = [...b.disk.generations];
    for (let at = 1000; at < 6000; at += 50) bytes[at] ^= 0xff;
    b.disk.generations.set(number, bytes);
    b.cluster.close();
    cluster.nodes.pop();
    cluster.stream.trim(15);
    const damaged = cluster.join({ node: 2, life: 2, disk: b.disk });
    cluster.pass(100);
    expect(damaged.cluster.role).toBe(ROLE_COPYING);
    expect(damaged.cluster.trouble).toMatch(/^the stream begins at 15, this log ends at [1-9]$/);
    const copy = new SimulatedDisk();
    for (const name of ['generations', 'settled', 'before'] as const)
      for (const [key, value] of a.disk[name])
        copy[name].set(key, (typeof value === 'number' ? value : value.slice()) as never);
    const third = cluster.join({ node: 3, disk: copy });
    statusOf(a, { ...bob, contacts: ['<sip:bob@192.0.2.9>'] });
    cluster.pass(500);
    expectEqual(a, third);
    third.claim();
    expect(statusOf(third, { ...bob, cseq: 2, branch: 'z9hG4bKb2', contacts: ['<sip:bob@192.0.2.9>'] })).toBe(200);
  });

  it('F13 a node whose log is damaged goes on before the damage, from the stream', () => {
    const { cluster, a, b } = two();
    for (let i = 0; i < 20; i++)
      statusOf(a, { callId: `c${i}`, to: `<sip:u${i}@example.com>`, contacts: [`<sip:u${i}@192.0.2.9>`] });
    cluster.pass(100);
    const [bytes] = b.disk.generations.values();
    bytes.fill(0, 3000, 3500);
    b.cluster.close();
    cluster.nodes.pop();
    const damaged = cluster.join({ node: 2, life: 2, disk: b.disk });
    expect(damaged.store.replayed).toMatchObject({ endedAt: { place: expect.any(Number) }, damaged: [] });
    cluster.pass(1000);
    expectEqual(a, damaged);
    damaged.claim();
    expect(statusOf(damaged, { ...bob, contacts: ['<sip:bob@192.0.2.9>'] })).toBe(200);
  });

  it('a node of bindings from before the cluster, whose log is damaged there, asks for a copy', () => {
    const old = new SimulatedDisk();
    const store = new LogStore(new SimulatedLog(old, 1 << 16), noCheckpoint);
    for (let i = 0; i < 5; i++) store.prove(i);
    store.close();
    const [bytes] = old.generations.values();
    bytes.fill(0, 64 + 24, 64 + 64);
    const damaged = new Cluster().join({ disk: old });
    expect([damaged.cluster.role, damaged.cluster.trouble]).toEqual([ROLE_COPYING, 'this log is damaged']);
  });

  it("a record that is damaged on the owner's disk is given up on all nodes, and its phone registers anew", () => {
    const { cluster, a, b } = two();
    for (const user of ['u1', 'u2'])
      expect(
        statusOf(a, { to: `<sip:${user}@example.com>`, callId: user, contacts: [`<sip:${user}@192.0.2.9>`] }),
      ).toBe(200);
    const [bytes] = a.disk.generations.values();
    bytes[Buffer.from(bytes).indexOf('sip:u1@192.0.2.9') + 5] ^= 1;
    const fetch = a.virtual.send(register({ to: '<sip:u1@example.com>', callId: 'f' }));
    expect([fetch?.status, fetch?.contacts]).toEqual([200, []]);
    statusOf(a, { ...bob, contacts: ['<sip:bob@192.0.2.9>'] });
    cluster.pass(100);
    expectEqual(a, b);
    expect([...storedBindings(b.store).keys()].sort()).toEqual(['bob@example.com', 'u2@example.com']);
    expect(statusOf(a, { to: '<sip:u1@example.com>', callId: 'u1', cseq: 9, contacts: ['<sip:u1@192.0.2.9>'] })).toBe(
      200,
    );
    cluster.pass(100);
    expectEqual(a, b);
  });

  it('a follower whose record is damaged asks for a copy', () => {
    const { cluster, a, b } = two();
    statusOf(a, { contacts: [CONTACT] });
    cluster.pass(100);
    const [bytes] = b.disk.generations.values();
    bytes[Buffer.from(bytes).indexOf('sip:alice@192.0.2.9') + 5] ^= 1;
    const { suspects } = b.store.share(() => {});
    suspect(suspects, 0); // a lookup's thread
    cluster.pass(100);
    expect([b.cluster.role, b.cluster.trouble]).toEqual([1, 'records of this log are damaged']);
    expect(a.cluster.decides).toBe(true);
  });

  it('needs a copy where the stream does not reach back', () => {
    const { cluster, a } = two();
    for (let i = 0; i < 20; i++)
      statusOf(a, {
        callId: `c${i}`,
        branch: `z9hG4bK${i}`,
        to: `<sip:u${i}@example.com>`,
        contacts: [`<sip:u${i}@192.0.2.9>`],
      });
    cluster.stream.trim(10);
    const late = cluster.join({ node: 3 });
    expect([late.cluster.role, late.cluster.trouble]).toEqual([1, 'the stream begins at 10, this log ends at 0']);
  });

  it('a node with bindings of before is followed by none that has others', () => {
    const before = new Cluster();
    const alone = before.join();
    alone.claim();
    statusOf(alone, { contacts: [CONTACT] });
    const cluster = new Cluster();
    const a = cluster.join();
    a.claim();
    const other = cluster.join({ disk: alone.disk });
    cluster.pass(5000);
    expect(other.cluster.decides).toBe(false);
    expect(other.store.bindings).toBe(1);
    expect(other.cluster.trouble).not.toBe('');
  });

  it('a message is of its shard and its place', () => {
    const { cluster } = two();
    const key = VIRTUAL_SECRET.subarray(0, 16);
    const [claim] = cluster.stream.messages;
    expect(new FrameReader(new StreamMac(key, 0)).read(claim, claim.length, 1)).toBe(READ_SOUND);
    expect(new FrameReader(new StreamMac(key, 1)).read(claim, claim.length, 1)).not.toBe(READ_SOUND);
    expect(new FrameReader(new StreamMac(key, 0)).read(claim, claim.length, 2)).not.toBe(READ_SOUND);
    expect(new FrameReader(new StreamMac(VIRTUAL_SECRET.subarray(16), 0)).read(claim, claim.length, 1)).not.toBe(
      READ_SOUND,
    );
  });
});

describe('nonces of several owners', () => {
  const users = () => new TestUsers(['example.com'], { alice: 'secret' }, {});
  const auth = (life: number) => ({
    ...{
      policy: DEFAULT_AUTH_POLICY,
      realms: ['example.com'],
      users: users(),
      nonceStart: 0,
      generation: 0,
      life,
      wait: () => false,
    },
  });
  let tags = 0;

  function ask(node: ClusteredShard, cseq: number, nonce = '', nc = 1): [number | undefined, string] {
    const n = ++tags;
    const credentials = nonce === '' ? [] : [`Authorization: ${authorization({ qop: 'auth', nonce, nc })}`];
    const answer = node.virtual.send(
      register({
        cseq,
        branch: `z9hG4bKn${n}`,
        from: `<sip:alice@example.com>;tag=t${n}`,
        contacts: [CONTACT],
        extra: credentials,
      }),
    );
    return [answer?.status, /nonce="([^"]*)"/.exec(answer?.text ?? '')?.[1] ?? ''];
  }

  it('an nc is good once, whoever owns the shard in between', () => {
    const cluster = new Cluster();
    const a = cluster.join({ auth: auth(1) });
    const b = cluster.join({ auth: auth(2) });
    a.claim();
    const [, nonce] = ask(a, 1);
    expect(ask(a, 1, nonce, 1)[0]).toBe(200);
    cluster.pass(100);
    b.claim();
    cluster.pass(100);
    expect(ask(b, 2, nonce, 2)[0]).toBe(200); // a refresh, from the nc that the binding names
    expect(ask(b, 3, nonce, 1)[0]).toBe(401);
    expect(ask(b, 3, nonce, 2)[0]).toBe(401);
    cluster.pass(100);
    a.claim();
    cluster.pass(100);
    expect(ask(a, 3, nonce, 2)[0]).toBe(401); // that it was used is known of the other node alone
    expect(ask(a, 3, nonce, 3)[0]).toBe(200);
  });

  it('a nonce that no binding names is stale to the next owner, also to one that has issued it', () => {
    const cluster = new Cluster();
    const a = cluster.join({ auth: auth(1) });
    const b = cluster.join({ auth: auth(1) });
    a.claim();
    const [, nonce] = ask(a, 1);
    b.claim();
    expect(ask(b, 1, nonce, 1)[0]).toBe(401);
    cluster.pass(100);
    a.claim();
    const [status, fresh] = ask(a, 1, nonce, 1);
    expect(status).toBe(401);
    expect(ask(a, 1, fresh, 1)[0]).toBe(200);
  });
});
