// Ports for servers on this machine that are started a moment later.

import { randomInt } from 'node:crypto';
import { createSocket } from 'node:dgram';
import { createServer } from 'node:net';
import { CommandError } from '../terminal/command-action.ts';

/** Below Linux's ephemeral range: within it the kernel gives a port to any client before its server has bound it. */
const FIRST = 10_000;
const LAST = 32_000;
const TRIES_MAX = 1000;

/** Different ports of loopback, free for UDP and TCP. Throws a CommandError where there are too few. */
export async function freePorts(count: number): Promise<number[]> {
  const ports = new Set<number>();
  for (let tries = 0; ports.size < count; tries++) {
    if (tries === TRIES_MAX) throw new CommandError(`too few free ports of 127.0.0.1 between ${FIRST} and ${LAST}`);
    const port = randomInt(FIRST, LAST);
    if (await isFree(port, '127.0.0.1')) ports.add(port);
  }
  return [...ports];
}

/** Whether nobody has the port of an address, over UDP or TCP. */
export async function isFree(port: number, address: string): Promise<boolean> {
  return (await bindsUdp(port, address)) && (await bindsTcp(port, address));
}

function bindsUdp(port: number, address: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = createSocket(address.includes(':') ? 'udp6' : 'udp4').once('error', () => resolve(false));
    socket.bind({ port, address, exclusive: true }, () => socket.close(() => resolve(true)));
  });
}

function bindsTcp(port: number, host: string): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer().once('error', () => resolve(false));
    server.listen({ port, host, exclusive: true }, () => server.close(() => resolve(true)));
  });
}
