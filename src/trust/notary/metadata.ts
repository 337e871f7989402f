// The files of Notary v1 (TUF as notary 0.7 writes it), taken apart: what is signed and by whom, then root, timestamp,
// snapshot and targets with the fields that decide. Shapes only; nothing here says that a signature is good.

import { TrustError } from '../trust-error.ts';
import { canonicalJson } from './canonical.ts';
import { Field } from './field.ts';
import { JsonError, parseJson } from './json.ts';
import { type PublicKey, readKey } from './key.ts';

export const TOP_ROLES = ['root', 'timestamp', 'snapshot', 'targets'] as const;
export type TopRole = (typeof TOP_ROLES)[number];
/** The only delegation that docker's signers publish images in. */
export const RELEASES = 'targets/releases';
export type RoleName = TopRole | typeof RELEASES;

export interface Signature {
  keyId: string;
  /** In lower case. */
  method: string;
  bytes: Buffer;
}

/** One file, its shape checked. */
export interface Metadata {
  role: RoleName;
  /** For messages: the file's name and the repository. */
  file: string;
  /** Exactly as they came. */
  bytes: Buffer;
  signed: Field;
  /** What the signatures cover. */
  signedBytes: Buffer;
  signatures: readonly Signature[];
  version: number;
  expires: Date;
}

/** Who may sign for a role. */
export interface RoleKeys {
  name: string;
  keys: readonly PublicKey[];
  threshold: number;
}

export interface Root extends Metadata {
  roles: Readonly<Record<TopRole, RoleKeys>>;
}

/** What one file says about another. */
export interface FileMeta {
  sha256: Buffer;
  sha512: Buffer | undefined;
  sizeBytes: number;
}

export interface Snapshot extends Metadata {
  root: FileMeta;
  targets: FileMeta;
  /** Of `targets/releases`; undefined where it isn't published. */
  releases: FileMeta | undefined;
  /** The names of all files in it. */
  roles: readonly string[];
}

export interface Delegation extends RoleKeys {
  /** Prefixes of the names that it may speak of. */
  paths: readonly string[];
}

export interface Targets extends Metadata {
  targets: Field;
  releases: Delegation | undefined;
}

/** Of any file of the chain. */
export const MAX_FILE_BYTES = 100 << 20;
const MAX_SIGNATURES = 256;
const MAX_KEYS = 1024;
const MAX_SIGNATURE_BYTES = 1024;

const TYPES: Readonly<Record<RoleName, string>> = {
  root: 'Root',
  timestamp: 'Timestamp',
  snapshot: 'Snapshot',
  targets: 'Targets',
  [RELEASES]: 'Targets',
};

/** RFC 3339. The publisher's client writes its own time zone (notary 0.7.0, DefaultExpires). */
const TIME = /^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?(Z|[+-](?:[01]\d|2[0-3]):[0-5]\d)$/;

/**
 * Takes a file apart as far as all kinds are alike.
 * @param file its name, for messages.
 * @throws TrustError bad-metadata
 */
export function parseMetadata(bytes: Buffer, role: RoleName, file: string): Metadata {
  const document = new Field(readJson(bytes, role, file), file, role);
  const signed = document.get('signed');
  const { value } = signed;
  if (value === undefined || value === null) throw signed.wrong('is missing');
  if (signed.get('_type').text() !== TYPES[role]) throw signed.get('_type').wrong(`is not ${TYPES[role]}`);
  const signatures = document.get('signatures').items();
  if (signatures.length === 0) throw document.get('signatures').wrong('is empty');
  if (signatures.length > MAX_SIGNATURES) throw document.get('signatures').wrong('has too many entries');
  return {
    role,
    file,
    bytes,
    signed,
    signedBytes: canonicalJson(value),
    signatures: signatures.map((entry) => ({
      keyId: entry.get('keyid').text(),
      method: entry.get('method').text().toLowerCase(),
      bytes: entry.get('sig').bytes(MAX_SIGNATURE_BYTES),
    })),
    version: signed.get('version').integer(1),
    expires: readTime(signed.get('expires')),
  };
}

function readJson(bytes: Buffer, role: RoleName, file: string) {
  try {
    return parseJson(bytes);
  } catch (cause) {
    if (!(cause instanceof JsonError)) throw cause;
    throw new TrustError('bad-metadata', `${file} can't be read as JSON: ${cause.message}`, {
      role,
      cause,
      hint: 'is this a Notary server? Its address is that of the registry, or DOCKER_CONTENT_TRUST_SERVER',
    });
  }
}

