// The socket that systemd would listen on: a datagram socket in the file system, which Node itself cannot make.

import { rmSync } from 'node:fs';
import { join } from 'node:path';
import koffi from 'koffi';
import { temporaryDirectory } from './aorta-process.ts';

const AF_UNIX = 1;
const SOCK_DGRAM = 2;
const MSG_DONTWAIT = 0x40;

export class NotifySocket {
  readonly path = join(temporaryDirectory(), 'notify');
  /** What was said, one datagram each. */
  readonly heard: string[] = [];
  private readonly fd: number;
  private readonly timer: NodeJS.Timeout;
  private readonly libc = koffi.load(null);
  private readonly recv = this.libc.func('long recv(int fd, _Out_ void *bytes, size_t length, int flags)');
  private readonly buffer = Buffer.alloc(4096);

  constructor() {
    const socket = this.libc.func('int socket(int domain, int type, int protocol)');
    const bind = this.libc.func('int bind(int fd, const void *address, uint32_t length)');
    this.fd = socket(AF_UNIX, SOCK_DGRAM, 0);
    const address = Buffer.concat([Buffer.from([AF_UNIX, 0]), Buffer.from(this.path)]);
    if (this.fd < 0 || bind(this.fd, address, address.length) !== 0) throw new Error(`cannot bind ${this.path}`);
    this.timer = setInterval(() => this.read(), 10);
  }

  close(): void {
    clearInterval(this.timer);
    this.libc.func('int close(int fd)')(this.fd);
    rmSync(this.path, { force: true });
  }

  private read(): void {
    for (;;) {
      const length = Number(this.recv(this.fd, this.buffer, this.buffer.length, MSG_DONTWAIT));
      if (length < 0) return;
      this.heard.push(this.buffer.toString('utf8', 0, length));
    }
  }
}
