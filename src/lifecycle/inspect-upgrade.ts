// What an upgrade finds: the installed systems, the image, and whether there is room for it. Nothing is changed here.

import { statSync } from 'node:fs';
import { join } from 'node:path';
import type { Image } from '../image/image.ts';
import { commonPrefix } from '../image/layers.ts';
import { measureImage } from '../image/measure.ts';
import type { BootedSystem } from '../slots/booted.ts';
import { pristineFile, SLOT_FILES } from '../slots/names.ts';
import { filledBytes, requireSpace } from '../slots/slot-file.ts';
import type { InstallationState } from '../slots/state-file.ts';
import { hasPristine, unfinishedBytes } from '../slots/swap.ts';
import type { Progress } from '../system/events.ts';
import { canShareBlocks } from '../system/mounts.ts';
import { Root } from '../system/root.ts';
import { inspectAssessment, refuseFailedImage } from './assessment.ts';
import { BOOTARGS, findsRootByImageLabel } from './bootable.ts';
import type { Installation } from './records.ts';
import { isUpToDate, keepsRunning, transitionSize, type UpgradeFacts, type UpgradeRequest } from './upgrade.ts';

/**
 * Looks at the machine and at the image; changes nothing. All of the image that will be used is read once, so that a
 * damaged one is found before the first write.
 * @param stateDirectory where COS_STATE can be read.
 */
export async function inspectUpgrade(
  request: UpgradeRequest,
  machine: { booted: BootedSystem; stateDevice: string; installation: Installation },
  stateDirectory: string,
  options: { signal?: AbortSignal; onProgress?: (progress: Progress) => void } = {},
): Promise<UpgradeFacts> {
  const { image } = request;
  const { booted, stateDevice, installation } = machine;
  const { state: installed, ids } = installation;
  const assessment = inspectAssessment(stateDirectory);
  const facts = {
    booted,
    stateDevice,
    installed,
    activeUuid: ids.active,
    hasPassive: ids.passive !== undefined,
    runsByImageLabel: booted.slot === 'active' && runsByImageLabel(),
    base: findBase(installed, image, stateDirectory),
    image: {
      digest: image.kind === 'oci' ? image.digest : undefined,
      source: image.source,
      layers: image.kind === 'oci' ? image.layers.length : 0,
    },
    assessment,
    warnings: [...installation.problems, ...assessment.problems],
  };
  refuseFailedImage(assessment, facts.image, request);
  if (isUpToDate(facts) && !request.force) {
    return { ...facts, measured: { contentBytes: 0, entries: 0, compressedBytes: 0 } };
  }
  const measured = await measureImage(image, { skipLayers: facts.base?.layers ?? 0, ...options });
  const sizeBytes = transitionSize({ ...facts, measured }, request);
  // A clone shares its blocks, but every one of them may have to be written anew: the room for all is asked for.
  requireSpace(stateDirectory, sizeBytes + passiveBytes(facts, stateDirectory), 'the new system', {
    reclaimableBytes: unfinishedBytes(stateDirectory),
  });
  return { ...facts, measured };
}

function runsByImageLabel(): boolean {
  return findsRootByImageLabel(new Root('/').readTextIfThere(BOOTARGS) ?? '');
}

/** What a passive copy with a label of its own takes. */
function passiveBytes(
  facts: Pick<UpgradeFacts, 'booted' | 'activeUuid' | 'runsByImageLabel'>,
  directory: string,
): number {
  if (!keepsRunning(facts) || !facts.runsByImageLabel || canShareBlocks(directory)) return 0;
  return statSync(join(directory, SLOT_FILES.active)).blocks * 512;
}

/** The installed image that shares the most leading layers with the new one and whose pristine is there. */
export function findBase(installed: InstallationState, image: Image, stateDirectory: string): UpgradeFacts['base'] {
  if (image.kind !== 'oci') return undefined;
  let best: UpgradeFacts['base'];
  for (const slot of ['active', 'passive'] as const) {
    const deployment = installed[slot];
    if (deployment?.digest === undefined || !hasPristine(stateDirectory, deployment.digest)) continue;
    const shared = commonPrefix(deployment.layers, image);
    // All layers of the base must be in the new image: what a layer put there can't be taken away again.
    if (shared === 0 || shared !== deployment.layers.length || shared <= (best?.layers ?? 0)) continue;
    const pristine = join(stateDirectory, pristineFile(deployment.digest));
    const slotBytes = statSync(pristine).size;
    best = { digest: deployment.digest, layers: shared, slotBytes, filledBytes: filledBytes(pristine) };
  }
  return best;
}
