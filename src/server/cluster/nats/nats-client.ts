// The main thread's connection to NATS, by the library: for streams, the cluster's record and orders. Shards have connections of
// their own, which wait in poll().

import { readFileSync } from 'node:fs';
import {
  type Authenticator,
  connect,
  credsAuthenticator,
  type NatsConnection,
  nkeyAuthenticator,
  type TlsOptions,
  tokenAuthenticator,
  usernamePasswordAuthenticator,
} from '@nats-io/transport-node';
import { type NatsLogin, parseLogin } from '../../../transport/nats/nats-login.ts';
import { formatNatsServer, type NatsConfig } from '../../config/sections/cluster-config.ts';
import { ClusterError, ServersAway } from '../cluster-error.ts';

/** A start waits so long for one server. */
const CONNECT_MS = 2000;
const RECONNECT_MS = 250;
const PING_MS = 1000;

/** What the credentials file says. Throws a ClusterError. */
export function readLogin({ credentials }: NatsConfig): NatsLogin {
  if (credentials === undefined) return { kind: 'none' };
  let content: string;
  try {
    content = readFileSync(credentials, 'utf8');
  } catch (error) {
    throw new ClusterError(`cluster.nats.credentials: ${(error as Error).message}`);
  }
  try {
    return parseLogin(content);
  } catch (error) {
    throw new ClusterError(`cluster.nats.credentials: ${credentials}: ${(error as Error).message}`);
  }
}

/** Connects to the first server that answers, and again whenever that is lost. Throws a ClusterError; ServersAway where none lets it in. */
export async function connectNats(config: NatsConfig, name: string): Promise<NatsConnection> {
  const servers = config.servers.map(formatNatsServer);
  try {
    return await connect({
      servers,
      name,
      ...options(readLogin(config)),
      ...tlsOf(config, config.servers),
      noRandomize: true,
      ignoreClusterUpdates: true,
      timeout: CONNECT_MS,
      maxReconnectAttempts: -1,
      reconnectTimeWait: RECONNECT_MS,
      pingInterval: PING_MS,
      maxPingOut: 2,
    });
  } catch (error) {
    if (error instanceof ClusterError) throw error;
    throw new ServersAway(
      `no NATS server lets this node in (${servers.join(', ')}): ${(error as Error).message}. ` +
        'Start them, or correct cluster.nats.servers or cluster.nats.credentials',
    );
  }
}

/** What one server says of itself, or why it lets this node not in. */
export async function askServer(
  config: NatsConfig,
  server: NatsConfig['servers'][number],
): Promise<NonNullable<NatsConnection['info']> | { readonly why: string }> {
  try {
    const connection = await connect({
      servers: formatNatsServer(server),
      ...options(readLogin(config)),
      ...tlsOf(config, [server]),
      ignoreClusterUpdates: true,
      reconnect: false,
      timeout: CONNECT_MS,
    });
    const { info } = connection;
    await connection.close();
    return info ?? { why: 'it says nothing of itself' };
  } catch (error) {
    if (error instanceof ClusterError) throw error;
    return { why: (error as Error).message };
  }
}

/** With it the library says nothing to a server that does not encrypt. Its list of servers is of one kind. */
function tlsOf({ ca, cert, key }: NatsConfig, servers: NatsConfig['servers']): { tls?: TlsOptions } {
  if (!servers.some(({ tls }) => tls)) return {};
  return { tls: { ...(ca && { caFile: ca }), ...(cert && { certFile: cert }), ...(key && { keyFile: key }) } };
}

function options(login: NatsLogin): { authenticator?: Authenticator } {
  const bytes = (text: string) => new TextEncoder().encode(text);
  if (login.kind === 'none') return {};
  if (login.kind === 'password') return { authenticator: usernamePasswordAuthenticator(login.user, login.password) };
  if (login.kind === 'token') return { authenticator: tokenAuthenticator(login.token) };
  if (login.jwt === '') return { authenticator: nkeyAuthenticator(bytes(login.seed)) };
  const creds =
    `-----BEGIN NATS USER JWT-----\n${login.jwt}\n------END NATS USER JWT------\n\n` +
    `-----BEGIN USER NKEY SEED-----\n${login.seed}\n------END USER NKEY SEED------\n`;
  return { authenticator: credsAuthenticator(bytes(creds)) };
}
