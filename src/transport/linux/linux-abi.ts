// The native layout in one place: the system calls that Aorta makes on Linux, their constants and structures, and addresses of memory.
// x64 and arm64 agree on all of it but epoll_event. Nothing here knows SIP, shards or batches; no address leaves this directory.

import { createRequire } from 'node:module';
import { constants } from 'node:os';

type Koffi = typeof import('koffi');

export const AF_INET = 2;
export const AF_INET6 = 10;
export const SOCK_STREAM = 1;
export const SOCK_DGRAM = 2;
export const SOCK_DGRAM_CLOEXEC = 2 | 0o2000000;
export const SOCK_STREAM_FLAGS = 1 | 0o2000000 | 0o4000; // close on exec, non-blocking
export const F_SETFL = 4;
export const F_DUPFD_CLOEXEC = 1030;
export const O_NONBLOCK = 0o4000;
export const ACCEPT_FLAGS = 0o2000000 | 0o4000;
export const SOL_SOCKET = 1;
export const SO_REUSEADDR = 2;
export const SO_TYPE = 3;
export const SO_ERROR = 4;
export const SO_SNDBUF = 7;
export const SO_RCVBUF = 8;
export const SO_REUSEPORT = 15;
/** Words of 32 bits: bytes that wait to be received, their capacity, seven more. */
export const SO_MEMINFO = 55;
export const MEMINFO_BYTES = 36;
export const SO_SNDBUFFORCE = 32;
export const SO_RCVBUFFORCE = 33;
export const IPPROTO_IP = 0;
export const IP_PKTINFO = 8;
export const IPPROTO_UDP = 17;
export const UDP_SEGMENT = 103;
export const IPPROTO_TCP = 6;
export const TCP_NODELAY = 1;
export const IPPROTO_IPV6 = 41;
export const IPV6_V6ONLY = 26;
export const IPV6_RECVPKTINFO = 49;
export const IPV6_PKTINFO = 50;
export const MSG_DONTWAIT = 0x40;
export const MSG_TRUNC = 0x20;
export const MSG_NOSIGNAL = 0x4000;
export const SHUT_WR = 1;
export const SHUT_RDWR = 2;
export const POLLIN = 1;
export const POLLOUT = 4;
export const EVENTFD_FLAGS = 0o2000000 | 0o4000; // close on exec, non-blocking

// struct sockaddr_in { u16 family; u16 port (network order); u8 addr[4]; u8 zero[8] }
// struct sockaddr_in6 { u16 family; u16 port (network order); u32 flowinfo; u8 addr[16]; u32 scope_id }
export const SOCKADDR_IN_BYTES = 16;
export const SOCKADDR_IN6_BYTES = 28;
/** Distance between socket addresses in our arrays. */
export const SOCKADDR_STRIDE = 32;
export const SOCKADDR_PORT = 2;
export const SOCKADDR_IN_ADDR = 4;
export const SOCKADDR_IN6_ADDR = 8;
export const SOCKADDR_IN6_SCOPE = 24;

// struct iovec { void *base; size_t len }
export const IOVEC_BYTES = 16;

// struct mmsghdr { struct msghdr { void *name; u32 namelen; pad; iovec *iov; size_t iovlen; void *control;
//   size_t controllen; int flags; pad }; u32 len; pad }
export const MMSGHDR_BYTES = 64;
export const MSGHDR_NAME = 0;
export const MSGHDR_NAMELEN = 8;
export const MSGHDR_IOV = 16;
export const MSGHDR_IOVLEN = 24;
export const MSGHDR_CONTROL = 32;
export const MSGHDR_CONTROLLEN = 40;
export const MSGHDR_FLAGS = 48;
export const MMSGHDR_LEN = 56;

// struct cmsghdr { size_t len; int level; int type } and its data behind it
export const CMSG_LEVEL = 8;
export const CMSG_TYPE = 12;
export const CMSG_DATA = 16;
// struct in_pktinfo { int ifindex; u8 spec_dst[4]; u8 addr[4] }
export const IN_PKTINFO_BYTES = 12;
export const IN_PKTINFO_SPEC_DST = 4;
// struct in6_pktinfo { u8 addr[16]; u32 ifindex }
export const IN6_PKTINFO_BYTES = 20;
export const IN6_PKTINFO_IFINDEX = 16;
/** Bytes of the one control message we ask for: the larger of the two, aligned. */
export const CONTROL_STRIDE = 40;
/** A control message of a u16, and its space with alignment. */
export const SEGMENT_CMSG_BYTES = 18;
export const SEGMENT_CONTROL_BYTES = 24;

// struct pollfd { int fd; i16 events; i16 revents }
export const POLLFD_BYTES = 8;

// struct epoll_event { u32 events; u64 data }, packed on x64 alone
export const EPOLLIN = 1;
export const EPOLLONESHOT = 1 << 30;
export const EPOLL_CTL_ADD = 1;
export const EPOLL_CTL_DEL = 2;
export const EPOLL_CTL_MOD = 3;
export const EPOLL_CLOEXEC = 0o2000000;
export const EPOLL_EVENT_BYTES = process.arch === 'x64' ? 12 : 16;
export const EPOLL_DATA = process.arch === 'x64' ? 4 : 8;

const { errno } = constants;
export const {
  EINTR,
  EIO,
  EAGAIN,
  EINPROGRESS,
  ECONNREFUSED,
  ECONNABORTED,
  ENOBUFS,
  ENOMEM,
  EBADF,
  ENOTSOCK,
  EFAULT,
  EINVAL,
} = errno;

