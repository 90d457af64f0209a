// What an image keeps of a REGISTER: every field, read back from the record that the store was given.

import { describe, expect, it } from 'vitest';
import {
  callIdEnd,
  cseqOf,
  displayAt,
  expiresAtOf,
  familyOf,
  flowOf,
  hasFlag,
  imageLength,
  instanceAt,
  instanceEnd,
  ipAt,
  isImage,
  nodeOf,
  paramsEnd,
  pathEnd,
  portOf,
  qOf,
  refreshedAtOf,
  regIdOf,
  registeredAtOf,
  transportOf,
  uriAt,
  uriEnd,
  userAgentEnd,
} from '../../../src/core/binding/binding.ts';
import { viewBinding } from '../../../src/core/binding/binding-view.ts';
import { IMAGE_DIRECT, IMAGE_STATIC, KEPT } from '../../../src/core/binding/image-layout.ts';
import { sameInstance } from '../../../src/core/binding/instance-id.ts';
import { MemoryStore } from '../../../src/location/memory-store.ts';
import { RECORD_HEADER_BYTES, recordAorLength } from '../../../src/location/record.ts';
import { TRANSPORT_TCP } from '../../../src/sip/sources.ts';
import { answered } from '../../support/requests.ts';
import { type RegisterOptions, register, VirtualShard } from '../../support/virtual-shard.ts';

const INSTANCE = '"<urn:uuid:00000000-0000-1000-8000-AABBCCDDEEFF>"';

/** Registers alice and gives each of her images. */
function imagesOf(shard: VirtualShard, store: MemoryStore, options: RegisterOptions): Uint8Array[] {
  expect(answered(shard, register(options)).status).toBe(200);
  const images: Uint8Array[] = [];
  store.scan((_key, record) => {
    for (let at = RECORD_HEADER_BYTES + recordAorLength(record, 0); at < record.length; at += imageLength(record, at)) {
      expect(isImage(record, at, record.length)).toBe(true);
      images.push(Uint8Array.from(record.subarray(at, at + imageLength(record, at))));
    }
  });
  return images;
}

function text(bytes: Uint8Array, at: number, end: number): string {
  return Buffer.from(bytes.subarray(at, end)).toString('latin1');
}

