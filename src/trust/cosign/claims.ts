// What a signature says, in either of cosign's layouts, and whether that is what was asked for. Only claims of a payload
// whose signature is good are ever looked at. Pure.

import { z } from 'zod';
import { type Digest, isDigest } from '../../image/digest.ts';
import { TrustError } from '../trust-error.ts';

export interface Claims {
  /** The digest of the image that was signed. */
  digest: Digest;
  /** The repository that the signer named; the newer layout has none. */
  reference: string | undefined;
  annotations: ReadonlyMap<string, string>;
}

export interface WantedClaims {
  digest: Digest;
  /** `HOST/REPOSITORY` that the image was asked for under; undefined for an image on a medium. */
  repository: string | undefined;
  /** Whether another repository refuses, or only warns: images are copied and mirrored. */
  enforceReference: boolean;
  annotations: Readonly<Record<string, string>>;
}

const SIMPLE_SIGNING = 'cosign container image signature';
const IN_TOTO = 'application/vnd.in-toto+json';
const STATEMENTS = ['https://in-toto.io/Statement/v1', 'https://in-toto.io/Statement/v0.1'];
const SIGN_PREDICATE = 'https://sigstore.dev/cosign/sign/v1';

const payloadSchema = z.object({
  critical: z.object({
    identity: z.object({ 'docker-reference': z.string() }),
    image: z.object({ 'docker-manifest-digest': z.string() }),
    type: z.string(),
  }),
  optional: z.record(z.string(), z.unknown()).nullish(),
});

const statementSchema = z.object({
  _type: z.string(),
  predicateType: z.string(),
  subject: z
    .array(
      z.object({
        digest: z.record(z.string(), z.string()),
        annotations: z.record(z.string(), z.unknown()).nullish(),
      }),
    )
    .max(64),
});

/**
 * The claims of the tag scheme's payload ("simple signing").
 * @throws TrustError payload-invalid, payload-type.
 */
export function parseSimpleSigning(payload: Buffer): Claims {
  const { critical, optional } = parse(payloadSchema, payload, 'the signed payload');
  if (critical.type !== SIMPLE_SIGNING) {
    throw new TrustError('payload-type', `the signed payload is no signature of an image but ${show(critical.type)}`);
  }
  return {
    digest: digest(critical.image['docker-manifest-digest']),
    reference: critical.identity['docker-reference'],
    annotations: texts(optional ?? {}),
  };
}

/**
 * The claims of a statement in a DSSE envelope.
 * @param type the envelope's payloadType, which the signature covers too.
 * @throws TrustError payload-invalid, payload-type.
 */
export function parseStatement(type: string, payload: Buffer): Claims {
  if (type !== IN_TOTO) throw new TrustError('payload-type', `the signed payload is ${show(type)} and no statement`);
  const statement = parse(statementSchema, payload, 'the signed statement');
  if (!STATEMENTS.includes(statement._type)) {
    throw new TrustError('payload-type', `the signed statement is of the unknown type ${show(statement._type)}`);
  }
  if (statement.predicateType !== SIGN_PREDICATE) {
    throw new TrustError(
      'payload-type',
      `the statement is no signature of an image but ${show(statement.predicateType)}`,
    );
  }
  const [subject, ...more] = statement.subject;
  if (subject === undefined || more.length > 0) {
    throw new TrustError(
      'payload-invalid',
      `the signed statement speaks of ${statement.subject.length} images, not of one`,
    );
  }
  const hex = Object.entries(subject.digest).find(([algorithm]) => algorithm === 'sha256')?.[1];
  return {
    digest: digest(`sha256:${hex}`),
    reference: undefined,
    annotations: texts(subject.annotations ?? {}),
  };
}

/**
 * Compares what was signed with what is wanted.
 * @returns what is odd but no reason to refuse.
 * @throws TrustError digest-mismatch, reference-mismatch, annotation-mismatch.
 */
export function checkClaims(claims: Claims, wanted: WantedClaims): TrustError[] {
  if (claims.digest !== wanted.digest) {
    throw new TrustError('digest-mismatch', `the signature is of ${claims.digest}, and the image is ${wanted.digest}`);
  }
  const warnings: TrustError[] = [];
  const other = otherReference(claims.reference, wanted.repository);
  if (other !== undefined) {
    const mismatch = new TrustError('reference-mismatch', other, {
      hint: 'copied and mirrored images are like that; sign the copy, or leave references out of the policy',
    });
    // Where the signer names no repository, only an enforced one is missing.
    if (wanted.enforceReference) throw mismatch;
    if (claims.reference !== undefined) warnings.push(mismatch);
  }
  for (const [key, value] of Object.entries(wanted.annotations)) {
    const found = claims.annotations.get(key);
    if (found === value) continue;
    const what = found === undefined ? 'does not have it' : `has ${show(found)}`;
    throw new TrustError(
      'annotation-mismatch',
      `the annotation ${show(key)} must be ${show(value)}; the signature ${what}`,
    );
  }
  return warnings;
}

function otherReference(found: string | undefined, repository: string | undefined): string | undefined {
  if (repository === undefined) return undefined;
  if (found === undefined) return `the signature names no repository, and ${repository} is wanted`;
  if (normalised(found) === normalised(repository)) return undefined;
  return `the signature was made for ${show(found)}, not for ${repository}`;
}

/** go-containerregistry writes docker.io as index.docker.io. */
function normalised(reference: string): string {
  return reference.replace(/^index\.docker\.io\//, 'docker.io/');
}

function digest(text: string): Digest {
  if (isDigest(text)) return text;
  throw new TrustError('payload-invalid', `the signed payload names no digest of an image but ${show(text)}`);
}

/** Only texts can be asked for. */
function texts(values: Readonly<Record<string, unknown>>): ReadonlyMap<string, string> {
  return new Map(
    Object.entries(values).flatMap(([key, value]) => (typeof value === 'string' ? [[key, value] as const] : [])),
  );
}

function parse<T>(schema: z.ZodType<T>, payload: Buffer, what: string): T {
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(payload));
  } catch (cause) {
    throw new TrustError('payload-invalid', `${what} is not JSON`, { cause });
  }
  const result = schema.safeParse(value);
  if (result.success) return result.data;
  const [issue] = result.error.issues;
  throw new TrustError(
    'payload-invalid',
    `${what} is not what it should be at ${issue?.path.join('.')}: ${issue?.message}`,
  );
}

/** A stranger's text as part of a sentence. */
function show(text: string): string {
  return JSON.stringify(text.length > 200 ? `${text.slice(0, 200)}…` : text);
}
