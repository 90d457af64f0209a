// Clients that few test with: libpurple's SIMPLE in finch, twinkle's console, a Perl program on Net::SIP. Each registers as its user
// with a password, refreshes by itself where it can, and unregisters when it is told to end.

import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { temporaryDirectory } from './aorta-process.ts';
import { Child } from './child-process.ts';

export interface Login {
  readonly user: string;
  readonly domain: string;
  readonly password: string;
  /** The registrar's port on 127.0.0.1. */
  readonly port: number;
}

/** finch draws on a terminal, which `script` gives it. `log`: a file with what it sent, received and made of it. */
export function startFinch({ user, domain, password, port }: Login): { phone: Child; log: string } {
  const home = temporaryDirectory();
  mkdirSync(join(home, '.purple'));
  const account = `<?xml version='1.0' encoding='UTF-8' ?>
<account version='1.0'><account><protocol>prpl-simple</protocol><name>${user}@${domain}</name><password>${password}</password>
<settings>
<setting name='proxy' type='string'>127.0.0.1</setting><setting name='useproxy' type='bool'>1</setting>
<setting name='port' type='int'>${port}</setting><setting name='udp' type='bool'>1</setting>
<setting name='dopublish' type='bool'>0</setting>
</settings>
<settings ui='gnt-purple'><setting name='auto-login' type='bool'>1</setting></settings>
</account></account>
`;
  writeFileSync(join(home, '.purple', 'accounts.xml'), account);
  const log = join(home, 'log');
  const env = { HOME: home, TERM: 'xterm', LINES: '24', COLUMNS: '80' };
  return { phone: new Child('script', ['-qec', `finch -d 2>${log}`, '/dev/null'], { cwd: home, env }), log };
}

/** twinkle takes commands on stdin, `deregister` and `quit` among them. It listens on `listen`. */
export function startTwinkle(login: Login, listen: number, seconds: number): Child {
  const { user, domain, password, port } = login;
  const home = temporaryDirectory();
  const folder = join(home, '.twinkle');
  mkdirSync(folder);
  const profile = [
    ...[`user_name=${user}`, `user_domain=${domain}`, `auth_name=${user}`, `auth_pass=${password}`],
    ...[`registrar=127.0.0.1:${port}`, `registration_time=${seconds}`, 'register_at_startup=yes', ''],
  ];
  writeFileSync(join(folder, 'phone.cfg'), profile.join('\n'));
  writeFileSync(join(folder, 'twinkle.sys'), `sip_port=${listen}\nvalidate_audio_dev=no\n`);
  return new Child('twinkle-console', ['phone.cfg'], { cwd: home, env: { HOME: home } });
}

/** Registers, again, and with an interval of 0; prints what came of each, and waits for a line of input behind it. */
export function startNetSip(login: Login, proto: 'udp' | 'tcp', listen: number, seconds: number): Child {
  const { user, domain, password, port } = login;
  const program = `
    use strict; use warnings; use Net::SIP;
    my $ua = Net::SIP::Simple->new(
      registrar => '${domain}', outgoing_proxy => 'sip:127.0.0.1:${port};transport=${proto}',
      from => 'sip:${user}@${domain}', auth => ['${user}', '${password}'],
      leg => Net::SIP::Leg->new(addr => '127.0.0.1', port => ${listen}, proto => '${proto}'),
    );
    for my $expires (${seconds}, ${seconds}, 0) {
      $ua->error(undef);
      my $granted = $ua->register(expires => $expires);
      printf "%d: %s\\n", $expires, $ua->error // $granted // 'gone';
      $| = 1;
      <STDIN>;
    }
  `;
  return new Child('perl', ['-e', program]);
}
