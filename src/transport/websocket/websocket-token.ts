// An access token from a cookie of the handshake (RFC 7118 §7): it replaces the missing credentials of REGISTERs. Pages cannot read such
// cookies, and their scripts should not. It is verified like any other token.

const REGISTER = Buffer.from('REGISTER ');
const LINE_END = Buffer.from('\r\n');
const HEAD_END = Buffer.from('\r\n\r\n');
/** RFC 6750 §2.1. */
const TOKEN = /^[A-Za-z0-9._~+/-]+=*$/;
const AUTHORIZATION = /^authorization[ \t]*:/im;

/** The header row for the token in the cookie of this name; null without one. @param cookies of the handshake @param name '': none */
export function authorizationOf(cookies: string, name: string): Buffer | null {
  if (name === '') return null;
  for (const pair of cookies.split(';')) {
    const [own, ...rest] = pair.split('=');
    const value = rest
      .join('=')
      .trim()
      .replace(/^"(.*)"$/, '$1');
    if (own.trim() === name) return TOKEN.test(value) ? Buffer.from(`Authorization: Bearer ${value}\r\n`) : null;
  }
  return null;
}

/** The message with that row, where it is a REGISTER without credentials and the row fits. @param bytesMax of a message */
export function withAuthorization(message: Uint8Array, row: Buffer, bytesMax: number): Uint8Array {
  const bytes = Buffer.from(message.buffer, message.byteOffset, message.length);
  if (bytes.compare(REGISTER, 0, REGISTER.length, 0, REGISTER.length) !== 0) return message;
  const lineEnd = bytes.indexOf(LINE_END);
  const headEnd = bytes.indexOf(HEAD_END);
  if (lineEnd < 0 || bytes.length + row.length > bytesMax) return message;
  if (AUTHORIZATION.test(bytes.toString('latin1', 0, headEnd < 0 ? bytes.length : headEnd))) return message;
  const behind = lineEnd + LINE_END.length;
  return Buffer.concat([bytes.subarray(0, behind), row, bytes.subarray(behind)]);
}
