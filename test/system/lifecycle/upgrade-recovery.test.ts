// Upgrades of the recovery system on real disk images: as an image file and as a squashfs, where there is room for two
// and where there isn't. The active and the passive slot and the menu stay as they are.

import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { readGrubEnvironment } from '../../../src/boot/grub-environment.ts';
import { upgradeRecovery } from '../../../src/lifecycle/apply-upgrade-recovery.ts';
import type { RecoveryRequest } from '../../../src/lifecycle/upgrade-recovery.ts';
import { slotId } from '../../../src/slots/identify.ts';
import { readState } from '../../../src/slots/state-file.ts';
import { freeBytes, probeFilesystem } from '../../../src/system/filesystems.ts';
import { run, runChecked } from '../../../src/system/process.ts';
import { type DiskImage, machineTraces, writeToExt4 } from './disk-image.ts';
import { ALL_LABELS, InstalledDisk, LATER, systemsIn } from './installed-disk.ts';

let installed: InstalledDisk;

beforeAll(async () => {
  installed = await InstalledDisk.create();
});
afterAll(() => installed?.remove());

const upgradeTo = async (disk: DiskImage, tag: string, options: Partial<RecoveryRequest> = {}) => {
  const image = await installed.open(tag);
  return disk.withPartitions(ALL_LABELS, () =>
    upgradeRecovery({ image, strictness: 'chroot', force: false, ...options }, { command: 'test', now: LATER }),
  );
};

/** What must stay as it is. */
const slotsOf = (disk: DiskImage) =>
  disk.withMounted('COS_STATE', async (state) => ({
    active: await slotId(join(state, 'cOS/active.img')),
    passive: await slotId(join(state, 'cOS/passive.img')),
    systems: await systemsIn(state),
    title: readGrubEnvironment(join(state, 'grub_oem_env')).get('default_menu_entry'),
    files: readdirSync(join(state, 'cOS'))
      .filter((name) => !name.startsWith('ledger'))
      .sort(),
  }));

const squashfsText = (file: string, path: string) => runChecked(['unsquashfs', '-cat', file, path]);

describe('an image file', () => {
  test('is built beside the old one and takes its name; records are on both partitions', async () => {
    const disk = await installed.copy();
    const before = machineTraces();
    const slots = await slotsOf(disk);
    const result = await upgradeTo(disk, 'v2');
    expect(result).toMatchObject({ outcome: 'ok', warnings: [], prettyName: 'Tiny 2' });
    expect(machineTraces()).toEqual(before);
    expect(await slotsOf(disk)).toEqual(slots);
    const uuid = await disk.withMounted('COS_RECOVERY', async (recovery) => {
      const file = join(recovery, 'cOS/recovery.img');
      expect(await runChecked(['debugfs', '-R', 'cat /etc/os-release', file])).toContain('Tiny 2');
      expect((await run(['e2fsck', '-fn', file])).status).toBe(0);
      expect(readdirSync(join(recovery, 'cOS'))).toEqual(['recovery.img']);
      const identity = await probeFilesystem(file);
      expect(identity.label).toBe('COS_SYSTEM');
      expect(readState(join(recovery, 'state.yaml')).state.recovery).toMatchObject({ uuid: identity.uuid });
      return identity.uuid;
    });
    await disk.withMounted('COS_STATE', (state) => {
      const { recovery, active } = readState(join(state, 'state.yaml')).state;
      expect(recovery).toMatchObject({ uuid, fromAction: 'upgrade-recovery', date: LATER });
      expect(active).toMatchObject({ fromAction: 'install' });
    });
    expect(await upgradeTo(disk, 'v2')).toMatchObject({ outcome: 'up-to-date' });
  });

  test('without room for two it is built on the state partition', async () => {
    const disk = await installed.copy();
    await fill(disk, 'COS_RECOVERY', 200);
    const result = await upgradeTo(disk, 'v2');
    expect(result.plan.actions.map(({ kind }) => kind)).toContain('copy-to-recovery');
    await disk.withMounted('COS_RECOVERY', async (recovery) => {
      const file = join(recovery, 'cOS/recovery.img');
      expect(await runChecked(['debugfs', '-R', 'cat /etc/os-release', file])).toContain('Tiny 2');
    });
    expect((await slotsOf(disk)).files).not.toContain('transition.img');
  });

  test('where it fits nowhere it is refused with the figures of both partitions, and nothing is changed', async () => {
    const disk = await installed.copy();
    await fill(disk, 'COS_RECOVERY', 20);
    await fill(disk, 'COS_STATE', 20);
    await expect(upgradeTo(disk, 'v2')).rejects.toMatchObject({
      code: 'HF-NO-SPACE',
      message: expect.stringMatching(/COS_RECOVERY has [\d.]+ MiB free, COS_STATE [\d.]+ MiB; needed are \d+ MiB/),
    });
    await disk.withMounted('COS_RECOVERY', async (recovery) => {
      const file = join(recovery, 'cOS/recovery.img');
      expect(await runChecked(['debugfs', '-R', 'cat /etc/os-release', file])).toContain('Tiny 1');
    });
  });

  test('a failing hook in the new system leaves the old one', async () => {
    const disk = await installed.copy();
    const stage = 'stages:\n  after-upgrade-chroot:\n    - commands: ["cat /no/such"]\n';
    await disk.withPartitions(['COS_OEM'], (devices) => writeToExt4(disk, devices['COS_OEM'] ?? '', 'a.yaml', stage));
    await expect(upgradeTo(disk, 'v2')).rejects.toMatchObject({ code: 'HF-HOOK', exitStatus: 39 });
    await disk.withMounted('COS_RECOVERY', async (recovery) => {
      expect(readdirSync(join(recovery, 'cOS'))).toEqual(['recovery.img']);
    });
  });
});

