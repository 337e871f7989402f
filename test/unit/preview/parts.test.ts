// The parts of a plan, each from plain data: packages by the rules of their manager, units by their links, arguments by what
// bootargs.cfg may set, seconds by what was done before.

import { describe, expect, test } from 'vitest';
import type { TreeDifference, TreeObject } from '../../../src/ledger/compare-trees.ts';
import { NO_XATTRS } from '../../../src/overlay/rebase/tree-object.ts';
import { estimateDuration, measuredDuration } from '../../../src/preview/cost.ts';
import { masked } from '../../../src/preview/describe.ts';
import { decideWinner, type EtcQuestion } from '../../../src/preview/etc.ts';
import { filesPart } from '../../../src/preview/files.ts';
import { kernelArguments } from '../../../src/preview/kernel.ts';
import { type PackagesOfTree, packagesPart } from '../../../src/preview/packages.ts';
import { idIn } from '../../../src/preview/plan-name.ts';
import { ranStage } from '../../../src/preview/stages.ts';
import { unitChanges } from '../../../src/preview/units.ts';
import { samplePlan } from './sample-plan.ts';

const object = (changes: Partial<TreeObject> = {}): TreeObject => ({
  ...{
    type: 'file',
    mode: 0o644,
    uid: 0,
    gid: 0,
    sizeBytes: 5,
    mtimeNs: 1n,
    ctimeNs: 1n,
    inode: 1n,
    links: 1,
    device: 0n,
  },
  ...{ storedBytes: 0, isSparse: false, linkTarget: '', xattrs: NO_XATTRS, flags: '' },
  ...changes,
});
const added = (path: string, changes: Partial<TreeObject> = {}): TreeDifference => ({
  path,
  kind: 'added',
  after: object(changes),
  fields: [],
});
const removed = (path: string, changes: Partial<TreeObject> = {}): TreeDifference => ({
  path,
  kind: 'removed',
  before: object(changes),
  fields: [],
});
const changed = (path: string, fields: TreeDifference['fields'], after: Partial<TreeObject> = {}): TreeDifference => ({
  path,
  kind: 'changed',
  before: object(),
  after: object(after),
  fields,
});

describe('packages', () => {
  const tree = (manager: PackagesOfTree['manager'], packages: Readonly<Record<string, string>>): PackagesOfTree => ({
    manager,
    versions: new Map(Object.entries(packages).map(([name, version]) => [name, { name, architecture: '', version }])),
  });
  test.each([
    ['dpkg', '1.0~rc1', '1.0', 'upgraded'],
    ['dpkg', '2:1.0', '1:9.9', 'downgraded'],
    ['rpm', '0:1.0-9', '0:1.0-10', 'upgraded'],
    ['rpm', '1:1.0-1', '0:2.0-1', 'downgraded'],
    ['apk', '1.2.3-r1', '1.2.3_p1-r0', 'upgraded'],
    ['apk', '1.2.3-r1', '1.2.3_rc1-r9', 'downgraded'],
    ['dpkg', '1.0', '1.00', 'changed'],
  ] as const)('%s: %s → %s is %s', (manager, from, to, change) => {
    expect(packagesPart(tree(manager, { a: from }), tree(manager, { a: to })).changes).toEqual([
      { name: 'a', from, to, change },
    ]);
  });

  test('what can’t be compared is said, never passed over', () => {
    expect(packagesPart(tree('dpkg', { a: '1' }), tree('rpm', { a: '1' })).note).toBe(
      "the packages of dpkg and of rpm can't be compared",
    );
    expect(packagesPart(tree(undefined, {}), tree(undefined, {})).note).toBe('neither system has a list of packages');
    expect(packagesPart(tree('rpm', {}), { ...tree('rpm', {}), problem: 'rpm could not be asked: x' })).toEqual({
      manager: 'rpm',
      changes: [],
      note: 'rpm could not be asked: x',
    });
    expect(packagesPart(undefined, tree('apk', { a: '1' })).changes).toEqual([{ name: 'a', to: '1', change: 'added' }]);
  });
});

