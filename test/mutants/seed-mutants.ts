// Faults put into the code on purpose, and the simulated worlds whose seeds have to find each of them: of the log, its cleaner, checkpoints
// and replay, the table, sweepers, nonces, flows, batches that fail, abuse control, waiting requests, lookups, storms, domains, old records.

import { MUTANTS } from './mutants.ts';
import { inFile, type SeedMutant, type World } from './seed-mutant.ts';
import { WATCHED_MUTANTS } from './watched-mutants.ts';

/** Of the listed mutants, those that lie above the seam at which the simulated log and its files begin. */
const SHARED: readonly string[] = [
  'drops a generation with live records',
  'takes moves for made before they hold',
  'never cleans',
  'counts no record that came',
  'gives up what is sound',
  'applies a batch that failed',
  'keeps rows of a batch that failed',
  'waits for no sync where a sweep leaves a record',
  'does not tell the cleaner of a record that is replaced',
  'forgets that it gave a row up',
  'takes a record whose checksum is wrong',
  'takes batches that were refused',
  'asks no head where the log ended',
  'starts again at zero',
  'takes nothing of a damaged frame',
  'says nothing of a damaged frame',
  'takes damaged entries',
  'takes frames whose checksum is wrong',
];

const STORE: readonly World[] = ['store'];
const SHARDS: readonly World[] = ['registrations', 'shards'];
const CALLS: readonly World[] = ['registrations'];

const index = inFile('location/table/key-index.ts', STORE);
const table = inFile('location/table/binding-table.ts', STORE);
const wheel = inFile('location/table/row-wheel.ts', SHARDS);
const store = inFile('location/log/log-store.ts', STORE);
const replay = inFile('location/log/log-replay.ts', STORE);
const sweeper = inFile('shard/sweeper.ts', SHARDS);
const flows = inFile('shard/flow-sweeper.ts', SHARDS);
const batch = inFile('shard/batch-commit.ts', SHARDS);
const gate = inFile('shard/gate.ts', CALLS);
const admission = inFile('shard/admission.ts', CALLS);
const overload = inFile('core/abuse/overload.ts', CALLS);
const shardRules = inFile('shard/shard-rules.ts', CALLS);
const window = inFile('core/auth/nonce-window.ts', SHARDS);

