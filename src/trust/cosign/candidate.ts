// One signature as it was found, whichever of cosign's two layouts it is in: what was signed, by what, and how its claims
// are read once the signature has turned out to be good.

import { createHash } from 'node:crypto';
import { z } from 'zod';
import { TrustError } from '../trust-error.ts';
import { type Claims, parseSimpleSigning, parseStatement } from './claims.ts';

export interface Candidate {
  layout: 'bundle' | 'tag';
  /** For messages: where it was found. */
  where: string;
  /** The bytes that the signature covers. */
  signed: Buffer;
  signature: Buffer;
  /** @throws TrustError payload-invalid, payload-type. */
  claims(): Claims;
  /** The document for `@sigstore/verify`, and the artifact that it needs beside it; undefined where there is none. */
  sigstore: { bundle: unknown; artifact: Buffer | undefined };
  /** Whether a certificate is there, which keyless signing needs. */
  hasCertificate: boolean;
  /** How many entries of a transparency log come with it. */
  logEntries: number;
}

/** cosign's annotations of a signature; its specification confuses the two prefixes, its code doesn't. */
export const SIGNATURE_ANNOTATION = 'dev.cosignproject.cosign/signature';
const CERTIFICATE = 'dev.sigstore.cosign/certificate';
const CHAIN = 'dev.sigstore.cosign/chain';
const BUNDLE = 'dev.sigstore.cosign/bundle';
const TIMESTAMP = 'dev.sigstore.cosign/rfc3161timestamp';

const MAX_SIGNATURE_BYTES = 16 << 10;

/** Rekor's entry as cosign attaches it (cosign, pkg/cosign/bundle). */
const rekorSchema = z.object({
  SignedEntryTimestamp: z.string(),
  Payload: z.object({
    body: z.string(),
    integratedTime: z.int().nonnegative(),
    logIndex: z.int().nonnegative(),
    logID: z.string().regex(/^[0-9a-f]{64}$/),
  }),
});
const kindSchema = z.object({ kind: z.string(), apiVersion: z.string() });
const timestampSchema = z.object({ SignedRFC3161Timestamp: z.string() });

/**
 * A layer of a signature manifest.
 * @param payload the layer's blob, already checked against its digest.
 * @throws TrustError payload-invalid, tlog-invalid for a log entry that can't be read.
 */
export function tagCandidate(payload: Buffer, annotations: ReadonlyMap<string, string>, where: string): Candidate {
  const signature = base64(annotations.get(SIGNATURE_ANNOTATION) ?? '', where);
  const chain = [...pemCertificates(annotations.get(CERTIFICATE)), ...pemCertificates(annotations.get(CHAIN))];
  const rekor = annotations.get(BUNDLE) || undefined;
  const timestamp = annotations.get(TIMESTAMP) || undefined;
  const material = {
    ...(chain.length > 0
      ? { x509CertificateChain: { certificates: chain.map((rawBytes) => ({ rawBytes })) } }
      : { publicKey: { hint: '' } }),
    tlogEntries: rekor === undefined ? [] : [logEntry(rekor, where)],
    timestampVerificationData: {
      rfc3161Timestamps: timestamp === undefined ? [] : [{ signedTimestamp: readTimestamp(timestamp, where) }],
    },
  };
  return {
    layout: 'tag',
    where,
    signed: payload,
    signature,
    claims: () => parseSimpleSigning(payload),
    hasCertificate: chain.length > 0,
    logEntries: material.tlogEntries.length,
    sigstore: {
      // A bundle's first version has what cosign's annotations have, no more.
      bundle: {
        mediaType: 'application/vnd.dev.sigstore.bundle+json;version=0.1',
        verificationMaterial: material,
        messageSignature: {
          messageDigest: { algorithm: 'SHA2_256', digest: sha256(payload) },
          signature: signature.toString('base64'),
        },
      },
      artifact: payload,
    },
  };
}

const bundleSchema = z.object({
  mediaType: z.string(),
  verificationMaterial: z.object({
    certificate: z.unknown().optional(),
    x509CertificateChain: z.unknown().optional(),
    tlogEntries: z.array(z.unknown()).max(16).nullish(),
  }),
  dsseEnvelope: z.object({
    payload: z.string(),
    payloadType: z.string(),
    signatures: z.array(z.object({ sig: z.string() })),
  }),
});

/**
 * A Sigstore bundle around a DSSE envelope.
 * @throws TrustError payload-invalid for what is none, payload-type for a bundle around something else.
 */
