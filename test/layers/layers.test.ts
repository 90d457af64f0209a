// Rules about the source that no compiler checks. Every message says where, and what to do about it.

import { dirname } from 'node:path';
import { describe, expect, it } from 'vitest';
import { findClasses, findFunctions, listFiles, REGEX, readSource, type SourceFile } from './source.ts';

const files = listFiles('src', '.ts').map(readSource);
const others = ['test', 'bench'].flatMap((folder) => listFiles(folder, '.ts')).map(readSource);

/** Each folder may import itself and those before it; `.` is src itself (index.ts, cli.ts …). */
const LAYERS = [
  'sip',
  'transport',
  'core',
  'location',
  'users',
  'cluster',
  'shard',
  'threads',
  'server',
  'commands',
  '.',
];
/** Folders that may import less than what lies below them. */
const NARROWER: Readonly<Record<string, RegExp>> = {
  transport: /^src\/(transport|sip)\//,
  core: /^src\/(core|sip)\//,
  location: /^src\/(location|sip|core\/(binding|timers))\//,
  cluster: /^src\/(cluster|location|sip|core\/binding)\//,
};

/** Where Node's modules and packages may be imported. */
const OUTSIDE_WORLD =
  /^src\/(location\/(log\/(lmdb-(log|guard)|log-f(older|iles)|generation\/(lmdb-generation|generation-(file|head)))|checkpoint\/checkpoint-files|(files|shared)\/.*)|(users|shard|threads|transport|server|commands)\/.*|cluster\/(stream-mac|beat-seal|peers\/peer-proof)|cli)\.ts$/;
const HASHES_ONLY = /^src\/core\/(auth\/digest|register\/gruu)\.ts$/;

/** Files in one folder, the folders in it left aside. */
const FOLDER_FILES_MAX = 20;
/** Files that start something: nobody imports them. */
const ENTRY_POINTS = [
  'src/index.ts',
  'src/parser.ts',
  'src/cli.ts',
  'src/location.ts',
  'src/messages.ts',
  'src/cluster/cluster-store.ts',
  'src/cluster/membership.ts',
  'src/sip/simd/parser.ts',
  'src/core/wasm/simd/writer.ts',
];
/** Programs of threads, by their names. */
const THREAD = /^src\/threads\/(?:.*\/)?[a-z-]+-task\.ts$/;
const isEntry = (path: string) => ENTRY_POINTS.includes(path) || THREAD.test(path);
/** Layouts: lists of names that are whole whether or not each is used yet. */
const LAYOUTS = [
  'src/sip/parser/span-table.ts',
  'src/sip/parser/parse-error.ts',
  'src/sip/parser/memory-map.ts',
  'src/sip/sources.ts',
  'src/core/binding/image-layout.ts',
  'src/cluster/roles.ts',
  'src/transport/linux/linux-abi.ts',
];

const FILE_LINES_MAX = 300;
/** Of test and bench: cases read well one below the other. */
const TEST_LINES_MAX = 450;
const FUNCTION_LINES_MAX = 70;
const CLASS_FIELDS_MAX = 24;
const FILE_IMPORTS_MAX = 30;
/** Files that hold all parts of one thing: they know many others. */
const COMPOSES = 'puts the parts together, and has no other concern';
/** Tests whose cases share their subject and its helpers. */
const CASES = 'one subject, case by case, with helpers of its own';
/**
 * What may be larger, with the reason: `src/x/file.ts`, `src/x/file.ts name` of a function or `src/x/file.ts class Name`,
 * `src/x/file.ts imports`. An exception that is not needed fails.
 */
