// Who has to vouch for an image, out of its name, the policy, what was asked for and the environment. Pure: the answer is
// data, and it alone decides whom verifyImage asks. Nothing in here falls back to less than it was asked for.

import type { Digest } from '../image/digest.ts';
import { shortDigest } from '../image/manifest.ts';
import { HoldfastError } from '../system/errors.ts';
import { TrustError } from './trust-error.ts';
import { parseTrustName } from './trust-name.ts';
import type { CosignRule, NotaryRule, TrustRule } from './trust-rule.ts';

/** What the command line and the settings ask for; the command line has won already. */
export interface TrustWishes {
  /** Who switched Notary off: `--no-verify`, or the setting with its place. */
  unverifiedBy?: string | undefined;
  cosign: boolean;
  /** Any of them. */
  cosignKeys: readonly string[];
  /** Who names them, for messages; default `--cosign-key`. */
  cosignKeysBy?: string | undefined;
  cosignIssuer?: string | undefined;
  cosignIdentity?: string | undefined;
  trustedRoot?: string | undefined;
  /** Settings of the variables below, which the environment wins over. */
  variables: TrustVariables;
}

/** The variables of docker and of cOS's cosign plug-in, by their names. */
export type TrustVariables = Readonly<Partial<Record<(typeof TRUST_VARIABLES)[number], string | undefined>>>;

export const TRUST_VARIABLES = [
  'COSIGN_REPOSITORY',
  'COSIGN_PUBLIC_KEY_LOCATION',
  'COSIGN_EXPERIMENTAL',
  'COSIGN_SKIP',
  'DOCKER_CONTENT_TRUST',
  'DOCKER_CONTENT_TRUST_SERVER',
] as const;

/** One signature of cosign that must be there. */
export interface CosignDemand extends CosignRule {
  /** Who asks for it, for messages. */
  from: string;
}

export interface NotaryDemand extends NotaryRule {
  gun: string;
  tag: string;
  /** Where DOCKER_CONTENT_TRUST_SERVER or the policy say that it is. */
  configuredServer: string | undefined;
  /** What the signed digest has to be, when it was named beside the tag. */
  mustBe: Digest | undefined;
}

export interface TrustNotice {
  level: 'info' | 'warning';
  text: string;
}

export interface TrustDecision {
  /** The image's name, for messages. */
  name: string;
  /** `HOST/REPOSITORY`; undefined for an image on a medium. */
  repository: string | undefined;
  notary: NotaryDemand | undefined;
  /** All of them. */
  cosign: readonly CosignDemand[];
  /** The content was named by its digest. */
  pinned: Digest | undefined;
  /** Why nobody vouches for it, where nobody is asked. */
  unverified: string | undefined;
  notices: readonly TrustNotice[];
  rule: TrustRule;
}

/**
 * Decides for an image in a registry.
 * @param reference `[HOST[:PORT]/]REPOSITORY[:TAG][@DIGEST]`.
 * @param ruleFor the policy.
 * @throws TrustError invalid-reference, identity-required; HoldfastError HF-USAGE when the policy doesn't listen to
 *   `--no-verify`.
 */
export function decideTrust(
  reference: string,
  ruleFor: (repository: string) => TrustRule,
  wishes: TrustWishes,
  environment: TrustVariables,
): TrustDecision {
  const { gun, tag, digest } = parseTrustName(reference);
  const rule = ruleFor(gun);
  const variables = { ...wishes.variables, ...withoutEmpty(environment) };
  const notices = [...noticesOf(variables)];
  const name = `${gun}${tag === undefined ? '' : `:${tag}`}${digest === undefined ? '' : `@${shortDigest(digest)}`}`;
  const { unverifiedBy } = wishes;
  if (unverifiedBy !== undefined && !rule.mayBeUnverified) {
    throw new HoldfastError('HF-USAGE', `${rule.from} does not let ${name} in with ${unverifiedBy}`, {
      hint: 'leave it out, or change the policy',
    });
  }
  const cosign = cosignDemands(rule, wishes, variables, name);
  // Only tags are looked up: who names the digest alone has decided on the content.
  const wantsNotary = unverifiedBy === undefined && rule.notary !== undefined && tag !== undefined;
  const notary: NotaryDemand | undefined = wantsNotary
    ? {
        ...rule.notary,
        firstUse: rule.notary?.firstUse ?? true,
        gun,
        tag,
        configuredServer: rule.notary?.server ?? variables.DOCKER_CONTENT_TRUST_SERVER,
        mustBe: digest,
      }
    : undefined;
  const pinned = digest;
  if (unverifiedBy !== undefined && tag !== undefined && pinned !== undefined) {
    notices.push({ level: 'warning', text: `${name}: ${unverifiedBy} leaves the tag unverified; the digest decides` });
  } else if (unverifiedBy !== undefined && tag !== undefined) {
    const rest = cosign.length > 0 ? '; cosign is asked all the same' : ' and whoever may write to it';
    const text = `${name} is not verified: ${unverifiedBy} trusts the registry${rest}`;
    notices.push({ level: 'warning', text });
  } else if (tag !== undefined && notary === undefined && cosign.length === 0) {
    notices.push({ level: 'warning', text: `${name} is not verified: ${rule.from} asks for no signature` });
  }
  if (tag === undefined) {
    notices.push({ level: 'info', text: `${name} is pinned by its digest; no signature of its tag is looked for` });
  }
  const isAsked = notary !== undefined || cosign.length > 0 || pinned !== undefined;
  return {
    name,
    repository: gun,
    notary,
    cosign,
    pinned,
    unverified: isAsked ? undefined : (unverifiedBy ?? `policy ${rule.from}`),
    notices,
    rule,
  };
}

