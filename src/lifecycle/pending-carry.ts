// The note of an overlay that was carried to a new system while its old view went on changing: until the shutdown has
// carried the rest, it stands on STATE. A note of an earlier boot means that the power went before that; nothing is lost
// then, but it takes a hand, and status and the login banner say so.

import { existsSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { readTextWithin } from '../system/boundedtext.ts';
import { fsyncPath, writeFileDurably } from '../system/durable.ts';

const FILE = 'pending-overlay.json';
const MAX_BYTES = 64 << 10;

const fingerprint = z.string().regex(/^[0-9a-f]{64}$/);

const schema = z.object({
  format: z.literal(1),
  /** The set: device and path as the kernel argument names them. */
  device: z.string().max(4096),
  path: z.string().max(4096),
  from: fingerprint,
  to: fingerprint,
  /** Of the boot whose shutdown carries the rest. */
  bootId: z.string().max(64),
  date: z.string().max(64),
  /** Where the losers of this carrying are: a name below the set's conflicts. */
  conflicts: z.string().max(128),
  /** Names of packages that were installed or removed for it. */
  packages: z.array(z.string().max(256)).max(10_000).default([]),
  /** `open`: the shutdown has not carried the rest; `failed`: it could not, and why. */
  state: z.enum(['open', 'failed']),
  problem: z.string().max(2000).optional(),
});

export type PendingCarry = z.infer<typeof schema>;

/** The note on a mounted STATE; undefined where there is none that can be read. */
export function readPendingCarry(stateDirectory: string): PendingCarry | undefined {
  const file = join(stateDirectory, FILE);
  if (!existsSync(file)) return undefined;
  try {
    return schema.parse(JSON.parse(readTextWithin(file, MAX_BYTES)));
  } catch {
    // A note that nobody can read must not keep a machine from shutting down.
    return undefined;
  }
}

/** Replaces the note as a whole; it is on the disk when this returns. */
export function writePendingCarry(stateDirectory: string, pending: PendingCarry): void {
  writeFileDurably(join(stateDirectory, FILE), `${JSON.stringify(pending, null, 2)}\n`, { mode: 0o600 });
}

/** Takes the note away: what it speaks of is done, or no longer of use. */
export function removePendingCarry(stateDirectory: string): void {
  const file = join(stateDirectory, FILE);
  if (!existsSync(file)) return;
  rmSync(file);
  fsyncPath(stateDirectory);
}

/** The kernel's own name of this boot. */
export function bootId(): string {
  return readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
}

/** What a note means to somebody who looks at the machine. */
export type CarryStanding = 'at-shutdown' | 'unfinished' | 'failed' | 'stale';

/**
 * Judges a note. Pure.
 * @param now what runs and what boots: the fingerprints of the active base, and this boot's name.
 */
export function judgePending(
  pending: Pick<PendingCarry, 'to' | 'bootId' | 'state'>,
  now: { active: string | undefined; bootId: string },
): CarryStanding {
  // The switch did not come about, or another action has replaced what it spoke of.
  if (pending.to !== now.active) return 'stale';
  if (pending.state === 'failed') return 'failed';
  return pending.bootId === now.bootId ? 'at-shutdown' : 'unfinished';
}
