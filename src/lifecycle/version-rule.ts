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
  /** Which of the two: they count different things. Undefined where it was not recorded. */
  from?: VersionName | undefined;
}

export type VersionName = 'IMAGE_VERSION' | 'VERSION_ID';

/** Something is installed, and nobody wrote down what. */
const UNKNOWN: SystemVersion = { id: undefined, version: undefined };

/** What replaces an installed system is measured by it. */
export interface Replaced {
  /** Undefined where nobody knows. */
  installed: SystemVersion | undefined;
  allowDowngrade: boolean;
}

/** What the person should know; a warning where something differs, and not merely nobody knows. */
export interface VersionRemark {
  level: 'info' | 'warning';
  text: string;
}

/** An image has a name and a version of its own, beside those of the distribution that it is made from. */
export function systemVersion({
  id,
  imageId,
  version,
  versionId,
}: Pick<ReturnType<typeof parseOsRelease>, 'id' | 'imageId' | 'version' | 'versionId'>): SystemVersion {
  if (version) return { id: imageId || id, version, from: 'IMAGE_VERSION' };
  return versionId ? { id, version: versionId, from: 'VERSION_ID' } : { id, version: undefined };
}

export interface VersionQuestion {
  /** What shall be installed. */
  candidate: SystemVersion;
  /** What it replaces; undefined where there is nothing. */
  replaced: Replaced | undefined;
  provenance: Pick<Provenance, 'minimumVersion' | 'mayDowngrade' | 'policy'> | undefined;
}

/**
 * Whether a version may be installed.
 * @returns what the person should know: that an older system is taken, or that nobody could tell.
 * @throws HoldfastError HF-TRUST for one that is too old, and where the policy refuses older ones and nobody can tell.
 */
export function judgeVersion({ candidate, replaced, provenance }: VersionQuestion): VersionRemark[] {
  const { minimumVersion, mayDowngrade = true, policy = 'the policy' } = provenance ?? {};
  const installed = replaced && (replaced.installed ?? UNKNOWN);
  if (minimumVersion !== undefined) requireMinimum(candidate, installed, { minimumVersion, policy });
  if (replaced === undefined || installed === undefined) return [];
  const doubt = whyIncomparable(candidate, installed);
  if (doubt !== undefined) {
    if (mayDowngrade) return [doubt];
    throw new HoldfastError('HF-TRUST', `${policy} lets no older system in, and ${doubt.text}`, {
      hint: 'if it is meant, let the policy say so for this image: downgrade: flag',
    });
  }
  const { version = '' } = candidate;
  const { version: before = '' } = installed;
  if (compareVersions(version, before) >= 0) return [];
  const { allowDowngrade } = replaced;
  if (allowDowngrade && mayDowngrade) {
    const text = `version ${version} is older than ${before}, which is installed; --allow-downgrade takes it`;
    return [{ level: 'warning', text }];
  }
  throw new HoldfastError(
    'HF-TRUST',
    `the image is version ${version}, and ${before} is installed${allowDowngrade ? `; ${policy} lets no older one in` : ''}`,
    {
      hint: mayDowngrade
        ? 'whoever can choose the image may want an old hole back; if it is meant: --allow-downgrade. To go back to the system before: holdfast rollback'
        : 'to go back to the system that ran before: holdfast rollback',
    },
  );
}

/** Why two versions can't be compared; undefined where they can. */
function whyIncomparable(candidate: SystemVersion, installed: SystemVersion): VersionRemark | undefined {
  const isKnown = installed.id !== undefined || installed.version !== undefined;
  if (isKnown && installed.id !== candidate.id) {
    const text = `the image is another system (${nameOf(candidate)}) than the installed one (${nameOf(installed)}); their versions were not compared`;
    return { level: 'warning', text };
  }
  if (installed.version === undefined) {
    const text = 'it is not known which version is installed; nobody can tell whether the image is older';
    return { level: 'info', text };
  }
  if (candidate.version === undefined) {
    const text = `the image names no version, and ${installed.version} is installed; nobody can tell whether it is older`;
    return { level: 'warning', text };
  }
  if (!countsAlike(candidate, installed)) {
    const text = `the image has its version from ${candidate.from}, and the installed system from ${installed.from}; they were not compared`;
    return { level: 'warning', text };
  }
  return undefined;
}

/** A minimum is one of the installed system's versions, so it says nothing of what counts otherwise. */
function requireMinimum(
  candidate: SystemVersion,
  installed: SystemVersion | undefined,
  { minimumVersion, policy }: { minimumVersion: string; policy: string },
): void {
  const refusal = (why: string, hint: string) =>
    new HoldfastError('HF-TRUST', `${policy} wants version ${minimumVersion} at least, and the image ${why}`, { hint });
  const { version } = candidate;
  const itsVersion = 'os-release of the image says which version it is: IMAGE_VERSION, or VERSION_ID';
  if (installed?.id !== undefined && installed.id !== candidate.id) {
    throw refusal(
      `is another system (${nameOf(candidate)}) than the installed one (${nameOf(installed)})`,
      'to change to another system, let the policy ask for no minimum of it',
    );
  }
  if (version === undefined) throw refusal('names no version', itsVersion);
  if (installed !== undefined && !countsAlike(candidate, installed)) {
    throw refusal(`has only ${candidate.from}, while the installed system has ${installed.from}`, itsVersion);
  }
  if (compareVersions(version, minimumVersion) < 0) throw refusal(`is ${version}`, itsVersion);
}

function countsAlike({ from: a }: SystemVersion, { from: b }: SystemVersion): boolean {
  return a === undefined || b === undefined || a === b;
}

function nameOf({ id }: SystemVersion): string {
  return id ?? 'without ID';
}

/** The version of an image before it is unpacked, from its label: comparable only with the label of the installed one. */
export const VERSION_LABEL = 'org.opencontainers.image.version';

/** What state.yaml says of an installed system; undefined where it was written by somebody else. */
export function recordedVersion(deployment: Deployment | undefined): SystemVersion | undefined {
  if (deployment?.version === undefined) return undefined;
  const { os: id, version, versionFrom: from } = deployment;
  return { id, version, from };
}

/** What state.yaml shall say of a system. */
export function versionRecord({
  id,
  version,
  from,
}: SystemVersion): Pick<Deployment, 'os' | 'version' | 'versionFrom'> {
  return {
    ...(id === undefined ? {} : { os: id }),
    ...(version === undefined ? {} : { version }),
    ...(from === undefined ? {} : { versionFrom: from }),
  };
}