test.each<[what: string, difference: TreeDifference, told: string[]]>([
  ['a unit of the image', added('usr/lib/systemd/system/a.service'), ['a.service added']],
  ['one in /lib', changed('lib/systemd/system/a.timer', ['content']), ['a.timer changed']],
  ['only its time', changed('usr/lib/systemd/system/a.service', ['time']), []],
  ['a drop-in', added('etc/systemd/system/a.service.d/10-x.conf'), ['a.service changed']],
  [
    'a link that enables',
    added('etc/systemd/system/multi-user.target.wants/a.service', { type: 'symlink' }),
    ['a.service enabled multi-user.target'],
  ],
  [
    'one that requires',
    removed('etc/systemd/system/a.target.requires/b.mount', { type: 'symlink' }),
    ['b.mount disabled a.target'],
  ],
  ['a link that leads elsewhere', changed('etc/systemd/system/multi-user.target.wants/a.service', ['content']), []],
  ['a mask', added('etc/systemd/system/a.service', { type: 'symlink', linkTarget: '/dev/null' }), ['a.service masked']],
  [
    'the end of a mask',
    removed('etc/systemd/system/a.service', { type: 'symlink', linkTarget: '/dev/null' }),
    ['a.service unmasked'],
  ],
  ['a script of OpenRC', removed('etc/init.d/a'), ['a removed']],
  ['a runlevel of OpenRC', added('etc/runlevels/default/a', { type: 'symlink' }), ['a enabled default']],
  ['units of users', added('usr/lib/systemd/user/a.service'), []],
  ['the directory itself', added('usr/lib/systemd/system', { type: 'directory' }), []],
])('units: %s', (_, difference, told) => {
  const changes = unitChanges([difference]).map(({ name, change, wantedBy = '' }) =>
    `${name} ${change} ${wantedBy}`.trim(),
  );
  expect(changes).toEqual(told);
});

test.each([
  ['set kernelcmd="root=LABEL=COS_STATE quiet panic=5"', ['root=LABEL=COS_STATE', 'quiet', 'panic=5']],
  // biome-ignore lint/suspicious/noTemplateCurlyInString: GRUB's own way to name a variable
  ['set a="console=tty1 $b"\nset b="x=1"\nset kernelcmd="root=x $a ${b} $other"', ['root=x', 'console=tty1', 'x=1']],
  ['if [ x ]; then set s="selinux=0"; else\n  set s=\'selinux=1\'\nfi\nset kernelcmd="$s"', ['selinux=0', 'selinux=1']],
  ['set a="$b"\nset b="$a"\nset kernelcmd="$a q"', ['q']],
  ['set kernelcmd="root=LABEL=$label"', ['root=LABEL=$label']],
  ['set other="not=used"\nset kernelcmd=plain', ['plain']],
  ['', []],
])('arguments of %j', (bootargs, words) => {
  expect(kernelArguments(bootargs)).toEqual(words);
});

describe('seconds', () => {
  const done = (action: string, durationMs: number) => ({
    ...{ id: 'abcdefgh', kind: 'action' as const, name: 'upgrade', startedAt: '', outcome: 'ok' as const },
    durations: [{ action, durationMs }],
  });
  test('are those of this machine’s last actions, and of what was just measured', () => {
    const record = [done('activate', 90_000), done('activate', 1000), done('activate', 2000), done('activate', 3000)];
    expect(estimateDuration(['take-plan', 'activate'], record, { 'take-plan': 500 })).toEqual({
      seconds: 2.5,
      basis: 'record',
    });
  });
  test('are an estimate where it has done nothing of the kind', () => {
    expect(estimateDuration(['activate'], [])).toMatchObject({ basis: 'estimate' });
    expect(estimateDuration(['activate'], [done('unpack', 5)])).toMatchObject({ basis: 'estimate' });
    expect(estimateDuration([], [])).toEqual({ seconds: 0, basis: 'estimate' });
  });
  test('that were measured are summed', () => {
    expect(measuredDuration([{ durationMs: 1234 }, { durationMs: 66 }])).toEqual({ seconds: 1.3, basis: 'measured' });
  });
});

describe('whose word counts in /etc', () => {
  const question: EtcQuestion = {
    change: 'changed',
    isFromImage: true,
    wasLocal: false,
    imageChanged: true,
    maker: undefined,
    overlay: undefined,
  };
  const step = { by: 'step' as const, file: '/oem/90_site.yaml', line: 7, name: 'mine' };
  test.each<[what: string, change: Partial<EtcQuestion>, winner: string, because: RegExp]>([
    ['the image has another one', {}, 'image', /^the image changed it$/],
    ['the image brings it', { change: 'added' }, 'image', /^the image brings it$/],
    [
      'a step made it',
      { isFromImage: false, imageChanged: false, maker: step },
      'stage-file',
      /^a stage file makes it so$/,
    ],
    ['a step made it, and the image changed it', { isFromImage: false, maker: step }, 'stage-file', /too, and loses$/],
    [
      'the owner asked for it',
      { isFromImage: false, imageChanged: false, maker: { ...step, file: '/oem/90_holdfast_owner.yaml' } },
      'owner',
      /^you asked for it$/,
    ],
    [
      'a package brought it',
      { isFromImage: false, imageChanged: false, maker: { ...step, package: 'vim' } },
      'stage-file',
      /with the package vim$/,
    ],
    [
      'this machine had its own, and no step makes it again',
      { wasLocal: true },
      'image',
      /nothing makes it so any more$/,
    ],
    ['nobody said anything', { isFromImage: false, imageChanged: false }, 'unknown', /a hook, or a package/],
    [
      'no copy of the image is kept',
      { isFromImage: undefined, imageChanged: undefined },
      'unknown',
      /no unchanged copy/,
    ],
    [
      'the overlay wins',
      { overlay: { outcome: 'conflict', reason: 'r', conflict: { kind: 'both-changed', winner: 'user' } } },
      'overlay',
      /keeps its own: r$/,
    ],
    [
      'the overlay loses',
      { overlay: { outcome: 'conflict', reason: 'r', conflict: { kind: 'both-changed', winner: 'new' } } },
      'image',
      /which loses: r$/,
    ],
    ['the overlay is merged', { overlay: { outcome: 'merged', reason: 'r' } }, 'merged', /: r$/],
    [
      'the overlay doesn’t carry it',
      { overlay: { outcome: 'skipped', reason: 'r' } },
      'image',
      /^the image changed it$/,
    ],
  ])('%s', (_, change, winner, because) => {
    const verdict = decideWinner({ ...question, ...change });
    expect(verdict.winner).toBe(winner);
    expect(verdict.because).toMatch(because);
  });
});

