// What becomes of packages that were added, removed or changed by hand, for every way in which the new base can look.

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decidePackages, isNothing } from '../../../../src/overlay/packages/decide.ts';
import { describePackageConflicts, describePackages } from '../../../../src/overlay/packages/describe.ts';
import type { InstalledPackage, PackageDecisions, PackageList } from '../../../../src/overlay/packages/model.ts';
import { packageKey } from '../../../../src/overlay/packages/model.ts';

/** `name version` or `name:arch version`, with `auto` or `held` behind. */
function list(...packages: string[]): PackageList {
  const all = packages.map((text): InstalledPackage => {
    const [spec = '', version = '', ...marks] = text.split(' ');
    const [name = '', architecture = 'amd64'] = spec.split(':');
    return { name, architecture, version, automatic: marks.includes('auto'), held: marks.includes('held') };
  });
  return {
    database: 'dpkg',
    packages: new Map(all.map((one) => [packageKey(one), one])),
    remains: new Set(),
    foreignArchitectures: [],
  };
}

/** Which list each package is in. */
function shortly({ install, remove, converged, conflicts, skipped }: PackageDecisions): Record<string, string> {
  const lists = { converged, skipped, conflict: conflicts, install, remove };
  return Object.fromEntries(Object.entries(lists).flatMap(([name, steps]) => steps.map(({ name: of }) => [of, name])));
}

describe('one package', () => {
  it.each([
    // what, old base, view, new base, decision
    ['added, and the new base lacks it', [], ['vim 9.0'], [], 'install'],
    ['added, and the new base has it', [], ['vim 9.0'], ['vim 9.0'], 'converged'],
    ['added, and the new base has a newer one', [], ['vim 9.0'], ['vim 9.1'], 'converged'],
    ['added, and the new base has an older one', [], ['vim 9.0'], ['vim 8.9'], 'conflict'],
    ['removed, and the new base has it', ['nano 7'], [], ['nano 7'], 'remove'],
    ['removed, and the new base has a newer one', ['nano 7'], [], ['nano 8'], 'remove'],
    ['removed on both sides', ['nano 7'], [], [], 'converged'],
    ['upgraded, and the new base as far', ['ssl 1'], ['ssl 2'], ['ssl 2'], 'converged'],
    ['upgraded, and the new base further', ['ssl 1'], ['ssl 2'], ['ssl 3'], 'converged'],
    ['upgraded, and the new base as before', ['ssl 1'], ['ssl 2'], ['ssl 1'], 'conflict'],
    ['upgraded, and the new base dropped it', ['ssl 1'], ['ssl 2'], [], 'install'],
    ['downgraded, and the new base as before', ['ssl 2'], ['ssl 1'], ['ssl 2'], 'conflict'],
    ['downgraded, and the new base as well', ['ssl 2'], ['ssl 1'], ['ssl 1'], 'converged'],
    ['for all architectures by then', [], ['data:amd64 1'], ['data:all 1'], 'converged'],
    ['of another architecture', [], ['libc:i386 1'], ['libc:amd64 1'], 'install'],
  ])('%s', (_, base, view, next, decision) => {
    const name = view[0]?.split(/[ :]/)[0] ?? base[0]?.split(' ')[0] ?? '';
    const decisions = decidePackages({ base: list(...base), view: list(...view), next: list(...next) });
    expect(shortly(decisions)).toEqual({ [name]: decision });
  });

  it('unchanged by the owner follows the new base without a word', () => {
    const decisions = decidePackages({ base: list('a 1', 'b 1'), view: list('a 1', 'b 1'), next: list('a 2') });
    expect(shortly(decisions)).toEqual({});
    expect(isNothing(decisions)).toBe(true);
  });
});

it('a conflict that the owner is to win installs their version', () => {
  const sides = { base: list('ssl 1'), view: list('ssl 2'), next: list('ssl 1') };
  const decisions = decidePackages(sides, { winner: () => 'user' });
  expect(decisions.install.map(({ key, wanted }) => `${key} ${wanted}`)).toEqual(['ssl:amd64 2']);
  expect(decisions.conflicts).toEqual([expect.objectContaining({ kind: 'downgrade', winner: 'user' })]);
});

