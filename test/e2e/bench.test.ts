// Every question of the bench, asked small: none may rot. What it finds is not looked at, since nothing timed is worth anything here.

import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { killAll, run } from '../support/child-process.ts';

const MINUTES_15 = 900_000;
/** They start clusters of several nodes, as e2e/cluster does by the same code. */
const TESTED_ELSEWHERE = ['cluster-join', 'cluster-faults'];
const MAIN = ['.build/bench/main.js'];
/** Its many servers answer little, and no figure is looked at (decision 72). */
const UNREHEARSED = { AORTA_WARM_UP: 'off' };

interface Answers {
  readonly answers: readonly {
    readonly question: string;
    readonly failed?: string;
    readonly tables: readonly { readonly head: readonly string[]; readonly rows: readonly (readonly string[])[] }[];
  }[];
}

/** Below the ports that the kernel gives out, and other ones for another run on this machine. */
const FIRST_PORT = 17_400 + 100 * (process.pid % 100);
const directory = mkdtempSync(join(tmpdir(), 'aorta-bench-test-'));
const listed = await run('node', ['scripts/bench.js', '--list'], MINUTES_15);
const all = listed.stdout
  .split('\n')
  .map((line) => line.split(' ')[0])
  .filter(Boolean);
const questions = all.filter((name) => !TESTED_ELSEWHERE.includes(name));

async function ask(names: readonly string[], ...flags: readonly string[]): Promise<Answers['answers']> {
  const words = [...names, '--small', '--json', '--data', directory, ...flags];
  const { stdout, stderr } = await run('node', [...MAIN, ...words], MINUTES_15, { env: UNREHEARSED });
  const line = stdout.split('\n').find((text) => text.startsWith('{'));
  if (line === undefined) throw new Error(`no answer: ${stderr.slice(-2000)}`);
  return (JSON.parse(line) as Answers).answers;
}

/**
 * Three at a time, each with its own ports, for much of it is waiting: questions that share runs or a directory stay together. A
 * cluster's come alone, since its NATS servers elect a leader within their time-outs.
 */
async function askAll(): Promise<Answers['answers']> {
  const [store, cluster, native] = ['start', 'cluster-stream', 'native'].map((name) => questions.indexOf(name));
  const lanes = [questions.slice(0, store), questions.slice(store, cluster), questions.slice(native)];
  const ports = (lane: number) => ['--port', String(FIRST_PORT + 20 * lane)];
  const together = await Promise.all(lanes.map((names, lane) => ask(names, ...ports(lane))));
  return [...together.flat(), ...(await ask(questions.slice(cluster, native), ...ports(lanes.length)))];
}

describe.skipIf(process.platform !== 'linux')('npm run bench', () => {
  let answers: Answers['answers'] = [];

  beforeAll(async () => {
    answers = await askAll();
  }, MINUTES_15);

  afterAll(async () => {
    await killAll();
    rmSync(directory, { recursive: true, force: true });
  });

  it.each(questions)('%s has an answer', (name) => {
    const answer = answers.find(({ question }) => question === name);
    expect(answer?.failed).toBeUndefined();
    const rows = answer?.tables.flatMap((table) => table.rows.map((row) => [table.head, row] as const)) ?? [];
    expect(rows.length).toBeGreaterThanOrEqual(1);
    for (const [head, row] of rows) {
      expect(row.length, row.join(' | ')).toBeLessThanOrEqual(head.length);
      expect(row.join(' '), 'a figure that is none').not.toMatch(/NaN|Infinity|undefined/);
      if (row[0].startsWith('not measured')) console.warn(`${name}: ${row[0]}`);
    }
  });

  it('a question that takes longer than --limit has failed, by its name and what it was at, and the next one is asked', async () => {
    const [first, second] = await ask(['storm', 'hostile'], '--port', String(FIRST_PORT + 60), '--limit', '0.5');
    expect(first).toMatchObject({
      question: 'storm',
      failed: expect.stringMatching(/^no answer within 0\.5 s, was at: ./),
    });
    expect(second.question).toBe('hostile');
  });

  it('--help and --list run nothing, an unknown question is told', async () => {
    expect((await run('node', [...MAIN, '--help'], 20_000)).stdout).toContain('--against');
    const unknown = await run('node', [...MAIN, 'weather'], 20_000);
    expect(unknown.exit.code).toBe(1);
    expect(unknown.stderr).toContain('"weather" is no question');
  });

  it('--markdown writes between the markers of its question and of the chart, and nowhere else', async () => {
    const file = join(directory, 'results.md');
    const row = '| a 302: CPU / Kamailio | 0.67 (0.66 - 0.73) | <= 0.6 | **missed** |';
    const places = ['hostile', 'chart'].map((name) => `<!-- results: ${name} -->\n\nold\n\n<!-- end: ${name} -->`);
    writeFileSync(file, `before\n\n${places[0]}\n\nafter\n\n${row}\n\n${places[1]}\n\nend\n`);
    const flags = ['hostile', '--small', '--markdown', '--document', file];
    expect((await run('node', [...MAIN, ...flags], 60_000)).exit.code).toBe(0);
    const text = readFileSync(file, 'utf8');
    expect(text).toMatch(/^before\n\n<!-- results: hostile -->\n\n\| 64 KB of /);
    expect(text).toContain(`<!-- end: hostile -->\n\nafter\n\n${row}\n\n`);
    expect(text).toMatch(/<!-- end: chart -->\n\nend\n$/);
    // The chart has the bars of all tables, whatever was asked.
    expect(text).toMatch(/\na 302 .* 0\.67 {2}\(limit 0\.60, missed\)\n/);
    expect(text).not.toContain('\nold\n');
  });

  it('figures of --small do not become results', async () => {
    const refused = await run('node', [...MAIN, 'hostile', '--small', '--markdown'], 20_000);
    expect(refused.exit.code).toBe(1);
    expect(refused.stderr).toContain('--document');
  });

  it('docs/benchmarks.md has a place for every question but fill, and for the chart', () => {
    const text = readFileSync('docs/benchmarks.md', 'utf8');
    const places = [...text.matchAll(/<!-- results: (\S+) -->/g)].map(([, name]) => name);
    expect(places.sort()).toEqual([...all.filter((name) => name !== 'fill'), 'chart'].sort());
  });
});
