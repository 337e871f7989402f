// Why a path is what it is, and what it takes to take it back or to keep it: every kind of answer, from facts as data.

import { expect, test } from 'vitest';
import { adoptionOf, adoptionsOf } from '../../../src/cli/adopt.ts';
import { isToldAlready } from '../../../src/cli/why.ts';
import type { Cause, LedgerOrigin, StepCause } from '../../../src/ledger/entry.ts';
import { explainDifference, isChangedSinceStage, isSameObject } from '../../../src/ledger/explain.ts';
import { planRevert, stepOfNextBoot } from '../../../src/ledger/plan-revert.ts';
import { explainPath, type PathFacts } from '../../../src/ledger/why.ts';
import { changingPlaces, explain as explainRunning } from '../../../src/lifecycle/running-differences.ts';
import { NO_XATTRS, type TreeObject } from '../../../src/overlay/rebase/tree-object.ts';
import { adoptedPath, directoryCommand, removalCommand } from '../../../src/owner/adoption.ts';
import { parseMountInfo } from '../../../src/system/mounts.ts';

const step: StepCause = {
  stage: 'after-upgrade-chroot',
  file: '/oem/90_mine.yaml',
  line: 4,
  name: 'Motd',
  definition: 'sha256:00',
  at: '2026-11-20T10:00:05.000Z',
};
const origin: LedgerOrigin = {
  uuid: 'u',
  source: 'docker:os:v2',
  action: 'upgrade',
  actionId: '2bcd3fgh',
  command: 'holdfast upgrade',
  user: 'ada',
  at: '2026-11-20T10:00:00.000Z',
};
const file = (digest: string, changes: Partial<TreeObject> = {}): TreeObject => ({
  type: 'file',
  mode: 0o644,
  uid: 0,
  gid: 0,
  sizeBytes: 5,
  mtimeNs: 1_763_632_800_000_000_000n,
  ctimeNs: 0n,
  inode: 1n,
  links: 1,
  device: 0n,
  storedBytes: 5,
  isSparse: false,
  linkTarget: '',
  xattrs: NO_XATTRS,
  flags: '',
  digest: `sha256:${digest}`,
  ...changes,
});
const [image, own, hand] = [file('1'), file('2'), file('3')];

/** A path that is as its image brought it, with one thing changed. */
function facts(changes: Partial<PathFacts> = {}): PathFacts {
  return {
    path: '/etc/motd',
    real: '/etc/motd',
    place: 'ephemeral',
    slot: 'active',
    inImage: image,
    inSlot: image,
    running: { object: image, isSameAsSlot: true },
    image: { source: 'docker:os:v2', digest: `sha256:${'ab'.repeat(32)}` },
    layer: { number: 2, of: 3, digest: `sha256:${'cd'.repeat(32)}` },
    ...changes,
  };
}

function changedBy(cause: Cause, changes: Partial<PathFacts> = {}): PathFacts {
  const difference = explainDifference(
    { path: 'etc/motd', kind: 'changed', before: image, after: own, fields: ['content'] },
    { path: 'etc/motd', kind: 'changed', before: image, after: own, fields: ['content'], cause, earlier: [] },
  );
  return facts({ inSlot: own, difference, origin, running: { object: own, isSameAsSlot: true }, ...changes });
}

