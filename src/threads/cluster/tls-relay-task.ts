// The entry of the thread that encrypts other threads' traffic to NATS servers.

import { type MessagePort, parentPort, workerData } from 'node:worker_threads';
import { TlsRelay, type TlsRelayTask } from './tls-relay.ts';

const port = parentPort as MessagePort;
const relay = await TlsRelay.open(workerData as TlsRelayTask, ({ host, port: at }, why) =>
  port.postMessage({ type: 'failed', server: `${host}:${at}`, why }),
);
port.postMessage({ type: 'open', ports: relay.ports });
