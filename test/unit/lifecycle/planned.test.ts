// Plans that are kept: what refuses to be applied, what is read back, and the order of what is done. Each test changes one
// thing of a sound plan.

import { execFileSync } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Image } from '../../../src/image/image.ts';
import { collectInputs, staleReasons } from '../../../src/lifecycle/planned-inputs.ts';
import { type PlannedInputs, parsePlanned, renderPlanned } from '../../../src/lifecycle/planned-record.ts';
import { planApplying, planPlanning } from '../../../src/lifecycle/planned-upgrade.ts';
import { isOwnWrite, listWrites, ownerPath, staleWrites } from '../../../src/lifecycle/planned-writes.ts';
import type { UpgradeFacts, UpgradeRequest } from '../../../src/lifecycle/upgrade.ts';

let directory: string;
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'holdfast-planned-'));
});
afterAll(() => rmSync(directory, { recursive: true, force: true }));

describe('a plan no longer holds when', () => {
  const inputs: PlannedInputs = {
    running: 'r',
    active: 'a',
    passive: 'p',
    files: { '/oem/a.yaml': '1', '/oem/b.yaml': '2' },
  };
  const created = '2026-11-20T10:00:00Z';
  test.each<[what: string, now: Partial<PlannedInputs>, reasons: string[]]>([
    ['nothing has changed: it holds', {}, []],
    ['another system runs', { running: 'x' }, ['this machine runs another system than when the plan was made']],
    ['the active slot is another one', { active: null }, ['the active slot was replaced since the plan was made']],
    ['the passive slot is another one', { passive: 'x' }, ['the passive slot was replaced since the plan was made']],
    [
      'a file was changed',
      { files: { '/oem/a.yaml': 'x', '/oem/b.yaml': '2' } },
      [`/oem/a.yaml was changed since ${created}`],
    ],
    ['a file is gone', { files: { '/oem/a.yaml': '1' } }, [`/oem/b.yaml is gone since ${created}`]],
    [
      'a file is new',
      { files: { ...inputs.files, '/etc/holdfast/policy.yaml': '3' } },
      [`/etc/holdfast/policy.yaml is new since ${created}`],
    ],
  ])('%s', (_, now, reasons) => {
    expect(staleReasons({ inputs, created }, { ...inputs, ...now })).toEqual(reasons);
  });

  test('many files have changed: some are named, the others counted', () => {
    const files = Object.fromEntries(Array.from({ length: 9 }, (_, index) => [`/oem/${index}`, 'x']));
    const reasons = staleReasons({ inputs: { ...inputs, files: {} }, created }, { ...inputs, files });
    expect(reasons).toHaveLength(6);
    expect(reasons.at(-1)).toBe('and 4 more files');
  });
});

test('what hooks may read counts, with its mode; what the boot writes does not', () => {
  const [oem, persistent] = [join(directory, 'oem'), join(directory, 'persistent')];
  for (const at of [
    join(oem, 'sub'),
    join(oem, 'holdfast/trust'),
    join(persistent, 'cloud-config'),
    join(persistent, 'data'),
  ])
    mkdirSync(at, { recursive: true });
  for (const file of [
    'a.yaml',
    'sub/run.sh',
    'grubenv',
    'plan.html',
    'holdfast/trust/root.json',
    'holdfast/packages.lock',
  ])
    writeFileSync(join(oem, file), file);
  writeFileSync(join(persistent, 'cloud-config/b.yaml'), 'b');
  writeFileSync(join(persistent, 'data/large'), 'not looked at');
  symlinkSync('/etc/passwd', join(oem, 'link'));
  // A loop, and a way into all of the machine: neither is followed, by Bun either.
  symlinkSync('..', join(oem, 'sub/up'));
  symlinkSync('/', join(persistent, 'cloud-config/root'));
  writeFileSync(Buffer.from(`${oem}/b\xe4r`, 'latin1'), 'odd');
  const slots = { running: null, active: null, passive: null };
  const collect = () =>
    collectInputs({
      owner: { oem, persistent },
      extraSources: ['https://example.com/x.yaml', join(oem, 'a.yaml')],
      slots,
    }).files;
  const before = collect();
  expect(Object.keys(before).filter((path) => !path.startsWith('/etc/'))).toEqual([
    '/oem/a.yaml',
    '/oem/b�r (62e472)',
    '/oem/holdfast/packages.lock',
    '/oem/link',
    '/oem/sub/run.sh',
    '/oem/sub/up',
    '/usr/local/cloud-config/b.yaml',
    '/usr/local/cloud-config/root',
    join(oem, 'a.yaml'),
  ]);
  chmodSync(join(oem, 'sub/run.sh'), 0o755);
  const after = collect();
  expect(Object.keys(after).filter((path) => after[path] !== before[path])).toEqual(['/oem/sub/run.sh']);
});

