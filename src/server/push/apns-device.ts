// A device of Apple in its contact's terms (RFC 8599 §10): pn-param is TEAM.BUNDLE.SERVICE, pn-prid the token. Phones with two tokens
// (Linphone) name both: `TEAM.BUNDLE.remote&voip` with `TOKEN:remote&TOKEN:voip`.

import type { Push } from './push-provider.ts';

/** Headers and path of a push to a device. */
export interface ApnsTarget {
  readonly teamId: string;
  readonly topic: string;
  readonly token: string;
  readonly type: 'voip' | 'background';
  readonly priority: 5 | 10;
}

const SHAPE = /^([A-Za-z0-9]{10})\.([A-Za-z0-9.-]+)\.([A-Za-z0-9&-]+)$/;
const TOKEN = /^[0-9A-Za-z]{8,200}$/;

/** Undefined where Apple has no such push: for VoIP tokens only calls are allowed, or Apple stops the application. */
export function apnsTarget({ device, reason }: Push): ApnsTarget | undefined {
  const parts = SHAPE.exec(device.param);
  if (parts === null) return undefined;
  const [, teamId, bundle, list] = parts;
  const services = list.split('&');
  const isVoip = services.includes('voip');
  if (reason === 'refresh' && isVoip && services.length === 1) return undefined;
  const service = isVoip && reason === 'call' ? 'voip' : (services.find((name) => name !== 'voip') ?? '');
  const token = tokenOf(device.prid, service);
  if (token === undefined) return undefined;
  if (service === 'voip') return { teamId, topic: `${bundle}.voip`, token, type: 'voip', priority: 10 };
  const topic = service === 'remote' ? bundle : `${bundle}.${service}`;
  return { teamId, topic, token, type: 'background', priority: 5 };
}

function tokenOf(prid: string, service: string): string | undefined {
  const tokens = prid.split('&').map((one) => one.split(':'));
  const found = tokens.length === 1 ? tokens[0] : tokens.find(([, of]) => of === service);
  return found !== undefined && TOKEN.test(found[0]) ? found[0] : undefined;
}
