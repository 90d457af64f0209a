// Header rows of a message that may change: names in comparable form, values as bytes until they are read.

const decoder = new TextDecoder();
const encoder = new TextEncoder();
const TOKEN = /^[A-Za-z0-9\-.!%*_+`'~]+$/;
const CR_LF = encoder.encode('\r\n');
const COLON = encoder.encode(': ');

/** Compact forms (RFC 3261 §7.3.3 and the RFCs that add some). A map: an object would have a `constructor` by inheritance. */
const LONG: ReadonlyMap<string, string> = new Map(
  Object.entries({
    a: 'Accept-Contact',
    b: 'Referred-By',
    c: 'Content-Type',
    d: 'Request-Disposition',
    e: 'Content-Encoding',
    f: 'From',
    i: 'Call-ID',
    j: 'Reject-Contact',
    k: 'Supported',
    l: 'Content-Length',
    m: 'Contact',
    o: 'Event',
    r: 'Refer-To',
    s: 'Subject',
    t: 'To',
    u: 'Allow-Events',
    v: 'Via',
    x: 'Session-Expires',
    y: 'Identity',
  }),
);

interface Row {
  /** In lower case, long form. */
  readonly key: string;
  readonly name: Uint8Array;
  readonly value: Uint8Array;
}

export class HeaderRows {
  private rows: Row[] = [];

  /** A row as it was received. */
  take(name: Uint8Array, value: Uint8Array): void {
    this.rows.push({ key: keyOf(decoder.decode(name)), name, value });
  }

  all(): [string, string][] {
    return this.rows.map(({ name, value }) => [canonicalName(decoder.decode(name)), decoder.decode(value)]);
  }

  values(name: string): string[] {
    const key = keyOf(name);
    return this.rows.filter((row) => row.key === key).map(({ value }) => decoder.decode(value));
  }

  set(name: string, value: string): void {
    const row = rowOf(name, value);
    const at = this.rows.findIndex(({ key }) => key === row.key);
    this.rows = this.rows.filter(({ key }) => key !== row.key);
    this.rows.splice(at < 0 ? this.rows.length : at, 0, row);
  }

  append(name: string, value: string): void {
    const row = rowOf(name, value);
    const at = this.rows.findLastIndex(({ key }) => key === row.key);
    this.rows.splice(at < 0 ? this.rows.length : at + 1, 0, row);
  }

  prepend(name: string, value: string): void {
    const row = rowOf(name, value);
    const at = this.rows.findIndex(({ key }) => key === row.key);
    this.rows.splice(Math.max(0, at), 0, row);
  }

  remove(name: string): number {
    const key = keyOf(name);
    const before = this.rows.length;
    this.rows = this.rows.filter((row) => row.key !== key);
    return before - this.rows.length;
  }

  /** Removes and returns the first value of the first row; the rest of its list stays. */
  popValue(name: string): string | undefined {
    const key = keyOf(name);
    const at = this.rows.findIndex((row) => row.key === key);
    if (at < 0) return undefined;
    const { value, name: written } = this.rows[at];
    const comma = firstComma(value);
    if (comma < 0) this.rows.splice(at, 1);
    else this.rows[at] = { key, name: written, value: trimmed(value.subarray(comma + 1)) };
    return decoder.decode(comma < 0 ? value : trimmed(value.subarray(0, comma)));
  }

  /** Rows of these names, in the message's order. */
  pick(names: readonly string[]): HeaderRows {
    const keys = names.map(keyOf);
    const picked = new HeaderRows();
    picked.rows = this.rows.filter(({ key }) => keys.includes(key));
    return picked;
  }

  copy(): HeaderRows {
    const copy = new HeaderRows();
    copy.rows = [...this.rows];
    return copy;
  }

  /** All rows and the empty line, with the right Content-Length. */
  bytes(contentLength: number): Uint8Array[] {
    const length = rowOf('Content-Length', String(contentLength));
    const rows = this.rows.filter(({ key }) => key !== 'content-length');
    return [
      ...rows.flatMap(({ name, value }) => [name, COLON, value, CR_LF]),
      length.name,
      COLON,
      length.value,
      CR_LF,
      CR_LF,
    ];
  }
}

/** `v` → `Via`, `call-id` → `Call-ID`. */
export function canonicalName(name: string): string {
  const known = LONG.get(name.toLowerCase());
  if (known !== undefined) return known;
  const lower = name.toLowerCase();
  if (lower === 'call-id' || lower === 'cseq') return lower === 'cseq' ? 'CSeq' : 'Call-ID';
  return name.replace(/(^|-)([a-z])/g, (_, before: string, letter: string) => before + letter.toUpperCase());
}

function keyOf(name: string): string {
  const lower = name.toLowerCase();
  return LONG.get(lower)?.toLowerCase() ?? lower;
}

function rowOf(name: string, value: string): Row {
  if (!TOKEN.test(name)) throw new RangeError(`${JSON.stringify(name)} is no name of a header`);
  if (/[\r\n\0]/.test(value)) throw new RangeError(`a value of ${name} has no line break`);
  return { key: keyOf(name), name: encoder.encode(canonicalName(name)), value: encoder.encode(value.trim()) };
}

/** The first comma outside quotes and angle brackets, -1 where there is none. */
function firstComma(value: Uint8Array): number {
  let quoted = false;
  let bracketed = false;
  for (let i = 0; i < value.length; i++) {
    const char = value[i];
    if (quoted) {
      if (char === 0x5c) i++;
      else if (char === 0x22) quoted = false;
    } else if (char === 0x22) quoted = true;
    else if (char === 0x3c) bracketed = true;
    else if (char === 0x3e) bracketed = false;
    else if (char === 0x2c && !bracketed) return i;
  }
  return -1;
}

function trimmed(value: Uint8Array): Uint8Array {
  let at = 0;
  let end = value.length;
  while (at < end && isSpace(value[at])) at++;
  while (end > at && isSpace(value[end - 1])) end--;
  return value.subarray(at, end);
}

function isSpace(char: number): boolean {
  return char === 0x20 || char === 0x09;
}
