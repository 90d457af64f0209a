// Roles of a node in a shard; numbers, since shared memory and beats contain them.

/** The stream no longer has the messages after its log: it needs another node's files. */
export const ROLE_COPYING = 1;
export const ROLE_FOLLOWING = 2;
/** It is about to take over. */
export const ROLE_CLAIMING = 3;
export const ROLE_OWNING = 4;
/** The owner, which waits for its stream. */
export const ROLE_STALLED = 5;
/** The owner, which hands over. */
export const ROLE_LEAVING = 6;
/** It no longer follows: the stream has a frame that it must not apply, or its log did not accept one. */
export const ROLE_BROKEN = 7;
export type Role = 1 | 2 | 3 | 4 | 5 | 6 | 7;

export const ROLE_NAMES = ['', 'copying', 'following', 'claiming', 'owning', 'stalled', 'leaving', 'broken'] as const;

/** Whether a node of this role is the shard's owner. */
export function isOwner(role: number): boolean {
  return role === ROLE_OWNING || role === ROLE_STALLED || role === ROLE_LEAVING;
}
