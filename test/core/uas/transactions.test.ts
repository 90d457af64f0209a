// Server transactions as clients see them (RFC 3261 §17.2, §9.2, §8.2.2.2, §8.2.7; RFC 6026): what is absorbed and
// replayed, what is new, what is merged, what is dropped.

import { describe, expect, it } from 'vitest';
import { DEFAULT_POLICY } from '../../../src/core/uas/policy.ts';
import { SLOT_COUNT } from '../../../src/sip/parser/slab.ts';
import { FlakyStore } from '../../support/flaky-store.ts';
import { answered, bindings, overwriteAnswers, request, uris } from '../../support/requests.ts';
import { register, VirtualShard } from '../../support/virtual-shard.ts';

const CONTACT = '<sip:alice@192.0.2.9>';

describe('retransmissions', () => {
  it('R3261-17.2.2-01 are dropped while the request waits for its commit', () => {
    const shard = new VirtualShard();
    const text = register({ contacts: [CONTACT] });
    expect(shard.batch([text, text, text]).map(({ status }) => status)).toEqual([200]);
    expect(shard.counter('dropped_in_progress')).toBe(2);
    expect(shard.counter('registered')).toBe(1);
  });

  it('R3261-17.2.2-02 get the same bytes for 32 s; after that the CSeq rule refuses them', () => {
    const shard = new VirtualShard();
    const text = register({ contacts: [CONTACT] });
    const first = answered(shard, text);
    shard.now += 500;
    expect(answered(shard, text).text).toBe(first.text);
    shard.now += 30_500;
    expect(answered(shard, text).text).toBe(first.text);
    shard.now += 2000;
    expect(answered(shard, text).status).toBe(500);
    expect(shard.counter('absorbed')).toBe(2);
    expect(bindings(shard)).toEqual([{ uri: 'sip:alice@192.0.2.9', expires: 3567 }]);
  });

  it('R3261-17.2.2-02 keep a refusal as well, 32 s from the request and no longer', () => {
    const shard = new VirtualShard();
    const text = register({ contacts: [`${CONTACT};expires=5`] });
    const first = answered(shard, text);
    expect(first.status).toBe(423);
    shard.now += 31_999;
    expect(answered(shard, text).text).toBe(first.text);
    expect(shard.counter('absorbed')).toBe(1);
    shard.now += 1;
    expect(answered(shard, text).status).toBe(423);
    expect(shard.counter('absorbed')).toBe(1);
  });

  it('R3261-17.2.2-02 are told from new requests 32 s later although the clock was set back', () => {
    const shard = new VirtualShard();
    const text = register({ contacts: [CONTACT] });
    const first = answered(shard, text);
    shard.now -= 3_600_000;
    expect(answered(shard, text).text).toBe(first.text);
    shard.now += 31_999;
    expect(answered(shard, text).text).toBe(first.text);
    shard.now += 1;
    expect(answered(shard, text).text).not.toBe(first.text);
    expect(shard.counter('absorbed')).toBe(2);
  });

  it('R3261-17.2.2-03 nothing is sent but one answer to each copy that came', () => {
    const shard = new VirtualShard();
    expect(shard.batch([register({ contacts: [CONTACT] })])).toHaveLength(1);
    for (let s = 0; s < 40; s++) {
      shard.now += 1000;
      expect(shard.batch([])).toEqual([]);
    }
  });

  it('R3261-17.2.2-02 each get their own answer, however many there are and have been before', () => {
    const shard = new VirtualShard({ policy: { answerBytesMax: DEFAULT_POLICY.answerBytesMax } });
    for (const forgotten of [3000, 6000]) {
      shard.now += 33_000;
      draw(shard, forgotten);
      shard.now += 33_000;
      const kept = draw(shard, 5000);
      const absorbed = shard.counter('absorbed');
      for (const [text, answer] of kept) expect(shard.draw(text)[0]?.equals(answer)).toBe(true);
      expect(shard.counter('absorbed') - absorbed).toBe(kept.size);
    }
  });

  it('R3261-8.2.7-01 are absorbed: the CSeq rule does not run again and the timer does not start again', () => {
    const shard = new VirtualShard();
    const text = register({ contacts: [CONTACT] });
    answered(shard, text);
    shard.advance(10);
    expect(answered(shard, text).status).toBe(200);
    expect(bindings(shard)[0].expires).toBe(3590);
    expect(shard.counter('registered')).toBe(1);
  });

  it('R3261-8.2.7-01 an answer that newer ones have overwritten is made again without effects', () => {
    const shard = new VirtualShard({ policy: { answerBytesMax: 1 } });
    const text = register({ contacts: [CONTACT] });
    const first = answered(shard, text);
    overwriteAnswers(shard);
    expect(answered(shard, text).text).toBe(first.text);
    expect([shard.counter('absorbed'), shard.counter('registered'), shard.counter('refreshed')]).toEqual([0, 1, 0]);
  });

  it('R3261-17.2.2-02 an answer of a batch is whole, however long the others of the batch are', () => {
    const shard = new VirtualShard({ policy: { answerBytesMax: DEFAULT_POLICY.answerBytesMax } });
    const text = register({ contacts: [CONTACT] });
    const first = answered(shard, text);
    let n = 0;
    const longest = () =>
      request({ method: 'OPTIONS', via: `SIP/2.0/UDP 192.0.2.9:5060;branch=z9hG4bK${n++};x=${'y'.repeat(64_500)}` });
    // As many bytes as are kept, but for the last answer: the copy of the request is the oldest that is replayed.
    const kept = DEFAULT_POLICY.answerBytesMax / 2;
    for (let bytes = 0; bytes < kept - 2 * 65_536; ) bytes += shard.draw(longest())[0]?.length ?? Number.NaN;
    expect(shard.counter('absorbed')).toBe(0);
    const answers = shard.batch([text, ...Array.from({ length: SLOT_COUNT - 1 }, longest)]);
    expect(answers[0].text).toBe(first.text);
    expect([answers.length, shard.counter('absorbed')]).toEqual([SLOT_COUNT, 1]);
  });

  it('R3261-17.2.2-02 R3261-10.3-33 a refusal stays a refusal when it has been overwritten', () => {
    let fails = false;
    const store = new FlakyStore(() => fails);
    const shard = new VirtualShard({
      store,
      policy: { answerBytesMax: 1, contactsPerAorMax: 1, contactsOverflow: 'reject' },
    });
    shard.send(register({ cseq: 5, contacts: [CONTACT] }));
    const late = register({ cseq: 4, contacts: [CONTACT] });
    const tooMany = register({ cseq: 6, contacts: ['<sip:b@192.0.2.2>'] });
    const undone = register({ cseq: 7, contacts: [CONTACT] });
    expect([late, tooMany].map((text) => answered(shard, text).status)).toEqual([500, 403]);
    fails = true;
    expect(answered(shard, undone).status).toBe(503);
    fails = false;
    overwriteAnswers(shard);
    expect([late, tooMany, undone].map((text) => answered(shard, text).status)).toEqual([500, 403, 503]);
    overwriteAnswers(shard); // and what was made again is remembered as what it was
    expect([late, tooMany, undone].map((text) => answered(shard, text).status)).toEqual([500, 403, 503]);
    expect(shard.counter('absorbed')).toBe(0);
  });
});

