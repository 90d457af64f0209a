// A phone's messages as they pass, from the server, and the label of each on a ladder.

import type { AdminClient } from '../terminal/admin-client.ts';

export interface Endpoint {
  readonly address: string;
  readonly port: number;
}

export interface FollowedMessage {
  /** Epoch ms. */
  readonly at: number;
  readonly isReceived: boolean;
  readonly transport: string;
  readonly peer: Endpoint;
  readonly local: Endpoint;
  readonly bytes: Buffer;
}

/** Ends with the connection. @param missed is told how many messages could not be sent in time */
export async function* followMessages(
  client: AdminClient,
  name: string,
  missed: (count: number) => void,
): AsyncGenerator<FollowedMessage> {
  for await (const { event, data } of client.events(`/v1/traces/${encodeURIComponent(name)}/messages`)) {
    if (event === 'gap') missed((JSON.parse(data) as { missed: number }).missed);
    else if (event === 'message') {
      const told = JSON.parse(data) as Omit<FollowedMessage, 'bytes'> & { readonly bytes: string };
      yield { ...told, bytes: Buffer.from(told.bytes, 'base64') };
    }
  }
}

export function endpointText({ address, port }: Endpoint): string {
  return `${address.includes(':') ? `[${address}]` : address}:${port}`;
}

export function timeText(at: number): string {
  const date = new Date(at);
  return `${date.toTimeString().slice(0, 8)}.${String(date.getMilliseconds()).padStart(3, '0')}`;
}

/** Method with CSeq and its special features, or status and phrase. */
export function labelOf({ bytes }: FollowedMessage): string {
  const text = bytes.toString('utf8');
  const first = text.slice(0, Math.max(0, text.search(/\r?\n/)));
  const status = /^SIP\/2\.0 (\d{3}) ?(.*)$/.exec(first);
  if (status !== null) return `${status[1]} ${status[2]}`.trim();
  const method = first.split(' ')[0];
  const header = (name: string) => new RegExp(`^${name}[ \\t]*:[ \\t]*(.*?)\\r?$`, 'im').exec(text)?.[1];
  const notes = [
    header('Expires') === '0' || /;expires=0\b/i.test(header('(?:Contact|m)') ?? '') ? 'removes' : undefined,
    /^(?:Proxy-)?Authorization[ \t]*:/im.test(text) ? 'with credentials' : undefined,
  ].filter((note) => note !== undefined);
  const cseq = header('CSeq')?.split(/[ \t]/)[0];
  return [method, ...(cseq === undefined ? [] : [cseq]), ...(notes.length > 0 ? [`(${notes.join(', ')})`] : [])].join(
    ' ',
  );
}
