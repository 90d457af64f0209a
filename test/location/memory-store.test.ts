// The reference store keeps what the contract promises.

import { MemoryStore } from '../../src/location/memory-store.ts';
import { storeConformance } from './store-conformance.ts';

storeConformance('memory-store', {
  open: () => new MemoryStore(),
  reader: (store) => (store as MemoryStore).reader(),
});
