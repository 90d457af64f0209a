// The dashboard: reads the admin API and draws its answers. Plain modules, no build step; uPlot draws the charts.

import { showTraces } from './addresses.js';
import './changes.js';
import './deliveries.js';
import './limited.js';
import { change } from './api.js';
import { confirmed } from './confirm.js';
import { $, button, setText, tell } from './dom.js';
import { showStatics } from './lists.js';
import { listeners, poll } from './live.js';

let status;
let isFirst = true;

async function reload() {
  const text = 'The configuration file is read anew. A file with a mistake changes nothing.';
  if (!(await confirmed('Reload the configuration?', text, 'Reload'))) return;
  const { applied, needRestart } = await change('POST', '/v1/reload');
  const parts = [
    applied.length > 0 ? `In force: ${applied.join(', ')}.` : 'Nothing to apply.',
    needRestart.length > 0 ? `These wait for a restart: ${needRestart.join(', ')}.` : '',
  ];
  tell(parts.filter(Boolean).join(' '));
}

async function drain() {
  const draining = !status.draining;
  const title = draining ? 'Drain this server?' : 'End the drain?';
  const text = draining
    ? 'Load balancers send nothing more (/readyz answers 503); phones are served on.'
    : 'Load balancers send requests here again.';
  if (!(await confirmed(title, text, draining ? 'Drain' : 'End the drain'))) return;
  await change('POST', status.cluster ? '/v1/cluster/drain' : '/v1/drain', { draining });
  tell(draining ? 'Draining.' : 'No longer draining.');
}

const drainButton = button('Drain …', drain);
$('server-actions').append(button('Reload …', reload), drainButton);
listeners.push((now) => {
  status = now;
  setText(drainButton, now.draining ? 'End drain …' : 'Drain …');
  if (!isFirst) return;
  isFirst = false;
  Promise.all([showStatics(), showTraces()]).catch((error) => tell(error.message, true));
});
void poll();
