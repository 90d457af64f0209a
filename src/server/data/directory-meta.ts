// The description of a data directory, aorta.json: format, shards, secret, and the folder of the stores. It is read and written here;
// data-directory and binding-folders draw the consequences for the stores.

import { existsSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import * as z from 'zod';
import { nodeFiles } from '../../location/files/file-calls.ts';
import { replaceFile, SmallFile, type SmallFileContent, SmallFileError } from '../../location/files/small-file.ts';
import { RECORD_VERSION } from '../../location/record.ts';
import { FOLDER_NAME, hasStores, TOP } from './binding-folders.ts';
import { DataDirectoryError, unwritable } from './directory-error.ts';

/**
 * Format of the shards' stores. 1: one LMDB record per AOR; 2: a log in files; 3: a log in LMDB; 4: the same, whose frames are sealed by
 * their entries' checksums, with older frames among them. From 5 on it rises with the version of records, which older ones may be among. A
 * directory of format 1 or 2 is moved at the start.
 */
export const DATA_FORMAT = RECORD_VERSION + 2;
/** From this format on a directory is converted in place: an older version must not open it any more, as it would find no new frame. */
export const OLDEST_IN_PLACE = 3;

export const META_FILE = 'aorta.json';
/** File in a directory that a restore is still filling. */
const RESTORING = 'restore-unfinished';

const Folder = z.string().regex(FOLDER_NAME);
const Meta = z.strictObject({
  format: z.number().int().positive(),
  shards: z.number().int().positive(),
  secret: z.base64().refine((text) => Buffer.from(text, 'base64').length === 32, 'must be 32 bytes'),
  created: z.string(),
  /** Folder of the shards' stores, where it is not the directory itself. */
  bindings: Folder.optional(),
  /** Folder of the stores before the last move: leftovers there are removed. */
  left: Folder.or(z.literal(TOP)).optional(),
});
export type Meta = z.infer<typeof Meta>;

/** A newer version's description, which the copy must not replace. */
interface Newer {
  readonly newer: number;
}

export function metaFile(directory: string): SmallFile<Meta | Newer> {
  return new SmallFile(join(directory, META_FILE), { check });
}

/** From here on until `finishRestore` no process opens the directory, even if the restore is killed: half of the bindings look like all. */
export function beginRestore(directory: string): void {
  replaceFile(join(directory, RESTORING), '');
}

/** The directory is complete and on disk. */
export function finishRestore(directory: string): void {
  rmSync(join(directory, RESTORING));
  nodeFiles.syncDirectory(directory);
}

/** The description; undefined: this is no data directory yet. Throws a DataDirectoryError. */
export function readMeta(directory: string): SmallFileContent<Meta> | undefined {
  if (existsSync(join(directory, RESTORING)))
    throw new DataDirectoryError(
      'damaged',
      `a restore into ${directory} is under way or was broken off: nothing was changed; once none is, remove ` +
        `${directory} and restore again`,
    );
  const found = readFound(directory);
  if (found === undefined) {
    if (!existsSync(directory) || !hasStores(directory)) return undefined;
    throw damaged(directory, `${join(directory, META_FILE)}: it is missing, but there are bindings`);
  }
  const { content } = found;
  if (!('newer' in content)) return { ...found, content };
  throw new DataDirectoryError(
    'newer',
    `the data directory ${directory} was written by a newer version (format ${content.newer}, ` +
      `this one knows up to ${DATA_FORMAT}): run that version, or start with another --data`,
  );
}

/** Writes and syncs the description. Throws a DataDirectoryError. */
export function writeMeta(directory: string, meta: Meta): void {
  try {
    metaFile(directory).write(meta);
    nodeFiles.syncDirectory(dirname(directory));
  } catch (error) {
    throw unwritable(directory, error);
  }
}

function readFound(directory: string): SmallFileContent<Meta | Newer> | undefined {
  try {
    return metaFile(directory).read();
  } catch (error) {
    if (error instanceof SmallFileError) throw damaged(directory, error.message);
    throw error;
  }
}

function check(content: unknown): Meta | Newer {
  const format = z.object({ format: z.number() }).safeParse(content);
  if (format.success && format.data.format > DATA_FORMAT) return { newer: format.data.format };
  const meta = Meta.safeParse(content);
  if (meta.success) return meta.data;
  throw new Error(z.prettifyError(meta.error).replaceAll('\n', ' '));
}

function damaged(directory: string, reason: string): DataDirectoryError {
  return new DataDirectoryError(
    'damaged',
    `cannot read what ${directory} says of itself (${reason}): nothing was changed; restore ${META_FILE} from a ` +
      `backup, or move ${directory} away to start with an empty one; phones then register anew`,
  );
}
