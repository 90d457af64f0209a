// The parser, rule by rule (RFC 3261 §7, §20, §25): one REGISTER, good but for the part in question.

import { describe, expect, it } from 'vitest';
import * as E from '../../src/sip/parser/parse-error.ts';
import { MESSAGE_BYTES_MAX, SLOT_BYTES, SLOT_COUNT, slab, slotStart, table } from '../../src/sip/parser/slab.ts';
import * as T from '../../src/sip/parser/span-table.ts';
import { message, type Parts, parsed, parsedMessage } from './parsed-message.ts';

const errorOf = (parts: Parts) => parsedMessage(parts).error;
const contactsOf = (...contacts: string[]) => parsedMessage({ extra: contacts.map((value) => `Contact: ${value}`) });

describe('request line', () => {
  it.each([
    ['REGISTER sip:example.com SIP/2.0', E.E_OK],
    ['REGISTER sip:example.com sip/2.0', E.E_OK],
    ['REGISTER sip:example.com SIP/3.0', E.E_VERSION],
    ['REGISTER sip:example.com SIP/02.0', E.E_VERSION],
    ['REGISTER sip:example.com SIP/2', E.E_START_LINE],
    ['REGISTER sip:example.com SIP/x.y', E.E_START_LINE],
    ['REGISTER  sip:example.com SIP/2.0', E.E_START_LINE],
    ['REGISTER sip:example.com  SIP/2.0', E.E_START_LINE],
    ['REGISTER sip:example.com SIP/2.0 ', E.E_START_LINE],
    ['REGISTER\tsip:example.com SIP/2.0', E.E_START_LINE],
    [' REGISTER sip:example.com SIP/2.0', E.E_START_LINE],
    ['REG@STER sip:example.com SIP/2.0', E.E_START_LINE],
    ['REGISTER <sip:example.com> SIP/2.0', E.E_START_LINE],
    ['REGISTER sip:example.com; lr SIP/2.0', E.E_START_LINE],
    ['REGISTER SIP/2.0', E.E_START_LINE],
    ['REGISTER sip: SIP/2.0', E.E_REQUEST_URI],
    ['REGISTER example.com SIP/2.0', E.E_REQUEST_URI],
    ['REGISTER sip:example.com?a=b SIP/2.0', E.E_REQUEST_URI],
    ['REGISTER nobodyKnowsThisScheme:totallyopaquecontent SIP/2.0', E.E_OK],
    ['GET / HTTP/1.1', E.E_NOT_SIP],
    ['REGISTER sip:example.com', E.E_NOT_SIP],
    ['REGISTER', E.E_NOT_SIP],
    ['', E.E_NOT_SIP],
  ])('R3261-7.1-01 %j: code %i', (line, error) => {
    expect(errorOf({ line })).toBe(error);
  });

  it('R3261-7.1-01 whatever is wrong with it, the headers are read', () => {
    for (const line of ['REGISTER sip:example.com SIP/7.0', 'REGISTER  sip:x SIP/2.0', 'REGISTER sip: SIP/2.0']) {
      const { error, vias, to, from, callId, cseq } = parsedMessage({ line });
      expect(error).not.toBe(E.E_OK);
      expect([vias.length, to?.uri.user, from?.tag, callId, cseq]).toEqual([1, 'alice', '1', 'a@b', 1]);
    }
  });

  it('R3261-7.3.1-07 methods are case-sensitive', () => {
    expect(parsedMessage({}).methodId).toBe(T.METHOD_REGISTER);
    expect(parsedMessage({ line: 'register sip:h SIP/2.0', cseq: '1 register' })).toMatchObject({
      error: E.E_OK,
      methodId: T.METHOD_UNKNOWN,
      method: 'register',
    });
  });

  it('knows the methods', () => {
    const names =
      'REGISTER OPTIONS INVITE ACK CANCEL BYE SUBSCRIBE NOTIFY MESSAGE INFO UPDATE PRACK REFER PUBLISH'.split(' ');
    names.forEach((name, i) => {
      const { error, methodId } = parsedMessage({ line: `${name} sip:h SIP/2.0`, cseq: `1 ${name}` });
      expect([name, error, methodId]).toEqual([name, E.E_OK, i + 1]);
    });
  });

  it('R3261-7.5-01 CRLFs before it are passed over; nothing else is', () => {
    expect(parsed(`\r\n\r\n${message()}`).error).toBe(E.E_OK);
    expect(parsed(`\n${message()}`).error).toBe(E.E_NOT_SIP);
    for (const keepAlive of ['', '\r\n\r\n', '\0', 'jaK']) expect(parsed(keepAlive).error).toBe(E.E_NOT_SIP);
  });
});

