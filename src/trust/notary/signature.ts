// Whether enough of those who may sign have signed. Whatever can't be verified, for whatever reason, is no signature.

import { constants, type VerifyKeyObjectInput, verify } from 'node:crypto';
import { TrustError } from '../trust-error.ts';
import type { PublicKey } from './key.ts';
import type { Metadata, RoleKeys, Signature } from './metadata.ts';

/** The length of r and s side by side. */
const ECDSA_BYTES: Readonly<Record<string, number>> = { prime256v1: 64, secp384r1: 96, secp521r1: 132 };
/** RSA-PSS with the length of the hash as salt (notary, tuf/signed/verifiers.go). */
const SALT_BYTES = 32;

/** How many of the keys have a good signature; each counts once, however often it has signed. */
export function countSigners(
  metadata: Pick<Metadata, 'signatures' | 'signedBytes'>,
  keys: readonly PublicKey[],
): number {
  return keys.filter((key) =>
    metadata.signatures.some((signature) => signature.keyId === key.id && isGood(metadata.signedBytes, signature, key)),
  ).length;
}

/**
 * Checks that the role has signed.
 * @throws TrustError signature-invalid
 */
export function checkSignatures(metadata: Metadata, role: RoleKeys): void {
  const good = countSigners(metadata, role.keys);
  if (good < role.threshold) throw notSigned(metadata, role.name, good, role.threshold);
}

export function notSigned(metadata: Metadata, role: string, good: number, needed: number): TrustError {
  return new TrustError(
    'signature-invalid',
    `${metadata.file} is not signed by ${role}: ${good} good signature${good === 1 ? '' : 's'}, ${needed} needed`,
    { role: metadata.role, hint: 'nothing was installed; ask the publisher whether keys were changed' },
  );
}

function isGood(message: Buffer, { method, bytes }: Signature, { usable }: PublicKey): boolean {
  if (usable === undefined) return false;
  const { kind, key } = usable;
  switch (method) {
    case 'ecdsa':
      return (
        kind === 'ecdsa' &&
        bytes.length === ECDSA_BYTES[key.asymmetricKeyDetails?.namedCurve ?? ''] &&
        holds('sha256', message, { key, dsaEncoding: 'ieee-p1363' }, bytes)
      );
    case 'eddsa':
      return kind === 'ed25519' && bytes.length === 64 && holds(null, message, { key }, bytes);
    case 'rsapss':
      return (
        kind === 'rsa' &&
        holds('sha256', message, { key, padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: SALT_BYTES }, bytes)
      );
    case 'rsapkcs1v15':
      return kind === 'rsa' && holds('sha256', message, { key, padding: constants.RSA_PKCS1_PADDING }, bytes);
    default:
      return false;
  }
}

/** Bytes that are no signature at all are an error to some versions of OpenSSL, and just wrong to others. */
function holds(hash: string | null, message: Buffer, key: VerifyKeyObjectInput, signature: Buffer): boolean {
  try {
    return verify(hash, message, key, signature);
  } catch {
    return false;
  }
}
