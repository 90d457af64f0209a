// What the registrar's module writes against the oracle, over one message at a time: keys, the frame of an answer, images and their
// identities, Contact rows with GRUUs, rows of extensions, and the answer to a refresh.

import { seeded } from '../../src/commands/bench/sample-messages.ts';
import { setEpoch } from '../../src/core/binding/binding.ts';
import { Identity } from '../../src/core/binding/identity.ts';
import { writeImage } from '../../src/core/register/binding-writer.ts';
import { listContacts } from '../../src/core/register/contact/contact-list.ts';
import { contactSpelling } from '../../src/core/register/contact/contact-spelling.ts';
import { shownExtensions, shownFlowTimer } from '../../src/core/register/extensions.ts';
import { Gruus } from '../../src/core/register/gruu.ts';
import { refreshBinding } from '../../src/core/register/refresh.ts';
import { ShardExchange } from '../../src/core/uas/exchange.ts';
import { PHRASE } from '../../src/core/uas/phrases.ts';
import { DEFAULT_POLICY, type Policy } from '../../src/core/uas/policy.ts';
import { RequestKeys } from '../../src/core/uas/request-keys.ts';
import { canAnswer, startResponse } from '../../src/core/uas/response.ts';
import { requestModule } from '../../src/core/wasm/request-module.ts';
import { RowCopy } from '../../src/location/table/binding-row.ts';
import { E_OK } from '../../src/sip/parser/parse-error.ts';
import { parse } from '../../src/sip/parser/parser.ts';
import { slab, slotStart, table } from '../../src/sip/parser/slab.ts';
import {
  CONTACT_INTS,
  KIND_REQUEST,
  OPTION_GRUU,
  T_CONTACT_COUNT,
  T_CONTACTS,
  T_KIND,
  T_REQUIRE,
  T_SUPPORTED,
  T_TO,
} from '../../src/sip/parser/span-table.ts';
import { createPeers } from '../../src/sip/sources.ts';
import { canonicalAor } from '../../src/sip/uri/uri.ts';
import { AS_SENT, UNWRITABLE } from '../../src/sip/uri/uri-spelling.ts';
import { Writer } from '../../src/sip/writer.ts';
import { writeImage as oracleImage } from './binding-writer.ts';
import { listContacts as oracleContacts } from './contact-list.ts';
import { writeExtensions as oracleExtensions } from './extensions.ts';
import { Gruus as OracleGruus } from './gruu.ts';
import { RequestKeys as OracleKeys } from './request-keys.ts';
import { startResponse as oracleResponse } from './response.ts';

const BYTES = 65_536;
const SECRET = Uint8Array.from({ length: 32 }, (_, i) => i * 7);
const KEY = SECRET.subarray(0, 16);
const STATUSES = [100, 200, 302, 400, 401, 423, 503];
const OUTBOUNDS = ['on', 'off'] as const;
const PATHS = ['lazy', 'strict', 'off'] as const;
const BINDINGS = ['auto', 'flow', 'contact'] as const;
const TIMERS = [0, 1, 120, 4_294_967_295];

export class WriterDifference {
  private readonly chance: () => number;
  private readonly exchange = new ShardExchange();
  private readonly policy: { -readonly [K in keyof Policy]: Policy[K] } = { ...DEFAULT_POLICY };
  private readonly keys = new RequestKeys(KEY);
  private readonly oracleKeys = new OracleKeys(KEY);
  private readonly gruus = new Gruus(SECRET);
  private readonly oracleGruus = new OracleGruus(SECRET);
  private readonly identity = new Identity(KEY);
  private readonly aor = new Uint8Array(1024);
  private readonly answer = new Uint8Array(BYTES);
  private readonly oracleRecord = new Writer();
  private readonly records = [new Uint8Array(BYTES), new Uint8Array(BYTES)];
  private readonly alive = { isAlive: (flow: number) => flow % 2 === 1 };
  /** How many images and refreshes were compared. */
  images = 0;
  refreshes = 0;

  constructor(seed: number) {
    this.chance = seeded(seed);
    this.exchange.request.peers = createPeers(1);
  }

  /** Null where they agree over message[0, length), else what differs. */
  find(message: Uint8Array, length: number): string | null {
    const at = slotStart(0);
    slab.set(message.subarray(0, length), at);
    const error = parse(at, at + length);
    if (table[T_KIND] !== KIND_REQUEST || !canAnswer(true)) return null;
    this.draw();
    const found = this.keysDiffer() ?? this.frameDiffers();
    if (found !== null || error !== E_OK) return found;
    return this.imagesDiffer() ?? this.extensionsDiffer() ?? this.refreshDiffers();
  }