/** The system calls; each returns -1 and sets `errno()` on failure. Addresses come from `addressOf` and arithmetic on it. */
export interface Calls {
  socket(domain: number, type: number, protocol: number): number;
  bind(fd: number, address: number, length: number): number;
  connect(fd: number, address: number, length: number): number;
  getsockname(fd: number, address: number, lengthAddress: number): number;
  setsockopt(fd: number, level: number, name: number, value: number, length: number): number;
  getsockopt(fd: number, level: number, name: number, value: number, lengthAddress: number): number;
  recvmmsg(fd: number, headers: number, count: number, flags: number, timeout: number): number;
  sendmmsg(fd: number, headers: number, count: number, flags: number): number;
  fcntl(fd: number, command: number, value: number): number;
  listen(fd: number, backlog: number): number;
  accept4(fd: number, address: number, lengthAddress: number, flags: number): number;
  recv(fd: number, address: number, length: number, flags: number): number;
  send(fd: number, address: number, length: number, flags: number): number;
  shutdown(fd: number, how: number): number;
  epoll_create1(flags: number): number;
  epoll_ctl(epoll: number, operation: number, fd: number, event: number): number;
  epoll_wait(epoll: number, events: number, max: number, timeoutMs: number): number;
  poll(fds: number, count: number, timeoutMs: number): number;
  eventfd(initial: number, flags: number): number;
  read(fd: number, address: number, length: number): number;
  write(fd: number, address: number, length: number): number;
  close(fd: number): number;
  errno(): number;
}

const SIGNATURES: Record<Exclude<keyof Calls, 'errno'>, [result: string, args: string[]]> = {
  socket: ['int', ['int', 'int', 'int']],
  bind: ['int', ['int', 'size_t', 'uint']],
  connect: ['int', ['int', 'size_t', 'uint']],
  getsockname: ['int', ['int', 'size_t', 'size_t']],
  setsockopt: ['int', ['int', 'int', 'int', 'size_t', 'uint']],
  getsockopt: ['int', ['int', 'int', 'int', 'size_t', 'size_t']],
  recvmmsg: ['int', ['int', 'size_t', 'uint', 'int', 'size_t']],
  sendmmsg: ['int', ['int', 'size_t', 'uint', 'int']],
  fcntl: ['int', ['int', 'int', 'int']],
  listen: ['int', ['int', 'int']],
  accept4: ['int', ['int', 'size_t', 'size_t', 'int']],
  recv: ['long', ['int', 'size_t', 'size_t', 'int']],
  send: ['long', ['int', 'size_t', 'size_t', 'int']],
  shutdown: ['int', ['int', 'int']],
  epoll_create1: ['int', ['int']],
  epoll_ctl: ['int', ['int', 'int', 'int', 'size_t']],
  epoll_wait: ['int', ['int', 'size_t', 'int', 'int']],
  poll: ['int', ['size_t', 'size_t', 'int']],
  eventfd: ['int', ['uint', 'int']],
  read: ['long', ['int', 'size_t', 'size_t']],
  write: ['long', ['int', 'size_t', 'size_t']],
  close: ['int', ['int']],
};

let loaded: Calls | string | undefined;
let koffi: Koffi | undefined;

/** The system calls, or the reason why this machine has no native path. Loaded once per thread. */
export function loadCalls(): Calls | string {
  loaded ??= load();
  return loaded;
}

function load(): Calls | string {
  if (process.platform !== 'linux') return `the native UDP path is for Linux, this is ${process.platform}`;
  if (process.arch !== 'x64' && process.arch !== 'arm64')
    return `the native UDP path knows x64 and arm64, this is ${process.arch}`;
  try {
    // Required rather than imported: a koffi without a binary for this machine must be a reason and no crash.
    const library = createRequire(import.meta.url)('koffi') as Koffi;
    const libc = library.load(null);
    const calls: Record<string, unknown> = { errno: () => library.errno() };
    koffi = library;
    for (const [name, [result, args]] of Object.entries(SIGNATURES)) calls[name] = libc.func(name, result, args);
    return calls as unknown as Calls;
  } catch (error) {
    return `koffi cannot reach the system calls: ${error instanceof Error ? error.message : String(error)}`;
  }
}

/**
 * Memory that the kernel may be pointed at: an ArrayBuffer of its own, outside the garbage collector's moving heap. It stays valid as
 * long as its holder references it and its buffer is neither transferred nor resized.
 */
export class NativeMemory {
  readonly bytes: Uint8Array;
  readonly view: DataView;
  readonly address: number;

  constructor(length: number) {
    this.bytes = new Uint8Array(new ArrayBuffer(length));
    this.view = new DataView(this.bytes.buffer);
    this.address = addressOf(this.bytes);
  }

  /** Writes an address or a size_t (both below 2^53). */
  setWord(at: number, value: number): void {
    this.view.setUint32(at, value >>> 0, true);
    this.view.setUint32(at + 4, Math.floor(value / 2 ** 32), true);
  }
}

/**
 * Address of a view's first byte. Small views made without a buffer live in the moving heap until the first use of `.buffer`; this use
 * pins them.
 */
export function addressOf(bytes: Uint8Array): number {
  if (bytes.buffer.byteLength < bytes.byteLength) throw new RangeError('the memory has been detached');
  if (koffi === undefined) throw new Error('loadCalls() comes first');
  const address = Number(koffi.address(bytes));
  if (!Number.isSafeInteger(address) || address <= 0) throw new RangeError('no usable address for this memory');
  return address;
}

/** Node's name of an error number: `EADDRINUSE`. */
export function errnoName(number: number): string {
  for (const [name, value] of Object.entries(errno)) if (value === number) return name;
  return `errno ${number}`;
}
