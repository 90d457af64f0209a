// The verbs of `aorta binding` and `aorta alias`: their work, output and exit codes.

import { existsSync } from 'node:fs';
import { domainOf, readServed, unservedNote } from '../server/config/served-domains.ts';
import { actAsOwner } from '../server/data/owner.ts';
import { addAlias, addBinding, removeAlias, removeBinding, StaticError } from '../server/data/statics.ts';
import { errorText } from '../server/process/file-fault.ts';
import { print, printError } from '../server/process/terminal.ts';
import { changeStatic, readStatic, type StaticContact } from '../shard/statics/static-file.ts';
import { EXIT_FAILED, EXIT_USAGE } from './terminal/exit-codes.ts';

interface Options {
  readonly data: string;
  readonly q?: string;
  readonly path?: readonly string[];
  readonly json?: boolean;
}

export function report(action: (...args: unknown[]) => void, args: unknown[]): void {
  try {
    action(...args);
  } catch (error) {
    printError(`aorta: ${errorText(error)}\n`);
    process.exitCode = error instanceof StaticError ? EXIT_USAGE : EXIT_FAILED;
  }
}

function directory({ data }: Options): string {
  if (!existsSync(data)) throw new StaticError(`there is no data directory ${data}: name it with --data`);
  actAsOwner(data);
  return data;
}

export function addOne(aor: string, uri: string, options: Options): void {
  const { q, path } = options;
  const contact: StaticContact = { uri, ...(q !== undefined && { q: Number(q) }), ...(path && { path }) };
  changeStatic(directory(options), addBinding(aor, contact));
  tellUnserved(options, [aor]);
  print(`${aor} is at ${uri}\n`);
}

export function removeOne(aor: string, uri: string | undefined, options: Options): void {
  changeStatic(directory(options), removeBinding(aor, uri));
  print(`removed ${uri ?? 'the static bindings'} of ${aor}\n`);
}

export function listBindings(options: Options): void {
  for (const [aor, contacts] of Object.entries(readStatic(directory(options)).bindings)) {
    for (const { uri, q, path = [] } of contacts) {
      const text = [aor, uri, ...(q === undefined ? [] : [`q=${q}`]), ...path].join('  ');
      print(`${options.json ? JSON.stringify({ aor, uri, q, path }) : text}\n`);
    }
  }
}

export function listAliases(options: Options): void {
  for (const [alias, aor] of Object.entries(readStatic(directory(options)).aliases))
    print(`${options.json ? JSON.stringify({ alias, aor }) : `${alias}  ${aor}`}\n`);
}

export function setAlias(name: string, aor: string, options: Options): void {
  changeStatic(directory(options), addAlias(name, aor));
  tellUnserved(options, [name, aor]);
  print(`${name} stands for ${aor}\n`);
}

export function dropAlias(name: string, options: Options): void {
  changeStatic(directory(options), removeAlias(name));
  print(`removed ${name}\n`);
}

function tellUnserved({ data }: Options, aors: readonly string[]): void {
  printError(unservedNote(readServed(data), aors.map(domainOf)));
}
