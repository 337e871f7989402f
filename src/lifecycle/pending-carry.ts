// The note of an overlay that was carried to a new system while its old view went on changing: until the shutdown has
// carried the rest, it stands on STATE. A note of an earlier boot means that the power went before that; nothing is lost
// then, but it takes a hand, and status and the login banner say so.

import { existsSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { readTextWithin } from '../system/boundedtext.ts';
import { fsyncPath, writeFileDurably } from '../system/durable.ts';

const FILE = 'pending-overlay.json';
const MAX_BYTES = 64 << 10;

export interface PendingCarry {
  /** The set: device and path as the kernel argument names them. */
  device: string;
  path: string;
  /** Fingerprints of the two bases. */
  from: string;
  to: string;
  /** Of the boot whose shutdown carries the rest. */
  bootId: string;
  date: string;
  /** Where the losers of this carrying are: a name below the set's conflicts. */
  conflicts: string;
  /** `open`: the shutdown has not carried the rest; `failed`: it could not, and why. */
  state: 'open' | 'failed';
  problem?: string;
}

const FORMAT = 1;
const MAX_CHARACTERS = 4096;

/** The note on a mounted STATE; undefined where there is none that can be read. */
export function readPendingCarry(stateDirectory: string): PendingCarry | undefined {
  const file = join(stateDirectory, FILE);
  if (!existsSync(file)) return undefined;
  try {
    return parsePendingCarry(readTextWithin(file, MAX_BYTES));
  } catch {
    // A note that nobody can read must not keep a machine from shutting down.
    return undefined;
  }
}

/** Parses a note. By hand: stages of the boot look at it, for the login banner, and load as little as can be. */
export function parsePendingCarry(text: string): PendingCarry | undefined {
  const value: unknown = JSON.parse(text);
  if (typeof value !== 'object' || value === null) return undefined;
  const fields = new Map(Object.entries(value));
  const word = (name: string) => {
    const found: unknown = fields.get(name);
    return typeof found === 'string' && found.length <= MAX_CHARACTERS ? found : undefined;
  };
  const [device, path, from, to] = [word('device'), word('path'), word('from'), word('to')];
  const [id, date, conflicts, state] = [word('bootId'), word('date'), word('conflicts'), word('state')];
  const problem = word('problem');
  if (fields.get('format') !== FORMAT || !isDigest(from) || !isDigest(to)) return undefined;
  if (device === undefined || path === undefined || id === undefined || date === undefined) return undefined;
  if (conflicts === undefined || !/^[\w-]+$/.test(conflicts) || (state !== 'open' && state !== 'failed'))
    return undefined;
  return { device, path, from, to, bootId: id, date, conflicts, state, ...(problem !== undefined && { problem }) };
}

function isDigest(text: string | undefined): text is string {
  return text !== undefined && /^[0-9a-f]{64}$/.test(text);
}

/** Replaces the note as a whole; it is on the disk when this returns. */
export function writePendingCarry(stateDirectory: string, pending: PendingCarry): void {
  writeFileDurably(join(stateDirectory, FILE), `${JSON.stringify({ format: FORMAT, ...pending }, null, 2)}\n`, {
    mode: 0o600,
  });
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

/**
 * What a person is told of a note; undefined when there is nothing to tell.
 * @param standing what {@link judgePending} says.
 */
export function describePending(pending: PendingCarry, standing: CarryStanding): string | undefined {
  const digits = pending.from.slice(0, 16);
  const command = `holdfast overlay rebase --from ${digits}`;
  if (standing === 'unfinished') {
    return `What changed in the overlay after the upgrade of ${pending.date} is not in this system: the shutdown did not carry it, or there was none. "${command}" does.`;
  }
  if (standing !== 'failed') return undefined;
  return `What changed in the overlay after the upgrade of ${pending.date} could not be carried: ${pending.problem ?? 'the reason is unknown'}. Upgrade again, or in the new system: ${command}`;
}
