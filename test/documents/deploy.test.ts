// docs/deploy: what it says is what Aorta takes, and what the operator's guide promises of it is there.

import { spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { parse, parseAllDocuments } from 'yaml';
import { readConfigFile } from '../../src/server/config/config-file.ts';
import { createConfig } from '../../src/server/config/create-config.ts';
import { formatListenAddress } from '../../src/server/config/listener-text.ts';
import { removeDirectories, temporaryDirectory } from '../support/aorta-process.ts';

const read = (name: string): string => readFileSync(join(import.meta.dirname, '../../docs/deploy', name), 'utf8');
const BOTH = ['udp:0.0.0.0:5060', 'tcp:0.0.0.0:5060'];

interface Compose {
  readonly services: Record<string, { volumes: string[]; networks: { cluster: { ipv4_address: string } } }>;
  readonly volumes: Record<string, null>;
}

afterAll(removeDirectories);

describe('docs/deploy', () => {
  it('has a unit that starts, reloads and is watched', () => {
    const unit = read('aorta.service');
    for (const line of ['Type=notify', 'WatchdogSec=30', 'ExecReload=/bin/kill -HUP $MAINPID', 'NoNewPrivileges=yes'])
      expect(unit.split('\n')).toContain(line);
    const file = join(temporaryDirectory(), 'aorta.service');
    writeFileSync(file, unit);
    const { error, stderr } = spawnSync('systemd-analyze', ['verify', '--man=no', file], { encoding: 'utf8' });
    if (error !== undefined) return console.warn('skipped: systemd-analyze is not installed');
    expect(stderr.split('\n').filter((line) => line.includes('aorta.service'))).toEqual([]);
  });

  it('R3261-18.2.1-01 listens on TCP beside UDP, in containers and in Kubernetes, and opens both ports', () => {
    const command = JSON.parse(
      /^CMD (\[.*\])$/m.exec(read('Dockerfile').split('HEALTHCHECK')[1])?.[1] ?? '[]',
    ) as string[];
    const compose = parse(read('compose.yaml')) as { services: { aorta: { command: string[]; ports: string[] } } };
    const listens = (words: readonly string[]) => words.filter((_, i) => words[i - 1] === '--listen');
    expect([listens(command), listens(compose.services.aorta.command)]).toEqual([BOTH, BOTH]);
    expect(read('Dockerfile')).toMatch(/^EXPOSE 5060\/udp 5060\/tcp$/m);
    expect(compose.services.aorta.ports).toEqual(['5060:5060/udp', '5060:5060/tcp']);

    const documents = parseAllDocuments(read('kubernetes.yaml')).map((one) => one.toJS());
    const file = join(temporaryDirectory(), 'aorta.yaml');
    writeFileSync(file, documents.find(({ kind }) => kind === 'ConfigMap').data['aorta.yaml']);
    const { listen, auth } = createConfig([readConfigFile(file)]);
    expect([listen.map(formatListenAddress), auth.mode]).toEqual([BOTH, 'digest']);
    const service = documents.find(({ kind }) => kind === 'Service');
    expect(service.spec.ports.map(({ protocol }: { protocol: string }) => protocol)).toEqual(['UDP', 'TCP']);
  });

  it('has an image whose build has all that it reads', () => {
    const copied = [
      ...read('Dockerfile')
        .split(/^FROM/m)[1]
        .matchAll(/^COPY (.*)$/gm),
    ].flatMap(([, words]) => words.split(' '));
    expect(copied).toEqual(
      expect.arrayContaining(['package.json', 'tsconfig.build.json', 'scripts', 'src', 'docs/openapi.json']),
    );
  });

  it('has an image that serves the domains in AORTA_DOMAIN', () => {
    const folder = temporaryDirectory();
    writeFileSync(join(folder, 'aorta'), '#!/bin/sh\necho "$@"\n', { mode: 0o755 });
    const told = (domains: string | undefined, ...words: string[]) =>
      spawnSync('sh', [join(import.meta.dirname, '../../docs/deploy/docker-entrypoint.sh'), ...words], {
        env: { PATH: `${folder}:${process.env.PATH}`, ...(domains !== undefined && { AORTA_DOMAIN: domains }) },
        encoding: 'utf8',
      }).stdout;
    expect(told('example.com, example.net', 'serve', '--udp', 'auto')).toBe(
      'serve --udp auto --domain example.com --domain example.net\n',
    );
    expect(told(undefined, 'serve')).toBe('serve\n');
    expect(told('example.com', 'user', 'list')).toBe('user list\n');
  });

  it('has volumes that the user of the image may write', () => {
    const [, made] = /install -d -o aorta -g aorta -m 0700 (.*)/.exec(read('Dockerfile')) ?? [];
    for (const file of ['compose.yaml', 'cluster/compose.yaml']) {
      const { services, volumes } = parse(read(file), { merge: true }) as Compose;
      const places = Object.entries(services)
        .filter(([name]) => !name.startsWith('nats'))
        .flatMap(([, service]) => service.volumes.map((text) => text.split(':')))
        .filter(([volume]) => Object.keys(volumes).includes(volume))
        .map(([, place]) => place);
      expect(places.length).toBeGreaterThan(0);
      for (const place of places) expect(made.split(' '), file).toContain(place);
    }
  });

  it('has commands that make one password for NATS and its nodes, and a file for each node', () => {
    const folder = temporaryDirectory();
    writeFileSync(join(folder, 'node.yaml'), read('cluster/node.yaml'));
    const commands = [...read('cluster/compose.yaml').matchAll(/^# {3}(.*)$/gm)]
      .map(([, command]) => command.replace(/ && sudo .*/, ''))
      .filter((command) => !command.startsWith('docker'));
    const { status, stderr } = spawnSync('sh', ['-ec', commands.join('\n')], { cwd: folder, encoding: 'utf8' });
    expect([status, stderr]).toEqual([0, '']);
    const [, password] = /^PASSWORD=([a-z]\w{20,})$/m.exec(readFileSync(join(folder, '.env'), 'utf8')) ?? [];
    expect(readFileSync(join(folder, 'nats-login'), 'utf8')).toBe(`aorta:${password}\n`);
    const nodes = ['a', 'b', 'c'].map((name) => {
      const { cluster } = createConfig([readConfigFile(join(folder, `${name}.yaml`))]);
      return [cluster?.node, cluster?.listen.host];
    });
    const { services } = parse(read('cluster/compose.yaml'), { merge: true }) as Compose;
    expect(nodes).toEqual(['a', 'b', 'c'].map((name) => [name, services[name].networks.cluster.ipv4_address]));
  });

  it('has three nodes and three NATS servers, in containers and in Kubernetes', () => {
    const compose = parse(read('cluster/compose.yaml'), { merge: true }) as { services: Record<string, object> };
    expect(Object.keys(compose.services)).toEqual(['nats-1', 'nats-2', 'nats-3', 'a', 'b', 'c']);
    const { cluster } = createConfig([
      readConfigFile(join(import.meta.dirname, '../../docs/deploy/cluster/node.yaml')),
    ]);
    expect(cluster?.nats.servers.map(({ host }) => host)).toEqual(['172.30.0.21', '172.30.0.22', '172.30.0.23']);

    const documents = parseAllDocuments(read('cluster/kubernetes.yaml')).map((one) => one.toJS());
    const file = join(temporaryDirectory(), 'aorta.yaml');
    const config = documents.find(({ kind }) => kind === 'ConfigMap').data['aorta.yaml'];
    writeFileSync(file, config.replace('NODE', 'aorta-0').replace('ADDRESS', '10.1.2.3'));
    expect(createConfig([readConfigFile(file)]).cluster).toMatchObject({ node: 'aorta-0', silentMs: 1500 });
    expect(documents.find(({ kind }) => kind === 'StatefulSet').spec.replicas).toBe(3);
    for (const text of [read('cluster/nats.conf'), read('cluster/nats-values.yaml')])
      expect(text).toContain('sync_interval: always');
  });
});
