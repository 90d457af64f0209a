// The messages of RFC 4475 and RFC 5118: what the parser makes of each, and what else their texts say to look at.

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import * as E from '../../src/sip/parser/parse-error.ts';
import * as T from '../../src/sip/parser/span-table.ts';
import { parsed } from './parsed-message.ts';

interface Entry {
  readonly file: string;
  readonly section: string;
  readonly title: string;
  readonly message: string;
  readonly bytes: number;
  readonly parse: 'accept' | 'reject' | 'either';
}

const folder = join(import.meta.dirname, '../vectors');

function entries(set: string): Entry[] {
  return JSON.parse(readFileSync(join(folder, set, 'index.json'), 'utf8')).messages;
}

function vector(set: string, name: string): Uint8Array {
  return new Uint8Array(readFileSync(join(folder, set, `${name}.dat`)));
}

const torture = (name: string) => parsed(vector('rfc4475', name));
const ipv6 = (name: string) => parsed(vector('rfc5118', name));

/** The error of each message that is not well formed; where the RFC lets a parser be liberal, this one is not. */
const ERRORS: Readonly<Record<string, number>> = {
  'badinv01.dat': E.E_VIA,
  'clerr.dat': E.E_TRUNCATED,
  'ncl.dat': E.E_CONTENT_LENGTH,
  'scalar02.dat': E.E_CSEQ,
  'scalarlg.dat': E.E_CSEQ,
  'quotbal.dat': E.E_TO,
  'ltgtruri.dat': E.E_START_LINE,
  'lwsruri.dat': E.E_START_LINE,
  'lwsstart.dat': E.E_START_LINE,
  'trws.dat': E.E_START_LINE,
  'escruri.dat': E.E_REQUEST_URI,
  'regbadct.dat': E.E_CONTACT,
  'badaspec.dat': E.E_TO,
  'baddn.dat': E.E_UNTERMINATED,
  'badvers.dat': E.E_VERSION,
  'mismatch01.dat': E.E_CSEQ_METHOD,
  'mismatch02.dat': E.E_CSEQ_METHOD,
  'bigcode.dat': E.E_STATUS_LINE,
  'insuf.dat': E.E_MISSING,
  'multi01.dat': E.E_REPEATED,
  'mcl01.dat': E.E_REPEATED,
  'ipv6-bad.dat': E.E_REQUEST_URI,
};

describe.each(['rfc4475', 'rfc5118'])('%s', (set) => {
  it.each(entries(set))('$section $file: $title', ({ file, parse, bytes, message }) => {
    const data = new Uint8Array(readFileSync(join(folder, set, file)));
    expect(data.length).toBe(bytes);
    const { error, kind, method, vias } = parsed(data);
    expect(error).toBe(ERRORS[file] ?? E.E_OK);
    if (parse === 'accept') expect(error).toBe(E.E_OK);
    if (parse === 'reject') expect(error).not.toBe(E.E_OK);
    expect(kind).toBe(message.startsWith('response') ? T.KIND_RESPONSE : T.KIND_REQUEST);
    if (kind === T.KIND_REQUEST) {
      expect(method).toBe(message);
      expect(vias.length, 'a request that can be answered').toBeGreaterThan(0);
    }
  });
});

