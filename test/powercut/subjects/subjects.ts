// All that power cuts are tried on. A new one: a Subject in a file of its own beside this one, and its line here.

import type { Subject } from '../subject.ts';
import { FEED } from './feed.ts';
import { CHECKPOINTED_LOG, DURABLE_LOG, EXPIRING_LOG, FOLLOWED_LOG, GENERATIONS, PROCESS_LOG } from './log.ts';
import { SHARED_LOCATION } from './shared-location.ts';
import { DATA_DIRECTORY, FLOW_NUMBERS, STATICS } from './small-files.ts';
import { SUBSCRIPTIONS } from './subscriptions.ts';
import { USERS } from './users.ts';

export const SUBJECTS: readonly Subject[] = [
  DURABLE_LOG,
  GENERATIONS,
  PROCESS_LOG,
  FOLLOWED_LOG,
  CHECKPOINTED_LOG,
  EXPIRING_LOG,
  USERS,
  STATICS,
  FLOW_NUMBERS,
  DATA_DIRECTORY,
  SHARED_LOCATION,
  SUBSCRIPTIONS,
  FEED,
];
