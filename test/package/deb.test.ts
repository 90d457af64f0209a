// The Debian package, built by its script and installed by dpkg into a root of its own: what is there serves, and a removal leaves the data.

import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readConfigFile } from '../../src/server/config/config-file.ts';
import { createConfig } from '../../src/server/config/create-config.ts';
import { removeDirectories, temporaryDirectory } from '../support/aorta-process.ts';
import { Child, killAll } from '../support/child-process.ts';
import { freePort } from '../support/free-ports.ts';

const project = join(import.meta.dirname, '../..');
const MANY_SECONDS = 180_000;

/** Why it cannot be tried here. */
function missing(): string | undefined {
  if (process.getuid?.() !== 0) return 'only root installs packages';
  return spawnSync('dpkg', ['--version']).error === undefined ? undefined : 'dpkg is not installed';
}

const reason = missing();
if (reason !== undefined) console.warn(`the Debian package is not tried: ${reason}`);

afterAll(async () => {
  await killAll();
  removeDirectories();
});

describe.skipIf(reason !== undefined)('the Debian package', { timeout: MANY_SECONDS }, () => {
  const root = join(temporaryDirectory(), 'root');

  const dpkg = (...words: string[]) =>
    spawnSync(
      'dpkg',
      [`--root=${root}`, `--log=${root}/dpkg.log`, '--force-script-chrootless', '--force-depends', ...words],
      { encoding: 'utf8' },
    );

  beforeAll(() => {
    for (const folder of ['etc', 'var/lib/dpkg/updates', 'var/lib/dpkg/info', 'var/lib/dpkg/triggers', 'tmp'])
      mkdirSync(join(root, folder), { recursive: true });
    for (const file of ['etc/passwd', 'etc/group', 'etc/shadow', 'etc/gshadow', 'var/lib/dpkg/status'])
      writeFileSync(join(root, file), '');
    const built = execFileSync(process.execPath, [join(project, 'scripts/deb.js'), root, 'none'], {
      cwd: project,
      encoding: 'utf8',
    });
    const installed = dpkg('--install', built.trim());
    expect(installed.status, installed.stderr).toBe(0);
  }, MANY_SECONDS);

  it('makes its user and a data directory that no one else reads', () => {
    const [, , uid] = /^aorta:.*$/m.exec(readFileSync(join(root, 'etc/passwd'), 'utf8'))?.[0].split(':') ?? [];
    const data = statSync(join(root, 'var/lib/aorta'));
    expect([data.uid, data.mode & 0o777]).toEqual([Number(uid), 0o700]);
  });

  it('has a configuration that is sound and a unit that names it', () => {
    const config = createConfig([readConfigFile(join(root, 'etc/aorta/aorta.yaml'))]);
    expect(config).toMatchObject({ data: '/var/lib/aorta', admin: { listen: { port: 8060 } } });
    const unit = readFileSync(join(root, 'usr/lib/systemd/system/aorta.service'), 'utf8');
    expect(unit).toMatch(/^\[Unit\]/);
    expect(unit).toContain('--config /etc/aorta/aorta.yaml');
  });

  it('has a man page with every command, which man can set', () => {
    const page = execFileSync('gzip', ['-dc', join(root, 'usr/share/man/man1/aorta.1.gz')], { encoding: 'utf8' });
    const help = execFileSync(process.execPath, [join(project, 'dist/cli.js'), '--help'], { encoding: 'utf8' });
    const names = [...(help.split('Commands:')[1]?.split('\n\n')[0] ?? '').matchAll(/^ {2}(\w+) /gm)].map(
      ([, name]) => name,
    );
    expect(names.length).toBeGreaterThan(15);
    for (const name of names.filter((one) => one !== 'help')) expect(page, name).toContain(`\n.SS aorta ${name} `);
    expect(page).toContain('\\fB\\-\\-log\\-format <format>\\fR');
    const { error, stderr } = spawnSync('groff', ['-man', '-Tutf8', '-ww'], { input: page, encoding: 'utf8' });
    if (error !== undefined) return console.warn('groff is not installed: the page is not set');
    expect(stderr).toBe('');
  });

  it('has the documents, with all that they link to', () => {
    const folder = join(root, 'usr/share/doc/aorta');
    const pages = readdirSync(folder).filter((name) => name.endsWith('.md'));
    expect(pages).toEqual(expect.arrayContaining(['README.md', 'migration.md', 'operating.md', 'runbook.md']));
    const missing = pages.flatMap((page) =>
      [...readFileSync(join(folder, page), 'utf8').matchAll(/\]\(([\w./-]+)[#)]/g)]
        .filter(([, target]) => !existsSync(join(folder, target)))
        .map(([, target]) => `${page}: ${target}`),
    );
    expect(missing).toEqual([]);
    expect(existsSync(join(folder, 'grafana/alerts.yaml'))).toBe(true);
  });

  it('completes commands in the shells that look for it', () => {
    const share = (path: string) => join(root, 'usr/share', path);
    const script = 'COMP_WORDS=(aorta user im) COMP_CWORD=2; _aorta; echo "${COMPREPLY[@]}"';
    const words = ['-c', `source ${share('bash-completion/completions/aorta')}; ${script}`];
    expect(spawnSync('bash', words, { encoding: 'utf8' }).stdout.trim()).toBe('import');
    expect(readFileSync(share('zsh/vendor-completions/_aorta'), 'utf8')).toMatch(/^#compdef aorta\n/);
    expect(readFileSync(share('fish/vendor_completions.d/aorta.fish'), 'utf8')).toContain('-c aorta');
  });

  it('serves, from what was installed alone', async () => {
    const cli = join(root, 'usr/bin/aorta');
    const port = await freePort();
    const data = temporaryDirectory();
    const server = new Child(process.execPath, [
      cli,
      'serve',
      '--listen',
      `udp:127.0.0.1:${port}`,
      '--data',
      data,
      '--shards',
      '1',
    ]);
    await server.until(/^ready: register/m, 40_000);
    server.signal('SIGTERM');
    expect((await server.end(20_000)).code, server.output()).toBe(0);
  });

  it('leaves users and bindings when it is purged, and nothing else', () => {
    writeFileSync(join(root, 'var/lib/aorta/kept'), '');
    const purged = dpkg('--purge', 'aorta');
    expect(purged.status, purged.stderr).toBe(0);
    for (const path of ['usr/lib/aorta', 'etc/aorta/aorta.yaml', 'usr/bin/aorta'])
      expect(existsSync(join(root, path)), path).toBe(false);
    expect(existsSync(join(root, 'var/lib/aorta/kept'))).toBe(true);
  });
});
