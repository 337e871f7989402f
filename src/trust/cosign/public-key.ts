// Public keys of cosign. A signature doesn't say which algorithm made it: the key decides, and only what cosign itself
// makes is taken, so that nobody can talk this program into a weaker check.

import { createHash, createPublicKey, type KeyObject, verify } from 'node:crypto';
import { HoldfastError, messageOf } from '../../system/errors.ts';

export interface CosignKey {
  key: KeyObject;
  /** sha256 of the DER of the key, 64 hex digits: the same for the same key, however it is written. */
  id: string;
  /** Where it was given: a file, an address, `--cosign-key`. */
  from: string;
}

const CURVES: ReadonlySet<string | undefined> = new Set(['prime256v1', 'secp384r1', 'secp521r1']);
const MIN_RSA_BITS = 2048;

/**
 * Reads one public key in PEM.
 * @param from where the text comes from, for messages.
 * @throws HoldfastError HF-CONFIG for what is no public key, HF-UNSUPPORTED for kinds that cosign doesn't make.
 */
export function parseCosignKey(pem: string, from: string): CosignKey {
  const found = /-----BEGIN PUBLIC KEY-----[A-Za-z0-9+/=\s]{1,16000}-----END PUBLIC KEY-----/.exec(pem);
  if (found === null) {
    const isPrivate = /-----BEGIN [A-Z ]*PRIVATE KEY-----/.test(pem);
    throw new HoldfastError('HF-CONFIG', `${from} is no public key in PEM`, {
      hint: isPrivate
        ? 'it is a private key, which belongs to whoever signs; here the public one is wanted (cosign.pub)'
        : 'it begins with -----BEGIN PUBLIC KEY-----, as cosign.pub does',
    });
  }
  let key: KeyObject;
  try {
    key = createPublicKey(found[0]);
  } catch (cause) {
    throw new HoldfastError('HF-CONFIG', `${from} is no public key: ${messageOf(cause)}`, { cause });
  }
  const problem = unfit(key);
  if (problem !== undefined) {
    throw new HoldfastError('HF-UNSUPPORTED', `${from} can't verify signatures of cosign: it is ${problem}`, {
      hint: 'P-256 (what cosign makes), P-384, P-521, Ed25519 and RSA from 2048 bits on are understood',
    });
  }
  return {
    key,
    from,
    id: createHash('sha256')
      .update(key.export({ type: 'spki', format: 'der' }))
      .digest('hex'),
  };
}

function unfit(key: KeyObject): string | undefined {
  const type = key.asymmetricKeyType;
  const { namedCurve, modulusLength = 0 } = key.asymmetricKeyDetails ?? {};
  if (type === 'ed25519') return undefined;
  if (type === 'ec') return CURVES.has(namedCurve) ? undefined : `on the curve ${namedCurve}`;
  if (type === 'rsa') return modulusLength >= MIN_RSA_BITS ? undefined : `an RSA key of ${modulusLength} bits`;
  return `a key of the kind ${type}`;
}

/**
 * Whether a signature over these bytes is by this key: ECDSA and RSA (PKCS#1 v1.5) with SHA-256 on every curve and
 * length, ECDSA in DER; Ed25519 over the bytes themselves (sigstore/sigstore, pkg/signature).
 */
export function isSignedBy(key: KeyObject, signed: Buffer, signature: Buffer): boolean {
  try {
    return verify(key.asymmetricKeyType === 'ed25519' ? null : 'sha256', signed, key, signature);
  } catch {
    // A signature that can't even be read is none by this key.
    return false;
  }
}
