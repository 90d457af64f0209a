// The load generator: where regload is (its source lies beside this file), how it is run, and what its figures are.

import { spawn, spawnSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { generatorFlags, type Login } from './login.ts';

/** One phase of one run, as regload reports it; the fields used here. */
export interface Phase {
  readonly phase: string;
  readonly ok: number;
  readonly ok_per_s: number;
  readonly c401: number;
  readonly elapsed_s: number;
  readonly other: number;
  readonly last_other: number;
  readonly retx: number;
  readonly timeouts: number;
  readonly invalid: number;
  readonly auth_fail: number;
  readonly server_us_per_ok: number;
  readonly server_user_us_per_ok: number;
  readonly server_sys_us_per_ok: number;
  readonly server_cpu_pct: number;
  /** What everything but server and generator used, in percent of one core. */
  readonly other_cpu_pct: number;
  readonly steal_pct: number;
}

export interface LoadOptions {
  readonly port: number;
  readonly serverPid: number;
  readonly aors: number;
  readonly window: number;
  readonly seconds: number;
  readonly core: number;
  /** False for the echo, whose answers have no bindings in them. */
  readonly validate: boolean;
  readonly login: Login;
  readonly signal: AbortSignal;
}

/**
 * The program at `path`: itself, or in that directory; built from its sources into `buildDirectory` where only those
 * are there.
 */
export function findGenerator(path: string, buildDirectory: string): string {
  if (!existsSync(path)) throw new Error(`no regload at ${path}: say where it is with --regload`);
  if (!statSync(path).isDirectory()) return path;
  if (existsSync(join(path, 'regload'))) return join(path, 'regload');
  if (!existsSync(join(path, 'regload.c'))) throw new Error(`neither regload nor its source in ${path}`);
  mkdirSync(buildDirectory, { recursive: true });
  cpSync(path, buildDirectory, { recursive: true });
  const make = spawnSync('make', ['-C', buildDirectory, 'regload', 'udpfloor'], { encoding: 'utf8' });
  if (make.status !== 0) throw new Error(`regload does not build: ${make.stderr || make.error}`);
  return join(buildDirectory, 'regload');
}

/**
 * Registers every AOR once, then refreshes them in random order; one phase each. Throws unless every answer was right.
 * Where no challenge is answered there is only the second phase, and its figures are per 401.
 */
export async function runGenerator(program: string, options: LoadOptions): Promise<Phase[]> {
  const flags = [
    ['--port', options.port],
    ['--server-pid', options.serverPid],
    ['--aors', options.aors],
    ['--window', options.window],
    ['--duration', options.seconds],
    ['--warmup', 1],
    ['--cpu', options.core],
    ['--local-port', options.port + 1],
  ].flatMap(([name, value]) => [String(name), String(value)]);
  const validate = options.validate ? [] : ['--no-validate'];
  const args = [...generatorFlags(options.login), '--json', ...validate, ...flags];
  const text = await output(program, args, options.signal);
  const json = text.split('\n').findLast((line) => line.startsWith('{'));
  if (json === undefined) throw new Error(`regload reported nothing:\n${text}`);
  const { phases } = JSON.parse(json) as { phases: Phase[] };
  const counted = phases.map((phase) => (options.login.isPerChallenge ? perChallenge(phase) : phase));
  for (const phase of counted) check(phase, options);
  return counted;
}

/** The generator divides by 200s, or by 1 where there were none. */
function perChallenge(phase: Phase): Phase {
  const { c401, ok, elapsed_s } = phase;
  if (ok > 0) throw new Error(`${phase.phase}: ${ok} ok without a password`);
  const part = (us: number) => us / Math.max(1, c401);
  return {
    ...phase,
    ok: c401,
    ok_per_s: c401 / elapsed_s,
    server_us_per_ok: part(phase.server_us_per_ok),
    server_user_us_per_ok: part(phase.server_user_us_per_ok),
    server_sys_us_per_ok: part(phase.server_sys_us_per_ok),
  };
}

/** 401s per 200 in refreshes, as they should be; some are another's than the measured window's. */
function checkChallenges(phase: Phase, { login: { mode }, window }: LoadOptions): void {
  if (phase.phase !== 'refresh' || mode === 'challenge') return;
  const wanted = mode === 'fresh' ? phase.ok : 0;
  if (Math.abs(phase.c401 - wanted) <= window + phase.ok / 100) return;
  throw new Error(`${phase.phase}: ${phase.c401} challenges for ${phase.ok} refreshes`);
}

function check(phase: Phase, options: LoadOptions): void {
  const wrong = (['timeouts', 'invalid', 'other', 'auth_fail'] as const).filter((name) => phase[name] > 0);
  if (wrong.length === 0 && phase.ok > 0) return checkChallenges(phase, options);
  const counts = wrong.map((name) => `${phase[name]} ${name}`).join(', ');
  throw new Error(
    `${phase.phase}: ${phase.ok} ok, ${counts || 'nothing else'} (last other status ${phase.last_other})`,
  );
}

function output(program: string, args: readonly string[], signal: AbortSignal): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'inherit'], signal });
    let text = '';
    child.stdout.setEncoding('utf8').on('data', (chunk: string) => {
      text += chunk;
    });
    child.on('error', reject);
    // Its status says whether all answers were right; the report says what was wrong, so that is read in any case.
    child.on('close', () => resolve(text));
  });
}
