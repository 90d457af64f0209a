// A number that differs where two nodes would decide differently about the same request.

import { createHash } from 'node:crypto';
import type { Config } from '../config/config.ts';

/** 32 bits of the settings that decide; names and addresses of the node itself are excluded. */
export function policyDigest({ policy, auth, abuse }: Config): number {
  const { serverNames: _, ...rules } = policy;
  const said = JSON.stringify([rules, auth.mode, auth.policy, auth.nonceGeneration, abuse], sorted);
  return createHash('sha256').update(said).digest().readUInt32BE(0);
}

function sorted(_: string, value: unknown): unknown {
  if (value instanceof Map || value instanceof Set) return [...value].sort();
  if (typeof value !== 'object' || value === null || Array.isArray(value) || ArrayBuffer.isView(value)) return value;
  return Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)));
}
