// A phone of the simulated world: what it asks, as bytes, and what it remembers of the answers. It does nothing by itself.

import { authorization } from '../../support/digest-client.ts';
import type { Random } from '../shards/random.ts';
import type { Message } from './machine.ts';
import type { Asked } from './registrations.ts';

export interface Request extends Message, Asked {
  readonly phone: Phone;
  readonly head: string;
  /** The credentials it carries, '' where it has none. */
  readonly login: string;
  /** Of a request sent again: what it was sent as first. */
  readonly first: Request | null;
  /** It carries what another request has used. */
  readonly isReplay: boolean;
  /** A proxy that is trusted stands for whoever is in From. */
  readonly isVouched: boolean;
  /** In From stands another than in To. */
  readonly isForeign: boolean;
  sentAt: number;
  /** Lives of its AOR's shard when it was sent. */
  life: number;
  answer: string;
}

export class Phone {
  readonly n: number;
  readonly host: number;
  contacts: readonly string[];
  /** What a push wakes it by; '' where none does. */
  readonly device: string;
  /** Its lines are bound one by one, too: some sleep while another is awake. */
  private readonly hasOwnLines: boolean;
  readonly isStream: boolean;
  readonly domain: string;
  flow = 0;
  callId = '';
  cseq = 0;
  nonce = '';
  nc = 0;
  /** Sent last. */
  last: Request | null = null;
  /** Credentials with which it was bound last. */
  used = '';
  /** All that drew a 200 lately, whatever they were for. */
  readonly heard: string[] = [];
  private boots = 0;
  private branches = 0;
  private readonly name: string;
  private readonly lines: number;

  /** @param isWoken by a push @param hasOwnLines of one that is woken */
  constructor(
    n: number,
    device: number,
    host: number,
    isStream: boolean,
    contacts: number,
    domain: string,
    isWoken = false,
    hasOwnLines = false,
  ) {
    this.domain = domain;
    this.n = n;
    this.host = host;
    this.isStream = isStream;
    this.name = `a${n}d${device}`;
    this.lines = contacts;
    this.hasOwnLines = isWoken && hasOwnLines && contacts > 1;
    this.device = isWoken ? `fcm ${this.name}` : '';
    this.contacts = this.contactsOf('');
    this.boot();
  }

  /** @param boot of a phone whose contacts are others behind each boot */
  private contactsOf(boot: string): string[] {
    const target = this.isStream ? 'phone.invalid;transport=tcp' : `10.0.0.${this.host}:5060`;
    const push = this.device === '' ? '' : `;pn-provider=fcm;pn-prid=${this.name}`;
    return Array.from({ length: this.lines }, (_, line) => `sip:${this.name}l${line}${boot}@${target}${push}`);
  }

  get user(): string {
    return `u${this.n}`;
  }

  boot(): void {
    this.callId = `${this.name}b${++this.boots}@phone`;
    this.cseq = this.boots % 3;
    if (this.device !== '' && !this.isStream) this.contacts = this.contactsOf(`b${this.boots % 2}`);
  }

  ask(kind: Asked['kind'], seconds: number, random: Random, login = this.login()): Request {
    this.cseq++;
    const some = this.hasOwnLines && random.chance(0.5) ? [random.pick(this.contacts)] : this.contacts;
    const contacts = kind === 'fetch' || kind === 'star' ? [] : some;
    const { callId, cseq, flow, device } = this;
    const asked = { kind, contacts, seconds, callId, cseq, flow, device };
    const request = this.write(asked, random, login);
    this.last = request;
    return request;
  }

  /** The last request, as it was. */
  again(): Request | null {
    const { last } = this;
    return last && { ...last, first: last.first ?? last, answer: '' };
  }

  /** A request with a CSeq that is too low, of which the phone knows nothing. */
  stale(random: Random): Request {
    const asked = {
      kind: 'bind',
      contacts: this.contacts,
      seconds: 600,
      callId: this.callId,
      flow: this.flow,
      device: this.device,
    } as const;
    return this.write(
      { ...asked, cseq: Math.max(0, this.cseq - random.between(0, 1)) },
      random,
      this.login(),
      `x${this.branches}`,
    );
  }