const answers: readonly [string, PathFacts, string, string][] = [
  [
    'an image’s file names image and layer',
    facts(),
    'image',
    `/etc/motd: as the image brought it
  image docker:os:v2 (sha256:abababababab…)
  layer 2 of 3 (sha256:cdcdcdcdcdcd…)`,
  ],
  [
    'a packaged file names its package first',
    facts({ package: { name: 'base-files', version: '12' }, layer: undefined }),
    'image',
    `/etc/motd: as the image brought it
  package base-files 12
  image docker:os:v2 (sha256:abababababab…)`,
  ],
  [
    'a link says where it leads to, and whose that is',
    facts({ leadsTo: { path: '/usr/bin/vim.basic', package: { name: 'vim', version: '9' } }, layer: undefined }),
    'image',
    `/etc/motd: as the image brought it
  a link that leads to /usr/bin/vim.basic, of the package vim 9
  image docker:os:v2 (sha256:abababababab…)`,
  ],
  [
    'a step is named with file, line, action, user and what there was',
    changedBy({ by: 'step', step }),
    'step',
    `/etc/motd: changed by /oem/90_mine.yaml:4 "Motd"
  stage after-upgrade-chroot, 2026-11-20T10:00:05.000Z
  upgrade at 2026-11-20T10:00:00.000Z by ada: holdfast upgrade (holdfast history 2bcd3fgh)
  in the image: file, mode 0644, owner 0:0, 5 bytes, 2025-11-20T10:00:00Z`,
  ],
  [
    'what no step explains is said to be unknown',
    changedBy({ by: 'unknown' }),
    'unknown',
    `/etc/motd: changed, and nobody noted by whom
  upgrade at 2026-11-20T10:00:00.000Z by ada: holdfast upgrade (holdfast history 2bcd3fgh)
  in the image: file, mode 0644, owner 0:0, 5 bytes, 2025-11-20T10:00:00Z`,
  ],
  [
    'a step of this boot comes before what the slot has',
    changedBy(
      { by: 'step', step },
      {
        running: { object: hand, isSameAsSlot: false },
        bootChange: { ...step, path: '/etc/motd', stage: 'boot', file: '/oem/10_boot.yaml', line: 9 },
      },
    ),
    'boot-step',
    `/etc/motd: written in this boot by /oem/10_boot.yaml:9 "Motd"
  stage boot, 2026-11-20T10:00:05.000Z
  in the active system: changed by /oem/90_mine.yaml:4 "Motd"
  stage after-upgrade-chroot, 2026-11-20T10:00:05.000Z
  upgrade at 2026-11-20T10:00:00.000Z by ada: holdfast upgrade (holdfast history 2bcd3fgh)
  in the image: file, mode 0644, owner 0:0, 5 bytes, 2025-11-20T10:00:00Z`,
  ],
  [
    'what was written by hand into a place that forgets says so',
    facts({ inSlot: undefined, inImage: undefined, running: { object: hand, isSameAsSlot: false } }),
    'by-hand',
    `/etc/motd: written since the boot, by hand or by a program, last written 2025-11-20T10:00:00Z
  a reboot brings back what the system has there
  the active system has nothing there`,
  ],
  [
    'what an overlay keeps says so',
    facts({
      place: 'slot',
      running: { object: undefined, isSameAsSlot: false },
      isKeptByOverlay: true,
      layer: undefined,
    }),
    'overlay',
    `/etc/motd: removed by hand, kept by the root overlay
  in the active system: as the image brought it
  image docker:os:v2 (sha256:abababababab…)`,
  ],
  [
    'a persistent place is the machine’s own',
    facts({ path: '/home/x', real: '/usr/local/home/x', place: 'persistent' }),
    'own',
    `/home/x: this machine's own, on a persistent place
  that is /usr/local/home/x
  it stays across reboots and upgrades; who wrote it is not noted`,
  ],
  [
    'without an unchanged copy of the image nothing is claimed',
    facts({ imageUnknown: true, inImage: undefined, layer: undefined }),
    'unknown',
    '/etc/motd: not known: no unchanged copy of the image is kept',
  ],
];
test.each(answers)('%s', (_, given, answer, text) => {
  const why = explainPath(given);
  expect(why.lines.join('\n')).toBe(text);
  expect(why.answer).toBe(answer);
});

test('a path that has changed since the ledger was written is explained by nobody, and says whose it was', () => {
  const entry = { path: 'etc/motd', kind: 'changed' as const, before: image, after: own, fields: [], earlier: [] };
  const now = { path: 'etc/motd', kind: 'changed' as const, before: image, after: hand, fields: ['content' as const] };
  const explained = explainDifference(now, { ...entry, cause: { by: 'step', step } });
  expect(explained).toMatchObject({ cause: { by: 'unknown' }, isChangedSince: true, earlier: [step] });
  expect(explainPath(facts({ inSlot: hand, difference: explained, running: undefined })).lines).toContain(
    '  once by /oem/90_mine.yaml:4 "Motd"',
  );
});

