// Packages that the owner keeps, through real upgrades: installed and locked with the switch, refused before anything is
// touched when they don't fit, and held, dropped or deferred where the owner says so. A script stands in for apk, whose
// list of packages is a plain text. Takes about 20 seconds.

import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { upgrade } from '../../../src/lifecycle/apply-upgrade.ts';
import { applyPlanned, planAhead } from '../../../src/lifecycle/planned-upgrade.ts';
import { readLock } from '../../../src/owner/lock-place.ts';
import { addRequest, EMPTY_OWNER_FILE, listRequests, renderOwnerFile } from '../../../src/owner/owner-file.ts';
import { ownerFilePath, readOwnerFile } from '../../../src/owner/owner-place.ts';
import type { PackagePolicy } from '../../../src/owner/policy.ts';
import { type DiskImage, machineTraces, slotText } from './disk-image.ts';
import { ALL_LABELS, InstalledDisk, LATER, systemsIn } from './installed-disk.ts';
import { type Files, osRelease } from './tiny-image.ts';

/** Of repositories it has vim 1.0; where the image says so, another one that doesn't fit. */
const APK = `#!/bin/sh
[ "$1" = add ] || exit 0
shift
cache= simulate= names=
while [ $# -gt 0 ]; do
  case "$1" in
    --simulate) simulate=yes ;;
    --cache-dir) shift; cache=$1 ;;
    --*) ;;
    *) names="$names $1" ;;
  esac
  shift
done
for name in $names; do
  version=1.0-r0
  case "$name" in
    nothing) printf 'ERROR: unable to select packages:\\n  nothing (no such package):\\n    required by: world[nothing]\\n' >&2; exit 1 ;;
    */*) name=\${name##*/}; version=\${name#*_}; version=\${version%%_*}; name=\${name%%_*} ;;
    *) if [ -e /etc/refusal ]; then cat /etc/refusal >&2; exit 1; fi ;;
  esac
  [ -z "$simulate" ] || continue
  [ -z "$cache" ] || echo "$name $version" > "$cache/$name-$version.apk"
  printf 'P:%s\\nV:%s\\nA:noarch\\n\\n' "$name" "$version" >> /lib/apk/db/installed
done
`;

const REFUSAL = `ERROR: unable to select packages:
  so:libgpm.so.2 (no such package):
    required by: vim-2.0-r0[so:libgpm.so.2]
`;

const alpine = (version: number): Files => ({
  'etc/os-release': `${osRelease(version)['etc/os-release']}ID=alpine\n`,
});

let installed: InstalledDisk;
/** As installed, with the request. */
let fresh: DiskImage;

beforeAll(async () => {
  installed = await InstalledDisk.create({
    v1: { ...alpine(1), 'sbin/apk': APK, 'lib/apk/db/installed': 'P:base\nV:1-r0\nA:noarch\n\n' },
    v2: alpine(2),
  });
  const files = (name: string): Files => (name === 'third' ? { ...alpine(3), 'etc/refusal': REFUSAL } : alpine(2));
  const layer = (name: string) => ({ name, files: files(name) });
  await installed.images.add('v3', [layer('base'), layer('second'), layer('third')]);
  await installed.images.add('v4', [layer('base'), layer('second'), { name: 'fourth', files: alpine(4) }]);
  await wantVim(installed.original);
  fresh = await installed.copy();
  await upgradeTo(installed.original, 'v2');
}, 120_000);
afterAll(() => installed?.remove());

async function wantVim(disk: DiskImage): Promise<void> {
  const file = addRequest(EMPTY_OWNER_FILE, { kind: 'package', name: 'vim', wish: 'install' });
  await disk.withMounted('COS_OEM', (oem) => writeFileSync(ownerFilePath(oem), renderOwnerFile(file)), {
    writable: true,
  });
}

async function upgradeTo(disk: DiskImage, tag: string, packages?: PackagePolicy) {
  const image = await installed.open(tag);
  return disk.withPartitions(ALL_LABELS, () =>
    upgrade({ image, strictness: 'chroot', force: false, packages }, { command: 'test', now: LATER }),
  );
}

/** The kept package, everywhere that it could be. */
async function look(disk: DiskImage) {
  const inSlots = await disk.withMounted('COS_STATE', async (state) => ({
    active: (await systemsIn(state))[0],
    vim: /^P:vim\nV:(.*)$/m.exec(await slotText(state, 'active', '/lib/apk/db/installed'))?.[1],
    transition: existsSync(join(state, 'cOS/transition.img')),
  }));
  const onOem = await disk.withMounted('COS_OEM', (oem) => ({
    asked: listRequests(readOwnerFile(oem)).map((one) => (one.kind === 'package' ? one.name : one.kind)),
    locked: readLock(oem).lock?.packages.map(({ name, version, asked, neededBy }) => ({
      name,
      version,
      asked,
      neededBy,
    })),
  }));
  const kept = await disk.withMounted('COS_PERSISTENT', (persistent) =>
    readdirSync(join(persistent, '.holdfast')).flatMap((name) =>
      name === 'packages'
        ? readdirSync(join(persistent, '.holdfast/packages')).map((file) => [
            file.replace(/_[0-9a-f]{64}/, ''),
            readFileSync(join(persistent, '.holdfast/packages', file), 'utf8'),
          ])
        : [[name]],
    ),
  );
  return { ...inSlots, ...onOem, kept };
}

