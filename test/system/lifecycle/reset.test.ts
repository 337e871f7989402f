// Resets on real disk images, from the recovery system's image file, from its squashfs and from a named image: what is on
// the disk afterwards, what an administrator put there, what is wiped, and what a failure leaves.

import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { readGrubEnvironment, writeGrubEnvironment } from '../../../src/boot/grub-environment.ts';
import type { Image } from '../../../src/image/image.ts';
import { rebuild } from '../../../src/lifecycle/apply-rebuild.ts';
import { upgradeRecovery } from '../../../src/lifecycle/apply-upgrade-recovery.ts';
import { readLastAction } from '../../../src/lifecycle/last-action.ts';
import type { RebuildRequest } from '../../../src/lifecycle/rebuild.ts';
import { readRecord } from '../../../src/record/record.ts';
import { readState } from '../../../src/slots/state-file.ts';
import { probeFilesystem } from '../../../src/system/filesystems.ts';
import { run, runChecked } from '../../../src/system/process.ts';
import { type DiskImage, machineTraces, slotText } from './disk-image.ts';
import { grubSlot } from './grub-view.ts';
import { ALL_LABELS, InstalledDisk, LATER, systemsIn } from './installed-disk.ts';

let installed: InstalledDisk;
/** Recovery and passive are version 1, active is version 2; with files of an administrator. */
let used: DiskImage;

beforeAll(async () => {
  installed = await InstalledDisk.create();
  used = await installed.copy();
  await installed.upgrade(used, 'v2');
  await used.withMounted(
    'COS_STATE',
    (state) => {
      writeFileSync(join(state, 'grubcustom'), 'set mine=1\n');
      rmSync(join(state, 'cOS/passive.img'));
      writeFileSync(join(state, 'grub2/grub.cfg'), 'old menu\n');
      writeGrubEnvironment(join(state, 'grub_oem_env'), { boot_failure: 'active:no init' });
    },
    { writable: true },
  );
  await used.withMounted(
    'COS_OEM',
    (oem) => {
      writeGrubEnvironment(join(oem, 'grubenv'), {
        saved_entry: 'recovery',
        extra_cmdline: 'quiet',
        extra_active_cmdline: 'splash rd.live.overlay=LABEL=KEEP:/p.img',
      });
      writeFileSync(
        join(oem, 'hook.yaml'),
        'stages:\n  after-reset-chroot:\n    - commands: ["ls() { for f in /oem/*; do echo $f; done; }; ls > /seen-oem"]\n',
      );
    },
    { writable: true },
  );
  await used.withMounted(
    'COS_PERSISTENT',
    (directory) => {
      mkdirSync(join(directory, 'data'));
      writeFileSync(join(directory, 'data/file'), 'mine');
    },
    { writable: true },
  );
});
afterAll(() => installed?.remove());

const reset = (disk: DiskImage, options: Partial<RebuildRequest> = {}, image?: Image) =>
  disk.withPartitions(ALL_LABELS, () =>
    rebuild(
      { action: 'reset', strictness: 'chroot', force: true, formatState: false, wipe: [], cloudInit: [], ...options },
      image,
      { command: 'test', now: LATER },
    ),
  );

