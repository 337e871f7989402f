// What a disk image becomes: its partitions and sizes, what is refused, and the stage file of an expandable disk.

import { describe, expect, test } from 'vitest';
import { parseCloudConfig } from '../../../src/cloudconfig/document.ts';
import { withoutDirectory } from '../../../src/media/disk-files.ts';
import { firstBootMenu, firstBootStageFile } from '../../../src/media/disk-first-boot.ts';
import { type DiskLayoutRequest, firstBootSizes, layOutDisk } from '../../../src/media/disk-layout.ts';
import { type BuildDiskFacts, type BuildDiskRequest, planDisk } from '../../../src/media/disk-plan.ts';
import { DEFAULT_LABELS } from '../../../src/slots/names.ts';

const MIB = 1 << 20;
const GIB = 1024 * MIB;
const request = (wishes: Partial<DiskLayoutRequest> = {}): DiskLayoutRequest => ({
  expandable: false,
  slotBytes: 1000 * MIB,
  recoveryBytes: 600 * MIB,
  bios: true,
  wishes: { labels: DEFAULT_LABELS.partitions, filesystems: { state: 'ext4' } },
  stepBytes: MIB,
  identity: { seed: 'content', options: {} },
  ...wishes,
});
const names = (wishes?: Partial<DiskLayoutRequest>) => layOutDisk(request(wishes)).partitions.map(({ name }) => name);

describe('partitions', () => {
  test('a whole disk has all five, and room for three systems on COS_STATE', () => {
    expect(names()).toEqual(['efi', 'oem', 'recovery', 'state', 'persistent']);
    const { partitions, sizeBytes } = layOutDisk(request());
    expect(partitions.find(({ name }) => name === 'state')?.sizeBytes).toBeGreaterThanOrEqual(3000 * MIB);
    const last = partitions.at(-1);
    expect((last?.startBytes ?? 0) + (last?.sizeBytes ?? 0)).toBe(sizeBytes - MIB);
  });

  test('an expandable one has three, and ends where they end', () => {
    expect(names({ expandable: true })).toEqual(['efi', 'oem', 'recovery']);
    expect(layOutDisk(request({ expandable: true })).sizeBytes).toBe((1 + 64 + 64 + 856 + 1) * MIB);
  });

  test('a platform that wants whole GiB gets them', () => {
    expect(layOutDisk(request({ expandable: true, stepBytes: GIB })).sizeBytes).toBe(GIB);
    expect(layOutDisk(request({ sizeBytes: 20 * GIB, stepBytes: GIB })).sizeBytes).toBe(20 * GIB);
  });

  test('a size that is too small is refused with the one that is needed, which then does', () => {
    const small = () => layOutDisk(request({ sizeBytes: GIB }));
    expect(small).toThrow(
      expect.objectContaining({ code: 'HF-TARGET', hint: expect.stringMatching(/--size 4\d\d\dM/) }),
    );
    const { sizeBytes } = layOutDisk(request());
    expect(layOutDisk(request({ sizeBytes })).sizeBytes).toBe(sizeBytes);
  });

  test('numbers depend on the content, and no two are the same', () => {
    const numbers = (seed: string) => {
      const { partitions, ids } = layOutDisk(request({ identity: { seed, options: {} } }));
      return [ids.disk, ...partitions.flatMap(({ name, uuid }) => [uuid, ids.partition(name)])];
    };
    expect(numbers('content')).toEqual(numbers('content'));
    expect(new Set([...numbers('content'), ...numbers('other')]).size).toBe(22);
  });
});

