// What the documents show works: configurations are sound, commands and flags exist, and every flag of `aorta serve` stands in the README.

import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { beatSubject, logSubject, metaSubject, orderSubject, streamName } from '../../src/cluster/stream-names.ts';
import { readConfigFile } from '../../src/server/config/config-file.ts';
import { createConfig } from '../../src/server/config/create-config.ts';
import { removeDirectories, temporaryDirectory } from '../support/aorta-process.ts';
import { allHelps } from '../support/command-help.ts';

const ROOT = join(import.meta.dirname, '../..');
const DOCUMENTS = [
  'README.md',
  ...readdirSync(join(ROOT, 'docs'))
    .filter((name) => name.endsWith('.md'))
    .map((name) => `docs/${name}`),
];
/** YAML of others. */
const FOREIGN = /^(scrape_configs|services|apiVersion):/m;

afterAll(removeDirectories);

function blocks(document: string, language: string): string[] {
  const text = readFileSync(join(ROOT, document), 'utf8');
  return [...text.matchAll(new RegExp(`^( *)\`\`\`${language}\\n([\\s\\S]*?)^\\1\`\`\``, 'gm'))].map(
    ([, indent, block]) => block.replaceAll(new RegExp(`^${indent}`, 'gm'), ''),
  );
}

const helps = await allHelps();
const help = (path: string) => helps.get(path) ?? '';

const yaml = DOCUMENTS.flatMap((document) =>
  blocks(document, 'yaml')
    .filter((block) => !FOREIGN.test(block))
    .map((block) => [document, block]),
);

it('configurations are sound', () => {
  expect(yaml.length).toBeGreaterThan(8);
  const file = join(temporaryDirectory(), 'aorta.yaml');
  for (const [document, block] of yaml) {
    writeFileSync(file, block.replaceAll('…', 'x'));
    expect(() => createConfig([readConfigFile(file)]), `${document}:\n${block}`).not.toThrow();
  }
});

