// A signature says who made a system, not that it is newer: old ones stay signed. So the version of what was built is
// compared with the one that is installed, whether anybody verified the image or not. Pure.

import type { Provenance } from '../image/provenance.ts';
import type { Deployment } from '../slots/state-file.ts';
import { HoldfastError } from '../system/errors.ts';
import type { parseOsRelease } from './bootable.ts';
import { compareVersions } from './version.ts';

/** What a system says of itself in os-release. */
export interface SystemVersion {
  /** ID: `debian`; IMAGE_ID where there is one. Versions of different systems can't be compared. */
  id: string | undefined;
  /** IMAGE_VERSION, else VERSION_ID. */
  version: string | undefined;
}

/** An image has a name and a version of its own, beside those of the distribution that it is made from. */
export function systemVersion({
  id,
  imageId,
  version,
  versionId,
}: Pick<ReturnType<typeof parseOsRelease>, 'id' | 'imageId' | 'version' | 'versionId'>): SystemVersion {
  return version ? { id: imageId || id, version } : { id, version: versionId || undefined };
}

export interface VersionQuestion {
  /** What shall be installed. */
  candidate: SystemVersion;
  /** What is installed; undefined where that isn't known, or where nothing is. */
  installed: SystemVersion | undefined;
  /** `--allow-downgrade`. */
  allowDowngrade: boolean;
  provenance: Pick<Provenance, 'minimumVersion' | 'mayDowngrade' | 'policy'> | undefined;
}

/**
 * Whether a version may be installed.
 * @returns what the person should know: that an older system is taken, or that nobody could tell.
 * @throws HoldfastError HF-TRUST for one that is too old.
 */
export function judgeVersion({ candidate, installed, allowDowngrade, provenance }: VersionQuestion): string[] {
  const { minimumVersion, mayDowngrade = true, policy = 'the policy' } = provenance ?? {};
  const { version } = candidate;
  if (minimumVersion !== undefined && (version === undefined || compareVersions(version, minimumVersion) < 0)) {
    throw new HoldfastError(
      'HF-TRUST',
      `${policy} wants version ${minimumVersion} at least, and the image ${version === undefined ? 'names no version' : `is ${version}`}`,
      { hint: 'os-release of the image says which version it is: IMAGE_VERSION, or VERSION_ID' },
    );
  }
  if (installed?.version === undefined) return [];
  if (installed.id !== candidate.id) {
    return [
      `the image is another system (${candidate.id ?? 'without ID'}) than the installed one (${installed.id ?? 'without ID'}); their versions were not compared`,
    ];
  }
  if (version === undefined) {
    return [`the image names no version, and ${installed.version} is installed; nobody can tell whether it is older`];
  }
  if (compareVersions(version, installed.version) >= 0) return [];
  if (allowDowngrade && mayDowngrade) {
    return [`version ${version} is older than ${installed.version}, which is installed; --allow-downgrade takes it`];
  }
  throw new HoldfastError(
    'HF-TRUST',
    `the image is version ${version}, and ${installed.version} is installed${allowDowngrade ? `; ${policy} lets no older one in` : ''}`,
    {
      hint: mayDowngrade
        ? 'whoever can choose the image may want an old hole back; if it is meant: --allow-downgrade. To go back to the system before: holdfast rollback'
        : 'to go back to the system that ran before: holdfast rollback',
    },
  );
}

/** The version of an image before it is unpacked, from its label: comparable only with the label of the installed one. */
export const VERSION_LABEL = 'org.opencontainers.image.version';

/** What state.yaml says of an installed system; undefined where it was written by somebody else. */
export function recordedVersion(deployment: Deployment | undefined): SystemVersion | undefined {
  return deployment?.version === undefined ? undefined : { id: deployment.os, version: deployment.version };
}
