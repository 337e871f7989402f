// Which version is installed, and whether an image says by its label that it is older, before anything of it is fetched.

import type { BootedSystem } from '../slots/booted.ts';
import type { Deployment } from '../slots/state-file.ts';
import { Root } from '../system/root.ts';
import { readOsRelease } from './bootable.ts';
import type { UpgradeFacts, UpgradeRequest } from './upgrade.ts';
import { judgeVersion, recordedVersion, type SystemVersion, systemVersion, VERSION_LABEL } from './version-rule.ts';

/**
 * The slot whose version counts: the active one. Only a machine that runs its fallback is measured by that, since the
 * active system didn't work, and whatever follows it may be a repaired older one.
 */
function countingSlot({ slot }: UpgradeFacts['booted']): 'active' | 'passive' {
  return slot === 'passive' ? 'passive' : 'active';
}

/**
 * The version of what is installed: as it was recorded, else as the running system says, where that is the one.
 * @param root the running system.
 */
export function installedVersion(
  { installed, booted }: Pick<UpgradeFacts, 'installed' | 'booted'>,
  root: Root = new Root('/'),
): SystemVersion | undefined {
  const slot = countingSlot(booted);
  const recorded = recordedVersion(installed[slot]);
  if (recorded !== undefined) return recorded;
  if (booted.slot !== slot || booted.replaced) return undefined;
  return systemVersion(readOsRelease(root));
}

/** The version of the recovery system that is there, by the same rule. */
export function recoveryVersion(
  { deployment, booted }: { deployment: Deployment | undefined; booted: BootedSystem },
  root: Root = new Root('/'),
): SystemVersion | undefined {
  const recorded = recordedVersion(deployment);
  if (recorded !== undefined || booted.slot !== 'recovery' || booted.replaced) return recorded;
  return systemVersion(readOsRelease(root));
}

/**
 * Refuses an image whose label is older than that of the installed one. What the label doesn't tell, os-release does,
 * when the new system is built.
 * @throws HoldfastError HF-TRUST
 */
export function refuseOlderImage(
  { image, allowDowngrade = false }: Pick<UpgradeRequest, 'image' | 'allowDowngrade'>,
  { installed, booted }: Pick<UpgradeFacts, 'installed' | 'booted'>,
): void {
  const version = image.kind === 'oci' ? image.config.labels[VERSION_LABEL] : undefined;
  const before = installed[countingSlot(booted)]?.imageVersion;
  if (version === undefined || before === undefined) return;
  const id = 'image';
  const { mayDowngrade = true, policy } = image.provenance ?? {};
  // Labels may count otherwise than os-release, which is what a minimum is about.
  const provenance = { minimumVersion: undefined, mayDowngrade, policy };
  const replaced = { installed: { id, version: before }, allowDowngrade };
  judgeVersion({ candidate: { id, version }, replaced, provenance });
}
