// The section `location` of the configuration: whether other processes may read where users are.

import { z } from 'zod';
import { section, yesOrNo } from '../config-values.ts';

export const locationSchema = z.strictObject({ shared: yesOrNo.optional() }, section);
