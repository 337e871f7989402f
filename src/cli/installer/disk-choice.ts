// Which disk an unattended install takes where its configuration says `auto`: the rule, and nothing else. It would rather
// refuse than guess, since what it erases is gone.

import { formatBytes } from '../../lifecycle/sizes.ts';
import { HoldfastError } from '../../system/errors.ts';
import type { DiskOffer } from './answers.ts';

/** How the refusal of a disk begins that something on this machine works with. */
export const IN_USE = 'it is in use';

const isEmpty = ({ content }: DiskOffer) => content === 'nothing' || content === 'unfinished';

/**
 * Chooses the disk. Without `force` it is the only empty disk, or of several the largest, if one is; and none at all when
 * any disk holds an installed system. With `force` the disk that holds such a system comes first, then the empty ones (unless
 * another one has partitions of a system, which may be its data), then the only disk there is.
 * @throws HoldfastError HF-ALREADY-INSTALLED, HF-TARGET with every disk that there is.
 */
export function chooseDisk(disks: readonly DiskOffer[], { force }: { force: boolean }): DiskOffer {
  const installed = disks.filter(({ content }) => content === 'system');
  const [first] = installed;
  if (!force && first !== undefined) {
    throw new HoldfastError(
      'HF-ALREADY-INSTALLED',
      `${first.path} already holds an installed system: nothing is done`,
      {
        hint: 'take the installation medium out and reboot; to erase that system: force: true',
      },
    );
  }
  const usable = disks.filter(({ refusal }) => refusal === undefined);
  const seen = disks.length === 0 ? 'there is no disk' : disks.map(describe).join('; ');
  const refuse = (why: string) =>
    new HoldfastError('HF-TARGET', `no disk can be chosen: ${why} (${seen})`, {
      hint: 'name it in the configuration, device: /dev/disk/by-id/…; nothing was changed',
    });
  if (usable.length === 0) throw refuse('none can be installed on');
  if (force) {
    const held = usable.filter(({ content }) => content === 'system');
    if (held.length > 1) throw refuse('several hold an installed system');
    const [holder] = held;
    if (holder !== undefined) return holder;
  }
  const empty = usable.filter(isEmpty);
  if (empty.length > 0) {
    const kept = force ? usable.find(({ content }) => content === 'partitions') : undefined;
    if (kept !== undefined)
      throw refuse(`${kept.path} has partitions of an installed system, and an empty one is there`);
    const [largest, second] = empty.toSorted((a, b) => b.sizeBytes - a.sizeBytes);
    if (largest !== undefined && second?.sizeBytes !== largest.sizeBytes) return largest;
    throw refuse('several empty ones are of the same size');
  }
  const [only, other] = usable;
  // One that somebody works with is a disk of this machine, too.
  const isOnly = other === undefined && !disks.some(({ refusal }) => refusal?.startsWith(IN_USE));
  if (force && only !== undefined && isOnly) return only;
  throw refuse(force ? 'none is empty, and there are several' : 'none is empty');
}

function describe({ path, sizeBytes, content, refusal }: DiskOffer): string {
  return `${path}, ${formatBytes(sizeBytes)}, ${refusal ?? contentWords(content)}`;
}

/** What is on a disk, in words. */
export function contentWords(content: DiskOffer['content']): string {
  return {
    nothing: 'empty',
    unfinished: 'an install that was cut short',
    system: 'an installed system',
    partitions: 'the partitions of an installed system',
    other: 'not empty',
  }[content];
}
