// The shapes of Notary's files: one good file of each kind, of which each row breaks one thing. A refusal names the file and
// the field, and nothing that a stranger wrote gets into it unquoted.

import { createHash } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import {
  parseMetadata,
  parseRoot,
  parseSnapshot,
  parseTargets,
  snapshotOf,
} from '../../../../src/trust/notary/metadata.ts';
import { TrustError } from '../../../../src/trust/trust-error.ts';

type Tree = { [name: string]: unknown };

const HASHES = { sha256: Buffer.alloc(32).toString('base64'), sha512: Buffer.alloc(64).toString('base64') };
const META = { hashes: HASHES, length: 10 };
const ENTRY = { keytype: 'ed25519', keyval: { private: null, public: Buffer.alloc(32, 7).toString('base64') } };
const ID = createHash('sha256').update(JSON.stringify(ENTRY)).digest('hex');
const ROLE = { keyids: [ID], threshold: 1 };
const COMMON = { version: 1, expires: '2030-01-01T00:00:00Z' };
const RELEASES = { name: 'targets/releases', ...ROLE, paths: ['v1.'] };

const GOOD = {
  root: {
    _type: 'Root',
    ...COMMON,
    keys: { [ID]: ENTRY },
    roles: { root: ROLE, targets: ROLE, snapshot: ROLE, timestamp: ROLE },
  },
  timestamp: { _type: 'Timestamp', ...COMMON, meta: { snapshot: META } },
  snapshot: {
    _type: 'Snapshot',
    ...COMMON,
    meta: { root: META, targets: META, 'targets/releases': META, 'targets/qa': META },
  },
  targets: { _type: 'Targets', ...COMMON, targets: {}, delegations: { keys: { [ID]: ENTRY }, roles: [RELEASES] } },
};
const SIGNATURE = { keyid: ID, method: 'EDDSA', sig: Buffer.alloc(64).toString('base64') };

const PARSERS = {
  root: (bytes: Buffer) => parseRoot(bytes, 'root.json of x/y'),
  timestamp: (bytes: Buffer) => snapshotOf(parseMetadata(bytes, 'timestamp', 'timestamp.json of x/y')),
  snapshot: (bytes: Buffer) => parseSnapshot(bytes, 'snapshot.json of x/y'),
  targets: (bytes: Buffer) => parseTargets(bytes, 'targets', 'targets.json of x/y'),
};
type Kind = keyof typeof GOOD;

/** Parses a file with one field replaced; `undefined` takes it out. */
function parse(kind: Kind, path = '', value?: unknown) {
  const document: Tree = { signed: structuredClone(GOOD[kind]), signatures: [structuredClone(SIGNATURE)] };
  if (path !== '') {
    const names = path.split('>');
    const last = names.pop() ?? '';
    let at: unknown = document;
    for (const name of names) at = Reflect.get(Object(at), name);
    if (value === undefined) Reflect.deleteProperty(Object(at), last);
    else Reflect.set(Object(at), last, value);
  }
  return PARSERS[kind](Buffer.from(JSON.stringify(document)));
}

test('the good ones say what they say', () => {
  expect(parse('root')).toMatchObject({
    version: 1,
    expires: new Date('2030-01-01T00:00:00Z'),
    roles: { targets: { threshold: 1, keys: [{ id: ID, type: 'ed25519' }] } },
    signatures: [{ keyId: ID, method: 'eddsa' }],
  });
  expect(parse('timestamp')).toEqual({ sha256: Buffer.alloc(32), sha512: Buffer.alloc(64), sizeBytes: 10 });
  expect(parse('snapshot')).toMatchObject({ roles: ['root', 'targets', 'targets/releases', 'targets/qa'] });
  expect(parse('targets')).toMatchObject({ releases: { name: 'targets/releases', threshold: 1, paths: ['v1.'] } });
});

test('a key that is listed twice is one key', () => {
  const root = parse('root', 'signed>roles>targets', { keyids: [ID, ID], threshold: 2 });
  expect(root).toMatchObject({ roles: { targets: { threshold: 2, keys: [{ id: ID }] } } });
});

describe('what may be missing', () => {
  test.each<[Kind, string, unknown]>([
    ['snapshot', 'signed>meta>targets/releases', undefined],
    ['snapshot', 'signed>meta>targets>hashes>sha512', undefined],
    ['targets', 'signed>delegations', undefined],
    ['targets', 'signed>delegations', null],
    ['targets', 'signed>delegations>roles', null],
    ['targets', 'signed>delegations>roles>0>paths', null],
    ['targets', 'signed>targets', null],
    ['targets', 'signed>more', { anything: [1] }],
  ])('%s: %s', (kind, path, value) => expect(() => parse(kind, path, value)).not.toThrow());
});

