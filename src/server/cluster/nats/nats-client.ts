// The main thread's connection to NATS, by the library: for streams, the cluster's record and orders. Shards have connections of their own,
// which wait in poll().

import { readFileSync } from 'node:fs';
import {
  type Authenticator,
  connect,
  credsAuthenticator,
  errors,
  type NatsConnection,
  nkeyAuthenticator,
  type TlsOptions,
  tokenAuthenticator,
  usernamePasswordAuthenticator,
} from '@nats-io/transport-node';
import { identityCheck } from '../../../transport/nats/nats-identity.ts';
import { type NatsLogin, parseLogin } from '../../../transport/nats/nats-login.ts';
import { formatNatsServer, type NatsConfig } from '../../config/sections/cluster-config.ts';
import { ClusterError, LoginRefused, ServersAway } from '../cluster-error.ts';

/** Longest wait of a start for one server. */
const CONNECT_MS = 2000;
const RECONNECT_MS = 250;
const PING_MS = 1000;
/** The library's errors about credentials. */
const REFUSALS = [errors.AuthorizationError, errors.UserAuthenticationExpiredError];

/** The content of the credentials file. Throws a ClusterError. */
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

/**
 * Connects to the first server that answers, and again whenever the connection is lost. Throws a ClusterError; ServersAway where no server
 * accepts it.
 */
export async function connectNats(config: NatsConfig, name: string): Promise<NatsConnection> {
  const servers = config.servers.map(formatNatsServer);
  try {
    return await connect({
      servers,
      name,
      ...loginOf(config),
      ignoreAuthErrorAbort: true, // servers and this node may learn of new credentials one after the other
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
    if (REFUSALS.some((kind) => error instanceof kind)) throw refused(config, servers, error as Error);
    throw new ServersAway(
      `no NATS server lets this node in (${servers.join(', ')}): ${(error as Error).message}. ` +
        'Start them, or correct cluster.nats.servers or cluster.nats.credentials',
    );
  }
}

/** A server's report about itself, or the reason why it refuses this node. */
export async function askServer(
  config: NatsConfig,
  server: NatsConfig['servers'][number],
): Promise<NonNullable<NatsConnection['info']> | { readonly why: string }> {
  try {
    const connection = await connect({
      servers: formatNatsServer(server),
      ...loginOf(config),
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

/** With it the library sends nothing to a server that does not encrypt. All servers of its list are of one kind. */
function tlsOf({ ca, cert, key }: NatsConfig, servers: NatsConfig['servers']): { tls?: TlsOptions } {
  if (!servers.some(({ tls }) => tls)) return {};
  const files = { ...(ca && { caFile: ca }), ...(cert && { certFile: cert }), ...(key && { keyFile: key }) };
  return { tls: { ...files, ...identityCheck(servers.map(({ host }) => host)) } };
}

function refused({ credentials }: NatsConfig, servers: readonly string[], { message }: Error): LoginRefused {
  const cure =
    credentials === undefined
      ? 'set cluster.nats.credentials'
      : `correct ${credentials}, which is read anew for each try, or the users of the servers`;
  return new LoginRefused(`the NATS servers refuse this node's login (${servers.join(', ')}): ${message}: ${cure}`);
}

/** Reads the file for each connection; while it cannot be used, its former content counts. Throws a ClusterError at first. */
function loginOf(config: NatsConfig): { authenticator?: Authenticator } {
  let login = readLogin(config);
  if (login.kind === 'none') return {};
  return {
    authenticator: (nonce) => {
      try {
        login = readLogin(config);
      } catch {
        // it is being written; the thread that reads it now and then reports other errors
      }
      return authenticatorOf(login)(nonce);
    },
  };
}

function authenticatorOf(login: NatsLogin): Authenticator {
  const bytes = (text: string) => new TextEncoder().encode(text);
  if (login.kind === 'none') return () => undefined;
  if (login.kind === 'password') return usernamePasswordAuthenticator(login.user, login.password);
  if (login.kind === 'token') return tokenAuthenticator(login.token);
  if (login.jwt === '') return nkeyAuthenticator(bytes(login.seed));
  const creds =
    `-----BEGIN NATS USER JWT-----\n${login.jwt}\n------END NATS USER JWT------\n\n` +
    `-----BEGIN USER NKEY SEED-----\n${login.seed}\n------END USER NKEY SEED------\n`;
  return credsAuthenticator(bytes(creds));
}
