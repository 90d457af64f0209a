// The requests that a shard sends by itself: NOTIFYs of its subscriptions and pings of its contacts, with the responses to them.
// @hot

import type { ChangeSink } from '../../core/binding/changes.ts';
import { pingedKeyWord } from '../../core/pings/ping-message.ts';
import type { Policy } from '../../core/uas/policy.ts';
import { E_OK } from '../../sip/parser/parse-error.ts';
import { parse } from '../../sip/parser/parser.ts';
import { slab, slotStart } from '../../sip/parser/slab.ts';
import { ANSWERED_BY_MAIN, type Peers, TRANSPORT_UDP } from '../../sip/sources.ts';
import { Pinger, type PingerParts } from '../pings/pinger.ts';
import type { ShardOptions } from '../shard-options.ts';
import { sooner } from '../sooner.ts';
import { keyWordOfAnswer } from '../subscriptions/notifier.ts';
import { Subscriptions } from '../subscriptions/subscriptions.ts';
import { nameTransport } from './large-requests.ts';
import { OutgoingRequests } from './outgoing-requests.ts';

const NO_KEY = new Uint32Array(4);

export class OwnRequests {
  /** Sent with the batch's answers. */
  readonly outgoing: OutgoingRequests;
  /** Null where registrations may not be watched. */
  readonly subscriptions: Subscriptions | null;
  /** Null where no contacts may be pinged. */
  readonly pinger: Pinger | null;
  private readonly udpByMain: boolean;
  /** The response read last answers a ping. */
  private answersPing = false;

  constructor(options: ShardOptions, parts: Pick<PingerParts, 'state' | 'exchange' | 'rules' | 'tally'>) {
    const { policy, subscriptions, pings, statics = null, flows = null, node = 0, opensTcp = false } = options;
    const outgoing = new OutgoingRequests(opensTcp);
    this.outgoing = outgoing;
    this.udpByMain = (subscriptions ?? pings)?.udpByMain === true;
    this.subscriptions = subscriptions
      ? new Subscriptions({ ...options, options: subscriptions, statics, flows, outgoing })
      : null;
    this.pinger = pings ? new Pinger({ ...options, ...parts, options: pings, flows, outgoing, node }, policy) : null;
  }

  /** @cold */
  configure(policy: Policy): void {
    this.subscriptions?.configure(policy);
    this.pinger?.configure(policy);
  }

  /** Sends due pings, and removes dead contacts' bindings: before the commit of a batch. */
  sweep(now: number, changes: ChangeSink | null, history: ChangeSink | null): void {
    if (this.pinger?.isOn) this.pinger.sweep(now, changes, history);
  }

  /** Sends due NOTIFYs: after the commit of a batch. */
  notify(now: number): void {
    this.subscriptions?.work(now);
  }

  /**
   * Milliseconds until a request is due, 0 when one is, -1 when there is none to wait for.
   * @param decides whether this node pings the contacts
   */
  msToNext(now: number, decides: boolean): number {
    if (this.outgoing.count > 0) return 0;
    const ping = decides && this.pinger?.isOn ? this.pinger.msToNext(now) : -1;
    return this.subscriptions === null ? ping : sooner(ping, this.subscriptions.msToNext(now));
  }

  /** For the well-formed response in the table: the last word of the AOR's key, if it answers a request of any shard; else -1. */
  keyWordOfAnswer(): number {
    const word = this.pinger?.isOn ? pingedKeyWord() : -1;
    this.answersPing = word >= 0;
    return this.answersPing || this.subscriptions === null ? word : keyWordOfAnswer();
  }

  /** Takes that response for this shard: key of its AOR, undefined where it answers no request. */
  answered(now: number): Uint32Array | undefined {
    return this.answersPing ? this.pinger?.answered(now) : this.subscriptions?.answered(now);
  }

  /**
   * A request of this shard's, in a slot of the slab, has found no connection to the peer in the row. It is sent by UDP, like all requests
   * to that peer for some time. @cold
   */
  notSent(slot: number, length: number, peers: Peers, now: number): void {
    const at = slotStart(slot);
    this.outgoing.large.refused(peers, slot, now);
    if (parse(at, at + length) !== E_OK) return;
    if (pingedKeyWord() < 0) return this.subscriptions?.notSent(now);
    nameTransport(slab, at, false);
    peers.transport[slot] = TRANSPORT_UDP;
    peers.answeredByMain[slot] = this.udpByMain ? ANSWERED_BY_MAIN : 0;
    this.outgoing.add(slab.subarray(at, at + length), peers, slot, this.pinger?.keyOfRead() ?? NO_KEY, now);
  }
}
