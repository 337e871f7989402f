// Which version is installed, and whether an image says by its label that it is older, before anything of it is fetched.

import { Root } from '../system/root.ts';
import { readOsRelease } from './bootable.ts';
import type { UpgradeFacts, UpgradeRequest } from './upgrade.ts';
import { judgeVersion, recordedVersion, type SystemVersion, systemVersion, VERSION_LABEL } from './version-rule.ts';

/**
 * What the active slot holds: as it was recorded, else as the running system says, where that is the active one.
 * @param root the running system.
 */
export function installedVersion(
  { installed, booted }: Pick<UpgradeFacts, 'installed' | 'booted'>,
  root: Root = new Root('/'),
): SystemVersion | undefined {
  const recorded = recordedVersion(installed.active);
  if (recorded !== undefined) return recorded;
  if (booted.slot !== 'active' || booted.replaced) return undefined;
  return systemVersion(readOsRelease(root));
}

/**
 * Refuses an image whose label is older than that of the installed one. What the label doesn't tell, os-release does,
 * when the new system is built.
 * @throws HoldfastError HF-TRUST
 */
export function refuseOlderImage(
  { image, allowDowngrade = false }: Pick<UpgradeRequest, 'image' | 'allowDowngrade'>,
  { installed }: Pick<UpgradeFacts, 'installed'>,
): void {
  const version = image.kind === 'oci' ? image.config.labels[VERSION_LABEL] : undefined;
  const before = installed.active?.imageVersion;
  if (version === undefined || before === undefined) return;
  const id = 'image';
  const { mayDowngrade = true, policy } = image.provenance ?? {};
  // Labels may count otherwise than os-release, which is what a minimum is about.
  const provenance = { minimumVersion: undefined, mayDowngrade, policy };
  judgeVersion({ candidate: { id, version }, installed: { id, version: before }, allowDowngrade, provenance });
}
