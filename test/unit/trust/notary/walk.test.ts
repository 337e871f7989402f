// What happens over several runs: what is remembered and when, what it protects from, and when it is given up. Each test
// begins with a good repository and changes one thing.

import { createHash } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { verifyNotary } from '../../../../src/trust/notary/verify.ts';
import { TrustError } from '../../../../src/trust/trust-error.ts';
import {
  DIGEST,
  ecdsa,
  ed25519,
  filesOf,
  GUN,
  goodRepository,
  LATER,
  MemoryStore,
  NOW,
  question,
  rootFile,
  rootKey,
  SERVER,
  serve,
  signedFile,
  tag,
} from './repository.ts';
import { certificate, newKey } from './x509.ts';

const OTHER = `sha256:${'22'.repeat(32)}`;

/** The refusal, or the answer where there is none. */
async function refusal(asked: Parameters<typeof verifyNotary>[0]) {
  const error = await verifyNotary(asked).catch((thrown: unknown) => thrown);
  return error instanceof TrustError ? { reason: error.reason, role: error.role } : error;
}

describe('the first run', () => {
  test('remembers root, versions, roles and how trust began', async () => {
    const store = new MemoryStore();
    const repository = goodRepository();
    const answer = await verifyNotary(question(filesOf(repository), { store }));
    const keyIds = repository.root.keys.map(({ id }) => id);
    expect(answer).toMatchObject({
      digest: DIGEST,
      sizeBytes: 401,
      role: 'targets',
      trust: { rule: 'first-use', keyIds, isNew: true },
      timestampExpires: new Date('2026-12-01T00:00:00Z'),
    });
    expect(answer.notices).toEqual([
      {
        level: 'warning',
        text: expect.stringMatching(`at first use, on the word of ${SERVER}: root key ${keyIds[0]}`),
      },
    ]);
    expect(store.stored).toEqual({
      format: 1,
      gun: GUN,
      server: SERVER,
      root: rootFile(repository).toString(),
      versions: { timestamp: 3, snapshot: 3, targets: 3 },
      roles: ['root', 'targets'],
      began: { rule: 'first-use', keyIds, at: NOW.toISOString() },
      lastSuccess: NOW.toISOString(),
    });
  });

  test('is followed by one that has nothing to say', async () => {
    const store = new MemoryStore();
    const files = filesOf(goodRepository());
    await verifyNotary(question(files, { store }));
    expect(await verifyNotary(question(files, { store }))).toMatchObject({ trust: { isNew: false }, notices: [] });
  });

  test('asks for nothing but what it needs', async () => {
    const asked: string[] = [];
    const files = filesOf(goodRepository());
    await verifyNotary(
      question(files, { http: { exchange: serve(files, asked), credentials: async () => undefined } }),
    );
    expect(asked.map((name) => name.replace(/[0-9a-f]{64}/, 'HASH'))).toEqual([
      'root.json',
      'timestamp.json',
      'snapshot.HASH.json',
      'targets.HASH.json',
    ]);
  });

  test('remembers the root also when a later step fails, but no versions', async () => {
    const store = new MemoryStore();
    const repository = goodRepository();
    expect(await refusal(question(filesOf(repository), { store, tag: 'v9' }))).toMatchObject({
      reason: 'tag-not-signed',
    });
    expect(store.stored).toMatchObject({ versions: {}, roles: [] });
    expect(store.stored?.lastSuccess).toBeUndefined();
    // Another repository by the same name is noticed from now on.
    expect(await refusal(question(filesOf(goodRepository()), { store }))).toMatchObject({ reason: 'version-rollback' });
  });

  test('that meets a bad root remembers nothing', async () => {
    const store = new MemoryStore();
    const repository = goodRepository();
    repository.root.signers = [rootKey()];
    expect(await refusal(question(filesOf(repository), { store }))).toEqual({
      reason: 'signature-invalid',
      role: 'root',
    });
    expect(store.saved).toBe(0);
  });
});

