// What a package manager makes of the repository: a lock file that is whole on every system, a bill of materials, and a package that
// works without install scripts.

import { execFileSync } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

interface Entry {
  readonly dev?: boolean;
  readonly version?: string;
  readonly integrity?: string;
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly optionalDependencies?: Readonly<Record<string, string>>;
}

const root = join(import.meta.dirname, '../..');
const lock = JSON.parse(readFileSync(join(root, 'package-lock.json'), 'utf8')) as { packages: Record<string, Entry> };
const manifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as Entry;

/** The lock's path of `name` as seen from the package at `from`, as Node looks for it. */
function locked(from: string, name: string): string | undefined {
  for (let at = from; ; at = at.slice(0, Math.max(0, at.lastIndexOf('node_modules/') - 1))) {
    const path = `${at === '' ? '' : `${at}/`}node_modules/${name}`;
    if (path in lock.packages) return path;
    if (at === '') return undefined;
  }
}

describe('the lock file', () => {
  it('has every package of every system, with its hash: npm ci refuses it otherwise', () => {
    const missing = Object.entries(lock.packages).flatMap(([path, entry]) =>
      Object.keys({ ...entry.dependencies, ...entry.optionalDependencies })
        .filter((name) => locked(path, name) === undefined)
        .map((name) => `${path} needs ${name}`),
    );
    const unhashed = Object.entries(lock.packages).filter(([path, { integrity }]) => path !== '' && !integrity);
    expect({ missing, unhashed }).toEqual({ missing: [], unhashed: [] });
  });

  it('pins what package.json names', () => {
    const named = { ...manifest.dependencies, ...manifest.optionalDependencies };
    const pinned = Object.keys(named).map((name) => [name, lock.packages[`node_modules/${name}`]?.version]);
    expect(pinned).toEqual(Object.entries(named).map(([name, version]) => [name, version.replace(/^npm:.*@/, '')]));
  });
});

describe('the package', () => {
  let folder = '';
  let packed = '';
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'aorta-package-'));
    const flags = ['pack', '--ignore-scripts', '--silent', '--pack-destination', folder];
    const tarball = execFileSync('npm', flags, { cwd: root, encoding: 'utf8' }).trim();
    packed = join(folder, 'node_modules', 'aorta');
    writeFileSync(join(folder, 'package.json'), '{"private": true}'); // or a package.json above it says who is who
    mkdirSync(packed, { recursive: true });
    execFileSync('tar', ['xzf', join(folder, tarball), '-C', packed, '--strip-components=1']);
    // Its dependencies as npm installs them, without scripts and without those for development.
    for (const [path, { dev }] of Object.entries(lock.packages)) {
      if (dev || !/^node_modules\/(@[^/]+\/)?[^/]+$/.test(path)) continue;
      const link = join(folder, path);
      mkdirSync(dirname(link), { recursive: true });
      symlinkSync(join(root, path), link);
    }
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  it('has all that its command and its parser load', () => {
    const version = execFileSync(process.execPath, [join(packed, 'dist/cli.js'), '--version'], { encoding: 'utf8' });
    expect(version.trim()).toBe(manifest.version);
    const script = `import('aorta/parser').then(({ parse }) => console.log(parse(Buffer.from('OPTIONS sip:a SIP/2.0\\r\\n\\r\\n')).method ?? 'read'));
      import('aorta').then((all) => console.log(Object.keys(all).includes('createRegistrar')));`;
    const said = execFileSync(process.execPath, ['--input-type=module', '-e', script], {
      cwd: folder,
      encoding: 'utf8',
    });
    expect(said).toContain('true');
  });

  it('has fewer than 200 files', () => {
    const files = readdirSync(packed, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
    expect(files.length).toBeLessThan(200);
    expect(files.length).toBeGreaterThan(40);
  });

  it('needs no install script of its own', async () => {
    const module = pathToFileURL(join(root, 'scripts/manifest.js')).href;
    const { packedManifest } = (await import(module)) as { packedManifest: (text: string) => string };
    const text = readFileSync(join(root, 'package.json'), 'utf8');
    expect(JSON.parse(packedManifest(text))).not.toHaveProperty('scripts');
    expect((JSON.parse(text) as { scripts: Record<string, string> }).scripts).toMatchObject({
      prepack: expect.stringMatching(/node scripts\/manifest\.js$/),
      postpack: 'node scripts/manifest.js restore',
    });
    expect(readdirSync(packed).sort()).toEqual(['LICENSE', 'README.md', 'dist', 'docs', 'package.json']);
  });

  it('has every file that its documents link to', () => {
    const files = readdirSync(packed, { recursive: true, encoding: 'utf8' });
    const dead = files
      .filter((file) => file.endsWith('.md'))
      .flatMap((file) => {
        const prose = readFileSync(join(packed, file), 'utf8').replace(/^```[\s\S]*?^```/gm, '');
        const links = [...prose.matchAll(/\]\((?![a-z]+:)([^)\s#]+)[^)\s]*\)/g)].map(([, link]) => link);
        return links.filter((link) => !existsSync(join(packed, dirname(file), link))).map((link) => `${file}: ${link}`);
      });
    expect(dead).toEqual([]);
  });

  it('has a bill of materials with every package that it brings, or that is part of it', () => {
    const file = join(folder, 'sbom.cdx.json');
    execFileSync(process.execPath, [join(root, 'scripts/sbom.js'), file]);
    const sbom = JSON.parse(readFileSync(file, 'utf8')) as { components: { name: string; version: string }[] };
    const brought = Object.entries(lock.packages)
      .filter(([path, { dev }]) => path !== '' && !dev)
      .map(([path]) => path.slice(path.lastIndexOf('node_modules/') + 'node_modules/'.length));
    const text = readFileSync(join(packed, 'dist/licenses.txt'), 'utf8');
    const built = [...text.matchAll(/^([a-z-]+) [\d.]+, [A-Z][\w.-]*$/gm)].map(([, name]) => name);
    expect(built).toEqual(['commander', 'yaml', 'zod', 'uplot', 'swagger-ui-dist']);
    const names = [...brought, ...built.slice(0, 3)];
    expect(sbom.components.map(({ name }) => name).sort()).toEqual(names.sort());
  });
});
