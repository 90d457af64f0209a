// One run of a contestant: every AOR registered once, then refreshes in random order, each answer checked.

import { type Phase, regload } from './generator.ts';
import { generatorFlags, type Login } from './login.ts';

export interface LoadOptions {
  readonly port: number;
  /** Of the generator; by default the one above. */
  readonly localPort?: number;
  readonly serverPid: number;
  readonly aors: number;
  readonly window: number;
  readonly seconds: number;
  readonly warmup: number;
  readonly core: number;
  /** False for the echo, whose answers have no bindings in them. */
  readonly validate: boolean;
  readonly login: Login;
  readonly signal: AbortSignal;
}

/**
 * One phase each. Throws unless every answer was right. Where no challenge is answered there is only the second phase, and its
 * figures are per 401.
 */
export async function runLoad(options: LoadOptions): Promise<Phase[]> {
  const flags = [
    ['--port', options.port],
    ['--server-pid', options.serverPid],
    ['--aors', options.aors],
    ['--window', options.window],
    ['--duration', options.seconds],
    ['--warmup', options.warmup],
    ['--cpu', options.core],
    ['--local-port', options.localPort ?? options.port + 1],
  ].flat();
  const validate = options.validate ? [] : ['--no-validate'];
  const phases = await regload([...generatorFlags(options.login), ...validate, ...flags], options.signal);
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
