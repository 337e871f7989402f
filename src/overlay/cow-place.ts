// One COW out of a set: that of the running system, of a named slot, or the file itself where its own name is given.

import { existsSync } from 'node:fs';
import { basename } from 'node:path';
import { readAttachedOverlay } from '../boot/attached-overlay.ts';
import { HoldfastError } from '../system/errors.ts';
import type { UndoStack } from '../system/plan.ts';
import { type BaseOptions, type BasePlace, baseWithDigits, openBase, openBases } from './base-place.ts';
import { type Binding, readBinding } from './binding.ts';
import { shortFingerprint } from './fingerprint.ts';
import { sidecarFile } from './names.ts';
import { inspectMembers } from './overlay-set.ts';
import type { SetPlace } from './set-place.ts';

export interface CowPlace {
  file: string;
  /** Undefined: there is no sidecar, or it can't be used. */
  binding: Binding | undefined;
  /** The system that it belongs to, where that is here. */
  base: BasePlace | undefined;
}

/**
 * Finds a COW.
 * @param wanted `active`, `passive`, a slot file, or the 16 digits of a base; undefined: the running or the active system's.
 * @throws HoldfastError HF-STATE when the set has none for it.
 */
export async function openCow(
  undo: UndoStack,
  { set, shown }: SetPlace,
  wanted: string | undefined,
  options: BaseOptions = {},
): Promise<CowPlace> {
  const bases = wanted?.startsWith('/') ? [await openBase(undo, wanted)] : await basesIfThere(undo, options);
  const own = /\.([0-9a-f]{16})$/.exec(basename(set))?.[1];
  if (own !== undefined && existsSync(set)) {
    // A base that was named counts, also where it is the wrong one: that is said then.
    return describe(set, bases.find(({ name }) => name === wanted) ?? baseWithDigits(bases, own));
  }
  const digits = wantedDigits(wanted, bases);
  const base = baseWithDigits(bases, digits ?? '');
  const found = digits === undefined ? undefined : fileFor(set, digits);
  if (found !== undefined) return describe(found, base);
  // A single file leaves no doubt, as long as no other was asked for.
  const members = inspectMembers(set);
  const [only, second] = members;
  if (wanted === undefined && only !== undefined && second === undefined) {
    const binding = readBinding(sidecarFile(only.candidate.file));
    const bound = binding !== undefined && 'fingerprint' in binding ? shortFingerprint(binding.fingerprint) : '';
    return describe(only.candidate.file, baseWithDigits(bases, bound));
  }
  const here = members.map((member) => member.digits ?? 'the seed file').join(', ');
  throw new HoldfastError(
    'HF-STATE',
    `${shown} has no file for ${wanted ?? 'the system of this machine'}${here === '' ? '' : `; it has: ${here}`}`,
    { hint: here === '' ? `make one: holdfast overlay create ${shown}` : 'choose one with --base' },
  );
}

function describe(file: string, base: BasePlace | undefined): CowPlace {
  const binding = readBinding(sidecarFile(file));
  return { file, base, binding: binding === undefined || 'problem' in binding ? undefined : binding };
}

/** The set's own file for a base, or its seed where that is bound to it. */
function fileFor(set: string, digits: string): string | undefined {
  const own = `${set}.${digits}`;
  if (existsSync(own)) return own;
  const binding = readBinding(sidecarFile(set));
  const isBound = binding !== undefined && 'fingerprint' in binding && shortFingerprint(binding.fingerprint) === digits;
  return isBound && existsSync(set) ? set : undefined;
}

function wantedDigits(wanted: string | undefined, bases: readonly BasePlace[]): string | undefined {
  if (wanted !== undefined && /^[0-9a-f]{16}$/.test(wanted)) return wanted;
  const base = bases.find(({ name }) => name === (wanted ?? 'active'));
  const running = wanted === undefined ? readAttachedOverlay()?.fp?.slice(0, 16) : undefined;
  return running ?? (base && shortFingerprint(base.fingerprint));
}

/** Without an installed system a set can be looked at all the same. */
async function basesIfThere(undo: UndoStack, options: BaseOptions): Promise<BasePlace[]> {
  try {
    return await openBases(undo, options);
  } catch (error) {
    if (error instanceof HoldfastError) return [];
    throw error;
  }
}

/** The same, where the base itself is needed. @throws HoldfastError HF-STATE when it isn't here. */
export function requireBase({ file, base, binding }: CowPlace): BasePlace {
  if (base !== undefined) return base;
  const digits = binding === undefined ? 'unknown' : shortFingerprint(binding.fingerprint);
  throw new HoldfastError('HF-STATE', `the system that ${file} belongs to (${digits}) is not on this machine`, {
    hint: 'name its slot file with --base /path/to/slot.img',
  });
}
