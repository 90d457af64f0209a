// TCP between nodes, for a thread that sleeps in poll(): a listener, and connections that are read and written by the buffer. It knows
// neither the content of the bytes nor their sender.

import * as abi from './linux-abi.ts';

const RECEIVE_BYTES = 256 << 10;
const SEND_BYTES = 64 << 10;
const BACKLOG = 64;

/** An address with its port, in the system's form. */
export interface PeerPlace {
  readonly family: 4 | 6;
  /** 4 or 16 bytes. */
  readonly ip: Uint8Array;
  readonly port: number;
}

export class PeerSocket {
  readonly fd: number;
  /** Received bytes that were not taken yet: bytes[from, filled). */
  bytes: Uint8Array;
  from = 0;
  filled = 0;
  /** Why the connection is closed; empty while it is open. */
  failure = '';
  private readonly calls: abi.Calls;
  private readonly unsentMax: number;
  private incoming = new abi.NativeMemory(RECEIVE_BYTES);
  private outgoing = new abi.NativeMemory(SEND_BYTES);
  private sent = 0;
  private written = 0;
  private isConnecting: boolean;
  private readonly word = new abi.NativeMemory(16);

  constructor(calls: abi.Calls, fd: number, isConnecting: boolean, unsentMax: number) {
    this.calls = calls;
    this.fd = fd;
    this.isConnecting = isConnecting;
    this.unsentMax = unsentMax;
    this.bytes = this.incoming.bytes;
    this.word.view.setInt32(0, 1, true);
    calls.setsockopt(fd, abi.IPPROTO_TCP, abi.TCP_NODELAY, this.word.address, 4);
  }

  /** Events that poll() waits for. */
  get events(): number {
    return this.isConnecting || this.unsent > 0 ? abi.POLLIN | abi.POLLOUT : abi.POLLIN;
  }

  get unsent(): number {
    return this.written - this.sent;
  }

  /** Reserves a frame of so many bytes behind the bytes to send; -1: too many wait already. `commit` adds it to them. */
  claim(length: number): number {
    if (this.unsent + length > this.unsentMax || this.failure !== '') return -1;
    if (this.written + length > this.outgoing.bytes.length) this.makeRoom(length);
    return this.written;
  }

  get out(): Uint8Array {
    return this.outgoing.bytes;
  }

  commit(length: number): void {
    this.written += length;
  }

  /** Sends as far as the kernel accepts. */
  flush(): void {
    if (this.isConnecting && !this.hasConnected()) return;
    while (this.unsent > 0 && this.failure === '') {
      const flags = abi.MSG_DONTWAIT | abi.MSG_NOSIGNAL;
      const sent = this.calls.send(this.fd, this.outgoing.address + this.sent, this.unsent, flags);
      if (sent > 0) this.sent += sent;
      else if (this.calls.errno() === abi.EAGAIN) return;
      else if (this.calls.errno() !== abi.EINTR) this.failure = abi.errnoName(this.calls.errno());
    }
    if (this.unsent > 0) return;
    this.sent = 0;
    this.written = 0;
  }

  /** Reads once, behind the bytes held; returns whether more may wait. @param max bytes that may wait to be taken */
  receive(max: number): boolean {
    if (this.isConnecting && !this.hasConnected()) return false;
    this.makePlace(max);
    const { incoming, filled, calls } = this;
    const room = incoming.bytes.length - filled;
    const got = calls.recv(this.fd, incoming.address + filled, room, abi.MSG_DONTWAIT);
    if (got > 0) {
      this.filled += got;
      return got === room;
    }
    if (got === 0) this.failure = 'closed by the peer';
    else if (calls.errno() !== abi.EAGAIN && calls.errno() !== abi.EINTR) this.failure = abi.errnoName(calls.errno());
    return false;
  }

  close(): void {
    this.calls.close(this.fd);
  }