test.each([
  ['the same', {}, true],
  ['another mode', { mode: 0o600 }, false],
  ['another owner', { uid: 7 }, false],
  ['another content of the same length and time', { digest: 'sha256:9' }, false],
  ['another time with the same content', { mtimeNs: 1n }, true],
  ['another time where no digest is kept', { mtimeNs: 1n, digest: undefined }, false],
] as const)('an object with %s is the one that was noted: %s', (_, changes, expected) => {
  const { digest, ...rest } = { ...image, ...changes };
  expect(isSameObject(image, digest === undefined ? rest : { ...rest, digest })).toBe(expected);
});

const bootChange = { ...step, path: '/etc/motd', stage: 'boot', file: '/oem/90_holdfast_owner.yaml', line: 9 };
const atBoot = BigInt(Date.parse(step.at)) * 1_000_000n;
const edited = file('4', { ctimeNs: atBoot + 60_000_000_000n });
const written = file('4', { ctimeNs: atBoot + 10_000_000n });

test('what somebody edits after a stage wrote it isn’t blamed on the step', () => {
  const { answer, lines } = explainPath(facts({ running: { object: edited, isSameAsSlot: false }, bootChange }));
  expect(answer).toBe('by-hand');
  expect(lines.slice(0, 4)).toEqual([
    '/etc/motd: written since the boot, by hand or by a program, last written 2025-11-20T10:00:00Z',
    '  before that, in this boot, by /oem/90_holdfast_owner.yaml:9 "Motd"',
    '  stage boot, 2026-11-20T10:00:05.000Z',
    '  a reboot brings back what the system has there',
  ]);
  const asWritten = facts({ running: { object: written, isSameAsSlot: false }, bootChange });
  expect(explainPath(asWritten).answer).toBe('boot-step');
  const difference = { path: 'etc/motd', kind: 'changed' as const, before: image, fields: ['content' as const] };
  const changes = new Map([['/etc/motd', bootChange]]);
  expect(explainRunning({ ...difference, after: edited }, changes)).toMatchObject({
    cause: { by: 'hand' },
    earlier: [{ line: 9 }],
  });
  expect(explainRunning({ ...difference, after: written }, changes)).toMatchObject({ cause: { step: { line: 9 } } });
});

test.each([
  ['a file that is as it was', '/etc/a', written, false],
  ['a file that is younger', '/etc/a', edited, true],
  ['a file that is gone', '/etc/a', undefined, true],
  ['a unit’s link that a step may have removed', '/etc/systemd/system/a.service', undefined, false],
  ['a directory in which names came', '/etc/a', { ...edited, type: 'directory', mtimeNs: edited.ctimeNs }, false],
  ['a directory with another mode', '/etc/a', { ...edited, type: 'directory' }, true],
] as const)('%s, changed since its stage: %s', (_, path, object, expected) => {
  expect(isChangedSinceStage({ ...bootChange, path }, object)).toBe(expected);
});

test('what a stage writes at each boot needs no adopting, and comes again after it is reverted', () => {
  const asWritten = facts({ running: { object: written, isSameAsSlot: false }, bootChange });
  expect(() => adoptionOf(asWritten)).toThrow('written at each boot by /oem/90_holdfast_owner.yaml:9');
  expect(adoptionOf({ ...asWritten, running: { object: edited, isSameAsSlot: false } })).toBe('file');
  expect(stepOfNextBoot(asWritten, '90_holdfast_owner.yaml')).toBe('/oem/90_holdfast_owner.yaml:9 "Motd"');
  // That step goes with the request.
  expect(stepOfNextBoot({ ...asWritten, isKeptFile: true }, '90_holdfast_owner.yaml')).toBeUndefined();
  expect(stepOfNextBoot(facts(), '90_holdfast_owner.yaml')).toBeUndefined();
});