test('the list of paths has what each is, and no digest of a secret', () => {
  const part = filesPart([
    changed('etc/a', ['mode', 'content'], { mode: 0o4755, uid: 3, gid: 4, digest: 'sha256:abc' }),
    added('etc/shadow', { digest: 'sha256:def' }),
    added('usr/bin/l', { type: 'symlink', linkTarget: '../x', mode: 0o777 }),
    removed(Buffer.from('srv/\xff', 'latin1').toString('latin1')),
  ]);
  expect(part).toMatchObject({ added: 2, removed: 1, changed: 1, contentBytes: 10, omitted: 0 });
  expect(part.paths).toMatchObject([
    { path: '/etc/a', what: ['mode', 'content'], after: { mode: '4755', owner: '3:4', sizeBytes: 5, sha256: 'abc' } },
    { path: '/etc/shadow', after: { type: 'file' } },
    { path: '/usr/bin/l', after: { type: 'symlink', link: '../x' } },
    { pathBytes: '7372762fff' },
  ]);
  expect(part.paths[1]?.after).not.toHaveProperty('sha256');
});

test('a step that failed says where, one that was left out says why', () => {
  const base = {
    subStage: 'after-upgrade-chroot',
    file: '/oem/a.yaml',
    line: 2,
    column: 1,
    definition: 'sha256:x',
    changedFiles: [],
    durationMs: 1,
  };
  const part = ranStage({
    ...{ stage: 'after-upgrade-chroot', outcome: 'failed', problems: [], durationMs: 1 },
    steps: [
      {
        ...base,
        outcome: 'failed',
        keys: [{ key: 'commands', outcome: 'failed', error: 'false failed with status 1' }],
      },
      { ...base, outcome: 'skipped', reason: 'if: x\n(status 1)', keys: [] },
    ],
  });
  expect(part.steps).toMatchObject([
    { outcome: 'failed', reason: 'commands: false failed with status 1' },
    { outcome: 'skipped', reason: 'if: x (status 1)' },
  ]);
});

const ID = '3f9c1ab27d04';
test.each([
  ['the document', `{"format":"holdfast-plan","version":1,"id":"${ID}"}`, ID],
  ['the result of --json', `{"type":"notice"}\n{"type":"result","plan":{"format":"holdfast-plan","id":"${ID}"}}\n`, ID],
  ['the page', `<meta name="holdfast-plan" content="${ID}">`, ID],
  ['another document', `{"format":"other","id":"${ID}"}`, undefined],
  ['an id that is none', '{"format":"holdfast-plan","id":"../../etc"}', undefined],
  ['something else', 'null', undefined],
])('the id in %s', (_, text, id) => {
  expect(idIn(text)).toBe(id);
});

test('secrets in commands, sources, reasons and warnings are masked; paths and digests stay', () => {
  const plan = masked({
    ...samplePlan,
    command: 'holdfast upgrade --plan docker://me:hunter2@registry.example.com/os:2 --token=abcdef',
    next: { ...samplePlan.next, source: 'docker://me:hunter2@registry.example.com/os:2' },
    warnings: ['Err: https://me:hunter2@mirror.example.com bookworm InRelease'],
    stages: [
      {
        ...{ hook: 'after-upgrade-chroot', where: 'new system' as const, when: 'while planning' as const },
        steps: [
          {
            ...{ stage: 'x', file: '/oem/a.yaml', line: 1, outcome: 'failed' as const },
            reason: 'commands: curl -H "Authorization: Bearer hunter2" failed',
          },
        ],
      },
    ],
  });
  expect(JSON.stringify(plan)).not.toMatch(/hunter2|abcdef/);
  expect(plan.files).toEqual(samplePlan.files);
  expect(plan.next.digest).toBe(samplePlan.next.digest);
  expect(masked(samplePlan)).toEqual(samplePlan);
});