  private some(below: number): number {
    return Math.floor(this.chance() * below);
  }

  private word(): number {
    return this.some(4_294_967_296) | 0;
  }

  private of<T>(values: readonly T[]): T {
    return values[this.some(values.length)];
  }

  /** Whatever else an answer depends on. */
  private draw(): void {
    const { exchange, policy } = this;
    const { peers } = exchange.request;
    exchange.reset();
    exchange.request.now = 1_700_000_000_000 + this.some(1_000_000_000);
    exchange.request.tagHigh = this.word();
    exchange.request.tagLow = this.word();
    exchange.work.direct = this.some(2) === 0;
    exchange.work.flows = this.some(2) === 0;
    exchange.work.connectionBindings = this.of(BINDINGS);
    exchange.work.authenticated = this.some(3) === 0;
    exchange.work.nonceIdHigh = this.word();
    exchange.work.nonceIdLow = this.word();
    exchange.work.highestNc = this.some(1000);
    exchange.request.liveFlows = this.some(2) === 0 ? this.alive : null;
    peers.family[0] = this.of([4, 6]);
    for (let i = 0; i < 16; i++)
      peers.ip[i] = peers.family[0] === 4 && i > 3 ? 0 : this.of([0, 1, 10, 100, this.some(256)]);
    peers.port[0] = this.of([0, 5060, this.some(65_536)]);
    peers.transport[0] = this.some(5);
    peers.listener[0] = this.some(256);
    peers.flow[0] = this.of([0, this.some(4_294_967_296)]);
    policy.outbound = this.of(OUTBOUNDS);
    policy.path = this.of(PATHS);
    policy.flowTimerS = this.of(TIMERS);
    exchange.request.aor = this.aor;
    exchange.request.aorLength = canonicalAor(slab, table, T_TO, this.aor);
    for (let i = 0; i < 4; i++) exchange.request.aorKey[i] = this.word();
  }

  private keysDiffer(): string | null {
    const { keys, oracleKeys } = this;
    keys.compute();
    oracleKeys.compute();
    return keysOf(keys) === keysOf(oracleKeys) ? null : `keys ${keysOf(keys)}, the oracle's ${keysOf(oracleKeys)}`;
  }

  private frameDiffers(): string | null {
    const { exchange } = this;
    const status = this.of(STATUSES);
    startResponse(exchange, status, PHRASE[status]);
    const ours = textOf(exchange.result.answer);
    this.startOracle();
    oracleResponse(exchange, status, PHRASE[status]);
    return difference('frame', ours, textOf(exchange.result.answer));
  }

  /** The oracle's answer is written elsewhere. */
  private startOracle(): void {
    const { answer, from, limit } = { ...this, from: 0, limit: 65_507 };
    this.exchange.result.answer.start(answer, from, limit);
  }

  private imagesDiffer(): string | null {
    const { exchange, oracleRecord } = this;
    const [bytes, oracleBytes] = this.records;
    exchange.result.record.start(bytes, 0, BYTES);
    oracleRecord.start(oracleBytes, 0, BYTES);
    exchange.result.newImageAt = -1;
    for (let i = 0, contact = T_CONTACTS; i < table[T_CONTACT_COUNT]; i++, contact += CONTACT_INTS) {
      const spelling = contactSpelling(contact);
      if (spelling === UNWRITABLE) continue;
      const found = this.imageDiffers(contact, spelling === AS_SENT || this.some(4) === 0);
      if (found !== null) return found;
    }
    if (exchange.result.record.overflow) return null;
    const withGruus = exchange.request.aorLength > 0 && this.some(4) > 0;
    this.restart();
    listContacts(exchange, bytes, 0, exchange.result.record.at, withGruus ? this.gruus : null, false);
    const ours = textOf(exchange.result.answer);
    this.startOracle();
    oracleContacts(exchange, oracleBytes, 0, oracleRecord.at, withGruus ? (this.oracleGruus as never) : null);
    return difference('contacts', ours, textOf(exchange.result.answer));
  }

