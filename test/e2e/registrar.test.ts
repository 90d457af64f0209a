// RFC 3261 §10 and §19.1.4 over a real socket: what a phone may ask of a registrar and what it gets.

import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Aorta, removeDirectories } from '../support/aorta-process.ts';
import { killAll, pause, poll } from '../support/child-process.ts';
import {
  type Answer,
  bindings,
  contacts,
  header,
  newToken,
  type RegisterFields,
  SipClient,
} from '../support/sip-client.ts';

const PHONE = '<sip:a@127.0.0.1:1>';

let aorta: Aorta;
let client: SipClient;
let users = 0;

beforeAll(async () => {
  aorta = await Aorta.start({ flags: ['--min-expires', '60', '--max-expires', '7200', '--default-expires', '1800'] });
  client = await SipClient.open(aorta);
});

afterAll(async () => {
  client?.close();
  await killAll();
  removeDirectories();
});

/** An AOR that no other test uses. */
const newAor = (): string => `user${++users}@example.com`;
const register = (fields: RegisterFields): Promise<Answer> => client.request(client.register(fields));

async function granted(fields: RegisterFields): Promise<number | undefined> {
  const answer = await register({ aor: newAor(), ...fields });
  expect(answer.status, answer.text).toBe(200);
  return [...bindings(answer).values()][0];
}

describe('intervals', () => {
  it.each([
    ['R3261-10.3-20 the parameter goes before the header', { contacts: [`${PHONE};expires=500`], expires: 100 }, 500],
    ['R3261-10.3-21 else the header', { contacts: [PHONE], expires: 100 }, 100],
    ['R3261-10.3-22 else the default', { contacts: [PHONE] }, 1800],
    ['R3261-10.3-23 no more than the maximum', { contacts: [PHONE], expires: 100_000 }, 7200],
    ['R3261-10.2-05 beyond 32 bits it is the maximum', { contacts: [`${PHONE};expires=99999999999`] }, 7200],
    ['R3261-20.19-01 leading zeros', { contacts: [PHONE], expires: '000000000000600' }, 600],
    ['R3261-7.3.1-07 the name in any case', { contacts: [`${PHONE};EXPIRES=600`] }, 600],
  ])('%s', async (_, fields, seconds) => {
    expect(await granted(fields)).toBe(seconds);
  });

  it('R3261-10.2-04 a malformed parameter counts as 3600', async () => {
    expect(await granted({ contacts: [`${PHONE};expires=abc`] })).toBe(3600);
  });

  it('R3261-20.19-01 a malformed Expires header is the default or 400, never 0', async () => {
    const answer = await register({ aor: newAor(), contacts: [PHONE], expires: 'soon' });
    if (answer.status === 200) expect([...bindings(answer).values()][0]).toBeGreaterThanOrEqual(60);
    else expect(answer.status).toBe(400);
  });

  it('R3261-10.3-35 every Contact shows what is left of its own interval', async () => {
    const aor = newAor();
    const began = Date.now();
    await register({ aor, contacts: ['<sip:first@127.0.0.1:1>'], expires: 100 });
    await pause(1100); // the clock itself is under test
    const answer = await register({ aor, contacts: ['<sip:second@127.0.0.1:1>'], expires: 200 });
    const left = bindings(answer);
    expect(left.get('sip:first@127.0.0.1:1')).toBeLessThan(100);
    expect(left.get('sip:first@127.0.0.1:1')).toBeGreaterThanOrEqual(Math.floor(100 - (Date.now() - began) / 1000));
    expect(left.get('sip:second@127.0.0.1:1')).toBe(200);
  });

  it('R3261-10.3-36 the 200 carries the date', async () => {
    const asked = Date.now();
    const date = header((await register({ aor: newAor() })).text, 'Date') ?? '';
    expect(date).toMatch(/^(Mon|Tue|Wed|Thu|Fri|Sat|Sun), \d\d [A-Z][a-z]{2} \d{4} \d\d:\d\d:\d\d GMT$/);
    expect(Date.parse(date)).toBeGreaterThan(asked - 2500);
    expect(Date.parse(date)).toBeLessThan(Date.now() + 2500);
  });
});

