// `aorta cert`: certificates for a first try. self-signed.ts makes them.

import { mkdirSync, writeFileSync } from 'node:fs';
import { isIP } from 'node:net';
import { join } from 'node:path';
import type { Command } from 'commander';
import { errorText } from '../server/process/file-fault.ts';
import { print, printError } from '../server/process/terminal.ts';
import { EXIT_FAILED, EXIT_USAGE } from './terminal/exit-codes.ts';
import { examples } from './terminal/help-text.ts';

const DAYS_MAX = 3650;

const EXAMPLES = `
Examples:
  aorta cert self-signed
      writes cert.pem and key.pem for localhost, 127.0.0.1 and ::1
  aorta cert self-signed --domain example.com --domain sip.example.com --out /etc/aorta
  aorta serve --listen tls:127.0.0.1:5061 --tls-cert cert.pem --tls-key key.pem
`;

interface Options {
  readonly domain?: string[];
  readonly out: string;
  readonly days: string;
  readonly force?: boolean;
}

export function addCertCommand(root: Command): void {
  const cert = root.command('cert').copyInheritedSettings(root).description('certificates for a first try of TLS');
  cert.addHelpText('after', examples(EXAMPLES));
  cert
    .command('self-signed')
    .copyInheritedSettings(root)
    .description('make a key and a certificate signed with it; phones must be told to trust it')
    .option('--domain <name>', 'domain or IP address to make it for; may be repeated', (name, all: string[] = []) => [
      ...all,
      name,
    ])
    .option('--out <dir>', 'where cert.pem and key.pem go', '.')
    .option('--days <n>', 'how long it is valid', '365')
    .option('--force', 'overwrite files that are there')
    .allowExcessArguments(false)
    .addHelpText('after', examples(EXAMPLES))
    .action(make);
}

async function make(options: Options): Promise<void> {
  const { selfSigned } = await import('./self-signed.ts');
  const names = options.domain ?? ['localhost', '127.0.0.1', '::1'];
  const wrong = names.find((name) => isIP(name) === 0 && !/^[a-z0-9_]([a-z0-9_.-]{0,252})$/i.test(name));
  if (wrong !== undefined) return fail(`--domain: expected a domain or an IP address, got "${wrong}"`, EXIT_USAGE);
  const days = Number(options.days);
  if (!Number.isInteger(days) || days < 1 || days > DAYS_MAX)
    return fail(`--days: expected a whole number from 1 to ${DAYS_MAX}, got "${options.days}"`, EXIT_USAGE);
  const { cert, key } = selfSigned(names, new Date(), days);
  const [certFile, keyFile] = [join(options.out, 'cert.pem'), join(options.out, 'key.pem')];
  const flag = options.force ? 'w' : 'wx';
  try {
    mkdirSync(options.out, { recursive: true });
    writeFileSync(keyFile, key, { mode: 0o600, flag });
    writeFileSync(certFile, cert, { flag });
  } catch (error) {
    const { code, path } = error as NodeJS.ErrnoException;
    return fail(code === 'EEXIST' ? `${path} is there already: add --force to overwrite it` : errorText(error));
  }
  print(`${certFile}\n${keyFile}\nfor ${names.join(', ')}, ${days} days\n`);
}

function fail(message: string, code = EXIT_FAILED): void {
  printError(`aorta: ${message}\n`);
  process.exitCode = code;
}
