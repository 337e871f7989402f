// Which partitions the initramfs takes and how it checks them, on loop devices with real file systems: by UUID before
// label, with an end to every wait, and fsck as the kernel arguments ask.

import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { attachLoop } from '../../../src/system/loopdevices.ts';
import { UndoStack } from '../../../src/system/plan.ts';
import { runChecked } from '../../../src/system/process.ts';
import { type InitramfsHost, initramfsHost, SHELLS } from './initramfs-shell.ts';

let host: InitramfsHost;
let undo: UndoStack;
/** Becomes /dev/disk, as udev would have it. */
let links = '';
beforeEach(() => {
  host = initramfsHost();
  undo = new UndoStack();
  links = join(host.directory, 'dev/disk');
  for (const name of ['by-uuid', 'by-label']) mkdirSync(join(links, name), { recursive: true });
});
afterEach(async () => {
  expect(await undo.unwind(false)).toEqual([]);
  host.remove();
});

const UUID = '33333333-3333-4333-8333-333333333333';
const OTHER = '44444444-4444-4444-8444-444444444444';
// Of the tests' own, since the machine that runs them may have cOS's.
const LABEL = 'HFT_INITRAMFS';

async function makeDevice(name: string, format: readonly [string, ...string[]]): Promise<string> {
  const file = join(host.directory, `${name}.img`);
  await runChecked(['truncate', '--size=4M', file]);
  await runChecked([...format, file]);
  return (await attachLoop(undo, file)).device;
}
const ext4 = (uuid: string, label = LABEL): [string, ...string[]] => ['mkfs.ext4', '-q', '-F', '-U', uuid, '-L', label];

async function find(what: 'state' | 'oem', commandLine: string, shell = 'dash') {
  const result = await host.run('partition', [what], {
    commandLine: `${commandLine} fsck.mode=skip`,
    shell,
    // With a /dev/disk of the test's own in it.
    before: `mount -t overlay overlay -o 'lowerdir=${host.directory}/dev:/dev' /dev`,
    after: `for f in /run/holdfast/*; do [ ! -e "$f" ] || echo "$f $(readlink "$f" || cat "$f")"; done`,
  });
  return { status: result.status, said: result.stderr.trim(), left: result.stdout.trim() };
}

describe('the partition with the images', () => {
  test('has the UUID that GRUB said, whatever carries the label', async () => {
    const right = await makeDevice('right', ext4(UUID));
    const wrong = await makeDevice('wrong', ext4(OTHER));
    symlinkSync(right, join(links, 'by-uuid', UUID));
    symlinkSync(wrong, join(links, 'by-label', LABEL));
    for (const shell of SHELLS) {
      expect(await find('state', `root=LABEL=${LABEL} holdfast.state=${UUID}`, shell)).toEqual({
        status: 0,
        said: '',
        left: `/run/holdfast/state ${right}`,
      });
    }
    expect((await find('state', `root=LABEL=${LABEL}`)).left).toBe(`/run/holdfast/state ${wrong}`);
  });

  test.each(['root=DEVICE', `root=UUID=${UUID}`, `root=LABEL=${LABEL} holdfast.state=../../../dev/zero`])(
    'is found by %s',
    async (commandLine) => {
      const device = await makeDevice('any', ext4(UUID));
      symlinkSync(device, join(links, 'by-uuid', UUID));
      symlinkSync(device, join(links, 'by-label', LABEL));
      const { said, left } = await find('state', commandLine.replace('DEVICE', device));
      expect([said, left]).toEqual(['', `/run/holdfast/state ${device}`]);
    },
  );

  test('with a label that udev spells in its own way', async () => {
    const device = await makeDevice('blank', ext4(UUID, 'HFT A/1'));
    expect((await find('state', 'root="LABEL=HFT A/1"')).left).toBe(`/run/holdfast/state ${device}`);
  });

  test('has the label when no disk has the UUID, and that is said', async () => {
    const device = await makeDevice('any', ext4(OTHER));
    symlinkSync(device, join(links, 'by-label', LABEL));
    expect(await find('state', `root=LABEL=${LABEL} holdfast.state=${UUID} rd.timeout=1`)).toEqual({
      status: 0,
      said: `holdfast: no disk has a file system with the UUID=${UUID}; the one with the LABEL=${LABEL} is taken`,
      left: `/run/holdfast/state ${device}`,
    });
  });

  test.each([`root=LABEL=${LABEL}`, 'root=LABEL=..', 'root=/dev/../dev/null', 'root=/dev/null'])(
    '%s is nowhere: it fails in time and says so',
    async (root) => {
      const reason = `no disk has the partition with the system images, ${root.slice(5)} (waited 1 s)`;
      expect(await find('state', `${root} rd.timeout=1`)).toEqual({
        status: 1,
        said: `holdfast: ${reason}`,
        left: `/run/holdfast/failure ${reason}`,
      });
    },
  );
});

