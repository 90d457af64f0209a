// Files that a Config names: certificates, keys and secrets must exist, be readable, and be of their kind. Messages about a secret
// never reveal its content.

import { createPrivateKey, X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { fileFault } from '../process/file-fault.ts';
import { pushFileFaults } from '../push/push-files.ts';
import type { Config } from './config.ts';
import type { Fault } from './config-problem.ts';

type Path = readonly string[];
/** Throws a RangeError that reveals nothing of the content. */
export type ReadText = (content: string) => unknown;
type NamedFile = readonly [key: string, file: string | undefined];

/**
 * Faults of files that are unreadable, have another content, or do not belong together.
 * @param parseLogin reads a login of NATS; a server without a cluster has no such reader
 */
export function fileFaults({ admin, auth, cluster, feed, push, tls }: Config, parseLogin?: ReadText): Fault[] {
  const { sql } = auth.provider ?? {};
  const nats = ['cluster', 'nats'];
  return [
    ...pair(['tls'], ['cert', tls?.certFile], ['key', tls?.keyFile]),
    ...Object.entries(tls?.domains ?? {}).flatMap(([name, { certFile, keyFile }]) =>
      pair(['tls', 'domains', name], ['cert', certFile], ['key', keyFile]),
    ),
    ...pem(['tls', 'ca'], tls?.caFile),
    ...(push ? pushFileFaults(push).map(({ path, text }) => ({ path: ['push', ...path], text })) : []),
    ...pair(['admin'], ['certificate', admin?.tls?.certificate], ['key', admin?.tls?.key]),
    ...secret(['auth', 'provider', 'sql', 'password-file'], sql?.passwordFile),
    ...pem(['auth', 'provider', 'sql', 'ca'], sql?.ca),
    ...secret(['auth', 'tokens', 'client-secret-file'], auth.tokens?.clientSecretFile),
    ...secret([...nats, 'credentials'], cluster?.nats.credentials, parseLogin),
    ...pem([...nats, 'ca'], cluster?.nats.ca),
    ...pair(nats, ['cert', cluster?.nats.cert], ['key', cluster?.nats.key]),
    ...secret(['feed', 'nats', 'credentials'], feed?.nats?.credentials),
    ...pem(['feed', 'nats', 'ca'], feed?.nats?.ca),
  ];
}

/** A certificate and its key, where either is named. */
function pair(path: Path, [cert, certFile]: NamedFile, [key, keyFile]: NamedFile): Fault[] {
  const certificate = read([...path, cert], certFile, (content) => new X509Certificate(content));
  const ownKey = read([...path, key], keyFile, createPrivateKey);
  const faults = [...certificate.faults, ...ownKey.faults];
  if (faults.length > 0 || certificate.value === undefined || ownKey.value === undefined) return faults;
  if (certificate.value.checkPrivateKey(ownKey.value)) return [];
  return [{ path: [...path, key], text: `${keyFile} is not the key of ${certFile}` }];
}

function pem(path: Path, file: string | undefined): Fault[] {
  return read(path, file, (content) => new X509Certificate(content)).faults;
}

function secret(path: Path, file: string | undefined, parse?: ReadText): Fault[] {
  return read(path, file, (content) => {
    const text = content.toString();
    if (text.trim() === '') throw new RangeError('empty');
    return parse?.(text) ?? text;
  }).faults;
}

function read<T>(path: Path, file: string | undefined, make: (content: Buffer) => T): { faults: Fault[]; value?: T } {
  if (file === undefined) return { faults: [] };
  try {
    return { faults: [], value: make(readFileSync(file)) };
  } catch (error) {
    const { syscall } = error as NodeJS.ErrnoException;
    const reason =
      syscall !== undefined
        ? fileFault(error)
        : error instanceof RangeError
          ? error.message
          : 'no PEM that can be read';
    return { faults: [{ path, text: `${file}: ${reason}` }] };
  }
}
