// Sockets that a test holds and nobody reads until a server is handed them, as systemd holds those of a .socket unit.

import { createRequire } from 'node:module';
import { nativeUdp } from '../../src/transport/linux/native-udp.ts';

/** A bound UDP socket; its descriptor. */
export function holdUdp(port: number): number {
  const native = nativeUdp();
  if (typeof native === 'string') throw new Error(native);
  return native.listen({ host: '127.0.0.1', port }, 0, 1).sockets[0].fd;
}

/** A TCP socket that listens; its descriptor. */
export function holdTcp(port: number): number {
  const libc = (createRequire(import.meta.url)('koffi') as typeof import('koffi')).load(null);
  const fd: number = libc.func('int socket(int, int, int)')(2, 1, 0);
  const address = Buffer.alloc(16);
  address.writeUInt16LE(2, 0);
  address.writeUInt16BE(port, 2);
  address.set([127, 0, 0, 1], 4);
  libc.func('int setsockopt(int, int, int, const void *, int)')(fd, 1, 2, Buffer.from([1, 0, 0, 0]), 4);
  if (libc.func('int bind(int, const void *, int)')(fd, address, 16) !== 0) throw new Error(`cannot bind port ${port}`);
  libc.func('int listen(int, int)')(fd, 128);
  return fd;
}

export function release(fd: number): void {
  const native = nativeUdp();
  if (typeof native !== 'string') native.close(fd);
}