describe('a place that cannot be written', () => {
  const store = () => Object.assign(new MemoryStore(), { problem: 'EROFS: read-only file system' });

  test('is a refusal before anything is asked', async () => {
    const asked: string[] = [];
    const http = { exchange: serve(new Map(), asked), credentials: async () => undefined };
    const got = await refusal(question(new Map(), { store: store(), http }));
    expect(got).toEqual({ reason: 'state-not-writable', role: undefined });
    expect(asked).toEqual([]);
  });

  test('is a warning where a pin stands in for it', async () => {
    const repository = goodRepository();
    const pins = { certs: { [GUN]: repository.root.keys.map(({ id }) => id) } };
    const answer = await verifyNotary(question(filesOf(repository), { store: store(), pins }));
    expect(answer.digest).toBe(DIGEST);
    expect(answer.notices).toEqual([
      { level: 'warning', text: expect.stringContaining('EROFS: read-only file system') },
      { level: 'info', text: expect.stringContaining('as pinned') },
    ]);
  });
});

describe('later runs refuse what is older', () => {
  const roles = ['timestamp', 'snapshot', 'targets'] as const;
  test.each(roles)('%s', async (role) => {
    const store = new MemoryStore();
    const repository = goodRepository();
    await verifyNotary(question(filesOf(repository), { store }));
    repository[role].version = 2;
    expect(await refusal(question(filesOf(repository), { store }))).toEqual({ reason: 'version-rollback', role });
  });

  test.each(roles)('%s, but not what is as old', async (role) => {
    const store = new MemoryStore();
    const repository = goodRepository();
    await verifyNotary(question(filesOf(repository), { store }));
    repository[role].expires = '2026-11-30T00:00:00Z';
    expect(await refusal(question(filesOf(repository), { store }))).toMatchObject({ digest: DIGEST });
  });

  test('and a root of the same version with other bytes', async () => {
    const store = new MemoryStore();
    const repository = goodRepository();
    await verifyNotary(question(filesOf(repository), { store }));
    repository.root.expires = '2031-01-01T00:00:00Z';
    expect(await refusal(question(filesOf(repository), { store }))).toEqual({
      reason: 'version-rollback',
      role: 'root',
    });
  });
});

describe('new keys', () => {
  test.each(['timestamp', 'snapshot'] as const)('of the %s: its version may begin again', async (role) => {
    const store = new MemoryStore();
    const repository = goodRepository();
    // Fast forward: an attacker with the key has set it to the highest there is.
    repository[role].version = Number.MAX_SAFE_INTEGER;
    await verifyNotary(question(filesOf(repository), { store }));
    repository[role].version = 4;
    expect(await refusal(question(filesOf(repository), { store }))).toMatchObject({ reason: 'version-rollback' });
    repository[role].keys = [ed25519()];
    repository.root.version += 1;
    expect(await verifyNotary(question(filesOf(repository), { store }))).toMatchObject({ digest: DIGEST });
    expect(store.stored?.versions[role]).toBe(4);
  });

  test('beside the old one: the version still counts', async () => {
    const store = new MemoryStore();
    const repository = goodRepository();
    await verifyNotary(question(filesOf(repository), { store }));
    repository.timestamp.keys = [...repository.timestamp.keys, ed25519()];
    repository.timestamp.version = 2;
    repository.root.version += 1;
    expect(await refusal(question(filesOf(repository), { store }))).toEqual({
      reason: 'version-rollback',
      role: 'timestamp',
    });
  });

  test('of the root, signed by old and new: followed, and the old one is worth nothing any more', async () => {
    const store = new MemoryStore();
    const repository = goodRepository();
    const [old] = repository.root.keys;
    if (old === undefined) throw new TypeError('no root key');
    await verifyNotary(question(filesOf(repository), { store }));
    const next = rootKey();
    repository.root = { version: 4, keys: [next], signers: [old, next] };
    expect(await verifyNotary(question(filesOf(repository), { store }))).toMatchObject({ trust: { isNew: false } });
    repository.root = { version: 5, keys: [old], signers: [old] };
    expect(await refusal(question(filesOf(repository), { store }))).toEqual({
      reason: 'root-rotation-invalid',
      role: 'root',
    });
  });

  test('of the root: an expired step in between is followed, an expired newest one is not', async () => {
    const store = new MemoryStore();
    const repository = goodRepository();
    const [first] = repository.root.keys;
    if (first === undefined) throw new TypeError('no root key');
    await verifyNotary(question(filesOf(repository), { store }));
    const [second, third] = [rootKey(), rootKey()];
    repository.root = { version: 4, keys: [second], signers: [first, second], expires: '2026-02-01T00:00:00Z' };
    const earlier = new Map([['4.root.json', rootFile(repository)]]);
    expect(await refusal(question(filesOf(repository), { store: clone(store) }))).toEqual({
      reason: 'expired',
      role: 'root',
    });
    repository.root = { version: 5, keys: [third], signers: [second, third] };
    const files = filesOf({ ...repository, earlier });
    expect(await verifyNotary(question(files, { store }))).toMatchObject({ digest: DIGEST });
  });

  test('of the root: two keys at a threshold of two both have to sign', async () => {
    const store = new MemoryStore();
    const repository = goodRepository();
    const [one, two] = [rootKey(), rootKey()];
    repository.root = { version: 3, keys: [one, two], threshold: 2 };
    await verifyNotary(question(filesOf(repository), { store }));
    repository.root = { version: 4, keys: [one, two], threshold: 2, signers: [one, one] };
    expect(await refusal(question(filesOf(repository), { store }))).toMatchObject({ reason: 'root-rotation-invalid' });
    repository.root = { version: 4, keys: [one], threshold: 1, signers: [one] };
    expect(await refusal(question(filesOf(repository), { store }))).toMatchObject({ reason: 'root-rotation-invalid' });
  });

  test('a version that is far away is not walked to', async () => {
    const store = new MemoryStore();
    const repository = goodRepository();
    await verifyNotary(question(filesOf(repository), { store }));
    repository.root.version = 4000;
    const asked: string[] = [];
    const http = { exchange: serve(filesOf(repository), asked), credentials: async () => undefined };
    expect(await refusal(question(new Map(), { store, http }))).toEqual({ reason: 'bad-metadata', role: 'root' });
    expect(asked).toEqual(['root.json']);
  });
});