function readTime(field: Field): Date {
  const [, whole, fraction = '', zone] = TIME.exec(field.text()) ?? [];
  const time = new Date(`${whole}.${fraction.padEnd(3, '0').slice(0, 3)}${zone}`);
  if (whole === undefined || Number.isNaN(time.getTime())) throw field.wrong('is no time');
  return time;
}

/** @throws TrustError bad-metadata; key-id-mismatch for a key under a name that isn't its hash. */
export function parseRoot(bytes: Buffer, file: string): Root {
  const metadata = parseMetadata(bytes, 'root', file);
  const { signed } = metadata;
  const keys = signed.get('keys');
  const roles = signed.get('roles');
  const roleOf = (name: TopRole) => readRole(roles.get(name), name, keys);
  return {
    ...metadata,
    roles: {
      root: roleOf('root'),
      timestamp: roleOf('timestamp'),
      snapshot: roleOf('snapshot'),
      targets: roleOf('targets'),
    },
  };
}

/** The file that a timestamp vouches for. @throws TrustError bad-metadata */
export function snapshotOf(timestamp: Metadata): FileMeta {
  return readFileMeta(timestamp.signed.get('meta').get('snapshot'));
}

/** @throws TrustError bad-metadata */
export function parseSnapshot(bytes: Buffer, file: string): Snapshot {
  const metadata = parseMetadata(bytes, 'snapshot', file);
  const meta = metadata.signed.get('meta');
  const releases = meta.get(RELEASES);
  return {
    ...metadata,
    root: readFileMeta(meta.get('root')),
    targets: readFileMeta(meta.get('targets')),
    releases: releases.isMissing ? undefined : readFileMeta(releases),
    roles: meta.members().map(([name]) => name),
  };
}

/** @throws TrustError bad-metadata; key-id-mismatch as {@link parseRoot}. */
export function parseTargets(bytes: Buffer, role: 'targets' | typeof RELEASES, file: string): Targets {
  const metadata = parseMetadata(bytes, role, file);
  const { signed } = metadata;
  return {
    ...metadata,
    targets: signed.get('targets'),
    releases: role === 'targets' ? readReleases(signed) : undefined,
  };
}

/** Other delegations are of no concern: their names are checked, since a strange one says that the file is none of ours. */
function readReleases(signed: Field): Delegation | undefined {
  const delegations = signed.get('delegations');
  const keys = delegations.get('keys');
  let found: Delegation | undefined;
  for (const role of delegations.get('roles').items()) {
    const field = role.get('name');
    const name = field.text();
    if (!isChildOfTargets(name)) throw field.wrong('is no delegation of targets');
    if (name !== RELEASES) continue;
    if (found !== undefined) throw field.wrong('comes twice');
    const paths = role
      .get('paths')
      .items()
      .map((path) => path.text());
    found = { ...readRole(role, RELEASES, keys), paths };
  }
  return found;
}

function isChildOfTargets(name: string): boolean {
  return /^targets\/[-a-z0-9_]+$/.test(name) && name.length < 256;
}

/** Only the keys that the role lists are read: others, as those before a rotation, may be of any kind. */
function readRole(role: Field, name: RoleName, keys: Field): RoleKeys {
  const ids = role.get('keyids').items();
  if (ids.length === 0) throw role.get('keyids').wrong('is empty');
  if (ids.length > MAX_KEYS) throw role.get('keyids').wrong('has too many entries');
  const unique = new Map(ids.map((field) => [field.text(), field]));
  return {
    name,
    threshold: role.get('threshold').integer(1),
    keys: [...unique].map(([id, field]) => {
      const key = keys.get(id);
      if (key.isMissing) throw field.wrong('names a key that is not there');
      return readKey(key, id, name);
    }),
  };
}

/** @throws TrustError bad-metadata */
export function readFileMeta(field: Field): FileMeta {
  const hashes = field.get('hashes');
  const hash = (name: string, length: number): Buffer | undefined => {
    const entry = hashes.get(name);
    if (entry.isMissing) return undefined;
    const bytes = entry.bytes();
    if (bytes.length !== length) throw entry.wrong('has a wrong length');
    return bytes;
  };
  const sha256 = hash('sha256', 32);
  if (sha256 === undefined) throw hashes.get('sha256').wrong('is missing');
  return { sha256, sha512: hash('sha512', 64), sizeBytes: field.get('length').integer(1, MAX_FILE_BYTES) };
}