describe('matching', () => {
  it('R3261-17.2.3-01 takes the same branch from another sent-by as another transaction', () => {
    const shard = new VirtualShard();
    const via = (sentBy: string): string => `SIP/2.0/UDP ${sentBy};branch=z9hG4bKsame`;
    const options = (sentBy: string): string =>
      request({ method: 'OPTIONS', via: via(sentBy), callId: `of-${sentBy}`, from: '<sip:a@b>;tag=1' });
    expect(answered(shard, options('192.0.2.9:5060')).status).toBe(200);
    expect(answered(shard, options('192.0.2.9:5062')).status).toBe(200);
    expect(answered(shard, options('192.0.2.10:5060')).status).toBe(200);
    expect(shard.counter('absorbed')).toBe(0);
  });

  it('R3261-17.2.3-01 takes the same branch with another method as another transaction', () => {
    const shard = new VirtualShard();
    const shared = { branch: 'z9hG4bKm', callId: 'm', from: '<sip:a@b>;tag=1' };
    expect(answered(shard, request({ method: 'OPTIONS', ...shared })).status).toBe(200);
    expect(answered(shard, request({ method: 'BYE', ...shared })).status).toBe(405);
  });

  it('R3261-17.2.3-01 serves a new request of a phone that never changes its branch', () => {
    const shard = new VirtualShard();
    for (const cseq of [1, 2, 3])
      expect(answered(shard, register({ cseq, branch: 'z9hG4bKconstant', contacts: [CONTACT] })).status).toBe(200);
    expect(shard.counter('refreshed')).toBe(2);
  });

  it.each([
    'SIP/2.0/UDP 192.0.2.9:5060',
    'SIP/2.0/UDP 192.0.2.9:5060;branch=1',
    'SIP/2.0/UDP 192.0.2.9;branch=z9hG4bK',
  ])('R3261-17.2.3-02 absorbs a retransmission without a branch that tells: %s', (via) => {
    const shard = new VirtualShard();
    const text = register({ via, contacts: [CONTACT] });
    const first = answered(shard, text);
    expect(first.status).toBe(200);
    shard.now += 500;
    expect(answered(shard, text).text).toBe(first.text);
    expect(shard.counter('absorbed')).toBe(1);
    expect(answered(shard, register({ via, cseq: 2, contacts: [CONTACT] })).status).toBe(200);
    expect(shard.counter('refreshed')).toBe(1);
  });
});

