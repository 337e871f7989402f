// The name of an image in a registry, taken apart as docker does it: host, repository, tag, digest. The same rules decide
// later which repository a signature speaks of, so nothing here is lenient.

import { HoldfastError } from '../../system/errors.ts';
import { type Digest, parseDigest } from '../digest.ts';

export interface RegistryName {
  /** With its port, if it has one; `docker.io` where none is written. */
  host: string;
  repository: string;
  /** `latest` where neither tag nor digest is written. */
  tag: string | undefined;
  digest: Digest | undefined;
}

const HOST = /^(?:[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?|\[[0-9a-fA-F:.]+\])(?::\d{1,5})?$/;
const COMPONENT = /^[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*$/;
const TAG = /^[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}$/;
const MAX_REPOSITORY = 255;

/**
 * Takes `[HOST[:PORT]/]REPOSITORY[:TAG][@DIGEST]` apart.
 * @throws HoldfastError HF-USAGE when it is none, HF-IMAGE or HF-UNSUPPORTED for a digest that is none.
 */
export function parseRegistryName(text: string): RegistryName {
  const wrong = (why: string) =>
    new HoldfastError('HF-USAGE', `${text} is no name of an image in a registry: ${why}`, {
      hint: 'for example registry.example/os/base:v2 or registry.example/os/base@sha256:…',
    });
  const at = text.indexOf('@');
  const digest = at < 0 ? undefined : parseDigest(text.slice(at + 1), `the image ${text.slice(0, at)}`);
  const named = at < 0 ? text : text.slice(0, at);
  const colon = named.indexOf(':', named.lastIndexOf('/') + 1);
  const tag = colon < 0 ? undefined : named.slice(colon + 1);
  if (tag !== undefined && !TAG.test(tag)) throw wrong(`${JSON.stringify(tag)} can't be a tag`);
  const path = colon < 0 ? named : named.slice(0, colon);

  const slash = path.indexOf('/');
  const first = slash < 0 ? '' : path.slice(0, slash);
  // As docker decides; an upper case letter can't begin a repository.
  const isHost = /[.:A-Z]/.test(first) || first === 'localhost';
  if (isHost && !isReachable(first)) throw wrong(`${JSON.stringify(first)} can't be a host`);
  const host = !isHost || first === 'index.docker.io' ? 'docker.io' : first;
  const rest = isHost ? path.slice(slash + 1) : path;
  const repository = host === 'docker.io' && !rest.includes('/') ? `library/${rest}` : rest;
  const parts = repository.split('/');
  const broken = parts.find((part) => !COMPONENT.test(part));
  if (broken !== undefined) {
    throw wrong(`${JSON.stringify(broken)} can't be part of a repository's name, which has lower case letters only`);
  }
  if (repository.length > MAX_REPOSITORY) throw wrong('it is too long');
  if (/^[0-9a-f]{64}$/.test(rest)) throw wrong('64 hexadecimal digits are the id of an image');
  return { host, repository, tag: tag ?? (digest === undefined ? 'latest' : undefined), digest };
}

/** Whether an address can have this host: `a.0` looks like a number's end to every parser of addresses, and is none. */
function isReachable(host: string): boolean {
  return HOST.test(host) && URL.canParse(`https://${host}/`);
}

/** The name with nothing left out. */
export function formatRegistryName({ host, repository, tag, digest }: RegistryName): string {
  return `${host}/${repository}${tag === undefined ? '' : `:${tag}`}${digest === undefined ? '' : `@${digest}`}`;
}