describe('from the recovery system’s image file', () => {
  test('both slots hold it, GRUB sees it, the boot loader is up to date, and an administrator’s files stay', async () => {
    const disk = await installed.copy(used);
    const before = machineTraces();
    const result = await reset(disk);
    expect(result).toMatchObject({ outcome: 'ok', warnings: [], prettyName: 'Tiny 1' });
    expect(machineTraces()).toEqual(before);
    const recovery = await disk.withMounted('COS_RECOVERY', (directory) =>
      probeFilesystem(join(directory, 'cOS/recovery.img')),
    );
    await disk.withMounted('COS_STATE', async (state) => {
      expect(await systemsIn(state)).toEqual(['Tiny 1', 'Tiny 1']);
      const active = await probeFilesystem(join(state, 'cOS/active.img'));
      expect(active.label).toBe('COS_ACTIVE');
      expect(active.uuid).not.toBe(recovery.uuid);
      expect(grubSlot(disk.file, 'cOS/active.img')).toEqual({ uuid: active.uuid, label: 'COS_ACTIVE' });
      expect(grubSlot(disk.file, 'cOS/passive.img')).toEqual({ uuid: active.uuid, label: 'COS_PASSIVE' });
      // Its blocks are all there: a full disk can't make holes of zeros later.
      const { size, blocks } = statSync(join(state, 'cOS/active.img'));
      expect(blocks * 512).toBeGreaterThanOrEqual(size);
      expect((await run(['e2fsck', '-fn', join(state, 'cOS/active.img')])).status).toBe(0);
      expect(readFileSync(join(state, 'grub2/grub.cfg'), 'utf8')).toBe('# menu\n');
      expect(readFileSync(join(state, 'grubcustom'), 'utf8')).toContain('set mine=1\n');
      expect(readGrubEnvironment(join(state, 'grub_oem_env')).has('boot_failure')).toBe(false);
      const records = readState(join(state, 'state.yaml')).state;
      expect(records.active).toMatchObject({ uuid: active.uuid, fromAction: 'reset', date: LATER });
      expect(records.active).toEqual(records.passive);
      expect(records.recovery).toMatchObject({ uuid: recovery.uuid, fromAction: 'install' });
      expect(readLastAction(state)).toMatchObject({ action: 'reset', outcome: 'ok' });
      expect(await slotText(state, 'active', '/seen-oem')).toContain('/oem/hook.yaml');
    });
    await disk.withMounted('COS_OEM', (oem) => {
      const block = readGrubEnvironment(join(oem, 'grubenv'));
      // The overlay belongs to the system that is gone.
      expect(Object.fromEntries(block)).toEqual({ extra_cmdline: 'quiet', extra_active_cmdline: 'splash' });
    });
    await disk.withMounted('COS_PERSISTENT', (directory) => {
      expect(readFileSync(join(directory, 'data/file'), 'utf8')).toBe('mine');
    });
  });

  test('what is asked for is wiped at the end, and stage files come onto the new OEM', async () => {
    const disk = await installed.copy(used);
    const before = machineTraces();
    const stage = 'stages:\n  after-reset-chroot:\n    - commands: ["for f in /oem/*; do echo $f; done > /seen-oem"]\n';
    const result = await reset(disk, { wipe: ['persistent', 'oem'], cloudInit: [{ name: 'a', text: stage }] });
    expect(result).toMatchObject({ outcome: 'ok', warnings: [] });
    expect(machineTraces()).toEqual(before);
    await disk.withMounted('COS_OEM', (oem) => {
      expect(readdirSync(oem).sort()).toEqual(['99_custom.yaml', 'grubenv', 'lost+found']);
      expect(readFileSync(join(oem, '99_custom.yaml'), 'utf8')).toBe(stage);
      expect(statSync(join(oem, '99_custom.yaml')).mode & 0o777).toBe(0o600);
      expect(readFileSync(join(oem, 'grubenv')).length).toBe(1024);
    });
    await disk.withMounted('COS_PERSISTENT', (directory) => {
      expect(readdirSync(directory)).toEqual(['lost+found']);
    });
    await disk.withMounted('COS_STATE', async (state) => {
      // The hook of the old OEM didn't run in the new system, the one that comes did.
      expect(await slotText(state, 'active', '/seen-oem')).toContain('/oem/99_custom.yaml');
      expect(await slotText(state, 'active', '/seen-oem')).not.toContain('hook.yaml');
    });
  });

  test('a wipe that was cut off is done again: the partition is found by its name', async () => {
    const disk = await installed.copy(used);
    await disk.withPartitions(['COS_PERSISTENT'], async (devices) => {
      await runChecked(['wipefs', '--all', devices['COS_PERSISTENT'] ?? '']);
    });
    // Without its label the test attaches it by its place: the last partition.
    const { partitiontable } = JSON.parse(await runChecked(['sfdisk', '--json', disk.file]));
    const { start, size } = partitiontable.partitions.find(({ name }: { name: string }) => name === 'persistent');
    const offset = ['--offset', String(start * 512), '--sizelimit', String(size * 512)];
    const device = (await runChecked(['losetup', '--find', '--show', ...offset, disk.file])).trim();
    try {
      expect(await reset(disk, { wipe: ['persistent'] })).toMatchObject({ outcome: 'ok', warnings: [] });
      expect(await probeFilesystem(device)).toMatchObject({ type: 'ext4', label: 'COS_PERSISTENT' });
    } finally {
      await runChecked(['losetup', '--detach', device]);
    }
  });

  test('a failing hook in the new system leaves slots, OEM and PERSISTENT as they were', async () => {
    const disk = await installed.copy(used);
    const snapshot = () =>
      disk.withMounted('COS_STATE', (state) =>
        runChecked(['sh', '-c', 'cd "$1" && ls -il cOS/active.img && cat state.yaml && cat grub_oem_env', 'sh', state]),
      );
    const slots = await snapshot();
    const text = 'stages:\n  after-reset-chroot:\n    - commands: ["cat /no/such"]\n';
    await expect(reset(disk, { wipe: ['persistent'], cloudInit: [{ name: 'a', text }] })).rejects.toMatchObject({
      code: 'HF-HOOK',
      exitStatus: 62,
    });
    expect(await snapshot()).toEqual(slots);
    await disk.withMounted('COS_OEM', (oem) => expect(existsSync(join(oem, '99_custom.yaml'))).toBe(false));
    await disk.withMounted('COS_PERSISTENT', (directory) => {
      expect(existsSync(join(directory, 'data/file'))).toBe(true);
    });
    await disk.withMounted('COS_STATE', (state) => {
      expect(readLastAction(state)).toMatchObject({ action: 'reset', outcome: 'refused' });
    });
  });
});

