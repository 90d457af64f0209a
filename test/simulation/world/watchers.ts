// Who watches registrations (RFC 3680, RFC 6665): subscribers with their dialogs, the documents that they are told, and what they answer.
// A watcher who has heard everything knows exactly the model's bindings.

import { authorization } from '../../support/digest-client.ts';
import { BRIEF_S, MAX_S, type Note, type Notice, rowOf, storyOf, type Watched, Watcher } from './watcher.ts';

const FIRST_FLOW = 0x7ffe_0000;

interface Stray {
  readonly n: number;
  /** Its last NOTIFY, and the CSeq of that while it has no answer; else 0. */
  text: string;
  open: number;
}

interface Counts {
  subscribed: number;
  notified: number;
  resent: number;
  refused: number;
}

export class Watchers {
  /** Every document is answered 200 from now on. */
  isCalm = false;
  private readonly world: Watched;
  private readonly watchers: readonly Watcher[];
  private readonly byCallId = new Map<string, Watcher>();
  /** Dialogs that watchers have given up, of which a shard may know, by Call-ID. */
  private readonly strays = new Map<string, Stray>();
  private answers: Note[] = [];
  /** By shard, of its life. */
  private readonly counts = new Map<number, Counts>();
  private dialogs = 0;
  private branches = 0;

  constructor(world: Watched, domains: readonly string[]) {
    this.world = world;
    const { random } = world;
    const count = random.pick([1, 3, 8]);
    this.watchers = Array.from({ length: count }, (_, i) => {
      const n = random.between(0, Math.min(3, domains.length - 1));
      const own = random.chance(0.7) ? n : (n + 1) % domains.length;
      return new Watcher(n, domains[n], i, random.chance(0.4), `u${own}`);
    });
  }

  /** Something that a watcher does, or null. */
  draw(): Note | null {
    const { random } = this.world;
    const watcher = random.pick(this.watchers);
    if (watcher.isAsking) return null;
    const dice = random.next();
    const isIn = watcher.state === 'active' && (watcher.overIn === 0 || random.chance(0.5));
    if (isIn)
      return this.subscribe(
        watcher,
        dice < 0.15 ? 0 : dice < 0.2 ? BRIEF_S : random.pick([60, 600, MAX_S, 7200]),
        true,
      );
    if (watcher.state === 'ended' && dice < 0.3) return this.subscribe(watcher, 600, true);
    return this.subscribe(watcher, dice < 0.4 ? 0 : dice < 0.45 ? BRIEF_S : random.pick([60, 600, MAX_S]), false);
  }

  private subscribe(watcher: Watcher, seconds: number, isInDialog: boolean): Note {
    const { world } = this;
    if (watcher.isStream && watcher.flow === 0) world.alive.add((watcher.flow = FIRST_FLOW + ++this.dialogs));
    if (!isInDialog) {
      if (watcher.state === 'active') this.abandon(watcher);
      watcher.callId = `watch${++this.dialogs}@watcher`;
      this.byCallId.set(watcher.callId, watcher);
      Object.assign(watcher, { remoteTag: '', told: 0, text: '', state: 'none', openSince: 0, overIn: 0 });
      Object.assign(watcher, { mayGap: false, mayBeOver: false });
    }
    watcher.isAsking = true;
    const { aor, callId, remoteTag, host, flow, name, domain, nonce } = watcher;
    const hasLogin = world.logsIn && !watcher.isListed && nonce !== '';
    const credentials = hasLogin && {
      ...{
        nonce,
        nc: ++watcher.nc,
        qop: 'auth' as const,
        username: name,
        password: `secret of ${name}`,
        realm: domain,
      },
      ...{ method: 'SUBSCRIBE', uri: aor },
    };
    const text =
      `SUBSCRIBE ${aor} SIP/2.0\r\n` +
      `Via: SIP/2.0/${flow === 0 ? 'UDP' : 'TCP'} 10.0.0.${host}:5060;branch=z9hG4bKw${++this.branches}\r\n` +
      `Max-Forwards: 70\r\nFrom: <sip:watcher@example.org>;tag=w${host}\r\n` +
      `To: <${aor}>${isInDialog ? `;tag=${remoteTag}` : ''}\r\nCall-ID: ${callId}\r\nCSeq: ${++watcher.cseq} SUBSCRIBE\r\n` +
      `Contact: <sip:watcher@10.0.0.${host}:5060>\r\nEvent: reg\r\nExpires: ${seconds}\r\n` +
      `${credentials ? `Authorization: ${authorization(credentials)}\r\n` : ''}Content-Length: 0\r\n\r\n`;
    return { ...this.noteOf(watcher, text), kind: 'SUBSCRIBE', seconds, isInDialog, hasLogin };
  }

