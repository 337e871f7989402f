// What is remembered of a repository between two runs: the root that is trusted, and the highest versions seen, below which
// nothing is taken any more. A record that can't be used is a refusal, never a fresh start: that is what an attacker would
// want.

import { z } from 'zod';
import { TrustError } from '../trust-error.ts';
import { parseRoot, RELEASES, type Root } from './metadata.ts';
import { ownRootKeys } from './root-certificate.ts';

const version = z.number().int().min(1).optional();

const schema = z.strictObject({
  format: z.literal(1),
  gun: z.string().min(1),
  server: z.string().min(1),
  /** The trusted root.json, exactly as it was served. */
  root: z.string().min(1),
  versions: z.strictObject({ timestamp: version, snapshot: version, targets: version, [RELEASES]: version }),
  /** The files that the last snapshot listed. */
  roles: z.array(z.string()).max(4096),
  began: z.strictObject({
    rule: z.enum(['certs', 'ca', 'first-use']),
    /** The entry of the pins that applied, and what it said. */
    entry: z.string().optional(),
    pin: z.string().optional(),
    keyIds: z.array(z.string()),
    at: z.iso.datetime(),
  }),
  lastSuccess: z.iso.datetime().optional(),
});

export type StoredTrust = z.infer<typeof schema>;
export type Versions = StoredTrust['versions'];

/**
 * Reads a record.
 * @param file where it is, for messages.
 * @throws TrustError state-corrupt
 */
export function parseStoredTrust(text: string, file: string): StoredTrust {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw corrupt(file, 'it is not JSON', cause);
  }
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  const issue = result.error.issues[0];
  throw corrupt(file, `${issue?.path.join('.') || 'it'} is not what it should be`, result.error);
}

export function formatStoredTrust(stored: StoredTrust): string {
  return `${JSON.stringify(stored, undefined, 2)}\n`;
}

/**
 * The trusted root of a record.
 * @throws TrustError state-corrupt when it isn't one, or not one of this repository.
 */
export function storedRoot(stored: StoredTrust, file: string): Root {
  let root: Root;
  try {
    root = parseRoot(Buffer.from(stored.root, 'utf8'), `the stored root of ${stored.gun}`);
  } catch (cause) {
    if (!(cause instanceof TrustError)) throw cause;
    throw corrupt(file, cause.message, cause);
  }
  if (ownRootKeys(root, stored.gun).length > 0) return root;
  throw corrupt(file, `its root does not belong to ${stored.gun}`);
}

export function corrupt(file: string, why: string, cause?: unknown): TrustError {
  return new TrustError('state-corrupt', `what is remembered of earlier verifications can't be used: ${file}: ${why}`, {
    cause,
    hint: 'find out who changed it; "holdfast trust forget GUN" begins anew, and trusts what the server then sends',
  });
}
