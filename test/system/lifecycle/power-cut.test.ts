// The power goes between any two actions of an upgrade: the disk as it is at that instant is looked at twice, as GRUB
// reads it, which never replays a journal, and as Linux mounts it. In both views active and passive must be complete
// systems, and an upgrade that is done again afterwards must succeed.

import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { openImage } from '../../../src/image/image.ts';
import { parseImageSource } from '../../../src/image/reference.ts';
import { install } from '../../../src/lifecycle/apply-install.ts';
import { upgrade } from '../../../src/lifecycle/apply-upgrade.ts';
import { SLOT_FILES } from '../../../src/slots/names.ts';
import { run, runChecked } from '../../../src/system/process.ts';
import { DiskImage, slotText } from './disk-image.ts';
import { grubCopy } from './grub-view.ts';
import { BOOT_FILES, osRelease, TinyImages } from './tiny-image.ts';

const NOW = '2026-11-20T10:00:00.000Z';
const PARTITIONS = ['COS_STATE', 'COS_OEM', 'COS_PERSISTENT'];

let images: TinyImages;
let disk: DiskImage;
/** The disk before each action of the upgrade, and after the last. */
const instants: { before: string; file: string }[] = [];

beforeAll(async () => {
  images = new TinyImages();
  const base = { name: 'base', files: { ...BOOT_FILES, ...osRelease(1) } };
  await images.add('v1', [base]);
  await images.add('v2', [base, { name: 'second', files: osRelease(2) }]);
  disk = DiskImage.create(4096);
  const image = await openImage(parseImageSource(`oci-layout:${images.layout}:v1`));
  await install(
    { image, target: disk.file, strictness: 'chroot', force: false, cloudInit: [], bootEntry: false },
    { command: 'test', now: NOW },
  );
  await upgradeDisk(disk, async (before) => {
    const file = join(disk.directory, `instant-${instants.length}.img`);
    // What was handed to the disk so far; what the kernel still holds back is lost, as with a real power cut.
    await runChecked(['cp', '--sparse=always', disk.file, file]);
    instants.push({ before, file });
  });
});
afterAll(() => {
  images?.remove();
  disk?.remove();
});

function upgradeDisk(target: DiskImage, atInstant: (before: string) => Promise<void> = async () => {}) {
  return target.withPartitions(PARTITIONS, async () => {
    const image = await openImage(parseImageSource(`oci-layout:${images.layout}:v2`));
    let actions: readonly { kind: string }[] = [];
    const result = await upgrade(
      { image, strictness: 'chroot', force: false },
      {
        command: 'test',
        now: NOW,
        events: (event) => {
          if (event.type === 'plan-start') actions = event.actions;
        },
        beforeAction: (index) => atInstant(actions[index]?.kind ?? ''),
      },
    );
    await atInstant('the end');
    return result;
  });
}

test('the upgrade went through all its actions', () => {
  expect(instants.map(({ before }) => before)).toContain('activate');
  expect(instants.at(-1)?.before).toBe('the end');
  expect(instants.length).toBeGreaterThan(12);
});

test('GRUB finds two complete systems at every instant', async () => {
  const copy = join(disk.directory, 'as-grub-reads-it.img');
  // Until the switch nothing touches what GRUB reads; a few instants are read whole, which takes seconds each.
  const whole = ['open-state', 'activate', 'write-records', 'the end'];
  for (const { before, file } of instants.filter(({ before }) => whole.includes(before))) {
    for (const slot of ['active', 'passive'] as const) {
      grubCopy(file, SLOT_FILES[slot], copy);
      expect((await run(['e2fsck', '-fn', copy])).status, `${slot}, cut before ${before}`).toBe(0);
      const release = await runChecked(['debugfs', '-R', 'cat /etc/os-release', copy]);
      expect(release, `${slot}, cut before ${before}`).toMatch(/PRETTY_NAME="Tiny [12]"/);
      rmSync(copy);
    }
  }
});

test('Linux finds two complete systems at every instant, and the upgrade can be done again', async () => {
  for (const { before, file } of instants) {
    const cut = DiskImage.at(file);
    const seen = await cut.withMounted('COS_STATE', async (state) => {
      const names: string[] = [];
      for (const slot of ['active', 'passive'] as const) {
        expect(
          (await run(['e2fsck', '-fn', join(state, SLOT_FILES[slot])])).status,
          `${slot}, cut before ${before}`,
        ).toBe(0);
        names.push(/"(Tiny \d)"/.exec(await slotText(state, slot, '/etc/os-release'))?.[1] ?? '');
      }
      return names;
    });
    expect(seen[1], `passive, cut before ${before}`).toBe('Tiny 1');
    expect(['Tiny 1', 'Tiny 2'], `active, cut before ${before}`).toContain(seen[0]);
    const again = await upgradeDisk(cut);
    expect(['ok', 'up-to-date'], `again, cut before ${before}`).toContain(again.outcome);
    await cut.withMounted('COS_STATE', async (state) => {
      expect(await slotText(state, 'active', '/etc/os-release'), `again, cut before ${before}`).toContain('Tiny 2');
    });
    rmSync(file);
    cut.remove();
  }
});
