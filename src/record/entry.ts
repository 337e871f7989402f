// One thing that happened on this machine: an action, a hook, a stage, a change that the owner asked for. Plain data, bounded
// in every direction, without secrets; a later line with the same id takes the place of an earlier one.

import { randomBytes } from 'node:crypto';
import type { StepEnd } from '../system/events.ts';

export const ENTRY_KINDS = ['action', 'hook', 'stage', 'package', 'overlay', 'owner', 'record'] as const;
export type EntryKind = (typeof ENTRY_KINDS)[number];

/**
 * `refused`: it was not done, and the machine is as it was. `failed`: it could not be done. `running`: it has begun; of a process or
 * a boot that is gone that is shown as `interrupted`.
 */
export const ENTRY_OUTCOMES = [
  'ok',
  'ok-with-warnings',
  'failed',
  'refused',
  'interrupted',
  'skipped',
  'running',
] as const;
export type EntryOutcome = (typeof ENTRY_OUTCOMES)[number];

/** From where something was asked for. */
export const REQUESTED_FROM = ['boot', 'shutdown', 'shell', 'timer', 'unit', 'kubernetes', 'unknown'] as const;
export type RequestedFrom = (typeof REQUESTED_FROM)[number];

/** Who asked. */
export interface Requester {
  user: string;
  /** The command line, secrets masked. */
  command: string;
  pid: number;
  from: RequestedFrom;
}

/** A step of a stage that ran or failed. */
export type RecordedStep = StepEnd;

/** How long one action of a plan took, for the estimates of the next plan. */
export interface RecordedDuration {
  action: string;
  durationMs: number;
  /** How much it moved, where it counts bytes. */
  bytes?: number;
}

export interface RecordedSlot {
  name: string;
  uuid?: string;
  digest?: string;
}

/** The code and the sentence of an error. */
export interface RecordedError {
  code?: string;
  message: string;
  exitStatus?: number;
  outputTail?: string;
}

export interface RecordEntry {
  /** Eight letters and digits. */
  id: string;
  kind: EntryKind;
  /** `upgrade`, `after-upgrade-chroot`, `boot`, `pkg add vim`. */
  name: string;
  /** Id of the entry that it is a part of. */
  parent?: string;
  /** RFC 3339. Early in a boot the clock may be wrong; {@link bootId} and {@link uptimeSeconds} are right then, too. */
  startedAt: string;
  endedAt?: string;
  durationMs?: number;
  /** The first eight digits of the kernel's boot id. */
  bootId?: string;
  /** When it began, in seconds since the kernel started. */
  uptimeSeconds?: number;
  outcome: EntryOutcome;
  by?: Requester;
  /** What it was about, or what came of it. */
  slot?: RecordedSlot;
  /** One sentence. */
  message?: string;
  /** Those that ran or failed; stages list those that were skipped by their number only. */
  steps?: readonly RecordedStep[];
  /** How many steps are not listed. */
  furtherSteps?: number;
  warnings?: readonly string[];
  error?: RecordedError;
  durations?: readonly RecordedDuration[];
  /** The same thing has happened so often in the same way; absent for once. The times are those of the first and last. */
  times?: number;
}

/** No letter that is mistaken for another one: people read ids to each other. */
const ALPHABET = '23456789abcdefghjkmnpqrstuvwxyz';
export const ID_LENGTH = 8;

export function newEntryId(): string {
  return [...randomBytes(ID_LENGTH)].map((byte) => ALPHABET[byte % ALPHABET.length]).join('');
}

/** Whether an entry says that something is wrong. */
export function isTrouble({ outcome }: Pick<RecordEntry, 'outcome'>): boolean {
  return outcome === 'failed' || outcome === 'refused' || outcome === 'interrupted';
}

/** When it last happened: what went wrong in the same way again is as old as the last time. */
export function lastSeen({ startedAt, endedAt, times = 1, outcome }: RecordEntry): string {
  return times > 1 && isTrouble({ outcome }) ? (endedAt ?? startedAt) : startedAt;
}

/** The digits of a boot id that the record keeps. */
export function shortBootId(bootId: string): string {
  return bootId.trim().slice(0, 8);
}
