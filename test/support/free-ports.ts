// Ports for servers that tests start: free for UDP and TCP, and of no other test's.

import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { isFree } from '../../src/commands/cluster/free-ports.ts';
import { isAlive } from '../../src/location/files/process-alive.ts';

/** Below the ephemeral range, where the kernel gives a port to whoever connects while its server is down. */
const FIRST = 20_000;
const LAST = 31_000;

/** A file for each port that a test process has: its server may bind it seconds later, and again after a restart. */
const RESERVED = join(tmpdir(), 'aorta-test-ports');
const mine = new Set<string>();
process.on('exit', () => {
  for (const file of mine) rmSync(file, { force: true });
});

// Neighbouring processes start 577 apart: several test files run at a time.
let candidate = FIRST + ((process.pid * 577) % (LAST - FIRST));

/** A port that nobody has. Two servers with SO_REUSEPORT would not notice each other. */
export async function freePort(address = '127.0.0.1'): Promise<number> {
  for (let tries = 0; tries < LAST - FIRST; tries++) {
    candidate = candidate >= LAST ? FIRST : candidate + 1;
    const port = candidate; // others may ask meanwhile
    if (reserve(port) && (await isFree(port, address))) return port;
  }
  throw new Error('no free port');
}

export async function freePorts(count: number): Promise<number[]> {
  const ports: number[] = [];
  while (ports.length < count) ports.push(await freePort());
  return ports;
}

function reserve(port: number): boolean {
  mkdirSync(RESERVED, { recursive: true });
  const file = join(RESERVED, String(port));
  try {
    writeFileSync(file, String(process.pid), { flag: 'wx' });
  } catch {
    const owner = Number(ownerOf(file));
    if (owner === 0 || isAlive(owner)) return false;
    rmSync(file, { force: true }); // of a process that was killed
    return false; // the next who asks for it has it
  }
  mine.add(file);
  return true;
}

/** Empty where it is being written, or was removed meanwhile. */
function ownerOf(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return '';
  }
}
