// The changes of a REGISTER, binding by binding: for listeners, and for the history.
// @hot

import { LISTENER_ADMIN } from '../../sip/sources.ts';
import { imageLength } from '../binding/binding.ts';
import {
  CHANGE_EVICTED,
  CHANGE_REFRESHED,
  CHANGE_REGISTERED,
  CHANGE_REMOVED,
  CHANGE_UNREGISTERED,
  type ChangeSink,
} from '../binding/changes.ts';
import { isToldAsEnded } from '../binding/sleep.ts';
import { endedBy } from '../binding/target.ts';
import type { Exchange } from '../uas/exchange.ts';
import type { WorkingBindings } from './working-bindings.ts';

/**
 * Reports every difference between the request's state and the result's record to `changes`.
 * @param bindings as the registrar left them
 */
export function reportChanges({ request, result }: Exchange, bindings: WorkingBindings, changes: ChangeSink): void {
  const { aor, aorLength, now, peers, peer, state, stateEnd } = request;
  for (let at = request.stateAt; at < stateEnd; at += imageLength(state, at)) {
    const kind = endedBy(state, at, now, bindings.flows);
    if (kind !== 0 && !isToldAsEnded(state, at)) changes.add(kind, aor, 0, aorLength, state, at, now);
  }
  const ended = peers.listener[peer] === LISTENER_ADMIN ? CHANGE_REMOVED : CHANGE_UNREGISTERED;
  const { bytes } = result.record;
  let written = bindings.recordAt;
  for (let i = 0; i < bindings.count; i++) {
    const image = bindings.imageAt[i];
    if (bindings.isGone(i)) {
      const kind = bindings.isEvicted(i) ? CHANGE_EVICTED : ended;
      if (bindings.wasThere(i, request)) changes.add(kind, aor, 0, aorLength, state, image, now);
      continue;
    }
    if (bindings.contact[i] >= 0) {
      const kind = bindings.wasThere(i, request) ? CHANGE_REFRESHED : CHANGE_REGISTERED;
      changes.add(kind, aor, 0, aorLength, bytes, written, now);
    }
    written += imageLength(bytes, written);
  }
}
