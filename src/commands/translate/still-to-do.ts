// The part of a translated configuration that only its operator can write: domains, addresses, certificates, users.

import type { ForeignConfig } from './foreign-config.ts';
import { SQL_PASSWORD_FILE } from './server-parameters.ts';
import type { Tree } from './tree.ts';

/** Placeholder for a domain; `aorta check` refuses it. */
const FILL_IN = 'FILL-IN';

/** Fills gaps that would get defaults for a first try otherwise, and returns the remaining tasks. */
export function stillToDo(config: ForeignConfig, values: Tree): string[] {
  const named = config.settings.some(({ name }) => name === 'listen' || name === 'socket');
  const todo = [domains(values), listen(config, values, named), ...tls(values), users(config, values)];
  todo.push(
    'admin: http:127.0.0.1:8060 lets "aorta ul", the dashboard and Prometheus in, as kamcmd and MI are let in there',
  );
  for (const { file } of config.includes) todo.push(`included file: translate ${file} by itself, too`);
  return todo.filter((line) => line !== undefined);
}

function domains(values: Tree): string | undefined {
  if (values.domains !== undefined) return 'domains: is the domain of each user among them? Others are answered 404';
  values.domains = [FILL_IN];
  return `domains: write the domains of your users instead of ${FILL_IN}; no line here names one (alias)`;
}

function listen({ settings }: ForeignConfig, values: Tree, named: boolean): string | undefined {
  const given = values.listen as string[] | undefined;
  if (given !== undefined) return `listen: do phones and proxies reach this machine at ${given.join(', ')}?`;
  const value = (name: string): string | undefined => settings.findLast((one) => one.name === name)?.value;
  const port = /^\d+$/.test(value('port') ?? '') ? value('port') : '5060';
  const transports = /^(yes|on|1|true)$/i.test(value('disable_tcp') ?? '') ? ['udp'] : ['udp', 'tcp'];
  values.listen = transports.map((transport) => `${transport}:0.0.0.0:${port}`);
  const why = named
    ? 'the lines name interfaces or hosts, and 0.0.0.0 stands for their addresses'
    : 'no line names an address, which means all interfaces there, and 0.0.0.0 here (IPv4)';
  return `listen: ${why}; write the addresses that phones use`;
}

function tls(values: Tree): string[] {
  const { cert } = (values.tls ?? {}) as Tree;
  if (cert !== undefined) return [`certificate: the user of the service must be able to read ${cert} and its key`];
  const isWanted = ((values.listen ?? []) as string[]).some((entry) => /^(tls|wss):/.test(entry));
  return isWanted ? ['certificate: write tls.cert and tls.key; "aorta check" asks for them'] : [];
}

function users({ modules, settings }: ForeignConfig, values: Tree): string {
  const { mode, provider } = (values.auth ?? {}) as { mode?: string; provider?: { sql?: Tree } };
  if (provider?.sql?.['password-file'] !== undefined)
    return `password file: (umask 077; read -rsp 'Password: ' p; printf %s "$p" > ${SQL_PASSWORD_FILE})`;
  if (provider?.sql !== undefined) return 'users: is the database reached as this user without a password?';
  const authenticates =
    mode !== undefined || modules.some(isAuth) || settings.some(({ name }) => isAuth(name.split('.')[0]));
  if (authenticates) setDigest(values);
  return authenticates
    ? 'users: "aorta user import FILE --data DIR" takes over the table subscriber'
    : 'users: no module authenticates here; Aorta asks for passwords beyond loopback ("aorta user import" brings users)';
}

function isAuth(module: string): boolean {
  return module === 'auth' || module === 'auth_db' || module.startsWith('auth_');
}

function setDigest(values: Tree): void {
  values.auth = { mode: 'digest', ...(values.auth as Tree | undefined) };
}