  private hasConnected(): boolean {
    const { view, address } = this.word;
    view.setInt32(0, this.fd, true);
    view.setInt16(4, abi.POLLOUT, true);
    view.setInt16(6, 0, true);
    if (this.calls.poll(address, 1, 0) <= 0) return false;
    view.setUint32(8, 4, true);
    const got = this.calls.getsockopt(this.fd, abi.SOL_SOCKET, abi.SO_ERROR, address, address + 8);
    const errno = got === 0 ? view.getInt32(0, true) : this.calls.errno();
    if (errno !== 0) this.failure = abi.errnoName(errno);
    else this.isConnecting = false;
    return errno === 0;
  }

  private makePlace(max: number): void {
    if (this.from > 0) {
      this.bytes.copyWithin(0, this.from, this.filled);
      this.filled -= this.from;
      this.from = 0;
    }
    if (this.filled < this.bytes.length || this.bytes.length >= max) return;
    const larger = new abi.NativeMemory(Math.min(max, this.bytes.length * 2));
    larger.bytes.set(this.bytes.subarray(0, this.filled));
    this.incoming = larger;
    this.bytes = larger.bytes;
  }

  private makeRoom(length: number): void {
    const { unsent } = this;
    if (unsent + length <= this.outgoing.bytes.length) {
      this.outgoing.bytes.copyWithin(0, this.sent, this.written);
    } else {
      let size = this.outgoing.bytes.length * 2;
      while (size < unsent + length) size *= 2;
      const larger = new abi.NativeMemory(size);
      larger.bytes.set(this.outgoing.bytes.subarray(this.sent, this.written));
      this.outgoing = larger;
    }
    this.sent = 0;
    this.written = unsent;
  }
}

export class PeerNetwork {
  readonly calls: abi.Calls;
  private readonly unsentMax: number;
  private readonly name = new abi.NativeMemory(abi.SOCKADDR_STRIDE);
  private readonly word = new abi.NativeMemory(8);

  constructor(calls: abi.Calls, unsentMax: number) {
    this.calls = calls;
    this.unsentMax = unsentMax;
  }

  /** Binds and listens; returns the descriptor. Throws where the address cannot be bound. */
  listen(place: PeerPlace): number {
    const { calls, word } = this;
    const fd = this.socket(place);
    word.view.setInt32(0, 1, true);
    calls.setsockopt(fd, abi.SOL_SOCKET, abi.SO_REUSEADDR, word.address, 4);
    if (calls.bind(fd, this.name.address, this.fill(place)) === 0 && calls.listen(fd, BACKLOG) === 0) return fd;
    const problem = abi.errnoName(calls.errno());
    calls.close(fd);
    throw new Error(`cannot listen for the other nodes at port ${place.port}: ${problem}`);
  }

  /** Begins to connect; null where it cannot begin. */
  connect(place: PeerPlace): PeerSocket | null {
    const { calls } = this;
    let fd: number;
    try {
      fd = this.socket(place);
    } catch {
      return null;
    }
    if (calls.connect(fd, this.name.address, this.fill(place)) === 0 || calls.errno() === abi.EINPROGRESS)
      return new PeerSocket(calls, fd, true, this.unsentMax);
    calls.close(fd);
    return null;
  }

  /** A connection that waits at the listener; null without one. */
  accept(listener: number): PeerSocket | null {
    const fd = this.calls.accept4(listener, 0, 0, abi.ACCEPT_FLAGS);
    return fd < 0 ? null : new PeerSocket(this.calls, fd, false, this.unsentMax);
  }

  private socket({ family }: PeerPlace): number {
    const fd = this.calls.socket(family === 6 ? abi.AF_INET6 : abi.AF_INET, abi.SOCK_STREAM_FLAGS, 0);
    if (fd < 0) throw new Error(`no socket for the other nodes: ${abi.errnoName(this.calls.errno())}`);
    return fd;
  }

  /** Writes the address; returns its length. */
  private fill({ family, ip, port }: PeerPlace): number {
    const { bytes, view } = this.name;
    bytes.fill(0);
    view.setUint16(0, family === 6 ? abi.AF_INET6 : abi.AF_INET, true);
    view.setUint16(abi.SOCKADDR_PORT, port, false);
    bytes.set(ip, family === 6 ? abi.SOCKADDR_IN6_ADDR : abi.SOCKADDR_IN_ADDR);
    return family === 6 ? abi.SOCKADDR_IN6_BYTES : abi.SOCKADDR_IN_BYTES;
  }
}
