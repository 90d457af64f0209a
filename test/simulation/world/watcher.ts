// One watcher of a registration, with what it knows of its dialog; its messages; how registrations are watched, and what of the world it sees.

import type { Random } from '../shards/random.ts';
import type { Message } from './machine.ts';
import type { Bound } from './registrations.ts';

const FIRST_HOST = 200;
const INTERVAL_MS = 5000;
export const MAX_S = 3600;
export const BRIEF_S = 30;
/** Timer F: who has not answered for so long is not told any more. */
const GIVEN_UP_MS = 32_000;
/** Timer E: how long a shard waits before its first copy, and at most; and by how much a wheel may be late. */
const FIRST_COPY_MS = 500;
const COPIES_MS = 4000;
const TICKS_MS = 100;

export const WATCHING_POLICY = {
  enabled: true,
  ...{ defaultExpiresS: MAX_S, minExpiresS: 60, maxExpiresS: MAX_S, notifyIntervalS: INTERVAL_MS / 1000 },
  ...{ perAorMax: 100, perShardMax: 1000, watchers: [] },
  from: Array.from({ length: 10 }, (_, i) => `10.0.0.${FIRST_HOST + 2 * i}`),
};

/** A request that a shard has sent by itself. */
export interface Notice {
  readonly text: string;
  readonly host: number;
  readonly flow: number;
}

export interface Watched {
  readonly random: Random;
  readonly now: number;
  readonly logsIn: boolean;
  readonly alive: Set<number>;
  ownerOf(n: number): number;
  lifeOf(n: number): number;
  mayBeGone(n: number): boolean;
  /** What the store has of an AOR. */
  kept(n: number): readonly Bound[];
  say(line: () => string): void;
  fail(what: string): never;
}

/** A message of a watcher's. */
export interface Note extends Message {
  readonly kind: 'SUBSCRIBE' | 'answer';
  readonly watcher: Watcher;
  readonly n: number;
  /** Of a SUBSCRIBE. */
  readonly seconds: number;
  readonly isInDialog: boolean;
  readonly hasLogin: boolean;
  /** Of an answer: to the NOTIFY with this CSeq, of this dialog, sent in this life of the shard. */
  readonly status: number;
  readonly cseq: number;
  readonly callId: string;
  readonly life: number;
}

interface Told {
  readonly uri: string;
  readonly callId: string;
  readonly cseq: number;
  readonly endsAt: number;
}

export class Watcher {
  readonly n: number;
  readonly host: number;
  readonly isStream: boolean;
  /** Its address may watch everybody. */
  readonly isListed: boolean;
  /** Who it logs in as. */
  readonly name: string;
  readonly domain: string;
  flow = 0;
  nonce = '';
  nc = 0;
  callId = '';
  remoteTag = '';
  cseq = 0;
  /** As it knows: it has a subscription, or had one. */
  state: 'none' | 'active' | 'ended' = 'none';
  expiresAt = 0;
  /** The connection of its last SUBSCRIBE. */
  aim = 0;
  /** CSeq of the last NOTIFY, and its bytes. */
  told = 0;
  text = '';
  /** When the NOTIFY was sent that has no answer yet; 0: none. */
  openSince = 0;
  /** Of that one: when its next copy is due. */
  private copyAt = Number.POSITIVE_INFINITY;
  /** That one said that it was the last, in this life of the shard. */
  overIn = 0;
  /** It has refused a document, or its connection has ended: the next one is worth nothing before a refresh. */
  isBehind = false;
  /** The shard has died meanwhile: what it sent last may be lost, or it may have taken an answer. */
  mayGap = false;
  /** A clock was set back since it was granted: a shard that was idle then, or has started since, may take its end for a later one. */
  endIsOpen = false;
  mayBeOver = false;
  isAsking = false;
  isAwaiting = false;
  readonly contacts = new Map<string, Told>();

  constructor(n: number, domain: string, i: number, isStream: boolean, name: string) {
    this.n = n;
    this.domain = domain;
    this.host = FIRST_HOST + i;
    this.isListed = i % 2 === 0;
    this.isStream = isStream;
    this.name = name;
  }

  /** The NOTIFY under way, or a copy of it, has come. */
  expectCopy(isUdp: boolean, now: number): void {
    const waitMs = Math.min(Math.max(2 * (now - this.openSince), FIRST_COPY_MS), COPIES_MS);
    this.copyAt = isUdp ? now + waitMs : Number.POSITIVE_INFINITY;
  }

  lacksCopy(now: number): boolean {
    const isOpen = this.state === 'active' && this.openSince > 0 && !this.isGivenUp(now);
    return isOpen && now > this.copyAt + TICKS_MS;
  }

  isGivenUp(now: number): boolean {
    return this.openSince > 0 && now - this.openSince >= GIVEN_UP_MS;
  }

  get aor(): string {
    return `sip:u${this.n}@${this.domain}`;
  }
}

export function storyOf({ kind, watcher, seconds, isInDialog, status, cseq, callId }: Note): string {
  if (kind === 'answer') return `${status} to NOTIFY ${cseq} ${callId}`;
  return `${isInDialog ? 'again ' : ''}SUBSCRIBE u${watcher.n} ${callId} ${seconds} s by ${watcher.name}`;
}

export function rowOf(text: string, name: string): string {
  return new RegExp(`^${name}: ([^\\r]*)\\r$`, 'm').exec(text)?.[1] ?? '';
}
