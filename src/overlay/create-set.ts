// Makes the COW of a set for a base: how large, under which name, and whether there is room, decided first; then the
// file, allocated, under another name, its sidecar, and last its own name. A COW that has its name is whole.

import { existsSync, renameSync, rmSync, statSync } from 'node:fs';
import { basename, dirname } from 'node:path';
import { fsyncPath } from '../system/durable.ts';
import { HoldfastError } from '../system/errors.ts';
import { freeBytes, probeFilesystem } from '../system/filesystems.ts';
import type { Action, Performers, Plan } from '../system/plan.ts';
import { digestBase } from './base-digest.ts';
import type { BasePlace } from './base-place.ts';
import { readBinding, writeBinding } from './binding.ts';
import { createBlankCow } from './cow-create.ts';
import { shortFingerprint } from './fingerprint.ts';
import { cowFile, sidecarFile, unfinishedFile } from './names.ts';
import { lockSet } from './set-lock.ts';
import { fullCoverBytes, goodBytes, MIB, SMALLEST_COW_BYTES } from './sizes.ts';

export interface CreateFacts {
  /** The set's path on this machine. */
  set: string;
  shown: string;
  /** Undefined: a blank file that the first boot binds to its system. */
  base: Pick<BasePlace, 'file' | 'name' | 'sizeBytes' | 'fingerprint'> | undefined;
  /** The file of this base, if there is one already: its own, or the seed where that is bound to it. */
  existing: string | undefined;
  freeBytes: number;
}

export type CreateAction =
  | (Action<'create'> & { file: string; sizeBytes: number })
  | (Action<'digest'> & { base: string })
  | (Action<'bind'> & { file: string; base: string })
  | (Action<'name'> & { file: string });

/** The file that is going to be made. */
export function fileToCreate(set: string, base: Pick<BasePlace, 'fingerprint'> | undefined): string {
  return base === undefined ? set : cowFile(set, base.fingerprint);
}

/**
 * Decides what to make. Pure.
 * @param wishedBytes undefined: a full cover of the base, which can't overflow.
 * @throws HoldfastError HF-STATE when the file is there, HF-USAGE without base and size, HF-NO-SPACE.
 */
export function planCreate(
  facts: CreateFacts,
  wishedBytes: number | undefined,
): Plan<CreateAction> & { notes: string[] } {
  const { set, shown, base, existing } = facts;
  const file = fileToCreate(set, base);
  if (existing !== undefined) {
    throw new HoldfastError('HF-STATE', `${existing} is there already`, {
      hint: `holdfast overlay list ${shown} shows it; holdfast overlay drop removes it`,
    });
  }
  const cover = base === undefined ? undefined : fullCoverBytes(base.sizeBytes);
  const sizeBytes = goodBytes(Math.min(wishedBytes ?? cover ?? 0, cover ?? Number.POSITIVE_INFINITY));
  if (wishedBytes === undefined && cover === undefined) {
    throw new HoldfastError('HF-USAGE', 'without an installed system the size of the file can’t be found out', {
      hint: 'give --size, or --base with a slot file',
    });
  }
  if (sizeBytes < SMALLEST_COW_BYTES) {
    throw new HoldfastError(
      'HF-USAGE',
      `${sizeBytes} bytes are too few: ${SMALLEST_COW_BYTES / MIB} MiB are the least`,
    );
  }
  if (sizeBytes > facts.freeBytes) {
    const mib = (bytes: number) => `${Math.floor(bytes / MIB)} MiB`;
    throw new HoldfastError(
      'HF-NO-SPACE',
      `there is no room for ${file}: ${mib(sizeBytes)} are needed, ${mib(facts.freeBytes)} are free`,
      { hint: 'a smaller --size can do, but then the overlay can run full; nothing was changed' },
    );
  }
  const covers = cover !== undefined && sizeBytes >= cover;
  const actions: CreateAction[] = [
    {
      kind: 'create',
      summary: `allocate ${basename(file)}, ${Math.round(sizeBytes / MIB)} MiB${covers ? ', which can’t overflow' : ''}`,
      cost: { bytes: sizeBytes },
      file,
      sizeBytes,
    },
  ];
  if (base !== undefined) {
    const short = shortFingerprint(base.fingerprint);
    actions.push(
      { kind: 'digest', summary: `read the whole base (${base.name}), for later checks`, base: base.file },
      { kind: 'bind', summary: `bind it to the system ${short} (${base.name})`, file, base: base.file },
    );
  }
  actions.push({ kind: 'name', summary: `give it its name, ${basename(file)}`, file });
  return {
    title: `Create the overlay ${shown}`,
    actions,
    notes: [
      ...(wishedBytes !== undefined && sizeBytes > wishedBytes && wishedBytes > SMALLEST_COW_BYTES
        ? ['with the size asked for, a snapshot breaks when it is full: the file is one block larger']
        : []),
      ...(base !== undefined && !covers
        ? ['the file is smaller than the system: the overlay can run full; holdfast overlay watch warns and grows it']
        : []),
      ...(base === undefined ? ['the first boot with this file binds it to the system that runs then'] : []),
    ],
  };
}