describe('status line', () => {
  const status = (line: string) => {
    const { error, kind, status } = parsedMessage({ line });
    return [error, kind, status];
  };

  it('takes codes from 100 to 699', () => {
    expect(status('SIP/2.0 200 OK')).toEqual([E.E_OK, T.KIND_RESPONSE, 200]);
    expect(status('sip/2.0 699 ')).toEqual([E.E_OK, T.KIND_RESPONSE, 699]);
    for (const line of [
      'SIP/2.0 99 x',
      'SIP/2.0 700 x',
      'SIP/2.0 2000 x',
      'SIP/2.0 20x x',
      'SIP/2.0  200 x',
      'SIP/2.0',
    ])
      expect(status(line), line).toEqual([E.E_STATUS_LINE, T.KIND_RESPONSE, 0]);
    expect(status('SIP/3.0 200 OK')[0]).toBe(E.E_STATUS_LINE);
  });
});

describe('header section', () => {
  it('R3261-7.3.1-01 any case, spaces and tabs before the colon, any LWS behind it', () => {
    const text = message().replace('Call-ID: a@b', 'cALL-iD \t : \t a@b \t').replace('CSeq: 1', 'cseq:1');
    expect(parsed(text)).toMatchObject({ error: E.E_OK, callId: 'a@b', cseq: 1 });
  });

  it('R3261-7.3.1-02 folded lines are unfolded', () => {
    const { error, contacts } = contactsOf('\r\n <sip:a@b>\r\n\t;\r\n  expires\r\n =\r\n 60');
    expect(error).toBe(E.E_OK);
    expect(contacts).toMatchObject([{ expires: 60, uri: { user: 'a' } }]);
    expect(parsedMessage({ extra: ['X: a\r\n \r\n\tb'] }).rows.at(-1)?.value).toBe(`a${' '.repeat(6)}b`);
  });

  it('R3261-7.3.3-01 compact forms, mixed with long ones', () => {
    const text = message({ extra: ['m: <sip:a@b>', 'l: 0', 'c: text/plain', 'e: gzip', 'k: path', 's: hi', 'o: reg'] })
      .replace('Via', 'v')
      .replace('From', 'F')
      .replace('To', 't')
      .replace('Call-ID', 'I');
    const { error, chains, contacts, supported } = parsed(text);
    expect(error).toBe(E.E_OK);
    expect([contacts.length, supported]).toEqual([1, T.OPTION_PATH]);
    expect(chains[T.H_CONTENT_TYPE]).toEqual(['text/plain']);
    expect(chains[T.H_CONTENT_ENCODING]).toEqual(['gzip']);
    expect(chains[T.H_CONTENT_LENGTH]).toEqual(['0']);
    expect(chains[T.H_EVENT]).toEqual(['reg']);
    expect(chains[T.H_OTHER]).toEqual(['hi']);
  });

  it('knows every header by its name, and no other by part of it', () => {
    const names = `Via From To Call-ID CSeq Max-Forwards Contact Expires Content-Length Content-Type Content-Encoding
      Content-Disposition Require Proxy-Require Supported Path Route Record-Route Authorization Proxy-Authorization User-Agent
      Accept Event Allow Timestamp Date Feature-Caps`.split(/\s+/);
    expect(names.length).toBe(T.HEADER_IDS - 1);
    const idOf = (name: string) => parsed(`REGISTER sip:h SIP/2.0\r\n${name}: x\r\n\r\n`).rows[0].id;
    names.forEach((name, i) => {
      for (const text of [name, name.toUpperCase(), name.toLowerCase()])
        expect([text, idOf(text)]).toEqual([text, i + 1]);
      for (let at = 0; at < name.length; at++) {
        const other = `${name.slice(0, at)}!${name.slice(at + 1)}`;
        expect([other, idOf(other)]).toEqual([other, T.H_OTHER]);
      }
      expect(idOf(`${name}x`)).toBe(T.H_OTHER);
    });
  });

  it('R3261-7.3.1-04 keeps rows of one name apart and in order', () => {
    const rows = ['Digest a="1", b="2"', 'Digest c="3"'];
    const { chains } = parsedMessage({ extra: [`Authorization: ${rows[0]}`, 'X: y', `authorization: ${rows[1]}`] });
    expect(chains[T.H_AUTHORIZATION]).toEqual(rows);
  });

  it('R3261-8.2.2-01 R3261-8.2.2-02 unknown headers and malformed ones nobody needs are no error', () => {
    const extra = [
      'X-Anything: ;;,,"<',
      'Date: yesterday',
      'Subject:',
      'User-Agent: (((',
      'Supported: a b',
      'Timestamp: x',
    ];
    expect(errorOf({ extra })).toBe(E.E_OK);
  });

  const MALFORMED: readonly [what: string, row: string][] = [
    ['no colon', 'Foo'],
    ['no colon and a fold', 'Foo\r\n : x'],
    ['no name', ': x'],
    ['a space in the name', 'F oo: x'],
    ['a name that is no token', 'F(o: x'],
    ['a name outside ASCII', 'Größe: x'],
    ['one letter and no colon', 'v 1'],
    ['NUL', 'Foo: a\0b'],
    ['DEL', 'Foo: a\u007fb'],
    ['a control character outside quotes', 'Foo: a\\\u0001b'],
    ['an unescaped control character inside quotes', 'User-Agent: "a\u0001b"'],
  ];

  it.each(MALFORMED)('R3261-8.2.2-02 a row with %s is passed over, and all others are read', (_, row) => {
    const expected = parsedMessage({ callId: null, extra: ['Call-ID: behind'] });
    expect(table[T.T_IGNORED_ROWS]).toBe(0);
    const result = parsedMessage({ callId: null, extra: [row, row, 'Call-ID: behind'] });
    expect(table[T.T_IGNORED_ROWS]).toBe(2);
    expect(result).toMatchObject({ error: E.E_OK, callId: 'behind' });
    expect(result.rows.map(({ id }) => id)).toEqual(expected.rows.map(({ id }) => id));
  });

  it.each([
    ['a NUL in a header that is needed', 'Contact: <sip:a\0@b>'],
    ['a control character in a number', 'Expires: 60\u0001'],
    ['no colon behind a name that is needed', 'Require foo'],
    ['a word between a name that is needed and the colon', 'Content-Length x: 5'],
    ['a bare LF in a row of no form', 'Foo\nBar: b'],
    ['a bare CR in a row of no form', 'Foo\rBar: b'],
    ['a bare LF', 'Foo: a\nb'],
    ['a bare CR', 'Foo: a\rb'],
    ['a bare LF before a header', 'Foo: a\nBar: b'],
  ])('a line with %s is an error, and all others are read', (_, line) => {
    const result = parsedMessage({ callId: null, extra: [line, 'Call-ID: behind'] });
    expect(result).toMatchObject({ error: E.E_HEADER_LINE, callId: 'behind' });
    for (const { value } of result.rows) expect(value).not.toMatch(/[\r\n]/);
  });

  it('bare LF as line ends are an error, not a message', () => {
    const { error, callId } = parsed(message().replaceAll('\r\n', '\n'));
    expect([error, callId]).toEqual([E.E_START_LINE, 'a@b']);
  });

  it('a fold behind the request line belongs to nothing', () => {
    expect(parsed(message().replace('\r\nVia', '\r\n Via')).error).toBe(E.E_HEADER_LINE);
  });

  it('R3261-25.1-01 a backslash in quotes allows control characters, but no CR or LF', () => {
    expect(parsedMessage({ to: '"\\\0\\\u0007\\"" <sip:a@b>' })).toMatchObject({
      error: E.E_OK,
      to: { display: '"\\\0\\\u0007\\""' },
    });
    expect(errorOf({ to: '"\\\r" <sip:a@b>' })).toBe(E.E_HEADER_LINE);
    expect(errorOf({ to: '"\\\n" <sip:a@b>' })).toBe(E.E_HEADER_LINE);
  });

  it('R3261-25.1-02 UTF-8 in values', () => {
    expect(parsedMessage({ extra: ['Subject: Привет'], from: '"Жуков" <sip:z@h>;tag=1' })).toMatchObject({
      error: E.E_OK,
      from: { display: '"Жуков"' },
    });
  });

  it('must end with an empty line', () => {
    const text = message();
    for (let end = text.indexOf('\r\n') + 2; end < text.length; end++)
      expect(parsed(text.slice(0, end)).error, `${end}`).toBe(E.E_UNTERMINATED);
    expect(parsed(text.slice(0, -2)).callId).toBe('a@b');
  });

  it('a line that is cut short is not read', () => {
    const { error, cseq, callId } = parsed(message().slice(0, -'EGISTER\r\n\r\n'.length));
    expect([error, cseq, callId]).toEqual([E.E_UNTERMINATED, null, 'a@b']);
  });

  it('at most 128 rows', () => {
    const rows = (count: number) => Array.from({ length: count }, (_, i) => `X-${i}: y`);
    expect(errorOf({ extra: rows(123) })).toBe(E.E_OK);
    const { error, errorHeader, rows: kept } = parsedMessage({ extra: [...rows(123), 'Accept: x'] });
    expect([error, errorHeader, kept.length]).toEqual([E.E_TOO_MANY_HEADERS, T.H_ACCEPT, 128]);
  });

  it.each([
    ['To: <sip:x@y>', T.H_TO],
    ['f: <sip:x@y>', T.H_FROM],
    ['i: x', T.H_CALL_ID],
    ['CSeq: 1 REGISTER', T.H_CSEQ],
    ['Max-Forwards: 1\r\nMax-Forwards: 1', T.H_MAX_FORWARDS],
    ['Content-Length: 0\r\nl: 0', T.H_CONTENT_LENGTH],
    ['Content-Type: a/b\r\nc: a/b', T.H_CONTENT_TYPE],
    ['Expires: 1\r\nExpires: 1', T.H_EXPIRES],
    ['Event: reg\r\no: reg', T.H_EVENT],
  ])('R3261-7.3.1-05 %j twice is an error', (row, header) => {
    expect(parsedMessage({ extra: [row] })).toMatchObject({ error: E.E_REPEATED, errorHeader: header });
  });

  it.each([
    ['via', T.H_VIA],
    ['from', T.H_FROM],
    ['to', T.H_TO],
    ['callId', T.H_CALL_ID],
    ['cseq', T.H_CSEQ],
  ] as const)('R3261-8.1.1-01 a request without %s', (part, header) => {
    expect(parsedMessage({ [part]: null })).toMatchObject({ error: E.E_MISSING, errorHeader: header });
  });
});

