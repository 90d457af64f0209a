// Faults of devices that sleep and of subscriptions, which the world of registrations has to find.

import { inFile, type SeedMutant, type World } from './seed-mutant.ts';

const CALLS: readonly World[] = ['registrations'];
const sleep = inFile('core/binding/sleep.ts', CALLS);
const subscription = inFile('core/subscriptions/subscription.ts', CALLS);

export const WATCHED_MUTANTS: readonly SeedMutant[] = [
  sleep(
    'does not mark what falls asleep',
    'if (!w.overflow) w.bytes[at + FLAGS] |= IMAGE_ASLEEP;',
    'if (w.overflow) w.bytes[at + FLAGS] |= IMAGE_ASLEEP;',
  ),
  sleep(
    'knows nothing as asleep that is not marked',
    'hasFlag(bytes, image, IMAGE_ASLEEP) || expiresAtOf(bytes, image) <= now || isCutOff',
    'hasFlag(bytes, image, IMAGE_ASLEEP) || isCutOff',
  ),
  sleep(
    'keeps nothing asleep behind its expiry',
    'hasFlag(bytes, image, IMAGE_PUSH) && now < expiresAtOf(bytes, image) + dormantMs;',
    'hasFlag(bytes, image, IMAGE_PUSH) && now < expiresAtOf(bytes, image);',
  ),
  inFile('shard/flow-sweeper.ts', CALLS)(
    'takes out what a push could wake',
    'if (!mayBeAsleep(state, image, now, this.dormantMs)) continue;',
    'if (image >= 0) continue;',
  ),
  inFile('shard/request-service.ts', CALLS)(
    'has a lookup wait that has waited',
    'if (known && lookup && !isBack && this.waitsForDevices(slot, length))',
    'if (known && lookup && this.waitsForDevices(slot, length))',
  ),
  inFile('core/lookup/sleeping-devices.ts', CALLS)(
    'wakes devices that are awake',
    'for (const device of awakeDevices(bytes, at, end, now, flows)) found.delete(device);',
    '',
  ),
  inFile('core/register/registrar.ts', CALLS)(
    'takes a device up before the CSeq of what sleeps is looked at',
    'let refused = GO_ON;\n    let leaving = 0;',
    'if (exchange.work.wakes) this.takeUpDevices(exchange);\n    let refused = GO_ON;\n    let leaving = 0;',
  ),
  subscription(
    'sends no NOTIFY again that nobody has answered',
    'const resendAt = bytes === null || isLarge ? NEVER : now + T1_MS;',
    'const resendAt = bytes === null || isLarge ? NEVER : now + TIMER_F_MS;',
  ),
  subscription(
    'gives a document the version of the one before',
    'this.version++;',
    'if (this.version === 0) this.version++;',
  ),
  subscription(
    'goes on though its subscriber knows nothing of it',
    'if (this.isEnding || ENDING.has(status)) return true;',
    'if (this.isEnding) return true;',
  ),
  subscription(
    'tells changes alone to who has refused some',
    'this.isFullDue = false;\n    this.isStale = true;',
    'this.isFullDue = false;',
  ),
];
