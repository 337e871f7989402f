// Certificates for a Notary server beyond the machine's own: one file of authorities, and docker's layout
// `DIRECTORY/HOST:PORT/` with *.crt for authorities and *.cert with its *.key for who we are.

import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { errnoOf, HoldfastError } from '../../system/errors.ts';
import type { TlsMaterial } from '../../system/tls-fetch.ts';

export interface TlsFiles {
  /** Authorities in PEM. */
  caFile?: string | undefined;
  /** Holds a directory for each server. */
  tlsDirectory?: string | undefined;
}

/**
 * What is there for a server; undefined when nothing is.
 * @param host with its port, if it isn't the usual one.
 * @throws HoldfastError HF-CONFIG for a file that can't be read, or a certificate without key.
 */
export function readTlsFiles({ caFile, tlsDirectory }: TlsFiles, host: string): TlsMaterial | undefined {
  const authorities = caFile === undefined || caFile === '' ? [] : [read(caFile)];
  const directory = tlsDirectory === undefined ? undefined : join(tlsDirectory, host);
  const names = directory === undefined ? [] : list(directory);
  const at = (name: string) => join(directory ?? '', name);
  authorities.push(...names.filter((name) => name.endsWith('.crt')).map((name) => read(at(name))));
  const own = names.find((name) => name.endsWith('.cert'));
  if (own === undefined) return authorities.length === 0 ? undefined : { authorities };
  const key = own.replace(/cert$/, 'key');
  if (!names.includes(key)) {
    throw new HoldfastError('HF-CONFIG', `${at(own)} has no key beside it`, { hint: `it is looked for in ${at(key)}` });
  }
  return { authorities, certificate: read(at(own)), key: read(at(key)) };
}

function list(directory: string): string[] {
  try {
    return readdirSync(directory).sort();
  } catch (cause) {
    if (errnoOf(cause) === 'ENOENT' || errnoOf(cause) === 'ENOTDIR') return [];
    throw new HoldfastError('HF-CONFIG', `${directory} can't be read`, { cause });
  }
}

function read(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (cause) {
    throw new HoldfastError('HF-CONFIG', `${file} can't be read`, { cause, hint: 'it is to hold certificates in PEM' });
  }
}
