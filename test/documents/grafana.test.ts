// docs/grafana against the real output: every metric that the dashboard and the alerts name is in a scrape, each alert has its
// section in the runbook, and Prometheus' promtool finds nothing wrong with the scrape and the rules.

import { execFileSync, spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { DEFAULT_CONFIG } from '../../src/server/config/config.ts';
import { type MetricsSource, metricsText } from '../../src/server/metrics/metrics.ts';
import { ProcessMeters } from '../../src/server/metrics/process-meters.ts';
import { type AdminFixture, startAdmin } from '../support/admin-server.ts';
import { removeDirectories } from '../support/aorta-process.ts';
import { selfSigned } from '../support/certificate.ts';
import { poll, which } from '../support/child-process.ts';
import { programOfPackage } from '../support/debian-package.ts';

const GRAFANA = join(import.meta.dirname, '../../docs/grafana');
interface Panel {
  readonly id: number;
  readonly type: string;
  readonly title: string;
  readonly gridPos: { readonly x: number; readonly y: number; readonly w: number; readonly h: number };
  readonly targets?: readonly { readonly refId: string; readonly expr: string }[];
}
const panelsOf = (file: string) =>
  (JSON.parse(readFileSync(join(GRAFANA, file), 'utf8')) as { panels: Panel[] }).panels;
const rulesOf = (file: string) =>
  (
    parse(readFileSync(join(GRAFANA, file), 'utf8')) as {
      groups: { rules: { alert: string; expr: string; annotations: { runbook_url: string } }[] }[];
    }
  ).groups.flatMap(({ rules }) => rules);
/** Installed, or of Debian's package; undefined where neither can be had. */
const promtool = findPromtool();

function findPromtool(): string | undefined {
  const installed = which('promtool');
  if (installed !== undefined) return installed;
  const found = programOfPackage('prometheus', 'usr/bin/promtool');
  if ('file' in found && spawnSync(found.file, ['--version']).status === 0) return found.file;
  const reason = 'missing' in found ? found.missing : 'promtool does not run here';
  if (process.env.CI === 'true') throw new Error(`CI needs every peer; missing: ${reason}`);
  console.warn(`skipped: ${reason}`);
  return undefined;
}

const counts = { found: 0, none: 0, failed: 1 };
/** What a server counts that asks others for users and tokens, and sends changes and pushes. */
const OPTIONAL: MetricsSource = {
  ...{
    version: '0.0.0',
    ready: true,
    draining: false,
    restarts: 0,
    users: 0,
    readings: [],
    limits: [],
    storeBytes: [],
  },
  ...{ droppedConnections: 0, historyLostBytes: 0, lookups: { found: 0, nobody: 0, refused: 0 } },
  provider: { counts, isUp: false },
  issuer: { counts, isUp: false },
  deliveries: [
    { to: 'https://example.com/', delivered: 0, failures: 9, gaps: 0, open: true, lagS: 60, sequence: 1, retries: 9 },
  ],
  pushes: {
    services: [{ service: 'fcm', counts: { sent: 0, gone: 0, refused: 0, failed: 9, 'put off': 0 }, isOpen: true }],
    wakeups: { waited: 0, woken: 0, timedOut: 0 },
    waiting: 0,
  },
};

/** A scrape with the families of another that it lacks. */
function withFamilies(text: string, other: string): string {
  const missing = other.split(/(?=^# HELP )/m).filter((family) => !text.includes(family.split('\n')[0]));
  return text + missing.join('');
}

let admin: AdminFixture;
let scrape: string;
let tls: ReturnType<typeof selfSigned>;

beforeAll(async () => {
  const policy = {
    ...DEFAULT_CONFIG.policy,
    domains: ['example.com'],
    byDomain: { 'example.com': { bindingsMax: 5 } },
  };
  tls = selfSigned();
  admin = await startAdmin({ policy, tls });
  const phone = await admin.client();
  await phone.request(phone.register({ aor: 'alice@example.com', contacts: ['<sip:alice@127.0.0.1>'] }));
  const optional = metricsText(OPTIONAL, new ProcessMeters());
  scrape = await poll('a scrape behind the first census', 10_000, async () => {
    const text = await (await fetch(`${admin.url}/metrics`)).text();
    return text.includes('aorta_contacts_by_domain{') ? withFamilies(text, optional) : undefined;
  });
});
afterAll(async () => {
  await admin.stop();
  removeDirectories();
});

describe('docs/grafana', () => {
  const expressions = [
    ...panelsOf('dashboard.json').flatMap(({ targets = [] }) => targets.map(({ expr }) => expr)),
    ...rulesOf('alerts.yaml').map(({ expr }) => expr),
  ];

  it('names only metrics and reasons that there are', () => {
    const names = new Set(expressions.flatMap((expr) => expr.match(/\b(aorta|process|nodejs)_\w+/g) ?? []));
    expect(names.size).toBeGreaterThan(10);
    expect([...names].filter((name) => !new RegExp(`^${name}[{ ]`, 'm').test(scrape))).toEqual([]);
    for (const [, reasons] of expressions.join('\n').matchAll(/reason=~?"([^"]+)"/g))
      for (const reason of reasons.split('|')) expect(scrape).toContain(`reason="${reason}"`);
  });

  it('counts contacts by transport and domain', () => {
    expect(scrape).toContain('\naorta_contacts_by_transport{transport="udp"} 1\n');
    expect(scrape).toContain('\naorta_contacts_by_domain{domain="example.com"} 1\n');
  });

  it('tells when certificates end, and that the clock is right', () => {
    const [, left] = /^aorta_certificate_expires_in_seconds\{file="[^"]*cert\.pem"\} (\d+)$/m.exec(scrape) ?? [];
    expect(Number(left) / 86_400).toBeCloseTo(30, 1);
    expect(scrape).toContain('\naorta_clock_jump_seconds 0\n');
  });

  it.each(['dashboard.json', 'cluster-dashboard.json'])('has panels that do not lie upon each other: %s', (file) => {
    const panels = panelsOf(file);
    expect(new Set(panels.map(({ id }) => id)).size).toBe(panels.length);
    const taken = new Map<string, string>();
    for (const { title, type, gridPos, targets = [] } of panels) {
      expect(targets.length > 0, title).toBe(type !== 'row');
      expect(gridPos.x + gridPos.w, title).toBeLessThanOrEqual(24);
      for (let x = gridPos.x; x < gridPos.x + gridPos.w; x++)
        for (let y = gridPos.y; y < gridPos.y + gridPos.h; y++) {
          expect(taken.get(`${x},${y}`), `${title} at ${x},${y}`).toBeUndefined();
          taken.set(`${x},${y}`, title);
        }
    }
  });

  it('has a section of the runbook for each alert, and none for others', () => {
    const runbook = readFileSync(join(GRAFANA, '../runbook.md'), 'utf8');
    const sections = [...runbook.matchAll(/^## (\w+)$/gm)].map(([, name]) => name);
    const alerts = [...rulesOf('alerts.yaml'), ...rulesOf('cluster-alerts.yaml')];
    expect(alerts.map(({ alert }) => alert).sort()).toEqual(sections.sort());
    for (const { alert, expr, annotations } of alerts) {
      expect(annotations.runbook_url).toBe(`https://docs.example.com/aorta/runbook#${alert.toLowerCase()}`);
      expect(runbook, alert).toContain(`## ${alert}\n\n\`${expr}\``);
    }
  });

  it('has commands in each section of the runbook, or the section that has them', () => {
    const sections = readFileSync(join(GRAFANA, '../runbook.md'), 'utf8').split(/^## /m).slice(1);
    const without = sections.filter((text) => !/^```sh\n/m.test(text) && !/^As \[\w+\]\(#\w+\)\.$/m.test(text));
    expect(without.map((text) => text.split('\n')[0])).toEqual([]);
  });

  it.skipIf(promtool === undefined)('passes promtool', () => {
    const program = promtool ?? '';
    for (const file of ['alerts.yaml', 'cluster-alerts.yaml'])
      execFileSync(program, ['check', 'rules', join(GRAFANA, file)], { stdio: 'pipe' });
    const { stderr } = spawnSync(program, ['check', 'metrics'], { input: scrape, encoding: 'utf8' });
    expect(stderr).toBe('');
  });
});