describe('Via', () => {
  const via = (value: string) => parsedMessage({ via: value });

  it('R3261-20.42-01 LWS around "/" and ":", no branch', () => {
    const { error, vias } = via('SIP / 2.0 / UDP first.example.com : 4000 ; ttl=16');
    expect(error).toBe(E.E_OK);
    expect(vias).toMatchObject([{ transport: 'UDP', host: 'first.example.com', port: 4000, branch: null }]);
  });

  it('keeps what an answer changes', () => {
    const { vias } = via('SIP/2.0/UDP [::1]:5;rport ;BRANCH=z9hG4bKx; received = 1.2.3.4;maddr=224.0.1.75;keep');
    expect(vias).toMatchObject([
      {
        host: '[::1]',
        port: 5,
        branch: 'z9hG4bKx',
        rport: ';rport',
        received: '; received = 1.2.3.4',
        maddr: '224.0.1.75',
        keep: ';keep',
      },
    ]);
    expect(via('SIP/2.0/UDP h;rport=123').vias[0].rport).toBe(';rport=123');
  });

  it('R3261-7.3.1-03 rows and lists in any mix, in order', () => {
    const { vias } = parsedMessage({
      via: 'SIP/2.0/UDP a;x="q,r" , SIP/2.0/TCP b',
      extra: ['v: SIP/2.0/TLS c,SIP/2.0/WS d'],
    });
    expect(vias.map(({ host, text }) => [host, text])).toEqual([
      ['a', 'SIP/2.0/UDP a;x="q,r"'],
      ['b', 'SIP/2.0/TCP b'],
      ['c', 'SIP/2.0/TLS c'],
      ['d', 'SIP/2.0/WS d'],
    ]);
  });

  it.each([
    '',
    'SIP/2.0/UDP',
    'SIP/2.0 h',
    'h',
    'SIP/2.0/UDP h:',
    'SIP/2.0/UDP h:65536',
    'SIP/2.0/UDP 2001:db8::1',
    ',',
  ])('without a sent-by that can be read (%j) there is none to answer', (value) => {
    expect(via(value)).toMatchObject({ error: E.E_VIA, vias: [] });
    expect(parsedMessage({ via: value, extra: ['Via: SIP/2.0/UDP lower'] }).vias).toEqual([]);
  });

  it.each([
    [';;', E.E_VIA],
    ['; ;branch=x', E.E_VIA],
    [' x', E.E_VIA],
    [';branch="', E.E_VIA],
    [';b=1;B=2', E.E_REPEATED_PARAM],
    [`;${Array.from({ length: 33 }, (_, i) => `p${i}`).join(';')}`, E.E_TOO_MANY_PARAMS],
  ])('with bad parameters (%j) the sent-by is kept', (params, error) => {
    expect(via(`SIP/2.0/UDP h:1${params}`)).toMatchObject({ error, vias: [{ host: 'h', port: 1 }] });
  });

  it('malformed lower values are left out', () => {
    const { error, vias } = parsedMessage({ extra: ['Via: ;;, SIP/2.0/UDP b;;, "x,y", SIP/2.0/UDP c'] });
    expect(error).toBe(E.E_OK);
    expect(vias.map(({ host }) => host)).toEqual(['192.0.2.1', 'c']);
  });

  it('at most 70 values', () => {
    const values = (count: number) => Array.from({ length: count }, (_, i) => `SIP/2.0/UDP h${i}`).join(',');
    expect(via(values(70))).toMatchObject({ error: E.E_OK, vias: { length: 70 } });
    expect(via(values(71))).toMatchObject({ error: E.E_TOO_MANY_VIAS, vias: { length: 70 } });
  });
});

