// sipp with the scenarios of docs/sipp: each is a dialogue with a running Aorta, judged by sipp.

import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Aorta, removeDirectories, temporaryDirectory } from '../support/aorta-process.ts';
import { killAll, run } from '../support/child-process.ts';
import { freePort } from '../support/free-ports.ts';
import { configFile } from '../support/login-client.ts';
import { peerMissing } from '../support/peers.ts';

const SCENARIO_FOLDER = join(import.meta.dirname, '../../docs/sipp');

const SCENARIOS: readonly (readonly [string, string])[] = [
  ['register', 'R3261-10.3-21 R3261-10.3-27 R3261-10.3-36 a first registration'],
  ['refresh', 'R3261-10.3-20 R3261-10.3-29 a refresh with another interval'],
  ['contacts-rows', 'R3261-7.3.1-03 R3261-10.3-41 R3261-10.3-37 three contacts in three rows'],
  ['contacts-list', 'R3261-7.3.1-03 R3261-10.3-41 three contacts in one list'],
  ['contacts-mix', 'R3261-7.3.1-01 R3261-7.3.3-01 R3261-10.3-41 three contacts in a mix of rows and lists'],
  ['wildcard', 'R3261-10.3-17 R3261-10.3-18 R3261-10.3-34 the wildcard, well and badly used'],
  ['fetch', 'R3261-10.2.3-01 R3261-10.3-34 R3261-10.3-35 a fetch'],
  ['interval-too-brief', 'R3261-10.3-24 R3261-10.3-25 423 and Min-Expires'],
  ['retransmission', 'R3261-17.2.2-02 R3261-8.2.7-01 R3261-8.2.6.2-02 a retransmission'],
  ['unregister', 'R3261-10.2.2-01 R3261-10.3-40 removals'],
  ['watch', 'R6665-4.2.1.2-01 R6665-4.2.2-02 R3680-4.3-01 a subscription to registrations, and its end'],
  ['cseq-order', 'R3261-10.3-28 R3261-10.3-30 R3261-10.3-05 a CSeq that is not higher'],
];

describe.skipIf(peerMissing('sipp')).each(['auto', 'dgram'] as const)('sipp, --udp %s', (udp) => {
  let aorta: Aorta;

  beforeAll(async () => {
    const file = configFile('registration-events: {enabled: true}');
    aorta = await Aorta.start({ udp, flags: ['--config', file] });
  });

  afterAll(async () => {
    await killAll();
    removeDirectories();
  });

  it.each(SCENARIOS)('%s: %s', async (name) => {
    const errors = join(temporaryDirectory(), 'errors.log');
    const scenario = join(SCENARIO_FOLDER, `${name}.xml`);
    const sipp = await run(
      'sipp',
      [
        `127.0.0.1:${aorta.port}`,
        ...['-sf', scenario, '-s', name, '-m', '1', '-i', '127.0.0.1', '-p', String(await freePort())],
        ...['-nostdin', '-timeout', '10', '-timeout_error', '-trace_err', '-error_file', errors],
      ],
      15_000,
      { env: { TERM: 'dumb' } },
    );
    const said = existsSync(errors) ? readFileSync(errors, 'latin1') : sipp.output();
    expect(sipp.exit.code, said).toBe(0);
  });

  it('load: the users of a CSV file, timed', async () => {
    const users = join(temporaryDirectory(), 'users.csv');
    const rows = Array.from({ length: 200 }, (_, n) => `user${n};example.com;600\n`);
    writeFileSync(users, `SEQUENTIAL\n${rows.join('')}`);
    const sipp = await run(
      'sipp',
      [
        `127.0.0.1:${aorta.port}`,
        ...['-sf', join(SCENARIO_FOLDER, 'load.xml'), '-inf', users, '-m', '200', '-r', '500', '-i', '127.0.0.1'],
        ...['-p', String(await freePort()), '-nostdin', '-timeout', '10', '-timeout_error'],
      ],
      15_000,
      { env: { TERM: 'dumb' } },
    );
    expect(sipp.exit.code, sipp.output()).toBe(0);
  });

  it('serves many phones at once: 500 registrations, 50 at a time', async () => {
    const scenario = join(SCENARIO_FOLDER, 'register.xml');
    const sipp = await run(
      'sipp',
      [
        `127.0.0.1:${aorta.port}`,
        ...['-sf', scenario, '-s', 'many', '-m', '500', '-r', '1000', '-l', '50', '-i', '127.0.0.1'],
        ...['-p', String(await freePort()), '-nostdin', '-timeout', '20', '-timeout_error'],
      ],
      25_000,
      { env: { TERM: 'dumb' } },
    );
    expect(sipp.exit.code, sipp.output()).toBe(0);
  });
});
