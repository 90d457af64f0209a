// The entry of the cluster's thread.

import { type MessagePort, parentPort, workerData } from 'node:worker_threads';
import { ClusterThread, type ClusterThreadTask } from './cluster-thread.ts';

const port = parentPort as MessagePort;
const thread = new ClusterThread(workerData as ClusterThreadTask, (level, event, fields) =>
  port.postMessage({ type: 'log', level, event, fields }),
);
port.postMessage({ type: 'open' });
thread.run();
