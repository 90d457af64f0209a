// A message parsed by aorta/parser, as plain types.

import type { Leniency } from './sip/parser/strictness.ts';

export interface SipUri {
  /** 'sip', 'sips', 'tel', or null for any other. */
  readonly scheme: 'sip' | 'sips' | 'tel' | null;
  readonly text: string;
  /** As sent, escapes included; for schemes other than sip and sips the whole text after the colon. */
  readonly user: string | null;
  readonly password: string | null;
  readonly host: string | null;
  readonly port: number | null;
  /** Text from the first ";" on. */
  readonly params: string | null;
  /** Text from the "?" on. */
  readonly headers: string | null;
}

export interface SipAddress {
  readonly text: string;
  /** As sent, with its quotes. */
  readonly display: string | null;
  readonly uri: SipUri;
  readonly tag: string | null;
}

export interface SipVia {
  readonly text: string;
  readonly transport: string;
  readonly host: string;
  readonly port: number | null;
  readonly branch: string | null;
  readonly rport: string | null;
  readonly received: string | null;
  readonly maddr: string | null;
}

export interface SipContact {
  readonly text: string;
  readonly display: string | null;
  readonly uri: SipUri;
  /** Seconds; null without the parameter, NaN where it is no number. */
  readonly expires: number | null;
  /** 0 to 1; null without the parameter, NaN where it is invalid. */
  readonly q: number | null;
  /** +sip.instance without its quotes. */
  readonly instance: string | null;
  readonly regId: number | null;
  /** Every parameter as sent; null without "=". */
  readonly params: Readonly<Record<string, string | null>>;
}

export interface SipHeader {
  /** As sent. */
  readonly name: string;
  /** Trimmed, folds undone. */
  readonly value: string;
}

export interface SipError {
  /** Stable number: E_* in docs/parser.md. */
  readonly code: number;
  /** The words of a 400's reason phrase. */
  readonly reason: string;
  /** Its place, in bytes from the start of the message. */
  readonly offset: number;
  /** Its header, in lower case; null for the start line and for headers without a name of their own here. */
  readonly header: string | null;
}

export interface ParseOptions {
  /** Leniencies to switch off; true for all (docs/parser.md). */
  readonly strict?: readonly Leniency[] | boolean;
}

/** The message as a plain object: strings and numbers only, free of the parser's memory. */
export interface PlainMessage {
  readonly kind: 'request' | 'response';
  readonly error: SipError | null;
  readonly method: string | null;
  readonly requestUri: SipUri | null;
  readonly status: number | null;
  /** The phrase of a response; null in a request. */
  readonly reason: string | null;
  readonly from: SipAddress | null;
  readonly to: SipAddress | null;
  readonly callId: string | null;
  readonly cseq: { readonly number: number; readonly method: string } | null;
  readonly maxForwards: number | null;
  readonly expires: number | null;
  readonly contentLength: number | null;
  readonly vias: readonly SipVia[];
  readonly contacts: readonly SipContact[];
  /** Number of Contact values that are "*". */
  readonly stars: number;
  readonly headers: readonly SipHeader[];
  readonly body: string;
}