test('the program that machines run sees the same', () => {
  const bun = join(import.meta.dirname, '../../../node_modules/@oven/bun-linux-x64/bin/bun');
  const module = join(import.meta.dirname, '../../../src/lifecycle/planned-inputs.ts');
  const slots = { running: null, active: null, passive: null };
  const places = {
    owner: { oem: join(directory, 'oem'), persistent: join(directory, 'persistent') },
    extraSources: [],
    slots,
  };
  const script = `import { collectInputs } from ${JSON.stringify(module)}; console.log(JSON.stringify(collectInputs(${JSON.stringify(places)})));`;
  const printed = execFileSync(bun, ['--eval', script], { encoding: 'utf8', timeout: 30_000 });
  expect(JSON.parse(printed)).toEqual(collectInputs(places));
});

test('what was written through an overlay is found: new, changed, removed, replaced, and nothing that was only opened', () => {
  const tree = (name: string, files: Readonly<Record<string, string | null>>) => {
    const at = join(directory, name);
    mkdirSync(at);
    for (const [path, text] of Object.entries(files)) {
      mkdirSync(join(at, path, text === null ? '' : '..'), { recursive: true });
      if (text !== null) writeFileSync(join(at, path), text);
    }
    return at;
  };
  const lower = tree('lower', {
    same: 's',
    opened: 'o',
    changed: '1',
    gone: 'g',
    'dir/kept': 'k',
    'dir/gone': 'g',
    'was-dir/x': 'x',
  });
  const merged = tree('merged', {
    same: 's',
    opened: 'o',
    changed: '2',
    'new': 'n',
    'dir/kept': 'k',
    'fresh/deep/file': 'f',
    'was-dir': 'now a file',
  });
  const upper = tree('upper', {
    opened: 'o',
    changed: '2',
    'new': 'n',
    'dir/gone': '(whiteout)',
    gone: '(whiteout)',
    'fresh/deep/file': 'f',
    'was-dir': 'now a file',
  });
  const writes = listWrites({ partition: 'oem', lower, merged, upper });
  expect(writes.map(({ path, what }) => `${what} ${path}`)).toEqual([
    'removed gone',
    'written changed',
    'removed dir/gone',
    'written fresh',
    'written fresh/deep',
    'written fresh/deep/file',
    'written new',
    'written was-dir',
  ]);
  expect(staleWrites(writes, { oem: lower })).toEqual([]);
  // As after a try that was cut off: everything is there already.
  expect(staleWrites(writes, { oem: merged })).toEqual([]);
  expect(staleWrites(writes, { oem: upper })).toEqual(
    expect.arrayContaining(['/oem/gone was changed since, and the plan writes it']),
  );
  // What somebody put into a directory that the plan takes away is not thrown away with it.
  writeFileSync(join(lower, 'was-dir/later'), 'precious');
  expect(staleWrites(writes, { oem: lower })).toEqual(['/oem/was-dir was changed since, and the plan writes it']);
  rmSync(join(lower, 'was-dir/later'));
  expect(staleWrites(writes.slice(0, 1), {})).toEqual(['the partition for /oem/gone is not there']);
});

test.each([
  ['oem', 'holdfast/x', '/oem/holdfast/x', true],
  ['oem', 'holdfast-notes', '/oem/holdfast-notes', false],
  ['persistent', 'bin/tool', '/usr/local/bin/tool', false],
] as const)('%s %s is %s', (partition, path, shown, own) => {
  expect(ownerPath({ partition, path })).toBe(shown);
  expect(isOwnWrite({ partition, path })).toBe(own);
});

