// What the registrar's WebAssembly module does beside the same in TypeScript: plain refreshes (quick-refresh.ts), which a shard that
// keeps refreshes in its history does without it, and the keys of a request. All is the same, byte by byte.

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Policy } from '../../../src/core/uas/policy.ts';
import { RequestKeys } from '../../../src/core/uas/request-keys.ts';
import { ANSWER } from '../../../src/core/wasm/refresh-memory.ts';
import { MemoryStore } from '../../../src/location/memory-store.ts';
import { WriteSet } from '../../../src/location/write-set.ts';
import { AorState } from '../../../src/shard/aor-state.ts';
import { createHistoryMemory } from '../../../src/shard/observe/history.ts';
import { parse } from '../../../src/sip/parser/parser.ts';
import { memory, slab, slotStart, table } from '../../../src/sip/parser/slab.ts';
import { T_TO } from '../../../src/sip/parser/span-table.ts';
import { SipHash } from '../../../src/sip/siphash.ts';
import { canonicalAor } from '../../../src/sip/uri/uri.ts';
import { maybe, phone, request, some } from '../../support/made-up-phones.ts';
import { type Source, VirtualShard } from '../../support/virtual-shard.ts';

const POLICIES: readonly Partial<Policy>[] = [
  {},
  { outbound: 'off', path: 'off', gruu: 'off' },
  { path: 'strict', flowTimerS: 0, expiresJitterPercent: 20 },
  {
    path: 'lazy',
    serviceRoutes: { '*': ['<sip:edge.example.com;lr>'], 'example.com': ['<sip:a.example.com;lr>', '<sip:b;lr>'] },
    associatedUris: { 'al@example.com': ['<sip:al@example.com>', '<tel:+358>'] },
  },
];

let registrations = 0;

/** The shard's answer, and whether the module made it. */
function answer(shard: VirtualShard, message: string, source: Source): { text: string; isQuick: boolean } {
  new Uint8Array(memory.buffer, ANSWER, 8).fill(0);
  const text = shard.send(message, source)?.text ?? '';
  const written = new Uint8Array(memory.buffer, ANSWER, text.length);
  return { text, isQuick: text.length > 0 && Buffer.from(written).toString('latin1') === text };
}

/** Parses a message in the first slot, whatever may come of it. */
function parsed(message: string): void {
  const bytes = Buffer.from(message, 'latin1');
  slab.set(bytes, slotStart(0));
  parse(slotStart(0), slotStart(0) + bytes.length);
}

function keysOf({ requestHigh, requestLow, branchHigh, branchLow, tagHigh, tagLow }: RequestKeys): number[] {
  return [requestHigh, requestLow, branchHigh, branchLow, tagHigh, tagLow];
}

describe('the keys of a request in WebAssembly', () => {
  const key = Uint8Array.from({ length: 16 }, (_, i) => 255 - i * 3);
  const branch = some('z9hG4bKBRANCH', 'Z9HG4BKx', 'z9hG4bK', 'z9hG4b', 'old', 'z8hG4bKold', 'z9hG4bJnone', '');
  const odd = fc.tuple(
    phone,
    branch,
    fc.nat(0xffffffff),
    maybe('%', '%zz', '%4', '%41%', ':secret', '\0'),
    some(0, 900, 5000),
  );

  it('are those of TypeScript: request, branch and To tag', () => {
    const quick = new RequestKeys(key);
    const slow = new RequestKeys(key);
    fc.assert(
      fc.property(odd, ([phone, branch, cseq, tail, bytes]) => {
        const via = phone.via.map((value) => value.replace('z9hG4bKBRANCH', branch));
        const contact = phone.contact + 'x'.repeat(bytes);
        parsed(request({ ...phone, via, contact, user: phone.user + tail }, cseq, tail));
        quick.take();
        slow.takeLong();
        expect(keysOf(quick)).toEqual(keysOf(slow));
      }),
      { numRuns: 1000, endOnFailure: true },
    );
  });

  it('begin with the canonical AOR and its hash, of any URI', () => {
    const state = new AorState(new MemoryStore(), new WriteSet(), key);
    const hash = new SipHash(key);
    const aor = new Uint8Array(1024);
    const host = some('Example.COM', '[2001:DB8::1]', 'h'.repeat(700), 'x@y');
    fc.assert(
      fc.property(
        odd,
        host,
        some('sip', 'SIPS', 'tel', 'http'),
        some('', 'u'.repeat(323), 'u'.repeat(324)),
        (parts, host, scheme, more) => {
          const [phone, , , tail] = parts;
          parsed(
            `REGISTER sip:example.com SIP/2.0\r\nVia: SIP/2.0/UDP a\r\nTo: <${scheme}:${phone.user}${more}${tail}@${host}:5061;x=1>\r\n\r\n`,
          );
          state.takeOfRequest();
          const length = canonicalAor(slab, table, T_TO, aor);
          expect(state.aorLength).toBe(length);
          if (length < 0) return;
          hash.begin();
          hash.span(aor, 0, length);
          hash.end();
          expect(Buffer.from(state.aor.subarray(0, length))).toEqual(Buffer.from(aor.subarray(0, length)));
          expect([...state.key]).toEqual([...hash.out]);
        },
      ),
      { numRuns: 1000, endOnFailure: true },
    );
  });
});

