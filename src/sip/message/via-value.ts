// One Via (RFC 3261 §20.42), taken apart and put together.

import { type Params, readParams, writeParams } from './params.ts';

/** A Via to write. */
export interface ViaValue {
  /** `UDP`, `TCP`, `TLS`, `WS` or `WSS`. */
  readonly transport: string;
  /** With the brackets of an IPv6 address. */
  readonly host: string;
  readonly port?: number | null;
  readonly params?: Params;
}

/** A Via of a message. */
export interface Via extends ViaValue {
  readonly port: number | null;
  readonly params: Params;
  readonly branch: string | null;
  /** Destination of an answer over UDP (§18.2.2, RFC 3581): `received` or the host, and `rport` or the port. `maddr` is ignored. */
  readonly address: string;
  readonly answerPort: number;
}

const SENT_PROTOCOL = /^SIP[ \t]*\/[ \t]*2\.0[ \t]*\/[ \t]*([A-Za-z0-9\-.!%*_+`'~]+)[ \t]+(.*)$/i;
const SENT_BY = /^(\[[^\]]*\]|[^:\s]+)(?:[ \t]*:[ \t]*([0-9]{1,5}))?$/;
const SECURE_PORT = 5061;

/** An invalid Via has an empty transport and host. */
export function readVia(text: string): Via {
  const { value, params } = readParams(text);
  const [, transport = '', sentBy = ''] = SENT_PROTOCOL.exec(value) ?? [];
  const [, host = '', digits] = SENT_BY.exec(sentBy.trim()) ?? [];
  const port = digits === undefined ? null : Number(digits);
  const byDefault = /^(TLS|WSS)$/i.test(transport) ? SECURE_PORT : 5060;
  return {
    transport: transport.toUpperCase(),
    host,
    port,
    params,
    branch: params.branch ?? null,
    address: params.received ?? host,
    answerPort: Number(params.rport ?? port ?? byDefault),
  };
}

/** Throws a RangeError for an invalid Via. */
export function writeVia({ transport, host, port = null, params = {} }: ViaValue): string {
  if (!/^[A-Za-z0-9-]+$/.test(transport)) throw new RangeError(`${JSON.stringify(transport)} is no transport`);
  if (!SENT_BY.test(host) || /[;,\s]/.test(host)) throw new RangeError(`${JSON.stringify(host)} is no host`);
  if (port !== null && !(Number.isInteger(port) && port > 0 && port < 65_536))
    throw new RangeError(`${port} is no port`);
  return `SIP/2.0/${transport.toUpperCase()} ${host}${port === null ? '' : `:${port}`}${writeParams(params)}`;
}
