// What an image must prove, as a policy says it, and what holds without one. Kept apart from the file's parser, which most
// commands never need.

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
