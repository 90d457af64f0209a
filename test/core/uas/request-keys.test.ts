// The keys of a request and of its AOR, which the registrar's WebAssembly module makes: those of the oracle, bit by bit.

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { RequestKeys } from '../../../src/core/uas/request-keys.ts';
import { MemoryStore } from '../../../src/location/memory-store.ts';
import { WriteSet } from '../../../src/location/write-set.ts';
import { AorState } from '../../../src/shard/aor-state.ts';
import { parse } from '../../../src/sip/parser/parser.ts';
import { slab, slotStart, table } from '../../../src/sip/parser/slab.ts';
import { T_TO } from '../../../src/sip/parser/span-table.ts';
import { SipHash } from '../../../src/sip/siphash.ts';
import { canonicalAor } from '../../../src/sip/uri/uri.ts';
import { RequestKeys as OracleKeys } from '../../oracle/request-keys.ts';
import { maybe, phone, request, some } from '../../support/made-up-phones.ts';

/** Parses a message in the first slot, whatever may come of it. */
function parsed(message: string): void {
  const bytes = Buffer.from(message, 'latin1');
  slab.set(bytes, slotStart(0));
  parse(slotStart(0), slotStart(0) + bytes.length);
}

function keysOf({
  requestHigh,
  requestLow,
  branchHigh,
  branchLow,
  tagHigh,
  tagLow,
}: RequestKeys | OracleKeys): number[] {
  return [requestHigh, requestLow, branchHigh, branchLow, tagHigh, tagLow];
}

describe('the keys of a request', () => {
  const OPTIONS = Uint8Array.from('OPTIONS', (c) => c.charCodeAt(0));
  const key = Uint8Array.from({ length: 16 }, (_, i) => 255 - i * 3);
  const branch = some('z9hG4bKBRANCH', 'Z9HG4BKx', 'z9hG4bK', 'z9hG4b', 'old', 'z8hG4bKold', 'z9hG4bJnone', '');
  const odd = fc.tuple(
    phone,
    branch,
    fc.nat(0xffffffff),
    maybe('%', '%zz', '%4', '%41%', ':secret', '\0'),
    some(0, 900, 5000, 60_000),
  );

  it('are those of the oracle: request, branch and To tag', () => {
    const quick = new RequestKeys(key);
    const slow = new OracleKeys(key);
    fc.assert(
      fc.property(odd, ([phone, branch, cseq, tail, bytes]) => {
        const via = phone.via.map((value) => value.replace('z9hG4bKBRANCH', branch));
        const contact = phone.contact + 'x'.repeat(bytes);
        parsed(request({ ...phone, via, contact, user: phone.user + tail }, cseq, tail));
        quick.compute();
        slow.compute();
        expect(keysOf(quick)).toEqual(keysOf(slow));
        quick.computeAs(OPTIONS);
        slow.computeAs(OPTIONS, 0, OPTIONS.length);
        quick.computeTag();
        slow.computeTag();
        expect(keysOf(quick)).toEqual(keysOf(slow));
      }),
      { numRuns: 1000, endOnFailure: true },
    );
  });

  it('begin with the canonical AOR and its hash, of any URI', () => {
    const state = new AorState(new MemoryStore(), new WriteSet(), key);
    const hash = new SipHash(key);
    const aor = new Uint8Array(1024);
    const host = some(
      'Example.COM',
      '[2001:DB8::1]',
      '[2001:db8:0::0:1]',
      '[::FFFF:192.0.2.1]',
      '[1::2::3]',
      'h'.repeat(700),
      'x@y',
    );
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
          state.readRequestAor();
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
