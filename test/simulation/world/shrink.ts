// A failing run made small: turns, faults and phones are left out, one after the other, as long as it still fails.

import { FAULTS, RegistrationsWorld, type Without } from './registrations-world.ts';

async function fails(seed: number, without: Without): Promise<boolean> {
  try {
    await new RegistrationsWorld(seed, undefined, without).run();
    return false;
  } catch {
    return true;
  }
}

/** What the run of a seed that fails can do without. */
export async function shrink(seed: number): Promise<Without> {
  const faults: string[] = [];
  const phones: number[] = [];
  const world = new RegistrationsWorld(seed);
  for (const fault of FAULTS) if (await fails(seed, { faults: [...faults, fault] })) faults.push(fault);
  for (const { host } of world.phones) if (await fails(seed, { faults, phones: [...phones, host] })) phones.push(host);
  let turns = world.turns;
  while (turns > 0 && (await fails(seed, { faults, phones, turns: turns - 1 }))) turns--;
  return { faults, phones, turns };
}