  private imageDiffers(contact: number, asSent: boolean): string | null {
    const { identity, exchange, oracleRecord } = this;
    const at = exchange.result.record.at;
    // The first image of the record is one that another may take the place of.
    exchange.request.state = this.records[0];
    const before = at > 0 && this.some(2) === 0 ? 0 : -1;
    const expiresAt = exchange.request.now + this.of([-1, 500, 60_000, 7_200_000, 4_294_967_295_000]);
    writeImage(exchange.result.record, contact, exchange, before, expiresAt, asSent);
    oracleImage(oracleRecord, contact, exchange, before, expiresAt, asSent);
    this.images++;
    const found = difference('image', textOf(exchange.result.record), textOf(oracleRecord));
    if (found !== null || exchange.result.record.overflow) return found;
    identity.computeWritten();
    const { high, low } = identity;
    identity.compute(oracleRecord.bytes, at);
    if (identity.high !== high || identity.low !== low) return 'the identities of an image differ';
    const epoch = this.of([0, this.some(4_294_967_296)]);
    setEpoch(exchange.result.record.bytes, at, epoch);
    setEpoch(oracleRecord.bytes, at, epoch);
    exchange.result.newImageAt = at;
    return null;
  }

  private extensionsDiffer(): string | null {
    const { exchange, policy } = this;
    this.restart();
    const { work, result } = exchange;
    const { answer } = result;
    answer.advance(requestModule.extensions(answer.at, shownExtensions(work, policy), shownFlowTimer(work, policy)));
    const ours = textOf(answer);
    this.startOracle();
    oracleExtensions(exchange, policy);
    return difference('extensions', ours, textOf(answer));
  }

  /** Starts our answer anew, with all else as it is. */
  private restart(): void {
    const { aorLength } = this.exchange.request;
    const { authenticated, direct, flows } = this.exchange.work;
    const { newImageAt } = this.exchange.result;
    this.exchange.reset();
    this.exchange.request.aorLength = aorLength;
    Object.assign(this.exchange.work, { authenticated, direct, flows });
    this.exchange.result.newImageAt = newImageAt;
  }

  private refreshDiffers(): string | null {
    const { identity, oracleRecord, exchange, policy } = this;
    if (table[T_CONTACT_COUNT] !== 1 || exchange.request.aorLength < 0 || contactSpelling(T_CONTACTS) === UNWRITABLE)
      return null;
    const granted = this.of([1, 60, 3600, 4_294_967]);
    const epoch = this.some(4_294_967_296);
    oracleRecord.start(this.records[1], 0, BYTES);
    oracleImage(oracleRecord, T_CONTACTS, exchange, -1, exchange.request.now + granted * 1000, true);
    if (oracleRecord.overflow) return null;
    setEpoch(oracleRecord.bytes, 0, epoch);
    identity.compute(oracleRecord.bytes, 0);
    const binding = Object.assign(new RowCopy(), { identityHigh: identity.high, identityLow: identity.low, epoch });
    const { gruus } = this;
    const shows = shownExtensions(exchange.work, policy);
    this.restart();
    if (!refreshBinding(exchange, binding, identity, gruus, granted, shows, shownFlowTimer(exchange.work, policy)))
      return 'a refresh is taken for another binding';
    this.refreshes++;
    const ours = textOf(exchange.result.answer);
    this.startOracle();
    oracleResponse(exchange, 200, PHRASE[200]);
    const withGruus = ((table[T_SUPPORTED] | table[T_REQUIRE]) & OPTION_GRUU) !== 0;
    oracleContacts(exchange, oracleRecord.bytes, 0, oracleRecord.at, withGruus ? (this.oracleGruus as never) : null);
    oracleExtensions(exchange, policy);
    const found = difference('refresh', ours, textOf(exchange.result.answer));
    if (found !== null) return found;
    this.restart();
    binding.identityLow ^= 2;
    const isAnother = !refreshBinding(exchange, binding, identity, gruus, granted, shows, 0);
    return isAnother ? null : 'another binding is taken for the one of a refresh';
  }
}

function keysOf(keys: RequestKeys | OracleKeys): string {
  const { requestHigh, requestLow, branchHigh, branchLow, tagHigh, tagLow } = keys;
  return [requestHigh, requestLow, branchHigh, branchLow, tagHigh, tagLow].join(' ');
}

/** All that was written; null where it did not fit. */
function textOf(w: Writer): Buffer | null {
  return w.overflow ? null : Buffer.from(w.bytes.subarray(w.from, w.at));
}

function difference(what: string, ours: Buffer | null, oracles: Buffer | null): string | null {
  if (ours === null || oracles === null)
    return ours === oracles ? null : `${what}: only ${ours === null ? "the oracle's" : 'ours'} fits`;
  if (ours.equals(oracles)) return null;
  const text = (bytes: Buffer) => JSON.stringify(bytes.toString('latin1'));
  return `${what}: ${text(ours)}, the oracle's ${text(oracles)}`;
}