it('commands and their flags are there', () => {
  const lines = DOCUMENTS.flatMap((document) =>
    blocks(document, 'sh').flatMap((block) => block.replaceAll('\\\n', ' ').split('\n')),
  );
  const commands = lines
    .flatMap((line) => line.replace(/#.*$/, '').split(/&&|\||;/))
    .map((part) => /^\s*(?:sudo -u \w+ )?(?:npx )?aorta (.*)$/.exec(part)?.[1].trim())
    .filter((text) => text !== undefined);
  expect(commands.length).toBeGreaterThan(15);
  for (const command of new Set(commands)) {
    const words = command.split(/\s+/);
    const name = words[0];
    const isGroup = /^Commands:/m.test(help(name));
    const key = isGroup ? words.slice(0, 2).join(' ') : name;
    const text = help(key);
    expect(text, `aorta ${command}`).toContain(`Usage: aorta ${key}`);
    for (const flag of command.match(/(?<= )--[a-z-]+/g) ?? [])
      expect(text, `aorta ${command}`).toMatch(new RegExp(`${flag}\\b`));
  }
});

it('every verb stands in a document', () => {
  const lines = DOCUMENTS.flatMap((document) => readFileSync(join(ROOT, document), 'utf8').split('\n'));
  // A row may have more verbs of a group: `aorta trace on NAME`, `off NAME`, `ls`.
  const isNamed = (path: string) => {
    const [group, verb] = path.split(' ');
    const also = new RegExp(`\`${verb}\\b`);
    return lines.some(
      (line) => line.includes(`aorta ${path}`) || (verb && line.includes(`aorta ${group} `) && also.test(line)),
    );
  };
  const verbs = [...helps].filter(([path, text]) => path !== '' && !/^Commands:/m.test(text)).map(([path]) => path);
  expect(verbs.length).toBeGreaterThan(40);
  expect(verbs.filter((path) => !isNamed(path))).toEqual([]);
});

it('flags of serve stand in the README, and those of the README in the help', () => {
  const table = readFileSync(join(ROOT, 'README.md'), 'utf8').match(/^## Flags\n[\s\S]*?^As soon/m)?.[0] ?? '';
  const named = new Set(table.match(/(?<=^\|.*`)--[a-z-]+/gm));
  const shown = new Set(
    help('serve')
      .match(/^ {2}(?:-., )?--[a-z-]+/gm)
      ?.map((flag) => flag.trim().replace(/^-., /, '')),
  );
  shown.delete('--help');
  expect([...named].sort()).toEqual(expect.arrayContaining([...shown].sort()));
  for (const flag of named) expect([...shown]).toContain(flag);
});

it('the architecture names every folder of the source', () => {
  const text = readFileSync(join(ROOT, 'docs/architecture.md'), 'utf8');
  const folders = (at: string) =>
    readdirSync(join(ROOT, at), { withFileTypes: true }).flatMap((entry) => (entry.isDirectory() ? entry.name : []));
  const unnamed = folders('src').flatMap((layer) => {
    const row = text.split('\n').find((line) => line.startsWith(`| \`src/${layer}\` |`)) ?? '';
    return ['', ...folders(`src/${layer}`)]
      .filter((name) => !row.includes(`${name}/`))
      .map((name) => `src/${layer}/${name}`);
  });
  expect(unnamed).toEqual([]);
});

it('the operating guide has every metric and every route of the API', () => {
  const page = readFileSync(join(ROOT, 'docs/operating.md'), 'utf8');
  const source = readFileSync(join(ROOT, 'src/server/metrics/metrics.ts'), 'utf8');
  const metrics = [...source.matchAll(/'(aorta_[a-z0-9_]+)'/g)].map(([, name]) => name);
  expect(metrics.length).toBeGreaterThan(60);
  expect(metrics.filter((name) => !name.startsWith('aorta_cluster_') && !page.includes(name))).toEqual([]);
  const { paths } = JSON.parse(readFileSync(join(ROOT, 'docs/openapi.json'), 'utf8')) as { paths: object };
  const routes = Object.keys(paths).filter((path) => path.startsWith('/v1/'));
  const named = (path: string) => new RegExp(path.replaceAll(/\{[^}]+\}/g, '[^ `]+')).test(page);
  expect(routes.filter((path) => !named(path))).toEqual([]);
});

it('the page about clusters has the names of all streams and subjects', () => {
  const page = readFileSync(join(ROOT, 'docs/cluster.md'), 'utf8');
  const meta = ['record', 'user.*', 'static.*'].map((name) => `${metaSubject('east')}.${name}`);
  for (const name of [
    ...[streamName('east', 0), streamName('east', 'META'), logSubject('east', 0), ...meta],
    ...[beatSubject('east', 'a'), orderSubject('east', 'a')],
  ])
    expect(page).toContain(`\`${name}\``);
});

it('the page about programs has every method of the client', () => {
  const table = readFileSync(join(ROOT, 'docs/embedding.md'), 'utf8').match(/^## A client[\s\S]*?^## /m)?.[0] ?? '';
  const { paths } = JSON.parse(readFileSync(join(ROOT, 'docs/openapi.json'), 'utf8'));
  const operations = Object.entries<Record<string, { operationId?: string }>>(paths)
    .filter(([path]) => path.startsWith('/v1/'))
    .flatMap(([, methods]) => Object.values(methods).flatMap(({ operationId }) => operationId ?? []));
  expect(operations.length).toBeGreaterThan(30);
  const named = [...table.matchAll(/^\|.*/gm)].flatMap(([row]) => row.match(/(?<=`)\w+(?=`)/g) ?? []);
  expect(named.sort()).toEqual(operations.sort());
});

/** Pages whose sentences have at most 25 words. */
const PLAIN = [
  'README',
  'docs/changelog',
  'docs/cluster',
  'docs/embedding',
  'docs/migration',
  'docs/operating',
  'docs/proxies',
  'docs/runbook',
  'docs/security',
];
const WORDS_MAX = 25;

/** Sentences of paragraphs, list items and cells; code counts as one word. */
function sentencesOf(document: string): string[] {
  const text = readFileSync(join(ROOT, document), 'utf8').replace(/^( *)```[\s\S]*?^\1```/gm, '\n');
  return text
    .split(/\n\s*\n|\n(?= *(?:[-*|#>]|\d+\.) )|(?<=^#.*)\n/m)
    .flatMap((block) => (block.trim().startsWith('|') ? block.split('|') : [block]))
    .map((block) =>
      block
        .replace(/`[^`]*`/g, 'Code')
        .replace(/!?\[([^\]]*)\]\([^)]*\)/g, '$1')
        .replace(/\s+/g, ' '),
    )
    .flatMap((block) => block.split(/(?<=[.!?][)"]?) (?=[A-Z0-9"(*])|: (?=[A-Z])/));
}

it.each(PLAIN)('%s has short sentences', (page) => {
  const sentences = sentencesOf(`${page}.md`);
  expect(sentences.length).toBeGreaterThan(20);
  const long = sentences.filter(
    (sentence) => sentence.split(' ').filter((word) => /[a-z0-9]/i.test(word)).length > WORDS_MAX,
  );
  expect(long).toEqual([]);
});
