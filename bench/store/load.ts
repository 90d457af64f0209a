// Targets that need a server under load: refreshes while checkpoints are written, a mass expiry, bytes per refresh, latency at
// half of the rate, and RFC 7502's rates.

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { failures, type Generator, type Phase } from '../load/generator.ts';
import type { ServerOptions } from './aorta-server.ts';
import { DeviceBytes } from './device.ts';
import { fill } from './fill.ts';
import { checkpointed, started } from './restart.ts';

type Tell = (text: string) => void;

async function wait(ms: number): Promise<void> {
  await new Promise((done) => setTimeout(done, Math.max(0, ms)));
}

function only(phases: readonly Phase[]): Phase {
  const phase = phases.at(-1);
  if (phase === undefined || failures(phase) > 0) throw new Error(`requests failed: ${JSON.stringify(phase)}`);
  return phase;
}

/** Refreshes per second while one checkpoint follows the other, as a share of those without any; by round. */
export async function measureCheckpoints(
  options: ServerOptions,
  generator: Generator,
  aors: number,
  rounds: number,
  seconds: number,
  tell: Tell,
): Promise<number[]> {
  const config = mkdtempSync(join(options.data, '..', 'aorta-bench-'));
  const flags = (bytes: number) => {
    const file = join(config, `${bytes}.yaml`);
    writeFileSync(file, `limits:\n  checkpoint-bytes: ${bytes}\n`);
    return ['--config', file];
  };
  const shares: number[] = [];
  try {
    for (let round = 1; round <= rounds; round++) {
      const rates: number[] = [];
      for (const bytes of [2 ** 39, 65_536]) {
        const server = await started({ ...options, flags: [...(options.flags ?? []), ...flags(bytes)] });
        const phase = only(
          await generator.run(aors, ['--refresh', '--duration', seconds, '--warmup', seconds / 5], server.pid),
        );
        await server.stop();
        rates.push(phase.ok_per_s);
      }
      shares.push(rates[1] / rates[0]);
      tell(
        `round ${round}: ${Math.round(rates[0])}/s without checkpoints, ${Math.round(rates[1])}/s with one after the other`,
      );
    }
    return shares;
  } finally {
    rmSync(config, { recursive: true, force: true });
  }
}

/** Refreshes per second at the second number of AORs, as a share of those at the first; by round. Both servers' data are filled. */
export async function measureSize(
  small: ServerOptions,
  large: ServerOptions,
  generator: Generator,
  aors: readonly [small: number, large: number],
  rounds: number,
  seconds: number,
  tell: Tell,
): Promise<number[]> {
  const shares: number[] = [];
  for (let round = 1; round <= rounds; round++) {
    const seen: Phase[] = [];
    for (const [i, options] of [small, large].entries()) {
      const server = await started(options);
      seen.push(
        only(await generator.run(aors[i], ['--refresh', '--duration', seconds, '--warmup', seconds / 2], server.pid)),
      );
      await server.stop();
    }
    const [few, many] = seen;
    shares.push(many.ok_per_s / few.ok_per_s);
    const cost = (phase: Phase) => `${Math.round(phase.ok_per_s)}/s at ${phase.server_us_per_ok} us`;
    tell(`round ${round}: ${cost(few)}, ${cost(many)}`);
  }
  return shares;
}

export interface Expiry {
  readonly before: Phase;
  readonly during: Phase;
  readonly after: Phase;
}

