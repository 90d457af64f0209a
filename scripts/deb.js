// A Debian package of the build: `npm run deb [-- FOLDER [COMPRESSION]]` writes aorta_VERSION_ARCH.deb there (.build, xz by default). It holds the
// program with the packages it needs, from node_modules, so that an installation fetches nothing.

import { execFileSync } from 'node:child_process';
import { chmodSync, cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';
import { manPage } from './man.js';

const root = fileURLToPath(new URL('..', import.meta.url));
const [, , folder = join(root, '.build'), compression = 'xz'] = process.argv;
const { version, description, dependencies, optionalDependencies, engines, type, name } = JSON.parse(
  readFileSync(join(root, 'package.json'), 'utf8'),
);
/** Where each shell looks by itself. */
const COMPLETIONS = {
  bash: 'usr/share/bash-completion/completions/aorta',
  zsh: 'usr/share/zsh/vendor-completions/_aorta',
  fish: 'usr/share/fish/vendor_completions.d/aorta.fish',
};
/** All but the site's making, and screenshots that no page shows. */
const isDocument = (path) => !/\.vitepress|screens\/(?!load-1280-light)/.test(path);
const tree = mkdtempSync(join(tmpdir(), 'aorta-deb-'));
const put = (path, content, mode = 0o644) => {
  mkdirSync(dirname(join(tree, path)), { recursive: true });
  writeFileSync(join(tree, path), content, { mode });
  chmodSync(join(tree, path), mode);
};
const read = (path) => readFileSync(join(root, path), 'utf8');
const run = (command, ...words) => execFileSync(command, words, { cwd: root, encoding: 'utf8', maxBuffer: 1 << 26 });

try {
  chmodSync(tree, 0o755);
  const library = join(tree, 'usr/lib/aorta');
  cpSync(join(root, 'dist'), join(library, 'dist'), {
    recursive: true,
    filter: (path) => !/\.(map|d\.ts)$/.test(path),
  });
  put(
    'usr/lib/aorta/package.json',
    JSON.stringify({ name, version, type, engines, dependencies, optionalDependencies }),
  );
  for (const path of run('npm', 'ls', '--omit=dev', '--all', '--parseable').trim().split('\n').slice(1)) {
    const place = relative(root, path);
    if (!place.startsWith('node_modules/@types/'))
      cpSync(path, join(library, place), {
        recursive: true,
        filter: (file) => !file.slice(path.length + 1).startsWith('node_modules'),
      });
  }
  mkdirSync(join(tree, 'usr/bin'), { recursive: true });
  symlinkSync('../lib/aorta/dist/cli.js', join(tree, 'usr/bin/aorta'));
  // Its comment tells how to install the unit by hand.
  put('usr/lib/systemd/system/aorta.service', read('docs/deploy/aorta.service').replace(/^#.*\n(?=[#[])/gm, ''));
  put('etc/aorta/aorta.yaml', read('docs/deploy/debian/aorta.yaml'));
  put('usr/share/man/man1/aorta.1.gz', gzipSync(await manPage(join(root, 'dist/cli.js'), version), { level: 9 }));
  put('usr/share/doc/aorta/copyright', read('LICENSE'));
  // Beside one another, where the links among them find them.
  cpSync(join(root, 'docs'), join(tree, 'usr/share/doc/aorta'), { recursive: true, filter: isDocument });
  put('usr/share/doc/aorta/README.md', read('README.md').replaceAll('](docs/', ']('));
  for (const [shell, path] of Object.entries(COMPLETIONS))
    put(path, run(process.execPath, join(root, 'dist/cli.js'), 'completion', shell));
  put('DEBIAN/conffiles', '/etc/aorta/aorta.yaml\n');
  for (const script of ['postinst', 'prerm', 'postrm'])
    put(`DEBIAN/${script}`, read(`docs/deploy/debian/${script}`), 0o755);
  const arch = run('dpkg', '--print-architecture').trim();
  const size = run('du', '-sk', '--exclude=DEBIAN', tree).split('\t')[0];
  put(
    'DEBIAN/control',
    `Package: aorta
Version: ${version}
Architecture: ${arch}
Maintainer: The Aorta authors <aorta@localhost>
Installed-Size: ${size}
Depends: nodejs (>= 20.19), libc6, passwd
Section: comm
Priority: optional
Description: SIP registrar and location service
 ${description}.
`,
  );
  mkdirSync(folder, { recursive: true });
  const file = join(folder, `aorta_${version}_${arch}.deb`);
  run(
    'dpkg-deb',
    '--root-owner-group',
    `-Z${compression}`,
    ...(compression === 'none' ? [] : ['-z1']),
    '--build',
    tree,
    file,
  );
  console.log(file);
} finally {
  rmSync(tree, { recursive: true, force: true });
}
