// The embedding API: the only module of the package that programs import. Re-exports only; each is documented where it is made.

export type { Binding, Push, Transport } from './location/binding-view.ts';
export { ConfigError } from './server/config-problem.ts';
export { DataDirectoryError, type DataDirectoryProblem } from './server/directory-error.ts';
export { createRegistrar, type Registrar } from './server/embedded.ts';
export type { Lookup, LookupPreferences } from './server/location-lookup.ts';
export type { Log, LogLevel } from './server/log.ts';
export type { MessageSource, MessageTarget, SendAnswer, StreamSource } from './server/message-source.ts';
export type { FileOptions, RegistrarOptions } from './server/program-options.ts';
export { addAlias, addBinding, removeAlias, removeBinding, type StaticChange, StaticError } from './server/statics.ts';
export type { BindingEvent, BindingEventType, BindingListener, LostEvents } from './shard/binding-events.ts';
export { COUNTER, COUNTER_NAMES, type CounterName, type RefusalCounterName } from './shard/counters.ts';
export type { StaticContact, StaticContent } from './shard/static-file.ts';
export type { ListenAddress, ListenTransport } from './transport/listen-address.ts';
export type { Handshake, HandshakeHook } from './transport/websocket-handshake.ts';