test('from a squashfs: its tree is unpacked into both slots', async () => {
  const disk = await installed.copy(used);
  const image = await installed.open('v2');
  await disk.withPartitions(ALL_LABELS, () =>
    upgradeRecovery({ image, strictness: 'none', force: true, kind: 'squashfs' }, { command: 'test', now: LATER }),
  );
  expect(await reset(disk)).toMatchObject({ outcome: 'ok', prettyName: 'Tiny 2' });
  await disk.withMounted('COS_STATE', async (state) => {
    expect(await systemsIn(state)).toEqual(['Tiny 2', 'Tiny 2']);
    const { active } = readState(join(state, 'state.yaml')).state;
    expect(active).toMatchObject({ digest: image.digest, fromAction: 'reset' });
    expect(active).not.toHaveProperty('fs');
  });
});

test('from a named image, on a state partition that is formatted first because it is damaged', async () => {
  const disk = await installed.copy(used);
  await disk.withPartitions(['COS_STATE'], async (devices) => {
    // The label stays readable, the file system doesn't.
    await runChecked([
      'dd',
      'if=/dev/zero',
      `of=${devices['COS_STATE']}`,
      'bs=512',
      'seek=1',
      'count=8',
      'conv=notrunc',
    ]);
  });
  const image = await installed.open('v2');
  await expect(reset(disk, {}, image)).rejects.toMatchObject({ code: 'HF-MOUNT' });
  expect(await reset(disk, { formatState: true }, image)).toMatchObject({ outcome: 'ok', prettyName: 'Tiny 2' });
  await disk.withMounted('COS_STATE', async (state) => {
    expect(await systemsIn(state)).toEqual(['Tiny 2', 'Tiny 2']);
    expect(existsSync(join(state, 'grub2/grub.cfg'))).toBe(true);
  });
  // What happened before is known on the new file system.
  expect(await reset(disk, { formatState: true }, image)).toMatchObject({ outcome: 'ok' });
  await disk.withMounted('COS_STATE', (state) => {
    const resets = readRecord({ stateDirectory: state }).entries.filter(({ name }) => name === 'reset');
    expect(resets.map(({ outcome }) => outcome)).toEqual(['ok', 'ok']);
  });
});

test('outside of the recovery system it is refused, in the words that scripts look for', async () => {
  await expect(reset(used, { force: false })).rejects.toMatchObject({
    code: 'HF-STATE',
    message: 'reset can only be called from the recovery system',
  });
});

describe('deploy', () => {
  const deploy = (disk: DiskImage, force = false) => reset(disk, { action: 'deploy', force });

  test('over an active system it is refused without --force', async () => {
    await expect(deploy(used)).rejects.toMatchObject({
      code: 'HF-ALREADY-INSTALLED',
      exitStatus: 57,
      message: "there is already an active deployment in the system, use '--force' flag to overwrite it",
    });
  });

  test('an empty state partition is filled from the recovery system, boot menu included', async () => {
    const disk = await installed.copy(used);
    await disk.withMounted(
      'COS_STATE',
      (state) => {
        for (const name of readdirSync(state)) rmSync(join(state, name), { recursive: true });
      },
      { writable: true },
    );
    expect(await deploy(disk)).toMatchObject({ outcome: 'ok', prettyName: 'Tiny 1' });
    await disk.withMounted('COS_STATE', async (state) => {
      expect(await systemsIn(state)).toEqual(['Tiny 1', 'Tiny 1']);
      expect(readFileSync(join(state, 'grub2/grub.cfg'), 'utf8')).toBe('# menu\n');
      expect(readState(join(state, 'state.yaml')).state.active).toMatchObject({ fromAction: 'deploy' });
    });
    await disk.withMounted('COS_OEM', (oem) => {
      expect(readGrubEnvironment(join(oem, 'grubenv')).get('extra_active_cmdline')).toBe('splash');
    });
  });
});