describe('a branch of the magic cookie alone', () => {
  it('R3261-17.2.3-02 tells nothing: another Request-URI is another way, not a retransmission', () => {
    const shard = new VirtualShard();
    const by = (uri: string): string =>
      request({
        method: 'REGISTER',
        uri,
        to: '<sip:a@example.com>',
        via: 'SIP/2.0/UDP h;branch=z9hG4bK',
        callId: 'same',
        from: '<sip:a@b>;tag=1',
      });
    expect(answered(shard, by('sip:example.com')).status).toBe(200);
    expect(answered(shard, by('sip:example.com;x=1')).status).toBe(482);
    expect(answered(shard, by('sip:example.com')).status).toBe(200);
    expect(shard.counter('absorbed')).toBe(1);
  });
});

describe('merged requests', () => {
  it('R3261-8.2.2.2-01 R3261-8.2.2.2-02 the second way draws 482, while the first waits and for 32 s after', () => {
    const shard = new VirtualShard();
    const [first, second] = ['z9hG4bKone', 'z9hG4bKtwo'].map((branch) => register({ branch, contacts: [CONTACT] }));
    expect(shard.batch([first, second]).map(({ status }) => status)).toEqual([200, 482]);
    shard.now += 31_000;
    expect(answered(shard, second).status).toBe(482);
    expect(answered(shard, first).status).toBe(200);
    expect(uris(shard)).toEqual(['sip:alice@192.0.2.9']);
    expect(shard.counter('merged')).toBe(2);
    expect(shard.counter('registered')).toBe(1);
  });

  it('R3261-8.2.2.2-01 takes the same branch by another sent-by as another way', () => {
    const shard = new VirtualShard();
    const by = (host: string): string =>
      register({ via: `SIP/2.0/UDP ${host};branch=z9hG4bKx;rport`, contacts: [CONTACT] });
    expect(answered(shard, by('192.0.2.9')).status).toBe(200);
    expect(answered(shard, by('192.0.2.10')).status).toBe(482);
    expect(answered(shard, by('192.0.2.9:5060')).status).toBe(482);
    expect(answered(shard, by('192.0.2.9')).status).toBe(200);
  });

  it('R3261-8.2.2.2-01 looks only at requests without a To tag', () => {
    const shard = new VirtualShard();
    const to = '<sip:alice@example.com>;tag=there';
    expect(answered(shard, register({ to, branch: 'z9hG4bKone', contacts: [CONTACT] })).status).toBe(200);
    expect(answered(shard, register({ to, branch: 'z9hG4bKtwo', contacts: [CONTACT] })).status).toBe(500); // CSeq
  });
});