describe('expiry', () => {
  it('R3261-10.3-39 a binding that is not refreshed goes by itself, one that is refreshed stays', async () => {
    const brief = await Aorta.start({ flags: ['--min-expires', '1'] });
    const phone = await SipClient.open(brief);
    const refresh = { aor: 'brief@example.com', callId: newToken(), contacts: ['<sip:stays@h>;expires=2'] };
    await phone.request(phone.register({ ...refresh, cseq: 1 }));
    const sentAt = Date.now();
    await phone.request(phone.register({ aor: 'brief@example.com', contacts: ['<sip:goes@h>;expires=2'] }));
    let cseq = 1;
    await poll('the end of the binding', 4000, async () => {
      const asked = Date.now();
      const answer = await phone.request(phone.register({ ...refresh, cseq: ++cseq }));
      expect(bindings(answer).get('sip:stays@h')).toBe(2);
      if (asked - sentAt > 3000) expect([...bindings(answer).keys()]).toEqual(['sip:stays@h']);
      return !bindings(answer).has('sip:goes@h');
    });
    expect(Date.now() - sentAt).toBeGreaterThan(1000);
    await poll('the end of the other', 4000, async () => (await phone.fetch('brief@example.com')).size === 0);
    phone.close();
    await brief.stop();
  });
});

describe('contacts', () => {
  it('R3261-10.3-34 no Contact header at all where there is no binding', async () => {
    const answer = await register({ aor: newAor() });
    expect(answer.status).toBe(200);
    expect(contacts(answer)).toEqual([]);
    expect(answer.text).not.toMatch(/^(contact|m)\s*:/im);
  });

  it('R3261-10.3-37 q is kept', async () => {
    const answer = await register({ aor: newAor(), contacts: [`${PHONE};q=0.7`] });
    expect(contacts(answer)[0]).toMatch(/;q=0\.7(;|$)/);
  });

  it('R3261-10.3-40 one request adds, refreshes and removes; the same contact twice is one binding', async () => {
    const aor = newAor();
    await register({ aor, contacts: ['<sip:gone@h>', '<sip:stays@h>;expires=100'] });
    const mixed = [
      '<sip:gone@h>;expires=0',
      '<sip:stays@h>;expires=900',
      '<sip:new@h>;expires=60',
      '<sip:new@h>;expires=70',
    ];
    const answer = await register({ aor, contacts: mixed });
    expect(bindings(answer)).toEqual(
      new Map([
        ['sip:stays@h', 900],
        ['sip:new@h', 70],
      ]),
    );
    expect(contacts(answer)).toHaveLength(2);
  });

  it('R3261-10.2.1-01 any scheme may be a contact', async () => {
    const answer = await register({ aor: newAor(), contacts: ['<mailto:a@b.example>', '<tel:+12125551212>'] });
    expect(answer.status).toBe(200);
    expect([...bindings(answer).keys()].sort()).toEqual(['mailto:a@b.example', 'tel:+12125551212']);
  });

  it('R3261-10.3-28 another Call-ID updates and removes whatever its CSeq', async () => {
    const aor = newAor();
    await register({ aor, cseq: 900, contacts: [PHONE], expires: 100 });
    expect([...bindings(await register({ aor, cseq: 1, contacts: [PHONE], expires: 200 })).values()]).toEqual([200]);
    expect(bindings(await register({ aor, cseq: 1, contacts: [PHONE], expires: 0 })).size).toBe(0);
  });

  it('R3261-10.3-31 R3261-20.8-01 each touch stores Call-ID and CSeq; Call-IDs compare byte by byte', async () => {
    const aor = newAor();
    const fields = { aor, contacts: [PHONE] };
    expect((await register({ ...fields, callId: 'ABC', cseq: 9 })).status).toBe(200);
    expect((await register({ ...fields, callId: 'abc', cseq: 2 })).status).toBe(200);
    expect((await register({ ...fields, callId: 'abc', cseq: 1 })).status).toBe(500);
    expect((await register({ ...fields, callId: 'ABC', cseq: 1 })).status).toBe(200);
  });

  it('R3261-20.16-01 CSeq is an unsigned number of 32 bits', async () => {
    const fields = { aor: newAor(), contacts: [PHONE], callId: newToken() };
    expect((await register({ ...fields, cseq: '2147483648' })).status).toBe(200);
    expect((await register({ ...fields, cseq: '4294967295' })).status).toBe(200);
    expect((await register({ ...fields, cseq: '2147483649' })).status).toBe(500);
  });

  it('R3261-10.3-18 the wildcard removes other Call-IDs’ bindings, and its own where the CSeq is higher', async () => {
    const aor = newAor();
    const callId = newToken();
    await register({ aor, callId, cseq: 5, contacts: ['<sip:x@h>'] });
    await register({ aor, cseq: 9, contacts: ['<sip:y@h>'] });
    expect((await register({ aor, callId, cseq: 5, contacts: ['*'], expires: 0 })).status, 'R3261-10.3-19').toBe(500);
    expect((await client.fetch(aor)).size).toBe(2);
    const answer = await register({ aor, callId, cseq: 6, contacts: ['*'], expires: 0 });
    expect(answer.status).toBe(200);
    expect(contacts(answer)).toEqual([]);
  });

  it('R3261-10.3-25 one brief interval among two: neither is stored', async () => {
    const aor = newAor();
    const answer = await register({ aor, contacts: ['<sip:a@h>;expires=3600', '<sip:b@h>;expires=30'] });
    expect(answer.status).toBe(423);
    expect((await client.fetch(aor)).size).toBe(0);
  });

  it('R3261-8.2.4-01 Supported alone brings no extension into the answer', async () => {
    const answer = await register({
      aor: newAor(),
      contacts: [PHONE],
      headers: ['Supported: replaces, timer, 100rel'],
    });
    expect(answer.status).toBe(200);
    expect(header(answer.text, 'Require')).toBeUndefined();
  });

  it('R3261-8.2.6.1-01 R3261-10.3-03 R3261-7.4-01 one final answer, without Record-Route or chunks', async () => {
    client.inbox.length = 0;
    const answer = await register({ aor: newAor(), contacts: [PHONE], headers: ['Record-Route: <sip:p.example;lr>'] });
    expect(answer.status).toBe(200);
    expect(answer.text).not.toMatch(/^(record-route|transfer-encoding)\s*:/im);
    expect(client.inbox).toEqual([]);
  });
});