describe('the OEM partition', () => {
  test.each(['rd.cos.oemlabel', 'rd.immucore.oemlabel', 'elemental.oemlabel'])('by %s', async (key) => {
    const device = await makeDevice('oem', ext4(UUID));
    symlinkSync(device, join(links, 'by-label', LABEL));
    expect((await find('oem', `${key}=${LABEL}`)).left).toBe(`/run/holdfast/oem ${device}`);
  });

  test('by UUID, and where nothing has it by label', async () => {
    const device = await makeDevice('oem', ext4(UUID));
    symlinkSync(device, join(links, 'by-uuid', UUID));
    expect((await find('oem', `holdfast.oem=${UUID} rd.cos.oemlabel=${LABEL}`)).left).toBe(
      `/run/holdfast/oem ${device}`,
    );
    symlinkSync(device, join(links, 'by-label', LABEL));
    const { said, left } = await find('oem', `holdfast.oem=${OTHER} rd.cos.oemlabel=${LABEL} rd.cos.oemtimeout=1`);
    expect(left).toBe(`/run/holdfast/oem ${device}`);
    expect(said).toContain(`the LABEL=${LABEL} is taken`);
  });

  test('that is nowhere is no failure', async () => {
    for (const timeout of ['', 'rd.cos.oemtimeout=1']) {
      expect(await find('oem', `rd.cos.oemlabel=${LABEL} ${timeout}`)).toEqual({
        status: 0,
        said: `holdfast: there is no OEM partition (LABEL=${LABEL}); the boot goes on without`,
        left: '/run/holdfast/oem.missing',
      });
    }
  });
});

describe('the check of a file system', () => {
  /** Runs holdfast-fsck twice; what it printed, and the mark. */
  async function check(device: string, commandLine: string) {
    const result = await host.run('fsck', [device], {
      commandLine,
      after: `for f in /run/holdfast/checked/*; do [ ! -e "$f" ] || echo "mark $(cat "$f")"; done`,
    });
    return { status: result.status, said: result.stderr.trim(), printed: result.stdout };
  }
  const isClean = async (device: string) =>
    (await runChecked(['tune2fs', '-l', device])).includes('state:         clean\n');
  /** An inode's link count that only a full check finds, in a file system that says it is clean or not. */
  async function damaged(options: { saysSo: boolean }): Promise<string> {
    const device = await makeDevice('damaged', ext4(UUID));
    await runChecked(['debugfs', '-w', '-R', 'set_inode_field <2> links_count 9', device]);
    if (options.saysSo) await runChecked(['debugfs', '-w', '-R', 'set_super_value state 2', device]);
    return device;
  }

  test('repairs what says that it is damaged', async () => {
    const device = await damaged({ saysSo: true });
    const { status, said, printed } = await check(device, '');
    expect([status, said]).toEqual([0, `holdfast: the file system on ${device} had errors, which are repaired`]);
    expect(printed).toContain('mark 1\n');
    expect(await isClean(device)).toBe(true);
  });

  test.each([
    ['', 'mark 0\n'],
    ['fsck.mode=auto', 'mark 0\n'],
    ['fsck.mode=force', 'mark 1\n'],
    ['fsck.mode=force fsck.repair=yes', 'mark 1\n'],
    ['fsck.mode=force fsck.repair=no', 'mark 4\n'],
  ])('of one that says it is clean, with %s', async (commandLine, mark) => {
    expect((await check(await damaged({ saysSo: false }), commandLine)).printed).toContain(mark);
  });

  test.each(['fsck.mode=skip', 'rd.skipfsck', 'rd.skipfsck=1'])('not with %s', async (commandLine) => {
    const device = await damaged({ saysSo: true });
    expect(await check(device, commandLine)).toEqual({ status: 0, said: '', printed: '' });
  });

  test('errors that stay are said, and nothing fails', async () => {
    const device = await damaged({ saysSo: true });
    const { status, said } = await check(device, 'fsck.repair=no');
    expect([status, said]).toEqual([
      0,
      `holdfast: the file system on ${device} has errors that could not be repaired (status 4); it is used as it is`,
    ]);
  });

  test('of XFS is its own business', async () => {
    const file = join(host.directory, 'xfs.img');
    await runChecked(['truncate', '--size=320M', file]);
    await runChecked(['mkfs.xfs', '-q', file]);
    const { device } = await attachLoop(undo, file);
    expect(await check(device, 'fsck.mode=force fsck.repair=yes')).toEqual({ status: 0, said: '', printed: '' });
  });

  test.each(['/dev/null', '/nowhere'])('of %s does nothing', async (path) => {
    writeFileSync(join(host.directory, 'calls'), '');
    expect(await check(path, 'fsck.mode=force')).toEqual({ status: 0, said: '', printed: '' });
  });
});
