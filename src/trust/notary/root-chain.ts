// From the root that is trusted to the newest one: each step is signed by the one before and by itself. Without a trusted
// root, the first one is established by the pins. What comes out is not written anywhere yet.

import { TrustError } from '../trust-error.ts';
import type { NotaryClient } from './client.ts';
import type { PublicKey } from './key.ts';
import { parseRoot, type Root } from './metadata.ts';
import { type Pin, pinnedKeys } from './pins.ts';
import { ownRootKeys, usableRootKeys } from './root-certificate.ts';
import { countSigners, notSigned } from './signature.ts';

export interface RootQuestion {
  gun: string;
  now: Date;
  client: NotaryClient;
  pin: Pin;
  /** Undefined for first trust. */
  trusted: Root | undefined;
}

export interface FoundRoot {
  root: Root;
  /** With first trust: the keys that it began with. */
  began: readonly PublicKey[] | undefined;
}

const MAX_ROOT_BYTES = 1 << 20;
const MAX_STEPS = 1024;

/**
 * The newest root that may be trusted.
 * @throws TrustError no-trust-data, and everything that can be wrong with a root.
 */
export async function findRoot(question: RootQuestion): Promise<FoundRoot> {
  const { gun, now, client, pin, trusted } = question;
  const bytes = await client.get('root.json', MAX_ROOT_BYTES);
  if (bytes === undefined) {
    throw new TrustError('no-trust-data', `${gun} is not signed on its Notary server`, {
      role: 'root',
      hint: 'is it another server? DOCKER_CONTENT_TRUST_SERVER names it; --cosign verifies otherwise, --no-verify takes the image unverified',
    });
  }
  const newest = readRoot(bytes, 'root.json', gun);
  if (trusted === undefined) {
    const began = pinnedKeys(pin, usableRootKeys(newest, gun, now), gun, now);
    checkOwnSignatures(newest, began);
    return { root: newest, began };
  }
  // The certificate may have ended since it was stored, as may the root itself.
  if (newest.bytes.equals(trusted.bytes)) usableRootKeys(newest, gun, now);
  else await followRotations(question, trusted, newest);
  return { root: newest, began: undefined };
}

/** @throws TrustError when the newest root isn't a successor of the trusted one. */
async function followRotations({ gun, now, client }: RootQuestion, trusted: Root, newest: Root): Promise<void> {
  if (newest.version <= trusted.version) {
    const what = newest.version < trusted.version ? 'an older root' : 'another root of the same version';
    throw new TrustError(
      'version-rollback',
      `the server sends ${what} of ${gun}: version ${trusted.version} was seen, it serves ${newest.version}`,
      {
        role: 'root',
        hint: 'the server, or a mirror of it, was set back; "holdfast trust show" says what is remembered',
      },
    );
  }
  if (newest.version - trusted.version > MAX_STEPS) {
    throw newest.signed.get('version').wrong(`is more than ${MAX_STEPS} steps beyond the one that is trusted`);
  }
  let current = trusted;
  for (let version = trusted.version + 1; version <= newest.version; version += 1) {
    let next = newest;
    if (version < newest.version) {
      const bytes = await client.get(`${version}.root.json`, MAX_ROOT_BYTES);
      if (bytes === undefined) {
        // A mirror that keeps only the newest; it may be taken when the same keys vouch for it.
        if (countOwners(newest, current, gun) < current.roles.root.threshold) throw stepMissing(version, gun);
        version = newest.version;
      } else next = readRoot(bytes, `${version}.root.json`, gun);
    }
    if (next.version !== version) {
      throw next.signed.get('version').wrong(`is ${next.version} where ${version} belongs`);
    }
    checkSuccession(current, next, gun, now);
    current = next;
  }
}

function checkSuccession(previous: Root, next: Root, gun: string, now: Date): void {
  const wrong = (why: string) =>
    new TrustError(
      'root-rotation-invalid',
      `root ${next.version} of ${gun} does not follow from root ${previous.version}: ${why}`,
      { role: 'root', hint: 'nothing was installed; ask the publisher whether the root key was changed' },
    );
  if (countOwners(next, previous, gun) < previous.roles.root.threshold) {
    throw wrong('the keys trusted so far have not signed it');
  }
  const usable = usableRootKeys(next, gun, now);
  if (countSigners(next, usable) < next.roles.root.threshold) throw wrong('its own keys have not signed it');
}

/** How many of the previous root's keys have signed, however old their certificates are. */
function countOwners(next: Root, previous: Root, gun: string): number {
  return countSigners(next, ownRootKeys(previous, gun));
}

function checkOwnSignatures(root: Root, keys: readonly PublicKey[]): void {
  const { threshold } = root.roles.root;
  const good = countSigners(root, keys);
  if (good < threshold) throw notSigned(root, 'root', good, threshold);
}

function readRoot(bytes: Buffer, name: string, gun: string): Root {
  const file = `${name} of ${gun}`;
  if (bytes.length > MAX_ROOT_BYTES) {
    throw new TrustError('bad-metadata', `${file} is larger than ${MAX_ROOT_BYTES} bytes`, { role: 'root' });
  }
  return parseRoot(bytes, file);
}

function stepMissing(version: number, gun: string): TrustError {
  return new TrustError('metadata-missing', `the server does not have ${version}.root.json of ${gun}`, {
    role: 'root',
    hint: "without it the change of the root key can't be followed; the publisher or the mirror must provide it",
  });
}
