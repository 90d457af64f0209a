// Faults put into the code on purpose, one line each, and the test that has to find each of them.

import { join } from 'node:path';

export interface Mutant {
  readonly what: string;
  readonly file: string;
  /** Stands in the file exactly once. */
  readonly from: string;
  readonly to: string;
  /** Fails with the mutant. */
  readonly test: string;
}

const CHURN = 'test/location/log-churn.test.ts';
const DAMAGE = 'test/location/damage.test.ts';
const CHECKPOINT = 'test/location/checkpoint.test.ts';
const STORE = 'test/location/log-store.test.ts';
const SIMULATION = 'test/location/store-simulation.test.ts';

function of(file: string, test: string): (what: string, from: string, to: string) => Mutant {
  return (what, from, to) => ({ what, file: join('src/location/log', file), from, to, test });
}

const cleaner = of('log-cleaner.ts', CHURN);
const cleanerDamage = of('log-cleaner.ts', DAMAGE);
const store = of('log-store.ts', CHURN);
const storeDamage = of('log-store.ts', DAMAGE);
const replay = of('log-replay.ts', CHURN);
const replayDamage = of('log-replay.ts', DAMAGE);
const frames = of('generation-frames.ts', DAMAGE);
const log = of('lmdb-log.ts', DAMAGE);
const folder = of('log-folder.ts', DAMAGE);

const register = (file: string) => (what: string, from: string, to: string) => ({
  what,
  file: join('src/core/register', file),
  from,
  to,
  test: 'test/core/register/refresh-ways.test.ts',
});
const refresh = register('refresh.ts');
const registrar = register('registrar.ts');

