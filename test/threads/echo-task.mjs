// A shard's thread without a registrar: answers every datagram with its own headers under a 200, and hands those that
// name another shard in their first byte ('0' to '9') to it; at '!' the whole thread ends. Bundled before it runs, because threads load no TypeScript.

import { COUNTER } from '../../src/shard/observe/counters.ts';
import { SLOT_COUNT, slab, slotStart } from '../../src/sip/parser/slab.ts';
import { createPeers } from '../../src/sip/sources.ts';
import { runShardThread } from '../../src/threads/shard-thread.ts';

const ARENA_BYTES = 32 << 20;
const FIRST_LINE = Buffer.from('SIP/2.0 200 OK\r\n');

class EchoShard {
  peers = createPeers();
  answers = {
    count: 0,
    bytes: new Uint8Array(new ArrayBuffer(ARENA_BYTES)),
    at: new Int32Array(SLOT_COUNT),
    end: new Int32Array(SLOT_COUNT),
    slot: new Uint16Array(SLOT_COUNT),
    port: new Uint16Array(SLOT_COUNT),
  };
  firstSlot = 0;
  used = 0;

  constructor(options) {
    this.options = options;
  }

  open() {
    return { records: 0, quarantined: 0 };
  }

  receive(slot, length) {
    const { options, answers, peers } = this;
    const at = slotStart(slot);
    if (slab[at] === 0x21) process.exit(3); // "!"
    const owner = slab[at] - 48;
    if (owner >= 0 && owner < options.shards && owner !== options.index) {
      if (options.forward(owner, slot, length)) options.counters[COUNTER.forwarded]++;
      else options.counters[COUNTER.dropped_ring_full]++;
      return;
    }
    const sip = slab[at] === 0x52; // "REGISTER …"
    const from = sip ? slab.indexOf(10, at) + 1 : at;
    if (this.used + length + 64 > ARENA_BYTES) this.used = 0;
    const start = this.used;
    if (sip) {
      answers.bytes.set(FIRST_LINE, this.used);
      this.used += FIRST_LINE.length;
    }
    answers.bytes.set(slab.subarray(from, at + length), this.used);
    this.used += at + length - from;
    const row = answers.count++;
    answers.at[row] = start;
    answers.end[row] = this.used;
    answers.slot[row] = slot;
    answers.port[row] = peers.port[slot];
  }

  flowsEnded() {}
  expire() {}
  commit() {}
  observe() {}
  release() {
    this.answers.count = 0;
  }
  msToNextTick() {
    return -1;
  }
}

export function runShardTask(task) {
  runShardThread(task, (options) => new EchoShard(options));
}