test('a link that leads in a circle says so', () => {
  const link = file('x', { type: 'symlink' });
  const { lines } = explainPath(facts({ inSlot: link, running: { object: link, isSameAsSlot: true } }));
  expect(lines).toContain('  a link that leads in a circle');
});

test('what comes with the next reboot is told where it is another object, and not twice', () => {
  const link = file('x', { type: 'symlink', linkTarget: 'a', digest: '' });
  const other = { ...link, linkTarget: 'b' };
  expect(isToldAlready(facts(), facts())).toBe(true);
  expect(isToldAlready(facts({ inSlot: link }), facts({ inSlot: other }))).toBe(false);
  expect(isToldAlready(facts(), facts({ inSlot: { ...image, uid: 7 } }))).toBe(false);
  const next = changedBy({ by: 'step', step });
  expect(isToldAlready(changedBy({ by: 'step', step }, { slot: 'live' }), next)).toBe(true);
  expect(isToldAlready(changedBy({ by: 'step', step }, { slot: 'replaced' }), next)).toBe(false);
});

test('what --apply-live brought is explained by the slot that it came from, and is nothing to adopt or to revert', () => {
  const live = changedBy({ by: 'step', step }, { slot: 'live', place: 'slot', liveSince: '2026-11-20T11:00:00.000Z' });
  const { answer, lines } = explainPath(live);
  expect(answer).toBe('step');
  expect(lines[0]).toBe('/etc/motd: changed by /oem/90_mine.yaml:4 "Motd"');
  expect(lines.at(-1)).toBe('  brought to the running system without a reboot, 2026-11-20T11:00:00.000Z');
  expect(() => adoptionOf(live)).toThrow('nothing to adopt');
  expect(() => planRevert(live, '90_holdfast_owner.yaml')).toThrow('made by /oem/90_mine.yaml:4');
});

const reverts: [string, PathFacts, string[]][] = [
  ['nothing where nothing differs', facts(), []],
  [
    'the slot’s file where it was changed by hand',
    facts({ running: { object: hand, isSameAsSlot: false } }),
    ['restore slot'],
  ],
  [
    'a removal where the slot has nothing',
    facts({ inSlot: undefined, running: { object: hand, isSameAsSlot: false } }),
    ['remove'],
  ],
  [
    'the image’s file, and no more keeping, where its owner keeps it',
    changedBy({ by: 'step', step }, { isKeptFile: true }),
    ['forget', 'restore image'],
  ],
  [
    'no more keeping alone where the running system can’t be written to',
    changedBy({ by: 'step', step }, { isKeptFile: true, place: 'slot' }),
    ['forget'],
  ],
  [
    'the slot’s file, where no copy of the image is kept and the slot has what the image has',
    facts({ isKeptFile: true, imageIsNotKept: true, running: { object: hand, isSameAsSlot: false } }),
    ['forget', 'restore slot'],
  ],
  [
    'no more keeping alone where what the image had is kept nowhere',
    changedBy({ by: 'step', step }, { isKeptFile: true, imageIsNotKept: true }),
    ['forget'],
  ],
  [
    'no more keeping alone where nobody knows what the image had',
    facts({ inImage: undefined, isKeptFile: true, imageUnknown: true, imageIsNotKept: true }),
    ['forget'],
  ],
];
const directory = file('x', { type: 'directory' });
const changedInside: Partial<PathFacts> = {
  inSlot: directory,
  inImage: directory,
  running: { object: directory, isSameAsSlot: true },
  differsBelow: ['/etc/motd/a', '/etc/motd/b'],
};
reverts.push(
  [
    'the image’s path, and no command any more, where its owner had adopted the removal',
    facts({
      inSlot: undefined,
      running: { object: undefined, isSameAsSlot: true },
      keptCommand: 'rm -rf -- /etc/motd',
    }),
    ['forget rm -rf -- /etc/motd', 'restore image'],
  ],
  [
    'the removal of a directory of its owner, with what is kept in it',
    facts({
      inSlot: undefined,
      inImage: undefined,
      running: { object: directory, isSameAsSlot: false },
      keptCommand: 'install -d …',
      keptBelow: [{ path: '/etc/motd/a' }],
    }),
    ['forget install -d …', 'forget', 'remove'],
  ],
  [
    'the directory itself where that was changed',
    facts({ ...changedInside, running: { object: { ...directory, mode: 0o700 }, isSameAsSlot: false } }),
    ['restore slot'],
  ],
);
test.each(reverts)('reverting is %s', (_, given, expected) => {
  const { actions } = planRevert(given, '90_holdfast_owner.yaml');
  const shown = actions.map((action) => {
    if (action.kind === 'restore') return `restore ${action.from}`;
    return action.kind === 'forget' && action.command !== undefined ? `forget ${action.command}` : action.kind;
  });
  expect(shown).toEqual(expected);
});

