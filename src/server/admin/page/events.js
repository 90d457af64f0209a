// Server-sent events by fetch, because EventSource cannot send the token.

import { ask } from './api.js';

/**
 * Calls `hear(event, data, id)` for each event until the stream ends; throws where the stream cannot be opened.
 * @param started is called when the answer has begun
 */
export async function readEvents(path, { signal, headers = {}, started = () => {} }, hear) {
  const answer = await ask(path, { signal, headers });
  if (!answer.ok) {
    const problem = await answer.json().catch(() => ({}));
    throw new Error(problem.detail ?? `the server answers ${answer.status}`);
  }
  started();
  const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
  let text = '';
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return;
    const messages = (text + value).split('\n\n');
    text = messages.pop();
    for (const message of messages) {
      const fields = Object.fromEntries(message.split('\n').map((line) => line.split(/: ?(.*)/s)));
      if (fields.data) hear(fields.event, JSON.parse(fields.data), fields.id);
    }
  }
}