export const MUTANTS: readonly Mutant[] = [
  registrar(
    'names a Flow-Timer of a second more where it refreshes',
    'granted, shows, flowTimer))',
    'granted, shows, flowTimer + 1))',
  ),
  registrar('leaves the rows of a domain out', 'if (!isPlain) this.endAnswer(exchange);', ''),
  refresh('looks at no ended connection', 'isCutOff(flags, request) ? shows :', 'false ? shows :'),
  {
    what: 'takes bindings of ended connections for targets',
    file: 'src/core/binding/target.ts',
    from: 'return isCutOff(bytes, image, flows) ? CHANGE_FLOW_ENDED : 0;',
    to: 'return 0;',
    test: 'test/core/register/flows.test.ts',
  },
  cleaner(
    'drops a generation with live records',
    'while (this.log.generations.length > 1 && this.live[0] === 0) {',
    'while (this.log.generations.length > 4 && this.live[0] < 3) {',
  ),
  cleaner(
    'moves dead records',
    'if (table.isLive(row) && table.placeOf(row) === this.cleaned) this.move(frame, row, w);',
    'if (table.isLive(row)) this.move(frame, row, w);',
  ),
  cleaner(
    'takes moves of a failed commit for made',
    'if (this.moves > 0) this.restart(this.mark);',
    'this.moved(this.log.head);',
  ),
  cleaner('takes moves for made before they hold', 'this.table.move(row, place + this.movedTo[i]);', ''),
  cleanerDamage('never cleans', 'if (this.log.bytes <= this.allowed()', 'if (this.log.bytes > 0'),
  cleaner('counts no record that came', 'this.live[generation]++;', ''),
  of('log-cleaner.ts', CHECKPOINT)(
    'drops what the checkpoint needs',
    'if ((this.firstGeneration + 1) * this.log.generationBytes > keepFrom) break;',
    '',
  ),
  cleanerDamage(
    'stops at a damaged frame',
    'if (!this.bring(found)) continue;',
    'if (!this.bring(found)) return false;',
  ),
  cleanerDamage(
    'gives nothing up that it cannot read',
    'if (length < 0 || length > this.record.length) this.bad[this.badCount++] = row;',
    'if (length < 0 || length > this.record.length) continue;',
  ),
  cleanerDamage(
    'gives up what is sound',
    'if (length < 0 || length > this.record.length) this.bad[this.badCount++] = row;',
    'if (length < 1e9) this.bad[this.badCount++] = row;',
  ),
  store(
    'applies a batch that failed',
    '      cleaner.failed();\n      this.giveBack(encoded);\n      throw error;\n    }\n    cleaner.moved',
    '      this.apply(writes, 0, 0);\n      cleaner.failed();\n      this.giveBack(encoded);\n      throw error;\n    }\n    cleaner.moved',
  ),
  storeDamage('keeps rows of a batch that failed', 'this.table.giveBack(this.rowOf[entry]);', '{}'),
  of('log-store.ts', 'test/shard/shards-simulation.test.ts')(
    'waits for no sync where a sweep leaves a record',
    ' || writes.leavesRecords',
    '',
  ),
  store('does not tell the cleaner of a record that is replaced', 'cleaner.recordDead(table.placeOf(row));', '{}'),
  storeDamage(
    'never looks at what a reader found bad',
    'this.table.nextSuspect(); row >= 0;',
    'this.table.nextSuspect(); row > 1e9;',
  ),
  storeDamage('gives up what a dead disk does not give', 'if (unreadable !== null) throw unreadable;', ''),
  storeDamage('forgets that it gave a row up', 'table.remove(row);\n    this.mark();', 'this.mark();'),
  of('log-records.ts', DAMAGE)(
    'takes a record whose checksum is wrong',
    'if (!openRecord(this.bytes, RECORD_ENTRY_BYTES, end)) return -1;',
    '',
  ),
  replay(
    'takes batches that were refused',
    'if (frame.address < this.from || frame.address > limit) continue;\n      const previous',
    'if (frame.address < this.from) continue;\n      const previous',
  ),
  of('frame-lookup.ts', DAMAGE)('asks no head where the log ended', 'if (before !== undefined) return before;', ''),
  replay('starts again at zero', 'log.resume(this.at, Math.max(0, this.last), ', 'log.resume(0, 0, '),
  replayDamage('takes nothing of a damaged frame', 'else this.lacks(mustBe, this.salvage(frame));', 'else {}'),
  replayDamage(
    'says nothing of a damaged frame',
    'else this.lacks(mustBe, this.salvage(frame));',
    'else this.salvage(frame);',
  ),
  replayDamage(
    'says nothing of frames that are missing',
    'this.lacks(isCertain, { place: frame.place, bytes: 0 });',
    '',
  ),
  replayDamage(
    'takes damaged entries',
    'if (!isRecordEntrySound(words, w, end) || recordFrame(words, w, address) !== address) return 0;',
    'if (w >= 0) return size;',
  ),
  of('log-replay.ts', 'test/e2e/power-cuts.test.ts')(
    'takes parts of a batch that was being written',
    'while (count > 0 && !frames[count - 1].sound && frames[count - 1].address > settled) {',
    'while (count < 0) {',
  ),
  frames(
    'takes frames whose checksum is wrong',
    'const sound = isHere && this.readFrame(address, place, found.length);',
    'const sound = isHere;\n      this.readFrame(address, place, found.length);',
  ),
  frames(
    'finds no record without a header',
    'if (isHere && !known.has(address) && this.isRecordSound(base + at)) {',
    'if (place < 0) {',
  ),
  of('frame-writer.ts', STORE)('seals no record entry', 'sealRecordEntry(words, w, address);', ''),
  of('log-frame.ts', DAMAGE)(
    'reads no frame of the version before',
    '(words[w] !== MAGIC && words[w] !== OLD_MAGIC)',
    'words[w] !== MAGIC',
  ),
  of('../table/binding-table.ts', SIMULATION)(
    'takes the index of a checkpoint at its word',
    'if (live === this.index.count) return;',
    'if (live !== -1) return;',
  ),
  of('log-frame.ts', SIMULATION)(
    'knows a removal by its bytes, wherever it lies',
    'return mixStep(mixStep(0x811c9dc5, low), high);',
    'return low + high < 0 ? 1 : 0;',
  ),
  of('../checkpoint/checkpoint.ts', CHECKPOINT)('takes a checkpoint of another log', 'demandFrame(log, end);', ''),
  of('../checkpoint/checkpoint.ts', CHECKPOINT)(
    'takes a damaged piece',
    'if (pieceChecksum(head, words) !== head[P_CHECKSUM])',
    'if (at < 0)',
  ),
  of('../checkpoint/checkpoint-files.ts', CHECKPOINT)(
    'leaves a refused checkpoint where it is',
    'renameSync(name, `${name}.refused`);',
    '',
  ),
  of('lmdb-log.ts', STORE)(
    'goes on in a generation whose commit failed',
    'this.end(newest); // the content of its pages',
    '// the content of its pages',
  ),
  log(
    'overwrites what stands in its way',
    "if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;",
    'throw error;',
  ),
  of('generation/lmdb-generation.ts', STORE)('does not sync', 'lasting ? SYNCED : UNSYNCED', 'UNSYNCED'),
  of('generation/lmdb-generation.ts', STORE)(
    'does not pad short frames',
    'if (length < VALUE_BYTES_MIN) {',
    'if (length < 0) {',
  ),
  folder('takes generations of other logs', 'head.name === name && head.number === number', 'head.number >= 0'),
  folder('takes a damaged manifest', 'return text === manifestText(manifest) ? manifest : null;', 'return manifest;'),
];