test.each([
  ['a step’s doing', changedBy({ by: 'step', step }), /made by \/oem\/90_mine.yaml:4/, /change that step/],
  [
    'a step of the owner’s file',
    changedBy({ by: 'step', step: { ...step, file: '/oem/90_holdfast_owner.yaml' } }),
    /every new system/,
    /pkg remove, file remove or run --remove/,
  ],
  ['what nobody explains in a read-only system', changedBy({ by: 'unknown' }), /read-only/, /holdfast apply/],
  [
    'a directory in which something differs',
    facts(changedInside),
    /in it differ \/etc\/motd\/a \/etc\/motd\/b/,
    /revert/,
  ],
  ['the machine’s own', facts({ place: 'persistent' }), /own: no image has it/, /why/],
] as const)('%s can’t be reverted from the running system', (_, given, message, hint) => {
  expect(() => planRevert(given, '90_holdfast_owner.yaml')).toThrow(
    expect.objectContaining({ message: expect.stringMatching(message), hint: expect.stringMatching(hint) }),
  );
});

test('what was changed by hand is adopted as what it is', () => {
  const changed = (object: TreeObject | undefined, more: Partial<PathFacts> = {}) =>
    adoptionOf(facts({ inSlot: undefined, running: { object, isSameAsSlot: false }, ...more }));
  expect(changed(hand)).toBe('file');
  expect(changed(file('x', { type: 'symlink' }))).toBe('file');
  expect(changed(undefined, { inSlot: image })).toEqual({ kind: 'command', text: 'rm -rf -- /etc/motd' });
  expect(changed(file('x', { type: 'directory', mode: 0o1750, gid: 5 }), { real: "/srv/a b's" })).toEqual({
    kind: 'command',
    text: "install -d -m 1750 -o 0 -g 5 -- '/srv/a b'\\''s'",
  });
  const vim = { package: { name: 'vim', version: '9' }, isPackageNew: true };
  expect(changed(hand, vim)).toEqual({ kind: 'package', name: 'vim', wish: 'install' });
  expect(() => adoptionOf(facts())).toThrow('nothing to adopt');
  expect(() => adoptionOf(facts({ place: 'persistent' }))).toThrow('kept by itself');
});

