// The Helm chart: what its templates give for its values is what Kubernetes and Aorta take. Helm itself lints it where it is installed.

import { spawnSync } from 'node:child_process';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { parse, parseAllDocuments, stringify } from 'yaml';
import { readConfigFile } from '../../src/server/config/config-file.ts';
import { createConfig } from '../../src/server/config/create-config.ts';
import { formatListenAddress } from '../../src/server/config/listener-text.ts';
import { removeDirectories, temporaryDirectory } from '../support/aorta-process.ts';

const CHART = join(import.meta.dirname, '../../docs/deploy/helm');
const chart = parse(readFileSync(join(CHART, 'Chart.yaml'), 'utf8')) as Record<string, string>;
const values = parse(readFileSync(join(CHART, 'values.yaml'), 'utf8')) as Values;

type Values = Record<string, unknown>;
// biome-ignore lint/suspicious/noExplicitAny: documents of Kubernetes, of any shape
type Resource = any;

afterAll(removeDirectories);

/** The few things of Go's templates that the chart does. Anything else is an error. */
class Template {
  private readonly scope: Values;
  private readonly parts = new Map<string, string>();

  constructor(over: Values) {
    this.scope = { Values: { ...values, ...over }, Release: { Name: 'one' }, Chart: { AppVersion: chart.appVersion } };
    const helpers = readFileSync(join(CHART, 'templates/_helpers.tpl'), 'utf8');
    for (const [, name, body] of helpers.matchAll(/\{\{- define "([^"]+)" -\}\}\s*([\s\S]*?)\s*\{\{- end \}\}/g))
      this.parts.set(name, body);
  }

  resources(): Resource[] {
    return readdirSync(join(CHART, 'templates'))
      .filter((name) => name.endsWith('.yaml'))
      .flatMap((name) => parseAllDocuments(this.rendered(readFileSync(join(CHART, 'templates', name), 'utf8'))))
      .map((one) => {
        expect(one.errors).toEqual([]);
        return one.toJS();
      })
      .filter((one) => one !== null);
  }

  private rendered(text: string): string {
    const live: boolean[] = [];
    let out = '';
    let at = 0;
    for (const match of text.matchAll(/(\s*)\{\{(-)? (.*?) (-)?\}\}/g)) {
      const [whole, space, trims, code] = match;
      if (live.every((one) => one)) out += text.slice(at, match.index) + (trims ? '' : space);
      at = match.index + whole.length;
      const [word, ...rest] = code.split(' ');
      if (word === 'if') live.push(truthy(this.value(rest[0])));
      else if (word === 'else') live.push(!live.pop());
      else if (word === 'end') live.pop();
      else if (live.every((one) => one)) out += this.piped(code);
    }
    return out + text.slice(at);
  }

  private piped(code: string): string {
    const [first, ...filters] = code.split(' | ');
    let result = this.called(first);
    for (const filter of filters) {
      const [name, argument] = filter.split(' ');
      if (name === 'nindent') result = `\n${String(result).replace(/^(?=.)/gm, ' '.repeat(Number(argument)))}`;
      else if (name === 'default') result = truthy(result) ? result : this.value(argument);
      else if (name === 'required') {
        if (!truthy(result)) throw new Error(filter);
      } else throw new Error(`a filter that this test does not know: ${filter}`);
    }
    return String(result);
  }

  private called(code: string): unknown {
    const [name, argument] = code.split(' ');
    if (name === 'include') return this.rendered(this.parts.get(JSON.parse(argument)) ?? expect.unreachable(code));
    if (name === 'toJson') return JSON.stringify(this.value(argument));
    if (name === 'toYaml') return stringify(this.value(argument)).trimEnd();
    return this.value(name);
  }

  private value(path: string): unknown {
    const found = path
      .split('.')
      .slice(1)
      .reduce<unknown>((node, key) => Object(node)[key], this.scope);
    if (found === undefined) throw new Error(`no value ${path}`);
    return found;
  }
}

function truthy(value: unknown): boolean {
  return typeof value === 'object' ? Object.keys(Object(value)).length > 0 : Boolean(value);
}

function config(resources: readonly Resource[]) {
  const text: string = resources.find(({ kind }) => kind === 'ConfigMap').data['aorta.yaml'];
  const file = join(temporaryDirectory(), 'aorta.yaml');
  writeFileSync(file, text.replace('node: NODE', 'node: one-0').replace('listen: ADDRESS', 'listen: 10.1.2.3'));
  return createConfig([readConfigFile(file)]);
}

describe('the Helm chart', () => {
  it('refuses a ServiceMonitor without the secret that Prometheus reads the token from', () => {
    const serviceMonitor = { enabled: true, interval: '15s', labels: {} };
    expect(() => new Template({ serviceMonitor }).resources()).toThrow(
      'serviceMonitor.enabled needs admin.tokenSecret',
    );
    const resources = new Template({ serviceMonitor, admin: { port: 8060, tokenSecret: 'aorta-admin' } }).resources();
    const monitor = resources.find(({ kind }) => kind === 'ServiceMonitor');
    expect(monitor.metadata.labels).toEqual({ 'app.kubernetes.io/name': 'aorta', 'app.kubernetes.io/instance': 'one' });
    expect(monitor.spec.endpoints[0].authorization.credentials).toEqual({ name: 'aorta-admin', key: 'token' });
  });

  it('is one registrar by itself, probed by HTTP', () => {
    const resources = new Template({}).resources();
    expect(resources.map(({ kind }) => kind).sort()).toEqual([
      ...['ConfigMap', 'PodDisruptionBudget', 'Service', 'Service', 'StatefulSet'],
    ]);
    const { listen, auth, admin } = config(resources);
    expect([listen.map(formatListenAddress), auth.mode]).toEqual([['udp:0.0.0.0:5060', 'tcp:0.0.0.0:5060'], 'digest']);
    expect(admin).toMatchObject({ listen: { port: 8060 }, requireToken: true });
    const { spec } = resources.find(({ kind }) => kind === 'StatefulSet');
    expect(spec.replicas).toBe(1);
    const [aorta] = spec.template.spec.containers;
    expect(aorta.image).toBe(`aorta:${chart.appVersion}`);
    expect([aorta.startupProbe, aorta.readinessProbe, aorta.livenessProbe].map(({ httpGet }) => httpGet)).toEqual([
      { path: '/readyz', port: 'admin' },
      { path: '/readyz', port: 'admin' },
      { path: '/healthz', port: 'admin' },
    ]);
    expect(aorta.ports.map(({ name }: { name: string }) => name)).toEqual(['sip', 'sip-tcp', 'admin']);
  });

  it('is a cluster where that is asked for, whose metrics Prometheus reads with its token', () => {
    const resources = new Template({
      cluster: { ...(values.cluster as object), enabled: true },
      admin: { port: 8060, tokenSecret: 'aorta-admin' },
      serviceMonitor: { enabled: true, interval: '15s', labels: { release: 'prometheus' } },
    }).resources();
    expect(config(resources).cluster).toMatchObject({ name: 'east', node: 'one-0' });
    const { spec } = resources.find(({ kind }) => kind === 'StatefulSet');
    expect([spec.replicas, spec.podManagementPolicy]).toEqual([3, 'Parallel']);
    const mounts = spec.template.spec.volumes.map(({ name }: { name: string }) => name);
    expect(mounts).toEqual(['config', 'run', 'admin', 'token']);
    const monitor = resources.find(({ kind }) => kind === 'ServiceMonitor');
    const services = resources.filter(({ kind }) => kind === 'Service');
    const chosen = Object.entries(monitor.spec.selector.matchLabels);
    const matching = services.filter(({ metadata }) =>
      chosen.every(([name, value]) => metadata.labels[name] === value),
    );
    expect(matching.map(({ metadata }) => metadata.name)).toEqual(['one-admin']);
    const alerts = readFileSync(join(CHART, '../../grafana/alerts.yaml'), 'utf8');
    expect(alerts).toContain(`up{job="${matching[0].metadata.labels[monitor.spec.jobLabel]}"}`);
    expect(monitor.spec.endpoints[0].authorization.credentials.name).toBe('aorta-admin');
  });

  it('has the version of the package', () => {
    const manifest = JSON.parse(readFileSync(join(CHART, '../../../package.json'), 'utf8')) as { version: string };
    expect([chart.version, chart.appVersion]).toEqual([manifest.version, manifest.version]);
  });

  it('passes helm lint', () => {
    const { error, status, stdout } = spawnSync('helm', ['lint', CHART], { encoding: 'utf8' });
    if (error !== undefined) return console.warn('skipped: helm is not installed');
    expect(status, stdout).toBe(0);
  });
});