describe('a squashfs', () => {
  test('is made when it is asked for, GRUB can read it, and the image file goes; it stays a squashfs', async () => {
    const disk = await installed.copy();
    const before = machineTraces();
    const slots = await slotsOf(disk);
    expect(await upgradeTo(disk, 'v1', { kind: 'squashfs', force: true })).toMatchObject({ outcome: 'ok' });
    expect(machineTraces()).toEqual(before);
    await disk.withMounted('COS_RECOVERY', async (recovery) => {
      expect(readdirSync(join(recovery, 'cOS'))).toEqual(['recovery.squashfs']);
      const { recovery: record } = readState(join(recovery, 'state.yaml')).state;
      expect(record).toMatchObject({ fs: 'squashfs', uuid: await slotId(join(recovery, 'cOS/recovery.squashfs')) });
    });

    expect(await upgradeTo(disk, 'v1')).toMatchObject({ outcome: 'up-to-date' });
    expect(await upgradeTo(disk, 'v2')).toMatchObject({ outcome: 'ok' });
    expect(await slotsOf(disk)).toEqual(slots);
    const release = await disk.withMounted('COS_RECOVERY', (recovery) => {
      const file = join(recovery, 'cOS/recovery.squashfs');
      writeFileSync(`${disk.file}.squashfs`, execFileSync('cat', [file], { maxBuffer: 1 << 30 }));
      return squashfsText(file, 'etc/os-release');
    });
    expect(release).toContain('Tiny 2');
    const seen = execFileSync('grub-fstest', [`${disk.file}.squashfs`, 'cat', '(loop0)/boot/vmlinuz']);
    expect(seen.toString()).toBe('a kernel');
    rmSync(`${disk.file}.squashfs`);
  });
});

/** Leaves only so many MiB of a partition free. */
function fill(disk: DiskImage, label: string, freeMib: number): Promise<void> {
  return disk.withMounted(
    label,
    async (directory) => {
      const bytes = freeBytes(directory) - freeMib * 2 ** 20;
      await runChecked(['fallocate', '--length', String(bytes), join(directory, 'filler')]);
      expect(existsSync(join(directory, 'filler')) && statSync(join(directory, 'filler')).size).toBe(bytes);
    },
    { writable: true },
  );
}
