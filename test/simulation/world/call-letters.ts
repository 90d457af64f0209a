// Messages of callers and others that are no phones, as bytes.

import type { Message } from './machine.ts';
import type { Phone } from './phone.ts';

export type LetterKind = 'INVITE' | 'OPTIONS' | 'ACK' | 'CANCEL' | 'crlf' | 'stun' | 'scanner' | 'guess';

export interface Letter extends Message {
  readonly kind: LetterKind;
  /** Number of the AOR that it is about. */
  readonly n: number;
  /** In its Request-URI. */
  readonly user: string;
  readonly isAlias: boolean;
  /** Whose GRUU it asks for. */
  readonly device: Phone | null;
  /** Call-ID; of STUN cookie and transaction. */
  readonly id: string;
}

interface Asking {
  readonly n: number;
  readonly user: string;
  readonly device: Phone | null;
  readonly host: number;
  readonly isStream: boolean;
}

/** A connection that no binding lives by. */
const CALLERS_FLOW = 0x7fff_0000;
const NOBODY = { n: 0, user: '', isAlias: false, device: null, flow: 0, isOrder: false };

export class CallLetters {
  private count = 0;

  request(kind: 'INVITE' | 'OPTIONS', asking: Asking): Letter {
    const { n, user, device, host, isStream } = asking;
    const id = `call${++this.count}@caller`;
    const bytes = requestOf(kind, { uri: uriOf(user, device), to: '', id, host, isStream });
    const flow = isStream ? CALLERS_FLOW + this.count : 0;
    return { kind, n, user, isAlias: user !== `u${n}`, device, id, host, bytes, flow, isOrder: false };
  }

  /** The ACK or the CANCEL of an INVITE, hop by hop: of its transaction. */
  about({ user, device, id, host }: Letter, kind: 'ACK' | 'CANCEL', answer: string): Pick<Letter, 'kind' | 'bytes'> {
    const to = kind === 'ACK' ? (/^To: .*(;tag=[^\r]*)\r$/m.exec(answer)?.[1] ?? '') : '';
    return { kind, bytes: requestOf(kind, { uri: uriOf(user, device), to, id, host, isStream: false }) };
  }

  keepAlive(kind: 'crlf' | 'stun'): Letter {
    if (kind === 'crlf') return { ...NOBODY, kind, id: '', host: 102, bytes: Buffer.from('\r\n\r\n') };
    const bytes = Buffer.alloc(20);
    bytes.writeUInt32BE(0x0001_0000, 0);
    bytes.writeUInt32BE(0x2112_a442, 4);
    bytes.writeUInt32BE(++this.count, 16);
    return { ...NOBODY, kind, id: bytes.toString('latin1', 4, 20), host: 103, bytes };
  }
}

function uriOf(user: string, device: Phone | null): string {
  return `sip:${user}@example.com${device === null ? '' : `;gr=${device.instance}`}`;
}

interface Head {
  readonly uri: string;
  /** What stands behind To. */
  readonly to: string;
  readonly id: string;
  readonly host: number;
  readonly isStream: boolean;
}

function requestOf(method: string, { uri, to, id, host, isStream }: Head): Buffer {
  return Buffer.from(
    `${method} ${uri} SIP/2.0\r\n` +
      `Via: SIP/2.0/${isStream ? 'TCP' : 'UDP'} 10.0.0.${host}:5060;branch=z9hG4bK${id}\r\n` +
      `Max-Forwards: 70\r\nFrom: <sip:caller@example.org>;tag=${id}\r\nTo: <${uri}>${to}\r\n` +
      `Call-ID: ${id}\r\nCSeq: 1 ${method}\r\nContact: <sip:caller@10.0.0.${host}>\r\nContent-Length: 0\r\n\r\n`,
    'latin1',
  );
}
