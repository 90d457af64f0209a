// Plain refreshes in WebAssembly (simd/refresh.ts): the image that the request would make, its comparison with the binding's,
// and the 200, in one call. What is unusual is left to the TypeScript of plain-refresh.ts, contact-list.ts and response.ts, which
// says what is right: both give the same bytes (test/core/register/quick-refresh.test.ts).
// @hot

import { renderDate } from '../../sip/date.ts';
import { writeIp } from '../../sip/ip.ts';
import { memory as theMemory, table as theTable } from '../../sip/parser/slab.ts';
import { T_BODY_END, T_CONTACTS, T_METHOD_AT } from '../../sip/parser/span-table.ts';
import { TRANSPORT_UDP } from '../../sip/sources.ts';
import { ascii, Writer } from '../../sip/writer.ts';
import { IMAGE_BY_CONTACT } from '../binding/image-layout.ts';
import type { PlainBinding } from '../binding/plain-binding.ts';
import type { Outbox } from '../uas/outbox.ts';
import type { Policy } from '../uas/policy.ts';
import * as at from '../wasm/refresh-memory.ts';
import { keyWords, requestModule, aorText as theAorText } from '../wasm/request-module.ts';
import { imageFlags } from './contact-reach.ts';
import type { HomeHeaders } from './domain-headers.ts';
import { type Gruus, IN_USER, IN_VALUE } from './gruu.ts';
import type { Identity } from './plain-refresh.ts';

/** What becomes of a request: it is none for the module; it would leave another binding; the 200 is in the outbox. */
export const NOT_QUICK = -1;
export const OTHER_BINDING = 0;

const table = theTable;
const memory = theMemory;
const module = requestModule;
const aorText = theAorText;

const told = new Int32Array(memory.buffer, at.REFRESH_IN, at.REFRESH_IN_WORDS);
const ipText = new Uint8Array(memory.buffer, at.IP_TEXT, 64);
const homeText = new Uint8Array(memory.buffer, at.HOME_TEXT, at.HOME_TEXT_BYTES);
const texts = new Uint8Array(memory.buffer, at.TEXTS_AT, at.TEXT_COUNT * at.TEXT_BYTES);
/** By length: the answer. */
const answers: (Uint8Array | undefined)[] = new Array(at.ANSWER_BYTES).fill(undefined);

const DATE_AT = at.TEXT_END * at.TEXT_BYTES + 'Date: '.length;

/** TEXT_* that are the same for every registrar. */
const CONSTANTS: readonly (readonly [number, string])[] = [
  [at.TEXT_STATUS, 'SIP/2.0 200 OK'],
  [at.TEXT_VIA, '\r\nVia: '],
  [at.TEXT_FROM, '\r\nFrom: '],
  [at.TEXT_TO, '\r\nTo: '],
  [at.TEXT_CALL_ID, '\r\nCall-ID: '],
  [at.TEXT_CSEQ, '\r\nCSeq: '],
  [at.TEXT_TAG, ';tag='],
  [at.TEXT_RPORT, ';rport='],
  [at.TEXT_RECEIVED, ';received='],
  [at.TEXT_CONTACT, 'Contact: '],
  [at.TEXT_PUB_GRUU, ';pub-gruu="'],
  [at.TEXT_TEMP_GRUU, '";temp-gruu="'],
  [at.TEXT_EXPIRES, ';expires='],
  [at.TEXT_PATH, 'Path: '],
  [at.TEXT_END, 'Date: Thu, 01 Jan 1970 00:00:00 GMT\r\nContent-Length: 0\r\n\r\n'],
];

for (const [number, text] of CONSTANTS) setText(number, text);
new Uint8Array(memory.buffer, at.PLAIN_IN_USER, 256).set(IN_USER);
new Uint8Array(memory.buffer, at.PLAIN_IN_VALUE, 256).set(IN_VALUE);

/** Whose keys and texts the module's memory holds, and the second that its Date names. */
const holds: { of: QuickRefresh | null; second: number } = { of: null, second: 0 };

/** @cold */
function setText(number: number, text: string): void {
  const bytes = ascii(text);
  texts.set(bytes, number * at.TEXT_BYTES);
  texts[(number + 1) * at.TEXT_BYTES - 1] = bytes.length;
}

function setWords(index: number, bytes: Uint8Array): void {
  const words = keyWords(bytes);
  for (let i = 0; i < 4; i++) told[index + i] = words[i];
}

export class QuickRefresh {
  private readonly policy: Policy;
  private readonly gruus: Gruus | null;
  private readonly home: HomeHeaders;
  private readonly rows = new Writer();
  private identity: Identity | null = null;

  constructor(policy: Policy, gruus: Gruus | null, home: HomeHeaders) {
    this.policy = policy;
    this.gruus = gruus;
    this.home = home;
  }