describe('CANCEL', () => {
  it('R3261-9.2-01 draws 481 where it matches nothing', () => {
    expect(answered(new VirtualShard(), request({ method: 'CANCEL' })).status).toBe(481);
  });

  it('R3261-9.2-02 draws 200 for a request that waits for its commit, which goes on', () => {
    const shard = new VirtualShard();
    const text = register({ branch: 'z9hG4bKc', contacts: [CONTACT] });
    const [first, second] = shard.batch([text, cancelOf(text)]);
    expect([first.status, second.status]).toEqual([200, 200]);
    expect(second.header('CSeq')).toEqual(['1 CANCEL']);
    expect(second.header('To')).toEqual(first.header('To')); // §9.2: the tags SHOULD be the same
    expect(uris(shard)).toEqual(['sip:alice@192.0.2.9']);
  });

  it('R3261-9.2-02 draws 200 for a request that has been answered, and changes nothing', () => {
    const shard = new VirtualShard();
    const text = register({ branch: 'z9hG4bKc', contacts: [CONTACT] });
    const answer = answered(shard, text);
    expect(answered(shard, cancelOf(text)).status).toBe(200);
    expect(answered(shard, text).text).toBe(answer.text);
    expect(uris(shard)).toEqual(['sip:alice@192.0.2.9']);
  });

  it('R3261-9.2-01 draws 481 with another branch, and after Timer J', () => {
    const shard = new VirtualShard();
    const text = register({ branch: 'z9hG4bKc', contacts: [CONTACT] });
    answered(shard, text);
    expect(answered(shard, cancelOf(text).replace('z9hG4bKc', 'z9hG4bKd')).status).toBe(481);
    shard.now += 33_000;
    expect(answered(shard, cancelOf(text)).status).toBe(481);
  });

  it('R3261-9.2-03 is never challenged, nor is ACK', () => {
    const shard = new VirtualShard();
    expect(answered(shard, request({ method: 'CANCEL' })).header('WWW-Authenticate')).toEqual([]);
    expect(shard.send(request({ method: 'ACK' }))).toBeUndefined();
  });
});

/** The CANCEL of a REGISTER: same Request-URI, top Via, From, To, Call-ID and CSeq number (§9.1). */
function cancelOf(text: string): string {
  return text
    .replace(/^REGISTER/, 'CANCEL')
    .replace(/(CSeq: \d+) REGISTER/, '$1 CANCEL')
    .replace(/^Contact:.*\r\n/m, '');
}

describe('what draws no answer', () => {
  it('R6026-8.10-01 a stray ACK', () => {
    const shard = new VirtualShard();
    expect(shard.send(request({ method: 'ACK', uri: 'sip:alice@example.com' }))).toBeUndefined();
    expect(shard.counter('dropped_ack')).toBe(1);
  });

  it('R6026-8.9-01 responses, whatever they say', () => {
    const shard = new VirtualShard();
    const response = (start: string): string =>
      register()
        .replace(/^.*\r\n/, `${start}\r\n`)
        .replace('CSeq: 1 REGISTER', 'CSeq: 1 INVITE');
    for (const start of ['SIP/2.0 200 OK', 'SIP/2.0 4294967301 better not break the receiver', 'SIP/2.0 100 Trying'])
      expect(shard.send(response(start))).toBeUndefined();
    expect(shard.counter('dropped_response')).toBe(3);
    expect(shard.counter('transactions')).toBe(0);
  });

  it('keep-alives and what is not SIP', () => {
    const shard = new VirtualShard();
    for (const text of ['', '\r\n', '\r\n\r\n', '\0\0\0\0', '\x00\x01\x00\x00stun', 'hello', 'GET / HTTP/1.1\r\n\r\n'])
      expect(shard.send(text)).toBeUndefined();
    expect(shard.counter('dropped_keep_alive')).toBe(5);
    expect(shard.counter('dropped_not_sip')).toBe(2);
  });
});

it('a STUN Binding request draws an answer, and counts as answered', () => {
  const shard = new VirtualShard();
  expect(shard.draw(Buffer.from(`000100002112a442${'78'.repeat(12)}`, 'hex'))).toHaveLength(1);
  expect([shard.counter('stun'), shard.counter('dropped_keep_alive')]).toEqual([1, 0]);
});

/** Requests that nobody has sent before, and what each draws. */
function draw(shard: VirtualShard, count: number): Map<string, Buffer> {
  const answers = new Map<string, Buffer>();
  for (let n = 0; n < count; n++) {
    const text = register({ callId: `drawn-${shard.now}-${n}` });
    answers.set(text, Buffer.from(shard.draw(text)[0]));
  }
  return answers;
}
