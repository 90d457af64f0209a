// `aorta cluster demo` broken off: it leaves neither a process nor a file, and no stack trace on the screen.

import { spawnSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { afterAll, describe, expect, it } from 'vitest';
import { CLI, removeDirectories, temporaryDirectory } from '../support/aorta-process.ts';
import { Child, killAll, poll } from '../support/child-process.ts';
import { natsMissing, natsServer } from '../support/nats-servers.ts';
import { TerminalRun } from '../support/terminal-run.ts';

describe.skipIf(natsMissing())('the demo of a cluster', () => {
  afterAll(async () => {
    await killAll();
    removeDirectories();
  });

  const program = () => {
    const found = natsServer();
    if ('missing' in found) throw new Error(found.missing);
    return found.file;
  };
  const words = () => ['cluster', 'demo', '--nats-server', program()];
  const left = (directory: string) => ({
    files: readdirSync(directory),
    processes: spawnSync('pgrep', ['-f', directory], { encoding: 'utf8' }).stdout,
  });

  it.each(['starting three NATS', 'making the cluster', 'starting three nodes'])(
    'leaves nothing where it is broken off at "%s"',
    async (phase) => {
      const directory = temporaryDirectory();
      const demo = new Child('env', [`TMPDIR=${directory}`, process.execPath, CLI, ...words()]);
      await demo.until(new RegExp(phase), 40_000);
      demo.signal('SIGINT');
      const { code } = await demo.end(15_000);
      expect([code, demo.stderr]).toEqual([1, expect.stringContaining('aorta: the demo was broken off')]);
      expect(demo.stderr).not.toMatch(/\n {4}at /);
      expect(left(directory)).toEqual({ files: [], processes: '' });
    },
    70_000,
  );

  it.each([
    ['Ctrl-C', '\x03'],
    ['Ctrl-D', '\x04'],
  ])(
    'ends by %s at its question',
    async (_, key) => {
      const directory = temporaryDirectory();
      const run = new TerminalRun(words(), { columns: 80, rows: 24, environment: { TMPDIR: directory } });
      await poll('the question', 60_000, () => /Enter kills node/.test(run.output) || undefined).catch((error) => {
        throw new Error(`${error}\n${run.output}`);
      });
      run.type(key);
      expect(await run.ended()).toBe(1);
      expect(run.output).toContain('aorta: the demo was broken off');
      expect(run.output).not.toMatch(/\n +at /);
      expect(left(directory)).toEqual({ files: [], processes: '' });
    },
    90_000,
  );
});