/**
 * Decides for an image in a directory or an archive, which no Notary knows.
 * @throws TrustError identity-required.
 */
export function decideMediaTrust(
  name: string,
  rule: TrustRule,
  wishes: TrustWishes,
  environment: TrustVariables,
): TrustDecision {
  const variables = { ...wishes.variables, ...withoutEmpty(environment) };
  const cosign = cosignDemands(rule, wishes, variables, name);
  return {
    name,
    repository: undefined,
    notary: undefined,
    cosign,
    pinned: undefined,
    unverified: cosign.length > 0 ? undefined : 'local source',
    notices: cosign.length > 0 ? [...noticesOf(variables)] : [],
    rule,
  };
}

/** The policy's demand, and the command's own beside it: nobody's wish weakens the other's. */
function cosignDemands(rule: TrustRule, wishes: TrustWishes, variables: TrustVariables, name: string): CosignDemand[] {
  const repository = variables.COSIGN_REPOSITORY;
  const demands: CosignDemand[] = [];
  if (rule.cosign !== undefined) {
    demands.push({ ...rule.cosign, repository: rule.cosign.repository ?? repository, from: rule.from ?? 'the policy' });
  }
  const { cosign, cosignKeys, cosignIssuer: issuer, cosignIdentity: subject, trustedRoot } = wishes;
  const base = {
    identities: [],
    trustedRoot: trustedRoot ?? rule.cosign?.trustedRoot,
    repository,
    annotations: {},
    enforceReference: false,
    requireLog: false,
  };
  if ((issuer === undefined) !== (subject === undefined)) {
    throw new TrustError('identity-required', `${name}: an identity is an issuer and a subject, only one is named`, {
      hint: 'write both: --cosign-issuer https://… --cosign-identity …',
    });
  }
  if (cosignKeys.length > 0) demands.push({ ...base, keys: cosignKeys, from: wishes.cosignKeysBy ?? '--cosign-key' });
  // Beside a key it is a second signature: of two signers that are named neither may be left out.
  if (issuer !== undefined && subject !== undefined)
    demands.push({ ...base, keys: [], identities: [{ issuer, subject }], from: '--cosign-identity' });
  if (cosign && demands.length === 0) demands.push(bareDemand(base, variables, name));
  return demands;
}

/** `--cosign` alone: what COSIGN_… name. */
function bareDemand(base: Omit<CosignDemand, 'keys' | 'from'>, variables: TrustVariables, name: string): CosignDemand {
  const key = variables.COSIGN_PUBLIC_KEY_LOCATION;
  if (key !== undefined) return { ...base, keys: [key], from: 'COSIGN_PUBLIC_KEY_LOCATION' };
  const isKeyless = isOn(variables.COSIGN_EXPERIMENTAL);
  throw new TrustError(
    'identity-required',
    `${name}: ${isKeyless ? 'a keyless signature' : 'a signature of cosign'} is asked for, and nobody is named`,
    {
      hint: isKeyless
        ? 'anybody can sign without a key: name the signer with --cosign-issuer and --cosign-identity, or in the policy'
        : 'name the publisher: --cosign-key os.pub, COSIGN_PUBLIC_KEY_LOCATION, --cosign-identity, or the policy',
    },
  );
}

/** cOS's plug-in took any text, even 0, for a yes. */
function isOn(text: string | undefined): boolean {
  return text === '1' || text === 'true';
}

function* noticesOf(variables: TrustVariables): Generator<TrustNotice> {
  if (variables.COSIGN_SKIP !== undefined) {
    const text =
      'COSIGN_SKIP has no effect: nothing is left unverified by a pattern; the policy can name what needs no signature';
    yield { level: 'warning', text };
  }
  if (variables.DOCKER_CONTENT_TRUST === '0') {
    yield { level: 'warning', text: 'DOCKER_CONTENT_TRUST=0 has no effect: only --no-verify takes an unsigned image' };
  }
}

function withoutEmpty(variables: TrustVariables): TrustVariables {
  return Object.fromEntries(Object.entries(variables).filter(([, value]) => value !== undefined && value !== ''));
}