/** Refreshes of others at a fixed rate before, while and after `aors` bindings end within one second. */
export async function measureExpiry(
  options: ServerOptions,
  generator: Generator,
  aors: number,
  { rate, others, leadS }: { readonly rate: number; readonly others: number; readonly leadS: number },
  tell: Tell,
): Promise<Expiry> {
  const { data, shards } = options;
  const firstOther = aors + 1;
  const message = generator.message();
  const port = generator.localPort;
  const endsAt = Math.ceil(Date.now() / 1000 + leadS + aors / 20_000) * 1000;
  const parts = { data, shards, message, port, progress: () => {} };
  fill({ ...parts, first: 1, aors, expiresAt: (n) => endsAt + (n % 1000) });
  fill({ ...parts, first: firstOther, aors: others, expiresAt: () => endsAt + 3_600_000 });
  tell(`${aors} bindings end in ${Math.round((endsAt - Date.now()) / 1000)} s`);
  const server = await started(options);
  try {
    const run = async (seconds: number) =>
      only(await generator.run(others, ['--rate', rate, '--duration', seconds], server.pid, firstOther));
    const phaseS = Math.min(6, Math.ceil(leadS / 5));
    await run(1);
    await wait(endsAt - Date.now() - (phaseS + 3) * 1000);
    const before = await run(phaseS);
    await wait(endsAt - Date.now() - 500);
    const during = await run(phaseS);
    return { before, during, after: await run(Math.max(1, phaseS - 2)) };
  } finally {
    await server.stop();
  }
}

/** Bytes that reach the device per refresh, with `window` of them on their way at a time. */
export async function measureBytes(
  options: ServerOptions,
  generator: Generator,
  aors: number,
  window: number,
  seconds: number,
): Promise<number> {
  const device = new DeviceBytes(options.data);
  const server = await started(options);
  try {
    await checkpointed(options);
    await device.baseline(seconds * 400);
    const flags = ['--refresh', '--duration', seconds, '--warmup', 0, '--window', window];
    const { bytes, result } = await device.during(() => generator.run(aors, flags, server.pid));
    return bytes / only(result).ok;
  } finally {
    await server.stop();
  }
}

export interface Rate {
  /** Requests of the run that counted. */
  readonly n: number;
  /** Per second, without a failure. */
  readonly rate: number;
}

/**
 * RFC 7502 §4.10: the largest rate at which `n` requests for distinct AORs all succeed. Doubles until one fails, then halves the
 * gap until it is within 2%; `most` is enough.
 */
async function largestRate(
  attempt: (rate: number) => Promise<boolean>,
  start: number,
  most: number,
  tell: Tell,
): Promise<number> {
  let good = 0;
  let bad = Number.POSITIVE_INFINITY;
  for (let rate = start; bad / Math.max(1, good) > 1.02 && good < most; ) {
    const isGood = await attempt(rate);
    tell(`${Math.round(rate)}/s: ${isGood ? 'no failure' : 'failures'}`);
    if (isGood) good = rate;
    else bad = rate;
    rate = bad === Number.POSITIVE_INFINITY ? rate * 2 : (good + bad) / 2;
    if (good === 0 && bad < 100) throw new Error('not even 100 a second');
  }
  return good;
}

/** §6.7: registrations of `n` distinct AORs on a new server each time; §6.8: the same AORs once more. */
export async function measureRfc7502(
  fresh: () => ServerOptions,
  generator: Generator,
  n: number,
  start: number,
  most: number,
  tell: Tell,
): Promise<{ readonly registration: Rate; readonly reRegistration: Rate }> {
  const isWhole = (phase: Phase) => failures(phase) === 0 && phase.overrun === 0 && phase.retx === 0 && phase.ok >= n;
  const flags = (rate: number) => ['--rate', rate, '--count', n, '--warmup', 0, '--order', 'seq', '--expires', 3600];
  const attempt = async (rate: number, again: boolean) => {
    const options = fresh();
    const server = await started(options);
    try {
      if (again) await generator.run(n, ['--register-once', '--warmup', 0]);
      return isWhole(lastOf(await generator.run(n, flags(rate))));
    } finally {
      await server.stop();
      rmSync(options.data, { recursive: true, force: true });
    }
  };
  tell('registration rate (6.7)');
  const registration = await largestRate((rate) => attempt(rate, false), start, most, tell);
  tell('re-registration rate (6.8)');
  const reRegistration = await largestRate((rate) => attempt(rate, true), start, most, tell);
  return { registration: { n, rate: registration }, reRegistration: { n, rate: reRegistration } };
}

function lastOf(phases: readonly Phase[]): Phase {
  const phase = phases.at(-1);
  if (phase === undefined) throw new Error('the generator did nothing');
  return phase;
}
