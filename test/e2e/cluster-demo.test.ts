// `aorta cluster demo` broken off: it leaves neither a process nor a file, and no stack trace on the screen.

import { spawnSync } from 'node:child_process';
import { readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
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

  /** A server's program whose first starts end at once, as where something else has got a port. */
  const endingProgram = (directory: string, starts: number) => {
    const file = join(directory, 'nats-server-that-ends');
    const count = join(directory, 'starts');
    writeFileSync(
      file,
      `#!/bin/sh\n[ "$1" = --version ] || { echo >> '${count}'; [ $(wc -l < '${count}') -gt ${starts} ] || { echo 'bind: address already in use' >&2; exit 1; }; }\n` +
        `exec '${program()}' "$@"\n`,
      { mode: 0o755 },
    );
    return file;
  };
  const demoWith = (natsProgram: string) =>
    new Child('env', [
      `TMPDIR=${temporaryDirectory()}`,
      process.execPath,
      CLI,
      ...['cluster', 'demo', '--nats-server', natsProgram],
    ]);

  it('starts its NATS servers again, on other ports, where one has ended', async () => {
    const demo = demoWith(endingProgram(temporaryDirectory(), 1));
    await demo.until(/making the cluster/, 40_000);
    demo.signal('SIGINT');
    await demo.end(15_000);
  }, 70_000);

  it('says what ended a NATS server that ends each time', async () => {
    const demo = demoWith(endingProgram(temporaryDirectory(), 1000));
    expect(await demo.end(40_000)).toMatchObject({ code: 1 });
    expect(demo.stderr).toMatch(/^aorta: NATS server [123] has ended: bind: address already in use$/m);
  }, 70_000);

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