export function bundleCandidate(document: Buffer, where: string): Candidate {
  const bundle = readJson(document, where);
  if (typeof bundle === 'object' && bundle !== null && 'messageSignature' in bundle) {
    throw new TrustError('payload-type', `${where} is a signature of a file, not of an image`);
  }
  const result = bundleSchema.safeParse(bundle);
  if (!result.success) {
    const [issue] = result.error.issues;
    throw new TrustError(
      'payload-invalid',
      `${where} is no Sigstore bundle: ${issue?.path.join('.')}: ${issue?.message}`,
    );
  }
  const { verificationMaterial, dsseEnvelope } = result.data;
  // Only the first would be looked at by the verifier of keyless signatures; a second one could say anything.
  const [first, ...more] = dsseEnvelope.signatures;
  if (first === undefined || more.length > 0) {
    throw new TrustError('payload-invalid', `${where} has ${dsseEnvelope.signatures.length} signatures instead of one`);
  }
  const payload = base64(dsseEnvelope.payload, where, document.length);
  return {
    layout: 'bundle',
    where,
    signed: preAuthentication(dsseEnvelope.payloadType, payload),
    signature: base64(first.sig, where),
    claims: () => parseStatement(dsseEnvelope.payloadType, payload),
    hasCertificate:
      verificationMaterial.certificate !== undefined || verificationMaterial.x509CertificateChain !== undefined,
    logEntries: verificationMaterial.tlogEntries?.length ?? 0,
    sigstore: { bundle, artifact: undefined },
  };
}

/** What a DSSE signature covers (secure-systems-lab/dsse, protocol.md: PAE). */
function preAuthentication(type: string, payload: Buffer): Buffer {
  const head = `DSSEv1 ${Buffer.byteLength(type)} ${type} ${payload.length} `;
  return Buffer.concat([Buffer.from(head, 'utf8'), payload]);
}

function logEntry(text: string, where: string) {
  const wrong = (cause?: unknown) =>
    new TrustError('tlog-invalid', `the entry of the transparency log in ${where} can't be read`, { cause });
  const entry = rekorSchema.safeParse(readJson(Buffer.from(text), where, wrong));
  if (!entry.success) throw wrong(entry.error);
  const { SignedEntryTimestamp, Payload } = entry.data;
  const kind = kindSchema.safeParse(readJson(Buffer.from(Payload.body, 'base64'), where, wrong));
  if (!kind.success) throw wrong(kind.error);
  return {
    logIndex: String(Payload.logIndex),
    logId: { keyId: Buffer.from(Payload.logID, 'hex').toString('base64') },
    kindVersion: { kind: kind.data.kind, version: kind.data.apiVersion },
    integratedTime: String(Payload.integratedTime),
    inclusionPromise: { signedEntryTimestamp: SignedEntryTimestamp },
    canonicalizedBody: Payload.body,
  };
}

function readTimestamp(text: string, where: string): string {
  const timestamp = timestampSchema.safeParse(readJson(Buffer.from(text), where));
  if (timestamp.success) return timestamp.data.SignedRFC3161Timestamp;
  throw new TrustError('payload-invalid', `the signed timestamp in ${where} can't be read`);
}

/** The certificates of a PEM text as base64 of their DER. */
function pemCertificates(text: string | undefined): string[] {
  const blocks = (text ?? '').matchAll(/-----BEGIN CERTIFICATE-----([A-Za-z0-9+/=\s]+?)-----END CERTIFICATE-----/g);
  return [...blocks].slice(0, 16).map(([, body = '']) => body.replace(/\s+/g, ''));
}

function readJson(
  bytes: Buffer,
  where: string,
  wrong = (cause: unknown) => new TrustError('payload-invalid', `${where} is not JSON`, { cause }),
): unknown {
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  } catch (cause) {
    throw wrong(cause);
  }
}

function base64(text: string, where: string, maxBytes = MAX_SIGNATURE_BYTES): Buffer {
  const bytes = Buffer.from(text, 'base64');
  // Node skips what is no base64; a signature has one spelling here, with or without its padding.
  const isExact = bytes.toString('base64').replace(/=+$/, '') === text.replace(/=+$/, '');
  if (text !== '' && text.length <= maxBytes * 2 && isExact) return bytes;
  throw new TrustError('payload-invalid', `${where} has a signature or a payload that is not base64`);
}

function sha256(bytes: Buffer): string {
  return createHash('sha256').update(bytes).digest('base64');
}