describe('the note of a plan', () => {
  const sound = {
    ...{ version: 1, id: '3f9c1ab27d04', created: '2026-11-20T10:00:00Z', name: 'Demo 2' },
    deployment: {
      source: 'oci-layout:/srv:v2',
      digest: `sha256:${'2'.repeat(64)}`,
      layers: [],
      uuid: 'u',
      date: 'd',
      fromAction: 'upgrade',
      verified: 'v',
    },
    request: { strictness: 'chroot', assess: true, allowDowngrade: false, overlay: 'carry', takes: [] },
    slot: { uuid: 'u', sizeBytes: 1 << 20, digest: 'a'.repeat(64) },
    inputs: { running: null, active: 'a', passive: null, files: {} },
    details: 'b'.repeat(64),
    heldBytes: 7,
    overlay: null,
  };
  test('is read as it was written, with what others have noted about the slot', () => {
    const noted = { ...sound, deployment: { ...sound.deployment, later: 'kept' } };
    expect(parsePlanned(JSON.stringify(noted))).toEqual(noted);
  });
  test.each<[what: string, change: object]>([
    ['a future version', { version: 2 }],
    ['no id', { id: '../x' }],
    ['a size that is none', { slot: { ...sound.slot, sizeBytes: -1 } }],
    ['a digest that is none', { details: 'x' }],
    ['a key that nobody knows', { extra: true }],
    ['a strictness that nobody knows', { request: { ...sound.request, strictness: 'some' } }],
  ])('with %s is refused', (_, change) => {
    expect(() => parsePlanned(JSON.stringify({ ...sound, ...change }))).toThrow(/^\w/);
  });
  test('that would be too large to be read again is refused before anything is renamed', () => {
    const files = Object.fromEntries(
      Array.from({ length: 2000 }, (_, index) => [`/oem/${'x'.repeat(1000)}${index}`, 'd']),
    );
    const record = parsePlanned(JSON.stringify(sound));
    expect(() => renderPlanned({ ...record, inputs: { ...record.inputs, files } })).toThrow(
      expect.objectContaining({ code: 'HF-PLAN', message: expect.stringContaining('larger than 1 MiB') }),
    );
    expect(parsePlanned(renderPlanned(record))).toEqual(record);
  });
  test('is refused, never believed, whatever it is', () => {
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.json()), (text) => {
        expect(() => parsePlanned(text)).toThrow(Error);
      }),
    );
  });
});

describe('the order', () => {
  const V1 = `sha256:${'1'.repeat(64)}`;
  const V2 = `sha256:${'2'.repeat(64)}`;
  const deployment = {
    source: 's',
    digest: V1,
    layers: ['x'],
    uuid: 'u1',
    date: '',
    fromAction: 'install' as const,
    verified: '',
  };
  const facts: UpgradeFacts = {
    booted: { slot: 'active', uuid: 'u1', replaced: false },
    stateDevice: '/dev/vda4',
    installed: { active: deployment, passive: deployment },
    activeUuid: 'u1',
    hasPassive: true,
    runsByImageLabel: false,
    base: { digest: V1, layers: 1, slotBytes: 1 << 30, filledBytes: 1 << 29 },
    image: { digest: V2, source: 'oci-layout:/srv:v2', layers: 2 },
    measured: { contentBytes: 1, entries: 1, compressedBytes: 1 },
    assessment: { failed: [], unproven: false, problems: [] },
    warnings: [],
  };
  const request: UpgradeRequest = { image: {} as Image, strictness: 'chroot', force: false };
  const names = (plan: ReturnType<typeof planPlanning>) =>
    plan.actions.map((action) => (action.kind === 'run-hook' ? action.hook : action.kind));

  test('of planning: everything is built, nothing of what boots is touched, no hook runs on this machine', () => {
    const kinds = names(planPlanning(request, facts));
    expect(kinds.slice(0, 3)).toEqual(['open-state', 'remove-leftovers', 'cover-owner']);
    expect(kinds.slice(-5)).toEqual([
      'finish-transition',
      'uncover-owner',
      'describe-plan',
      'keep-plan',
      'note-result',
    ]);
    expect(kinds).toContain('after-upgrade-chroot');
    for (const kind of [
      'before-upgrade',
      'after-upgrade',
      'post-upgrade',
      'copy-to-passive',
      'activate',
      'write-records',
      'arm-assessment',
      'note-transition',
    ]) {
      expect(kinds).not.toContain(kind);
    }
  });

  test('of applying: checked after the first hook, before anything is made; then as an upgrade goes on', () => {
    expect(names(planApplying(request, { ...facts, base: undefined }))).toEqual([
      'open-state',
      'remove-leftovers',
      'before-upgrade',
      'take-plan',
      'finish-transition',
      'write-owner-files',
      'after-upgrade',
      'note-transition',
      'copy-to-passive',
      'arm-assessment',
      'activate',
      'write-records',
      'post-upgrade',
      'remove-old-pristines',
      'note-result',
    ]);
  });

  test('the kept plan and its image’s copy stay while it is applied, and go with every other action', () => {
    const leftovers = (plan: ReturnType<typeof planPlanning>) =>
      plan.actions.find(({ kind }) => kind === 'remove-leftovers');
    expect(leftovers(planApplying(request, facts))).toMatchObject({
      keepPlanned: true,
      keepDigests: expect.arrayContaining([V1, V2]),
    });
    expect(leftovers(planPlanning(request, facts))).not.toHaveProperty('keepPlanned');
  });

  test('an image that is active already needs no plan', () => {
    expect(planPlanning(request, { ...facts, image: { ...facts.image, digest: V1 } }).actions).toEqual([]);
    expect(
      planPlanning({ ...request, force: true }, { ...facts, image: { ...facts.image, digest: V1 } }).actions,
    ).not.toEqual([]);
  });
});
