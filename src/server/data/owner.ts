// Ownership of a data directory's files. A command that root runs beside a service must not leave files that the service cannot
// open.

import { accessSync, constants, existsSync, lchownSync, lstatSync, readdirSync, statSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

/** Depth of a data directory's tree: shards' stores are three levels deep. */
const DEPTH_MAX = 4;

/**
 * Gives up root for the owner of the data directory, for the rest of the process. Other users stay who they are. Files that only
 * root can read must be open by now.
 * @throws Error where that user cannot read this program
 */
export function actAsOwner(data: string): void {
  const owner = ownerBesideRoot(data);
  if (owner === undefined) return;
  const { uid, gid } = owner;
  setGroups(uid, gid);
  process.setgid?.(gid);
  process.setuid?.(uid);
  const here = dirname(fileURLToPath(import.meta.url));
  try {
    accessSync(here, constants.R_OK | constants.X_OK);
  } catch {
    throw new Error(
      `${data} belongs to user ${uid}, who cannot read ${here}: install aorta where that user can read it`,
    );
  }
}

/** Sets the groups of the user: a key may be readable by a group. A user unknown to the system's files has one group. */
function setGroups(uid: number, gid: number): void {
  try {
    // Node has it, its types do not.
    (process as { initgroups?: (user: number, group: number) => void }).initgroups?.(uid, gid);
  } catch {
    process.setgroups?.([gid]);
  }
}

/** Gives files that root made in another user's directory to that user. */
export function giveToOwner(directory: string): void {
  const owner = ownerBesideRoot(directory);
  if (owner === undefined) return;
  for (const file of filesBelow(directory)) if (lstatSync(file).uid === 0) lchownSync(file, owner.uid, owner.gid);
}

/** A hint about a directory that root made and that a service may have to open; '' where none is needed. */
export function chownHint(data: string): string {
  if (process.getuid?.() !== 0 || !existsSync(data) || statSync(data).uid !== 0) return '';
  return `${data} belongs to root: before a server of another user starts, chown -R USER ${data}`;
}

/** A file that this process cannot open, with the remedy; undefined: there is none. */
export function foreignFile(directory: string): string | undefined {
  const me = process.getuid?.();
  if (me === undefined || me === 0 || !existsSync(directory)) return undefined;
  for (const file of [directory, ...filesBelow(directory)]) {
    try {
      accessSync(file, constants.R_OK | constants.W_OK);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EACCES') continue;
      const { uid } = lstatSync(file);
      if (uid === me) return `${file} is closed to its own user: chmod -R u+rwX ${directory}`;
      return `${file} belongs to ${uid === 0 ? 'root' : `user ${uid}`}, and this runs as user ${me}: chown -R ${me} ${directory}`;
    }
  }
  return undefined;
}

/** The owner; undefined where this process is not root's, or the directory is root's own or missing. */
function ownerBesideRoot(directory: string): { uid: number; gid: number } | undefined {
  if (process.getuid?.() !== 0 || !existsSync(directory)) return undefined;
  const { uid, gid } = statSync(resolve(directory));
  return uid === 0 ? undefined : { uid, gid };
}

function* filesBelow(directory: string, depth = 0): Generator<string> {
  if (depth === DEPTH_MAX) return;
  let entries: ReturnType<typeof entriesOf>;
  try {
    entries = entriesOf(directory);
  } catch {
    return; // the message about the directory itself covers it
  }
  for (const entry of entries) {
    const path = join(directory, entry.name);
    yield path;
    if (entry.isDirectory()) yield* filesBelow(path, depth + 1);
  }
}

function entriesOf(directory: string) {
  return readdirSync(directory, { withFileTypes: true });
}