const LARGER: Readonly<Record<string, string>> = {
  'src/sip/simd/header-index.ts':
    'AssemblyScript: one pass over blocks of 16 bytes, whose masks its functions share as locals',
  'src/sip/simd/scan.ts': 'AssemblyScript: one table of byte classes and the searches over it',
  'src/core/auth/authenticator.ts': 'the steps of one authentication in their order',
  'src/shard/shard.ts': "a message's way through a shard, in its order",
  'src/shard/shard.ts class Shard': COMPOSES,
  'src/shard/shard.ts imports': COMPOSES,
  'test/simulation/world/registrations-world.ts':
    'one world: all that may happen in it draws from one seed, and is judged by one model',
  'src/cluster/cluster-shard.ts': 'one shard of one node: follows, claims, owns and hands over the same store',
  'src/cluster/ownership.ts': 'one state machine, state by state',
  'src/messages.ts': 'the entry point of aorta/messages, with its types',
  'src/location/log/log-store.ts': 'one store over a log and a table, which change together or not at all',
  'src/location/table/binding-table.ts': 'all that writes rows: each write keeps index, wheel and counts in step',
  'src/transport/linux/linux-tcp.ts': 'reading, answering and closing share the row of a connection',
  'src/transport/linux/linux-nats.ts': 'one socket with its state: connect, read, write, close',
  'src/users/user-store.ts': 'every change keeps record, indexes and counts in one transaction',
  'src/users/user-table.ts': 'one table with its hash chains; its columns grow together',
  'src/users/user-table.ts class UserTable': 'a column of the table is a field',
  'src/server/server.ts': 'start, reload and stop of the same parts, in order',
  'src/server/server.ts imports': COMPOSES,
  'src/server/admin/admin-server.ts': COMPOSES,
  'src/server/admin/admin-server.ts imports': COMPOSES,
  'src/server/metrics/metrics.ts': 'a list: one metric after the other',
  'src/server/config/rows/policy-rows.ts': 'a list: one row a key',
  'src/threads/shard-thread.ts imports': COMPOSES,
  'src/threads/pool.ts imports': COMPOSES,
  'test/cluster/cluster-shard.test.ts': CASES,
  'test/simulation/shards/shard-world.ts': 'one world: shards, phones and the model that judges them',
  'test/sip/parser.test.ts': CASES,
  'test/location/damage.test.ts': 'one store, damaged in every place it has',
  'test/transport/websocket/websocket.test.ts': 'the same cases on both libraries',
  'test/server/config/config.test.ts': CASES,
  'test/simulation/cluster/cluster-world.ts': 'one world: nodes, network and the model that judges them',
  'test/simulation/store-world.ts': 'one world: disk, crashes and the model that judges them',
  'test/core/abuse/abuse.test.ts': CASES,
  'test/server/embed/embedding.test.ts': CASES,
};

function folderOf(path: string): string {
  const parts = path.split('/');
  return parts.length > 2 ? parts[1] : '.';
}

/** Lines whose code matches, as "file:line: what to do". */
function matches(file: SourceFile, pattern: RegExp, advice: string, from = 1, to = file.code.length): string[] {
  const found: string[] = [];
  for (let line = from; line <= to; line++) {
    if (pattern.test(file.code[line - 1])) found.push(`${file.path}:${line}: ${advice}`);
  }
  return found;
}

