// docs/grafana against the real output: every metric that the dashboard and the alerts name is in a scrape, and where
// Prometheus' promtool is installed it finds nothing wrong with the scrape and the rules.

import { execFileSync, spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { DEFAULT_CONFIG } from '../../src/server/config/config.ts';
import { type AdminFixture, startAdmin } from '../support/admin-server.ts';
import { removeDirectories } from '../support/aorta-process.ts';

const GRAFANA = join(import.meta.dirname, '../../docs/grafana');
const dashboard = JSON.parse(readFileSync(join(GRAFANA, 'dashboard.json'), 'utf8')) as {
  panels: { title: string; targets: { expr: string }[] }[];
};
const alerts = parse(readFileSync(join(GRAFANA, 'alerts.yaml'), 'utf8')) as {
  groups: { rules: { alert: string; expr: string }[] }[];
};
const hasPromtool = spawnSync('promtool', ['--version']).error === undefined;
if (!hasPromtool) console.warn('promtool is not installed (Debian: prometheus): its checks are skipped');

let admin: AdminFixture;
let scrape: string;

beforeAll(async () => {
  const policy = { ...DEFAULT_CONFIG.policy, byDomain: { 'example.com': { bindingsMax: 5 } } };
  admin = await startAdmin({ policy });
  const phone = await admin.client();
  await phone.request(phone.register({ aor: 'alice@example.com', contacts: ['<sip:alice@127.0.0.1>'] }));
  scrape = await (await fetch(`${admin.url}/metrics`)).text();
});
afterAll(async () => {
  await admin.stop();
  removeDirectories();
});

describe('docs/grafana', () => {
  const expressions = [
    ...dashboard.panels.flatMap(({ targets }) => targets.map(({ expr }) => expr)),
    ...alerts.groups.flatMap(({ rules }) => rules.map(({ expr }) => expr)),
  ];

  it('names only metrics and reasons that there are', () => {
    const names = new Set(expressions.flatMap((expr) => expr.match(/\b(aorta|process|nodejs)_\w+/g) ?? []));
    expect(names.size).toBeGreaterThan(10);
    expect([...names].filter((name) => !new RegExp(`^${name}[{ ]`, 'm').test(scrape))).toEqual([]);
    for (const [, reasons] of expressions.join('\n').matchAll(/reason=~?"([^"]+)"/g))
      for (const reason of reasons.split('|')) expect(scrape).toContain(`reason="${reason}"`);
  });

  it.skipIf(!hasPromtool)('passes promtool', () => {
    execFileSync('promtool', ['check', 'rules', join(GRAFANA, 'alerts.yaml')], { stdio: 'pipe' });
    const { stderr } = spawnSync('promtool', ['check', 'metrics'], { input: scrape, encoding: 'utf8' });
    expect(stderr).toBe('');
  });
});
