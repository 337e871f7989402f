// What an image's name means for trust: the repository's full name, which signatures speak of (Notary calls it GUN), the tag
// that is looked up, and the digest that the user may have pinned. Pure.

import type { Digest } from '../image/digest.ts';
import { parseRegistryName } from '../image/registry/name.ts';
import { HoldfastError } from '../system/errors.ts';
import { TrustError } from './trust-error.ts';

export interface TrustName {
  /** Registry host, with its port if it has one, and repository; for example `docker.io/library/alpine`. */
  gun: string;
  host: string;
  /** `latest` where neither tag nor digest is written; undefined where only a digest is. */
  tag: string | undefined;
  digest: Digest | undefined;
}

/**
 * Takes an image's name apart by docker's rules.
 * @throws TrustError invalid-reference
 */
export function parseTrustName(reference: string): TrustName {
  try {
    const { host, repository, tag, digest } = parseRegistryName(reference);
    return { gun: `${host}/${repository}`, host, tag, digest };
  } catch (cause) {
    if (!(cause instanceof HoldfastError)) throw cause;
    const hint = cause.hint === undefined ? {} : { hint: cause.hint };
    throw new TrustError('invalid-reference', cause.message, { cause, ...hint });
  }
}

/** The registry's host in a GUN. */
export function hostOfGun(gun: string): string {
  return gun.slice(0, gun.indexOf('/'));
}

/**
 * A repository's name in the spelling that policies compare: whatever reaches the same registry has the same. A GUN stays
 * as it was written, since that is what is signed.
 * @param repository `HOST/REPOSITORY`, as parseTrustName gives it.
 */
export function comparableName(repository: string): string {
  const host = comparableHost(hostOfGun(repository));
  const path = repository.slice(repository.indexOf('/') + 1);
  return `${host}/${host === 'docker.io' && !path.includes('/') ? 'library/' : ''}${path}`;
}

/** The host as an address has it: lower case, no :443, no zeros before a port; docker.io for all of its names. */
export function comparableHost(host: string): string {
  const { host: plain } = new URL(`https://${host}/`);
  return DOCKER_HOSTS.has(plain) ? 'docker.io' : plain;
}

const DOCKER_HOSTS: ReadonlySet<string> = new Set(['index.docker.io', 'registry-1.docker.io']);
