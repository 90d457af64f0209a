// Bindings in the API: the fields of requests and answers. core/binding/binding-view defines a binding.

import * as z from 'zod';
import type { Binding } from '../../core/binding/binding-view.ts';
import { pageQuery } from './paging.ts';

const parameterMap = z.record(z.string(), z.union([z.string(), z.literal(true)]));

/** Fields of a binding in answers: all but those that lookups alone have. */
export const bindingFields = {
  uri: z.string().describe('Contact URI as registered'),
  display: z.string().optional(),
  q: z.number(),
  expires: z.number().nullable().describe('whole seconds left; null for ever'),
  expiresAt: z.number().describe('epoch ms'),
  registeredAt: z.number(),
  refreshedAt: z.number(),
  path: z.array(z.string()),
  source: z.object({ address: z.string(), port: z.number(), transport: z.string() }),
  received: z.string(),
  direct: z.boolean(),
  flow: z.number().optional(),
  node: z.number().optional().describe('of a cluster: the node that holds the connection'),
  instance: z.string().optional(),
  regId: z.number().optional(),
  capabilities: parameterMap,
  params: parameterMap,
  push: z
    .object({ provider: z.string(), param: z.string().optional(), prid: z.string().optional() })
    .optional()
    .describe('push parameters of the URI (RFC 8599)'),
  callId: z.string(),
  cseq: z.number(),
  userAgent: z.string().optional(),
  static: z.literal(true).optional(),
} satisfies Record<Exclude<keyof Binding, 'gruu' | 'ping'>, z.ZodType>;
const bindingSchema = z.object(bindingFields).meta({ id: 'Binding' });

export const aorSchema = z
  .object({
    aor: z.string().describe('canonical: user@host'),
    contacts: z.array(bindingSchema),
  })
  .meta({ id: 'Aor' });

export const pastChangeSchema = z
  .object({
    type: z.string().describe('as in the change feed; refreshes only with policy.history-refreshes'),
    at: z.number().describe('epoch ms'),
    by: z.enum(['client', 'operator', 'program', 'server']),
    user: z.string().optional().describe('that the request was authenticated for'),
    source: z
      .object({ address: z.string(), port: z.number(), transport: z.string() })
      .optional()
      .describe('of the request, or of what has run out or lost its connection'),
    contact: z.string().optional(),
    callId: z.string().optional(),
    cseq: z.number().optional(),
    userAgent: z.string().optional(),
    program: z.string().optional().describe('of what was removed: what asked, such as curl-8.5.0, or user-removed'),
  })
  .meta({ id: 'Change' });

export const aorParams = z.strictObject({
  aor: z.string().min(1).max(1024).describe('user@host or a SIP URI, escaped as a part of a path'),
});

const URI = /^[a-z][a-z0-9+.-]*:[^\s<>"\p{Cc}]+$/iu;
const uri = z
  .string()
  .max(2048)
  .refine((text) => URI.test(text), { error: 'is no URI' });
/** A hop of Path: with or without the brackets that lookups and messages have. */
const hop = z
  .string()
  .max(2048)
  .refine((text) => URI.test(withoutBrackets(text)), { error: 'is no URI' });

export function withoutBrackets(uri: string): string {
  return uri.replace(/^<(.*)>$/, '$1');
}

const word = z.string().refine((text) => !/\p{Cc}/u.test(text), { error: 'has control characters' });

export const newBindingSchema = z
  .strictObject({
    contact: uri.describe('Contact URI, e.g. sip:alice@192.0.2.4:5060'),
    expires: z.int().min(1).max(2147483647).optional().describe('seconds; as the policy has it where absent'),
    q: z.number().min(0).max(1).optional(),
    path: z.array(hop).max(8).optional().describe('route set to the contact, topmost first'),
    userAgent: word.max(128).optional(),
  })
  .meta({ id: 'NewBinding' });

export interface NewBinding {
  /** Contact URI, e.g. sip:alice@192.0.2.4:5060 */
  contact: string;
  /** Seconds; absent: the policy's default. */
  expires?: number | undefined;
  /** 0 to 1 */
  q?: number | undefined;
  /** Route set to the contact, topmost first; each with or without brackets. */
  path?: string[] | undefined;
  userAgent?: string | undefined;
}

const domain = z.string().min(1).max(255).optional().describe('of this domain only');

const asleep = z
  .enum(['true', 'false'])
  .transform((text) => text === 'true')
  .optional()
  .describe('true: bindings whose devices sleep and a lookup would wake (RFC 8599), instead of those that are reached');

export const listQuery = z.strictObject({
  ...pageQuery,
  domain,
  asleep,
  match: z.string().min(1).max(256).optional().describe('AORs that contain this'),
  find: z
    .string()
    .min(1)
    .max(256)
    .optional()
    .describe('AORs that contain this, or whose contacts have it in URI, source address, User-Agent or instance'),
});

export const dumpQuery = z.strictObject({ domain, asleep });

export const contactQuery = z.strictObject({ contact: uri.describe('Contact URI of the binding') });
