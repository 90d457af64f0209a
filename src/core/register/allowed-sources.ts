// Sources of registrations: the transports and networks that the policy allows. Any other is refused, even after the user
// has authenticated. The admin API's orders have none.
// @hot

import { LISTENER_ADMIN, TRANSPORT_NAMES } from '../../sip/sources.ts';
import { TrustedSources } from '../abuse/trusted-sources.ts';
import type { Exchange } from '../uas/exchange.ts';
import { PHRASE } from '../uas/phrases.ts';
import type { Policy } from '../uas/policy.ts';
import { REASON_NETWORK_NOT_ALLOWED, REASON_TRANSPORT_NOT_ALLOWED } from '../uas/reasons.ts';
import { refuse } from '../uas/response.ts';

export class AllowedSources {
  /** Everything is allowed. */
  readonly all: boolean;
  /** Bit by TRANSPORT_*. */
  private readonly transports: number;
  private readonly networks: TrustedSources;

  constructor({ transports, networks }: Pick<Policy, 'transports' | 'networks'>) {
    this.all = transports.length + networks.length === 0;
    this.transports =
      transports.length === 0 ? -1 : transports.reduce((bits, name) => bits | (1 << TRANSPORT_NAMES.indexOf(name)), 0);
    this.networks = new TrustedSources(networks);
  }

  /** 0, or 403. */
  check(exchange: Exchange): number {
    const { peers, peer } = exchange.request;
    if (peers.listener[peer] === LISTENER_ADMIN) return 0;
    if ((this.transports & (1 << peers.transport[peer])) === 0)
      return refuse(exchange, 403, PHRASE[403], REASON_TRANSPORT_NOT_ALLOWED);
    if (this.networks.count > 0 && !this.networks.trusts(peers, peer))
      return refuse(exchange, 403, PHRASE[403], REASON_NETWORK_NOT_ALLOWED);
    return 0;
  }
}
