// A shard in virtual time whose registrations may be watched: what it sends to subscribers, and their answers.

import {
  DEFAULT_SUBSCRIPTION_POLICY,
  type SubscriptionPolicy,
} from '../../src/core/subscriptions/subscription-policy.ts';
import type { Answer, Source } from './virtual-shard.ts';
import { VirtualShard, type VirtualShardOptions } from './virtual-shard.ts';
import { type Notified, readNotify, responseTo, type SubscribeFields, subscribe } from './watcher.ts';

export interface WatchedOptions extends VirtualShardOptions {
  readonly subscriptionPolicy?: Partial<SubscriptionPolicy>;
}

export class WatchedShard extends VirtualShard {
  readonly subscriptionPolicy: SubscriptionPolicy;
  /** Requests that `notified` has given. */
  private read = 0;

  constructor({ subscriptionPolicy, ...options }: WatchedOptions = {}) {
    const subscriptions = { ...DEFAULT_SUBSCRIPTION_POLICY, enabled: true, ...subscriptionPolicy };
    super({
      subscriptions: { sentBy: [{ host: '192.0.2.1', port: 5060 }], udpByMain: false },
      ...options,
      policy: { ...options.policy, subscriptions },
    });
    this.subscriptionPolicy = subscriptions;
  }

  /** The answer to a SUBSCRIBE. */
  subscribe(fields: SubscribeFields = {}, source: Source = {}): Answer {
    const answer = this.send(subscribe(fields), source);
    if (answer === undefined) throw new Error('no answer');
    return answer;
  }

  /** A SUBSCRIBE that is granted, and its NOTIFY, which is answered; the To of later ones. */
  watch(fields: SubscribeFields = {}, source: Source = {}): { readonly to: string; readonly first: Notified } {
    const answer = this.subscribe(fields, source);
    if (answer.status !== 200) throw new Error(answer.text);
    const [first] = this.notified();
    return { to: answer.header('To')[0], first };
  }

  /** NOTIFYs sent since the last call; each is answered. @param status of the answers; 0: none */
  notified(status = 200): Notified[] {
    const sent = this.requests.slice(this.read);
    this.read = this.requests.length;
    if (status > 0) for (const { text } of sent) this.batch([responseTo(text, status)]);
    return sent.map(({ text }) => readNotify(text));
  }

  /** Lets time pass, while each NOTIFY is answered as it comes. */
  settle(ms: number): Notified[] {
    const told = this.notified();
    for (let left = ms; left > 0; left -= 250) {
      this.pass(Math.min(left, 250));
      told.push(...this.notified());
    }
    return told;
  }

  /** Lets time pass in steps of the shard's own timers. */
  pass(ms: number): void {
    const end = this.now + ms;
    while (this.now < end) {
      const due = this.shard.msToNextTick(this.now);
      this.now = due < 0 || this.now + due > end ? end : this.now + Math.max(1, due);
      this.batch([]);
    }
  }
}