test('a directory is adopted with what differs in it, but for what a stage writes and what went with a directory', async () => {
  const at = (path: string, more: Partial<PathFacts>) =>
    [path, facts({ path, real: path, inSlot: undefined, ...more })] as const;
  const made = (object: TreeObject | undefined) => ({ running: { object, isSameAsSlot: false } });
  const known = new Map([
    at('/etc/app', {
      ...made(directory),
      differsBelow: ['/etc/app/a', '/etc/app/gone', '/etc/app/gone/x', '/etc/app/by'],
    }),
    at('/etc/app/a', made(hand)),
    at('/etc/app/gone', { ...made(undefined), inSlot: directory }),
    at('/etc/app/by', { ...made(written), bootChange }),
    at('/etc/same', {
      inSlot: directory,
      running: { object: directory, isSameAsSlot: true },
      differsBelow: ['/etc/app/a'],
    }),
    at('/etc/full', {
      ...made(directory),
      differsBelow: Array.from({ length: 101 }, (_, index) => `/etc/full/${index}`),
    }),
    at('/etc/stage', {
      ...made(directory),
      bootChange: { ...bootChange, at: 'never' },
      differsBelow: ['/etc/app/a', '/etc/live'],
    }),
    at('/etc/live', { running: { object: hand, isSameAsSlot: true }, slot: 'live' }),
    at('/srv/pkg', { ...made(directory), differsBelow: ['/srv/pkg/1', '/srv/pkg/2'] }),
    at('/srv/pkg/1', { ...made(hand), package: { name: 'vim', version: '9' }, isPackageNew: true }),
    at('/srv/pkg/2', { ...made(hand), package: { name: 'vim', version: '9' }, isPackageNew: true }),
    at('/etc/own', { running: { object: directory, isSameAsSlot: true } }),
  ]);
  const inspect = async (path: string) => {
    const found = known.get(path);
    if (found === undefined) throw new Error(`${path} was not to be looked at`);
    return found;
  };
  const warnings: string[] = [];
  const adopt = (path: string) => adoptionsOf([path], inspect, (text) => warnings.push(text));
  const text = (command: string) => ({ kind: 'command', text: command });
  expect(await adopt('/etc/app')).toEqual({
    files: ['/etc/app/a'],
    requests: [text('install -d -m 0644 -o 0 -g 0 -- /etc/app'), text('rm -rf -- /etc/app/gone')],
  });
  expect(warnings).toEqual([expect.stringMatching('^/etc/app/by is written at each boot by')]);
  expect(await adopt('/etc/same')).toEqual({ files: ['/etc/app/a'], requests: [] });
  // A directory that a stage makes, with a file of somebody and one that the next system has.
  expect(await adopt('/etc/stage')).toEqual({ files: ['/etc/app/a'], requests: [] });
  expect((await adopt('/srv/pkg')).requests).toEqual([
    text('install -d -m 0644 -o 0 -g 0 -- /srv/pkg'),
    { kind: 'package', name: 'vim', wish: 'install' },
  ]);
  await expect(adopt('/etc/full')).rejects.toThrow('101 paths differ');
  await expect(adopt('/etc/own')).rejects.toThrow('nothing to adopt');
});

test.each(['/etc/app', "/srv/a b's", '/-x'])('the command that adopts %s names it', (path) => {
  expect(adoptedPath(removalCommand(path))).toBe(path);
  expect(adoptedPath(directoryCommand(path, { mode: 0o1750, uid: 7, gid: 8 }))).toBe(path);
  for (const other of [`rm -rf ${path}`, `rm -rf -- ${path} && true`, `install -d -- ${path}`, `rm -rf -- '${path}`]) {
    expect(adoptedPath(other)).toBeUndefined();
  }
});

test('directories that forget are those with an overlay over themselves, as the initramfs or the system mounted it', () => {
  const line = (mountPoint: string, options: string) => `30 1 0:30 / ${mountPoint} rw - overlay overlay rw,${options}`;
  const mounts = parseMountInfo(
    [
      line('/etc', 'lowerdir=/sysroot/etc,upperdir=/run/overlay/etc/upper,workdir=/w'),
      line('/var', 'lowerdir=/var,upperdir=/run/overlay/var/upper,workdir=/w'),
      line('/root', 'lowerdir=/sysroot/root,upperdir=/sysroot/usr/local/.state/root.overlay/upper,workdir=/w'),
      line('/mnt/merged', 'lowerdir=/a:/b,upperdir=/c,workdir=/w'),
      '31 1 253:2 / /usr/local rw - ext4 /dev/vda5 rw',
    ].join('\n'),
  );
  expect(changingPlaces(mounts)).toEqual([
    { path: '/etc', isKept: false },
    { path: '/var', isKept: false },
    { path: '/root', isKept: true },
  ]);
});
