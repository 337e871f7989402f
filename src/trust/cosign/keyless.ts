// Keyless signatures: a certificate that lived ten minutes, and a transparency log that proves when. @sigstore/verify does
// the cryptography; its policy (an unanchored pattern for the name, nothing at all for what is left out) is not used,
// names are compared here, byte for byte. Loaded only when somebody asks for it.

import { createPublicKey, type KeyObject, X509Certificate } from 'node:crypto';
import { bundleFromJSON } from '@sigstore/bundle';
import { TrustedRoot } from '@sigstore/protobuf-specs';
import { toSignedEntity, toTrustMaterial, VerificationError, Verifier } from '@sigstore/verify';
import { HoldfastError, messageOf } from '../../system/errors.ts';
import { TrustError } from '../trust-error.ts';
import type { Candidate } from './candidate.ts';
import { certificatesOfEntry } from './log-entry.ts';

/** Who signed, as the certificate says it; both must be equal. */
export interface Identity {
  /** The address of the OIDC issuer. */
  issuer: string;
  /** The subject's alternative name: a URI or a mail address. */
  subject: string;
}

export type SigstoreRoot = ReturnType<typeof TrustedRoot.fromJSON>;

/**
 * Reads a trusted root (`application/vnd.dev.sigstore.trustedroot+json`).
 * @throws HoldfastError HF-CONFIG when it is none.
 */
export function parseTrustedRoot(text: string, from: string): SigstoreRoot {
  let root: SigstoreRoot;
  try {
    root = TrustedRoot.fromJSON(JSON.parse(text));
    // Keys and certificates are read here, so that a broken file doesn't look like a bad signature.
    toTrustMaterial(root);
  } catch (cause) {
    throw new HoldfastError('HF-CONFIG', `${from} is no trusted root of Sigstore: ${messageOf(cause)}`, { cause });
  }
  if (root.certificateAuthorities.length > 0 || root.tlogs.length > 0) return root;
  throw new HoldfastError('HF-CONFIG', `${from} names neither certificate authorities nor logs`, {
    hint: 'it is the file trusted_root.json of Sigstore; cosign trusted-root create makes one for services of your own',
  });
}

/**
 * Verifies that the log has this very signature by this key, at a time that the log has signed.
 * @throws TrustError tlog-missing, tlog-invalid, signature-invalid.
 */
export function verifyLog(candidate: Candidate, key: KeyObject, root: SigstoreRoot): void {
  if (candidate.logEntries === 0) {
    throw new TrustError('tlog-missing', `${candidate.where} comes without an entry of a transparency log`);
  }
  const always = { publicKey: key, validFor: () => true };
  const verifier = new Verifier(
    toTrustMaterial(root, () => always),
    { tlogThreshold: 1, timestampThreshold: 0, ctlogThreshold: 0 },
  );
  const entity = entityOf(candidate);
  try {
    // Without times: they come from the log, and nothing of it is proven yet.
    verifier.verify({ ...entity, key: { $case: 'public-key', hint: '' }, timestamps: [] });
  } catch (error) {
    throw refusal(error, candidate);
  }
}

/**
 * Verifies a keyless signature: log, certificate at the time of the log, name.
 * @returns the identity that fits.
 * @throws TrustError tlog-missing, tlog-invalid, signature-invalid, identity-mismatch.
 */
export function verifyKeyless(candidate: Candidate, identities: readonly Identity[], root: SigstoreRoot): Identity {
  const { leaf, key } = leafOf(candidate);
  verifyLog(candidate, key, root);
  checkLoggedCertificate(candidate, leaf);
  let signer: ReturnType<Verifier['verify']>;
  try {
    signer = new Verifier(toTrustMaterial(root)).verify(entityOf(candidate));
  } catch (error) {
    throw refusal(error, candidate);
  }
  const extensions = new Map(
    (signer.identity?.oids ?? []).map(({ oid, value }) => [oid?.id.join('.') ?? '', Buffer.from(value)]),
  );
  if (!extensions.get(EXTENDED_KEY_USAGE)?.includes(CODE_SIGNING)) {
    throw new TrustError('signature-invalid', `the certificate of ${candidate.where} is not made for signing code`);
  }
  const found = identities.find((identity) => isIdentity(identity, extensions));
  if (found !== undefined) return found;
  const { subjectAlternativeName = 'nobody', extensions: { issuer = 'nobody' } = {} } = signer.identity ?? {};
  const wanted = identities.map(({ issuer: by, subject }) => `${subject} (${by})`).join(' or ');
  throw new TrustError(
    'identity-mismatch',
    `${candidate.where} is by ${printable(subjectAlternativeName)} (${printable(issuer)}), wanted is ${wanted}`,
  );
}

