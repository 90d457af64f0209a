// What JetStream answers, as servers 2.10 to 2.15 say it.

import { describe, expect, it } from 'vitest';
import {
  boundsOutcome,
  consumerFailure,
  deliveredAt,
  publishOutcome,
  readOutcome,
} from '../../../src/transport/nats/jet-stream.ts';

describe('an answer to a publish', () => {
  it('is stored, refused, or not known', () => {
    expect(publishOutcome('{"stream":"S","seq":12}', 0)).toEqual({ kind: 'stored', sequence: 12 });
    expect(publishOutcome('{"stream":"S","seq":12,"duplicate":true}', 0)).toEqual({ kind: 'stored', sequence: 12 });
    const wrong =
      '{"error":{"code":400,"err_code":10071,"description":"wrong last sequence: 102"},"stream":"S","seq":0}';
    expect(publishOutcome(wrong, 0)).toEqual({ kind: 'refused', last: 102 });
    expect(publishOutcome('{"error":{"code":400,"err_code":10164,"description":"wrong last sequence"}}', 0)).toEqual({
      kind: 'refused',
      last: -1,
    });
  });

  it.each([
    ['{"error":{"code":503,"err_code":10077,"description":"maximum bytes exceeded"}}', 0],
    ['{"stream":"S","seq":0}', 0],
    ['not json', 0],
    ['', 503],
  ])('is no yes and no refusal: %s', (json, status) => {
    expect(publishOutcome(json, status).kind).toBe('unknown');
  });
});

it('a message asked for is found, missing, or not known', () => {
  const data = Buffer.from('frame').toString('base64');
  expect(readOutcome(`{"message":{"subject":"s","seq":7,"data":"${data}"}}`)).toEqual({
    sequence: 7,
    bytes: Buffer.from('frame'),
  });
  expect(readOutcome('{"error":{"code":404,"err_code":10037,"description":"no message found"}}')).toBe('missing');
  expect(readOutcome('{"error":{"code":503,"err_code":10008,"description":"jetstream unavailable"}}')).toEqual({
    reason: 'jetstream unavailable',
  });
});

it('bounds of an empty stream begin behind its last', () => {
  expect(boundsOutcome('{"state":{"first_seq":0,"last_seq":0}}')).toEqual({ first: 1, last: 0 });
  expect(boundsOutcome('{"state":{"first_seq":8,"last_seq":7}}')).toEqual({ first: 8, last: 7 });
  expect(boundsOutcome('{}')).toHaveProperty('reason');
});

it('a delivered message tells its places, in both forms of its reply', () => {
  expect(deliveredAt('$JS.ACK.AORTA_e_1.cons.1.42.7.1700000000000000000.0')).toEqual({ stream: 42, consumer: 7 });
  expect(deliveredAt('$JS.ACK._.hash.AORTA_e_1.cons.1.42.7.1700000000000000000.0.rnd')).toEqual({
    stream: 42,
    consumer: 7,
  });
  expect(deliveredAt('_INBOX.x')).toBeUndefined();
});

it('a consumer is made, or why not', () => {
  expect(consumerFailure('{"config":{"name":"x"}}')).toBeUndefined();
  expect(consumerFailure('{"error":{"code":404,"err_code":10059,"description":"stream not found"}}')).toBe(
    'stream not found',
  );
});