test('a trusted root whose certificate has ended is not enough any more', async () => {
  const store = new MemoryStore();
  const repository = goodRepository();
  const key = newKey();
  repository.root.keys = [rootKey(certificate({ names: [GUN], key, notAfter: '20261125000000Z' }), key)];
  await verifyNotary(question(filesOf(repository), { store }));
  const now = new Date('2026-11-25T00:00:01Z');
  expect(await refusal(question(filesOf(repository), { store, now }))).toEqual({
    reason: 'root-cert-mismatch',
    role: 'root',
  });
  // Its key may still hand over to a new one.
  const next = rootKey();
  repository.root = { version: 4, keys: [next], signers: [...repository.root.keys, next] };
  expect(await verifyNotary(question(filesOf(repository), { store, now }))).toMatchObject({ digest: DIGEST });
});

describe('a snapshot', () => {
  const snapshotOf = (files: ReadonlyMap<string, Buffer>) =>
    [...files].find(([name]) => name.startsWith('snapshot.'))?.[1] ?? Buffer.alloc(0);
  const sha512 = (bytes: Buffer) => createHash('sha512').update(bytes).digest();

  test.each<[string, (bytes: Buffer) => { length?: number; sha512?: Buffer }, string]>([
    ['that is longer than the timestamp says', ({ length }) => ({ length: length - 1 }), 'hash-mismatch'],
    ['that is shorter', ({ length }) => ({ length: length + 1 }), 'hash-mismatch'],
    ['with another sha512', () => ({ sha512: sha512(Buffer.from('other')) }), 'hash-mismatch'],
    ['with a sha512 that is none', () => ({ sha512: Buffer.from('short') }), 'bad-metadata'],
    ['that is said to be larger than any may be', () => ({ length: (100 << 20) + 1 }), 'bad-metadata'],
    ['with its sha512', (bytes) => ({ sha512: sha512(bytes) }), 'ok'],
  ])('%s', async (_, says, expected) => {
    const repository = goodRepository();
    repository.timestamp.says = says(snapshotOf(filesOf(repository)));
    const got = await refusal(question(filesOf(repository)));
    expect(got).toMatchObject(expected === 'ok' ? { digest: DIGEST } : { reason: expected });
  });
});