  /**
   * NOT_QUICK, OTHER_BINDING, or the length of the 200 that it has written.
   * @param granted seconds
   */
  refresh(out: Outbox, binding: PlainBinding, identity: Identity, granted: number): number {
    const { peers, peer } = out;
    if (table[T_BODY_END] - table[T_METHOD_AT] > at.REQUEST_BYTES_MAX || out.aorLength > at.AOR_TEXT_BYTES)
      return NOT_QUICK;
    const byContact = (imageFlags(T_CONTACTS, out) & IMAGE_BY_CONTACT) !== 0;
    if (!byContact && this.isCutOff(out)) return NOT_QUICK;
    if (holds.of !== this || this.identity !== identity) this.settle(identity);
    told[at.IN_IDENTITY] = binding.identityHigh;
    told[at.IN_IDENTITY + 1] = binding.identityLow;
    told[at.IN_EPOCH] = binding.epoch;
    told[at.IN_FLAGS] =
      (out.direct ? at.IS_DIRECT : 0) | (out.flows ? at.IS_FLOW : 0) | (byContact ? at.IS_BY_CONTACT : 0);
    told[at.IN_SECONDS] = granted;
    told[at.IN_TAG] = out.tagHigh;
    told[at.IN_TAG + 1] = out.tagLow;
    told[at.IN_AOR_LENGTH] = out.aorLength;
    for (let i = 0; i < 4; i++) told[at.IN_AOR_KEY + i] = out.aorKey[i];
    told[at.IN_SOURCE_KIND] = peers.family[peer] | (peers.transport[peer] << 8) | (peers.listener[peer] << 16);
    told[at.IN_PORT] = peers.port[peer];
    told[at.IN_FLOW] = peers.flow[peer];
    for (let i = 0, ip = peer << 4; i < 4; i++, ip += 4)
      told[at.IN_IP + i] = peers.ip[ip] | (peers.ip[ip + 1] << 8) | (peers.ip[ip + 2] << 16) | (peers.ip[ip + 3] << 24);
    told[at.IN_IP_LENGTH] = peers.family[peer] === 6 ? writeIp(peers, peer, ipText) : 0;
    if (out.aor !== aorText) for (let i = 0; i < out.aorLength; i++) aorText[i] = out.aor[i];
    if (!this.writeHome(out)) return NOT_QUICK;
    const second = Math.floor(out.now / 1000);
    if (second !== holds.second) {
      holds.second = second;
      renderDate(second, texts, DATE_AT);
    }
    return this.take(out, module.refresh());
  }

  /** Its connection has ended meanwhile: then the answer leaves the binding out (live-flow.ts). */
  private isCutOff({ peers, peer, direct, liveFlows }: Outbox): boolean {
    if (peers.transport[peer] === TRANSPORT_UDP || !direct || liveFlows === null) return false;
    return !liveFlows.isAlive(peers.flow[peer]);
  }

  /** Brings the answer to where answers are sent from. */
  private take(out: Outbox, length: number): number {
    if (length === 0) return OTHER_BINDING;
    const w = out.answer;
    if (w.overflow || w.at + length > w.limit) return NOT_QUICK;
    w.bytes.set(answers[length] ?? answerOf(length), w.at);
    w.at += length;
    out.status = 200;
    return length;
  }

  /** False: there are more rows than the module has room for. */
  private writeHome(out: Outbox): boolean {
    told[at.IN_HOME_LENGTH] = 0;
    if (this.home.isEmpty) return true;
    const { rows } = this;
    rows.start(homeText, 0, at.HOME_TEXT_BYTES);
    this.home.write(out, rows);
    told[at.IN_HOME_LENGTH] = rows.at;
    return !rows.overflow;
  }

  /** Another registrar's request was the last one: what is this one's goes into the memory. @cold */
  private settle(identity: Identity): void {
    const { gruus, policy } = this;
    told[at.IN_POLICY] = (gruus === null ? 0 : at.ANSWERS_GRUUS) | (policy.path === 'off' ? 0 : at.ANSWERS_PATH);
    setWords(at.IN_IDENTITY_KEY, identity.key);
    if (gruus !== null) setWords(at.IN_CODE_KEY, gruus.codeKey);
    if (gruus !== null) setWords(at.IN_STREAM_KEY, gruus.streamKey);
    setText(at.TEXT_SUPPORTED, policy.outbound === 'off' ? 'Supported: path\r\n' : 'Supported: path, outbound\r\n');
    const timer = policy.flowTimerS === 0 ? '' : `Flow-Timer: ${policy.flowTimerS}\r\n`;
    setText(at.TEXT_FLOW, `Require: outbound\r\n${timer}`);
    setText(at.TEXT_FLOW_BEHIND, 'Require: outbound\r\n');
    this.identity = identity;
    holds.of = this;
  }
}

/** Once for each length. @cold */
function answerOf(length: number): Uint8Array {
  const answer = new Uint8Array(memory.buffer, at.ANSWER, length);
  answers[length] = answer;
  return answer;
}
