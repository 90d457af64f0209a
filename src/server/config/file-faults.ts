// Files that a Config names: certificates, keys and secrets must be there, readable, and what they are said to be. What is wrong with
// a secret is said without a word of what it holds.

import { createPrivateKey, X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { fileFault } from '../process/file-fault.ts';
import { pushFileFaults } from '../push/push-files.ts';
import type { Config } from './config.ts';
import type { Fault } from './config-problem.ts';

type Path = readonly string[];
/** Throws a RangeError that tells nothing of the content. */
export type ReadText = (content: string) => unknown;
type NamedFile = readonly [key: string, file: string | undefined];

/**
 * Files that cannot be read, that hold something else, or that do not belong together.
 * @param parseLogin reads a login of NATS; a server without a cluster has nothing that can
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
