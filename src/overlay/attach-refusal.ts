// Why this boot goes on without its overlay: one word for programs, a sentence for people. Everything that can go wrong while
// an overlay is attached ends as one of these, and each of them is a plain boot.

import { HoldfastError, messageOf } from '../system/errors.ts';
import type { RefusalReason } from './choose.ts';

export type AttachReason =
  | RefusalReason
  | 'skipped'
  | 'bad-argument'
  | 'bad-path'
  | 'device-missing'
  | 'locked'
  | 'state-partition'
  | 'read-only'
  | 'unmountable'
  | 'fsck'
  | 'no-device-mapper'
  | 'tool-missing'
  | 'no-space'
  | 'not-bootable'
  | 'failed';

export class AttachRefusal extends Error {
  override readonly name = 'AttachRefusal';
  readonly reason: AttachReason;
  /** What the owner can do, for messages that have room. */
  readonly hint: string | undefined;

  constructor(reason: AttachReason, message: string, hint?: string) {
    super(message);
    this.reason = reason;
    this.hint = hint;
  }
}

/** Whatever was thrown as a refusal: an error that nobody foresaw must not keep a machine from booting. */
export function refusalOf(error: unknown): AttachRefusal {
  if (error instanceof AttachRefusal) return error;
  const isMissingTool = error instanceof HoldfastError && error.code === 'HF-TOOL-MISSING';
  const tail = error instanceof HoldfastError ? error.outputTail?.trim().split('\n').at(-1) : undefined;
  return new AttachRefusal(
    isMissingTool ? 'tool-missing' : 'failed',
    tail === undefined || tail === '' ? messageOf(error) : `${messageOf(error)}: ${tail}`,
    error instanceof HoldfastError ? error.hint : undefined,
  );
}
