// Programs for tests from Debian's packages, unpacked beside the tests and kept: nothing is installed.

import { spawnSync } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';

/** Where unpacked packages are kept between runs. */
const CACHE = resolve(import.meta.dirname, '../../.build/peers');
const APT_MS = 180_000;

/** A program of a package, or why it cannot be had. @param path in the package @param suite by default this machine's own */
export function programOfPackage(
  name: string,
  path: string,
  suite: string = ownSuite(),
): { readonly file: string } | { readonly missing: string } {
  const folder = join(CACHE, `${name}-${suite}`);
  const file = join(folder, path);
  const failure = existsSync(file) ? undefined : unpack(name, suite, folder);
  return failure === undefined ? { file } : { missing: `${name} of Debian ${suite}: ${failure}` };
}

function ownSuite(): string {
  const release = existsSync('/etc/os-release') ? readFileSync('/etc/os-release', 'utf8') : '';
  return /^VERSION_CODENAME=(\w+)$/m.exec(release)?.[1] ?? 'stable';
}

/** Where this machine has its own packages from. */
function ownMirror(): string | undefined {
  const folder = '/etc/apt/sources.list.d';
  const files = [
    '/etc/apt/sources.list',
    ...(existsSync(folder) ? readdirSync(folder).map((name) => join(folder, name)) : []),
  ];
  const lines = files.filter((file) => existsSync(file)).map((file) => readFileSync(file, 'utf8'));
  return /https?:\/\/\S+\/debian\/?(?=\s)/.exec(lines.join('\n'))?.[0];
}

/** Downloads and unpacks the package with a list of sources of its own. Returns what kept it from that. */
function unpack(name: string, suite: string, folder: string): string | undefined {
  if (!existsSync('/etc/debian_version')) return 'this is no Debian';
  const work = mkdtempSync(join(tmpdir(), 'aorta-apt-'));
  try {
    for (const folder of ['lists/partial', 'archives/partial']) mkdirSync(join(work, folder), { recursive: true });
    const mirror = ownMirror();
    if (mirror === undefined) return 'no mirror of Debian is known here';
    const keyring = '/usr/share/keyrings/debian-archive-keyring.gpg';
    writeFileSync(join(work, 'list'), `deb [signed-by=${keyring}] ${mirror} ${suite} main\n`);
    const options = [
      ['Dir::Etc::sourcelist', join(work, 'list')],
      ['Dir::Etc::sourceparts', '-'],
      ['Dir::State::lists', join(work, 'lists')],
      ['Dir::Cache', work],
      ['APT::Sandbox::User', 'root'],
      ['Acquire::Languages', 'none'],
    ].flatMap(([name, value]) => ['-o', `${name}=${value}`]);
    for (const words of [['update'], ['download', name]]) {
      const { status, stderr, error } = spawnSync('apt-get', ['-qq', ...options, ...words], {
        cwd: work,
        encoding: 'utf8',
        timeout: APT_MS,
      });
      if (status !== 0) return `apt-get ${words.join(' ')}: ${error?.message ?? stderr.trim().split('\n').at(-1)}`;
    }
    const deb = readdirSync(work).find((file) => file.endsWith('.deb'));
    if (deb === undefined) return 'apt-get downloaded nothing';
    const { status, stderr } = spawnSync('dpkg', ['-x', join(work, deb), join(work, 'tree')], { encoding: 'utf8' });
    if (status !== 0) return `dpkg -x: ${stderr.trim()}`;
    mkdirSync(dirname(folder), { recursive: true });
    try {
      renameSync(join(work, 'tree'), folder);
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code === 'EXDEV') spawnSync('cp', ['-a', join(work, 'tree'), folder]);
      else if (code !== 'ENOTEMPTY' && code !== 'EEXIST') throw error; // another test has unpacked it meanwhile
    }
    return undefined;
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}
