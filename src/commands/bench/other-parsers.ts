// JavaScript parsers of SIP that are installed where a benchmark runs, each behind one function. None of them is a
// dependency; missing ones are left out.

import { createRequire } from 'node:module';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';

export interface OtherParser {
  readonly name: string;
  readonly version: string;
  /** Parses one message in the form of a socket's bytes; throws or returns a falsy value where it cannot. */
  readonly parse: (message: Buffer) => unknown;
}

type Load = (from: (file: string) => Promise<Record<string, unknown>>) => Promise<(message: Buffer) => unknown>;
type Parse = (text: string, more?: unknown) => unknown;

const silent = { warn: () => {}, error: () => {}, log: () => {}, debug: () => {} };

/** By package: the way to find and call its parser. */
const LOADERS: Readonly<Record<string, Load>> = {
  'sip.js': async (from) => {
    const { Parser } = (await from('lib/core/messages/parser.js')) as { Parser: { parseMessage: Parse } };
    return (message) => Parser.parseMessage(message.toString(), silent);
  },
  jssip: async (from) => {
    const parser = (await from('lib/Parser.js')) as { parseMessage: Parse };
    return (message) => parser.parseMessage(message.toString(), {});
  },
  sip: async (from) => {
    const sip = (await from('sip.js')) as { parse: Parse };
    return (message) => sip.parse(message.toString());
  },
  'drachtio-srf': async (from) => {
    const module = await from('lib/sip-parser/message.js');
    const Message = (module.default ?? module) as new (text: string) => object;
    return (message) => new Message(message.toString());
  },
};

/** @param directory whose node_modules, and those above, are searched */
export async function installedParsers(directory: string): Promise<OtherParser[]> {
  const require = createRequire(join(directory, 'package.json'));
  const found: OtherParser[] = [];
  for (const [name, load] of Object.entries(LOADERS)) {
    try {
      const { version } = require(`${name}/package.json`) as { version: string };
      const from = async (file: string) => {
        const module = await import(pathToFileURL(require.resolve(`${name}/${file}`)).href);
        return { ...module.default, ...module };
      };
      found.push({ name, version, parse: await load(from) });
    } catch {
      // Not installed, or its files differ in another version: then there is no comparison.
    }
  }
  return found;
}
