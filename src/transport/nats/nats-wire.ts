// The text protocol of NATS, the client's side (docs.nats.io, "Client Protocol"): its output, and its input as spans of the bytes
// that hold it. No socket and no clock.

/** A message that is incomplete so far, and bytes that are not NATS. */
export const NATS_MORE = 0;
export const NATS_BAD = -1;
/** Kinds of messages. */
export const NATS_INFO = 1;
export const NATS_MSG = 2;
export const NATS_PING = 3;
export const NATS_PONG = 4;
export const NATS_OK = 5;
export const NATS_ERR = 6;

/** Longest line: an INFO with a cluster's addresses has some kilobytes. */
const LINE_BYTES_MAX = 64 << 10;
/** A server's own limit, which cannot be set higher. */
export const PAYLOAD_BYTES_MAX = 64 << 20;

const SPACE = 32;
const TAB = 9;
const CR = 13;
const LF = 10;
const WORDS_MAX = 6;

const text = new TextDecoder('latin1');
const encoder = new TextEncoder();

/** Reads one message at a time out of bytes that grow at their end. Spans are valid as long as the bytes are not moved. */
export class NatsReader {
  /** Offset behind the message: the next one begins there. */
  end = 0;
  /** Parts of NATS_MSG. An empty reply has `replyEnd` 0, a message without headers an empty span of them. */
  sid = 0;
  subjectAt = 0;
  subjectEnd = 0;
  replyAt = 0;
  replyEnd = 0;
  headersAt = 0;
  headersEnd = 0;
  /** Of NATS_MSG the payload; of NATS_INFO and NATS_ERR the rest of the line. */
  payloadAt = 0;
  payloadEnd = 0;
  private readonly wordAt = new Int32Array(WORDS_MAX);
  private readonly wordEnd = new Int32Array(WORDS_MAX);
  private words = 0;

  /** The message at bytes[at, end): its kind, NATS_MORE or NATS_BAD. */
  next(bytes: Uint8Array, at: number, end: number): number {
    const line = bytes.indexOf(LF, at);
    if (line < 0 || line >= end) return end - at > LINE_BYTES_MAX ? NATS_BAD : NATS_MORE;
    const lineEnd = line > at && bytes[line - 1] === CR ? line - 1 : line;
    if (lineEnd - at > LINE_BYTES_MAX) return NATS_BAD;
    this.end = line + 1;
    this.split(bytes, at, lineEnd);
    const verb = this.words === 0 ? '' : this.word(bytes, 0).toUpperCase();
    if (verb === 'MSG' || verb === 'HMSG') return this.message(bytes, verb === 'HMSG', end);
    this.payloadAt = this.words > 1 ? this.wordAt[1] : lineEnd;
    this.payloadEnd = lineEnd;
    if (verb === 'PING') return NATS_PING;
    if (verb === 'PONG') return NATS_PONG;
    if (verb === '+OK') return NATS_OK;
    if (verb === '-ERR') return NATS_ERR;
    return verb === 'INFO' ? NATS_INFO : NATS_BAD;
  }

  subject(bytes: Uint8Array): string {
    return text.decode(bytes.subarray(this.subjectAt, this.subjectEnd));
  }

  reply(bytes: Uint8Array): string {
    return text.decode(bytes.subarray(this.replyAt, this.replyEnd));
  }

  /** The payload, or the rest of the line. */
  payload(bytes: Uint8Array): string {
    return text.decode(bytes.subarray(this.payloadAt, this.payloadEnd));
  }

  /** The status of a message's headers, `NATS/1.0 404 No Messages`: 0 where there is none. */
  status(bytes: Uint8Array): number {
    if (this.headersEnd === this.headersAt) return 0;
    const [, code = '0'] = /^NATS\/1\.0 (\d{3})/.exec(this.headerText(bytes)) ?? [];
    return Number(code);
  }

  /** Value of the header of this name, written as the server writes it; undefined where there is none. */
  header(bytes: Uint8Array, name: string): string | undefined {
    if (this.headersEnd === this.headersAt) return undefined;
    for (const line of this.headerText(bytes).split('\r\n').slice(1)) {
      const colon = line.indexOf(':');
      if (colon === name.length && line.startsWith(name)) return line.slice(colon + 1).trim();
    }
    return undefined;
  }

  private headerText(bytes: Uint8Array): string {
    return text.decode(bytes.subarray(this.headersAt, this.headersEnd));
  }