  private noteOf(watcher: Watcher, text: string): Note {
    const { n, host, flow, callId } = watcher;
    const nothing = { seconds: 0, isInDialog: false, hasLogin: false, status: 0, cseq: 0, life: 0 };
    return {
      ...nothing,
      kind: 'answer',
      watcher,
      n,
      host,
      flow,
      callId,
      bytes: Buffer.from(text, 'latin1'),
      isOrder: false,
    };
  }

  // --- what shards do

  /** A SUBSCRIBE has come to the shard that owns its AOR, or an answer has. */
  judge(note: Note, text: string | undefined): void {
    if (note.kind === 'answer') return this.answered(note, text);
    if (text === undefined) return this.world.fail(`no answer to ${storyOf(note)}`);
    note.watcher.isAsking = false;
    this.judgeSubscribe(note, text);
  }

  private judgeSubscribe(note: Note, text: string): void {
    const { world } = this;
    const { watcher, seconds, isInDialog } = note;
    const status = Number(text.slice(8, 11));
    if (world.logsIn && !watcher.isListed) {
      if (status === 401) {
        watcher.nonce = /nonce="([^"]*)"/.exec(text)?.[1] ?? '';
        watcher.nc = 0;
        return;
      }
      if (!note.hasLogin) world.fail(`${status} without credentials: ${storyOf(note)}`);
      if (watcher.name !== `u${watcher.n}`) {
        if (status !== 403) world.fail(`${status} to who may not watch: ${storyOf(note)}`);
        return;
      }
    }
    const exists = isInDialog ? this.existence(watcher) : 'yes';
    const isBrief = seconds === BRIEF_S;
    const expected = isBrief ? [423] : exists === 'yes' ? [200] : exists === 'no' ? [481] : [200, 481];
    if (!expected.includes(status)) world.fail(`${status} instead of ${expected.join(' or ')} to ${storyOf(note)}`);
    if (status === 481 && exists === 'maybe') this.abandon(watcher); // it may still be told that it has ended
    if (status === 200) this.granted(note, text);
  }

  private granted({ watcher, seconds, isInDialog }: Note, text: string): void {
    const { world } = this;
    const granted = Number(/^Expires: (\d+)\r$/m.exec(text)?.[1]);
    if (granted !== Math.min(seconds, MAX_S)) world.fail(`${granted} s granted of ${seconds}`);
    if (!isInDialog) {
      watcher.remoteTag = /^To: .*;tag=([^\r;]*)/m.exec(text)?.[1] ?? '';
      watcher.contacts.clear();
    }
    this.countsOf(world.ownerOf(watcher.n)).subscribed++;
    Object.assign(watcher, { state: 'active', expiresAt: world.now + granted * 1000, aim: watcher.flow, overIn: 0 });
    Object.assign(watcher, { isBehind: false, mayBeOver: false, openSince: 0, isAwaiting: true });
    watcher.endIsOpen = false;
  }

  /** Whether the shard has the subscription of a watcher's dialog. */
  private existence(watcher: Watcher): 'yes' | 'no' | 'maybe' {
    const { now } = this.world;
    const { state, expiresAt, overIn, mayBeOver, n } = watcher;
    if (state !== 'active') return 'no';
    if (overIn > 0) return overIn === this.world.lifeOf(n) ? 'no' : 'maybe';
    return now >= expiresAt || watcher.isGivenUp(now) || mayBeOver ? 'maybe' : 'yes';
  }

  private answered({ watcher, status, cseq, callId, life }: Note, text: string | undefined): void {
    const { world } = this;
    if (text !== undefined) world.fail(`a response draws ${text}`);
    if (life !== world.lifeOf(watcher.n)) return;
    const stray = this.strays.get(callId);
    const isOpen = stray ? stray.open === cseq : watcher.told === cseq && watcher.openSince > 0;
    if (!isOpen) return;
    if (status >= 300) this.countsOf(world.ownerOf(watcher.n)).refused++;
    if (stray !== undefined) {
      stray.open = 0;
      if (status === 481) this.strays.delete(callId);
      return;
    }
    watcher.openSince = 0;
    if (watcher.overIn > 0 || status === 481) watcher.state = 'ended';
    else if (status >= 300) watcher.isBehind = true;
  }

  /** What a shard has sent by itself in a batch that is over. @param isSick something may not have been readable */
  received(shard: number, notices: readonly Notice[], isSick: boolean): void {
    for (const notice of notices) this.notified(shard, notice);
    for (const watcher of this.watchers) {
      if (this.world.ownerOf(watcher.n) === shard && watcher.lacksCopy(this.world.now))
        this.world.fail(`no copy of NOTIFY ${watcher.told} ${watcher.callId}, which nobody has answered`);
      if (!watcher.isAwaiting || this.world.ownerOf(watcher.n) !== shard) continue;
      if (!isSick) this.world.fail(`no NOTIFY behind the 200 to ${watcher.callId}`);
      watcher.isAwaiting = false;
      watcher.isBehind = true;
    }
  }

  private notified(shard: number, { text, host, flow }: Notice): void {
    const { world } = this;
    const callId = rowOf(text, 'Call-ID');
    const cseq = Number.parseInt(rowOf(text, 'CSeq'), 10);
    const watcher = this.byCallId.get(callId);
    if (watcher === undefined) return world.fail(`a NOTIFY for nobody:\n${text}`);
    world.say(() => `  NOTIFY ${cseq} ${callId} u${watcher.n} ${rowOf(text, 'Subscription-State')}`);
    if (world.ownerOf(watcher.n) !== shard || host !== watcher.host)
      world.fail(`a NOTIFY from, or to, another:\n${text}`);
    const counts = this.countsOf(shard);
    const stray = this.strays.get(callId);
    if (stray !== undefined) {
      if (text === stray.text) counts.resent++;
      else counts.notified++;
      Object.assign(stray, { text, open: cseq });
      return void this.answers.push(this.answer(watcher, text, 481));
    }
    if (flow !== watcher.aim || (flow !== 0 && !world.alive.has(flow)))
      world.fail(`a NOTIFY to no connection:\n${text}`);
    if (watcher.state === 'ended') world.fail(`a NOTIFY behind the end:\n${text}`);
    if (cseq === watcher.told) {
      counts.resent++;
      if (text !== watcher.text) world.fail(`sent again as another:\n${watcher.text}\n${text}`);
      if (watcher.openSince === 0) world.fail(`sent again though it was answered:\n${text}`);
    } else {
      counts.notified++;
      this.learn(watcher, text, cseq);
    }
    watcher.expectCopy(flow === 0, world.now);
    const dice = this.isCalm ? 0 : world.random.next();
    const status = dice < 0.8 ? 200 : dice < 0.87 ? 500 : dice < 0.92 ? 481 : 0;
    if (status !== 0) this.answers.push(this.answer(watcher, text, status));
  }

  private answer(watcher: Watcher, text: string, status: number): Note {
    const rows = ['Via', 'From', 'To', 'Call-ID', 'CSeq'].map((name) => `${name}: ${rowOf(text, name)}\r\n`).join('');
    const bytes = Buffer.from(`SIP/2.0 ${status} Answer\r\n${rows}Content-Length: 0\r\n\r\n`, 'latin1');
    const cseq = Number.parseInt(rowOf(text, 'CSeq'), 10);
    const life = this.world.lifeOf(watcher.n);
    return { ...this.noteOf(watcher, ''), bytes, status, cseq, callId: rowOf(text, 'Call-ID'), life };
  }

  /** A document that has not come before. */
  private learn(watcher: Watcher, text: string, cseq: number): void {
    const { world } = this;
    const [, version, kind] = /<reginfo [^>]*version="(\d+)" state="(\w+)">/.exec(text) ?? [];
    const [, aor, registration] = /<registration aor="([^"]*)" id="[^"]*" state="(\w+)">/.exec(text) ?? [];
    const isNext = cseq === watcher.told + 1;
    if (!isNext && !(watcher.mayGap && cseq > watcher.told && kind === 'full'))
      world.fail(`CSeq ${cseq} behind ${watcher.told}:\n${text}`);
    if (Number(version) !== cseq - 1) world.fail(`version ${version} of NOTIFY ${cseq}:\n${text}`);
    if (aor !== watcher.aor) world.fail(`of another AOR:\n${text}`);
    if ((watcher.told === 0 || watcher.isAwaiting || watcher.isBehind) && kind !== 'full')
      world.fail(`not the full state:\n${text}`);
    this.checkState(watcher, rowOf(text, 'Subscription-State'));
    if (kind === 'full') watcher.contacts.clear();
    for (const [, attributes, uri] of text.matchAll(/<contact ([^>]*)><uri>([^<]*)<\/uri>/g)) {
      const value = (name: string) => new RegExp(`(?:^| )${name}="([^"]*)"`).exec(attributes)?.[1] ?? '';
      if (value('state') === 'terminated') watcher.contacts.delete(value('id'));
      else {
        const endsAt = world.now + Number(value('expires')) * 1000;
        watcher.contacts.set(value('id'), { uri, callId: value('callid'), cseq: Number(value('cseq')), endsAt });
      }
    }
    if ((registration === 'active') !== watcher.contacts.size > 0 && kind === 'full')
      world.fail(`${registration}, and ${watcher.contacts.size} contacts:\n${text}`);
    Object.assign(watcher, {
      told: cseq,
      text,
      openSince: world.now,
      isAwaiting: false,
      mayGap: false,
      mayBeOver: false,
    });
    watcher.isBehind = false;
    if (kind === 'full') this.checkContacts(watcher);
  }

  private checkState(watcher: Watcher, state: string): void {
    const { world } = this;
    const isLast = state.startsWith('terminated');
    if (watcher.overIn > 0 && !isLast) world.fail(`${state} behind the end of ${watcher.callId}`);
    const seconds = Number(/expires=(\d+)/.exec(state)?.[1] ?? 0);
    const isLater = watcher.endIsOpen && watcher.expiresAt <= world.now + seconds * 1000 + 1000;
    if (isLater && seconds <= MAX_S && seconds > 0) watcher.expiresAt = world.now + seconds * 1000;
    const left = Math.max(0, Math.ceil((watcher.expiresAt - world.now) / 1000));
    const isOver = left <= (watcher.endIsOpen && isLast ? 1 : 0); // an end that was read is rounded
    if (isLast !== isOver || (!isLast && state !== `active;expires=${left}`))
      world.fail(`${state}, and ${left} s are left of ${watcher.callId}`);
    if (isLast) watcher.overIn = world.lifeOf(watcher.n);
  }

  /** The full state is what the store has: connections are looked at by sweeps. */
  private checkContacts(watcher: Watcher, isCalm = false): void {
    const { world } = this;
    const isSure = !world.mayBeGone(watcher.n);
    if (!isSure && !isCalm) return;
    const there = world.kept(watcher.n).filter(({ expiresAt, isAsleep }) => !isAsleep && expiresAt > world.now);
    const sees = watcher.isListed || world.logsIn;
    const text = (uri: string, callId: string, cseq: number) =>
      `${sees ? uri : uri.replace(/;pn-[^;]*/g, '')} ${callId} ${cseq}`;
    const known = [...watcher.contacts.values()];
    const told = known.map(({ uri, callId, cseq }) => text(uri, callId, cseq)).sort();
    const kept = there.map(({ contact, callId, cseq }) => text(contact, callId, cseq)).sort();
    if (told.join('; ') !== kept.join('; '))
      world.fail(`${watcher.callId} knows "${told.join('; ')}"; there is "${kept.join('; ')}"`);
    for (const { contact, callId, cseq, expiresAt } of there) {
      const same = known.filter((one) => text(one.uri, one.callId, one.cseq) === text(contact, callId, cseq));
      if (isSure && !same.some(({ endsAt }) => Math.abs(endsAt - expiresAt) <= 1000))
        world.fail(`${watcher.callId} knows another end of ${contact}`);
    }
  }

  /** Answers that are on their way. */
  takeAnswers(): readonly Note[] {
    const { answers, world } = this;
    this.answers = [];
    return answers.filter(({ flow }) => flow === 0 || world.alive.has(flow));
  }

  // --- what happens to shards and connections

  /** A shard died with these in its batch. */
  diedWith(notes: readonly Note[]): void {
    for (const { kind, watcher } of notes) if (kind === 'answer') watcher.mayBeOver = true;
  }

  /** A shard begins a life. @param isCut of its journal something is lost: watchers begin anew */
  started(shard: number, isCut: boolean): void {
    const { now } = this.world;
    this.counts.delete(shard);
    if (isCut)
      for (const [callId, { n }] of this.byCallId)
        if (this.world.ownerOf(n) === shard && !this.strays.has(callId))
          this.strays.set(callId, { n, text: '', open: 0 });
    for (const stray of this.strays.values()) if (this.world.ownerOf(stray.n) === shard) stray.open = 0;
    for (const watcher of this.watchers) {
      if (this.world.ownerOf(watcher.n) !== shard) continue;
      if (watcher.isGivenUp(now)) watcher.mayBeOver = true;
      Object.assign(watcher, { mayGap: true, openSince: 0, isAwaiting: false });
      if (isCut) this.abandon(watcher);
    }
  }

  /** Other stores: all subscriptions are over, and nobody is told. */
  allEnded(): void {
    for (const watcher of this.watchers) if (watcher.state === 'active') watcher.state = 'ended';
    this.strays.clear();
    this.answers = [];
  }

  /** The clock is set back by so many ms: what was granted lasts no longer, or hardly. */
  setBack(ms: number): void {
    for (const watcher of this.watchers) {
      watcher.expiresAt -= ms;
      if (watcher.openSince > 0) watcher.openSince -= ms;
      watcher.expectCopy(false, 0); // for an idle shard less time has passed
      for (const [id, told] of watcher.contacts) watcher.contacts.set(id, { ...told, endsAt: told.endsAt - ms });
      watcher.endIsOpen = true;
    }
  }

  /** Whom nobody has answered begins anew. */
  endTurn(): void {
    for (const watcher of this.watchers) {
      if (!watcher.isAsking) continue;
      watcher.isAsking = false;
      this.abandon(watcher);
    }
  }

  /** Connections end: of all, of those that a shard holds, or of some. */
  cutOff(isEnded: (host: number) => boolean): number[] {
    const ended: number[] = [];
    for (const watcher of this.watchers) {
      if (watcher.flow === 0 || !isEnded(watcher.host)) continue;
      ended.push(watcher.flow);
      this.world.alive.delete(watcher.flow);
      watcher.flow = 0;
      watcher.isBehind = true;
    }
    return ended;
  }

  private abandon(watcher: Watcher): void {
    const { n, callId, text, told, openSince } = watcher;
    if (callId !== '') this.strays.set(callId, { n, text, open: openSince > 0 ? told : 0 });
    watcher.state = 'none';
    watcher.callId = '';
  }

  /** A SUBSCRIBE of each who does not hear everything, and could. */
  *catchUp(): Generator<Note> {
    for (const watcher of this.watchers) {
      if (this.world.logsIn && !watcher.isListed && watcher.name !== `u${watcher.n}`) continue;
      for (let asks = 0; !this.hears(watcher); asks++) {
        if (asks === 8) this.world.fail(`${watcher.callId} is not told in calm weather`);
        yield this.subscribe(watcher, MAX_S, watcher.state === 'active' && watcher.overIn === 0);
      }
    }
  }

  private hears(watcher: Watcher): boolean {
    const isLong = watcher.expiresAt - this.world.now > 1_500_000;
    return this.existence(watcher) === 'yes' && !watcher.isBehind && watcher.openSince === 0 && isLong;
  }

  /** All has been told: who hears everything knows what there is. Returns how many those are. */
  checkAll(): number {
    const told = this.watchers.filter((watcher) => this.existence(watcher) === 'yes' && !watcher.isBehind);
    for (const watcher of told) this.checkContacts(watcher, true);
    return told.length;
  }

  /** Counters of a shard, behind a batch. */
  checkCounters(
    shard: number,
    counter: (name: 'subscribed' | 'notified' | 'notify_resent' | 'notify_refused' | 'subscriptions') => number,
  ): void {
    const { subscribed, notified, resent, refused } = this.countsOf(shard);
    const found = [counter('subscribed'), counter('notified'), counter('notify_resent'), counter('notify_refused')];
    const counted = [subscribed, notified, resent, refused];
    if (found.join() !== counted.join())
      this.world.fail(`shard ${shard} counts ${found.join()}; there were ${counted.join()}`);
    if ([...this.strays.values()].some(({ n }) => this.world.ownerOf(n) === shard)) return;
    const own = this.watchers.filter(({ n, state }) => this.world.ownerOf(n) === shard && state === 'active');
    if (own.some((watcher) => this.existence(watcher) !== 'yes')) return;
    if (counter('subscriptions') !== own.length)
      this.world.fail(`shard ${shard} has ${counter('subscriptions')} subscriptions instead of ${own.length}`);
  }

  /** All has run out: nobody is subscribed any more, and all were told so who could be. */
  checkOver(): void {
    for (const watcher of this.watchers)
      if (watcher.state === 'active' && watcher.aim === 0)
        this.world.fail(`${watcher.callId} was never told that its subscription has ended`);
  }

  private countsOf(shard: number): Counts {
    const counts = this.counts.get(shard) ?? { subscribed: 0, notified: 0, resent: 0, refused: 0 };
    this.counts.set(shard, counts);
    return counts;
  }
}
