// The lock of installed packages: written and read back, added to, and checked like any input, since a disk may have been in
// anybody's hands.

import fc from 'fast-check';
import { expect, test } from 'vitest';
import { nextLock } from '../../../src/lifecycle/keep-packages.ts';
import { addToLock, type LockedPackage, type PackageLock, parseLock, renderLock } from '../../../src/owner/lock.ts';

const vim: LockedPackage = {
  name: 'vim',
  architecture: 'amd64',
  version: '2:9.0.1378-2',
  sha256: 'a'.repeat(64),
  sizeBytes: 1234,
  asked: true,
  neededBy: ['vim'],
  installedAt: '2026-11-21T22:00:00.000Z',
  base: `sha256:${'b'.repeat(64)}`,
};
const lib: LockedPackage = { ...vim, name: 'libgpm2', version: '1.20.7-10', asked: false };
const lock: PackageLock = { database: 'dpkg', packages: [lib, vim] };

test('it comes back as it was written, in the order of its names', () => {
  const text = renderLock({ ...lock, packages: [vim, lib] });
  expect(parseLock(text)).toEqual({ lock, dropped: 0 });
  expect(text.indexOf('libgpm2')).toBeLessThan(text.indexOf('"vim"'));
});

test.each([
  ['no JSON', '{'],
  ['another format', renderLock(lock).replace('"format": 1', '"format": 2')],
  ['another database', renderLock(lock).replace('"dpkg"', '"npm"')],
  ['a list', '[]'],
  ['null', 'null'],
])('%s is no lock', (_, text) => {
  expect(parseLock(text)).toBeUndefined();
});

test.each([
  ['a name that is an option', { name: '--root' }],
  ['a name that leaves the directory', { name: '../../etc/passwd' }],
  ['a version with a line break', { version: '1\n2' }],
  ['a digest that is none', { sha256: 'zz' }],
  ['an architecture with a slash', { architecture: 'a/b' }],
  ['no time', { installedAt: 'yesterday' }],
])('an entry with %s is left out and counted', (_, broken) => {
  const text = renderLock({ ...lock, packages: [lib, { ...vim, ...broken }] });
  expect(parseLock(text)).toEqual({ lock: { ...lock, packages: [lib] }, dropped: 1 });
});

test('no text makes it throw', () => {
  const entry = fc.record({
    name: fc.anything(),
    version: fc.anything(),
    neededBy: fc.anything(),
    sha256: fc.anything(),
  });
  fc.assert(
    fc.property(
      fc.oneof(
        fc.string(),
        fc.array(entry).map((packages) => JSON.stringify({ format: 1, database: 'rpm', packages })),
      ),
      (text) => {
        const parsed = parseLock(text);
        for (const one of parsed?.lock.packages ?? [])
          expect(one.neededBy.every((name) => typeof name === 'string')).toBe(true);
      },
    ),
  );
});

test('a package that comes again gets its new version, and all who need it', () => {
  const emacs = { ...lib, version: '1.20.7-11', neededBy: ['emacs'] };
  expect(addToLock([lib, vim], [emacs])).toEqual([{ ...emacs, neededBy: ['vim', 'emacs'] }, vim]);
  expect(addToLock([vim], [{ ...vim, asked: false, neededBy: ['emacs'] }])[0]).toMatchObject({
    asked: true,
    neededBy: ['vim', 'emacs'],
  });
});

test.each([
  ['what the new system has replaces what the old one had', [{ ...vim, version: '3' }], ['vim'], ['vim 3']],
  [
    'what was left out this time stays with what it needs',
    undefined,
    ['vim'],
    ['libgpm2 1.20.7-10', 'vim 2:9.0.1378-2'],
  ],
  ['what nobody asks for any more goes', undefined, [], []],
] as const)('of two systems: %s', (_, made, wanted, expected) => {
  const current = made === undefined ? undefined : { database: 'dpkg' as const, packages: [...made] };
  const next = nextLock(lock, current, new Set(wanted));
  expect(next?.packages.map(({ name, version }) => `${name} ${version}`)).toEqual(expected);
});

test('the lock of another package manager is of no use', () => {
  const made: PackageLock = { database: 'apk', packages: [] };
  expect(nextLock(lock, made, new Set(['vim']))).toBe(made);
});