const LOCKED = [{ name: 'vim', version: '1.0-r0', asked: true, neededBy: ['vim'] }];
const KEPT = [['vim_1.0-r0_noarch.apk', 'vim 1.0-r0\n']];

test('a package is installed into the new system, kept, and locked with the switch', async () => {
  expect(await look(installed.original)).toEqual({
    active: 'Tiny 2',
    vim: '1.0-r0',
    transition: false,
    asked: ['vim'],
    locked: LOCKED,
    kept: KEPT,
  });
});

test('a package that does not fit refuses the upgrade before anything is touched, with the chain', async () => {
  const disk = await installed.copy();
  const before = machineTraces();
  await expect(upgradeTo(disk, 'v3')).rejects.toMatchObject({
    code: 'HF-DEPLOY',
    exitStatus: 4,
    message: expect.stringMatching(
      /^packages don't fit into the new system: vim 2\.0-r0 needs so:libgpm\.so\.2, and nothing offers it \(asked for at \/oem\/90_holdfast_owner\.yaml:\d+\)$/,
    ),
    hint: expect.stringContaining('--packages hold'),
    outputTail: expect.stringContaining('required by: vim-2.0-r0'),
  });
  expect(machineTraces()).toEqual(before);
  expect(await look(disk)).toEqual(await look(installed.original));
});

test('a plan that is made ahead keeps what was fetched and asks for nothing more; the lock comes with its switch', async () => {
  const disk = await installed.copy(fresh);
  const image = await installed.open('v2');
  const context = { command: 'test', now: LATER };
  await disk.withPartitions(ALL_LABELS, () =>
    planAhead({ image, strictness: 'chroot', force: false }, context, async () => ({})),
  );
  expect(await look(disk)).toMatchObject({ active: 'Tiny 1', vim: undefined, locked: undefined, kept: KEPT });
  await disk.withPartitions(ALL_LABELS, () => applyPlanned({}, context));
  expect(await look(disk)).toMatchObject({ active: 'Tiny 2', vim: '1.0-r0', locked: LOCKED, kept: KEPT });
});

test('what no repository has is the hook’s to say, whose own steps may bring the repository', async () => {
  const disk = await installed.copy();
  await disk.withMounted(
    'COS_OEM',
    (oem) => {
      const file = addRequest(readOwnerFile(oem), { kind: 'package', name: 'nothing', wish: 'install' });
      writeFileSync(ownerFilePath(oem), renderOwnerFile(file));
    },
    { writable: true },
  );
  await expect(upgradeTo(disk, 'v4')).rejects.toMatchObject({
    code: 'HF-HOOK',
    exitStatus: 39,
    message: expect.stringMatching(
      /^hook after-upgrade-chroot: step "Package nothing" at \/oem\/90_holdfast_owner\.yaml:\d+ failed in packages: apk add --no-cache nothing failed with status 1$/,
    ),
    outputTail: expect.stringContaining('nothing (no such package)'),
  });
  expect((await look(disk)).active).toBe('Tiny 2');
});

test.each([
  ['hold', '1.0-r0', ['vim'], LOCKED, KEPT, /held at the version installed last/],
  // Its file stays for the upgrade that has a place for it.
  ['defer', undefined, ['vim'], LOCKED, KEPT, /left out this time/],
  ['drop', undefined, [], [], KEPT, /kept no more/],
] as const)('--packages %s', async (policy, vim, asked, locked, kept, warning) => {
  const disk = await installed.copy();
  const result = await upgradeTo(disk, 'v3', policy);
  expect(result.outcome).toBe('ok-with-warnings');
  expect(result.warnings[0]).toMatch(/^vim 2\.0-r0 needs so:libgpm\.so\.2, and nothing offers it: /);
  expect(result.warnings[0]).toMatch(warning);
  expect(await look(disk)).toEqual({ active: 'Tiny 3', vim, transition: false, asked, locked, kept });
});

test('a dropped package is still asked for when the upgrade comes to nothing', async () => {
  const disk = await installed.copy();
  await disk.withMounted(
    'COS_OEM',
    (oem) => {
      const file = addRequest(readOwnerFile(oem), { kind: 'command', text: 'exit 3' });
      writeFileSync(ownerFilePath(oem), renderOwnerFile(file));
    },
    { writable: true },
  );
  await expect(upgradeTo(disk, 'v3', 'drop')).rejects.toMatchObject({ code: 'HF-HOOK' });
  expect((await look(disk)).asked).toEqual(['vim', 'command']);
});