describe('the first boot', () => {
  const sizes = firstBootSizes(layOutDisk(request({ expandable: true })), request({ expandable: true }));
  const file = (deployCommand?: string) =>
    firstBootStageFile({ labels: DEFAULT_LABELS, sizes, stateFilesystem: 'xfs', deployCommand });

  test('makes COS_STATE as large as install does where the disk has room, else as small as it may be', () => {
    expect(sizes).toEqual({ roomyStateMib: 8192, smallStateMib: 3256, roomyDiskMib: 985 + 8192 + 2048 + 1 });
  });

  test('is a stage file without a problem, and every step but the last waits for the kernel argument', () => {
    const { document, problems } = parseCloudConfig(file(), 'first.yaml');
    expect(problems).toEqual([]);
    expect(document).toBeDefined();
    const conditions = [...file().matchAll(/^ {6}if: (?:\|\n {8})?"?(.*?)"?$/gm)].map(([, text]) => text);
    expect(conditions).toHaveLength(3);
    for (const condition of conditions) expect(condition).toMatch(/^grep -qw holdfast\.firstboot \/proc\/cmdline/);
  });

  test('runs the owner’s command, of any number of lines', () => {
    const text = file('curl https://example.com/x\nelemental reset --reboot # as ever');
    expect(parseCloudConfig(text, 'first.yaml').problems).toEqual([]);
    // A remark ends with its line.
    expect(text).toMatch(/elemental reset --reboot # as ever\n +\) > /);
    expect(text).not.toContain('holdfast deploy');
  });

  test('the menu of the recovery partition goes on to that of the state partition once there is one', () => {
    const menu = firstBootMenu('THE MENU', {
      partitions: { ...DEFAULT_LABELS.partitions, state: 'MY_STATE' },
    });
    expect(menu).toContain('--set=state_menu MY_STATE\n');
    expect(menu.indexOf('configfile ($root)/grub2/grub.cfg')).toBeLessThan(menu.indexOf('THE MENU'));
  });
});

test.each([
  ['oci-layout:/home/me/images:v1', 'oci-layout:v1'],
  ['oci-layout:images:v1@sha256:00', 'oci-layout:v1@sha256:00'],
  ['dir:/home/me/tree', 'dir:tree'],
  ['docker:registry.example/os:v1', 'docker:registry.example/os:v1'],
])('%s is recorded as %s', (source, recorded) => {
  expect(withoutDirectory(source)).toBe(recorded);
});

describe('a plan', () => {
  const facts: BuildDiskFacts = {
    output: '/srv/disk.raw',
    image: { source: 'dir:/x', digest: undefined },
    treeBytes: MIB,
    recoveryTreeBytes: 0,
    workBytes: MIB,
    outputBytes: MIB,
  };
  const ask = (wishes: Partial<BuildDiskRequest>): BuildDiskRequest => ({
    image: { kind: 'tree', source: 'dir:/x', digest: undefined, directory: '/x' },
    output: 'disk.raw',
    format: 'raw',
    expandable: false,
    cloudInit: [],
    labels: DEFAULT_LABELS,
    sizesMib: {},
    overlays: [],
    strictness: 'chroot',
    force: false,
    ...wishes,
  });
  const kinds = (wishes: Partial<BuildDiskRequest>) => planDisk(ask(wishes), facts).actions.map(({ kind }) => kind);

  test('a whole disk has slots, an expandable one has none, another format is a conversion', () => {
    expect(kinds({})).toContain('make-slots');
    expect(kinds({})).not.toContain('convert');
    expect(kinds({ expandable: true, format: 'azure' })).toContain('convert');
    expect(kinds({ expandable: true })).not.toContain('make-slots');
    expect(kinds({}).at(-1)).toBe('publish');
  });

  test('hooks run in elemental’s order', () => {
    const hooks = planDisk(ask({}), facts).actions.flatMap((action) =>
      action.kind === 'run-hook' ? [action.hook] : [],
    );
    expect(hooks).toEqual(['before-disk', 'after-disk-chroot', 'after-disk', 'post-disk']);
  });

  const file = { kind: 'file', file: '/r', type: 'squashfs', sizeBytes: 1, source: 'file:/r' } as const;
  test.each<[string, Partial<BuildDiskRequest>, string]>([
    ['a deploy command for a whole disk', { deployCommand: 'x' }, '--deploy-command is for the first boot'],
    ['two systems on an expandable disk', { expandable: true, recovery: file }, 'two systems make no sense'],
    ['an xfs with files', { stateFilesystem: 'xfs' }, 'can’t be made twice alike'],
    ['a disk that can’t hold the system', { sizeBytes: MIB }, '--size is 1.0 MiB'],
    ['a size for what takes the rest', { expandable: true, sizesMib: { persistent: 1 } }, 'takes what is left'],
  ])('%s is refused', (_, wishes, words) => {
    expect(() => planDisk(ask(wishes), facts)).toThrow(words);
  });
});
