// A phone of the shards' world: over UDP, or over a connection that it opens anew whenever it has none. It registers, refreshes,
// removes, asks, sends old requests again, and now and then boots.

import type { Ask } from './binding-model.ts';
import type { Random } from './random.ts';

/** A request on its way to a shard. */
export interface Delivery {
  readonly phone: ShardPhone;
  readonly ask: Ask;
  readonly what: string;
  readonly bytes: Uint8Array;
  readonly port: number;
  /** The connection; 0 over UDP. */
  readonly flow: number;
  /** What is known of it, however often it is sent. */
  readonly origin: { first?: { readonly text: string; readonly at: number; readonly life: number } };
  answered: boolean;
  handedOver: boolean;
}

/** Of the requests sent, those that may be sent again. */
const REMEMBERED = 4;
const SECONDS = [60, 61, 120, 600, 3600, 7200];
const TOO_BRIEF = 30;

let flowsEver = 0;

export class ShardPhone {
  readonly name: string;
  readonly aor: string;
  readonly host: number;
  readonly uris: readonly string[];
  /** Its bindings live by its connection (RFC 5626). */
  readonly isStream: boolean;
  private readonly random: Random;
  private readonly flows: Set<number>;
  private readonly sent: Delivery[] = [];
  private flow = 0;
  private boots = 0;
  private cseq = 0;
  private requests = 0;
  private sure: Ask | undefined;

  /** @param flows the connections that stand */
  constructor(name: string, aor: string, host: number, random: Random, flows: Set<number>) {
    this.name = name;
    this.aor = aor;
    this.host = host;
    this.random = random;
    this.flows = flows;
    this.isStream = random.chance(0.4);
    const lines = this.isStream ? 1 : random.pick([1, 1, 2]);
    this.uris = Array.from({ length: lines }, (_, line) => `sip:${name}l${line}@10.0.0.${host}:5060`);
  }

  next(): Delivery {
    const { random, sent } = this;
    if (random.chance(0.04)) this.boots++;
    const again = random.chance(0.12) ? sent.find(({ flow }) => flow === 0 || this.flows.has(flow)) : undefined;
    if (again !== undefined) return { ...again };
    const dice = random.next();
    if (dice < 0.12) return this.fetch();
    if (dice < 0.2) return this.request('*', [], true);
    if (dice < 0.3) return this.request('removal', this.contacts(0), false);
    if (dice < 0.33) return this.request('a brief one', this.contacts(TOO_BRIEF), false);
    if (dice < 0.4 && this.uris.length > 1) {
      const [first, ...others] = this.contacts(random.pick(SECONDS));
      return this.request('one and not the other', [{ ...first, seconds: 0 }, ...others], false);
    }
    if (dice < 0.45) return this.request('one', this.contacts(random.pick(SECONDS)).slice(0, 1), false);
    return this.register();
  }

  register(): Delivery {
    return this.request('registration', this.contacts(this.random.pick(SECONDS)), false);
  }

  fetch(): Delivery {
    return this.request('fetch', [], false);
  }

  succeeded(ask: Ask): void {
    this.sure = ask;
  }

  /** Whether this request was the last that drew a 200. */
  isSure(ask: Ask): boolean {
    return this.sure === ask;
  }

  isOver(flow: number): boolean {
    return this.isStream && this.flow === flow;
  }

  private contacts(seconds: number): { readonly uri: string; readonly seconds: number }[] {
    return this.uris.map((uri) => ({ uri, seconds }));
  }

  private request(what: string, contacts: Ask['contacts'], star: boolean): Delivery {
    if (this.isStream && !this.flows.has(this.flow)) {
      this.flow = ++flowsEver;
      this.flows.add(this.flow);
    }
    const ask = { callId: `${this.name}-${this.boots}`, cseq: ++this.cseq, contacts, star };
    const bytes = Buffer.from(this.text(ask), 'latin1');
    const port = this.isStream ? 20_000 + (this.flow % 20_000) : 5060;
    const delivery: Delivery = {
      phone: this,
      ask,
      what: `${what} ${ask.callId} ${ask.cseq}`,
      bytes,
      port,
      flow: this.isStream ? this.flow : 0,
      origin: {},
      answered: false,
      handedOver: false,
    };
    this.sent.unshift(delivery);
    this.sent.length = Math.min(this.sent.length, REMEMBERED);
    return delivery;
  }

  private text({ contacts, star, callId, cseq }: Ask): string {
    const instance = `<urn:uuid:00000000-0000-4000-8000-${String(this.host).padStart(12, '0')}>`;
    const flow = this.isStream ? `;+sip.instance="${instance}";reg-id=1` : '';
    const rows = contacts.map(({ uri, seconds }) => `Contact: <${uri}>${flow};expires=${seconds}\r\n`).join('');
    return (
      'REGISTER sip:example.com SIP/2.0\r\n' +
      `Via: SIP/2.0/${this.isStream ? 'TCP' : 'UDP'} 10.0.0.${this.host}:5060;branch=z9hG4bK${this.name}${++this.requests}\r\n` +
      `Max-Forwards: 70\r\nFrom: <sip:${this.aor}>;tag=${this.name}\r\nTo: <sip:${this.aor}>\r\nCall-ID: ${callId}\r\n` +
      `CSeq: ${cseq} REGISTER\r\n${this.isStream ? 'Supported: outbound, path\r\n' : ''}` +
      `${star ? 'Contact: *\r\nExpires: 0\r\n' : rows}Content-Length: 0\r\n\r\n`
    );
  }
}