  /** An operator's order about its AOR, or about its contacts. */
  order(kind: Asked['kind'], seconds: number, random: Random): Request {
    const callId = `order${++this.branches}@admin`;
    const contacts = kind === 'star' ? [] : this.contacts;
    const asked = { kind, contacts, seconds, callId, cseq: 1, flow: 0, device: this.device } as const;
    return { ...this.write(asked, random, '', `o${this.branches}`), isOrder: true, flow: 0 };
  }

  /** Somebody who has heard its credentials. */
  replay(random: Random, login = this.used): Request {
    const callId = `thief${++this.branches}@phone`;
    const contacts = [`sip:thief@10.0.0.250`];
    const asked = { kind: 'bind', contacts, seconds: 600, callId, cseq: 1, flow: 0, device: '' } as const;
    return { ...this.write(asked, random, login), isReplay: true, flow: 0 };
  }

  /** A trusted proxy has asked who it is, and stands for the user in From: its own, or another. */
  vouched(kind: Asked['kind'], seconds: number, host: number, random: Random, from = this.user): Request {
    const callId = `vouched${++this.branches}@proxy`;
    const contacts = kind === 'star' ? [] : this.contacts;
    const asked = { kind, contacts, seconds, callId, cseq: 1, flow: 0, device: this.device } as const;
    return {
      ...this.write(asked, random, '', `v${this.branches}`, from),
      isVouched: true,
      isForeign: from !== this.user,
      host,
      flow: 0,
    };
  }

  get instance(): string {
    return `urn:uuid:00000000-0000-1000-8000-0000000000${10 + (this.host % 90)}`;
  }

  private login(): string {
    if (this.nonce === '') return '';
    const { nonce, user, domain } = this;
    const password = `secret of ${user}`;
    return `Authorization: ${authorization({ nonce, nc: ++this.nc, qop: 'auth', username: user, password, realm: domain })}\r\n`;
  }

  private write(asked: Asked, random: Random, login: string, tag = String(this.boots), from = this.user): Request {
    const { name, user, isStream, host, domain } = this;
    const { kind, contacts, seconds, callId, cseq, flow } = asked;
    const isFlow = isStream && flow !== 0;
    const inHeader = kind === 'star' || random.chance(0.5);
    const s = kind === 'bind' ? seconds : 0;
    const outbound = isFlow ? `;reg-id=1;+sip.instance="<${this.instance}>"` : '';
    const rows = contacts.map((uri) => `Contact: <${uri}>${outbound}${inHeader ? '' : `;expires=${s}`}\r\n`).join('');
    const head =
      `REGISTER sip:${domain} SIP/2.0\r\n` +
      `Via: SIP/2.0/${isFlow ? 'TCP' : 'UDP'} 10.0.0.${host}:5060;branch=z9hG4bK${name}x${++this.branches}\r\n` +
      `Max-Forwards: 70\r\nFrom: <sip:${from}@${domain}>;tag=${name}${tag}\r\nTo: <sip:${user}@${domain}>\r\n` +
      `Call-ID: ${callId}\r\nCSeq: ${cseq} REGISTER\r\n`;
    const text =
      `${head}${isFlow ? 'Supported: path, outbound, gruu\r\n' : ''}${kind === 'star' ? 'Contact: *\r\n' : rows}` +
      `${kind !== 'fetch' && inHeader ? `Expires: ${s}\r\n` : ''}${login}Content-Length: 0\r\n\r\n`;
    const bytes = Buffer.from(text, 'latin1');
    return {
      ...asked,
      ...{
        phone: this,
        bytes,
        host,
        head,
        login,
        first: null,
        isReplay: false,
        isOrder: false,
        isVouched: false,
        isForeign: false,
      },
      ...{ flow, sentAt: 0, life: 0, answer: '' },
    };
  }
}

/** What a contact names to be woken, as phones write it. */
export function deviceIn(contact: string): string {
  const [, provider, prid] = /;pn-provider=([^;]*);pn-prid=([^;]*)/.exec(contact) ?? [];
  return provider === undefined ? '' : `${provider} ${prid}`;
}
