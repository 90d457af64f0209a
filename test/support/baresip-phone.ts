// baresip as a phone: no sound card, no screen, answers by itself where it is told to.

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
  /** Seconds from one REGISTER to the next. */
  readonly interval?: number;
  /** With it, two flows by that instance and a GRUU. */
  readonly uuid?: string;
  readonly answers?: boolean;
  /** Dialled once it has started. */
  readonly dial?: string;
}

/** Starts a phone that registers. Its SIP trace is on stdout. */
export function startPhone(options: PhoneOptions): Child {
  const { aor, proxy, transport = 'udp', password = 'none', interval = 60, uuid, answers, dial } = options;
  const directory = temporaryDirectory();
  const flows = [`outbound1="${proxy}"`, `outbound2="${proxy}"`, 'sipnat=outbound'];
  const account = [
    `<sip:${aor};transport=${transport}>`,
    ...(uuid === undefined ? [`outbound="${proxy}"`] : flows),
    `regint=${interval}`,
    `auth_pass=${password}`,
    'audio_codecs=PCMU',
    ...(answers ? ['answermode=auto'] : []),
  ];
  writeFileSync(join(directory, 'config'), config(uuid === undefined ? [] : ['uuid']));
  if (uuid !== undefined) writeFileSync(join(directory, 'uuid'), uuid);
  writeFileSync(join(directory, 'accounts'), `${account.join(';')}\n`);
  writeFileSync(join(directory, 'contacts'), '');
  const command = dial === undefined ? [] : ['-e', `/dial ${dial}`];
  return new Child('baresip', ['-4', '-s', '-f', directory, ...command], { env: { HOME: directory } });
}

function config(modules: readonly string[]): string {
  const directory = [
    join(which('baresip') ?? '', '../../lib/baresip/modules'),
    '/usr/lib/baresip/modules',
    '/usr/local/lib/baresip/modules',
    '/opt/homebrew/lib/baresip/modules',
  ].find((place) => existsSync(place));
  return [
    'sip_listen 127.0.0.1:0',
    'net_interface 127.0.0.1', // an address: it knows no loopback interface by name
    `module_path ${directory ?? '.'}`,
    ...[...modules, 'account', 'menu', 'g711', 'aubridge'].map((name) => `module ${name}.so`),
    'audio_player aubridge,x', // sound without a sound card
    'audio_source aubridge,x',
    'audio_alert aubridge,x',
    '',
  ].join('\n');
}