describe('a binding’s image', () => {
  it('R5626-6-09 R3327-5.3-01 R3840-6-01 keeps what the request said', () => {
    const store = new MemoryStore();
    const shard = new VirtualShard({ store });
    const contact = `"Alice" <sip:alice@192.0.2.1;ob>;expires=600;audio ; q=0.7;+sip.instance=${INSTANCE};pub-gruu="sip:x@y;gr=1";methods="INVITE,BYE";temp-gruu="sip:t@y;gr"`;
    const [image] = imagesOf(shard, store, {
      callId: 'the-call@host',
      cseq: 4294967295,
      contacts: [contact],
      extra: ['User-Agent: Phone/1.0', 'Path: <sip:p1;lr;ob>, "x,y" <sip:p2;lr>', 'Path: <sip:p3>', 'Supported: path'],
    });
    expect(text(image, displayAt(image, 0), uriAt(image, 0))).toBe('"Alice"');
    expect(text(image, uriAt(image, 0), uriEnd(image, 0))).toBe('sip:alice@192.0.2.1;ob');
    expect(text(image, uriEnd(image, 0), paramsEnd(image, 0))).toBe(
      `;audio ; q=0.7;+sip.instance=${INSTANCE};methods="INVITE,BYE"`,
    );
    expect(text(image, paramsEnd(image, 0), callIdEnd(image, 0))).toBe('the-call@host');
    expect(text(image, callIdEnd(image, 0), userAgentEnd(image, 0))).toBe('Phone/1.0');
    expect(text(image, userAgentEnd(image, 0), pathEnd(image, 0))).toBe('<sip:p1;lr;ob>, "x,y" <sip:p2;lr>,<sip:p3>');
    expect(text(image, instanceAt(image, 0), instanceEnd(image, 0))).toBe(INSTANCE.slice(2, -2));
    expect([cseqOf(image, 0), qOf(image, 0), expiresAtOf(image, 0) - shard.now]).toEqual([4294967295, 700, 600_000]);
  });

  it('R5626-6-11 names the flow of a request that came straight from the phone', () => {
    const store = new MemoryStore();
    const shard = new VirtualShard({ store });
    const [image] = imagesOf(shard, store, { contacts: ['<sip:alice@192.0.2.1>'] });
    expect(hasFlag(image, 0, IMAGE_DIRECT)).toBe(true);
    expect([familyOf(image, 0), transportOf(image, 0), nodeOf(image, 0)]).toEqual([4, 0, 0]);
    expect([...image.subarray(ipAt(0), ipAt(0) + 4), portOf(image, 0)]).toEqual([192, 0, 2, 9, 5060]);
    expect(flowOf(image, 0)).toBe(0);
  });

  it('R5626-6-11 names the node that holds the connection, and each refresh does', () => {
    const store = new MemoryStore();
    const shard = new VirtualShard({ store });
    const contacts = ['<sip:alice@192.0.2.9:5060;transport=tcp>'];
    const seen: unknown[] = [];
    for (const [cseq, node] of [
      [1, 3],
      [2, 3],
      [3, 255],
      [4, 0],
    ]) {
      expect(answered(shard, register({ cseq, contacts }), { transport: TRANSPORT_TCP, flow: 9, node }).status).toBe(
        200,
      );
      store.scan((_key, record) => {
        const view = viewBinding(record, RECORD_HEADER_BYTES + recordAorLength(record, 0), shard.now);
        seen.push([view.flow, view.node, view.cseq]);
      });
    }
    expect(seen).toEqual([
      [9, 3, 1],
      [9, 3, 2],
      [9, 255, 3],
      [9, undefined, 4],
    ]);
  });

  it.each([
    ['in rows', 'SIP/2.0/UDP p;branch=z9hG4bKp1\r\nVia: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bKx1'],
    ['in one row', 'SIP/2.0/UDP p;branch=z9hG4bKp2, SIP/2.0/UDP 192.0.2.1;branch=z9hG4bKx2'],
    ['with one that makes no sense', 'SIP/2.0/UDP p;branch=z9hG4bKp3, nonsense'],
  ])('R5626-6-02 knows that a proxy was before us by its Via %s', (_how, via) => {
    const store = new MemoryStore();
    const [image] = imagesOf(new VirtualShard({ store }), store, { via, contacts: ['<sip:alice@192.0.2.1>'] });
    expect(hasFlag(image, 0, IMAGE_DIRECT)).toBe(false);
  });

  it('is in all but its head the same for the same request later', () => {
    const store = new MemoryStore();
    const shard = new VirtualShard({ store });
    const contacts = [`<sip:alice@192.0.2.1>;+sip.instance=${INSTANCE}`];
    const [first] = imagesOf(shard, store, { contacts, expires: 300 });
    shard.advance(20);
    const [second] = imagesOf(shard, store, { contacts, expires: 300, cseq: 2 });
    expect(second.subarray(KEPT)).toEqual(first.subarray(KEPT));
    expect(registeredAtOf(second, 0)).toBe(registeredAtOf(first, 0));
    expect(refreshedAtOf(second, 0) - refreshedAtOf(first, 0)).toBe(20_000);
    const [third] = imagesOf(shard, store, { contacts: [`${contacts[0]};audio`], expires: 300, cseq: 3 });
    expect(third.subarray(KEPT)).not.toEqual(first.subarray(KEPT));
  });

  it('has 1 for a q and nothing for the rest where the request is bare', () => {
    const store = new MemoryStore();
    const [image] = imagesOf(new VirtualShard({ store }), store, { contacts: ['sip:alice@192.0.2.1'] });
    expect([qOf(image, 0), regIdOf(image, 0)]).toEqual([1000, 0]);
    expect([instanceEnd(image, 0) - instanceAt(image, 0), pathEnd(image, 0)]).toEqual([0, image.length]);
    expect(hasFlag(image, 0, IMAGE_STATIC)).toBe(false);
  });
});

describe('instance IDs', () => {
  const same = (a: string, b: string): boolean => {
    const [x, y] = [Buffer.from(`_${a}`), Buffer.from(b)];
    return sameInstance(x, 1, x.length, y, 0, y.length) && sameInstance(y, 0, y.length, x, 1, x.length);
  };

  it.each([
    ['urn:uuid:f81d4fae-7dec-11d0-a765-00a0c91e6bf6', 'URN:UUID:F81D4FAE-7dec-11d0-a765-00a0c91e6bf6', true],
    ['urn:uuid:f81d4fae-7dec-11d0-a765-00a0c91e6bf6', 'urn:uuid:f81d4fae-7dec-11d0-a765-00a0c91e6bf7', false],
    ['urn:imei:90420156', 'urn:IMEI:90420156', true],
    ['urn:foo:a123', 'urn:foo:A123', false],
    ['urn:foo:a123', 'urn:foo:a1234', false],
    ['my-phone', 'My-Phone', false],
    ['my-phone', 'my-phone', true],
  ])('R5626-4.1-01 are compared as URNs: %s, %s', (a, b, expected) => {
    expect(same(a, b)).toBe(expected);
  });
});
