// Signed repositories for tests, written here without the code under test: one good description, of which each test changes
// one thing. Served from memory, so that thousands of them can be asked.

import { createHash, createPublicKey, generateKeyPairSync, type KeyObject, sign } from 'node:crypto';
import { HoldfastError } from '../../../../src/system/errors.ts';
import type { Exchanger } from '../../../../src/system/exchange.ts';
import type { StoredTrust } from '../../../../src/trust/notary/stored-trust.ts';
import type { TrustRecord } from '../../../../src/trust/notary/trust-store.ts';
import type { NotaryQuestion } from '../../../../src/trust/notary/verify.ts';
import { certificate, newKey } from './x509.ts';

export const GUN = 'registry.example:5000/os/base';
export const SERVER = 'https://registry.example:5000';
export const NOW = new Date('2026-11-21T12:00:00Z');
export const DIGEST = `sha256:${'11'.repeat(32)}`;

export interface TestKey {
  id: string;
  entry: { keytype: string; keyval: { private: null; public: string } };
  key: KeyObject;
}

type Plain = null | boolean | number | string | Plain[] | { [name: string]: Plain };
type Files = Map<string, Buffer>;

export interface Description {
  root: { version: number; keys: TestKey[]; threshold?: number; signers?: TestKey[]; expires?: string };
  /** `says`: what it claims about the snapshot beside its sha256. */
  timestamp: { version: number; keys: TestKey[]; expires?: string; says?: { length?: number; sha512?: Buffer } };
  snapshot: { version: number; keys: TestKey[]; lists?: boolean; expires?: string };
  targets: { version: number; keys: TestKey[]; expires?: string; tags: { [name: string]: Plain } };
  releases?: { version: number; keys: TestKey[]; paths?: string[]; tags: { [name: string]: Plain } };
  /** The roots before, by version; the newest is among them by itself. */
  earlier?: Files;
}

/** Sorted by the code units, which is right for the names that tests use. */
function canonical(value: Plain): string {
  if (Array.isArray(value)) return `[${value.map(canonical).join(',')}]`;
  if (value === null || typeof value !== 'object') return JSON.stringify(value);
  const names = Object.keys(value).sort();
  return `{${names.map((name) => `${JSON.stringify(name)}:${canonical(value[name] ?? null)}`).join(',')}}`;
}

function keyOf(keytype: string, bytes: Buffer, key: KeyObject): TestKey {
  const entry = { keytype, keyval: { private: null, public: bytes.toString('base64') } };
  return { id: createHash('sha256').update(canonical(entry)).digest('hex'), entry, key };
}

export function ed25519(): TestKey {
  const { privateKey } = generateKeyPairSync('ed25519');
  const info = createPublicKey(privateKey).export({ format: 'der', type: 'spki' });
  return keyOf('ed25519', info.subarray(-32), privateKey);
}

export function ecdsa(): TestKey {
  const key = newKey();
  return keyOf('ecdsa', createPublicKey(key).export({ format: 'der', type: 'spki' }), key);
}

/** A root key: with a certificate of its own for the repository, or with the given bundle. */
export function rootKey(pem?: string, key = newKey()): TestKey {
  const type = key.asymmetricKeyType === 'rsa' ? 'rsa-x509' : 'ecdsa-x509';
  return keyOf(type, Buffer.from(pem ?? certificate({ names: [GUN], key })), key);
}

/** ECDSA signs differently each time; what hasn't changed is to be the same file. */
const made = new Map<string, string>();

function signatureOf({ id, entry, key }: TestKey, message: string): { [name: string]: Plain } {
  const bytes = Buffer.from(message);
  const method = entry.keytype === 'ed25519' ? 'eddsa' : entry.keytype.startsWith('rsa') ? 'rsapkcs1v15' : 'ecdsa';
  const known = made.get(`${id} ${message}`);
  const sig =
    known ??
    (method === 'eddsa'
      ? sign(null, bytes, key)
      : sign('sha256', bytes, method === 'ecdsa' ? { key, dsaEncoding: 'ieee-p1363' } : { key })
    ).toString('base64');
  made.set(`${id} ${message}`, sig);
  return { keyid: id, method, sig };
}

export function signedFile(signed: Plain, keys: readonly TestKey[]): Buffer {
  const message = canonical(signed);
  return Buffer.from(JSON.stringify({ signed, signatures: keys.map((key) => signatureOf(key, message)) }));
}

export function tag(digest = DIGEST, length = 401): Plain {
  return { hashes: { sha256: Buffer.from(digest.slice(7), 'hex').toString('base64') }, length };
}

/** One good repository: the tag v1 in targets, everything of version 3. */
export function goodRepository(): Description {
  return {
    root: { version: 3, keys: [rootKey()] },
    timestamp: { version: 3, keys: [ed25519()] },
    snapshot: { version: 3, keys: [ed25519()] },
    targets: { version: 3, keys: [ecdsa()], tags: { v1: tag() } },
  };
}

