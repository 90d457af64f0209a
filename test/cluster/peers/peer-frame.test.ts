import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  FRAME_ANSWER,
  FRAME_BAD,
  FRAME_BEAT,
  FRAME_ENDED_TAKEN,
  FRAME_HELLO,
  FRAME_PART,
  FRAME_REQUEST,
  FrameReader,
  HEAD_BYTES,
  oneRow,
  ROW_BYTES,
  readRow,
  writeHead,
  writeRow,
} from '../../../src/cluster/peers/peer-frame.ts';

const MAX = 1000;

function framed(kind: number, shard: number, body: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(HEAD_BYTES + body.length);
  writeHead(bytes, 0, kind, shard, body.length);
  bytes.set(body, HEAD_BYTES);
  return bytes;
}

describe('frames between nodes', () => {
  it('are read as they were written, however they are cut', () => {
    const frame = fc.record({
      kind: fc.integer({ min: FRAME_HELLO, max: FRAME_ENDED_TAKEN }),
      shard: fc.integer({ min: 0, max: 65_535 }),
      body: fc.uint8Array({ maxLength: 300 }),
    });
    fc.assert(
      fc.property(fc.array(frame, { maxLength: 8 }), fc.integer({ min: 1, max: 400 }), (frames, step) => {
        const bytes = Buffer.concat(frames.map(({ kind, shard, body }) => framed(kind, shard, body)));
        const reader = new FrameReader();
        const read: { kind: number; shard: number; body: Uint8Array }[] = [];
        let at = 0;
        for (let end = Math.min(step, bytes.length); ; end = Math.min(end + step, bytes.length)) {
          let kind = reader.next(bytes, at, end, MAX);
          for (; kind > FRAME_PART; kind = reader.next(bytes, at, end, MAX)) {
            read.push({ kind, shard: reader.shard, body: Uint8Array.from(bytes.subarray(reader.at, reader.end)) });
            at = reader.end;
          }
          expect(kind).toBe(FRAME_PART);
          if (end === bytes.length) break;
        }
        expect(read).toEqual(frames.map(({ kind, shard, body }) => ({ kind, shard, body: Uint8Array.from(body) })));
      }),
    );
  });

  it.each([
    ['a body that is too long', framed(FRAME_BEAT, 0, new Uint8Array(MAX + 1)).subarray(0, HEAD_BYTES)],
    ['an unknown kind', framed(FRAME_ENDED_TAKEN + 1, 0, new Uint8Array(0))],
    ['kind 0', framed(0, 0, new Uint8Array(0))],
    ['a reserved byte', Uint8Array.of(0, 0, 0, 0, FRAME_BEAT, 1, 0, 0)],
    ['a request of SIP', Buffer.from('REGISTER sip:example.com SIP/2.0\r\n')],
  ])('end where there is %s', (_, bytes) => {
    expect(new FrameReader().next(bytes, 0, bytes.length, MAX)).toBe(FRAME_BAD);
  });

  it('never lead out of the bytes there are, whatever those are', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
        const reader = new FrameReader();
        const kind = reader.next(bytes, 0, bytes.length, MAX);
        if (kind > FRAME_PART) expect(reader.end).toBeLessThanOrEqual(bytes.length);
        const row = oneRow();
        readRow(bytes, 0, bytes.length, row, 0);
      }),
    );
  });

  it('carry a row of a peer whole', () => {
    const row = oneRow();
    row.transport[0] = 4;
    row.listener[0] = 3;
    row.family[0] = 6;
    row.answeredByMain[0] = 6;
    row.node[0] = 254;
    row.port[0] = 65_535;
    row.flow[0] = 0xfedcba98;
    for (let i = 0; i < 16; i++) {
      row.ip[i] = i + 1;
      row.local[i] = 255 - i;
    }
    const bytes = new Uint8Array(ROW_BYTES);
    writeRow(bytes, 0, row, 0);
    const read = oneRow();
    expect(readRow(bytes, 0, ROW_BYTES, read, 0)).toBe(true);
    expect(read).toEqual(row);
  });

  it.each([
    ['transport', 0, 5],
    ['family', 2, 5],
    ['way back', 3, 16],
  ])('are refused with a row of an unknown %s', (_, at, value) => {
    const row = oneRow();
    row.family[0] = 4;
    const bytes = new Uint8Array(ROW_BYTES);
    writeRow(bytes, 0, row, 0);
    expect(readRow(bytes, 0, ROW_BYTES, oneRow(), 0)).toBe(true);
    expect(readRow(bytes, 0, ROW_BYTES - 1, oneRow(), 0)).toBe(false);
    bytes[at] = value;
    expect(readRow(bytes, 0, ROW_BYTES, oneRow(), 0)).toBe(false);
  });

  it('have the layout that other versions read', () => {
    expect([...framed(FRAME_REQUEST, 0x0102, Uint8Array.of(9))]).toEqual([1, 0, 0, 0, 4, 0, 2, 1, 9]);
    expect([...framed(FRAME_ANSWER, 0, new Uint8Array(0))]).toEqual([0, 0, 0, 0, 5, 0, 0, 0]);
  });
});
