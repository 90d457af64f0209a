// Nonces that need no memory, and the window of those used (RFC 7616 §3.3, §3.4, §5.5).

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { NONCE_CHARS, NONCE_FOREIGN, NONCE_FRESH, NONCE_STALE, Nonces } from '../../../src/core/auth/nonce.ts';
import {
  NC_FORGOTTEN,
  NC_NEW,
  NC_REPLAYED,
  NC_TOO_OLD,
  NC_WITHOUT_QOP,
  NonceWindow,
} from '../../../src/core/auth/nonce-window.ts';
import { ascii } from '../../../src/sip/writer.ts';

const NOW = Date.UTC(2026, 0, 1);
const MINUTE = 60_000;
const LIFETIME = 60 * MINUTE;
const KEY = 240 * MINUTE;
const SECRET = Uint8Array.from({ length: 32 }, (_, i) => i);
const REALM = ascii('example.com');
const ALICE = Uint32Array.of(1, 2, 3, 4);

function nonces({ secret = SECRET, generation = 0, start = 0, life = 1 } = {}): Nonces {
  return new Nonces(secret, generation, LIFETIME, KEY, start, life);
}

function issue(from: Nonces, now = NOW, aor = ALICE, realm = REALM): string {
  from.issue(aor, realm, realm.length, now);
  return Buffer.from(from.text).toString('latin1');
}

function check(by: Nonces, nonce: string, now = NOW, aor = ALICE, realm = REALM): number {
  const bytes = Buffer.from(`"${nonce}"`, 'latin1');
  return by.check(bytes, 1, bytes.length - 1, aor, realm, realm.length, now);
}

describe('nonces', () => {
  it('are nobody’s whose secret differs in a byte, whichever', () => {
    const nonce = issue(nonces());
    expect(check(nonces(), nonce)).toBe(NONCE_FRESH);
    for (let i = 0; i < SECRET.length; i++) {
      const secret = SECRET.map((byte, at) => (at === i ? byte ^ 1 : byte));
      expect([i, check(nonces({ secret }), nonce)]).toEqual([i, NONCE_FOREIGN]);
    }
  });

  it('R7616-3.3-04 are 32 URL-safe characters, never twice the same', () => {
    const from = nonces();
    const made = Array.from({ length: 5000 }, () => issue(from));
    expect(new Set(made).size).toBe(5000);
    for (const nonce of made) expect(nonce).toMatch(/^[\w-]{32}$/);
  });

  it('R7616-3.3-04 are good on any node that has the secret, also after a restart, for their lifetime', () => {
    const nonce = issue(nonces({ start: 77 }));
    const other = nonces({ life: 2 });
    expect(check(other, nonce)).toBe(NONCE_FRESH);
    expect([other.issuedAt, other.isOfThisLife]).toEqual([NOW, false]);
    expect(check(other, nonce, NOW + LIFETIME)).toBe(NONCE_FRESH);
    expect(check(other, nonce, NOW + LIFETIME + 1)).toBe(NONCE_STALE);
    expect(check(other, nonce, NOW + 10 * KEY)).toBe(NONCE_STALE);
  });

  it('R7616-3.3-04 are good for their AOR, realm and secret alone', () => {
    const from = nonces();
    const nonce = issue(from);
    expect(check(from, nonce, NOW, Uint32Array.of(1, 2, 3, 5))).toBe(NONCE_FOREIGN);
    expect(check(from, nonce, NOW, ALICE, ascii('example.org'))).toBe(NONCE_FOREIGN);
    expect(check(nonces({ secret: SECRET.map((byte) => byte ^ 1) }), nonce)).toBe(NONCE_FOREIGN);
    expect(check(nonces({ generation: 1 }), nonce)).toBe(NONCE_FOREIGN);
    expect(check(from, nonce)).toBe(NONCE_FRESH);
  });

  it('R7616-3.3-04 outlive the change of keys by time: the key before is still at hand', () => {
    const from = nonces();
    const boundary = Math.ceil(NOW / KEY) * KEY;
    const before = issue(from, boundary - 1);
    const after = issue(from, boundary);
    expect(check(from, before, boundary + 1)).toBe(NONCE_FRESH);
    expect(check(from, after, boundary + 1)).toBe(NONCE_FRESH);
    expect(check(from, before, boundary + LIFETIME)).toBe(NONCE_STALE);
  });

  it('R7616-3.3-04 edited ones are never fresh', () => {
    const from = nonces();
    const nonce = issue(from);
    fc.assert(
      fc.property(fc.nat(NONCE_CHARS - 1), fc.integer({ min: 0, max: 255 }), (at, byte) => {
        const edited = nonce.slice(0, at) + String.fromCharCode(byte) + nonce.slice(at + 1);
        expect(check(from, edited) === NONCE_FRESH).toBe(edited === nonce);
      }),
      { numRuns: 1000 },
    );
  });

  it('R7616-3.3-04 of another length, or from the future, are foreign', () => {
    const from = nonces();
    const nonce = issue(from);
    expect(['', nonce.slice(1), `${nonce}A`, 'A'.repeat(32)].map((text) => check(from, text))).not.toContain(
      NONCE_FRESH,
    );
    expect(check(from, issue(from, NOW + MINUTE))).toBe(NONCE_FOREIGN);
    expect(check(from, issue(from, NOW + 1000))).toBe(NONCE_FRESH);
  });
});

