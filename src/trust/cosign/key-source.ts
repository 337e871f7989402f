// Where a public key is kept, as `--cosign-key`, COSIGN_PUBLIC_KEY_LOCATION and the policy name it: a file, a web
// address, or the key itself. Nothing of the name ever reaches a shell.

import { readFileSync, statSync } from 'node:fs';
import { errnoOf, HoldfastError } from '../../system/errors.ts';
import { type HttpClient, httpGet, httpRequest } from '../../system/http.ts';
import { type CosignKey, parseCosignKey } from './public-key.ts';

const MAX_BYTES = 64 << 10;
/** Where cosign can keep a key besides (its own list of schemes). */
const ELSEWHERE = /^(k8s|awskms|azurekms|gcpkms|hashivault|gitlab|github|pkcs11|env|tpmkms|openbao):/;

export interface KeySourceOptions {
  signal?: AbortSignal | undefined;
  client?: HttpClient;
}

/**
 * Loads a public key.
 * @param text a path, `file://…`, `https://…`, or the PEM text.
 * @throws HoldfastError HF-NO-SOURCE when it isn't there, HF-NETWORK, HF-UNSUPPORTED for keys that are kept by services;
 *   otherwise as parseCosignKey.
 */
export async function loadCosignKey(text: string, { signal, client }: KeySourceOptions = {}): Promise<CosignKey> {
  if (text.includes('-----BEGIN')) return parseCosignKey(text, 'the key that was given');
  const elsewhere = ELSEWHERE.exec(text)?.[1];
  if (elsewhere !== undefined) {
    throw new HoldfastError('HF-UNSUPPORTED', `${text}: keys that ${elsewhere}: keeps are not read`, {
      hint: `export the public half to a file: cosign public-key --key ${text} > os.pub`,
    });
  }
  if (/^https?:\/\//.test(text)) return loadFromWeb(text, signal, client ?? httpRequest);
  const path = text.replace(/^file:\/\//, '');
  try {
    const size = statSync(path).size;
    if (size > MAX_BYTES) {
      throw new HoldfastError('HF-CONFIG', `${path} has ${size} bytes, which is too much for a public key`);
    }
    return parseCosignKey(readFileSync(path, 'utf8'), path);
  } catch (cause) {
    if (cause instanceof HoldfastError) throw cause;
    const isMissing = errnoOf(cause) === 'ENOENT' || errnoOf(cause) === 'ENOTDIR';
    throw new HoldfastError(isMissing ? 'HF-NO-SOURCE' : 'HF-CONFIG', `the key ${path} can't be read`, {
      cause,
      ...(isMissing && { hint: 'name the file of a public key, its https:// address, or give its PEM text' }),
    });
  }
}

async function loadFromWeb(address: string, signal: AbortSignal | undefined, client: HttpClient): Promise<CosignKey> {
  const { protocol, hostname } = new URL(address);
  const isLoopback = ['localhost', '127.0.0.1', '[::1]'].includes(hostname);
  // What anybody on the way can replace proves nothing.
  if (protocol === 'http:' && !isLoopback) {
    throw new HoldfastError('HF-UNSUPPORTED', `${address}: a key is not taken over plain HTTP`, {
      hint: 'whoever sits on the way could put a key of their own there; use https://, or a file',
    });
  }
  const { body } = await httpGet(address, { maxBytes: MAX_BYTES, signal }, client);
  return parseCosignKey(Buffer.from(body).toString('utf8'), address);
}
