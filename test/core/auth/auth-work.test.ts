// What a refusal costs: an unknown user and a wrong password must take the same work, or the clock tells who exists. Counted:
// digests and the bytes under them, keyed hashes, reads of the store. Times are measured by bench/parts/refusals.ts.

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { USER_UNKNOWN } from '../../../src/core/auth/credential-source.ts';
import { AUTH_UNKNOWN_USER, AUTH_WRONG_RESPONSE } from '../../../src/core/auth/outcome.ts';
import { ALG_MD5 } from '../../../src/sip/credentials.ts';
import { SipHash } from '../../../src/sip/siphash.ts';
import { ha1sOf } from '../../../src/users/ha1.ts';
import { UserStore } from '../../../src/users/user-store.ts';
import { UserTable } from '../../../src/users/user-table.ts';
import { Authentication } from '../../support/authentication.ts';

const done = vi.hoisted(() => ({ work: [] as string[] }));

// The real functions, with a tally.
vi.mock('../../../src/core/auth/md5.ts', async (original) => {
  const real = await original<typeof import('../../../src/core/auth/md5.ts')>();
  return {
    ...real,
    md5: (length: number, digest: Uint8Array): void => {
      done.work.push(`md5 of ${length}`);
      real.md5(length, digest);
    },
  };
});
vi.mock('node:crypto', async (original) => {
  const real = await original<typeof import('node:crypto')>();
  return {
    ...real,
    hash: (algorithm: string, data: Uint8Array, encoding: 'binary'): string => {
      done.work.push(`${algorithm} of ${data.length}`);
      return real.hash(algorithm, data, encoding);
    },
  };
});
const { end } = SipHash.prototype;
SipHash.prototype.end = function tallied(this: SipHash): void {
  done.work.push('keyed hash');
  end.call(this);
};

afterEach(() => {
  done.work = [];
});

const ALGORITHMS = ['MD5', 'SHA-256', 'SHA-512-256', 'MD5-sess', 'SHA-256-sess', 'SHA-512-256-sess'] as const;
const FORMS = ALGORITHMS.flatMap((algorithm) =>
  (['auth', 'auth-int', undefined] as const).flatMap((qop) =>
    [false, true].map((userhash) => ({ algorithm, qop, userhash })),
  ),
);

describe('an unknown user costs what a wrong password costs', () => {
  it.each(FORMS)('R3261-10.3-13 $algorithm, qop $qop, userhash $userhash: the same digests', (form) => {
    const auth = new Authentication({ policy: { algorithms: ALGORITHMS, qop: 'auth,auth-int', userhash: true } });
    const work = (username: string, outcome: number, user = username): string[] => {
      const to = `sip:${user}@example.com`;
      const { nonce } = auth.ask({ to });
      done.work = [];
      expect(auth.login({ ...form, nonce, username, password: 'wrong' }, { to }).outcome).toBe(outcome);
      return [...done.work].sort();
    };
    work('alice', AUTH_WRONG_RESPONSE); // the digest of method and URI is kept from here on, whoever asks
    const wrong = work('alice', AUTH_WRONG_RESPONSE);
    const digests = 1 + (form.algorithm.endsWith('-sess') ? 1 : 0) + (form.qop === 'auth-int' ? 1 : 0);
    expect(wrong.filter((one) => one !== 'keyed hash')).toHaveLength(digests);
    expect(work('alicf', AUTH_UNKNOWN_USER)).toEqual(wrong);
    expect(work('alicf', AUTH_UNKNOWN_USER, 'bob')).toEqual(work('alice', AUTH_WRONG_RESPONSE, 'bob'));
  });

  it('R3261-10.3-13 the same reads of the store: one, and none when asked again', async () => {
    const data = mkdtempSync(join(tmpdir(), 'aorta-work-'));
    const store = UserStore.open(data);
    const realm = 'example.com';
    store.put([{ name: 'alice', realm, ha1s: ha1sOf('alice', realm, 'pw'), aors: [] }], 'add');
    const table = new UserTable({ data, realms: [realm] });
    const cost = (name: string): [reads: number, hashes: number] => {
      const reads = table.reads;
      done.work = [];
      table.find(Buffer.from(name), 0, name.length, false, 0, ALG_MD5);
      return [table.reads - reads, done.work.length];
    };
    expect([cost('alice'), cost('alicf')]).toEqual([
      [1, 1],
      [1, 1],
    ]);
    expect([cost('alice'), cost('alicf')]).toEqual([
      [0, 1],
      [0, 1],
    ]);
    expect(table.find(Buffer.from('alicf'), 0, 5, false, 0, ALG_MD5)).toBe(USER_UNKNOWN);
    table.close();
    await store.close();
    rmSync(data, { recursive: true, force: true });
  });
});
