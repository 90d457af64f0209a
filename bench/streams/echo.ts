// What a REGISTER over WSS would cost if nothing were done about it: by the library that Aorta uses, in a server that echoes it.

import { partProgram } from '../root.ts';
import type { Settings } from '../settings.ts';
import type { Certificate } from './certificate.ts';
import { Crowd, type Phase } from './crowd.ts';
import { pinned, said, stopped } from './server.ts';

/** @returns undefined where the library does not load here */
export async function echoRefresh(settings: Settings, { certFile, keyFile }: Certificate): Promise<Phase | undefined> {
  const args = [partProgram('wss-echo'), String(settings.port + 1), certFile, keyFile];
  const server = pinned(settings.serverCore, settings.node, args);
  const crowd = new Crowd(settings, 'wss', 'REGISTER sip:');
  const window = settings.number('window', 64, 8);
  try {
    await said(server, /^ready/m);
    const pid = server.pid ?? 0;
    await crowd.does({ do: 'connect', window }, pid);
    const refresh = await crowd.does({ do: 'register', window, seconds: settings.number('seconds', 5, 0.3) }, pid);
    settings.tell(`wss: a bare echo ${Math.round(refresh.perSecond)}/s, ${refresh.serverUs.toFixed(1)} us`);
    return refresh;
  } catch (error) {
    settings.tell(`wss: no bare echo to compare with: ${error instanceof Error ? error.message : error}`);
    return undefined;
  } finally {
    await crowd.drop();
    await stopped(server);
  }
}
