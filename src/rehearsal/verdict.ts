// What a system says of itself while it is rehearsed. It is written inside the container by a system that nobody trusts
// yet, so it is read as any other input: bounded, and checked field by field.

import { z } from 'zod';
import { readTextWithin } from '../system/boundedtext.ts';
import { HoldfastError, messageOf } from '../system/errors.ts';

/** More than any verdict has: a few hundred checks with the last lines of each. */
const MOST_BYTES = 1 << 20;

const text = (most: number) => z.string().transform((value) => value.slice(0, most));
const check = z.object({
  /** A program's path, a unit, or what holdfast looks at itself. */
  name: text(300),
  outcome: z.enum(['ok', 'failed']),
  /** What is wrong, half a sentence; empty when all is well. */
  message: text(1000),
  outputTail: text(4000).optional(),
});

const schema = z.object({
  version: z.literal(1),
  /** Whether the boot came to its end; absent where no init system was found that says so. */
  startup: check.optional(),
  /** Units that have failed, but for those that the settings excuse. */
  units: z.array(check).max(1000),
  /** The image's and the owner's health checks. */
  checks: z.array(check).max(1000),
  /** Milliseconds from the start of the services to the end of the boot. */
  startupMs: z.number().nonnegative(),
  /** What is worth saying and no failure. */
  notices: z.array(text(1000)).max(100),
});

export type Finding = z.infer<typeof check>;
export type Verdict = z.infer<typeof schema>;

/**
 * Reads what a rehearsed system has written.
 * @throws HoldfastError HF-CONFIG when it is not a verdict.
 */
export function readVerdict(file: string): Verdict {
  try {
    return parseVerdict(readTextWithin(file, MOST_BYTES));
  } catch (error) {
    if (error instanceof HoldfastError && error.code === 'HF-CONFIG') throw error;
    throw new HoldfastError(
      'HF-CONFIG',
      `what the rehearsed system says of itself can’t be read: ${messageOf(error)}`,
      {
        cause: error,
      },
    );
  }
}

/** @throws HoldfastError HF-CONFIG, with the field that doesn't fit. */
export function parseVerdict(json: string): Verdict {
  let value: unknown;
  try {
    value = JSON.parse(json);
  } catch (error) {
    throw new HoldfastError('HF-CONFIG', `what the rehearsed system says of itself is no JSON: ${messageOf(error)}`);
  }
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  const where = issue?.path.map(String).join('.') ?? '';
  throw new HoldfastError(
    'HF-CONFIG',
    `what the rehearsed system says of itself is not understood: ${where}: ${issue?.message ?? ''}`,
  );
}