describe('To and From', () => {
  it.each([
    ['<sip:a@b>', { display: null, tag: null, uri: { user: 'a' } }],
    ['sip:a@b', { display: null, tag: null, uri: { user: 'a' } }],
    ['sip:a@b;tag=x', { tag: 'x', uri: { params: null } }],
    ['sip:a@b ; tag = x ; y', { tag: 'x' }],
    ['<sip:a@b;tag=no>;TAG=x', { tag: 'x', uri: { params: ';tag=no' } }],
    ['<sip:a@b>;tag=', { tag: null }],
    ['<sip:a@b>;tag', { tag: null }],
    ['Bob B. <sip:a@b>', { display: 'Bob B.' }],
    ['Bob<sip:a@b>', { display: 'Bob' }],
    ['Łódź <sip:a@b>', { display: 'Łódź' }],
    ['"a, \\"b\\" <c>; d"<sip:a@b>', { display: '"a, \\"b\\" <c>; d"' }],
    ['<sip:a,b?c;d@e>', { uri: { user: 'a,b?c;d' } }],
    ['<tel:+1>', { uri: { scheme: T.SCHEME_TEL } }],
    ['isbn:2983792873', { uri: { scheme: T.SCHEME_OTHER } }],
    ['<sip:a@b>;x="y;z,\\""', { tag: null }],
    ['<sip:a@b>;tag=x;', { tag: 'x' }],
    ['<sip:a@b> ; ', { tag: null }],
    // Unquoted display names that needed quotes: what they say is dropped.
    ['Room: 5 (left) <sip:a@b>;tag=x', { display: null, tag: 'x', uri: { user: 'a' } }],
    ['Büro/1 [EG]<sip:a@b>', { display: null, uri: { user: 'a' } }],
    ['200@pbx <sip:a@b>', { display: null, uri: { user: 'a' } }],
    ['(555) 123-4567 <sip:a@b>', { display: null, uri: { user: 'a' } }],
  ])('R3261-20-01 R3261-20-02 R3261-20-03 reads %j', (to, expected) => {
    expect(parsedMessage({ to, from: to })).toMatchObject({ error: E.E_OK, to: expected, from: expected });
  });

  it.each([
    '',
    'alice',
    '<sip:a@b',
    'sip:a@b>',
    '<>',
    '"a <sip:a@b>',
    '"a\\" <sip:a@b>',
    '"a" sip:a@b',
    'Last, First <sip:a@b>',
    'a "b" <sip:a@b>',
    'a;b <sip:a@b>',
    'a>b <sip:a@b>',
    'sip:c@d?x=<sip:a@b>',
    'Room: 5 sip:a@b',
    'a, b <sip:a@b>',
    '<sip:a@b >',
    '< sip:a@b>',
    '<sip:a b@c>',
    'sip:a@b,sip:c@d',
    '<sip:a@b>, <sip:c@d>',
    'sip:a@b?c=d',
    '<sip:a@b>;;',
    '<sip:a@b>;;tag=1',
    '<sip:a@b> tag=1',
    '<sip:a@b>;tag="1',
    '<sip:a@b>;tag=<1>',
  ])('R3261-20-01 refuses %j', (value) => {
    expect(parsedMessage({ to: value })).toMatchObject({ error: E.E_TO, errorHeader: T.H_TO, to: null });
    expect(parsedMessage({ from: value })).toMatchObject({ error: E.E_FROM, errorHeader: T.H_FROM, from: null });
  });

  it('R3261-7.3.1-06 one tag', () => {
    expect(errorOf({ from: '<sip:a@b>;tag=1;Tag=2' })).toBe(E.E_REPEATED_PARAM);
  });

  it('From needs no tag', () => {
    expect(parsedMessage({ from: '<sip:a@b>' })).toMatchObject({ error: E.E_OK, from: { tag: null } });
  });
});

