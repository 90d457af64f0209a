// The facts for the registration of a first phone, in one line.

import type { Config } from '../../server/config/config.ts';
import { hostPort, isAnywhere, isLoopback } from '../../server/config/listener-text.ts';
import { onlyLocal } from '../../server/config/served-domains.ts';
import type { ListenAddress } from '../../transport/listener.ts';

/** @param users number of users, where clients authenticate */
export function firstPhone(config: Config, listen: readonly ListenAddress[], users: number): string {
  const address = listen[0];
  const { domains } = config.policy;
  const anywhere = isAnywhere(address.host);
  const host = address.host.includes(':') ? `[${address.host}]` : address.host;
  const suits = (name: string) => name !== '*' && (isLoopback(address.host) || !onlyLocal([name]));
  const domain = domains.find(suits) ?? (domains.includes('*') && !anywhere ? host : undefined);
  const registrar = anywhere ? `this machine's address, port ${address.port},` : hostPort(address);
  const where = `at registrar ${registrar} over ${address.transport.toUpperCase()}`;
  if (domain === undefined && !domains.includes('*'))
    return `phones of this machine alone, at ${domains.join(', ')}: name the domain of others with --domain, such as --domain example.com`;
  const user = `alice@${domain ?? 'example.com'}`;
  const any = domain === undefined ? 'any user and domain' : 'any user';
  if (config.auth.mode === 'none') return `register sip:${user} (${any}) ${where}, no password`;
  if (users > 0 || config.auth.provider !== undefined) return `register a user with its password ${where}`;
  return `no one can register yet: add a user with "aorta user add ${user} --data ${config.data}", then register it ${where}`;
}
