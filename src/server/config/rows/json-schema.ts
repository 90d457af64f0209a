// The JSON Schema of the configuration file, for editors, made from its rows.

import { DEFAULT_CONFIG } from '../config.ts';
import { CONFIG_ROWS } from './all-rows.ts';
import { baseOf, defaultOf, plain } from './describe.ts';
import type { JsonSchema } from './kinds.ts';
import type { Node, Rows, Section } from './row.ts';

export function jsonSchema(): JsonSchema {
  return {
    $schema: 'https://json-schema.org/draft/2020-12/schema',
    title: 'Configuration of Aorta',
    ...ofSection(CONFIG_ROWS, DEFAULT_CONFIG),
  };
}

function ofSection(section: Section<Rows, unknown>, base: object): JsonSchema {
  const { keys, says, short } = section;
  const own = baseOf(section, base);
  const nodes = Object.entries(keys);
  const required = nodes.filter(([, node]) => node.is === 'row' && node.required).map(([key]) => key);
  const object = {
    type: 'object',
    additionalProperties: false,
    properties: Object.fromEntries(nodes.map(([key, node]) => [key, ofNode(node, own)])),
    ...(required.length > 0 && { required }),
  };
  const shortNode = short === undefined ? undefined : keys[short];
  if (shortNode?.is !== 'row') return { description: plain(says), ...object };
  return { description: plain(says), anyOf: [shortNode.kind.json, object] };
}

function ofNode(node: Node, base: object): JsonSchema {
  if (node.is === 'section') return ofSection(node, base);
  if (node.is === 'named') {
    const entries = { type: 'object', additionalProperties: ofSection(node.entry, {}) };
    if (node.list === undefined) return { description: plain(node.entry.says), ...entries };
    return { description: plain(node.list.says), anyOf: [node.list.kind.json, entries] };
  }
  const byDefault = node.otherwise === undefined ? defaultOf(node, base) : undefined;
  return {
    description: plain(node.says),
    ...node.kind.json,
    ...(byDefault !== undefined && { default: byDefault }),
  };
}
