// Public keys as Notary writes them, and the id that each has: the hash of its own canonical text. A key is used only under
// the name that is its id.

import { createHash, createPublicKey, type KeyObject } from 'node:crypto';
import { TrustError } from '../trust-error.ts';
import { canonicalJson } from './canonical.ts';
import { type Certificate, parseCertificates } from './certificate.ts';
import type { Field } from './field.ts';

/** What a key can verify with. */
export type KeyKind = 'ecdsa' | 'ed25519' | 'rsa';

export interface PublicKey {
  id: string;
  /** As it is written: `ecdsa-x509`, … */
  type: string;
  /** Undefined for a key that can't be used: of an unknown type, damaged, or too weak. Nothing it signed counts. */
  usable: { kind: KeyKind; key: KeyObject } | undefined;
  /** Of the `-x509` types; empty for others and where they can't be read. */
  certificates: readonly Certificate[];
}

/** SubjectPublicKeyInfo for the 32 bytes of an Ed25519 key (RFC 8410). */
const ED25519_PREFIX = Buffer.from('302a300506032b6570032100', 'hex');
const CURVES: ReadonlySet<string> = new Set(['prime256v1', 'secp384r1', 'secp521r1']);
export const MIN_RSA_BITS = 2048;

/**
 * Reads a key that a role lists.
 * @param id the name under which the file lists it.
 * @throws TrustError key-id-mismatch, bad-metadata
 */
export function readKey(field: Field, id: string, role: string): PublicKey {
  const type = field.get('keytype').text();
  const encoded = field.get('keyval').get('public');
  const content = encoded.bytes();
  if (keyId(type, encoded.text(Number.MAX_SAFE_INTEGER)) !== id) {
    throw new TrustError('key-id-mismatch', `${field.file} lists a key of ${role} under a name that is not its own`, {
      role,
      hint: `the metadata names it ${JSON.stringify(id.slice(0, 80))}; nothing was installed`,
    });
  }
  const certificates = type.endsWith('-x509') ? parseCertificates(content) : [];
  return { id, type, usable: usableKey(type, content, certificates), certificates };
}

/** The null is part of what is hashed: private keys are written by the same code (notary, tuf/data/keys.go). */
function keyId(type: string, publicText: string): string {
  const keyval = new Map([
    ['private', null],
    ['public', publicText],
  ]);
  const key = new Map<string, string | ReadonlyMap<string, string | null>>([
    ['keytype', type],
    ['keyval', keyval],
  ]);
  return createHash('sha256').update(canonicalJson(key)).digest('hex');
}

function usableKey(type: string, content: Buffer, [leaf]: readonly Certificate[]): PublicKey['usable'] {
  switch (type) {
    case 'ecdsa':
      return ofKind('ecdsa', content);
    case 'rsa':
      return ofKind('rsa', content);
    case 'ed25519':
      return content.length === 32 ? ofKind('ed25519', Buffer.concat([ED25519_PREFIX, content])) : undefined;
    case 'ecdsa-x509':
      return leaf && ofKind('ecdsa', leaf.publicKey);
    case 'rsa-x509':
      return leaf && ofKind('rsa', leaf.publicKey);
    default:
      return undefined;
  }
}

/** @param info SubjectPublicKeyInfo in DER. */
function ofKind(kind: KeyKind, info: Buffer): PublicKey['usable'] {
  let key: KeyObject;
  try {
    key = createPublicKey({ key: info, format: 'der', type: 'spki' });
  } catch {
    return undefined;
  }
  const { asymmetricKeyType, asymmetricKeyDetails } = key;
  const isRight =
    kind === 'ecdsa'
      ? asymmetricKeyType === 'ec' && CURVES.has(asymmetricKeyDetails?.namedCurve ?? '')
      : kind === 'rsa'
        ? asymmetricKeyType === 'rsa' && (asymmetricKeyDetails?.modulusLength ?? 0) >= MIN_RSA_BITS
        : asymmetricKeyType === 'ed25519';
  return isRight ? { kind, key } : undefined;
}
