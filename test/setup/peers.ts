// vitest globalSetup of the e2e project: sees to it that the real clients are here.
// On Debian as root it installs what is missing; elsewhere it says what is missing and which tests are skipped for it.
// With CI=true a missing peer is a failure.

import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { which } from '../support/child-process.ts';
import { missingPackages, missingPeers, type Peer } from '../support/peers.ts';

export function setup(): void {
  if (missingPeers().length > 0 && isDebianRoot()) install(missingPeers());
  const missing = missingPeers();
  for (const peer of missing) {
    say(`${peer.command} is missing (Debian package ${peer.debianPackage}): ${peer.tests} is skipped`);
  }
  if (missing.length > 0 && process.env.CI === 'true') {
    throw new Error(`CI needs every peer; missing: ${missing.map((peer) => peer.debianPackage).join(' ')}`);
  }
}

function isDebianRoot(): boolean {
  return existsSync('/etc/debian_version') && process.getuid?.() === 0;
}

function install(missing: readonly Peer[]): void {
  const packages = missing.flatMap((peer) => [
    ...(which(peer.command) === undefined ? [peer.debianPackage] : []),
    ...missingPackages(peer),
  ]);
  say(`installing ${packages.join(' ')} with apt-get …`);
  apt(['update']);
  // One by one, so that a package which this release does not have costs only its own test.
  for (const name of packages) apt(['install', '-y', '--no-install-recommends', name]);
}

function apt(args: readonly string[]): void {
  const started = Date.now();
  const result = spawnSync('apt-get', ['-qq', ...args], {
    env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' },
    encoding: 'utf8',
    timeout: 180_000,
  });
  const seconds = ((Date.now() - started) / 1000).toFixed(1);
  const failure = result.error?.message ?? result.stderr?.trim().split('\n').at(-1) ?? '';
  say(`apt-get ${args.join(' ')}: ${result.status === 0 ? 'done' : `failed (${failure})`} after ${seconds} s`);
}

function say(text: string): void {
  process.stderr.write(`e2e: ${text}\n`);
}
