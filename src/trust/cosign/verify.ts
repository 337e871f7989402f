// The verdict of cosign: one signature by a wanted signer, over this digest, with the claims that are asked for. All
// others are only told about, and when none is good the one that came furthest explains why.

import type { Digest } from '../../image/digest.ts';
import type { Repository } from '../../image/repository.ts';
import { HoldfastError } from '../../system/errors.ts';
import { TrustError, type TrustReason } from '../trust-error.ts';
import type { Candidate } from './candidate.ts';
import { checkClaims, type WantedClaims } from './claims.ts';
import { type BundleFile, findSignatures } from './find-signatures.ts';
import type { Identity } from './keyless.ts';
import { type CosignKey, isSignedBy } from './public-key.ts';

/** What is asked of a signature; any of the keys and identities will do. */
export interface CosignWish {
  keys: readonly CosignKey[];
  identities: readonly Identity[];
  /** The trusted root of Sigstore as text, and where it comes from: for identities, and for `requireLog`. */
  trustedRoot?: { text: string; from: string } | undefined;
  /** Whether a signature by a key must be in a transparency log too. */
  requireLog: boolean;
  enforceReference: boolean;
  annotations: Readonly<Record<string, string>>;
}

export interface CosignQuestion {
  digest: Digest;
  /** `HOST/REPOSITORY` under which the image was asked for; undefined for one on a medium. */
  repository: string | undefined;
  /** Where signatures are looked for. */
  signatures: Repository | undefined;
  /** Bundles in files beside an image on a medium. */
  files?: readonly BundleFile[];
  wish: CosignWish;
}

export interface CosignAnswer {
  signer: { kind: 'key'; key: CosignKey } | { kind: 'identity'; identity: Identity };
  layout: Candidate['layout'];
  annotations: ReadonlyMap<string, string>;
  /** What is odd but no reason to refuse. */
  warnings: TrustError[];
}

/** How far a signature came before it failed; the furthest failure is the one that says most. */
const PROGRESS: readonly TrustReason[] = [
  'blob-digest-mismatch',
  'signature-invalid',
  'tlog-missing',
  'tlog-invalid',
  'identity-mismatch',
  'payload-invalid',
  'payload-type',
  'digest-mismatch',
  'reference-mismatch',
  'annotation-mismatch',
];

/**
 * Looks for a good signature.
 * @throws TrustError identity-required when nobody was named, no-signatures, or why the best of them isn't good enough;
 *   HoldfastError HF-NETWORK and others when signatures can't be read at all, HF-CONFIG for a broken trusted root.
 */
export async function verifyCosign(question: CosignQuestion): Promise<CosignAnswer> {
  const { digest, repository, signatures, files = [], wish } = question;
  const judge = await judgeFor(wish);
  const wanted: WantedClaims = { ...wish, digest, repository };
  const unreadable: TrustError[] = [];
  const failures: TrustError[] = [];
  for await (const candidate of findSignatures(digest, signatures, files)) {
    if (candidate instanceof TrustError) {
      unreadable.push(candidate);
      continue;
    }
    try {
      const signer = judge(candidate);
      const claims = candidate.claims();
      const warnings = checkClaims(claims, wanted);
      const { layout } = candidate;
      return {
        signer,
        layout,
        annotations: claims.annotations,
        warnings: [...warnings, ...unreadable, ...otherLayout(failures)],
      };
    } catch (error) {
      if (!(error instanceof TrustError)) throw error;
      failures.push(error);
    }
  }
  throw furthest(failures.length > 0 ? failures : unreadable, question);
}

type Judge = (candidate: Candidate) => CosignAnswer['signer'];

async function judgeFor(wish: CosignWish): Promise<Judge> {
  const { keys, identities, requireLog, trustedRoot } = wish;
  if (keys.length === 0 && identities.length === 0) {
    throw new TrustError('identity-required', 'cosign is asked for, but neither a key nor an identity is named', {
      hint: 'name the publisher: --cosign-key os.pub, or --cosign-issuer and --cosign-identity; anybody can sign',
    });
  }
  if (!requireLog && identities.length === 0) return (candidate) => byKey(candidate, keys);
  if (trustedRoot === undefined) {
    throw new HoldfastError('HF-CONFIG', 'signatures without a key, or with a log, need the trusted root of Sigstore', {
      hint: 'name the file: --cosign-trusted-root trusted_root.json, or "trusted-root" in the policy',
    });
  }
  const { parseTrustedRoot, verifyKeyless, verifyLog } = await import('./keyless.ts');
  const root = parseTrustedRoot(trustedRoot.text, trustedRoot.from);
  return (candidate) => {
    const key = keys.find((each) => isSignedBy(each.key, candidate.signed, candidate.signature));
    if (key !== undefined) {
      if (requireLog) verifyLog(candidate, key.key, root);
      return { kind: 'key', key };
    }
    if (identities.length === 0) throw notByKey(candidate, keys);
    return { kind: 'identity', identity: verifyKeyless(candidate, identities, root) };
  };
}

function byKey(candidate: Candidate, keys: readonly CosignKey[]): CosignAnswer['signer'] {
  const key = keys.find((each) => isSignedBy(each.key, candidate.signed, candidate.signature));
  if (key === undefined) throw notByKey(candidate, keys);
  return { kind: 'key', key };
}

function notByKey({ where }: Candidate, keys: readonly CosignKey[]): TrustError {
  const names = keys.map(({ from, id }) => `${from} (${id.slice(0, 12)}…)`).join(' or ');
  return new TrustError('signature-invalid', `${where} is not by the key ${names}`);
}

/** A bad bundle beside a good tag is worth a line: it may be a mistake, or somebody's try. */
function otherLayout(failures: readonly TrustError[]): TrustError[] {
  return failures.filter(({ reason }) => reason !== 'signature-invalid' && reason !== 'identity-mismatch');
}

function furthest(failures: readonly TrustError[], { digest, signatures, files = [] }: CosignQuestion): TrustError {
  const best = failures.reduce<TrustError | undefined>(
    (most, failure) =>
      most === undefined || PROGRESS.indexOf(failure.reason) > PROGRESS.indexOf(most.reason) ? failure : most,
    undefined,
  );
  if (best !== undefined) {
    const count = failures.length === 1 ? '' : `; ${failures.length} signatures were looked at`;
    return count === '' ? best : again(best, count);
  }
  const places = [signatures?.name, ...files.map(({ name }) => name)].filter((place) => place !== undefined);
  return new TrustError('no-signatures', `there is no signature of cosign for ${digest}`, {
    hint: `looked at ${places.join(', ') || 'nothing'}: referrers, and the tag sha256-${digest.slice(7)}.sig`,
  });
}

function again(error: TrustError, count: string): TrustError {
  const message = error.message.replace(/^possible attack: /, '');
  return new TrustError(error.reason, `${message}${count}`, {
    cause: error,
    ...(error.hint !== undefined && { hint: error.hint }),
  });
}
