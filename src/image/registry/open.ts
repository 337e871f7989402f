// A repository of a registry as this machine reaches it: with the mirrors and logins that its owner configured.

import type { FetchedManifest, Repository } from '../repository.ts';
import { type Credentials, findCredentials } from './credentials.ts';
import { MirroredRepository } from './mirrored-repository.ts';
import { readRegistries } from './mirrors.ts';
import type { RegistryName } from './name.ts';
import { RegistryRepository } from './repository.ts';
import type { RegistryOptions } from './session.ts';

/** A mirror that doesn't help must not cost much: there is another place to ask. */
const MIRROR_ATTEMPTS = 2;
const MIRROR_STALL_MS = 10_000;

export interface RegistryPlace extends Repository {
  /** @throws HoldfastError HF-NO-SOURCE with the registry's own words when it isn't there. */
  existingManifest(reference: string): Promise<FetchedManifest>;
}

/** Nothing is asked of anybody yet. @throws HoldfastError HF-CONFIG for a configuration that can't be understood. */
export async function openRegistryRepository(
  name: RegistryName,
  options: RegistryOptions = {},
): Promise<RegistryPlace> {
  const registries = options.registries ?? (await readRegistries());
  const { signal, insecure = [] } = options;
  const credentials =
    options.credentials ??
    (async (host: string, repository: string): Promise<Credentials | undefined> =>
      registries.credentials(host) ?? findCredentials(host, { signal, repository }));
  const origin = new RegistryRepository(name, { ...options, credentials });
  const mirrors = registries.mirrorsOf(name).map(({ host, repository, plain }) => {
    const own: RegistryOptions = {
      ...options,
      credentials,
      insecure: plain ? [...insecure, host] : insecure,
      attempts: Math.min(MIRROR_ATTEMPTS, options.attempts ?? MIRROR_ATTEMPTS),
      stallMs: Math.min(MIRROR_STALL_MS, options.stallMs ?? MIRROR_STALL_MS),
    };
    return new RegistryRepository({ host, repository, tag: undefined, digest: undefined }, own);
  });
  return mirrors.length === 0 ? origin : new MirroredRepository(mirrors, origin, options.notice);
}
