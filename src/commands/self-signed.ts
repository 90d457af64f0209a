// A self-signed certificate for a first try (X.509 v3, ECDSA P-256), encoded in DER here: Node makes keys and signatures,
// but no certificates. Names, dates and files come in as arguments.

import { generateKeyPairSync, randomBytes, sign } from 'node:crypto';
import { isIP } from 'node:net';
import { parseIp } from '../sip/ip.ts';

export interface SelfSigned {
  /** PEM. */
  readonly cert: string;
  readonly key: string;
}

const SEQUENCE = 0x30;
const SET = 0x31;
const INTEGER = 0x02;
const BIT_STRING = 0x03;
const OCTET_STRING = 0x04;
const UTF8 = 0x0c;
const UTC_TIME = 0x17;
const GENERALIZED_TIME = 0x18;
const CONTEXT = 0xa0;
// Tags of a GeneralName.
const NAME_DNS = 0x82;
const NAME_URI = 0x86;
const NAME_IP = 0x87;

const ECDSA_WITH_SHA256 = '06082a8648ce3d040302';
const COMMON_NAME = '0603550403';
const SUBJECT_ALT_NAME = '0603551d11';
const BASIC_CONSTRAINTS = '0603551d13';
const KEY_USAGE = '0603551d0f';
const EXT_KEY_USAGE = '0603551d25';
const SERVER_AUTH = '06082b06010505070301';
const CLIENT_AUTH = '06082b06010505070302';
const TRUE = '0101ff';

/**
 * @param names domains and IP addresses, the first of which is the subject; each domain is also added as a SIP identity (RFC
 * 5922 §7.1)
 */
export function selfSigned(names: readonly string[], from: Date, days: number): SelfSigned {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const algorithm = der(SEQUENCE, hex(ECDSA_WITH_SHA256));
  const name = der(SEQUENCE, der(SET, der(SEQUENCE, hex(COMMON_NAME), der(UTF8, Buffer.from(names[0])))));
  const serial = randomBytes(16);
  serial[0] = (serial[0] & 0x7f) | 0x40;
  const body = der(
    SEQUENCE,
    der(CONTEXT, der(INTEGER, Buffer.of(2))),
    der(INTEGER, serial),
    algorithm,
    name,
    der(SEQUENCE, time(from), time(new Date(from.getTime() + days * 86_400_000))),
    name,
    publicKey.export({ type: 'spki', format: 'der' }),
    der(CONTEXT + 3, der(SEQUENCE, ...extensions(names))),
  );
  const signature = sign('sha256', body, privateKey);
  const cert = der(SEQUENCE, body, algorithm, der(BIT_STRING, Buffer.of(0), signature));
  return { cert: pem('CERTIFICATE', cert), key: String(privateKey.export({ type: 'pkcs8', format: 'pem' })) };
}

function extensions(names: readonly string[]): Buffer[] {
  const digitalSignature = der(BIT_STRING, Buffer.of(7, 0x80));
  return [
    extension(SUBJECT_ALT_NAME, false, der(SEQUENCE, ...names.flatMap(generalNames))),
    extension(BASIC_CONSTRAINTS, true, der(SEQUENCE)),
    extension(KEY_USAGE, true, digitalSignature),
    extension(EXT_KEY_USAGE, false, der(SEQUENCE, hex(SERVER_AUTH), hex(CLIENT_AUTH))),
  ];
}

function extension(id: string, critical: boolean, value: Buffer): Buffer {
  return der(SEQUENCE, hex(id), critical ? hex(TRUE) : Buffer.alloc(0), der(OCTET_STRING, value));
}

function generalNames(name: string): Buffer[] {
  const family = isIP(name);
  if (family === 0) return [der(NAME_URI, Buffer.from(`sip:${name}`)), der(NAME_DNS, Buffer.from(name))];
  const bytes = new Uint8Array(16);
  parseIp(name, bytes, 0);
  return [der(NAME_IP, Buffer.from(bytes.subarray(0, family === 4 ? 4 : 16)))];
}

/** RFC 5280 §4.1.2.5: two digits of the year until 2049. */
function time(date: Date): Buffer {
  const text = `${date.toISOString().slice(0, 19).replace(/[-:T]/g, '')}Z`;
  return text < '2050' ? der(UTC_TIME, Buffer.from(text.slice(2))) : der(GENERALIZED_TIME, Buffer.from(text));
}

function der(tag: number, ...parts: readonly Uint8Array[]): Buffer {
  const content = Buffer.concat(parts);
  const { length } = content;
  if (length < 128) return Buffer.concat([Buffer.of(tag, length), content]);
  if (length < 256) return Buffer.concat([Buffer.of(tag, 0x81, length), content]);
  return Buffer.concat([Buffer.of(tag, 0x82, length >> 8, length & 255), content]);
}

function hex(text: string): Buffer {
  return Buffer.from(text, 'hex');
}

function pem(label: string, bytes: Buffer): string {
  const lines = bytes.toString('base64').match(/.{1,64}/g) ?? [];
  return `-----BEGIN ${label}-----\n${lines.join('\n')}\n-----END ${label}-----\n`;
}