/**
 * An upgrade freezes the partition of the system images for a moment, and a root that is kept there would stand still.
 * @throws HoldfastError HF-USAGE for a set on that partition.
 */
function refuseStatePartition(directory: string, base: BasePlace | undefined): void {
  if (base === undefined || base.name.startsWith('/') || statSync(directory).dev !== statSync(base.file).dev) return;
  throw new HoldfastError('HF-USAGE', 'an overlay can’t be on the partition with the system images', {
    hint: 'use another disk or partition; COS_PERSISTENT is one: LABEL=COS_PERSISTENT:/persist.img',
  });
}

/** Looks at what `planCreate` decides on. */
export function inspectCreate(set: string, shown: string, base: BasePlace | undefined): CreateFacts {
  const directory = dirname(set);
  if (!existsSync(directory)) throw new HoldfastError('HF-IO', `there is no directory for ${shown}: make it first`);
  refuseStatePartition(directory, base);
  const file = fileToCreate(set, base);
  const bound = readBinding(sidecarFile(set));
  const seedIsTaken =
    base !== undefined && bound !== undefined && 'fingerprint' in bound && bound.fingerprint === base.fingerprint;
  const existing = existsSync(file) ? file : seedIsTaken && existsSync(set) ? set : undefined;
  return { set, shown, base, existing, freeBytes: freeBytes(directory) };
}

export interface CreateState {
  base: BasePlace | undefined;
  now: Date;
  /** Found by the action `digest`. */
  baseSha256?: string;
}

export const CREATE_PERFORMERS: Performers<CreateAction, CreateState> = {
  create: async ({ file, sizeBytes }, { undo, signal, progress }) => {
    await lockSet(undo, file);
    if (existsSync(file)) throw new HoldfastError('HF-STATE', `${file} was made by another process`);
    const at = unfinishedFile(file);
    // What a killed run left: nobody else is at it, by the lock.
    rmSync(at, { force: true });
    undo.onFailure(`remove ${at}`, () => rmSync(at, { force: true }));
    await createBlankCow(at, sizeBytes, {
      signal,
      progress: (done, total) => progress({ done, total, unit: 'bytes' }),
    });
  },
  digest: async ({ base }, { signal, progress }, state) => {
    state.baseSha256 = await digestBase(base, {
      signal,
      progress: (done, total) => progress({ done, total, unit: 'bytes' }),
    });
  },
  bind: async ({ file, base }, { undo }, state) => {
    if (state.base === undefined) return;
    const { type = 'ext4' } = await probeFilesystem(base);
    const sidecar = sidecarFile(file);
    undo.onFailure(`remove ${sidecar}`, () => rmSync(sidecar, { force: true }));
    writeBinding(sidecar, {
      fingerprint: state.base.fingerprint,
      baseSizeBytes: state.base.sizeBytes,
      ...(state.baseSha256 === undefined ? {} : { baseSha256: state.baseSha256 }),
      created: state.now.toISOString(),
      state: 'ready',
      filesystem: type,
    });
  },
  name: ({ file }) => {
    renameSync(unfinishedFile(file), file);
    fsyncPath(dirname(file));
  },
};
