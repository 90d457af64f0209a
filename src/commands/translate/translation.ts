// `aorta translate`: a configuration of Kamailio or OpenSIPS as one of Aorta, with the reason for all that has no place in it.

import { readFileSync } from 'node:fs';
import { print } from '../../server/process/terminal.ts';
import { CommandError } from '../terminal/command-action.ts';
import { type ForeignConfig, type ForeignSetting, readForeignConfig } from './foreign-config.ts';
import { FOREIGN_PARAMETERS } from './foreign-parameters.ts';
import type { ForeignParameter } from './parameter.ts';

const BY_NAME = new Map<string, ForeignParameter>(
  FOREIGN_PARAMETERS.flatMap((parameter) => parameter.names.map((name) => [name, parameter] as const)),
);
/** Modules whose parameters are named where they are not known; those of all others are a proxy's. */
const MODULES = new Set([...BY_NAME.keys()].filter((name) => name.includes('.')).map((name) => name.split('.')[0]));

export async function translate(name: string): Promise<void> {
  const { stringify } = await import('yaml');
  print(translation(name, readForeignConfig(read(name)), stringify));
}

function read(name: string): string {
  try {
    return readFileSync(name, 'utf8');
  } catch (error) {
    throw new CommandError((error as Error).message, 1);
  }
}

/** The file for Aorta. @param stringify of the package yaml */
export function translation(name: string, config: ForeignConfig, stringify: (values: object) => string): string {
  const values: Tree = {};
  const notes: string[] = [];
  const others = new Map<string, number>();
  for (const setting of config.settings) {
    const parameter = BY_NAME.get(setting.name);
    if (parameter !== undefined) notes.push(taken(setting, parameter, values));
    else if (MODULES.has(moduleOf(setting.name)))
      notes.push(`line ${setting.line}: ${setting.name}: not known here; nothing is set`);
    else if (setting.name.includes('.'))
      others.set(moduleOf(setting.name), (others.get(moduleOf(setting.name)) ?? 0) + 1);
  }
  notes.push(...config.includes.map(({ line, file }) => `line ${line}: ${file} is not read: translate it by itself`));
  const proxys = [...others].map(([module, count]) => `${module} (${count})`).join(', ');
  return [
    `# ${name} for Aorta. "aorta check FILE" reads it; docs/migration.md has the whole table.`,
    Object.keys(values).length > 0 ? stringify(values).trimEnd() : '# Nothing has to be set.',
    '',
    '# What became of each parameter:',
    ...notes.map((note) => `#   ${note}`),
    ...(proxys === '' ? [] : [`# Parameters of modules that a proxy keeps: ${proxys}`]),
    '',
  ].join('\n');
}

interface Tree {
  [key: string]: unknown;
}

/** Sets what the parameter stands for; returns what is to be said of it. */
function taken({ line, name, value }: ForeignSetting, { key, set, says }: ForeignParameter, values: Tree): string {
  const settings = set?.(value);
  for (const [path, what] of Object.entries(settings ?? {})) put(values, path.split('.'), what);
  const keys = Object.keys(settings ?? {});
  if (keys.length > 0) return `line ${line}: ${name} → ${keys.join(', ')}: ${says}`;
  // The value may be a secret, so it is not repeated.
  if (set !== undefined) return `line ${line}: ${name}: the value says nothing here; see ${key}. ${says}`;
  return `line ${line}: ${name}${key === undefined ? '' : ` (${key})`}: ${says}`;
}

/** Lists grow; all else is as the last one says. */
function put(values: Tree, [key = '', ...rest]: readonly string[], what: unknown): void {
  if (rest.length > 0) put((values[key] ??= {}) as Tree, rest, what);
  else if (Array.isArray(what) && Array.isArray(values[key]) && key !== 'algorithms')
    values[key] = [...new Set([...(values[key] as unknown[]), ...what])];
  else values[key] = what;
}

function moduleOf(name: string): string {
  return name.split('.')[0];
}
