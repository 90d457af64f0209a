// What a person needs to know to register a first phone, in one line.

import type { Config } from '../../server/config/config.ts';
import { hostPort } from '../../server/config/listener-text.ts';
import type { ListenAddress } from '../../transport/listener.ts';

/** @param users there are, where clients authenticate */
export function firstPhone(config: Config, listen: readonly ListenAddress[], users: number): string {
  const address = listen[0];
  const host = address.host.includes(':') ? `[${address.host}]` : address.host;
  const domain = config.policy.domains.find((name) => name !== '*') ?? host;
  const anywhere = address.host === '0.0.0.0' || address.host === '::';
  const registrar = anywhere ? `this machine's address, port ${address.port},` : hostPort(address);
  const where = `at registrar ${registrar} over ${address.transport.toUpperCase()}`;
  if (config.auth.mode === 'none') return `register sip:alice@${domain} (any user) ${where}, no password`;
  if (users > 0 || config.auth.provider !== undefined) return `register a user with its password ${where}`;
  return `no one can register yet: add a user with "aorta user add alice@${domain} --data ${config.data}", then register it ${where}`;
}