const SUBJECT_ALTERNATIVE_NAME = '2.5.29.17';
const EXTENDED_KEY_USAGE = '2.5.29.37';
const ISSUER_V1 = '1.3.6.1.4.1.57264.1.1';
const ISSUER_V2 = '1.3.6.1.4.1.57264.1.8';
/** 1.3.6.1.5.5.7.3.3 as DER. */
const CODE_SIGNING = Buffer.from('06082b06010505070303', 'hex');

/** Compared as the bytes that the certificate has: no reading in between that could make two names alike. */
function isIdentity({ issuer, subject }: Identity, extensions: ReadonlyMap<string, Buffer>): boolean {
  const name = Buffer.from(subject, 'utf8');
  const names = [URI_NAME, MAIL_NAME].map((tag) => der(SEQUENCE, der(tag, name)));
  const found = extensions.get(SUBJECT_ALTERNATIVE_NAME);
  const isSubject = found !== undefined && names.some((expected) => expected.equals(found));
  const by = Buffer.from(issuer, 'utf8');
  const second = extensions.get(ISSUER_V2);
  // The second form is a DER string; the first, where there is no other, the bare text (Fulcio, docs/oid-info.md).
  const isIssuer = second === undefined ? extensions.get(ISSUER_V1)?.equals(by) : second.equals(der(UTF8_STRING, by));
  return isSubject && isIssuer === true;
}

const SEQUENCE = 0x30;
const UTF8_STRING = 0x0c;
const URI_NAME = 0x86;
const MAIL_NAME = 0x81;

function der(tag: number, content: Buffer): Buffer {
  const size = content.length;
  const length = size < 0x80 ? [size] : size < 0x100 ? [0x81, size] : [0x82, size >> 8, size & 0xff];
  return Buffer.concat([Buffer.from([tag, ...length]), content]);
}

/** The log's entry must name this very certificate: a signature alone can fit more than one key. */
function checkLoggedCertificate(candidate: Candidate, leaf: X509Certificate): void {
  for (const { canonicalizedBody } of entityOf(candidate).tlogEntries) {
    if (certificatesOfEntry(canonicalizedBody).some((certificate) => certificate.equals(leaf.raw))) continue;
    throw new TrustError('tlog-invalid', `the log's entry of ${candidate.where} is about another certificate`);
  }
}

function leafOf(candidate: Candidate): { leaf: X509Certificate; key: KeyObject } {
  if (!candidate.hasCertificate) {
    throw new TrustError('signature-invalid', `${candidate.where} is by a key and not by a certificate`);
  }
  try {
    const { content } = bundleFromJSON(candidate.sigstore.bundle).verificationMaterial;
    const bytes =
      content.$case === 'certificate'
        ? content.certificate.rawBytes
        : content.$case === 'x509CertificateChain'
          ? content.x509CertificateChain.certificates[0]?.rawBytes
          : undefined;
    if (bytes !== undefined) {
      const leaf = new X509Certificate(bytes);
      // A key that is none shows only when it is used: here, and nowhere else.
      return { leaf, key: createPublicKey(leaf.publicKey.export({ type: 'spki', format: 'pem' })) };
    }
  } catch (cause) {
    throw new TrustError('payload-invalid', `${candidate.where} has no certificate that can be read`, { cause });
  }
  throw new TrustError('payload-invalid', `${candidate.where} has no certificate`);
}

function entityOf(candidate: Candidate): ReturnType<typeof toSignedEntity> {
  const { bundle, artifact } = candidate.sigstore;
  try {
    return toSignedEntity(bundleFromJSON(bundle), artifact);
  } catch (cause) {
    throw new TrustError(
      'payload-invalid',
      `${candidate.where} is no bundle that can be verified: ${messageOf(cause)}`,
      {
        cause,
      },
    );
  }
}

/** What the verifier found, in our words; anything but its own errors is a malformed input that it stumbled over. */
function refusal(error: unknown, { where }: Candidate): TrustError {
  if (error instanceof TrustError) return error;
  const code = error instanceof VerificationError ? error.code : '';
  if (code.startsWith('TLOG_')) {
    const reason = code === 'TLOG_MISSING_INCLUSION_ERROR' ? 'tlog-missing' : 'tlog-invalid';
    return new TrustError(reason, `the transparency log's entry of ${where} proves nothing: ${messageOf(error)}`, {
      cause: error,
    });
  }
  if (code === '') {
    return new TrustError('payload-invalid', `${where} can't be verified: ${messageOf(error)}`, { cause: error });
  }
  return new TrustError('signature-invalid', `${where} is not signed as it should be: ${messageOf(error)}`, {
    cause: error,
  });
}

/** A stranger's text on a terminal. */
function printable(text: string): string {
  return text.replace(/[^\x20-\x7e]/g, '?').slice(0, 200);
}