describe('refused', () => {
  test.each<[Kind, string, unknown, string]>([
    ['root', 'signed', undefined, 'signed is missing'],
    ['root', 'signed', [], 'signed is no object'],
    ['root', 'signed>_type', 'root', '_type is not Root'],
    ['root', 'signed>_type', undefined, '_type is no text'],
    ['root', 'signatures', undefined, 'signatures is empty'],
    ['root', 'signatures', [], 'signatures is empty'],
    ['root', 'signatures', {}, 'signatures is no list'],
    ['root', 'signatures', Array(257).fill(SIGNATURE), 'signatures has too many entries'],
    ['root', 'signatures>0>sig', 'not base64', 'signatures.0.sig is not base64'],
    ['root', 'signatures>0>sig', 'A'.repeat(4000), 'signatures.0.sig is too long'],
    ['root', 'signatures>0>keyid', 1, 'signatures.0.keyid is no text'],
    ['root', 'signed>version', 0, 'version is no integer from 1'],
    ['root', 'signed>version', '1', 'version is no integer from 1'],
    ['root', 'signed>expires', 'tomorrow', 'expires is no time'],
    ['root', 'signed>expires', '2030-02-31T25:00:00Z', 'expires is no time'],
    ['root', 'signed>roles>snapshot', undefined, 'keyids is empty'],
    ['root', 'signed>roles>root>keyids', [], 'keyids is empty'],
    ['root', 'signed>roles>root>keyids', Array(1025).fill(ID), 'keyids has too many entries'],
    ['root', 'signed>roles>root>keyids', ['00'], 'keyids.0 names a key that is not there'],
    ['root', 'signed>roles>root>keyids', ['__proto__'], 'keyids.0 names a key that is not there'],
    ['root', 'signed>roles>root>threshold', 0, 'threshold is no integer from 1'],
    ['root', 'signed>keys', 'x', 'keys is no object'],
    ['timestamp', 'signed>meta>snapshot>hashes', {}, 'hashes.sha256 is missing'],
    ['timestamp', 'signed>meta>snapshot>hashes>sha256', 'AAAA', 'sha256 has a wrong length'],
    ['timestamp', 'signed>meta>snapshot>hashes>sha512', HASHES.sha256, 'sha512 has a wrong length'],
    ['timestamp', 'signed>meta>snapshot>length', 0, 'length is no integer from 1 to 104857600'],
    ['timestamp', 'signed>meta>snapshot>length', 104857601, 'length is no integer from 1 to 104857600'],
    ['timestamp', 'signed>meta', undefined, 'hashes.sha256 is missing'],
    ['snapshot', 'signed>meta>root', undefined, 'meta.root.hashes.sha256 is missing'],
    ['snapshot', 'signed>meta>targets', undefined, 'meta.targets.hashes.sha256 is missing'],
    ['targets', 'signed>delegations>roles>1', RELEASES, 'name comes twice'],
    ['targets', 'signed>delegations>roles>0>name', 'releases', 'name is no delegation of targets'],
    ['targets', 'signed>delegations>roles>0>name', 'targets/../root', 'name is no delegation of targets'],
    ['targets', 'signed>delegations>roles>0>name', 'targets/', 'name is no delegation of targets'],
    ['targets', 'signed>delegations>roles>0>name', 'targets/releases/nightly', 'name is no delegation of targets'],
    ['targets', 'signed>delegations>roles>0>name', `targets/${'a'.repeat(248)}`, 'name is no delegation of targets'],
    ['targets', 'signed>delegations>roles>0>paths', 'v1.', 'paths is no list'],
    ['targets', 'signed>delegations>roles>0>paths', [1], 'paths.0 is no text'],
    ['targets', 'signed>delegations>keys', {}, 'keyids.0 names a key that is not there'],
  ])('%s: %s = %j', (kind, path, value, said) => {
    let error: unknown;
    try {
      parse(kind, path, value);
    } catch (thrown) {
      error = thrown;
    }
    expect(error).toBeInstanceOf(TrustError);
    expect(error).toMatchObject({ reason: 'bad-metadata', role: kind, message: expect.stringContaining(said) });
    expect(error).toMatchObject({ message: expect.stringContaining(`${kind}.json of x/y can't be used: `) });
  });

  test('names of strangers are quoted and short', () => {
    const name = `\u001b[31m${'x'.repeat(500)}`;
    const bytes = Buffer.from(
      JSON.stringify({ signed: { ...GOOD.targets, targets: { [name]: { length: 'x' } } }, signatures: [SIGNATURE] }),
    );
    const entry = parseTargets(bytes, 'targets', 'f').targets.get(name).get('length');
    expect(() => entry.integer(1)).toThrow(/"\\u001b\[31mx{90,100}"\.length is no integer/);
  });
});
