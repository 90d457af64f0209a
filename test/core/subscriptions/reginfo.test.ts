// Registration information as a document: form, escapes, and which attributes go with which event (RFC 3680 §5, RFC 5628).

import { describe, expect, it } from 'vitest';
import { aorUri } from '../../../src/core/subscriptions/contact-elements.ts';
import { type ContactElement, type ContactEvent, writeReginfo } from '../../../src/core/subscriptions/reginfo.ts';
import { readReginfo } from '../../support/watcher.ts';

const NOW = Date.UTC(2026, 0, 1);

function written(contact: Partial<ContactElement>, state: 'full' | 'partial' = 'full') {
  const contacts = [{ id: 'i1', event: 'registered' as const, uri: 'sip:a@192.0.2.9', params: [], ...contact }];
  const document = {
    version: 7,
    state,
    aor: 'sip:alice@example.com',
    id: 'i2',
    registration: 'active' as const,
    contacts,
  };
  return readReginfo(writeReginfo(document, NOW));
}

describe('a document', () => {
  it('R3680-5.1-01 R3680-5.1-03 R3680-5.1-04 names namespace, version, state, and one registration with its contacts', () => {
    expect(written({}, 'partial')).toEqual({
      ...{ version: 7, state: 'partial', aor: 'sip:alice@example.com', id: 'i2', registration: 'active' },
      contacts: [
        {
          ...{ id: 'i1', state: 'active', event: 'registered', uri: 'sip:a@192.0.2.9', params: {} },
          attributes: { id: 'i1', state: 'active', event: 'registered' },
        },
      ],
    });
  });

  it('R3680-5.1-01 is well formed whatever a phone has chosen', () => {
    const odd = `<&>"'\u0000\u001b]]>\ud800 é\u{1f600}`;
    const [contact] = written({
      ...{ uri: `sip:${odd}@h`, displayName: odd, callId: odd, publicGruu: `sip:${odd}` },
      params: [['+x', odd]],
    }).contacts;
    const kept = `<&>"']]> é\u{1f600}`;
    expect(contact.uri).toBe(`sip:${kept}@h`);
    expect(contact.displayName).toBe(kept);
    expect(contact.attributes.callid).toBe(kept);
    expect(contact.params).toEqual({ '+x': kept });
    expect(contact.gruu).toBe(`sip:${kept}`);
  });

  it.each<[ContactEvent, string]>([
    ['registered', 'active'],
    ['created', 'active'],
    ['refreshed', 'active'],
    ['shortened', 'active'],
    ['expired', 'terminated'],
    ['deactivated', 'terminated'],
    ['probation', 'terminated'],
    ['unregistered', 'terminated'],
    ['rejected', 'terminated'],
  ])('R3680-5.1-05 R3680-4.7.1-03 %s is of a contact that is %s', (event, state) => {
    const [{ attributes }] = written({
      event,
      expiresAt: NOW + 60_900,
      registeredAt: NOW - 5000,
      retryAfterS: 9,
    }).contacts;
    expect(attributes.state).toBe(state);
    expect(attributes.expires).toBe(state === 'active' ? '60' : '0');
    expect(attributes['retry-after']).toBe(event === 'probation' ? '9' : undefined);
    expect(attributes['duration-registered']).toBe('5');
  });
});

describe('an AOR as a URI', () => {
  it.each([
    ['alice@example.com', 'sip:alice@example.com'],
    ['+1 2%:@example.com', 'sip:+1%202%25%3A@example.com'],
    ['{é}@example.com', 'sip:%7B%C3%A9%7D@example.com'],
  ])('%s is %s', (aor, uri) => {
    expect(aorUri(Buffer.from(aor))).toBe(uri);
  });
});
