// What a cluster promises, each promise a row of a question (docs/cluster.md).

import type { Question } from '../question.ts';
import { CLUSTER_FAULTS_QUESTION } from './fault-question.ts';
import { CLUSTER_JOIN_QUESTION } from './join-question.ts';
import { CLUSTER_LOAD_QUESTION } from './load-question.ts';
import { CLUSTER_STREAM_QUESTION } from './stream-question.ts';

export const CLUSTER_QUESTIONS: readonly Question[] = [
  CLUSTER_STREAM_QUESTION,
  CLUSTER_LOAD_QUESTION,
  CLUSTER_JOIN_QUESTION,
  CLUSTER_FAULTS_QUESTION,
];
