// Where the system of a reset or a deploy comes from: a named image, or the recovery system of this machine.

import { existsSync, statSync } from 'node:fs';
import { join } from 'node:path';
import type { Image } from '../image/image.ts';
import { measureImage } from '../image/measure.ts';
import { openTree } from '../image/tree.ts';
import { RECOVERY_SQUASHFS } from '../slots/names.ts';
import { filledBytes } from '../slots/slot-file.ts';
import { HoldfastError } from '../system/errors.ts';
import { mount, unmount } from '../system/mounts.ts';
import type { RebuildSource } from './rebuild.ts';
import { recoveryFile } from './records.ts';
import { readPartition, type Session } from './session.ts';

/**
 * Opens the system: an image is read from end to end, a recovery system's image file is copied later as it is.
 * @throws HoldfastError HF-NO-SOURCE when nothing is named and there is no recovery system.
 */
export async function openRebuildSource(
  session: Session,
  named: Image | undefined,
): Promise<{ facts: RebuildSource; image?: Image; file?: string }> {
  const measured = async (image: Image) => ({
    kind: 'image' as const,
    digest: image.kind === 'oci' ? image.digest : undefined,
    source: image.source,
    measured: await measureImage(image, {
      signal: session.signal,
      onProgress: (progress) => session.events({ type: 'action-progress', index: -1, ...progress }),
    }),
  });
  if (named !== undefined) return { facts: await measured(named), image: named };
  if (session.partitions.recovery === undefined && existsSync(LIVE_ROOT)) {
    const image = openTree(LIVE_ROOT);
    return { facts: await measured(image), image };
  }
  const directory = await readPartition(session, 'recovery');
  const name = recoveryFile(directory);
  const file = join(directory, name);
  const stat = statSync(file, { throwIfNoEntry: false });
  if (stat === undefined) {
    throw new HoldfastError('HF-NO-SOURCE', 'the recovery partition holds no recovery system to take', {
      hint: 'name an image: --system IMAGE',
    });
  }
  if (name !== RECOVERY_SQUASHFS) {
    return { facts: { kind: 'recovery-image', fileBytes: stat.size, filledBytes: filledBytes(file) }, file };
  }
  const at = join(session.workDirectory, 'source');
  await mount(file, at, { type: 'squashfs', options: ['ro', 'loop'] });
  session.undo.always(`unmount ${at}`, () => unmount(at));
  const image = openTree(at);
  return { facts: await measured(image), image };
}

/** The tree of a system that was booted over the network or from a live medium. */
const LIVE_ROOT = '/run/rootfsbase';
