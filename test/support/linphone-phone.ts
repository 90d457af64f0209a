// linphone (linphonec) as a phone that registers; it takes commands on stdin.

import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { temporaryDirectory } from './aorta-process.ts';
import { Child } from './child-process.ts';
import { freePort } from './free-ports.ts';

export interface LinphoneOptions {
  /** user@domain */
  readonly aor: string;
  /** The registrar's port on 127.0.0.1. */
  readonly registrar: number;
  readonly transport?: 'udp' | 'tcp' | 'tls';
  readonly password?: string;
  /** Seconds that it asks for. */
  readonly expires?: number;
  /** Of its instance. */
  readonly uuid?: string;
}

export interface Linphone {
  readonly child: Child;
  /** Where it listens on UDP; 0: nowhere. */
  readonly port: number;
  /** What it sent and received so far, and more. */
  readonly trace: () => string;
}

export async function startLinphone(options: LinphoneOptions): Promise<Linphone> {
  const home = temporaryDirectory();
  const log = join(home, 'log');
  const rc = join(home, 'linphonerc');
  const port = (options.transport ?? 'udp') === 'udp' ? await freePort() : 0;
  mkdirSync(join(home, '.local/share/linphone'), { recursive: true });
  writeFileSync(rc, config(options, port));
  const child = new Child('linphonec', ['-c', rc, '-d', '5', '-l', log], { cwd: home, env: { HOME: home } });
  return { child, port, trace: () => (existsSync(log) ? readFileSync(log, 'latin1') : '') };
}

function config(options: LinphoneOptions, port: number): string {
  const { aor, registrar, transport = 'udp', password, expires = 600, uuid } = options;
  const [user, domain] = aor.split('@');
  const uri = `sip:127.0.0.1:${registrar};transport=${transport}`;
  const others = transport === 'udp' ? 0 : -1;
  const login = ['[auth_info_0]', `username=${user}`, `passwd=${password}`, `realm=${domain}`, `domain=${domain}`];
  return [
    ...['[sip]', `sip_port=${port}`, `sip_tcp_port=${others}`, `sip_tls_port=${others}`, 'bind_address=127.0.0.1'],
    ...['default_proxy=0', 'use_ipv6=0', 'guess_hostname=0', 'register_only_when_network_is_up=0'],
    ...['verify_server_certs=0', 'verify_server_cn=0'],
    ...['[sound]', 'playback_dev_id=', 'ringer_dev_id=', 'capture_dev_id='],
    ...['[video]', 'enabled=0', 'capture=0', 'display=0'],
    ...(uuid === undefined ? [] : ['[misc]', `uuid=${uuid}`]),
    ...(password === undefined ? [] : login),
    ...['[proxy_0]', `reg_proxy=<${uri}>`, `reg_route=<${uri};lr>`, `reg_identity=<sip:${aor}>`],
    ...[`reg_expires=${expires}`, 'reg_sendregister=1', 'publish=0', ''],
  ].join('\n');
}
