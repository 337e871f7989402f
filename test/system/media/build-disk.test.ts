// Disk images of a small system: table, file systems and files are those of an install, GRUB reads what it needs, and whoever
// builds one again gets the same bytes.

import { existsSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { FIRST_BOOT_FILE } from '../../../src/media/disk-first-boot.ts';
import { parseState } from '../../../src/slots/state-file.ts';
import { run, runChecked } from '../../../src/system/process.ts';
import { settledTraces } from '../lifecycle/disk-image.ts';
import { askExt, catExt, catGrub, DiskRig, offsetOf, TIME, tableOf } from './disk-rig.ts';

const rig = new DiskRig();
const before = await settledTraces();
const MINE = { name: 'mine.yaml', text: 'stages:\n  boot:\n    - commands: [true]\n' };

beforeAll(async () => {
  await rig.addSystem();
});
afterAll(async () => {
  rig.remove();
  expect(await settledTraces()).toEqual(before);
});

/** As the builder says. */
const digest = (file: string) => readFileSync(`${file}.sha256`, 'utf8').split(' ')[0];

describe('a whole disk', () => {
  let disk = '';
  beforeAll(async () => {
    disk = rig.at('full.raw');
    await rig.build('full.raw', { cloudInit: [MINE] });
  });

  test('has the partitions of an install, and nothing of the work is left', async () => {
    const table = await tableOf(disk);
    expect([...table.keys()]).toEqual(['efi', 'oem', 'recovery', 'state', 'persistent']);
    expect(await runChecked(['sfdisk', '--verify', disk])).toContain('No errors detected');
    expect(readdirSync(rig.directory).filter((name) => name.includes('.part'))).toEqual([]);
    expect(
      readdirSync(rig.directory)
        .filter((name) => name.startsWith('scratch-'))
        .flatMap((name) => readdirSync(rig.at(name))),
    ).toEqual([]);
  });

  test.each([
    ['oem', 'COS_OEM'],
    ['recovery', 'COS_RECOVERY'],
    ['state', 'COS_STATE'],
    ['persistent', 'COS_PERSISTENT'],
  ])('%s is a sound ext4 with the label %s', async (name, label) => {
    const place = `${disk}?offset=${await offsetOf(disk, name)}`;
    expect((await run(['e2fsck', '-fn', place])).status).toBe(0);
    expect(await askExt(disk, name, 'show_super_stats -h')).toMatch(new RegExp(`volume name: +${label}\n`));
  });

  test('active, passive and recovery are there, and state.yaml speaks of them', async () => {
    const state = parseState(await catExt(disk, 'state', '/state.yaml'));
    expect(state.active).toMatchObject({ fromAction: 'build-disk', date: new Date(TIME * 1000).toISOString() });
    expect(state.passive?.uuid).toBe(state.active?.uuid);
    expect(parseState(await catExt(disk, 'recovery', '/state.yaml')).recovery?.uuid).toBe(state.active?.uuid);
    const slot = rig.at('active.img');
    await askExt(disk, 'state', `dump /cOS/active.img ${slot}`);
    expect((await run(['e2fsck', '-fn', slot])).status).toBe(0);
    expect(await runChecked(['blkid', '-p', '-s', 'LABEL', '-s', 'UUID', '-o', 'value', slot])).toBe(
      `COS_ACTIVE\n${state.active?.uuid}\n`,
    );
    expect(await runChecked(['debugfs', '-R', 'cat /etc/os-release', slot])).toContain('PRETTY_NAME="Tiny 1"');
  });

  test('GRUB reads menu, blocks and the slot’s own arguments', async () => {
    expect(await catGrub(disk, 4, '/grub2/grub.cfg')).toBe('# menu\n');
    expect(await catGrub(disk, 4, '/grub_oem_env')).toContain('state_label=COS_STATE');
    expect(await catGrub(disk, 4, '/boot_assessment')).toContain('# GRUB Environment Block');
    expect(await catGrub(disk, 2, '/grubenv')).toHaveLength(1024);
  });

  test('firmware finds GRUB, and its configuration the menu', async () => {
    const esp = `${disk}@@1M`;
    expect(await runChecked(['mtype', '-i', esp, '::/EFI/BOOT/BOOTX64.EFI'])).toBe('an EFI program');
    const config = rig.at('esp.cfg');
    writeFileSync(config, await runChecked(['mtype', '-i', esp, '::/EFI/BOOT/grub.cfg']));
    await runChecked(['grub-script-check', config]);
    expect(await runChecked(['blkid', '-p', '-O', String(1 << 20), '-s', 'LABEL', '-o', 'value', disk])).toBe(
      'COS_GRUB\n',
    );
  });

  test('the owner’s file is in /oem, and only root may read it', async () => {
    expect(await catExt(disk, 'oem', '/99_custom.yaml')).toBe(MINE.text);
    expect(await askExt(disk, 'oem', 'stat /99_custom.yaml')).toMatch(/Mode: +0600/);
  });

  test('another builder gets the same bytes', async () => {
    await rig.build('again.raw', { cloudInit: [MINE] });
    await runChecked(['cmp', disk, rig.at('again.raw')]);
    expect(readFileSync(`${disk}.sha256`, 'utf8')).toMatch(/^[0-9a-f]{64} {2}full\.raw\n$/);
    expect(digest(rig.at('again.raw'))).toBe(digest(disk));
  });
});

describe('an expandable disk', () => {
  let disk = '';
  beforeAll(async () => {
    disk = rig.at('small.raw');
    await rig.build('small.raw', { expandable: true, cloudInit: [MINE] });
  });

  test('has no more than it begins with', async () => {
    expect([...(await tableOf(disk)).keys()]).toEqual(['efi', 'oem', 'recovery']);
    expect(statSync(disk).size).toBeLessThan(1 << 30);
  });

  test('its menu is on the recovery partition, and leads to the first boot', async () => {
    const menu = await catGrub(disk, 3, '/grub2/grub.cfg');
    expect(menu.endsWith('# menu\n')).toBe(true);
    const file = rig.at('menu.cfg');
    writeFileSync(file, menu);
    await runChecked(['grub-script-check', file]);
    const block = await catGrub(disk, 3, '/grub_oem_env');
    expect(block).toContain('extra_recovery_cmdline=holdfast.firstboot');
    expect(block).toContain('saved_entry=recovery');
    expect(await catGrub(disk, 2, '/grubenv')).toContain('next_entry=recovery');
  });

  test('its stage file is one that is valid and deploys', async () => {
    const text = await catExt(disk, 'oem', `/${FIRST_BOOT_FILE}`);
    const { parseCloudConfig } = await import('../../../src/cloudconfig/document.ts');
    const { problems } = parseCloudConfig(text, FIRST_BOOT_FILE);
    expect(problems).toEqual([]);
    expect(text).toContain('holdfast deploy --force --reboot');
  });

  test('another builder gets the same bytes', async () => {
    await rig.build('small-again.raw', { expandable: true, cloudInit: [MINE] });
    await runChecked(['cmp', disk, rig.at('small-again.raw')]);
  });

  test('another content gets other numbers', async () => {
    await rig.build('other.raw', { expandable: true, cloudInit: [{ ...MINE, text: `${MINE.text}# more\n` }] });
    const [one, other] = [await tableOf(disk), await tableOf(rig.at('other.raw'))];
    expect(other.get('recovery')?.uuid).not.toBe(one.get('recovery')?.uuid);
  });
});

describe('what can’t be', () => {
  test('an output that is there is left alone', async () => {
    writeFileSync(rig.at('there.raw'), 'mine');
    await expect(rig.build('there.raw')).rejects.toMatchObject({ code: 'HF-TARGET', exitStatus: 25 });
    expect(readFileSync(rig.at('there.raw'), 'utf8')).toBe('mine');
  });

  test('a size that is too small names the one that is needed, and nothing is left', async () => {
    await expect(rig.build('tiny.raw', { sizeBytes: 1 << 30 })).rejects.toMatchObject({
      code: 'HF-TARGET',
      hint: expect.stringMatching(/--size \d+M/),
    });
    expect(existsSync(rig.at('tiny.raw'))).toBe(false);
    expect(await settledTraces()).toEqual(before);
  });

  test('a hook in the system that fails keeps the disk from being made', async () => {
    const text = 'stages:\n  after-disk-chroot:\n    - commands: ["echo no >&2; exit 3"]\n';
    await expect(rig.build('hook.raw', { cloudInit: [{ name: 'hook.yaml', text }] })).rejects.toMatchObject({
      code: 'HF-HOOK',
      exitStatus: 81,
    });
    expect(existsSync(rig.at('hook.raw'))).toBe(false);
  });

  test('a hook in the system changes what is on the disk', async () => {
    const text = 'stages:\n  after-disk-chroot:\n    - commands: ["echo hooked > /etc/hooked"]\n';
    await rig.build('hooked.raw', { expandable: true, cloudInit: [{ name: 'hook.yaml', text }] });
    const slot = rig.at('hooked.img');
    await askExt(rig.at('hooked.raw'), 'recovery', `dump /cOS/recovery.img ${slot}`);
    expect(await runChecked(['debugfs', '-R', 'cat /etc/hooked', slot])).toBe('hooked\n');
  });
});
