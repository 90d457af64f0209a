// Caller preferences (RFC 3841 §7.2): which contacts a request may go to, and in which order.

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { orderByPreferences, readDispositions, readPreferences } from '../../../src/core/lookup/caller-preferences.ts';
import { parse } from '../../../src/sip/parser/parser.ts';
import { slab, slotStart } from '../../../src/sip/parser/slab.ts';
import { request } from '../../support/requests.ts';

function take(headers: readonly string[], method = 'INVITE'): void {
  const bytes = Buffer.from(request({ method, uri: 'sip:user@example.com', extra: headers }), 'latin1');
  const at = slotStart(0);
  slab.set(bytes, at);
  expect(parse(at, at + bytes.length)).toBe(0);
}

/** The order of contacts "q params" for a request with these headers. */
function order(contacts: readonly string[], headers: readonly string[], method?: string): number[] {
  take(headers, method);
  const candidates = contacts.map((contact) => ({
    q: Math.round(Number(/;q=([0-9.]+)/.exec(contact)?.[1] ?? 1) * 1000),
    params: contact,
  }));
  const preferences = readPreferences();
  if (preferences === null) throw new Error('too many preferences');
  return orderByPreferences(candidates, preferences);
}

describe('caller preferences', () => {
  it('R3840-6-04 come out as in the example of RFC 3841 §7.2.5', () => {
    const contacts = [
      ';audio;video;methods="INVITE,BYE";q=0.2',
      ';audio="FALSE";methods="INVITE";actor="msg-taker";q=0.2',
      ';audio;actor="msg-taker";methods="INVITE";video;q=0.3',
      ';audio;methods="INVITE,OPTIONS";q=0.2',
      ';q=0.5',
    ];
    const headers = [
      'Reject-Contact: *;actor="msg-taker";video',
      'Accept-Contact: *;audio;require',
      'Accept-Contact: *;video;explicit',
      'Accept-Contact: *;methods="BYE";class="business";q=1.0',
    ];
    expect(order(contacts, headers)).toEqual([4, 0, 3]);
    const compact = [
      'j: *;actor="msg-taker";video',
      'a: *;audio;require, *;video;explicit, *;methods="BYE";class="business"',
    ];
    expect(order(contacts, compact)).toEqual([4, 0, 3]);
  });

  it.each<[string, string, string, boolean]>([
    ['a token whatever its case', ';mobility="MOBILE"', '*;mobility="mobile";require', true],
    ['a string by its case', ';description="<PC>"', '*;description="<pc>";require', false],
    ['the same string', ';description="<a,b>"', '*;description="<a,b>";require', true],
    ['one of several', ';language="en,de"', '*;language="fr,de";require', true],
    ['none of several', ';language="en,de"', '*;language="fr,it";require', false],
    ['a negation', ';events="!presence"', '*;events="presence";require', false],
    ['a negation of another', ';events="!presence"', '*;events="dialog";require', true],
    ['TRUE for no value', ';audio="TRUE"', '*;audio;require', true],
    ['FALSE against TRUE', ';audio="FALSE"', '*;audio;require', false],
    ['a number in a range', ';+sip.rate="#=5"', '*;+sip.rate="#1:10";require', true],
    ['a number out of a range', ';+sip.rate="#=11.5"', '*;+sip.rate="#1:10";require', false],
    ['bounds', ';+sip.rate="#>=5"', '*;+sip.rate="#<=4";require', false],
    ['bounds that meet', ';+sip.rate="#>=-5"', '*;+sip.rate="#<=-5";require', true],
    ['all but a range', ';+sip.rate="!#1:10"', '*;+sip.rate="#2:9";require', false],
    ['a tag the contact leaves out', ';audio', '*;video;require', true],
    ['the same, where it must be said', ';audio', '*;video;require;explicit', false],
    ['a + tag', ';+sip.byte="x"', '*;+SIP.byte="X";require', true],
    ['nothing asked for', ';audio', '*;require;explicit', true],
    ['numbers that make no sense', ';+sip.rate="#=x"', '*;+sip.rate="#=5";require', false],
  ])('R3840-6-04 compare %s', (_what, contact, accept, stays) => {
    expect(order([contact], [`Accept-Contact: ${accept}`])).toEqual(stays ? [0] : []);
  });

  it('R3840-6-04 leave contacts without features alone, and respect the q of the callee first', () => {
    const contacts = [';q=0.4', ';audio;video;q=0.5', ';audio;q=0.5', ';reg-id=1;q=0.5'];
    expect(order(contacts, ['Accept-Contact: *;audio;video'])).toEqual([1, 3, 2, 0]);
    expect(order(contacts, ['Reject-Contact: *;audio'])).toEqual([3, 0]);
    expect(order(contacts, ['Accept-Contact: *;text;require;explicit'])).toEqual([3, 0]);
  });

  it('R3840-6-04 are taken from the method and the event where no header says any, unless nothing would be left', () => {
    const contacts = [';methods="INVITE,BYE"', ';methods="MESSAGE"', ';audio'];
    expect(order(contacts, [], 'MESSAGE')).toEqual([1, 2]);
    expect(order(contacts.slice(0, 1), [], 'MESSAGE')).toEqual([0]);
    const events = [';methods="SUBSCRIBE";events="presence"', ';methods="SUBSCRIBE";events="dialog"'];
    expect(order(events, ['Event: Dialog;id=7'], 'SUBSCRIBE')).toEqual([1]);
  });

  it('R3840-6-04 with a Request-Disposition', () => {
    take(['Request-Disposition: Proxy, no-fork', 'd: recurse']);
    expect([...readDispositions()]).toEqual(['proxy', 'no-fork', 'recurse']);
    take([]);
    expect([...readDispositions()]).toEqual([]);
  });

  it('R3840-6-04 never name a contact twice or one that is not there, whatever the headers say', () => {
    const piece = fc.constantFrom(
      ';',
      '"',
      ',',
      '*',
      '=',
      '<',
      '>',
      '!',
      '#',
      'audio',
      'require',
      '\\',
      ' ',
      '1:2',
      '+x',
    );
    const value = fc.array(piece, { maxLength: 12 }).map((parts) => parts.join(''));
    fc.assert(
      fc.property(fc.array(value, { maxLength: 4 }), value, value, (contacts, accept, reject) => {
        const result = order(contacts, [`Accept-Contact: ${accept}`, `Reject-Contact: ${reject}`]);
        expect(new Set(result).size).toBe(result.length);
        expect(result.every((index) => index >= 0 && index < contacts.length)).toBe(true);
      }),
      { numRuns: 300 },
    );
  });
});
