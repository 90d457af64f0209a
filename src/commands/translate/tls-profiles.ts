// Kamailio's tls.cfg: a part per profile, `[server:default]` or `[server:ADDRESS:PORT]`, with the certificate of a domain where the part
// has a `server_name`.

import type { ForeignSetting } from './foreign-config.ts';

/** Parameters of the default server as settings of the module tls; certificates of domains as `tls.domains.NAME`. */
export function readTlsProfiles(file: string, text: string): ForeignSetting[] {
  const parts: { title: string; settings: ForeignSetting[] }[] = [];
  for (const [n, line] of text.split(/\r?\n/).entries()) {
    const bare = line.replace(/\s*#.*$/, '').trim();
    const title = /^\[(.+)\]$/.exec(bare)?.[1];
    if (title !== undefined) parts.push({ title, settings: [] });
    const [, name, value] = /^(\w+)\s*=\s*"?(.*?)"?$/.exec(bare) ?? [];
    if (name !== undefined) parts.at(-1)?.settings.push({ line: n + 1, file, name, value });
  }
  return parts
    .filter(({ title }) => title.startsWith('server:'))
    .flatMap(({ title, settings }) => {
      const domain = settings.find(({ name }) => name === 'server_name')?.value;
      if (title !== 'server:default' && domain === undefined) return [];
      return settings
        .filter(({ name }) => name !== 'server_name' && (domain === undefined || FILES.has(name)))
        .map((one) => ({
          ...one,
          name: `tls.${NAMES.get(one.name) ?? one.name}`,
          ...(domain !== undefined && { domain }),
        }));
    });
}

/** Names in the file that differ from `modparam`. */
const NAMES = new Map([['method', 'tls_method']]);
const FILES = new Set(['certificate', 'private_key']);
