// What of a ledger goes into an image, and by which name a container file knows the image that is installed.

import { expect, test } from 'vitest';
import type { LedgerEntry } from '../../../src/ledger/entry.ts';
import { baseOfSource, chooseEntries } from '../../../src/lifecycle/promotion.ts';
import { NO_XATTRS, type TreeObject } from '../../../src/overlay/rebase/tree-object.ts';

const DIGEST = `sha256:${'1'.repeat(64)}`;

test.each([
  ['docker:registry.example:5000/os/base:v1', DIGEST, `registry.example:5000/os/base@${DIGEST}`],
  ['docker://registry.example/os', DIGEST, `registry.example/os@${DIGEST}`],
  [`docker:registry.example/os@${DIGEST}`, DIGEST, `registry.example/os@${DIGEST}`],
  [`docker:registry.example/os:v1@${DIGEST}`, DIGEST, `registry.example/os@${DIGEST}`],
  ['docker:registry.example/os:v1', undefined, 'registry.example/os:v1'],
  ['oci-layout:/srv/images:v1', DIGEST, undefined],
  ['', undefined, undefined],
])('%s', (source, digest, base) => {
  expect(baseOfSource(source, digest).base).toBe(base);
});

const object = (changes: Partial<TreeObject> = {}): TreeObject => ({
  type: 'file',
  mode: 0o644,
  uid: 0,
  gid: 0,
  sizeBytes: 1,
  mtimeNs: 0n,
  ctimeNs: 0n,
  inode: 1n,
  links: 1,
  device: 0n,
  storedBytes: 1,
  isSparse: false,
  linkTarget: '',
  xattrs: NO_XATTRS,
  flags: '',
  ...changes,
});
const step = {
  stage: 'after-upgrade-chroot',
  file: '/oem/90_mine.yaml',
  line: 4,
  name: 'Things',
  definition: 'd',
  at: '',
};
const entry = (path: string, changes: Partial<LedgerEntry> = {}): LedgerEntry => ({
  path: path.slice(1),
  kind: 'added',
  after: object(),
  fields: [],
  cause: { by: 'step', step },
  earlier: [],
  ...changes,
});
const OWNER_FILE = '/oem/90_holdfast_owner.yaml';
const choose = (...entries: LedgerEntry[]) => chooseEntries(entries, OWNER_FILE);

test('what a step has made, with its place', () => {
  const { found, leftOut } = choose(
    entry('/etc/a', { after: object({ mode: 0o600, uid: 7 }) }),
    entry('/opt/b', { after: object({ type: 'directory', mode: 0o755 }) }),
    entry('/etc/c', { after: object({ type: 'symlink', linkTarget: 'd' }) }),
    entry('/etc/e', { kind: 'removed', before: object(), cause: { by: 'unknown' } }),
  );
  const by = '/oem/90_mine.yaml:4 "Things"';
  expect(found).toEqual([
    { path: '/etc/a', by, change: { kind: 'file', mode: 0o600, uid: 7, gid: 0 } },
    { path: '/opt/b', by, change: { kind: 'directory', mode: 0o755, uid: 0, gid: 0 } },
    { path: '/etc/c', by, change: { kind: 'link', target: 'd' } },
    { path: '/etc/e', by: 'Nobody knows by whom', change: { kind: 'removed' } },
  ]);
  expect(leftOut).toEqual([]);
});

test.each<[string, LedgerEntry]>([
  ['the owner’s requests', entry('/etc/a', { cause: { by: 'step', step: { ...step, file: OWNER_FILE } } })],
  ['what holdfast does itself', entry('/etc/a', { cause: { by: 'holdfast' } })],
  ['caches', entry('/var/cache/x')],
  ['databases of packages', entry('/var/lib/dpkg/status', { kind: 'changed', fields: ['content'] })],
  ['the machine’s identity', entry('/etc/machine-id')],
  ['another time alone', entry('/etc/a', { kind: 'changed', before: object(), fields: ['time'] })],
])('without a word: %s', (_, one) => {
  expect(choose(one)).toEqual({ found: [], leftOut: [] });
});

test.each<[string, LedgerEntry, RegExp]>([
  ['what packages bring', entry('/usr/bin/vim', { package: { name: 'vim', version: '9' } }), /^1 paths of packages/],
  ['accounts', entry('/etc/passwd', { kind: 'changed', before: object(), fields: ['content'] }), /^users and groups/],
  ['devices', entry('/dev2', { after: object({ type: 'fifo' }) }), /^\/dev2 is a fifo/],
])('said: %s', (_, one, sentence) => {
  const { found, leftOut } = choose(one);
  expect(found).toEqual([]);
  expect(leftOut).toEqual([expect.stringMatching(sentence)]);
});

test('configuration of a package that a step has changed is the step’s', () => {
  const owner = { name: 'ssh', version: '9' };
  const { found } = choose(
    entry('/etc/ssh/sshd_config', { kind: 'changed', before: object(), fields: ['content'], package: owner }),
  );
  expect(found.map(({ path }) => path)).toEqual(['/etc/ssh/sshd_config']);
});

test('more than a person can look through is cut', () => {
  const { found, leftOut } = choose(...Array.from({ length: 1005 }, (_, index) => entry(`/etc/${index}`)));
  expect(found).toHaveLength(1000);
  expect(leftOut).toEqual([expect.stringMatching(/^5 more differences/)]);
});
