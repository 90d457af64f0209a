// The values in force for a domain, each with its key of origin.

import { expect, it } from 'vitest';
import { DEFAULT_CONFIG } from '../../../src/server/config/config.ts';
import { domainConfig } from '../../../src/server/config/domain-config.ts';
import { effectiveConfig } from '../../../src/server/config/effective-config.ts';

const config = {
  ...effectiveConfig(DEFAULT_CONFIG),
  domains: ['example.com', 'example.net', 'example.org'],
  'service-route': { 'example.com': ['<sip:com.example;lr>'], 'example.net': [], '*': ['<sip:else.example;lr>'] },
};

it('R3608-6.3-01 have the Service-Route of the domain, or of all others', () => {
  const routes = ['example.com', 'example.net', 'example.org'].map(
    (name) => domainConfig(config, name)?.['service-route'],
  );
  expect(routes).toEqual([
    { value: ['<sip:com.example;lr>'], from: 'service-route.example.com' },
    { value: [], from: 'service-route.example.net' },
    { value: ['<sip:else.example;lr>'], from: 'service-route.*' },
  ]);
  const others = { ...config, 'service-route': { 'example.com': ['<sip:com.example;lr>'] } };
  expect(domainConfig(others, 'example.org')).not.toHaveProperty('service-route');
});
