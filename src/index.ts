// The embedding API: the only module of the package that programs import. Here: re-exports, documented where they are made.

export { type Config, ConfigError, DEFAULT_CONFIG } from './server/config.ts';