describe('layers', () => {
  it('import only downwards', () => {
    const mayImport = (from: string, target: string) =>
      LAYERS.indexOf(folderOf(target)) <= LAYERS.indexOf(from) && (NARROWER[from]?.test(target) ?? true);
    const wrong = files.flatMap((file) =>
      file.imports.flatMap(({ line, target }) =>
        target?.startsWith('src/') && !mayImport(folderOf(file.path), target)
          ? `${file.path}:${line}: ${folderOf(file.path)}/ may not import ${target}; move what both need into a lower folder or pass it as an argument`
          : [],
      ),
    );
    expect(wrong).toEqual([]);
  });

  it('have no folder without a rule, and nothing outside src', () => {
    const wrong = files.flatMap((file) => [
      ...(!LAYERS.includes(folderOf(file.path)) ? [`${file.path}:1: a new folder needs a place in LAYERS`] : []),
      ...file.imports
        .filter(({ target }) => target !== undefined && !target.startsWith('src/') && target !== 'package.json')
        .map(({ line, target }) => `${file.path}:${line}: ${target} is outside src`),
    ]);
    expect(wrong).toEqual([]);
  });

  it(`have folders of at most ${FOLDER_FILES_MAX} files`, () => {
    const sizes = new Map<string, number>();
    for (const { path } of files) sizes.set(dirname(path), (sizes.get(dirname(path)) ?? 0) + 1);
    const wrong = [...sizes]
      .filter(([, count]) => count > FOLDER_FILES_MAX)
      .map(([folder, count]) => `${folder}: ${count} files; part them by what they are about`);
    expect(wrong).toEqual([]);
  });

  it('aorta/location loads no server: no sockets, threads, configuration or log', () => {
    const { loaded, packages } = loadedBy('src/location.ts');
    expect(packages).toEqual(['lmdb', 'node:crypto', 'node:fs', 'node:path']);
    expect(loaded.filter((path) => /^src\/(server\/(?!lookups\/location-lookup)|transport\/)/.test(path))).toEqual([]);
  });

  it('the thread that writes checkpoints loads Node alone: LMDB would be half of its start', () => {
    const { packages } = loadedBy('src/threads/checkpoint/checkpoint-task.ts');
    expect(packages.filter((name) => !name.startsWith('node:'))).toEqual([]);
  });

  it('have no import cycle, not even one of types', () => {
    const graph = new Map(files.map((file) => [file.path, file.imports.flatMap(({ target }) => target ?? [])]));
    const done = new Set<string>();
    const cycles = new Set<string>();
    const walk = (path: string, trail: readonly string[]) => {
      if (trail.includes(path)) cycles.add([...trail.slice(trail.indexOf(path))].sort().join(' → '));
      else if (!done.has(path)) {
        for (const next of graph.get(path) ?? []) walk(next, [...trail, path]);
        done.add(path);
      }
    };
    for (const path of graph.keys()) walk(path, []);
    expect([...cycles]).toEqual([]);
  });

  it("keep Node's modules and packages to the files at the edge", () => {
    const wrong = files
      .filter((file) => !OUTSIDE_WORLD.test(file.path))
      .flatMap((file) =>
        file.imports
          .filter(
            ({ target, specifier }) =>
              target === undefined && !(HASHES_ONLY.test(file.path) && specifier === 'node:crypto'),
          )
          .map(
            ({ line, specifier }) =>
              `${file.path}:${line}: '${specifier}' may not be imported here; pass in what it gives`,
          ),
      );
    expect(wrong).toEqual([]);
  });

  it('keep the core pure: no clock, chance, process, timers or console in sip/ and core/', () => {
    const impure =
      /\b(Date\.now|Math\.random|process|setTimeout|setInterval|setImmediate|queueMicrotask|console|performance|globalThis|crypto\.)\b|\bnew Date\(\)/;
    const wrong = files
      .filter((file) => ['sip', 'core'].includes(folderOf(file.path)))
      .flatMap((file) => matches(file, impure, 'the core takes time, chance and the world as arguments'));
    expect(wrong).toEqual([]);
  });
});