const OWN: readonly SeedMutant[] = [
  index(
    'loses the last slot of a sub-table that grows',
    'for (let i = 0; i < from.length; i += 2) if (from[i + 1] !== 0) insert',
    'for (let i = 0; i < from.length - 2; i += 2) if (from[i + 1] !== 0) insert',
  ),
  index(
    'leaves keys behind a removed one where probing does not reach them',
    'if (((at - home) & mask) < ((at - hole) & mask)) continue;',
    'if (home >= 0) continue;',
  ),
  index(
    'goes on with the sub-table that was too small',
    'this.tables[sub] = table;\n    this.observer',
    'this.observer',
  ),
  replay(
    'calls damage what a power cut took',
    'if (mustBe) this.damaged.push(stretch);',
    'this.damaged.push(stretch);\n    if (mustBe) return;',
  ),
  table('leaves an AOR in the index where it is removed', 'this.index.remove(tag, row);\n    chunk[r', 'chunk[r'),
  table('does not count what is removed', 'this.bindings -= bindingsOf(chunk, r + ROW_PLACE);', ''),
  table(
    'replays a record beside the row that the AOR had',
    'if (known >= 0 && known !== row) this.replayRemoval(known, words, at);\n    const chunk',
    'const chunk',
  ),
  table('replays no refresh', 'if (!this.isRefreshed(row, tag)) return;', 'if (row >= 0) return;'),
  table('replays no removal', 'if (same) chunk[r + ROW_PLACE + 1] = 0;', ''),
  table('links nothing after a start', 'if (now > 0) this.shorten(row, now);\n        this.wheel.add(row);', ''),
  table(
    'gives a row to two AORs after a start',
    '} else this.giveBack(row);',
    '} else this.giveBack(row);\n      if (row === 3) this.giveBack(row);',
  ),
  inFile('location/table/binding-table.ts', SHARDS)(
    'leaves a row whose end comes nearer where it was on the wheel',
    'if (before === 0 || isEarlier) this.wheel.add(row);',
    'if (before === 0) this.wheel.add(row);',
  ),
  wheel('fires a row before it is due', 'if (expiresAt <= nowMs) visitor.expireRow(row);', 'visitor.expireRow(row);'),
  wheel('forgets a row that has fired', 'this.link(row, expiresAt <= nowMs ? nowMs + RETRY_MS : expiresAt);', ''),
  inFile('location/table/row-wheel.ts', ['shards'])(
    'passes over what is due where much time has passed',
    'if (nowTick - this.tick > BUCKETS) this.tick = nowTick - BUCKETS;',
    'if (nowTick - this.tick > BUCKETS) this.tick = nowTick;',
  ),
  store('does not write a removal', 'else frame.removal(row, words, w);', ''),
  store('writes a refresh for another row', 'frame.refresh(row, words[w + 2]', 'frame.refresh(row ^ 1, words[w + 2]'),
  store('answers before a batch is synced', 'const place = log.settle(lasting);', 'const place = log.settle(false);'),
  store(
    'names the address of the frame for that of the record',
    'const place = at + this.offsetOf[entry];',
    'const place = at;',
  ),
  sweeper(
    'removes what ends within a minute',
    'const hasEnded = endedBy(state, at, now, null) !== 0;',
    'const hasEnded = endedBy(state, at, now + 60_000, null) !== 0;',
  ),
  sweeper(
    'removes an AOR that the batch has changed',
    'if (isOnly && changes === null && this.dormantMs <= 0 && !state.isTouched()) {',
    'if (isOnly && changes === null && this.dormantMs <= 0) {',
  ),
  sweeper(
    'sweeps while the clock cannot be trusted',
    'if (this.pauseMs(now) === 0 && !this.holds) {',
    'if (this.pauseMs(now) === 0) {',
  ),
  inFile('shard/describe-record.ts', SHARDS)(
    'describes what a sweep leaves by the last request',
    'if (images === newImageAt) identity.computeWritten();',
    'if (images >= 0) identity.computeWritten();',
  ),
  flows(
    'takes out of an AOR what lives by another connection',
    'if (lifelineKey(state, image) === token && isCutOff(state, image, this.flows)) {',
    'if (lifelineKey(state, image) !== 0) {',
  ),
  flows(
    'looks at no record of before the start',
    'this.cursor = this.store.visitSome(this.cursor, AORS_PER_LOOK, this);',
    'this.cursor = -1;',
  ),
  flows('hears of no connection that ends', 'if (this.index.has(token)) this.enqueue(token, now);', ''),
  flows(
    'leaves bindings of ended connections for ever',
    'this.push(token, this.time.at(now) + this.graceMs);',
    'this.push(token, this.time.at(now) + this.graceMs * 1e6);',
  ),
  batch(
    'lets answers of a batch that failed be 200',
    'if (settled === FAILED) this.failed(now);',
    'if (settled === FAILED) this.committed(now);',
  ),
  batch(
    'tracks no connection of what a batch has written',
    'tally.apply();\n    flows?.committed(writes, now);',
    'tally.apply();',
  ),
  batch('never asks for removed bindings of a batch that failed', 'this.parts.flows?.failed(now);', ''),
  inFile('shard/aor-state.ts', SHARDS)(
    'decides on what is committed where the batch has changed it',
    'const entry = writes.find(key[0], key[1], key[2], key[3]);\n    this.uncommitted',
    'const entry = -1 as number;\n    this.uncommitted',
  ),
  inFile('shard/shard.ts', SHARDS)(
    'decides a copy again',
    'const found = wellFormed && !this.isReliable ? this.find(mayMerge) : NEW_REQUEST;',
    'const found = wellFormed && !this.isReliable && !mayMerge ? this.find(mayMerge) : NEW_REQUEST;',
  ),
  inFile('core/register/registrar.ts', SHARDS)(
    'takes a CSeq that is too low',
    'const later = (table[T_CSEQ] >>> 0) - cseqOf(state, image);',
    'const later = 1 + 0 * cseqOf(state, image);',
  ),
  inFile('core/register/refresh.ts', SHARDS)(
    'refreshes what has run out',
    'return binding.expiresAt > now && table',
    'return table',
  ),
  inFile('core/register/repeat.ts', SHARDS)(
    'takes any request of the same Call-ID for a copy',
    'if (cseqOf(state, image) !== table[T_CSEQ] >>> 0 || !hasCallIdOfRequest(state, image)) return false;',
    'if (!hasCallIdOfRequest(state, image)) return false;',
  ),
  inFile('shard/admission.ts', SHARDS)(
    'asks nobody again whose nonce is of another life',
    'if (authenticator === null || !authenticated || authenticator.nonceIsOfThisLife) return 0;',
    'if (authenticator === null || authenticated) return 0;',
  ),
  window('takes an nc twice', 'if ((words[seen] & bit) !== 0) return NC_REPLAYED;', ''),
  window(
    'forgets which nc it has seen where a higher one comes',
    'words[at + HIGHEST] = nc;\n      words[at + SEEN_LOW] |= 1;',
    'words[at + HIGHEST] = nc;\n      words[at + SEEN_LOW] = 1;',
  ),
  gate(
    'hears sources that have failed too often',
    'if (!abuse.accepts(this.peers, slot, now)) {',
    'if (abuse === null) {',
  ),
  gate(
    'refuses sources that have not failed',
    'if (!abuse.stranger || !this.scanners',
    'if (abuse.stranger) return false;\n    if (!abuse.stranger || !this.scanners',
  ),
  gate(
    'hears scanners',
    'if (!abuse.stranger || !this.scanners.sends(slab, at, end)) return true;',
    'if (at <= end) return true;',
  ),
  gate(
    'tries passwords of an account that has drawn too many',
    'if (abuse.aorAllowed(peers, slot, account[0], account[1], account[2], now)) return true;',
    'if (abuse !== null) return true;',
  ),
  gate(
    'counts no wrong password',
    'if (outcome === AUTH_WRONG_RESPONSE || outcome === AUTH_UNKNOWN_USER) return FAILED_CREDENTIALS;',
    '',
  ),
  gate(
    'lets a trusted proxy speak for anybody',
    'if (canonicalAor(slab, table, T_FROM, this.from) !== aorLength) return false;',
    'if (aorLength >= 0) return true;',
  ),
  admission(
    'tells anybody where users are',
    "if (this.lookup === 'anyone') return 0;",
    "if (this.lookup !== 'off') return 0;",
  ),
  admission(
    'lets who has waited in vain wait again',
    'const inVain = this.vainBatches[exchange.request.peer] === this.batch;',
    'const inVain = this.batch < 0;',
  ),
  inFile('shard/request-service.ts', CALLS)(
    'tells callers of bindings before they hold',
    'exchange.result.changed || this.state.uncommitted || isTold',
    'exchange.result.changed || isTold',
  ),
  inFile('shard/request-service.ts', CALLS)(
    'serves who waits for his user',
    'if (refused === 0) return this.lifecycle.trying(slot, now);',
    '',
  ),
  inFile('shard/shard.ts', CALLS)(
    'looks for the INVITE of a CANCEL at the alias',
    'table[T_METHOD] === METHOD_ACK || table[T_METHOD] === METHOD_CANCEL;',
    'table[T_METHOD] === METHOD_ACK;',
  ),
  inFile('shard/shard.ts', CALLS)(
    'tells nobody over a stream that a ring is full',
    'else if (this.isReliable && table[T_METHOD] !== METHOD_ACK) this.lifecycle.putOff(this.slot, this.now);',
    '',
  ),
  inFile('core/uas/invite-server-transactions.ts', CALLS)(
    'sends an answer again though it was acknowledged',
    'return this.index.count > 0 && this.index.untrack(requestHigh, requestLow, branchHigh, branchLow);',
    'return this.index.count > 0 && requestHigh + requestLow + branchHigh + branchLow >= 0;',
  ),
  inFile('core/lookup/targets.ts', CALLS)(
    'leads callers to connections that have ended',
    'if (!isTarget(bytes, image, now, flows)) continue;',
    'if (!isTarget(bytes, image, now, null)) continue;',
  ),
  inFile('shard/statics/asked-for.ts', CALLS)(
    'leaves static bindings out',
    'if (this.statics === null || this.statics.empty || this.kind !== GRUU_NONE) return;',
    'if (this.statics !== null || this.kind !== GRUU_NONE) return;',
  ),
  overload(
    'lets go where time has passed, not where nothing waits',
    'this.share = now < this.stormUntil',
    'if (waitMs > 0) this.share = now < this.stormUntil',
  ),
  overload('lets nobody in', 'return share > SHARE_MIN ? share : SHARE_MIN;', 'return share > 0 ? share : 0;'),
  overload('puts nobody off', 'if (this.due < 1) return false;', 'if (this.due < 1) return true;'),
  overload(
    'takes a burst for a storm',
    'if (waitMs === 0) this.behindSince = 0;\n    else if (this.behindSince === 0) {',
    'if (this.behindSince === 0) {',
  ),
  inFile('shard/request-service.ts', CALLS)(
    'puts off in a storm who is registered',
    'table[T_CONTACT_COUNT] === 0 || state.isKnown()) return 0;',
    'table[T_CONTACT_COUNT] === 0) return 0;',
  ),
  inFile('shard/request-service.ts', CALLS)(
    'puts off in a storm who asks what there is',
    'if (table[T_METHOD] !== METHOD_REGISTER || table[T_CONTACT_COUNT] === 0 || state',
    'if (table[T_METHOD] !== METHOD_REGISTER || state',
  ),
  shardRules(
    'grants in every domain what the server grants',
    'const rules = domains === null || host < 0 ? server : (domains.find(aor, host, length) ?? this.others);',
    'const rules = domains === null || host < 0 ? server : this.others;',
  ),
  shardRules('keeps the rules of domains at a reload', 'this.domains = other.domains;', ''),
  shardRules(
    'gives users with rules of their own those of the domain',
    "return work.userRules === '' ? rules : rules.ofUser(work.userRules);",
    'return rules;',
  ),
  shardRules(
    'takes the rules of the first user who has some for all',
    'return this.users.get(rules) ?? this.makeOfUser(rules);',
    'return [...this.users.values()][0] ?? this.makeOfUser(rules);',
  ),
  shardRules(
    'counts no binding against what its domain may have',
    'if (this.capacity !== null) Atomics.sub(this.capacity, 0, bindingsAfter - bindingsBefore);',
    'if (bindingsAfter < 0) throw new Error(String(bindingsBefore));',
  ),
  inFile('core/register/registrar.ts', CALLS)(
    'lets a full domain have more',
    'if (more <= 0 || more <= exchange.request.capacity) return GO_ON;',
    'if (more <= 0 || exchange.request.capacity > -99) return GO_ON;',
  ),
  inFile('location/record-v2.ts', CALLS)(
    'takes the spare byte of version 2 for a node',
    'bytes[image + SPARE] = 0;',
    'if (image < 0) bytes[image + SPARE] = 0;',
  ),
  inFile('location/record-v2.ts', CALLS)(
    'brings the first binding of version 2 up to date, alone',
    'image += length;',
    'image += end + length;',
  ),
  inFile('location/record.ts', CALLS)(
    'takes records of version 2 as they are',
    'return bytes[0] === RECORD_VERSION ? length : updateOld(bytes, length);',
    'return bytes[0] > 0 ? length : updateOld(bytes, length);',
  ),
  inFile('location/record.ts', CALLS)(
    'reads no record of the version before',
    'if (bytes[at] < OLDEST_VERSION || bytes[at]',
    'if (bytes[at] <= OLDEST_VERSION || bytes[at]',
  ),
  inFile('location/table/flow-index.ts', SHARDS)(
    'forgets whose connections they are where it grows',
    'keys.set(this.keys);',
    '',
  ),
  inFile('location/log/log-replay.ts', ['cluster'])(
    'ends a log before what was moved behind the damage',
    'const isShort = Math.max(0, this.last) < log.droppedAt;',
    'const isShort = false;',
  ),
  inFile('location/log/log-replay.ts', ['cluster'])(
    'misses no frame of a log whose rest a stream has',
    'if (endsAtDamage && (isMissing || !frame.sound)) {',
    'if (endsAtDamage && !frame.sound) {',
  ),
  inFile('shard/held-requests.ts', ['cluster'])(
    'answers what was held to another source',
    'copyPeer(this.rows, row, peers, slot);',
    '',
  ),
  inFile('threads/move/move-bindings.ts', SHARDS)(
    'leaves the last records of a move uncommitted',
    'for (const target of targets) target.commit();',
    '',
  ),
  inFile('threads/move/move-bindings.ts', SHARDS)(
    'moves records to the shard that had them before',
    'targets[shardOf(words[3], targets.length)].put(words, record);',
    'targets[0].put(words, record);',
  ),
];

const shared = SHARED.map((what): SeedMutant => {
  const mutant = MUTANTS.find((one) => one.what === what);
  if (mutant === undefined) throw new Error(`no mutant ${what}`);
  return { ...mutant, worlds: mutant.test.includes('shards-simulation') ? SHARDS : STORE };
});

export const SEED_MUTANTS: readonly SeedMutant[] = [...shared, ...OWN, ...WATCHED_MUTANTS];
