// Content digests (OCI image-spec, descriptor.md): `sha256:` and 64 lower-case hex digits. Only what has passed
// `parseDigest` may become part of a file name, since a digest out of a manifest is text that a stranger chose.

import { createHash, type Hash } from 'node:crypto';
import { HoldfastError } from '../system/errors.ts';

declare const digestBrand: unique symbol;

/** `sha256:…`, checked. */
export type Digest = string & { readonly [digestBrand]: true };

/** Whether a text is a digest that this program can verify. */
export function isDigest(text: string): text is Digest {
  return /^sha256:[0-9a-f]{64}$/.test(text);
}

/**
 * Checks a digest.
 * @param what what it is the digest of, for the message.
 * @throws HoldfastError HF-UNSUPPORTED for another well-formed algorithm, HF-IMAGE for anything else.
 */
export function parseDigest(text: string, what: string): Digest {
  if (isDigest(text)) return text;
  if (/^sha(384|512):[0-9a-f]{96,128}$/.test(text)) {
    throw new HoldfastError('HF-UNSUPPORTED', `${what} is named by ${text.slice(0, 6)}, which is not supported`, {
      hint: 'build the image with sha256 digests, as every common tool does by default',
    });
  }
  throw new HoldfastError('HF-IMAGE', `${what} has a digest that is none: ${JSON.stringify(text.slice(0, 100))}`, {
    hint: 'a digest is sha256: followed by 64 lower-case hex digits; the image is damaged or was made to do harm',
  });
}

/** The 64 hex digits: the name of a blob's file in a layout. */
export function hexOf(digest: Digest): string {
  return digest.slice('sha256:'.length);
}

/** The digest of bytes at hand. */
export function digestOf(bytes: Uint8Array | string): Digest {
  return finishDigest(createHash('sha256').update(bytes));
}

/** Ends a running sha256. */
export function finishDigest(hash: Hash): Digest {
  const text = `sha256:${hash.digest('hex')}`;
  if (!isDigest(text)) throw new TypeError(`not a sha256 hash: ${text}`);
  return text;
}