describe('a plain refresh in WebAssembly', () => {
  it.each(POLICIES)('draws the same 200 as in TypeScript, byte by byte (%o)', (policy) => {
    const quick = new VirtualShard({ policy });
    const slow = new VirtualShard({
      policy: { ...policy, historyRefreshes: true },
      history: createHistoryMemory(1 << 16),
    });
    let accepted = 0;
    let quickly = 0;
    fc.assert(
      fc.property(phone, phone, fc.boolean(), (first, other, changes) => {
        const id = String(++registrations);
        const second = changes ? { ...first, contact: other.contact, via: other.via } : first;
        for (const [cseq, of] of [first, first, second, first].entries()) {
          const message = request(of, registrations * 10 + cseq, id);
          const a = answer(quick, message, of.source);
          const b = answer(slow, message, of.source);
          expect(a.text).toBe(b.text);
          expect(b.isQuick).toBe(false);
          if (cseq === 1 && a.text.startsWith('SIP/2.0 200')) accepted++;
          if (cseq === 1 && a.isQuick) quickly++;
          quick.now += 700;
          slow.now += 700;
        }
      }),
      { numRuns: 300, endOnFailure: true },
    );
    // Most refreshes that are accepted are those of the module.
    expect(quickly).toBeGreaterThan(accepted / 2);
  });

  it.each(['sip:a@192.0.2.20;transport=tcp', 'sip:a@192.0.2.9:5060;transport=tcp', 'sip:a@x.invalid;transport=ws'])(
    'knows as TypeScript does whether the binding lives by its connection: %s',
    (uri) => {
      for (const connectionBindings of ['auto', 'flow', 'contact'] as const) {
        const shard = new VirtualShard({ policy: { connectionBindings } });
        const via = ['SIP/2.0/TCP 192.0.2.9;branch=z9hG4bKBRANCH'];
        const of = { via, rows: [], user: 'al', to: '', callId: 'c', contact: `<${uri}>`, source: {} };
        const quickly = [1, 2].map((cseq) => answer(shard, request(of, cseq, 'f'), { transport: 1, flow: 9 }).isQuick);
        expect(quickly).toEqual([false, true]);
      }
    },
  );

  it('goes on where the module has no room: a long request draws the same answer', () => {
    const quick = new VirtualShard();
    const slow = new VirtualShard({ policy: { historyRefreshes: true }, history: createHistoryMemory(1 << 16) });
    for (const bytes of [1000, 1500, 3000])
      for (const cseq of [1, 2]) {
        const first = fc.sample(phone, { numRuns: 1, seed: 5 })[0];
        const long = { ...first, to: '', rows: [`X-Long: ${'x'.repeat(bytes)}`, 'Supported: gruu, path, outbound'] };
        const message = request({ ...long, contact: '<sip:a@192.0.2.1>' }, 5 + cseq, `long${bytes}`);
        expect(answer(quick, message, {}).text).toBe(answer(slow, message, {}).text);
      }
  });
});