describe('Call-ID and CSeq', () => {
  it('R3261-20.8-01 Call-ID is kept byte by byte', () => {
    expect(parsedMessage({ callId: 'aB%41<>()"/[]?{}@x' }).callId).toBe('aB%41<>()"/[]?{}@x');
    for (const callId of ['', 'a b', 'a\tb']) expect(errorOf({ callId })).toBe(E.E_CALL_ID);
  });

  it.each([
    ['4294967295 REGISTER', 4294967295],
    ['0 REGISTER', 0],
    ['0000000000000000000000000009 \t REGISTER', 9],
  ])('R3261-20.16-01 accepts %j', (cseq, number) => {
    expect(parsedMessage({ cseq })).toMatchObject({ error: E.E_OK, cseq: number, cseqMethod: 'REGISTER' });
  });

  it.each([
    '4294967296 REGISTER',
    '99999999999999999999 REGISTER',
    '-1 REGISTER',
    '1REGISTER',
    '1',
    '1 ',
    'REGISTER',
    '1 REG ISTER',
    '1 R@',
    '',
  ])('R3261-20.16-01 refuses %j', (cseq) => {
    expect(parsedMessage({ cseq })).toMatchObject({ error: E.E_CSEQ, cseq: null });
  });

  it('R3261-8.1.1.5-01 the method is that of the request line, to the letter', () => {
    expect(errorOf({ cseq: '1 register' })).toBe(E.E_CSEQ_METHOD);
    expect(parsedMessage({ cseq: '1 INVITE' })).toMatchObject({ error: E.E_CSEQ_METHOD, cseq: 1 });
  });

  it('a different CSeq method is named only where nothing else is wrong', () => {
    expect(errorOf({ cseq: '1 INVITE', extra: ['Contact: x'] })).toBe(E.E_CONTACT);
  });
});

