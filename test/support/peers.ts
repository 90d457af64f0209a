// The programs that the end-to-end tests talk to Aorta with: which of them are here, and what is not tested without them.

import { existsSync } from 'node:fs';
import { which } from './child-process.ts';

export interface Peer {
  readonly command: string;
  readonly debianPackage: string;
  /** What else of it the tests need, where it comes in several Debian packages. */
  readonly morePackages?: readonly string[];
  /** The tests that are skipped without it. */
  readonly tests: string;
}

export const PEERS: readonly Peer[] = [
  { command: 'sipp', debianPackage: 'sip-tester', tests: 'test/e2e/sipp.test.ts and its part of auth-clients.test.ts' },
  { command: 'sipsak', debianPackage: 'sipsak', tests: 'test/e2e/sipsak.test.ts and its part of auth-clients.test.ts' },
  {
    command: 'baresip',
    debianPackage: 'baresip',
    tests: 'test/e2e/baresip.test.ts and its part of auth-clients.test.ts',
  },
  {
    command: 'linphonec',
    debianPackage: 'linphone-cli',
    tests: 'test/e2e/linphone.test.ts and its part of auth-clients.test.ts',
  },
  {
    command: 'kamailio',
    debianPackage: 'kamailio',
    morePackages: ['tls', 'websocket', 'outbound', 'utils', 'extra', 'sqlite'].map(
      (name) => `kamailio-${name}-modules`,
    ),
    tests: 'test/e2e/proxies.test.ts, a part of test/e2e/move-in.test.ts',
  },
  {
    command: 'kamcmd',
    debianPackage: 'kamailio',
    morePackages: ['kamailio-presence-modules'],
    tests: 'a part of test/e2e/reg-events.test.ts',
  },
  { command: 'finch', debianPackage: 'finch', tests: 'a part of test/e2e/odd-phones.test.ts' },
  { command: 'twinkle-console', debianPackage: 'twinkle-console', tests: 'a part of test/e2e/odd-phones.test.ts' },
  {
    command: 'perl',
    debianPackage: 'perl',
    morePackages: ['libnet-sip-perl'],
    tests: 'a part of test/e2e/odd-phones.test.ts',
  },
  { command: 'sip-options', debianPackage: 'sofia-sip-bin', tests: 'a part of test/e2e/odd-phones.test.ts' },
  { command: 'chromium', debianPackage: 'chromium', tests: 'test/e2e/browser.test.ts' },
  { command: 'stunnel', debianPackage: 'stunnel4', tests: 'a part of test/e2e/stream-clients.test.ts' },
  { command: 'strace', debianPackage: 'strace', tests: 'test/e2e/strace.test.ts' },
  { command: 'cc', debianPackage: 'gcc', morePackages: ['libc6-dev'], tests: 'test/e2e/power-cuts.test.ts' },
  { command: 'sqlite3', debianPackage: 'sqlite3', tests: 'a part of test/e2e/move-in.test.ts' },
  {
    command: 'pg_ctlcluster',
    debianPackage: 'postgresql-common',
    morePackages: ['postgresql'],
    tests: 'a part of test/e2e/sql-users.test.ts',
  },
  {
    command: 'mariadbd',
    debianPackage: 'mariadb-server-core',
    morePackages: ['mariadb-client-core'],
    tests: 'a part of test/e2e/sql-users.test.ts',
  },
  { command: 'sngrep', debianPackage: 'sngrep', tests: 'test/e2e/hep.test.ts' },
  { command: 'zsh', debianPackage: 'zsh', tests: 'a part of test/e2e/completion.test.ts' },
  { command: 'fish', debianPackage: 'fish', tests: 'a part of test/e2e/completion.test.ts' },
  { command: 'tshark', debianPackage: 'tshark', tests: 'test/e2e/hep.test.ts' },
];

export function missingPeers(): Peer[] {
  return PEERS.filter((peer) => which(peer.command) === undefined || missingPackages(peer).length > 0);
}

/** Of a peer whose command is there: Debian packages that are not. Elsewhere than on Debian nobody knows. */
export function missingPackages({ morePackages = [] }: Peer): string[] {
  if (!existsSync('/etc/debian_version')) return [];
  return morePackages.filter((name) => !existsSync(`/usr/share/doc/${name}`));
}

/** For describe.skipIf: true where the peer is missing, and then the reason is printed. */
export function peerMissing(command: string): boolean {
  if (which(command) !== undefined && !missingPeers().some((peer) => peer.command === command)) return false;
  console.warn(`skipped: ${command} is not installed`);
  return true;
}
