// `aorta cluster init` and `join`: they make a cluster's streams and record, and data directories with its secret.

import {
  accessSync,
  closeSync,
  constants,
  existsSync,
  fchmodSync,
  fstatSync,
  openSync,
  readFileSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import * as z from 'zod';
import { ClusterError } from '../../server/cluster/cluster-error.ts';
import { changeRecord, readRecord } from '../../server/cluster/cluster-record.ts';
import { connectNats } from '../../server/cluster/nats/nats-client.ts';
import { checkServers } from '../../server/cluster/nats/nats-servers.ts';
import { lookAtStreams } from '../../server/cluster/nats/stream-faults.ts';
import { makeStreams, openManager } from '../../server/cluster/nats/streams.ts';
import { fingerprintOf } from '../../server/cluster/node-identity.ts';
import type { Config } from '../../server/config/config.ts';
import { readConfigFile } from '../../server/config/config-file.ts';
import { ConfigError } from '../../server/config/config-problem.ts';
import { createConfig } from '../../server/config/create-config.ts';
import { SHARDS_MAX } from '../../server/config/defaults.ts';
import { type ClusterConfig, hasCluster } from '../../server/config/sections/cluster-config.ts';
import { shardDirectories } from '../../server/data/binding-folders.ts';
import { bindingsIn, openDataDirectory } from '../../server/data/data-directory.ts';
import { DataDirectoryError } from '../../server/data/directory-error.ts';
import { chownHint } from '../../server/data/owner.ts';
import { print, printError } from '../../server/process/terminal.ts';
import { CommandError, reported } from '../terminal/command-action.ts';
import { EXIT_USAGE } from '../terminal/exit-codes.ts';

const SHARDS = 12;
/** Time for servers to elect a leader. */
const PATIENCE_MS = 5000;
const TOKEN_FILE = 'cluster-token';
const TOKEN_PREFIX = 'aorta-cluster-1.';
const Token = z.object({ cluster: z.string(), shards: z.number().int(), secret: z.base64() });
type Token = z.infer<typeof Token>;

interface InitOptions {
  readonly config: string;
  readonly shards?: string;
  readonly tokenFile?: string;
}

interface JoinOptions {
  readonly config: string;
  readonly token: string;
}

export const initCluster = reported((options: InitOptions) => foreseen(() => init(options)));
export const joinCluster = reported((options: JoinOptions) => foreseen(() => joinIt(options)));

async function init({ config: file, shards: asked, tokenFile }: InitOptions): Promise<void> {
  const config = clusterConfig(file);
  const { data, cluster } = config;
  const there = existsSync(data) ? bindingsIn(data) : undefined;
  const shards = shardsFor(asked, config.shards, there?.shards);
  const path = tokenFile ?? join(data, TOKEN_FILE);
  if (tokenFile !== undefined) demandWritable(tokenFile);
  await checkServers(cluster.nats, (_, event, fields) => printError(`aorta: ${event}: ${JSON.stringify(fields)}\n`));
  const connection = await connectNats(cluster.nats, 'aorta cluster init');
  try {
    const manager = await openManager(connection, PATIENCE_MS);
    if ((await readRecord(manager, cluster.name)) !== undefined)
      throw new ClusterError(`cluster ${cluster.name} is there already: other nodes join it ("aorta cluster join")`);
    const lost = (await lookAtStreams(manager, cluster.name, shards)).some(
      ({ info }) => (info?.state.last_seq ?? 0) > 0,
    );
    if (lost)
      throw new ClusterError(
        `cluster ${cluster.name} has streams that lack its record alone: "aorta cluster reseed meta" on one of its nodes makes ` +
          'that anew. For a new cluster choose another cluster.name, or remove them (nats stream rm)',
      );
    if (there !== undefined && shardDirectories(there.path, there.shards).some((path) => existsSync(path)))
      throw new CommandError(`${data} has bindings, which other nodes could not have: start with a new data directory`);
    const directory = openDataDirectory(data, { shards });
    try {
      await makeStreams(manager, cluster.name, shards, (reason) =>
        printError(`aorta: waiting for the NATS servers, which do not all know of each other yet: ${reason}\n`),
      );
      // Before the record: without a token no node could join the cluster.
      const secret = Buffer.from(directory.secret).toString('base64');
      writeSecret(path, `${formatToken({ cluster: cluster.name, shards, secret })}\n`);
      const fingerprint = fingerprintOf(directory.secret);
      const created = new Date().toISOString();
      await changeRecord(connection, manager, cluster.name, (found) => {
        if (found !== undefined) throw new ClusterError(`cluster ${cluster.name} has just been made by somebody else`);
        return { format: 1, shards, fingerprint, created, nodes: {} };
      });
      print(`made cluster ${cluster.name} with ${shards} shards; other nodes join with ${path}, which is a secret\n`);
    } finally {
      directory.close();
    }
  } finally {
    await connection.close();
  }
  hint(data);
}

async function joinIt({ config: file, token: tokenFile }: JoinOptions): Promise<void> {
  const { data, cluster } = clusterConfig(file);
  const token = readToken(tokenFile);
  if (token.cluster !== cluster.name)
    throw new ClusterError(`the token is of cluster ${token.cluster}, cluster.name says ${cluster.name}`);
  const secret = new Uint8Array(Buffer.from(token.secret, 'base64'));
  const connection = await connectNats(cluster.nats, 'aorta cluster join');
  try {
    const found = await readRecord(await openManager(connection, PATIENCE_MS), cluster.name);
    if (found === undefined)
      throw new ClusterError(`there is no cluster ${cluster.name}: make it with "aorta cluster init"`);
    if (found.record.fingerprint !== fingerprintOf(secret))
      throw new ClusterError(`the token is not the one of this cluster ${cluster.name}: it was made anew since`);
    const { shards, nodes } = found.record;
    if (existsSync(data) && bindingsIn(data) !== undefined)
      throw new ClusterError(`${data} is a data directory already: move it away, or start with another one`);
    openDataDirectory(data, { shards, secret }).close();
    const other = nodes[cluster.node];
    const first =
      other === undefined
        ? ''
        : `, after "aorta cluster leave ${cluster.node}" on another node: that name is a data directory's at ${other.listen}`;
    print(`${data} is ready for node ${cluster.node} of cluster ${cluster.name}: start it${first}\n`);
  } finally {
    await connection.close();
  }
  hint(data);
}

function clusterConfig(file: string): Config & { readonly cluster: ClusterConfig } {
  const config = createConfig([readConfigFile(file)]);
  if (!hasCluster(config)) throw new CommandError(`${file} has no section "cluster"`, EXIT_USAGE);
  return config;
}

function shardsFor(asked: string | undefined, configured: number | undefined, there: number | undefined): number {
  const wanted = asked === undefined ? (configured ?? there ?? SHARDS) : Number(asked);
  if (!Number.isInteger(wanted) || wanted < 1 || wanted > SHARDS_MAX)
    throw new CommandError(`--shards: expected a whole number from 1 to ${SHARDS_MAX}, got ${asked}`, EXIT_USAGE);
  if (there !== undefined && there !== wanted)
    throw new CommandError(
      `the data directory was made for ${there} shards: move it away, or leave the number of shards out`,
    );
  return wanted;
}

/** Checked before anything is made: without its token no node could join. */
function demandWritable(tokenFile: string): void {
  try {
    accessSync(dirname(tokenFile), constants.W_OK);
  } catch (error) {
    throw new CommandError(`--token-file: ${tokenFile} cannot be written: ${(error as Error).message}`, EXIT_USAGE);
  }
}

/** A file that existed before, and that others could read, is private from here on. */
function writeSecret(path: string, text: string): void {
  const fd = openSync(path, 'w', 0o600);
  try {
    if (fstatSync(fd).isFile()) fchmodSync(fd, 0o600);
    writeFileSync(fd, text);
  } finally {
    closeSync(fd);
  }
}

function formatToken(token: Token): string {
  return TOKEN_PREFIX + Buffer.from(JSON.stringify(token)).toString('base64url');
}

function readToken(file: string): Token {
  let text: string;
  try {
    text = readFileSync(file === '-' ? 0 : file, 'utf8').trim();
  } catch (error) {
    throw new CommandError(`--token: ${file} cannot be read: ${(error as Error).message}`, EXIT_USAGE);
  }
  try {
    if (!text.startsWith(TOKEN_PREFIX)) throw new Error('no token');
    return Token.parse(JSON.parse(Buffer.from(text.slice(TOKEN_PREFIX.length), 'base64url').toString()));
  } catch {
    throw new CommandError(`--token: ${file} holds no token of "aorta cluster init"`, EXIT_USAGE);
  }
}

function hint(data: string): void {
  const text = chownHint(data);
  if (text !== '') printError(`${text}\n`);
}

async function foreseen(action: () => Promise<void>): Promise<void> {
  try {
    await action();
  } catch (error) {
    if (error instanceof ConfigError) throw new CommandError(error.problems.join('\naorta: '), EXIT_USAGE);
    const { code, message } = error as NodeJS.ErrnoException;
    if (error instanceof DataDirectoryError || code !== undefined) throw new CommandError(message);
    throw error;
  }
}