describe('Contact', () => {
  it('R3261-7.3.1-03 R3261-10.3-41 rows, a list, or both', () => {
    const users = (...rows: string[]) => contactsOf(...rows).contacts.map(({ uri }) => uri.user);
    expect(users('<sip:a@h>', '<sip:b@h>', '<sip:c@h>')).toEqual(['a', 'b', 'c']);
    expect(users('<sip:a@h>,<sip:b@h> , <sip:c@h>')).toEqual(['a', 'b', 'c']);
    expect(users('<sip:a@h>', '<sip:b@h>;q=1,sip:c@h')).toEqual(['a', 'b', 'c']);
  });

  it('R3261-20-01 without brackets the parameters are the header’s', () => {
    expect(contactsOf('sip:a@b;expires=60').contacts).toMatchObject([
      { expires: 60, expiresText: ';expires=60', uri: { text: 'sip:a@b', params: null } },
    ]);
  });

  it('R3261-25.1-01 quotes hide what would divide', () => {
    const name = '"a, \\"b\\" <c>; d" <sip:quoted@h>;expires=600;note="x, y; <z>"';
    const { error, contacts } = contactsOf(`${name},<sip:second@h>`);
    expect(error).toBe(E.E_OK);
    expect(contacts.map(({ text }) => text)).toEqual([name, '<sip:second@h>']);
    expect(contacts[0].params).toEqual([
      ['expires', '600'],
      ['note', '"x, y; <z>"'],
    ]);
  });

  it('keeps the parameters a registrar acts on', () => {
    const { contacts } = contactsOf(
      '<sip:a@b>;Q=0.7;+sip.instance="<urn:uuid:1>" ; reg-id=2;EXPIRES = 60;x',
      '<sip:c@d>',
    );
    expect(contacts).toMatchObject([
      { q: 700, instance: '<urn:uuid:1>', regId: 2, expires: 60, expiresText: ';EXPIRES = 60', params: { length: 5 } },
      { q: T.ABSENT, instance: null, regId: T.ABSENT, expires: T.ABSENT, expiresText: null, params: [] },
    ]);
    expect(contacts[0].paramsText).toBe(';Q=0.7;+sip.instance="<urn:uuid:1>" ; reg-id=2;EXPIRES = 60;x');
    expect(contacts[1].paramsText).toBeNull();
  });

  it.each([
    ['0', 0],
    ['60', 60],
    ['0060', 60],
    ['2147483648', 2147483647],
    ['4294967301', 2147483647],
    ['99999999999999999999999', 2147483647],
    ['', T.ABSENT],
    ['abc', T.MALFORMED],
    ['-1', T.MALFORMED],
    ['"60"', 60],
    ['""', T.MALFORMED],
    ['"6 0"', T.MALFORMED],
    ['6 0', undefined],
  ])('R3261-10.2-04 R3261-10.2-05 expires=%s is %s', (text, seconds) => {
    const { error, contacts } = contactsOf(`<sip:a@b>;expires=${text}`);
    expect([error, contacts[0]?.expires]).toEqual(seconds === undefined ? [E.E_CONTACT, undefined] : [E.E_OK, seconds]);
  });

  it.each([
    ['0', 0],
    ['1', 1000],
    ['0.', 0],
    ['0.5', 500],
    ['0.25', 250],
    ['0.125', 125],
    ['1.000', 1000],
    ['1.001', T.MALFORMED],
    ['0.1234', T.MALFORMED],
    ['1.5', T.MALFORMED],
    ['2', T.MALFORMED],
    ['.5', 500],
    ['.125', 125],
    ['".5"', 500],
    ['"0.5"', 500],
    ['"1"', 1000],
    ['.', T.MALFORMED],
    ['.1234', T.MALFORMED],
    ['""', T.MALFORMED],
    ['"2"', T.MALFORMED],
    ['00', T.MALFORMED],
    ['abc', T.MALFORMED],
    ['', T.MALFORMED],
  ])('R3261-10.3-37 q=%s is %i', (text, q) => {
    expect(contactsOf(`<sip:a@b>;q=${text}`)).toMatchObject({ error: E.E_OK, contacts: [{ q }] });
  });

  it.each([
    ['reg-id=0', T.MALFORMED],
    ['reg-id=2147483647', 2147483647],
    ['reg-id=2147483648', T.MALFORMED],
    ['reg-id=x', T.MALFORMED],
    ['reg-id="1"', 1],
    ['reg-id="0"', T.MALFORMED],
    ['reg-id=""', T.MALFORMED],
    ['reg-id', T.MALFORMED],
  ])('%s is %i', (text, regId) => {
    expect(contactsOf(`<sip:a@b>;${text}`).contacts).toMatchObject([{ regId }]);
  });

  it('R3261-10.3-17 counts "*" and other values apart', () => {
    expect(contactsOf('*')).toMatchObject({ error: E.E_OK, stars: 1, contacts: [] });
    expect(parsedMessage({ extra: ['m: \t* '] })).toMatchObject({ error: E.E_OK, stars: 1, contacts: [] });
    expect(contactsOf('*, <sip:a@b>', '*')).toMatchObject({ error: E.E_OK, stars: 2, contacts: { length: 1 } });
    expect(contactsOf('*a <sip:a@b>')).toMatchObject({ error: E.E_OK, stars: 0, contacts: [{ display: '*a' }] });
    expect(contactsOf('*;expires=0')).toMatchObject({ error: E.E_CONTACT, stars: 0 });
  });

  it.each([
    '',
    ',',
    '<sip:a@b>,',
    '<sip:a@b>,,<sip:c@d>',
    'sip:a@b?c=d',
    '<sip:a@b',
    '<sip:a b@c>',
    '<sip:a@b>;;',
    '<sip:a@b>;, <sip:c@d>',
    '<sip:a@b>;;',
    '<sip:a@b> x',
    '<sip:%4@b>',
    '"x <sip:a@b>',
  ])('refuses %j', (value) => {
    expect(contactsOf(value)).toMatchObject({ error: E.E_CONTACT, errorHeader: T.H_CONTACT });
  });

  it('R3261-7.3.1-06 a parameter stands once', () => {
    expect(contactsOf('<sip:a@b>;expires=1;Expires=2').error).toBe(E.E_REPEATED_PARAM);
    expect(contactsOf('<sip:a@b>;expires=1,<sip:c@d>;expires=2').error).toBe(E.E_OK);
  });

  it('R3261-8.2.2-02 a malformed one is no error where it is not needed', () => {
    const parts = { line: 'OPTIONS sip:h SIP/2.0', cseq: '1 OPTIONS', extra: ['Contact: <<<'] };
    expect(errorOf(parts)).toBe(E.E_OK);
    expect(errorOf({ ...parts, cseq: '1 x' })).toBe(E.E_CSEQ_METHOD);
  });

  it('limits', () => {
    const many = (count: number, params = '') => Array.from({ length: count }, (_, i) => `<sip:${i}@h>${params}`);
    const params = (count: number) => Array.from({ length: count }, (_, i) => `;p${i}=1`).join('');
    expect(contactsOf(many(32).join(',')).error).toBe(E.E_OK);
    expect(contactsOf(many(33).join(',')).error).toBe(E.E_TOO_MANY_CONTACTS);
    expect(contactsOf(`<sip:a@h>${params(32)}`).error).toBe(E.E_OK);
    expect(contactsOf(`<sip:a@h>${params(33)}`).error).toBe(E.E_TOO_MANY_PARAMS);
    expect(contactsOf(...many(8, params(32))).error).toBe(E.E_OK);
    expect(contactsOf(...many(9, params(32))).error).toBe(E.E_TOO_MANY_PARAMS);
    expect(contactsOf(`<sip:h${params(33)}>`).error).toBe(E.E_TOO_MANY_PARAMS);
  });
});