export const LATER = '2030-01-01T00:00:00Z';

export function rootFile({ root, timestamp, snapshot, targets }: Description): Buffer {
  const roles = { root, timestamp, snapshot, targets };
  const all = [...root.keys, ...timestamp.keys, ...snapshot.keys, ...targets.keys];
  const signed = {
    _type: 'Root',
    consistent_snapshot: false,
    expires: root.expires ?? LATER,
    keys: Object.fromEntries(all.map(({ id, entry }) => [id, entry])),
    roles: Object.fromEntries(
      Object.entries(roles).map(([name, { keys }]) => [
        name,
        { keyids: keys.map(({ id }) => id), threshold: name === 'root' ? (root.threshold ?? 1) : 1 },
      ]),
    ),
    version: root.version,
  };
  return signedFile(signed, root.signers ?? root.keys);
}

/** All files as a server has them. */
export function filesOf(description: Description): Files {
  const { root, timestamp, snapshot, targets, releases, earlier = new Map() } = description;
  const files: Files = new Map(earlier);
  const rootBytes = rootFile(description);
  files.set('root.json', rootBytes).set(`${root.version}.root.json`, rootBytes);
  const add = (name: string, bytes: Buffer): { hashes: { sha256: string }; length: number } => {
    const sha256 = createHash('sha256').update(bytes).digest();
    files.set(`${name}.${sha256.toString('hex')}.json`, bytes);
    return { hashes: { sha256: sha256.toString('base64') }, length: bytes.length };
  };
  const delegations = releases && {
    keys: Object.fromEntries(releases.keys.map(({ id, entry }) => [id, entry])),
    roles: [
      {
        name: 'targets/releases',
        keyids: releases.keys.map(({ id }) => id),
        threshold: 1,
        paths: releases.paths ?? [''],
      },
    ],
  };
  const role = (version: number, tags: { [name: string]: Plain }, expires = LATER): { [name: string]: Plain } => ({
    _type: 'Targets',
    delegations: { keys: {}, roles: [] },
    expires,
    targets: tags,
    version,
  });
  const meta: { [name: string]: Plain } = {
    root: add('root', rootBytes),
    targets: add(
      'targets',
      signedFile(
        { ...role(targets.version, targets.tags, targets.expires), ...(delegations && { delegations }) },
        targets.keys,
      ),
    ),
  };
  if (releases !== undefined && snapshot.lists !== false) {
    meta['targets/releases'] = add(
      'targets/releases',
      signedFile(role(releases.version, releases.tags), releases.keys),
    );
  }
  const { says = {} } = timestamp;
  const snapshotMeta = add(
    'snapshot',
    signedFile(
      { _type: 'Snapshot', expires: snapshot.expires ?? LATER, meta, version: snapshot.version },
      snapshot.keys,
    ),
  );
  files.set(
    'timestamp.json',
    signedFile(
      {
        _type: 'Timestamp',
        expires: timestamp.expires ?? '2026-12-01T00:00:00Z',
        meta: {
          snapshot: {
            ...snapshotMeta,
            ...(says.length !== undefined && { length: says.length }),
            ...(says.sha512 && { hashes: { ...snapshotMeta.hashes, sha512: says.sha512.toString('base64') } }),
          },
        },
        version: timestamp.version,
      },
      timestamp.keys,
    ),
  );
  return files;
}

/** Answers from memory; `asked` collects the files that were wanted. */
export function serve(files: ReadonlyMap<string, Buffer>, asked: string[] = []): Exchanger {
  return async (url) => {
    const [, name = ''] = /\/_trust\/tuf\/(.*)$/.exec(decodeURIComponent(new URL(url).pathname)) ?? [];
    asked.push(name);
    const bytes = files.get(name);
    return {
      url,
      status: bytes === undefined ? 404 : 200,
      headers: new Headers(),
      body: (async function* () {
        if (bytes !== undefined) yield bytes;
      })(),
      cancel: async () => {},
    };
  };
}

/** A place to remember in, which is only an object; `problem` makes it one that can't be written. */
export class MemoryStore {
  stored: StoredTrust | undefined;
  problem: string | undefined;
  saved = 0;

  async open(): Promise<TrustRecord> {
    return {
      file: '/oem/record.json',
      stored: this.stored,
      problem: this.problem,
      save: (stored) => {
        if (this.problem !== undefined) throw new HoldfastError('HF-IO', this.problem);
        this.saved += 1;
        this.stored = structuredClone(stored);
      },
    };
  }
}

export function question(files: ReadonlyMap<string, Buffer>, change: Partial<NotaryQuestion> = {}): NotaryQuestion {
  return {
    gun: GUN,
    tag: 'v1',
    now: NOW,
    server: SERVER,
    store: new MemoryStore(),
    http: { exchange: serve(files), credentials: async () => undefined, attempts: 1 },
    builtAt: new Date('2026-01-01T00:00:00Z'),
    ...change,
  };
}