describe('releases', () => {
  const withReleases = (paths?: string[]) => {
    const repository = goodRepository();
    repository.releases = { version: 2, keys: [ecdsa()], tags: { v1: tag(OTHER) }, ...(paths && { paths }) };
    return repository;
  };

  test('comes before targets', async () => {
    expect(await verifyNotary(question(filesOf(withReleases())))).toMatchObject({
      digest: OTHER,
      role: 'targets/releases',
    });
  });

  test.each([[['v2', 'w']], [[]]])('with the paths %j has no say about v1', async (paths) => {
    expect(await verifyNotary(question(filesOf(withReleases(paths))))).toMatchObject({
      digest: DIGEST,
      role: 'targets',
    });
  });

  test('that was given up may come back with its first version', async () => {
    const store = new MemoryStore();
    const { releases, ...without } = withReleases();
    if (releases === undefined) throw new TypeError('no releases');
    await verifyNotary(question(filesOf({ ...without, releases }), { store }));
    expect(store.stored?.versions['targets/releases']).toBe(2);
    await verifyNotary(question(filesOf(without), { store }));
    expect(
      await verifyNotary(question(filesOf({ ...without, releases: { ...releases, version: 1 } }), { store })),
    ).toMatchObject({ digest: OTHER });
  });

  test('that was never published may be, and then may not be hidden', async () => {
    const store = new MemoryStore();
    const repository = withReleases();
    repository.snapshot.lists = false;
    expect(await verifyNotary(question(filesOf(repository), { store }))).toMatchObject({ digest: DIGEST });
    repository.snapshot.lists = true;
    expect(await verifyNotary(question(filesOf(repository), { store }))).toMatchObject({ digest: OTHER });
    repository.snapshot.lists = false;
    expect(await refusal(question(filesOf(repository), { store }))).toEqual({
      reason: 'role-dropped',
      role: 'targets/releases',
    });
  });
});

describe('a publisher who changes something between two requests', () => {
  /** Answers from `before` until a file has been asked for, then from `after`. */
  const changing = (before: ReadonlyMap<string, Buffer>, after: ReadonlyMap<string, Buffer>, at: string) => {
    let now = before;
    return async (url: string) => {
      const answer = await serve(now)(url);
      if (url.endsWith(at)) now = after;
      return answer;
    };
  };

  test('is asked once more from the root', async () => {
    const before = goodRepository();
    const after = structuredCloneOf(before);
    after.root.version = 4;
    after.timestamp = { version: 4, keys: [ed25519()] };
    const exchange = changing(filesOf(before), filesOf(after), '/root.json');
    const answer = await verifyNotary(question(new Map(), { http: { exchange, credentials: async () => undefined } }));
    expect(answer).toMatchObject({ digest: DIGEST, trust: { isNew: true } });
    expect(answer.notices).toHaveLength(1);
  });

  test('is not asked a third time', async () => {
    const repository = goodRepository();
    const files = filesOf(repository);
    files.delete('timestamp.json');
    const asked: string[] = [];
    const http = { exchange: serve(files, asked), credentials: async () => undefined };
    expect(await refusal(question(files, { http }))).toEqual({ reason: 'metadata-missing', role: 'timestamp' });
    expect(asked).toEqual(['root.json', 'timestamp.json', 'root.json', 'timestamp.json']);
  });
});

describe('pins that change', () => {
  test('begin anew, say so, and forget nothing that protects', async () => {
    const store = new MemoryStore();
    const repository = goodRepository();
    const ids = repository.root.keys.map(({ id }) => id);
    await verifyNotary(question(filesOf(repository), { store }));
    const pins = { certs: { [GUN]: ids } };
    const answer = await verifyNotary(question(filesOf(repository), { store, pins }));
    expect(answer.trust).toEqual({ rule: 'certs', keyIds: ids, isNew: true });
    expect(answer.notices[0]?.text).toContain('anew, since its pin has changed');
    expect(await verifyNotary(question(filesOf(repository), { store, pins }))).toMatchObject({ notices: [] });
    repository.timestamp.version = 2;
    const wider = { certs: { [GUN]: [...ids, '00'.repeat(32)] } };
    expect(await refusal(question(filesOf(repository), { store, pins: wider }))).toMatchObject({
      reason: 'version-rollback',
      role: 'timestamp',
    });
    repository.root.version = 2;
    expect(await refusal(question(filesOf(repository), { store, pins: { certs: { '*': ids } } }))).toMatchObject({
      reason: 'version-rollback',
      role: 'root',
    });
  });

  test('to another key take the place of all that was trusted', async () => {
    const store = new MemoryStore();
    await verifyNotary(question(filesOf(goodRepository()), { store }));
    const other = goodRepository();
    other.root.version = other.timestamp.version = other.snapshot.version = other.targets.version = 1;
    expect(await refusal(question(filesOf(other), { store }))).toMatchObject({ reason: 'version-rollback' });
    const pins = { certs: { [GUN]: other.root.keys.map(({ id }) => id) } };
    expect(await verifyNotary(question(filesOf(other), { store, pins }))).toMatchObject({ digest: DIGEST });
    expect(store.stored?.versions).toEqual({ timestamp: 1, snapshot: 1, targets: 1 });
  });

  test('are not missed once trust began with them and they are gone', async () => {
    const store = new MemoryStore();
    const repository = goodRepository();
    const pins = { certs: { [GUN]: repository.root.keys.map(({ id }) => id) } };
    await verifyNotary(question(filesOf(repository), { store, pins }));
    expect(await verifyNotary(question(filesOf(repository), { store }))).toMatchObject({
      trust: { rule: 'certs', isNew: false },
    });
  });
});