describe('numbers', () => {
  const one = (row: string) => parsedMessage({ extra: [row] });

  it.each([
    ['0', 0],
    ['70', 70],
    ['0068', 68],
    ['255', 255],
    ['256', T.MALFORMED],
    ['300', T.MALFORMED],
    ['9999999999999', T.MALFORMED],
    ['x', T.MALFORMED],
    ['', T.MALFORMED],
  ])('R3261-20.22-01 Max-Forwards %j is %i, never an error', (text, value) => {
    expect(one(`Max-Forwards: ${text}`)).toMatchObject({ error: E.E_OK, maxForwards: value });
  });

  it('R3261-20.22-01 Max-Forwards may be missing', () => {
    expect(parsedMessage({})).toMatchObject({ error: E.E_OK, maxForwards: T.ABSENT, expires: T.ABSENT });
  });

  it.each([
    ['0', 0],
    ['007', 7],
    ['2147483647', 2147483647],
    ['4294967295', 2147483647],
    ['4294967296', T.MALFORMED],
    ['4294967301', T.MALFORMED],
    ['1.5', T.MALFORMED],
    ['', T.MALFORMED],
    ['Thu, 01 Dec 1994 16:00:00 GMT', T.MALFORMED],
    ['"60"', 60],
    ['"60', T.MALFORMED],
    ['"', T.MALFORMED],
  ])('R3261-20.19-01 Expires %j is %i', (text, value) => {
    expect(one(`Expires: ${text}`)).toMatchObject({ error: E.E_OK, expires: value });
  });

  it.each(['-1', 'five', '', '1 2', '+1'])('R3261-20.14-01 Content-Length %j is refused', (text) => {
    expect(one(`Content-Length: ${text}`).error).toBe(E.E_CONTENT_LENGTH);
  });

  it('R3261-18.3-01 R3261-18.3-02 R3261-18.3-03 Content-Length and the body', () => {
    const body = (length: string | null) =>
      parsedMessage({ extra: length === null ? [] : [`Content-Length: ${length}`], body: 'hello' });
    expect(body('5')).toMatchObject({ error: E.E_OK, body: 'hello', contentLength: 5 });
    expect(body('2')).toMatchObject({ error: E.E_OK, body: 'he', contentLength: 2 });
    expect(body(null)).toMatchObject({ error: E.E_OK, body: 'hello', contentLength: T.ABSENT });
    expect(body('6')).toMatchObject({ error: E.E_TRUNCATED, errorHeader: T.H_CONTENT_LENGTH, body: 'hello' });
    expect(body('99999999999999999999').error).toBe(E.E_TRUNCATED);
    expect(body('x')).toMatchObject({ error: E.E_CONTENT_LENGTH, contentLength: T.MALFORMED });
  });
});

