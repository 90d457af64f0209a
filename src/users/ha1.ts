// HA1s of a user, which are stored in place of its password (RFC 7616 §3.4.2, §3.4.4). The password itself is never stored.

import { hash } from 'node:crypto';
import { HA1_FULL, HA1_LENGTHS } from './user-record.ts';

/** Hashes in the order of ALG_*. */
const HASHES = ['md5', 'sha256', 'sha512-256'] as const;

/** HA1s by kind (users/user-record): MD5, SHA-256, SHA-512-256 of the name, then those of "name@realm" as a username. */
export type Ha1Set = readonly (Buffer | undefined)[];

export function ha1sOf(name: string, realm: string, password: string): Ha1Set {
  const plain = `${name}:${realm}:${password}`;
  const full = `${name}@${realm}:${realm}:${password}`;
  return [
    ...HASHES.map((algorithm) => digest(algorithm, plain)),
    ...HASHES.map((algorithm) => digest(algorithm, full)),
  ];
}

/** H(name ":" realm) for a base algorithm (RFC 7616 §3.4.4). */
export function userhashOf(name: string, realm: string, algorithm: number): Buffer {
  return digest(HASHES[algorithm], `${name}:${realm}`);
}

/** HA1 from hex digits of a person or another program; undefined: it is none of that kind. */
export function parseHa1(hex: string, kind: number): Buffer | undefined {
  const bytes = Buffer.from(hex, 'hex');
  return hex.length === 2 * bytes.length && bytes.length === HA1_LENGTHS[kind % HA1_FULL] ? bytes : undefined;
}

function digest(algorithm: (typeof HASHES)[number], text: string): Buffer {
  return hash(algorithm, text, 'buffer');
}

/** Columns of HA1s by kind (users/user-record); exports use the first name. */
export const HA1_COLUMNS: readonly (readonly string[])[] = [
  ['ha1'],
  ['ha1_sha256'],
  ['ha1_sha512_256', 'ha1_sha512t256'],
  ['ha1b'],
  ['ha1b_sha256'],
  ['ha1b_sha512_256'],
];

/** An HA1 in a row of a table of users. */
export interface GivenHa1 {
  readonly kind: number;
  /** Name of its column. */
  readonly column: string;
  readonly hex: string;
}

/** @param textOf a column; undefined where the row has none */
export function givenHa1s(textOf: (column: string) => string | undefined): GivenHa1[] {
  return HA1_COLUMNS.flatMap((aliases, kind) => {
    const column = aliases.find((alias) => textOf(alias) !== undefined);
    if (column === undefined) return [];
    const hex = textOf(column)?.trimEnd() ?? '';
    // Kamailio with SHA-256 stores its HA1s in the columns of MD5.
    const isWide = kind % HA1_FULL === 0 && parseHa1(hex, kind + 1) !== undefined;
    return [{ kind: isWide ? kind + 1 : kind, column, hex }];
  });
}

/** Whether one of the HA1s is made of the password: beside HA1s, the column of the password may have any content. */
export function areOf(given: readonly GivenHa1[], made: Ha1Set): boolean {
  return given.some(({ kind, hex }) => made[kind]?.toString('hex') === hex.toLowerCase());
}