describe('the address of record', () => {
  it.each([
    ['R3261-10.3-14 parameters of the To URI', '<sip:nREST@example.com;user=phone;x=1>'],
    ['R3261-10.3-15 an escaped letter', '<sip:%6EREST@example.com>'],
    ['R3261-10.3-16 the host in capitals', '<sip:nREST@EXAMPLE.com>'],
    ['R3261-10.3-16 R5630-5.2-01 a sips URI', '<sips:nREST@example.com>'],
    ['R3261-20-02 a display name without space', '"x"<sip:nREST@example.com>'],
    ['R3261-20-03 an unknown header parameter', '<sip:nREST@example.com>;foo=bar'],
  ])('%s names the same AOR', async (_, to) => {
    const rest = `ame${++users}`;
    await register({ aor: `n${rest}@example.com`, contacts: [PHONE] });
    const answer = await register({ to: to.replace('REST', rest) });
    expect(answer.status, answer.text).toBe(200);
    expect([...bindings(answer).keys()]).toEqual(['sip:a@127.0.0.1:1']);
  });

  it('R3261-10.3-16 users differ by case', async () => {
    await register({ aor: 'Case@example.com', contacts: [PHONE] });
    expect((await client.fetch('case@example.com')).size).toBe(0);
  });

  it('R3261-10.3-15 escapes are undone once and no more', async () => {
    await register({ to: '<sip:a%2541@example.com>', contacts: [PHONE] });
    expect(contacts(await register({ to: '<sip:aA@example.com>' }))).toEqual([]);
    expect(contacts(await register({ to: '<sip:a%2541@example.com>' }))).toHaveLength(1);
  });

  it('R3261-10.2-03 a user part in the Request-URI: always the same outcome', async () => {
    const codes = new Set<number>();
    for (let n = 0; n < 3; n++) {
      codes.add((await register({ aor: newAor(), requestUri: 'sip:someone@example.com', contacts: [PHONE] })).status);
    }
    expect([[200], [400], [404]]).toContainEqual([...codes]);
  });
});