  /** `MSG subject sid [reply] bytes`, `HMSG subject sid [reply] header-bytes bytes`, then the bytes and CR LF. */
  private message(bytes: Uint8Array, hasHeaders: boolean, end: number): number {
    const sizes = hasHeaders ? 2 : 1;
    const hasReply = this.words === 4 + sizes;
    if (!hasReply && this.words !== 3 + sizes) return NATS_BAD;
    const total = this.number(bytes, this.words - 1);
    const headers = hasHeaders ? this.number(bytes, this.words - 2) : 0;
    this.sid = this.number(bytes, 2);
    if (total < 0 || headers < 0 || headers > total || total > PAYLOAD_BYTES_MAX || this.sid < 0) return NATS_BAD;
    const from = this.end;
    if (end < from + total + 2) return NATS_MORE;
    if (bytes[from + total] !== CR || bytes[from + total + 1] !== LF) return NATS_BAD;
    this.subjectAt = this.wordAt[1];
    this.subjectEnd = this.wordEnd[1];
    this.replyAt = hasReply ? this.wordAt[3] : 0;
    this.replyEnd = hasReply ? this.wordEnd[3] : 0;
    this.headersAt = from;
    this.headersEnd = from + headers;
    this.payloadAt = from + headers;
    this.payloadEnd = from + total;
    this.end = from + total + 2;
    return NATS_MSG;
  }

  private split(bytes: Uint8Array, at: number, end: number): void {
    this.words = 0;
    for (let i = at; i < end && this.words < WORDS_MAX; ) {
      while (i < end && isBlank(bytes[i])) i++;
      if (i === end) return;
      this.wordAt[this.words] = i;
      while (i < end && !isBlank(bytes[i])) i++;
      this.wordEnd[this.words++] = i;
    }
  }

  private word(bytes: Uint8Array, n: number): string {
    return text.decode(bytes.subarray(this.wordAt[n], this.wordEnd[n]));
  }

  /** -1 where the word is no number. */
  private number(bytes: Uint8Array, n: number): number {
    let value = 0;
    for (let i = this.wordAt[n]; i < this.wordEnd[n]; i++) {
      const digit = bytes[i] - 48;
      if (digit < 0 || digit > 9 || value > 1e9) return -1;
      value = value * 10 + digit;
    }
    return value;
  }
}

function isBlank(byte: number): boolean {
  return byte === SPACE || byte === TAB;
}

/** Collects the bytes to send. `bytes` is another array after it has grown. */
export class NatsWriter {
  bytes = new Uint8Array(new ArrayBuffer(64 << 10));
  length = 0;

  /** Without `tls` in `fields` there is no TLS; see the protocol's CONNECT for all fields. */
  connect(fields: Readonly<Record<string, unknown>>): void {
    this.text(`CONNECT ${JSON.stringify(fields)}\r\n`);
  }

  subscribe(subject: string, sid: number): void {
    this.text(`SUB ${subject} ${sid}\r\n`);
  }

  unsubscribe(sid: number): void {
    this.text(`UNSUB ${sid}\r\n`);
  }

  ping(): void {
    this.text('PING\r\n');
  }

  pong(): void {
    this.text('PONG\r\n');
  }

  /** @param reply subject for the answer; empty: no answer is expected @param headers lines, each ended by CR LF; empty: none */
  publish(subject: string, reply: string, headers: string, payload: Uint8Array, length = payload.length): void {
    const to = reply === '' ? subject : `${subject} ${reply}`;
    if (headers === '') this.text(`PUB ${to} ${length}\r\n`);
    else {
      const block = `NATS/1.0\r\n${headers}\r\n`;
      this.text(`HPUB ${to} ${block.length} ${block.length + length}\r\n${block}`);
    }
    this.make(length + 2);
    this.bytes.set(length === payload.length ? payload : payload.subarray(0, length), this.length);
    this.length += length;
    this.bytes[this.length++] = CR;
    this.bytes[this.length++] = LF;
  }

  publishText(subject: string, reply: string, payload: string): void {
    this.publish(subject, reply, '', encoder.encode(payload));
  }

  /** The first `count` bytes have been sent. */
  sent(count: number): void {
    this.bytes.copyWithin(0, count, this.length);
    this.length -= count;
  }

  clear(): void {
    this.length = 0;
  }

  /** ASCII alone. */
  private text(line: string): void {
    this.make(line.length * 3);
    this.length += encoder.encodeInto(line, this.bytes.subarray(this.length)).written;
  }

  private make(more: number): void {
    if (this.length + more <= this.bytes.length) return;
    const larger = new Uint8Array(new ArrayBuffer(Math.max(this.bytes.length * 2, this.length + more)));
    larger.set(this.bytes.subarray(0, this.length));
    this.bytes = larger;
  }
}
