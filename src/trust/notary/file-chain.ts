// From the root down to what is signed: the timestamp names the snapshot, the snapshot names the rest, each by hash and
// length, each signed by its role, none older than what was seen before, none expired.

import { createHash, timingSafeEqual } from 'node:crypto';
import { TrustError } from '../trust-error.ts';
import type { NotaryClient } from './client.ts';
import {
  type FileMeta,
  type Metadata,
  parseMetadata,
  parseSnapshot,
  parseTargets,
  RELEASES,
  type RoleKeys,
  type RoleName,
  type Root,
  type Snapshot,
  snapshotOf,
  type Targets,
} from './metadata.ts';
import { checkSignatures } from './signature.ts';
import type { Versions } from './stored-trust.ts';

export interface ChainQuestion {
  gun: string;
  now: Date;
  client: NotaryClient;
  root: Root;
  /** The highest ones seen. */
  versions: Versions;
}

export interface FileChain {
  timestamp: Metadata;
  snapshot: Snapshot;
  targets: Targets;
}

const MAX_TIMESTAMP_BYTES = 1 << 20;

/**
 * Timestamp, snapshot and targets.
 * @throws TrustError
 */
export async function followChain(question: ChainQuestion): Promise<FileChain> {
  const { gun, client, root } = question;
  const { roles } = root;
  const file = `timestamp.json of ${gun}`;
  const bytes = await client.get('timestamp.json', MAX_TIMESTAMP_BYTES);
  if (bytes === undefined) throw missing(file, 'timestamp');
  if (bytes.length > MAX_TIMESTAMP_BYTES) {
    throw new TrustError('bad-metadata', `${file} is larger than ${MAX_TIMESTAMP_BYTES} bytes`, { role: 'timestamp' });
  }
  const timestamp = parseMetadata(bytes, 'timestamp', file);
  check(question, timestamp, roles.timestamp);

  const snapshot = await fetchNamed(question, 'snapshot', snapshotOf(timestamp), parseSnapshot);
  check(question, snapshot, roles.snapshot);
  checkBytes(root.bytes, snapshot.root, `the root that the snapshot of ${gun} names`, 'root');

  const targets = await fetchNamed(question, 'targets', snapshot.targets, (content, name) =>
    parseTargets(content, 'targets', name),
  );
  check(question, targets, roles.targets);
  return { timestamp, snapshot, targets };
}

/**
 * The delegation `targets/releases`.
 * @param meta what the snapshot says of it.
 * @throws TrustError
 */
export async function followReleases(question: ChainQuestion, keys: RoleKeys, meta: FileMeta): Promise<Targets> {
  const releases = await fetchNamed(question, RELEASES, meta, (content, name) => parseTargets(content, RELEASES, name));
  check(question, releases, keys);
  return releases;
}

/** Fetches a file by its hash. */
async function fetchNamed<T>(
  { gun, client }: ChainQuestion,
  role: Exclude<RoleName, 'root' | 'timestamp'>,
  meta: FileMeta,
  parse: (bytes: Buffer, file: string) => T,
): Promise<T> {
  const file = `${role}.json of ${gun}`;
  const bytes = await client.get(`${role}.${meta.sha256.toString('hex')}.json`, meta.sizeBytes);
  if (bytes === undefined) throw missing(file, role);
  checkBytes(bytes, meta, file, role);
  return parse(bytes, file);
}

function checkBytes(bytes: Buffer, { sha256, sha512, sizeBytes }: FileMeta, what: string, role: RoleName): void {
  const matches =
    bytes.length === sizeBytes &&
    timingSafeEqual(createHash('sha256').update(bytes).digest(), sha256) &&
    (sha512 === undefined || timingSafeEqual(createHash('sha512').update(bytes).digest(), sha512));
  if (matches) return;
  throw new TrustError('hash-mismatch', `${what} is not the file that was signed: its hash or length differs`, {
    role,
    hint: 'the server mixes files of different times, or somebody changes them on the way',
  });
}

/** Signatures, then version, then age: an old file is told from a forged one. */
function check({ gun, now, versions }: ChainQuestion, metadata: Metadata, role: RoleKeys): void {
  checkSignatures(metadata, role);
  const { version, expires } = metadata;
  const seen = metadata.role === 'root' ? undefined : versions[metadata.role];
  if (seen !== undefined && version < seen) {
    throw new TrustError(
      'version-rollback',
      `the server sends an older ${metadata.role} of ${gun}: version ${seen} was seen, it serves ${version}`,
      {
        role: metadata.role,
        hint: 'the server, or a mirror of it, was set back; "holdfast trust show" says what is remembered',
      },
    );
  }
  checkExpiry(metadata, gun, now, expires);
}

/** @throws TrustError expired */
export function checkExpiry(metadata: Metadata, gun: string, now: Date, expires = metadata.expires): void {
  if (now < expires) return;
  throw new TrustError(
    'expired',
    `the ${metadata.role} of ${gun} expired on ${expires.toISOString()}; this machine's clock says ${now.toISOString()}`,
    { role: metadata.role, hint: 'the publisher or the mirror is stale, or the clock is wrong' },
  );
}

function missing(file: string, role: string): TrustError {
  return new TrustError('metadata-missing', `the server does not have ${file}`, {
    role,
    hint: 'the repository is signed, but its signatures are not complete; the server or the mirror is broken',
  });
}