describe('RFC 4475 in detail', () => {
  it('R3261-7.3.1-02 R3261-20.42-01 wsinv: folds, spaces and lists', () => {
    const { to, from, cseq, cseqMethod, maxForwards, vias, contacts } = torture('wsinv');
    expect(to?.tag).toBe('1918181833n');
    expect(from).toMatchObject({ display: '"J Rosenberg \\\\\\""', tag: '98asjd8' });
    expect([cseq, cseqMethod, maxForwards]).toEqual([9, 'INVITE', 68]);
    expect(vias.map(({ transport, host, branch }) => [transport, host, branch])).toEqual([
      ['UDP', '192.0.2.2', '390skdjuw'],
      ['TCP', 'spindle.example.com', 'z9hG4bK9ikj8'],
      ['UDP', '192.168.255.111', 'z9hG4bK30239'],
    ]);
    expect(contacts).toMatchObject([
      {
        display: '"Quoted string \\"\\""',
        q: 330,
        params: [
          ['newparam', 'newvalue'],
          ['secondparam', null],
          ['q', '0.33'],
        ],
      },
    ]);
  });

  it('R3261-25.1-01 intmeth: every character a token, a user part and a quoted string may hold', () => {
    const { method, methodId, requestUri, to, from, callId, vias } = torture('intmeth');
    expect(method).toBe("!interesting-Method0123456789_*+`.%indeed'~");
    expect(methodId).toBe(T.METHOD_UNKNOWN);
    expect(requestUri).toMatchObject({ user: expect.stringContaining('unusual'), host: 'example.com' });
    expect(to?.display).toBe('"BEL:\\\u0007 NUL:\\\u0000 DEL:\\\u007f"');
    expect(from?.tag).toBe("_token~1'+`*%!-.");
    expect(callId).toContain('intmeth');
    expect(vias[0].transport).toBe('TCP');
  });

  it('R3261-19.1.2-01 esc01: escapes stay as they are', () => {
    const { requestUri, to, from, contacts } = torture('esc01');
    expect(requestUri).toMatchObject({ user: 'sips%3Auser%40example.com', host: 'example.net' });
    expect(to?.uri.user).toBe('%75se%72');
    expect(from?.uri.user).toBe('I%20have%20spaces');
    expect(contacts[0].uri).toMatchObject({ user: 'cal%6Cer', params: ';%6C%72;n%61me=v%61lue%25%34%31' });
  });

  it('esc02: names and methods are never unescaped', () => {
    const { methodId, to, contacts, rows } = torture('esc02');
    expect(methodId).toBe(T.METHOD_UNKNOWN);
    expect(to?.display).toBe('"%Z%45"');
    expect(contacts.map(({ uri }) => uri.user)).toEqual(['alias1', 'alias3']);
    expect(rows.map(({ name }) => name)).toContain('C%6Fntact');
  });

  it('R3261-20-02 lwsdisp: a display name runs up to the bracket', () => {
    expect(torture('lwsdisp').from).toMatchObject({ display: 'caller', tag: '323' });
  });

  it('R3261-18.3-01 dblreq: what lies behind the body is not looked at', () => {
    expect(torture('dblreq')).toMatchObject({ methodId: T.METHOD_REGISTER, body: '', contentLength: 0 });
  });

  it('semiuri: a user part may hold semicolons', () => {
    expect(torture('semiuri').requestUri).toMatchObject({
      user: 'user;par=u%40example.net',
      host: 'example.com',
      params: null,
    });
  });

  it('badinv01: the top Via is bad, its sent-by can be answered', () => {
    expect(torture('badinv01').vias).toMatchObject([{ host: '192.0.2.15', text: 'SIP/2.0/UDP 192.0.2.15;;' }]);
  });

  it('insuf: says which header is missing', () => {
    expect(torture('insuf')).toMatchObject({ errorHeader: T.H_FROM, to: null, from: null, callId: null, cseq: 193942 });
  });

  it('R3261-20-01 cparam01, cparam02, regescrt: what belongs to the header and what to the URI', () => {
    expect(torture('cparam01').contacts).toMatchObject([
      { uri: { params: null }, paramsText: ';unknownparam', params: [['unknownparam', null]] },
    ]);
    expect(torture('cparam02').contacts).toMatchObject([{ uri: { params: ';unknownparam' }, params: [] }]);
    expect(torture('regescrt').contacts).toMatchObject([
      { uri: { headers: '?Route=%3Csip:sip.example.com%3E' }, params: [] },
    ]);
  });

  it('unreason, noreason: responses', () => {
    expect(torture('unreason').status).toBe(200);
    expect(torture('noreason').status).toBe(100);
  });

  it('R3261-7.3.1-05 multi01: the first of repeated headers is the one that is read', () => {
    const { callId, cseq } = torture('multi01');
    expect(callId).toMatch(/^multi01\./);
    expect(cseq).toBe(5);
  });
});

describe('RFC 5118 in detail', () => {
  it('R5118-4-01 brackets, and the port behind them', () => {
    expect(ipv6('ipv6-good').requestUri).toMatchObject({ host: '[2001:db8::10]', port: T.ABSENT });
    expect(ipv6('port-ambiguous').requestUri).toMatchObject({ host: '[2001:db8::10:5070]', port: T.ABSENT });
    expect(ipv6('port-unambiguous').requestUri).toMatchObject({ host: '[2001:db8::10]', port: 5070 });
  });

  it('R5118-4.5-01 received with and without brackets', () => {
    expect(ipv6('via-received-param-with-delim').vias[0].received).toBe(';received=[2001:db8::9:255]');
    expect(ipv6('via-received-param-no-delim').vias[0].received).toBe(';received=2001:db8::9:255');
  });

  it('R5118-4.10-01 a colon too many', () => {
    expect(ipv6('ipv6-bug-abnf-3-colons').to?.uri.host).toBe('[2001:db8:::192.0.2.1]');
  });

  it('mult-ip-in-header: a list of Vias of both families', () => {
    expect(ipv6('mult-ip-in-header').vias.map(({ host }) => host)).toEqual([
      '[2001:db8::9:1]',
      '192.0.2.1',
      '[2001:db8::9:255]',
    ]);
  });
});
