// A beat: a node's message to the others, four times a second, with its role in each shard. Encodes and decodes it.

const MAGIC = 0x31746221; // "!bt1"
const HEAD_BYTES = 64;
const SHARD_BYTES = 16;
const NAME_BYTES_MAX = 255;
const SHARDS_MAX = 4096;

export interface ShardBeat {
  /** ROLE_* (roles.ts). */
  readonly role: number;
  /** Epoch of the newest applied claim. */
  readonly epoch: number;
  /** The newest applied message of the stream; 0: none, but the log has frames from before; -1: the log is empty. */
  readonly applied: number;
}

/** An address with its port: 4 or 16 bytes in the first bytes of `ip`. */
export interface BeatPlace {
  readonly family: 4 | 6;
  readonly ip: Uint8Array;
  readonly port: number;
}

export interface Beat {
  /** 1 to 254. */
  readonly node: number;
  readonly name: string;
  /** Number of this start of the node: none before had a greater one. */
  readonly life: number;
  /** Number of the beat within this life. */
  readonly number: number;
  /** Format of frames that it can read. */
  readonly level: number;
  /** The time of its bindings, epoch ms. */
  readonly clock: number;
  /** Digest of the rules that should be the same on all nodes. */
  readonly policy: number;
  readonly draining: boolean;
  /** Connections with lower numbers are of earlier lives, and have ended. */
  readonly firstFlow: number;
  /** Address of its listener for the other nodes. */
  readonly listen?: BeatPlace;
  readonly shards: readonly ShardBeat[];
}

export function encodeBeat(beat: Beat): Uint8Array {
  const name = new TextEncoder().encode(beat.name).subarray(0, NAME_BYTES_MAX);
  const bytes = new Uint8Array(HEAD_BYTES + name.length + beat.shards.length * SHARD_BYTES);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, MAGIC, true);
  view.setUint8(4, beat.node);
  view.setUint8(5, beat.draining ? 1 : 0);
  view.setUint8(6, beat.level);
  view.setUint8(7, name.length);
  view.setUint32(8, beat.life, true);
  view.setUint32(12, beat.number, true);
  view.setFloat64(16, beat.clock, true);
  view.setUint32(24, beat.policy, true);
  view.setUint32(28, beat.firstFlow, true);
  view.setUint32(32, beat.shards.length, true);
  if (beat.listen !== undefined) {
    view.setUint16(36, beat.listen.port, true);
    view.setUint8(38, beat.listen.family);
    bytes.set(beat.listen.ip, 48);
  }
  bytes.set(name, HEAD_BYTES);
  for (const [shard, { role, epoch, applied }] of beat.shards.entries()) {
    const at = HEAD_BYTES + name.length + shard * SHARD_BYTES;
    view.setUint32(at, role, true);
    view.setUint32(at + 4, epoch, true);
    view.setFloat64(at + 8, applied, true);
  }
  return bytes;
}

/** Null: the bytes are no beat. */
export function decodeBeat(bytes: Uint8Array): Beat | null {
  if (bytes.length < HEAD_BYTES) return null;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const shards = view.getUint32(32, true);
  const from = HEAD_BYTES + view.getUint8(7);
  if (view.getUint32(0, true) !== MAGIC || shards > SHARDS_MAX || bytes.length !== from + shards * SHARD_BYTES)
    return null;
  return {
    node: view.getUint8(4),
    name: new TextDecoder().decode(bytes.subarray(HEAD_BYTES, from)),
    life: view.getUint32(8, true),
    number: view.getUint32(12, true),
    level: view.getUint8(6),
    clock: view.getFloat64(16, true),
    policy: view.getUint32(24, true),
    draining: view.getUint8(5) === 1,
    firstFlow: view.getUint32(28, true),
    ...placeOf(bytes, view),
    shards: Array.from({ length: shards }, (_, shard) => {
      const at = from + shard * SHARD_BYTES;
      return {
        role: view.getUint32(at, true),
        epoch: view.getUint32(at + 4, true),
        applied: view.getFloat64(at + 8, true),
      };
    }),
  };
}

function placeOf(bytes: Uint8Array, view: DataView): { listen?: BeatPlace } {
  const family = view.getUint8(38);
  if (family !== 4 && family !== 6) return {};
  return { listen: { family, ip: bytes.slice(48, family === 6 ? 64 : 52), port: view.getUint16(36, true) } };
}
