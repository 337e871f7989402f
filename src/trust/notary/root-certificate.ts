// Which of a root's keys may speak for a repository: the certificate of each names the repository, is valid, and isn't
// weak. Without one, a root is refused whatever its signatures are.

import { TrustError } from '../trust-error.ts';
import { type Certificate, isWeaklySigned } from './certificate.ts';
import type { PublicKey } from './key.ts';
import type { Root } from './metadata.ts';

/** How far the publisher's clock may be ahead of ours. */
const GRACE_MS = 24 * 60 * 60 * 1000;

/**
 * The root keys whose certificate belongs to the repository and is valid now.
 * @throws TrustError root-cert-mismatch when there are none, with what was found instead.
 */
export function usableRootKeys(root: Root, gun: string, now: Date): PublicKey[] {
  const problems: string[] = [];
  const usable = root.roles.root.keys.filter((key) => {
    const problem = mismatch(key, gun) ?? (isValidAt(leafOf(key), now) ? undefined : validity(leafOf(key)));
    if (problem !== undefined) problems.push(problem);
    return problem === undefined;
  });
  if (usable.length > 0) return usable;
  throw new TrustError(
    'root-cert-mismatch',
    `no root key of ${gun} has a usable certificate: ${[...new Set(problems)].slice(0, 3).join('; ')}`,
    {
      role: 'root',
      hint: `its certificate must be valid now and name ${gun}; the publisher makes it anew by rotating the root key`,
    },
  );
}

/** The root keys that belong to the repository, however old: what a stored root is asked for when it is replaced. */
export function ownRootKeys(root: Root, gun: string): PublicKey[] {
  return root.roles.root.keys.filter((key) => mismatch(key, gun) === undefined);
}

/** The certificate that speaks for the key: the first of its bundle, and the only one that is no authority. */
export function leafOf({ certificates }: PublicKey): Certificate | undefined {
  const [first, ...others] = certificates;
  return first !== undefined && !first.isCa && others.every(({ isCa }) => isCa) ? first : undefined;
}

/** Why a key can't speak for a repository, apart from its age; undefined when it can. */
function mismatch(key: PublicKey, gun: string): string | undefined {
  const leaf = leafOf(key);
  if (leaf === undefined) return 'a key without certificate';
  if (key.usable === undefined) return 'a certificate with a key that is too weak or of an unknown kind';
  if (isWeaklySigned(leaf)) return 'a certificate that is signed with SHA-1';
  const [name, ...others] = leaf.commonNames;
  if (name !== undefined && others.length === 0 && covers(name, gun)) return undefined;
  return `a certificate for ${leaf.commonNames.map((found) => JSON.stringify(found.slice(0, 200))).join(' and ') || 'nobody'}`;
}

/** A name that ends with a star is for all repositories that begin like it. */
function covers(name: string, gun: string): boolean {
  return name.endsWith('*') ? gun.startsWith(name.slice(0, -1)) : name === gun;
}

export function isValidAt(certificate: Certificate | undefined, now: Date): boolean {
  if (certificate === undefined) return false;
  const { notBefore, notAfter } = certificate;
  return now.getTime() >= notBefore.getTime() - GRACE_MS && now <= notAfter;
}

function validity(leaf: Certificate | undefined): string {
  const day = (date: Date | undefined) => date?.toISOString().slice(0, 10);
  return `a certificate that is valid from ${day(leaf?.notBefore)} to ${day(leaf?.notAfter)}`;
}
