// Versions in the order of each package manager; dpkg itself is asked about generated ones.

import { spawnSync } from 'node:child_process';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { DatabaseName } from '../../../../src/overlay/packages/model.ts';
import { compareVersions } from '../../../../src/overlay/packages/versions.ts';

/** From old to new. */
const ORDERED: readonly [DatabaseName, ...string[]][] = [
  [
    'dpkg',
    '1.0~~',
    '1.0~~a',
    '1.0~',
    '1.0~rc1',
    '1.0',
    '1.0-1',
    '1.0-1+b1',
    '1.0a',
    '1.0+dfsg',
    '1.2',
    '1.10',
    '1:0.1',
  ],
  ['dpkg', '2:9.0.1378-2+deb12u1', '2:9.0.1378-2+deb12u2', '2:9.1.0-1'],
  ['rpm', '1.a-1', '1.0~rc1-1', '1.0-1', '1.0-1.el9', '1.0-2', '1.0^git1-1', '1.0.1-1', '1.1-1', '1.10-1', '2:0.1-1'],
  ['rpm', 'a-1', 'b-1', '0-1', '1-1', '10.0001-1', '10.2-1'],
  [
    'apk',
    '1.0_alpha2',
    '1.0_beta',
    '1.0_rc1',
    '1.0_rc2',
    '1.0',
    '1.0-r1',
    '1.0-r10',
    '1.0_git20240101',
    '1.0_p1',
    '1.0a',
    '1.0.1',
    '1.01',
    '1.1',
    '1.10',
  ],
];

describe.each(ORDERED)('%s', (database, ...versions) => {
  it(`orders ${versions.join(' < ')}`, () => {
    for (const [index, one] of versions.entries()) {
      expect(compareVersions(database, one, one)).toBe(0);
      for (const other of versions.slice(index + 1)) {
        expect(`${one} ${Math.sign(compareVersions(database, one, other))} ${other}`).toBe(`${one} -1 ${other}`);
        expect(Math.sign(compareVersions(database, other, one))).toBe(1);
      }
    }
  });
});

it.each([
  ['dpkg', '1.0', '0:1.0'],
  ['dpkg', '1.00', '1.0'],
  ['rpm', '1.0-1', '0:1.0-1'],
  ['rpm', '1.05-1', '1.5-1'],
  ['rpm', '1_0-1', '1.0-1'],
  ['rpm', '1.0', '1.0-3'],
] as const)('%s: %s is as new as %s', (database, one, other) => {
  expect(compareVersions(database, one, other)).toBe(0);
});

it('dpkg agrees about generated versions', () => {
  const part = fc.string({ unit: fc.constantFrom(...'0129.a~+z'), minLength: 1, maxLength: 6 });
  const version = fc
    .tuple(fc.option(fc.nat(2)), part, fc.option(part))
    .map(
      ([epoch, upstream, revision]) =>
        `${epoch === null ? '' : `${epoch}:`}1${upstream}${revision === null ? '' : `-${revision}`}`,
    );
  fc.assert(
    fc.property(version, version, (one, other) => {
      const isOlder = spawnSync('dpkg', ['--compare-versions', one, 'lt', other]).status === 0;
      const isNewer = spawnSync('dpkg', ['--compare-versions', one, 'gt', other]).status === 0;
      expect(`${one} ${Math.sign(compareVersions('dpkg', one, other))} ${other}`).toBe(
        `${one} ${isOlder ? -1 : isNewer ? 1 : 0} ${other}`,
      );
    }),
    { numRuns: 200 },
  );
});

it.each(['dpkg', 'rpm', 'apk'] as const)('%s: any texts have one order', (database) => {
  const text = fc.string({ maxLength: 12 });
  fc.assert(
    fc.property(text, text, (one, other) => {
      const [there, back] = [compareVersions(database, one, other), compareVersions(database, other, one)];
      expect(there === 0 ? 0 : Math.sign(there)).toBe(back === 0 ? 0 : -Math.sign(back));
    }),
  );
});
