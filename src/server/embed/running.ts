// A registrar that runs inside a program, with threads or without.

import type { BindingListener } from '../../shard/observe/binding-events.ts';
import type { Server } from '../server-api.ts';

export type Subscribe = (listener: BindingListener) => () => void;

export type Running = Pick<
  Server,
  | 'listen'
  | 'lookup'
  | 'wake'
  | 'subscribe'
  | 'changes'
  | 'handle'
  | 'openFlow'
  | 'endFlow'
  | 'counters'
  | 'stop'
  | 'changeStatic'
  | 'bindingAccess'
  | 'userAccess'
>;
