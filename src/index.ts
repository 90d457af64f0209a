// The embedding API: the only module of the package that programs import. It only re-exports; each export is documented at its
// definition.

export type { Binding, Push, Transport } from './core/binding/binding-view.ts';
export { ConfigError } from './server/config/config-problem.ts';
export { DataDirectoryError, type DataDirectoryProblem } from './server/data/directory-error.ts';
export {
  addAlias,
  addBinding,
  removeAlias,
  removeBinding,
  type StaticChange,
  StaticError,
} from './server/data/statics.ts';
export { createRegistrar, type Registrar } from './server/embed/embedded.ts';
export type { MessageSource, MessageTarget, SendAnswer, StreamSource } from './server/embed/message-source.ts';
export type { AorBindings, BindingFilter, NewBinding, ProgramBindings } from './server/embed/program-bindings.ts';
export type { CredentialsOption, FileOptions, RegistrarOptions } from './server/embed/program-options.ts';
export type { NewUser, ProgramUsers, ShownUser } from './server/embed/program-users.ts';
export type { ChangesOptions } from './server/feed/feed.ts';
export type { FeedChange, FeedEntry, FeedGap } from './server/feed/feed-reader.ts';
export type { Lookup, LookupPreferences } from './server/lookups/location-lookup.ts';
export type { Log, LogLevel } from './server/process/log.ts';
export type { UserCredentials } from './server/users/found-user.ts';
export type { FindCredentials } from './server/users/program-source.ts';
export type { ProviderLimits } from './server/users/provider-options.ts';
export type { BindingEvent, BindingEventType, BindingListener, LostEvents } from './shard/observe/binding-events.ts';
export { COUNTER, COUNTER_NAMES, type CounterName, type RefusalCounterName } from './shard/observe/counters.ts';
export type { StaticContact, StaticContent } from './shard/statics/static-file.ts';
export type { ListenAddress, ListenTransport } from './transport/listener.ts';
export type { Handshake, HandshakeHook } from './transport/websocket/websocket-handshake.ts';
