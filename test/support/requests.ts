// Requests other than REGISTER, and what tests of the registrar's rules say often. Text in, text out.

import { type Answer, type RegisterOptions, register, type VirtualShard } from './virtual-shard.ts';

export interface RequestOptions {
  readonly method: string;
  readonly uri?: string;
  readonly version?: string;
  readonly via?: string;
  readonly branch?: string;
  readonly from?: string;
  readonly to?: string;
  readonly callId?: string;
  /** The whole value of CSeq. */
  readonly cseq?: string;
  readonly extra?: readonly string[];
  readonly body?: string;
}

let made = 0;

/** A request of any method for the served domain, well formed unless `options` say otherwise. */
export function request(options: RequestOptions): string {
  const n = ++made;
  const body = options.body ?? '';
  const lines = [
    `${options.method} ${options.uri ?? 'sip:example.com'} ${options.version ?? 'SIP/2.0'}`,
    `Via: ${options.via ?? `SIP/2.0/UDP 192.0.2.9:5060;branch=${options.branch ?? `z9hG4bKr${n}`};rport`}`,
    'Max-Forwards: 70',
    `From: ${options.from ?? `<sip:carol@example.org>;tag=r${n}`}`,
    `To: ${options.to ?? '<sip:example.com>'}`,
    `Call-ID: ${options.callId ?? `request-${n}`}`,
    `CSeq: ${options.cseq ?? `1 ${options.method}`}`,
    ...(options.extra ?? []),
    `Content-Length: ${body.length}`,
  ];
  return `${lines.join('\r\n')}\r\n\r\n${body}`;
}

/** A request's text without the header lines that start with `name`. */
export function without(text: string, name: string): string {
  return text.replace(new RegExp(`^${name}:.*\r\n`, 'm'), '');
}

let fetches = 0;

/** The bindings of an AOR as a fetch (REGISTER without Contact) shows them: URI to seconds left, in order. */
export function bindings(shard: VirtualShard, to = '<sip:alice@example.com>', requestUri = 'sip:example.com'): Row[] {
  const answer = answered(shard, register({ to, requestUri, callId: `fetch-${++fetches}`, from: `${to};tag=fetch` }));
  if (answer.status !== 200) throw new Error(`fetch: ${answer.text}`);
  return answer.contacts.map(({ uri, expires }) => ({ uri, expires }));
}

export interface Row {
  readonly uri: string;
  readonly expires: number;
}

/** The URIs alone. */
export function uris(shard: VirtualShard, to?: string, requestUri?: string): string[] {
  return bindings(shard, to, requestUri).map(({ uri }) => uri);
}

/** Sends one message and insists on an answer. */
export function answered(shard: VirtualShard, message: string, source = {}): Answer {
  const answer = shard.send(message, source);
  if (answer === undefined) throw new Error(`no answer to: ${message}`);
  return answer;
}

/** Registers, and gives the status. */
export function statusOf(shard: VirtualShard, options: RegisterOptions): number {
  return answered(shard, register(options)).status;
}

let wide = 0;

/** Draws so many large answers that the ring of answers, as small as it gets, has gone round. */
export function overwriteAnswers(shard: VirtualShard): void {
  for (let i = 0; i < 400; i++) {
    const via = `SIP/2.0/UDP 192.0.2.9:5060;branch=z9hG4bKwide${++wide};rport;x=${'y'.repeat(60_000)}`;
    shard.send(request({ method: 'OPTIONS', via }));
  }
}
