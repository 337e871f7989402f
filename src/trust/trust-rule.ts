// What an image must prove, as a policy says it, and what holds without one. Kept apart from the file's parser, which most
// commands never need.

import { lstatSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
import { errnoOf, HoldfastError } from '../system/errors.ts';

export const POLICY_FILE = '/etc/holdfast/policy.yaml';
export interface NotaryRule {
  server?: string | undefined;
  caFile?: string | undefined;
  rootKeys?: readonly string[] | undefined;
  rootCaFile?: string | undefined;
  firstUse: boolean;
}

export interface CosignRule {
  keys: readonly string[];
  identities: readonly { issuer: string; subject: string }[];
  trustedRoot: string | undefined;
  repository: string | undefined;
  annotations: Readonly<Record<string, string>>;
  enforceReference: boolean;
  requireLog: boolean;
}

/** What one image must prove. */
export interface TrustRule {
  /** For messages: `/etc/holdfast/policy.yaml:4 (registry.example/os/*)`; undefined where no policy says anything. */
  from: string | undefined;
  notary: NotaryRule | undefined;
  cosign: CosignRule | undefined;
  /** Whether `--no-verify` is heard. */
  mayBeUnverified: boolean;
  /** Whether `--allow-downgrade` is heard. */
  mayDowngrade: boolean;
  minimumVersion: string | undefined;
}

export interface Policy {
  /** The rule for an image of a registry. @param repository `HOST/REPOSITORY`. */
  forRepository(repository: string): TrustRule;
  /** The rule for an image in a directory or an archive. */
  forMedia(): TrustRule;
}

/** Without a policy: Notary, as everywhere; nothing is asked of images on media. */
export const NO_RULE: TrustRule = {
  from: undefined,
  notary: { firstUse: true },
  cosign: undefined,
  mayBeUnverified: true,
  mayDowngrade: true,
  minimumVersion: undefined,
};

/** Of a machine without a policy file. */
export const NO_POLICY: Policy = {
  forRepository: () => NO_RULE,
  forMedia: () => ({ ...NO_RULE, notary: undefined }),
};

/**
 * Whether there is a policy, be it one that can't be read. A link that leads nowhere is one: on a machine whose policy is
 * on a partition that isn't mounted nothing may be let in as if nobody had asked for anything.
 * @throws HoldfastError HF-CONFIG when that can't be known.
 */
export function hasPolicy(path: string = POLICY_FILE): boolean {
  try {
    let at = path;
    while (!isThere(at)) at = dirname(at);
    // A directory above it that is a link must lead somewhere, too.
    if (at !== path) statSync(at);
    return at === path;
  } catch (cause) {
    throw new HoldfastError('HF-CONFIG', `whether there is a policy at ${path} can't be known`, {
      cause,
      hint: 'nothing is installed until it can be read',
    });
  }
}

function isThere(path: string): boolean {
  try {
    lstatSync(path);
    return true;
  } catch (error) {
    if (errnoOf(error) === 'ENOENT' || errnoOf(error) === 'ENOTDIR') return false;
    throw error;
  }
}
