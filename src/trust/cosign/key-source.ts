// Where a public key is kept, as `--cosign-key`, COSIGN_PUBLIC_KEY_LOCATION and the policy name it: a file, a web
// address, or the key itself. Nothing of the name ever reaches a shell.

import { readFileSync, statSync } from 'node:fs';
import { errnoOf, HoldfastError } from '../../system/errors.ts';
import { type HttpClient, httpGet, httpRequest, withoutSecrets } from '../../system/http.ts';
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
    // The rest of it may be a PIN or a token.
    throw new HoldfastError('HF-UNSUPPORTED', `keys that ${elsewhere}: keeps are not read`, {
      hint: `export the public half to a file: cosign public-key --key ${elsewhere}:… > os.pub`,
    });
  }
  if (/^https?:/i.test(text)) return loadFromWeb(text, signal, client ?? httpRequest);
  const path = text.replace(/^file:\/\//, '');
  const shown = /^[a-z][a-z0-9+.-]*:\/\//i.test(path) ? withoutSecrets(path) : path;
  try {
    const size = statSync(path).size;
    if (size > MAX_BYTES) {
      throw new HoldfastError('HF-CONFIG', `${shown} has ${size} bytes, which is too much for a public key`);
    }
    return parseCosignKey(readFileSync(path, 'utf8'), shown);
  } catch (cause) {
    if (cause instanceof HoldfastError) throw cause;
    const isMissing = errnoOf(cause) === 'ENOENT' || errnoOf(cause) === 'ENOTDIR';
    throw new HoldfastError(isMissing ? 'HF-NO-SOURCE' : 'HF-CONFIG', `the key ${shown} can't be read`, {
      cause,
      ...(isMissing && { hint: 'name the file of a public key, its https:// address, or give its PEM text' }),
    });
  }
}

async function loadFromWeb(address: string, signal: AbortSignal | undefined, client: HttpClient): Promise<CosignKey> {
  if (!URL.canParse(address)) {
    // Not even its parts are known, one of which may be a password.
    throw new HoldfastError('HF-USAGE', 'the web address of a key is none', {
      hint: 'for example https://keys.example/os.pub',
    });
  }
  const { protocol, hostname } = new URL(address);
  const shown = withoutSecrets(address);
  const isLoopback = ['localhost', '127.0.0.1', '[::1]'].includes(hostname);
  // What anybody on the way can replace proves nothing.
  if (protocol === 'http:' && !isLoopback) {
    throw new HoldfastError('HF-UNSUPPORTED', `${shown}: a key is not taken over plain HTTP`, {
      hint: 'whoever sits on the way could put a key of their own there; use https://, or a file',
    });
  }
  const { body } = await httpGet(address, { maxBytes: MAX_BYTES, signal }, client);
  return parseCosignKey(Buffer.from(body).toString('utf8'), shown);
}
