// Binds a COW of unknown origin to a base, on its owner's word: one that dracut's own live root made, or one whose sidecar
// was lost. What can be held against that word is looked at first; a COW over a wrong base mounts without any message.

import { rmSync } from 'node:fs';
import { HoldfastError } from '../system/errors.ts';
import { probeFilesystem } from '../system/filesystems.ts';
import { run, tailOf } from '../system/process.ts';
import { digestBase } from './base-digest.ts';
import type { BasePlace } from './base-place.ts';
import { type Binding, type BindingState, writeBinding } from './binding.ts';
import type { Work } from './byte-file.ts';
import { requireScratchRoom } from './check.ts';
import { readCow } from './cow-read.ts';
import { readSuperblock, shortFingerprint } from './fingerprint.ts';
import { requireContent, writeFlatImage } from './flat-image.ts';
import { requireUnused } from './in-use.ts';
import { sidecarFile } from './names.ts';

export interface AdoptRequest extends Work {
  file: string;
  base: BasePlace;
  /** What its sidecar says now. */
  binding: Binding | undefined;
  /** Bind it although it belongs to another base, or the file system of the view has errors. */
  force: boolean;
  scratch: string;
  now: Date;
}

/**
 * Looks whether a COW can belong to a base. What is forced is bound all the same, but held back until a repair has looked
 * at all of it.
 * @returns the state to bind it with.
 * @throws HoldfastError HF-STATE that says why not, unless it is forced; HF-LOCKED while it is in use.
 */
export async function requireAdoptable({
  file,
  base,
  binding,
  force,
  scratch,
  ...work
}: AdoptRequest): Promise<BindingState> {
  await requireUnused(file);
  if (binding?.state === 'building') {
    throw new HoldfastError('HF-STATE', `${file} was never finished: its making was broken off`, {
      hint: 'make it again; holdfast overlay drop removes it',
    });
  }
  if (force) return 'quarantined';
  const content = requireContent(await readCow(file, { baseBytes: base.sizeBytes }), file);
  if (!content.valid) {
    throw new HoldfastError('HF-STATE', `the kernel has marked ${file} invalid`, {
      hint: 'adopt it with --force, then repair it',
    });
  }
  if (binding !== undefined && binding.fingerprint !== base.fingerprint) {
    throw new HoldfastError(
      'HF-STATE',
      `${file} belongs to ${shortFingerprint(binding.fingerprint)}, not to ${base.name}`,
      {
        hint: 'over another system it shows a mixture of both; --force and then repair take what is right in it',
      },
    );
  }
  requireScratchRoom(scratch, base.sizeBytes);
  try {
    await writeFlatImage({ base: base.file, cow: file, to: scratch, ...work });
    if (!isSameFilesystem(readSuperblock(base.file), readSuperblock(scratch))) {
      throw new HoldfastError('HF-STATE', `${file} was made over another file system than that of ${base.name}`, {
        hint: 'over this one it shows a mixture of both; --force and then repair take what is right in it',
      });
    }
    await run(['e2fsck', '-p', scratch], { signal: work.signal });
    const { status, stdout } = await run(['e2fsck', '-f', '-n', scratch], { signal: work.signal });
    if (status === 0) return 'ready';
    throw new HoldfastError('HF-STATE', `${file} does not fit ${base.name}: together they are a damaged file system`, {
      outputTail: tailOf(stdout, 5),
      hint: 'was it made over another image? --force and then repair take what is right in it',
    });
  } finally {
    rmSync(scratch, { force: true });
  }
}

/** What a file system never changes in its superblock: number of blocks, UUID, and when it was made. */
const CONSTANT: readonly (readonly [offset: number, bytes: number])[] = [
  [0x04, 4],
  [0x68, 16],
  [0x108, 4],
];

/** A view that was ever written to has a superblock of its own, and with it the names of its first base. */
function isSameFilesystem(a: Buffer, b: Buffer): boolean {
  return CONSTANT.every(([at, bytes]) => a.subarray(at, at + bytes).equals(b.subarray(at, at + bytes)));
}

/** Writes the sidecar, with what an old one knew that still holds. */
export async function adoptCow(
  { file, base, now, binding: old, ...work }: AdoptRequest,
  state: BindingState,
): Promise<Binding> {
  const { type = 'ext4' } = await probeFilesystem(base.file);
  const same = old?.fingerprint === base.fingerprint ? old : undefined;
  const binding: Binding = {
    fingerprint: base.fingerprint,
    baseSizeBytes: base.sizeBytes,
    baseSha256: same?.baseSha256 ?? (await digestBase(base.file, work)),
    created: same?.created ?? now.toISOString(),
    ...(same?.parent === undefined ? {} : { parent: same.parent }),
    state,
    filesystem: type,
    ...(state === 'quarantined' ? { note: 'it was adopted by force; a repair looks at all of it' } : {}),
  };
  writeBinding(sidecarFile(file), binding);
  return binding;
}
