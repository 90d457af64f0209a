// The section `multicast` of the configuration: transport/node/multicast's address under its names in the file.

import { isIPv4 } from 'node:net';
import { z } from 'zod';
import { type MulticastAddress, REGISTRARS_GROUP } from '../../../transport/node/multicast.ts';
import { integer, section, text } from '../config-values.ts';

const schema = z.strictObject(
  {
    interface: text.refine((address) => isIPv4(address), {
      error: 'expected the IPv4 address of an interface of this machine, such as 192.0.2.20',
    }),
    group: text
      .refine((address) => isIPv4(address) && /^2(2[4-9]|3\d)\./.test(address), {
        error: `expected a multicast address such as ${REGISTRARS_GROUP}`,
      })
      .optional(),
    port: integer(0, 65_535).optional(),
  },
  section,
);

export const multicastSchema = schema;

export function fillMulticast(raw: z.output<typeof schema>): MulticastAddress {
  return { group: raw.group ?? REGISTRARS_GROUP, port: raw.port ?? 5060, interface: raw.interface };
}