describe('order', () => {
  it('R3261-10.3-04 requests for one AOR are carried out as they arrive', async () => {
    const aor = newAor();
    const callId = newToken();
    const texts = Array.from({ length: 30 }, (_, n) =>
      client.register({ aor, callId, cseq: n + 1, contacts: [PHONE], expires: 600 + n }),
    );
    const answers = texts.map((text) => client.answerTo(text));
    for (const text of texts) client.send(text);
    expect((await Promise.all(answers)).map((answer) => [...bindings(answer).values()][0])).toEqual(
      texts.map((_, n) => 600 + n),
    );
  });

  it('R3261-10.3-06 R3261-10.3-32 no answer shows half of another request', async () => {
    const aor = newAor();
    const other = await SipClient.open(aorta);
    const pair = (n: number): string[] => [`<sip:left@h>;expires=${600 + n}`, `<sip:right@h>;expires=${600 + n}`];
    const asked = Array.from({ length: 40 }, (_, n) => {
      const who = n % 2 === 0 ? client : other;
      return who.request(who.register({ aor, contacts: n % 5 === 4 ? [] : pair(n) }));
    });
    for (const answer of await Promise.all(asked)) {
      expect(answer.status).toBe(200);
      const left = bindings(answer);
      expect(left.get('sip:left@h')).toBe(left.get('sip:right@h'));
    }
    other.close();
  });

  it('R3261-10.2-01 a REGISTER makes no dialog', async () => {
    const answer = await register({ aor: newAor(), contacts: [PHONE] });
    const to = header(answer.text, 'To') ?? '';
    const bye = await client.request(client.other('BYE', 'sip:example.com', [], { to }));
    expect([405, 481]).toContain(bye.status);
  });
});

describe('R3261-10.3-26 which contacts are one binding (RFC 3261 §19.1.4)', () => {
  it.each([
    ['R3261-19.1.4-01', 'sip:a@h', 'sips:a@h', false],
    ['R3261-19.1.4-02', 'sip:a@h', 'SIP:a@H', true],
    ['R3261-19.1.4-02', 'sip:a@h', 'sip:A@h', false],
    ['R3261-19.1.4-02', 'sip:a@h;transport=udp', 'sip:a@h;Transport=UDP', true],
    ['R3261-19.1.4-03', 'sip:a@h;x=1;y=2', 'sip:a@h;y=2;x=1', true],
    ['R3261-19.1.4-03', 'sip:a@h?x=1&y=2', 'sip:a@h?y=2&x=1', true],
    ['R3261-19.1.4-04', 'sip:alice@h', 'sip:%61lice@h', true],
    ['R3261-19.1.4-04', 'sip:a%40b@h', 'sip:a%41b@h', false],
    ['R3261-19.1.4-05', 'sip:a@localhost', 'sip:a@127.0.0.1', false],
    ['R3261-19.1.4-06', 'sip:a@h', 'sip:a@h:5060', false],
    ['R3261-19.1.4-06', 'sip:a@h', 'sip:h', false],
    ['R3261-19.1.4-06', 'sip:a:secret@h', 'sip:a@h', false],
    ['R3261-19.1.4-07', 'sip:a@h;security=on', 'sip:a@h;security=off', false],
    ['R3261-19.1.4-08', 'sip:a@h', 'sip:a@h;user=phone', false],
    ['R3261-19.1.4-08', 'sip:a@h', 'sip:a@h;ttl=15', false],
    ['R3261-19.1.4-08', 'sip:a@h', 'sip:a@h;method=INVITE', false],
    ['R3261-19.1.4-08', 'sip:a@h', 'sip:a@h;maddr=239.255.255.1', false],
    ['R3261-19.1.4-09', 'sip:a@h', 'sip:a@h;transport=udp', false],
    ['R3261-19.1.4-10', 'sip:a@h', 'sip:a@h;newparam=5', true],
    ['R3261-19.1.4-11', 'sip:a@h', 'sip:a@h?Subject=x', false],
    ['R3261-19.1.4-11', 'sip:a@h?Subject=x', 'sip:a@h?Subject=y', false],
  ])('%s: %s and %s: %s', async (_, one, another, same) => {
    const aor = newAor();
    const requestUri = `sips:${aor.slice(aor.indexOf('@') + 1)}`; // for sips contacts (RFC 5630 §5.2), and no matter to others
    await register({ aor, requestUri, contacts: [`<${one}>`] });
    const answer = await register({ aor, requestUri, contacts: [`<${another}>`] });
    expect(answer.status, answer.text).toBe(200);
    expect(contacts(answer), answer.text).toHaveLength(same ? 1 : 2);
  });
});