describe('terminals', () => {
  it('are written to by server/process/terminal.ts, but for what moves their cursor', () => {
    const advice = 'print() and printError() escape what phones and files chose';
    const wrong = files
      .filter(({ path }) => !path.endsWith('/terminal.ts'))
      .flatMap((file) =>
        file.lines.flatMap((line, i) =>
          /\bprocess\.std(out|err)\.write\(/.test(file.code[i]) && !line.includes('u001b')
            ? [`${file.path}:${i + 1}: ${advice}`]
            : [],
        ),
      );
    expect(wrong).toEqual([]);
  });
});

describe('files', () => {
  it('open with a comment that says what lives there', () => {
    const wrong = files.flatMap((file) => {
      const start = file.lines[0].startsWith('#!') ? 1 : 0;
      return /^\/\/ \S/.test(file.lines[start])
        ? []
        : [`${file.path}:${start + 1}: say in 1-3 lines of // what lives here and what must not`];
    });
    expect(wrong).toEqual([]);
  });

  it('are named for one concept', () => {
    const vague = /\/(utils?|helpers?|common|misc|shared|tools?)\.ts$/;
    expect(
      files.filter(({ path }) => vague.test(path)).map(({ path }) => `${path}:1: name it for the concept it holds`),
    ).toEqual([]);
  });

  it("re-export nothing but in the package's own modules", () => {
    const wrong = files
      .filter(({ path }) => path !== 'src/index.ts' && path !== 'src/parser.ts')
      .flatMap((file) => [
        ...(file.path.endsWith('/index.ts') ? [`${file.path}:1: only src/index.ts may be an index`] : []),
        ...file.imports
          .filter(({ reExport }) => reExport)
          .map(({ line }) => `${file.path}:${line}: import from where it is defined`),
      ]);
    expect(wrong).toEqual([]);
  });

  it('name their imports with .ts', () => {
    const wrong = [...files, ...others].flatMap((file) =>
      file.imports
        .filter(({ specifier }) => specifier.startsWith('.') && !/\.(ts|json|js)$/.test(specifier))
        .map(({ line, specifier }) => `${file.path}:${line}: write '${specifier}.ts'`),
    );
    expect(wrong).toEqual([]);
  });

  it('are all in use', () => {
    const used = new Set(files.flatMap((file) => file.imports.map(({ target }) => target)));
    const wrong = files
      .filter(({ path }) => !used.has(path) && !isEntry(path))
      .map(({ path }) => `${path}:1: nothing imports this file; use it or remove it`);
    expect(wrong).toEqual([]);
  });

  it('export nothing that nobody else uses', () => {
    const wrong: string[] = [];
    const words = new Map([...files, ...others].map((file) => [file, new Set(file.text.match(/[\w$]+/g))]));
    for (const file of files.filter(({ path }) => !LAYOUTS.includes(path) && !isEntry(path))) {
      const rest = [...words].filter(([other]) => other !== file);
      file.code.forEach((line, i) => {
        const name = /^export (?:const|let|(?:async )?function\*?|(?:abstract )?class) ([\w$]+)/.exec(line)?.[1];
        if (name === undefined) return;
        if (!rest.some(([, named]) => named.has(name)))
          wrong.push(`${file.path}:${i + 1}: nobody imports ${name}; drop "export"`);
      });
    }
    expect(wrong).toEqual([]);
  });

  it('have bounded lines, functions, fields and imports, but for exceptions that are needed', () => {
    const wrong: string[] = [];
    const kept = new Set<string>();
    const judge = (name: string, place: string, what: string, size: number, max: number) => {
      if (size <= max) return;
      if (LARGER[name] === undefined)
        wrong.push(`${place}: ${size} ${what}, at most ${max}; cut it where its concepts part`);
      kept.add(name);
    };
    for (const file of files) {
      const { path } = file;
      judge(path, `${path}:1`, 'lines', file.lines.length - 1, FILE_LINES_MAX);
      const imported = new Set(file.imports.map(({ specifier }) => specifier)).size;
      judge(`${path} imports`, `${path}:1`, 'imports', imported, FILE_IMPORTS_MAX);
      for (const { name, first, last } of findFunctions(file))
        judge(`${path} ${name}`, `${path}:${first}: ${name}`, 'lines', last - first + 1, FUNCTION_LINES_MAX);
      for (const { name, line, fields } of findClasses(file))
        judge(`${path} class ${name}`, `${path}:${line}: ${name}`, 'fields', fields, CLASS_FIELDS_MAX);
    }
    for (const { path, lines } of others) judge(path, `${path}:1`, 'lines', lines.length - 1, TEST_LINES_MAX);
    for (const name of Object.keys(LARGER)) if (!kept.has(name)) wrong.push(`${name} is small now: take it off LARGER`);
    expect(wrong).toEqual([]);
  });

  it('leave nothing unfinished and single out no test', () => {
    const unfinished = /\b(TODO|FIXME|XXX|HACK)\b/;
    const single = /\b(it|test|describe)\.(only|todo|fails)\(/;
    const wrong = [
      ...files.flatMap((file) =>
        file.lines.flatMap((line, i) =>
          unfinished.test(line) ? [`${file.path}:${i + 1}: finish it, or put it in an issue`] : [],
        ),
      ),
      ...others.flatMap((file) => matches(file, single, 'no test is singled out')),
    ];
    expect(wrong).toEqual([]);
  });
});

describe('words', () => {
  const WORDS: readonly [RegExp, string][] = [
    [/\bdoors?\b/i, 'a door is a listener or an interface'],
    [/\badmits?\(/, 'name what it does: check, accept, authorize'],
  ];

  it("are the field's own", () => {
    const wrong = files.flatMap(({ path, lines }) =>
      lines.flatMap((line, i) =>
        WORDS.filter(([word]) => word.test(line)).map(([, advice]) => `${path}:${i + 1}: ${advice}`),
      ),
    );
    expect(wrong).toEqual([]);
  });
});

describe('hot paths', () => {
  const BANS: readonly [RegExp, string][] = [
    [/\basync\b|\bawait\b/, 'no async on the hot path'],
    [/\bthrow\b/, 'no throw on the hot path: return a code'],
    [/\.\.\./, 'no spread or rest on the hot path'],
    [/`/, 'no template string on the hot path: write bytes'],
    [new RegExp(REGEX), 'no regular expression on the hot path'],
    [/\.(map|filter|split|forEach)\(/, 'no map, filter, split or forEach on the hot path: write a loop'],
    [/=>/, 'no closure on the hot path: make it a method or a module function'],
  ];
  const hot = files.filter(({ text }) => /^(\/\/|\/\*\*).*@hot/m.test(text));

  /** Constructors and what is tagged @cold run once, at the start or when something is wrong. */
  it('hold to their bans (a function that runs rarely may be tagged @cold in its comment)', () => {
    const wrong = hot.flatMap((file) =>
      findFunctions(file)
        .filter(({ name, comment }) => name !== 'constructor' && !comment.includes('@cold'))
        .flatMap((f) =>
          BANS.flatMap(([ban, advice]) => matches(file, ban, `${advice} (${f.name})`, f.open + 1, f.last)),
        ),
    );
    expect([...new Set(wrong)]).toEqual([]);
  });

  it('have no asynchronous function at all', () => {
    expect(hot.flatMap((file) => matches(file, /\basync\b/, 'no async on the hot path'))).toEqual([]);
  });
});

describe('texts', () => {
  const markdown = [...listFiles('docs', '.md'), 'README.md'];
  // Put together here, so that this file does not hold what it looks for.
  const machine = new RegExp(
    `(^|[^A-Za-z])(${['/wo' + 'rk/', '/ro' + 'ot/', '/ho' + 'me/[a-z]', '/tmp/' + 'bash'].join('|')})|${'registry\\.' + 'npmjs'}|${'deb\\.' + 'debian'}`,
  );

  it('have one title each, on the first line', () => {
    const wrong = markdown.flatMap((path) => {
      const { text } = readSource(path);
      const outside = text.replace(/^```[\s\S]*?^```/gm, (block) => block.replace(/[^\n]/g, ''));
      const titles = outside.split('\n').flatMap((line, i) => (/^# /.test(line) ? [i + 1] : []));
      return titles.length === 1 && titles[0] === 1
        ? []
        : [`${path}:${titles[1] ?? titles[0] ?? 1}: one "# " title, on line 1`];
    });
    expect(wrong).toEqual([]);
  });

  it('name no path of a machine and no package host', () => {
    const wrong = [...markdown.map(readSource), ...files, ...others].flatMap((file) =>
      file.lines.flatMap((line, i) =>
        machine.test(line) ? [`${file.path}:${i + 1}: take out the machine's path or host`] : [],
      ),
    );
    expect(wrong).toEqual([]);
  });
});

/** All that a file imports, and what that imports; types apart. */
function loadedBy(start: string): { loaded: string[]; packages: string[] } {
  const loaded = new Set([start]);
  const packages = new Set<string>();
  for (const path of loaded) {
    const { imports } = files.find((file) => file.path === path) ?? expect.unreachable(path);
    for (const { target, specifier, typeOnly } of imports) {
      if (!typeOnly && target === undefined) packages.add(specifier);
      else if (!typeOnly && target !== undefined) loaded.add(target);
    }
  }
  return { loaded: [...loaded], packages: [...packages].sort() };
}
