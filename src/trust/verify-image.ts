// Asks everybody whom the decision names, before anything of an image is downloaded. What comes out is one digest, and
// the pull that follows is by that digest: a tag is resolved once, here, or by its signature.

import type { Digest } from '../image/digest.ts';
import type { Provenance, Verification } from '../image/provenance.ts';
import type { RegistryOptions } from '../image/registry/session.ts';
import { openRepository, type Repository } from '../image/repository.ts';
import { HoldfastError } from '../system/errors.ts';
import type { CosignAnswer, CosignQuestion } from './cosign/verify.ts';
import type { CosignDemand, NotaryDemand, TrustDecision, TrustNotice } from './decide.ts';
import type { NotaryAnswer } from './notary/verify.ts';
import { TrustError } from './trust-error.ts';
import type { TrustRule } from './trust-rule.ts';

/** Who is asked, so that tests can put others in their place. */
export interface Verifiers {
  notary: (demand: NotaryDemand) => Promise<NotaryAnswer>;
  cosign: (demand: CosignDemand, question: Omit<CosignQuestion, 'wish'>) => Promise<CosignAnswer>;
}

export interface VerifyImageOptions {
  verifiers: Verifiers;
  registry: RegistryOptions;
  /** The repository of the image on a medium, with what its name leads to there. */
  medium?: { repository: Repository; digest: Digest; alternatives: readonly Digest[] } | undefined;
  /** Bundles of signatures in files beside an image on a medium. */
  files?: CosignQuestion['files'];
  /** Opens the repository of an image's name; default: the registry. */
  open?: (reference: string) => Promise<Repository>;
}

export interface VerifiedImage {
  /** What to pull; undefined where nobody was asked and the name alone leads to the content. */
  digest: Digest | undefined;
  /** As signed; undefined where nobody signed it. */
  sizeBytes: number | undefined;
  provenance: Provenance;
  notices: readonly TrustNotice[];
}

/**
 * Verifies an image, or refuses it. Nothing is ever verified less than the decision says.
 * @param reference the name without tag and digest: `HOST/REPOSITORY`; undefined for an image on a medium.
 * @throws TrustError with its reason; HoldfastError of the network, of keys and of policies.
 */
export async function verifyImage(decision: TrustDecision, options: VerifyImageOptions): Promise<VerifiedImage> {
  const { notary, cosign, pinned, rule } = decision;
  const notices: TrustNotice[] = [];
  const verifiedBy: Verification[] = [];
  let digest = pinned;
  let sizeBytes: number | undefined;
  if (notary !== undefined) {
    const answer = await options.verifiers.notary(notary);
    if (notary.mustBe !== undefined && answer.digest !== notary.mustBe) {
      throw new TrustError(
        'digest-mismatch',
        `${notary.gun}:${notary.tag} is signed for ${answer.digest}, and ${notary.mustBe} was named`,
        { hint: 'leave out the digest to take what is signed, or the tag to take what was named' },
      );
    }
    ({ digest, sizeBytes } = answer);
    notices.push(...answer.notices);
    verifiedBy.push(toVerification(answer));
  } else if (pinned !== undefined) {
    verifiedBy.push({ by: 'digest', text: 'digest named by the user' });
  }
  if (cosign.length > 0) {
    const signed = await askCosign(decision, digest, options);
    digest = signed.digest;
    verifiedBy.push(...signed.verifiedBy);
    notices.push(...signed.notices);
  }
  if (verifiedBy.length === 0) verifiedBy.push(...unverified(decision).verifiedBy);
  for (const { by, text } of verifiedBy) {
    if (by === 'notary' || by === 'cosign')
      notices.push({ level: 'info', text: `${decision.name} is verified: ${text}` });
  }
  return {
    digest,
    sizeBytes,
    notices,
    provenance: toProvenance(rule, verifiedBy),
  };
}

/** Of what nobody is asked about. */
export function unverified({ repository, unverified: why = 'nobody was asked', rule }: TrustDecision): Provenance {
  const text = repository === undefined ? `no signature (${why})` : `NOT VERIFIED (${why})`;
  return toProvenance(rule, [{ by: 'nobody', text }]);
}

function toProvenance(rule: TrustRule, verifiedBy: readonly Verification[]): Provenance {
  const { minimumVersion, mayDowngrade, from: policy } = rule;
  return { verifiedBy, minimumVersion, mayDowngrade, policy };
}

async function askCosign(decision: TrustDecision, known: Digest | undefined, options: VerifyImageOptions) {
  const { repository: name, cosign } = decision;
  const { medium, files = [], registry } = options;
  const open = options.open ?? ((reference: string) => openRepository({ kind: 'registry', reference }, registry));
  const image = medium?.repository ?? (await open(name ?? decision.name));
  const digest = known ?? medium?.digest ?? (await resolve(image, decision));
  // On a medium the name may lead to an index, or past it to the image for this machine: either may be what was signed.
  const digests = medium === undefined ? [digest] : [digest, ...medium.alternatives];
  const verifiedBy: Verification[] = [];
  const notices: TrustNotice[] = [];
  for (const demand of cosign) {
    const signatures = demand.repository === undefined ? image : await open(demand.repository);
    const answer = await firstGood(digests, (each) =>
      options.verifiers.cosign(demand, { digest: each, repository: name, signatures, files }),
    );
    for (const { message } of answer.warnings) notices.push({ level: 'warning', text: `cosign: ${message}` });
    verifiedBy.push(describeSigner(answer));
  }
  return { digest, verifiedBy, notices };
}

/** The answer for one of several digests of the same image; the first refusal where there is none. */
async function firstGood(
  digests: readonly Digest[],
  ask: (digest: Digest) => Promise<CosignAnswer>,
): Promise<CosignAnswer> {
  let first: unknown;
  for (const digest of digests) {
    try {
      return await ask(digest);
    } catch (error) {
      if (!(error instanceof TrustError) || error.reason !== 'no-signatures') throw first ?? error;
      first ??= error;
    }
  }
  throw first ?? new TypeError('an image has a digest');
}

/** What a tag leads to now, once; from here on only the digest is used. */
async function resolve(repository: Repository, { name }: TrustDecision): Promise<Digest> {
  const tag = /:([^:/@]+)$/.exec(name)?.[1];
  const found = tag === undefined ? undefined : await repository.manifest(tag);
  if (found !== undefined) return found.digest;
  throw new HoldfastError('HF-NO-SOURCE', `${repository.name} does not have ${name}`, { hint: 'is the name right?' });
}

function toVerification({ gun, tag, server, role, trust, timestampExpires }: NotaryAnswer): Verification {
  const keys = trust.keyIds.map((id) => id.slice(0, 12)).join(', ');
  const began = { certs: 'pinned', ca: 'by a pinned authority', 'first-use': 'trusted at first use' }[trust.rule];
  const until = timestampExpires.toISOString().slice(0, 10);
  return {
    by: 'notary',
    text: `Notary ${server}: tag ${tag} signed by ${role}, root key ${keys} ${began}, timestamp valid until ${until}`,
    gun,
    tag,
    server,
    role,
    rootKeys: trust.keyIds,
  };
}

function describeSigner({ signer, layout }: CosignAnswer): Verification {
  const who =
    signer.kind === 'key'
      ? `key ${signer.key.id.slice(0, 12)} (${signer.key.from})`
      : `${signer.identity.subject} (${signer.identity.issuer})`;
  return { by: 'cosign', text: `cosign: signed by ${who}`, signer: who, layout };
}