describe('option tags', () => {
  it('R3261-8.2.2.3-01 Require: known bits, and how many are unknown', () => {
    const extra = ['Require: gruu, foo,OutBound', 'Require: ,path,, bar', 'Proxy-Require: never'];
    expect(parsedMessage({ extra })).toMatchObject({
      error: E.E_OK,
      require: T.OPTION_GRUU | T.OPTION_OUTBOUND | T.OPTION_PATH,
      requireUnknown: 2,
    });
  });

  it.each(['a b', '"x"', 'a;b', '<x>'])('refuses Require: %s', (text) => {
    expect(errorOf({ extra: [`Require: ${text}`] })).toBe(E.E_OPTION_TAGS);
  });

  it('R3261-8.2.4-01 Supported in any number of rows; a bad row says nothing', () => {
    const extra = ['Supported: path, x', 'k: gin', 'Supported: gruu, a b', 'Supported:', 'k: pref,,outbound'];
    expect(parsedMessage({ extra })).toMatchObject({
      error: E.E_OK,
      supported: T.OPTION_PATH | T.OPTION_GIN | T.OPTION_PREF | T.OPTION_OUTBOUND,
    });
  });
});

describe('size', () => {
  it('R3261-18.1.1-01 the largest datagram fits in every slot and is parsed', () => {
    expect(SLOT_BYTES).toBeGreaterThanOrEqual(MESSAGE_BYTES_MAX);
    const last = slotStart(SLOT_COUNT - 1);
    expect(last + SLOT_BYTES).toBe(slab.length);
    const text = message({ body: '\r\n' });
    const bytes = new Uint8Array(MESSAGE_BYTES_MAX).fill(0x41);
    bytes.set(new TextEncoder().encode(text));
    const { error, body } = parsed(bytes, last);
    expect([error, body?.length]).toEqual([E.E_OK, MESSAGE_BYTES_MAX - text.length + 2]);
  });
});