describe('window', () => {
  function window({ nonces: rows = 100, size = 64 } = {}): NonceWindow {
    return new NonceWindow(rows, size, LIFETIME);
  }

  const use = (w: NonceWindow, id: number, nc: number, issuedAt = NOW, now = NOW, ofThisLife = true) =>
    w.accept(id, id, issuedAt, ofThisLife, nc, now);

  it('R7616-3.3-02 takes each nc once, in any order within 64', () => {
    const w = window();
    expect([5, 1, 3, 68, 5, 4, 6].map((nc) => use(w, 1, nc))).toEqual([
      NC_NEW,
      NC_NEW,
      NC_NEW,
      NC_NEW,
      NC_REPLAYED,
      NC_TOO_OLD,
      NC_NEW,
    ]);
  });

  it('R7616-3.3-02 agrees with a set of all that was seen', () => {
    // Steps from the highest: mostly a few ahead, or back to one that was seen or left out.
    const step = fc.oneof(
      { weight: 5, arbitrary: fc.integer({ min: 1, max: 3 }) },
      { weight: 5, arbitrary: fc.integer({ min: -70, max: -1 }) },
      { weight: 1, arbitrary: fc.integer({ min: 4, max: 70 }) },
    );
    const size = fc.oneof(fc.constant(64), fc.integer({ min: 1, max: 64 }));
    fc.assert(
      fc.property(size, fc.array(step, { maxLength: 120, size: 'max' }), (size, walk) => {
        const w = window({ size });
        const seen = new Set<number>();
        let highest = 100;
        for (const by of walk) {
          const nc = Math.max(0, highest + by);
          const isFirst = seen.size === 0;
          const expected = !isFirst && highest - nc >= size ? NC_TOO_OLD : seen.has(nc) ? NC_REPLAYED : NC_NEW;
          expect(use(w, 9, nc)).toBe(expected);
          if (expected !== NC_NEW) continue;
          seen.add(nc);
          highest = isFirst ? nc : Math.max(highest, nc);
        }
      }),
    );
  });

  it('R8760-2.6-08b a nonce used without qop is used up', () => {
    const w = window();
    expect([NC_WITHOUT_QOP, NC_WITHOUT_QOP, 1].map((nc) => use(w, 1, nc))).toEqual([NC_NEW, NC_REPLAYED, NC_TOO_OLD]);
    expect([1, NC_WITHOUT_QOP, 2].map((nc) => use(w, 2, nc))).toEqual([NC_NEW, NC_NEW, NC_TOO_OLD]);
  });

  it('R3261-26.1.5-01 forgets the oldest where it is full, and never takes it for unused again', () => {
    const w = window({ nonces: 4 });
    for (let id = 0; id < 6; id++) expect(use(w, id, 1, NOW + id, NOW + id)).toBe(NC_NEW);
    expect(w.count).toBe(4);
    expect(w.lowWaterMark).toBe(NOW + 1);
    expect([0, 1].map((id) => use(w, id, 2, NOW + id))).toEqual([NC_FORGOTTEN, NC_FORGOTTEN]);
    expect(use(w, 77, 1, NOW + 1)).toBe(NC_FORGOTTEN);
    expect(use(w, 2, 1, NOW + 2)).toBe(NC_REPLAYED);
    expect(use(w, 2, 2, NOW + 2)).toBe(NC_NEW);
    expect(use(w, 78, 1, NOW + 9)).toBe(NC_NEW);
  });

  it('R3261-26.1.5-01 drops what is stale anyway without a mark', () => {
    const w = window({ nonces: 4 });
    for (let id = 0; id < 4; id++) use(w, id, 1);
    const later = NOW + LIFETIME + 1;
    expect(use(w, 9, 1, later, later)).toBe(NC_NEW);
    expect(w.lowWaterMark).toBeLessThan(NOW);
    expect(w.count).toBeLessThanOrEqual(4);
  });

  it('R7616-3.3-02 takes up what an earlier process saw', () => {
    const w = window();
    const ofBefore = (id: number, nc: number): number => use(w, id, nc, NOW, NOW, false);
    expect(ofBefore(1, 7)).toBe(NC_FORGOTTEN);
    w.resume(1, 1, NOW, 6, NOW);
    expect([6, 1, 7, 7].map((nc) => ofBefore(1, nc))).toEqual([NC_REPLAYED, NC_REPLAYED, NC_NEW, NC_REPLAYED]);
    expect(use(w, 2, 1, NOW + 1)).toBe(NC_NEW);
  });

  it('R3261-26.1.5-01 that is full of nonces dated ahead still takes those issued now', () => {
    const w = window({ nonces: 4 });
    for (let id = 0; id < 4; id++) w.resume(id, id, NOW + 2 * LIFETIME, 6, NOW);
    for (let id = 10; id < 20; id++) expect(use(w, id, 1, NOW + id, NOW + id)).toBe(NC_NEW);
  });

  it('R3261-26.1.5-01 keeps finding every nonce it holds, whatever came and went', () => {
    const ids = fc.array(fc.nat(40), { maxLength: 200 });
    fc.assert(
      fc.property(ids, (list) => {
        const w = window({ nonces: 16 });
        let now = NOW;
        for (const id of list) {
          now += 1;
          const first = w.accept(id, id & 3, now, true, 1, now);
          expect([NC_NEW, NC_REPLAYED]).toContain(first);
          expect(w.accept(id, id & 3, now, true, 1, now)).toBe(NC_REPLAYED);
          expect(w.count).toBeLessThanOrEqual(16);
        }
      }),
    );
  });
});
