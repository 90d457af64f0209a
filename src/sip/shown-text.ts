// Bytes chosen by phones, as text for people and programs: no character moves a cursor, changes the direction of writing or
// gets lost. An address is escaped like a URI (RFC 3261 §19.1.2), so that its shown form can be used again.

/** Invisible or misleading: C0, DEL, C1, characters that change the direction of writing, line and paragraph separators, surrogates. */
const UNSEEN = /[\p{Cc}\p{Cs}\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069\ufeff]/u;
const EACH_UNSEEN = new RegExp(UNSEEN, 'gu');

/** Characters without an escape in the user of an AOR: printable ASCII except `"`, `%`, `:`, `<`, `>` and `@`. */
const PLAIN = new Uint8Array(256);
for (let code = 0x21; code < 0x7f; code++) PLAIN[code] = '"%:<>@'.includes(String.fromCharCode(code)) ? 0 : 1;

const fatal = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** A canonical AOR, user@host, of bytes[at, end). Read as a SIP URI, it is the same AOR. */
export function aorText(bytes: Uint8Array, at: number, end: number): string {
  let host = end;
  while (host > at && bytes[host - 1] !== 0x40) host--;
  let plain = true;
  for (let p = at; p < host - 1 && plain; p++) plain = PLAIN[bytes[p]] === 1;
  if (plain) return Buffer.from(bytes.buffer, bytes.byteOffset + at, end - at).toString('latin1');
  const user = pieces(bytes, at, host - 1).map((piece) =>
    typeof piece === 'number' || UNSEEN.test(piece) || (piece < '\u0080' && PLAIN[piece.charCodeAt(0)] === 0)
      ? percent(piece)
      : piece,
  );
  return `${user.join('')}@${Buffer.from(bytes.buffer, bytes.byteOffset + host, end - host).toString('latin1')}`;
}

/** A URI, or several: invisible characters are escaped, all others stay. */
export function uriText(bytes: Uint8Array, at: number, end: number): string {
  return shown(bytes, at, end, percent);
}

/** Any other text: `\u001b` for an invisible character, `\xff` for a byte that is not UTF-8. */
export function shownText(bytes: Uint8Array, at: number, end: number): string {
  return shown(bytes, at, end, (piece) =>
    typeof piece === 'number' ? `\\x${piece.toString(16).padStart(2, '0')}` : escapeUnseen(piece),
  );
}

/** The same for a string. A JSON text stays JSON, with the same meaning. */
export function escapeUnseen(text: string): string {
  if (!UNSEEN.test(text)) return text;
  return text.replace(EACH_UNSEEN, (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`);
}

function shown(bytes: Uint8Array, at: number, end: number, escaped: (piece: string | number) => string): string {
  const view = Buffer.from(bytes.buffer, bytes.byteOffset + at, end - at);
  const text = view.toString();
  if (!text.includes('\ufffd') && !UNSEEN.test(text)) return text;
  return pieces(bytes, at, end)
    .map((piece) => (typeof piece === 'number' || UNSEEN.test(piece) ? escaped(piece) : piece))
    .join('');
}

/** The characters of UTF-8 text, and the bytes between them that are not UTF-8. */
function pieces(bytes: Uint8Array, at: number, end: number): (string | number)[] {
  const found: (string | number)[] = [];
  for (let p = at; p < end; ) {
    const length = lengthOf(bytes[p]);
    const text = p + length <= end ? decode(bytes.subarray(p, p + length)) : undefined;
    found.push(text ?? bytes[p]);
    p += text === undefined ? 1 : length;
  }
  return found;
}

function lengthOf(first: number): number {
  if (first < 0xc0) return 1;
  if (first < 0xe0) return 2;
  return first < 0xf0 ? 3 : 4;
}

function decode(bytes: Uint8Array): string | undefined {
  try {
    return fatal.decode(bytes);
  } catch {
    return undefined;
  }
}

function percent(piece: string | number): string {
  const bytes = typeof piece === 'number' ? [piece] : Buffer.from(piece);
  return Array.from(bytes, (byte) => `%${byte.toString(16).toUpperCase().padStart(2, '0')}`).join('');
}