it('kernels stay with their image', () => {
  const sides = { base: list(), view: list('linux-image 6.1'), next: list() };
  const decisions = decidePackages(sides, { imageOnly: () => 'the kernel comes with its image' });
  expect(decisions.install).toEqual([]);
  expect(decisions.skipped).toEqual([
    expect.objectContaining({ key: 'linux-image:amd64', reason: 'the kernel comes with its image' }),
  ]);
});

it('holds are kept, and taken away where the owner did', () => {
  const { hold, unhold } = decidePackages({
    base: list('a 1', 'b 1 held', 'c 1 held'),
    view: list('a 1 held', 'b 1', 'c 1 held', 'd 1 held'),
    next: list('a 1', 'b 1 held', 'c 1', 'd 1 held'),
  });
  expect({ hold, unhold }).toEqual({ hold: ['a:amd64'], unhold: ['b:amd64'] });
});

it('how a package was installed and removed goes with it', () => {
  const view: PackageList = { ...list('lib 1 auto'), remains: new Set(['kept:amd64']), foreignArchitectures: ['i386'] };
  const decisions = decidePackages({ base: list('kept 1', 'purged 1'), view, next: list('kept 1', 'purged 1') });
  expect(decisions.install.map(({ key, automatic }) => [key, automatic])).toEqual([['lib:amd64', true]]);
  expect(decisions.remove.map(({ key, purge }) => [key, purge])).toEqual([
    ['kept:amd64', false],
    ['purged:amd64', true],
  ]);
  expect(decisions.addArchitectures).toEqual(['i386']);
});

it('in words', () => {
  const decisions = decidePackages(
    {
      base: list('nano 7', 'ssl 1', 'linux 6'),
      view: list('vim:all 9 held', 'git 2', 'ssl 2'),
      next: list('nano 7', 'ssl 1', 'linux 6'),
    },
    { imageOnly: (key) => (key.startsWith('linux') ? 'the kernel comes with its image' : undefined) },
  );
  const plan = { ...decisions, files: [], unresolved: ['git:amd64'], owned: [], absent: [], warnings: [] };
  expect(describePackages(plan)).toEqual([
    'install git:amd64 2 (from a repository)',
    'install vim 9 (kept file)',
    'remove nano:amd64',
    'hold vim:all',
  ]);
  expect(describePackageConflicts(plan)).toEqual([
    'downgrade ssl:amd64 2 -> 1: following the new base (1)',
    'not carried: linux:amd64, the kernel comes with its image',
  ]);
});

const some = fc
  .uniqueArray(fc.tuple(fc.constantFrom(...'abcdef'), fc.constantFrom('1', '2', '3')), { selector: ([name]) => name })
  .map((packages) => list(...packages.map(([name, version]) => `${name} ${version}`)));

describe('on generated lists', () => {
  it('every changed package is decided about once, and what is done leads to the view or the new base', () => {
    fc.assert(
      fc.property(some, some, some, fc.constantFrom('user' as const, 'new' as const), (base, view, next, winner) => {
        const decisions = decidePackages({ base, view, next }, { winner: () => winner });
        const changed = [...new Set([...base.packages.keys(), ...view.packages.keys()])].filter(
          (key) => base.packages.get(key)?.version !== view.packages.get(key)?.version,
        );
        const { install, remove, converged, conflicts, skipped } = decisions;
        const won = new Set(conflicts.map(({ key }) => key));
        const all = [...install.filter(({ key }) => !won.has(key)), ...remove, ...converged, ...conflicts, ...skipped];
        expect(all.map(({ key }) => key).sort()).toEqual(changed.sort());
        const result = new Map([...next.packages].map(([key, { version }]) => [key, version]));
        for (const { key } of remove) result.delete(key);
        for (const { key, wanted = '' } of install) result.set(key, wanted);
        for (const key of changed) {
          const [mine, theirs] = [view.packages.get(key)?.version, next.packages.get(key)?.version];
          expect([mine, theirs]).toContain(result.get(key));
          // Nothing that was removed comes back, nothing that was added gets lost.
          if (mine === undefined) expect(result.has(key)).toBe(false);
          else expect(result.has(key)).toBe(true);
        }
        expect(decidePackages({ base, view, next }, { winner: () => winner })).toEqual(decisions);
      }),
    );
  });
});
