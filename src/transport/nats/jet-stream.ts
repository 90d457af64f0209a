// JetStream's own messages: subjects of its API, content of acknowledgements and refusals, and sequences of delivered messages.
// (Server 2.10 to 2.15; JSON schemas: io.nats.jetstream.api.v1.)

/** `wrong last sequence`: the number in 2.10, and the one for messages of a batch from 2.12 on. */
const WRONG_LAST_SEQUENCE = [10071, 10164];
const NO_MESSAGE_FOUND = 10037;

export interface ApiError {
  readonly code?: number;
  readonly err_code?: number;
  readonly description?: string;
}

/** A stream's answer to a published message. */
export type PublishOutcome =
  | { readonly kind: 'stored'; readonly sequence: number }
  /** @param last sequence of the stream; -1 where the server does not report it */
  | { readonly kind: 'refused'; readonly last: number }
  /** It is not known whether the message was stored. */
  | { readonly kind: 'unknown'; readonly reason: string };

export const EXPECTED_LAST = 'Nats-Expected-Last-Sequence';

/** @param status of the answer's headers: 503 without a listener */
export function publishOutcome(json: string, status: number): PublishOutcome {
  if (status !== 0) return { kind: 'unknown', reason: status === 503 ? 'no stream listens' : `status ${status}` };
  const answer = parse<{ seq?: number; error?: ApiError }>(json);
  const { error, seq } = answer ?? {};
  if (error !== undefined && WRONG_LAST_SEQUENCE.includes(error.err_code ?? 0)) {
    const [, last = '-1'] = /: (\d+)$/.exec(error.description ?? '') ?? [];
    return { kind: 'refused', last: Number(last) };
  }
  if (error !== undefined) return { kind: 'unknown', reason: error.description ?? 'refused' };
  if (seq === undefined || !(seq > 0)) return { kind: 'unknown', reason: 'an answer without a sequence' };
  return { kind: 'stored', sequence: seq };
}

export function readSubject(stream: string): string {
  return `$JS.API.STREAM.MSG.GET.${stream}`;
}

/** The message found; `missing` where the stream has none of that sequence, else why that is not known. */
export function readOutcome(json: string): { sequence: number; bytes: Buffer } | 'missing' | { reason: string } {
  const answer = parse<{ message?: { seq?: number; data?: string }; error?: ApiError }>(json);
  if (answer?.error?.err_code === NO_MESSAGE_FOUND) return 'missing';
  const { seq, data = '' } = answer?.message ?? {};
  if (seq === undefined) return { reason: answer?.error?.description ?? 'an answer without a message' };
  return { sequence: seq, bytes: Buffer.from(data, 'base64') };
}

export function boundsSubject(stream: string): string {
  return `$JS.API.STREAM.INFO.${stream}`;
}

/** First and last sequence; of an empty stream `first` is `last + 1`. */
export function boundsOutcome(json: string): { first: number; last: number } | { reason: string } {
  const answer = parse<{ state?: { first_seq?: number; last_seq?: number }; error?: ApiError }>(json);
  const { first_seq: first, last_seq: last } = answer?.state ?? {};
  if (first === undefined || last === undefined)
    return { reason: answer?.error?.description ?? 'an answer without a state' };
  return { first: Math.max(first, 1), last };
}

export function consumerSubject(stream: string, name: string): string {
  return `$JS.API.CONSUMER.CREATE.${stream}.${name}`;
}

export function consumerEndSubject(stream: string, name: string): string {
  return `$JS.API.CONSUMER.DELETE.${stream}.${name}`;
}

/** Request for a consumer that pushes all messages from `from` on, and ends by itself soon after its listener is gone. */
export function consumerRequest(
  stream: string,
  name: string,
  from: number,
  deliverTo: string,
  heartbeatMs: number,
): string {
  return JSON.stringify({
    stream_name: stream,
    action: 'create',
    config: {
      name,
      deliver_policy: 'by_start_sequence',
      opt_start_seq: from,
      deliver_subject: deliverTo,
      ack_policy: 'none',
      max_deliver: 1,
      replay_policy: 'instant',
      flow_control: true,
      idle_heartbeat: heartbeatMs * 1e6,
      inactive_threshold: 10e9,
      mem_storage: true,
      num_replicas: 1,
    },
  });
}

/** The failure; undefined where the consumer was made. */
export function consumerFailure(json: string): string | undefined {
  const answer = parse<{ error?: ApiError; config?: object }>(json);
  if (answer?.config !== undefined) return undefined;
  return answer?.error?.description ?? 'an answer without a consumer';
}

/** Sequences in the stream and in the consumer, from the reply subject of a delivered message; undefined where it is none. */
export function deliveredAt(reply: string): { stream: number; consumer: number } | undefined {
  const tokens = reply.split('.');
  if (tokens[0] !== '$JS' || tokens[1] !== 'ACK') return undefined;
  // Since 2.11 a server may name domain and account before the stream.
  const from = tokens.length === 9 ? 5 : tokens.length >= 11 ? 7 : -1;
  if (from < 0) return undefined;
  return { stream: Number(tokens[from]), consumer: Number(tokens[from + 1]) };
}

function parse<T>(json: string): T | undefined {
  try {
    return JSON.parse(json) as T;
  } catch {
    return undefined;
  }
}