describe('what is said in one file only', () => {
  test.each([
    ['2026-12-01T01:00:00+02:00', 'ok'],
    ['2026-11-21T13:59:59.999999999+02:00', 'expired'],
    ['2026-11-21T12:00:00Z', 'expired'],
    ['2026-11-21T12:00:00.001Z', 'ok'],
    ['2026-12-01', 'bad-metadata'],
    ['2026-13-01T00:00:00Z', 'bad-metadata'],
    ['2026-12-01T00:00:00', 'bad-metadata'],
    ['2026-12-01T00:00:00.0123456789Z', 'bad-metadata'],
  ])('a timestamp that expires %s: %s', async (expires, expected) => {
    const repository = goodRepository();
    repository.timestamp.expires = expires;
    const got = await refusal(question(filesOf(repository)));
    expect(got).toMatchObject(expected === 'ok' ? { digest: DIGEST } : { reason: expected, role: 'timestamp' });
  });

  test('a timestamp that holds for longer than servers sign is told', async () => {
    const repository = goodRepository();
    repository.timestamp.expires = LATER;
    const { notices } = await verifyNotary(question(filesOf(repository)));
    expect(notices.map(({ text }) => text)).toContainEqual(expect.stringContaining('2030-01-01'));
  });

  test.each([
    [{ hashes: { sha512: 'AAAA' }, length: 1 }, 'no-sha256'],
    [{ hashes: { sha256: 'AAAA' }, length: 1 }, 'no-sha256'],
    [{ hashes: {}, length: 1 }, 'no-sha256'],
    [{ length: 1 }, 'no-sha256'],
    [{ ...(tag() as object), length: 0 }, 'bad-metadata'],
    [{ ...(tag() as object), length: '401' }, 'bad-metadata'],
    [{ hashes: { sha256: '!' }, length: 1 }, 'bad-metadata'],
    ['v1', 'bad-metadata'],
    [null, 'tag-not-signed'],
  ])('an entry %j: %s', async (entry, reason) => {
    const repository = goodRepository();
    repository.targets.tags = { v1: entry as ReturnType<typeof tag> };
    expect(await refusal(question(filesOf(repository)))).toMatchObject({ reason });
  });

  test('a clock that is before this program refuses without asking', async () => {
    const asked: string[] = [];
    const http = { exchange: serve(new Map(), asked) };
    const now = new Date('2025-12-31T00:00:00Z');
    expect(await refusal(question(new Map(), { now, http }))).toMatchObject({ reason: 'clock-invalid' });
    expect(asked).toEqual([]);
  });

  test('a stored root that is none, or of another repository, is no fresh start', async () => {
    const store = new MemoryStore();
    const files = filesOf(goodRepository());
    await verifyNotary(question(files, { store }));
    const { stored } = store;
    if (stored === undefined) throw new TypeError('nothing stored');
    store.stored = { ...stored, root: '{}' };
    expect(await refusal(question(files, { store }))).toMatchObject({ reason: 'state-corrupt' });
    store.stored = { ...stored, root: signedFile({ _type: 'Root' }, []).toString() };
    expect(await refusal(question(files, { store }))).toMatchObject({ reason: 'state-corrupt' });
    store.stored = { ...stored, gun: 'registry.example:5000/os/other' };
    expect(await refusal(question(files, { store, gun: 'registry.example:5000/os/other' }))).toMatchObject({
      reason: 'state-corrupt',
    });
  });
});

function clone(store: MemoryStore): MemoryStore {
  const copy = new MemoryStore();
  copy.stored = structuredClone(store.stored);
  return copy;
}

/** Keys can't be cloned; they are shared. */
function structuredCloneOf(repository: ReturnType<typeof goodRepository>): ReturnType<typeof goodRepository> {
  const { root, timestamp, snapshot, targets } = repository;
  return { root: { ...root }, timestamp: { ...timestamp }, snapshot: { ...snapshot }, targets: { ...targets } };
}
