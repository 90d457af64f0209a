// `aorta binding …` and `aorta alias …`: the verbs, what they print and the codes they exit with.

import { existsSync } from 'node:fs';
import type { Command } from 'commander';
import { changeStatic, readStatic, type StaticContact } from '../shard/static-file.ts';
import { DEFAULT_CONFIG } from './config.ts';
import { addAlias, addBinding, removeAlias, removeBinding, StaticError } from './statics.ts';

const EXIT_FAILED = 1;
const EXIT_USAGE = 2;

const BINDING_EXAMPLES = `
Static bindings are found by lookups beside those that phones register, and never run out. No REGISTER shows, changes or
removes them. A running server sees a change within a second.

Examples:
  aorta binding add voicemail@example.com sip:mail@192.0.2.30:5080
  aorta binding add alice@example.com sip:+4912345@gateway.example.com --q 0.1
      tried after alice's own phones
  aorta binding add desk@example.com sip:desk@10.0.0.7 --path '<sip:edge.example.com;lr>'
  aorta binding rm alice@example.com
`;

const ALIAS_EXAMPLES = `
A lookup of an alias finds the contacts of the address that it stands for. A running server sees a change within a second.

Examples:
  aorta alias add sales@example.com alice@example.com
  aorta alias add +4912345@example.com alice@example.com
`;

interface Options {
  readonly data: string;
  readonly q?: string;
  readonly path?: readonly string[];
  readonly json?: boolean;
}

/** Adds both commands to the root. */
export function addStaticCommands(root: Command): void {
  const collect = (value: string, earlier: string[] | undefined) => [...(earlier ?? []), value];
  const binding = group(root, 'binding', 'contacts that an operator gives an address', BINDING_EXAMPLES);
  binding('add <address> <uri>', 'add a contact, or change the one with this URI', addOne)
    .option('--q <number>', '0 to 1: contacts with more are tried first')
    .option('--path <hop>', 'a proxy that requests go by, topmost first; may be repeated', collect)
    .addHelpText('after', BINDING_EXAMPLES);
  binding('rm <address> [uri]', 'remove a contact, or all static ones of the address', removeOne);
  binding('ls', 'list the static contacts', listBindings).option('--json', 'one JSON object a line');
  const alias = group(root, 'alias', 'addresses that stand for others', ALIAS_EXAMPLES);
  alias('add <alias> <address>', 'let an address stand for another', (name: string, aor: string, options: Options) => {
    changeStatic(directory(options), addAlias(name, aor));
    process.stdout.write(`${name} stands for ${aor}\n`);
  }).addHelpText('after', ALIAS_EXAMPLES);
  alias('rm <alias>', 'remove an alias', (name: string, options: Options) => {
    changeStatic(directory(options), removeAlias(name));
    process.stdout.write(`removed ${name}\n`);
  });
  alias('ls', 'list the aliases', listAliases).option('--json', 'one JSON object a line');
}

type Verb = (usage: string, description: string, action: (...args: never[]) => void) => Command;

function group(root: Command, name: string, description: string, examples: string): Verb {
  const parent = root.command(name).copyInheritedSettings(root).description(description).addHelpText('after', examples);
  return (usage, about, action) => {
    const command = parent.command(usage).copyInheritedSettings(root).description(about);
    command.option('--data <dir>', 'data directory', DEFAULT_CONFIG.data).allowExcessArguments(false);
    return command.action((...args: unknown[]) => report(action as (...args: unknown[]) => void, args));
  };
}

function report(action: (...args: unknown[]) => void, args: unknown[]): void {
  try {
    action(...args);
  } catch (error) {
    process.stderr.write(`aorta: ${(error as Error).message}\n`);
    process.exitCode = error instanceof StaticError ? EXIT_USAGE : EXIT_FAILED;
  }
}

function directory({ data }: Options): string {
  if (!existsSync(data)) throw new StaticError(`there is no data directory ${data}: name it with --data`);
  return data;
}

function addOne(aor: string, uri: string, options: Options): void {
  const { q, path } = options;
  const contact: StaticContact = { uri, ...(q !== undefined && { q: Number(q) }), ...(path && { path }) };
  changeStatic(directory(options), addBinding(aor, contact));
  process.stdout.write(`${aor} is at ${uri}\n`);
}

function removeOne(aor: string, uri: string | undefined, options: Options): void {
  changeStatic(directory(options), removeBinding(aor, uri));
  process.stdout.write(`removed ${uri ?? 'the static bindings'} of ${aor}\n`);
}

function listBindings(options: Options): void {
  for (const [aor, contacts] of Object.entries(readStatic(directory(options)).bindings)) {
    for (const { uri, q, path = [] } of contacts) {
      const text = [aor, uri, ...(q === undefined ? [] : [`q=${q}`]), ...path].join('  ');
      process.stdout.write(`${options.json ? JSON.stringify({ aor, uri, q, path }) : text}\n`);
    }
  }
}

function listAliases(options: Options): void {
  for (const [alias, aor] of Object.entries(readStatic(directory(options)).aliases))
    process.stdout.write(`${options.json ? JSON.stringify({ alias, aor }) : `${alias}  ${aor}`}\n`);
}
