// baresip as a phone for calls: no sound card, no screen, answers by itself where it is told to.

import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { temporaryDirectory } from './aorta-process.ts';
import { Child, which } from './child-process.ts';

export interface PhoneOptions {
  /** user@domain */
  readonly aor: string;
  /** Outbound proxy, e.g. `sip:127.0.0.1:5060;transport=tls`. */
  readonly proxy: string;
  readonly transport?: 'udp' | 'tcp' | 'tls';
  readonly password?: string;
  readonly answers?: boolean;
  /** Dialled once it has started. */
  readonly dial?: string;
}

/** Starts a phone that registers. Its SIP trace is on stdout. */
export function startPhone(options: PhoneOptions): Child {
  const { aor, proxy, transport = 'udp', password = 'none', answers, dial } = options;
  const directory = temporaryDirectory();
  const account = [
    `<sip:${aor};transport=${transport}>`,
    `outbound="${proxy}"`,
    'regint=60',
    `auth_pass=${password}`,
    'audio_codecs=PCMU',
    ...(answers ? ['answermode=auto'] : []),
  ];
  writeFileSync(join(directory, 'config'), config());
  writeFileSync(join(directory, 'accounts'), `${account.join(';')}\n`);
  writeFileSync(join(directory, 'contacts'), '');
  const command = dial === undefined ? [] : ['-e', `/dial ${dial}`];
  return new Child('baresip', ['-4', '-s', '-f', directory, ...command], { env: { HOME: directory } });
}

function config(): string {
  const modules = [
    join(which('baresip') ?? '', '../../lib/baresip/modules'),
    '/usr/lib/baresip/modules',
    '/usr/local/lib/baresip/modules',
  ].find((directory) => existsSync(directory));
  return [
    'sip_listen 127.0.0.1:0',
    'net_interface 127.0.0.1',
    `module_path ${modules ?? '.'}`,
    'module_app account.so',
    'module_app menu.so',
    'module g711.so',
    'module aubridge.so', // sound without a sound card
    'audio_player aubridge,x',
    'audio_source aubridge,x',
    'audio_alert aubridge,x',
    '',
  ].join('\n');
}
