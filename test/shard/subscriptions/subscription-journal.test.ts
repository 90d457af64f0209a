// Subscriptions on disk: what a life of a shard has is found by the next, damage and full disks aside.

import fs, {
  appendFileSync,
  closeSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { MemoryStore } from '../../../src/location/memory-store.ts';
import { type StoredSubscription, SubscriptionJournal } from '../../../src/shard/subscriptions/subscription-journal.ts';
import { register } from '../../support/virtual-shard.ts';
import { WatchedShard } from '../../support/watched-shard.ts';

const directories: string[] = [];
afterAll(() => {
  for (const directory of directories) rmSync(directory, { recursive: true, force: true });
});

function newDirectory(): string {
  directories.push(mkdtempSync(join(tmpdir(), 'aorta-subscriptions-')));
  return directories[directories.length - 1];
}

interface Life {
  readonly directory: string;
  readonly store: MemoryStore;
  readonly now?: number;
  readonly fileBytes?: number;
}

/** A shard that finds what those before it in the directory have left. */
function shard({ directory, store, now, fileBytes }: Life): WatchedShard {
  const journal = new SubscriptionJournal(directory, false, fileBytes);
  const subscriptions = { journal, sentBy: [{ host: '192.0.2.1', port: 5060 }], udpByMain: false };
  return new WatchedShard({ store, subscriptions, ...(now !== undefined && { now }) });
}

const STORED: StoredSubscription = {
  ...{ slot: 0, key: [1, 2, 3, 4], aor: 'alice@example.com', expiresAt: 0, version: 0, cseq: 0, seesDevices: false },
  peer: {
    ...{ family: 4, ip: '', port: 5060, transport: 0, listener: 0, flow: 0, node: 0, answeredByMain: 0, local: '' },
  },
  dialog: {
    ...{ callId: 'a', localTag: 'b', local: 'c', remoteTag: 'd', remote: 'e', target: 'f', contact: 'g' },
    ...{ routes: [], event: 'reg', remoteCseq: 1 },
  },
};

/** A shard whose disk has failed, perhaps after it had granted a subscription. */
function onBrokenDisk(life: Life = { directory: newDirectory(), store: new MemoryStore() }, grantedS = 0) {
  const journal = new SubscriptionJournal(life.directory, false);
  const broken = new WatchedShard({ store: life.store, subscriptions: { journal, sentBy: [], udpByMain: false } });
  broken.pass(1);
  const to = grantedS > 0 ? broken.watch({ expires: grantedS }).to : '';
  journal.close();
  return { broken, to };
}

/** While it runs, no file is made. */
function withoutFiles<T>(run: () => T): T {
  const real = fs.openSync;
  fs.openSync = (path, flags, mode) => {
    if (flags === 'r') return real(path, flags, mode);
    throw Object.assign(new Error('EMFILE: too many open files'), { code: 'EMFILE' });
  };
  syncBuiltinESMExports();
  try {
    return run();
  } finally {
    fs.openSync = real;
    syncBuiltinESMExports();
  }
}

const files = (directory: string) => readdirSync(directory).sort();

describe('a subscription', () => {
  it('R3680-5.1-02 goes on in a life that could make no file at first, once it can', () => {
    const life = { directory: newDirectory(), store: new MemoryStore() };
    const before = shard(life);
    const { to } = before.watch({ expires: 3600 });
    before.pass(5000);
    const after = shard({ ...life, now: before.now + 60_000 });
    const refused = withoutFiles(() => {
      after.pass(500);
      return [{ callId: 'refused' }, { to, cseq: 2 }].map((fields) => after.subscribe(fields).status);
    });
    expect(refused).toEqual([503, 503]);
    expect(after.shard.msToNextTick(after.now), 'it is tried again').toBeGreaterThan(0);
    const [told] = after.settle(6000);
    expect(told.reginfo.version).toBeGreaterThan(0);
    expect(after.watch({ expires: 3600, callId: 'another' })).toBeDefined();
    after.pass(5000);
    const [later] = shard({ ...life, now: after.now + 60_000 }).settle(6000);
    expect(later.reginfo.version).toBeGreaterThan(told.reginfo.version);
  });

  it('R3680-5.1-02 outlives the process: its dialog, its versions and its CSeq go on, and it is told all', () => {
    const life = { directory: newDirectory(), store: new MemoryStore() };
    const before = shard(life);
    const { to } = before.watch({ expires: 3600 });
    before.pass(5000);
    before.send(register({ contacts: ['<sip:desk@192.0.2.8>'] }));
    expect(before.notified().map(({ cseq, reginfo }) => [cseq, reginfo.version])).toEqual([[2, 1]]);

    const after = shard({ ...life, now: before.now + 60_000 });
    const [told, ...others] = after.settle(6000);
    expect([told.cseq, told.reginfo.version, told.reginfo.state, others.length]).toEqual([3, 2, 'full', 0]);
    expect(told.reginfo.contacts.map(({ uri }) => uri)).toEqual(['sip:desk@192.0.2.8']);
    expect(after.requests[0]).toMatchObject({ ip: '192.0.2.9', port: 5060 });
    expect(after.subscribe({ to, cseq: 2, expires: 600 }).status).toBe(200);
    expect(after.notified().map(({ cseq, subscription }) => [cseq, subscription])).toEqual([[4, 'active;expires=600']]);
  });

  it('R6665-4.2.1.4-02 that ran out meanwhile is told so; one that had ended stays ended', () => {
    const life = { directory: newDirectory(), store: new MemoryStore() };
    const before = shard(life);
    before.watch({ expires: 60, callId: 'short' });
    const { to } = before.watch({ callId: 'ended' });
    before.subscribe({ to, cseq: 2, expires: 0, callId: 'ended' });
    before.notified();
    const after = shard({ ...life, now: before.now + 120_000 });
    expect(after.settle(6000).map(({ subscription }) => subscription)).toEqual(['terminated;reason=timeout']);
    expect(after.counter('subscriptions')).toBe(0);
    expect(shard({ ...life, now: after.now }).requests).toEqual([]);
  });

  it('R6665-4.2.1.4-02 that was told its end stays ended where the clock is set back before the next life', () => {
    const life = { directory: newDirectory(), store: new MemoryStore() };
    const before = shard(life);
    const begin = before.now;
    before.watch({ expires: 60 });
    before.pass(60_000);
    expect(before.requests.at(-1)?.text).toContain('\r\nSubscription-State: terminated;reason=timeout\r\n'); // nobody answers
    const after = shard({ ...life, now: begin - 3_600_000 });
    expect(after.settle(6000).map(({ subscription }) => subscription)).toEqual(['terminated;reason=timeout']);
    expect(after.counter('subscriptions')).toBe(0);
  });

  it('costs itself alone where its line is damaged or cut short', () => {
    const life = { directory: newDirectory(), store: new MemoryStore() };
    const before = shard(life);
    for (const callId of ['one', 'two', 'three']) before.watch({ callId });
    const file = join(life.directory, files(life.directory)[0]);
    writeFileSync(file, readFileSync(file, 'utf8').replace('"two"', '"TWO"'));
    appendFileSync(file, '00000000 {"put":{"slot"');
    const after = shard({ ...life, now: before.now + 1000 });
    expect(after.settle(6000).map(({ text }) => /Call-ID: (\w+)/.exec(text)?.[1])).toEqual(['one', 'three']);
  });

  it('stays in few bytes, however often it is told of', () => {
    const life = { directory: newDirectory(), store: new MemoryStore(), fileBytes: 8192 };
    const before = shard(life);
    for (let i = 0; i < 100; i++) before.watch({ callId: `call-${i}`, uri: `sip:u${i}@example.com`, expires: 80_000 });
    const { to } = before.watch({ callId: 'often', expires: 80_000 });
    for (let cseq = 2; cseq < 300; cseq++) {
      before.subscribe({ callId: 'often', to, cseq, expires: 80_000 });
      before.notified();
    }
    const sizes = files(life.directory).map((name) => statSync(join(life.directory, name)).size);
    expect(sizes.length).toBeLessThanOrEqual(2);
    expect(sizes.reduce((sum, size) => sum + size)).toBeLessThan(300_000);
    const after = shard({ ...life, now: before.now + 1000 });
    const versions = after.settle(10_000).map(({ reginfo }) => reginfo.version);
    expect([versions.length, Math.max(...versions)]).toEqual([101, 299]);
  });

  it('is found among so many that their file is read in pieces', () => {
    const life = { directory: newDirectory(), store: new MemoryStore() };
    const before = shard(life);
    const callIds = Array.from({ length: 2500 }, (_, i) => `many-${i}-ü`);
    for (const callId of callIds) before.subscribe({ callId, uri: `sip:${callId}@example.com` });
    expect(statSync(join(life.directory, files(life.directory)[0])).size).toBeGreaterThan(1.5 * (1 << 20));
    const after = shard({ ...life, now: before.now + 1000 });
    after.pass(1);
    expect(after.counter('subscriptions')).toBe(callIds.length);
  });

  it('is not granted where the disk would not have it, and counts as refused', () => {
    const { broken } = onBrokenDisk();
    const answer = broken.subscribe();
    expect([answer.status, broken.requests.length, broken.counter('subscriptions')]).toEqual([503, 0, 0]);
    expect(broken.counter('subscribed')).toBe(0);
    expect(broken.log).toContain('subscriptions cannot be written');
  });

  it.each([600, 0])('goes on as it was where the disk would not have its refresh of %i s', (expires) => {
    const life = { directory: newDirectory(), store: new MemoryStore() };
    const { broken, to } = onBrokenDisk(life, 120);
    broken.pass(20_000);
    const contact = '<sip:elsewhere@192.0.2.9:5070>';
    const answer = broken.subscribe({ to, cseq: 2, expires, contact }, { port: 5099 });
    expect([answer.status, answer.header('Retry-After'), broken.counter('subscribed')]).toEqual([503, ['60'], 1]);
    expect(broken.notified()).toEqual([]);
    broken.send(register({ contacts: ['<sip:desk@192.0.2.8>'] }));
    const [told] = broken.notified();
    expect([told.requestUri, broken.requests.at(-1)?.port]).toEqual(['sip:watcher@192.0.2.9:5070', 5060]);
    expect(told.subscription).toBe('active;expires=100');

    const after = shard({ ...life, now: broken.now });
    expect(after.settle(6000)[0].requestUri).toBe('sip:watcher@192.0.2.9:5070');
    expect(after.subscribe({ to, cseq: 2, expires: 600 }).status).toBe(200);
  });

  it('stays in its file where no other can be made', () => {
    const directory = newDirectory();
    const place = join(directory, 'here');
    const journal = new SubscriptionJournal(place, false, 0);
    journal.open();
    const put = (slot: number) => journal.put({ ...STORED, slot });
    put(1);
    renameSync(place, join(directory, 'away'));
    expect(() => journal.work(0, 0, () => undefined)).toThrow('ENOENT');
    const strange = openSync(join(directory, 'strange'), 'w'); // takes the lowest free number
    put(2);
    closeSync(strange);
    expect(readFileSync(join(directory, 'strange'), 'utf8')).toBe('');
    renameSync(join(directory, 'away'), place);
    expect(new SubscriptionJournal(place, false).open().map(({ slot }) => slot)).toEqual([1, 2]);
  });
});
