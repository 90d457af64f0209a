// Users from a SQL database: one query per user, by name and realm -> HA1s or a password.

import type { SqlSourceOptions } from '../provider-options.ts';
import type { UserSource } from '../user-provider.ts';
import { mysql } from './mysql.ts';
import { postgresql } from './postgresql.ts';
import { parseSqlAddress } from './sql-address.ts';
import { UnfitNameError } from './sql-connection.ts';
import { SqlConnections } from './sql-connections.ts';
import { parseSqlQuery, queryValues } from './sql-query.ts';
import { readSubscriber } from './subscriber-row.ts';

/** Loads the driver of the database; connects with the first question. @param timeoutMs to open a connection */
export async function sqlSource(options: SqlSourceOptions, timeoutMs: number): Promise<UserSource> {
  const query = parseSqlQuery(options.query);
  const { dialect } = parseSqlAddress(options.url);
  const connections = new SqlConnections(await (dialect === 'mysql' ? mysql : postgresql)(options, timeoutMs));
  return {
    name: 'the database of users',
    async find(user, signal) {
      try {
        return readSubscriber(await connections.run(queryValues(query, user), signal), user);
      } catch (error) {
        if (error instanceof UnfitNameError) return null;
        throw error;
      }
    },
    close: async () => connections.close(),
  };
}
