// Views without device-mapper, on real file systems: a base on a reflink XFS and on ext4 is cloned, mounted and changed;
// its COW, and the flat image of base and COW, must be the same file system again, and e2fsck must like it.

import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { changedChunks, createCowFromDifference } from '../../../src/overlay/difference.ts';
import { findUnshared } from '../../../src/overlay/extents.ts';
import { fingerprintOf, readFingerprint } from '../../../src/overlay/fingerprint.ts';
import { writeFlatImage } from '../../../src/overlay/flat-image.ts';
import { fullCoverBytes, MIB } from '../../../src/overlay/sizes.ts';
import { cloneSlotFile, createSlotFile, labelSlotFile } from '../../../src/slots/slot-file.ts';
import { attachLoop } from '../../../src/system/loopdevices.ts';
import { mount, unmount } from '../../../src/system/mounts.ts';
import { UndoStack } from '../../../src/system/plan.ts';
import { runChecked } from '../../../src/system/process.ts';

const undo = new UndoStack();
const directory = mkdtempSync('/var/tmp/holdfast-flat-');
const BASE_BYTES = 48 * MIB;

beforeAll(async () => {
  const disk = join(directory, 'xfs.img');
  writeFileSync(disk, '');
  truncateSync(disk, 400 * MIB);
  await runChecked(['mkfs.xfs', '-q', '-m', 'reflink=1', disk]);
  const { device } = await attachLoop(undo, disk);
  await mount(device, join(directory, 'xfs'));
  undo.always('unmount', () => unmount(join(directory, 'xfs')));
  mkdirSync(join(directory, 'ext4'));
});
afterAll(async () => {
  expect(await undo.unwind(false)).toEqual([]);
  rmSync(directory, { recursive: true, force: true });
});

/** Mounts an image file and lets `change` work in it. */
async function inside(image: string, change: (root: string) => void, options: string[] = []): Promise<void> {
  const root = join(directory, 'root');
  const own = new UndoStack();
  const { device } = await attachLoop(own, image, { readOnly: options.includes('ro') });
  await mount(device, root, { options });
  try {
    change(root);
  } finally {
    await unmount(root);
    expect(await own.unwind(false)).toEqual([]);
  }
}

/** A base with files in it, as a slot file is made. */
async function makeBase(file: string): Promise<void> {
  rmSync(file, { force: true });
  await createSlotFile(file, { sizeBytes: BASE_BYTES, label: 'COS_ACTIVE' });
  await inside(file, (root) => {
    mkdirSync(join(root, 'etc'));
    for (let index = 0; index < 40; index++)
      writeFileSync(join(root, 'etc', `file-${index}`), `${index}\n`.repeat(3000));
    writeFileSync(join(root, 'large'), Buffer.alloc(4 * MIB, 'base'));
  });
}

describe.each(['xfs', 'ext4'])('on %s', (where) => {
  const at = (name: string) => join(directory, where, name);

  test('a changed clone becomes a COW, and COW and base become the same image again', async () => {
    await makeBase(at('base.img'));
    const before = execFileSync('sha256sum', [at('base.img')], { encoding: 'utf8' });
    const { cloned } = await cloneSlotFile(at('base.img'), at('work.img'));
    expect(cloned).toBe(where === 'xfs');
    await inside(at('work.img'), (root) => {
      writeFileSync(join(root, 'etc/file-7'), 'changed\n');
      chmodSync(join(root, 'etc/file-8'), 0o4755);
      rmSync(join(root, 'etc/file-9'));
      writeFileSync(join(root, 'new'), Buffer.alloc(3 * MIB, 'new'));
      execFileSync(
        'dd',
        ['if=/dev/urandom', `of=${join(root, 'large')}`, 'bs=4k', 'seek=100', 'count=9', 'conv=notrunc'],
        {
          stdio: 'ignore',
        },
      );
    });
    const { chunks } = await createCowFromDifference({
      base: at('base.img'),
      modified: at('work.img'),
      to: at('cow'),
      sizeFor: () => fullCoverBytes(BASE_BYTES),
    });
    // 3 MiB, 9 blocks, and some of the file system's own.
    expect(chunks).toBeGreaterThan(768 + 9);
    expect(chunks).toBeLessThan(768 + 9 + 60);
    await writeFlatImage({ base: at('base.img'), cow: at('cow'), to: at('flat.img') });
    await runChecked(['cmp', at('work.img'), at('flat.img')]);
    await runChecked(['e2fsck', '-f', '-n', at('flat.img')]);
    await inside(
      at('flat.img'),
      (root) => {
        expect(readFileSync(join(root, 'etc/file-7'), 'utf8')).toBe('changed\n');
        expect(statSync(join(root, 'etc/file-8')).mode & 0o7777).toBe(0o4755);
        expect(statSync(join(root, 'etc/file-9'), { throwIfNoEntry: false })).toBeUndefined();
        expect(readFileSync(join(root, 'etc/file-10'), 'utf8')).toBe('10\n'.repeat(3000));
      },
      ['ro'],
    );
    expect(execFileSync('sha256sum', [at('base.img')], { encoding: 'utf8' })).toBe(before);
  });

  test('only what a clone no longer shares is read', async () => {
    const ranges = await findUnshared(at('base.img'), at('work.img'));
    if (where === 'ext4') {
      // Two files of its own share nothing: all that either has is compared.
      expect(ranges?.length).toBeGreaterThan(0);
      return;
    }
    const unshared = (ranges ?? []).reduce((sum, { from, to }) => sum + to - from, 0);
    expect(unshared).toBeGreaterThan(3 * MIB);
    expect(unshared).toBeLessThan(9 * MIB);
    // The same answer as from comparing every byte.
    await runChecked(['cp', '--reflink=never', at('work.img'), join(directory, 'ext4', 'copy.img')]);
    expect(await changedChunks({ base: at('base.img'), modified: join(directory, 'ext4', 'copy.img') })).toEqual(
      await changedChunks({ base: at('base.img'), modified: at('work.img') }),
    );
  });
});

describe('the fingerprint', () => {
  const base = () => join(directory, 'ext4', 'fp.img');

  test('stays with the label and with a read-only mount, and goes with a writable one', async () => {
    await makeBase(base());
    const fingerprint = readFingerprint(base());
    expect(fingerprint).toMatch(/^[0-9a-f]{64}$/);
    await labelSlotFile(base(), 'COS_PASSIVE');
    expect(readFingerprint(base())).toBe(fingerprint);
    await inside(base(), () => {}, ['ro']);
    expect(readFingerprint(base())).toBe(fingerprint);
    await inside(base(), () => {});
    expect(readFingerprint(base())).not.toBe(fingerprint);
  });

  test('is the same for the file and for a loop device over it', async () => {
    const own = new UndoStack();
    const { device } = await attachLoop(own, base(), { readOnly: true });
    expect(readFingerprint(device)).toBe(readFingerprint(base()));
    expect(await own.unwind(false)).toEqual([]);
  });

  test.each(['ext2', 'ext3', 'ext4'])(
    'is another for a new UUID, another size and after a repair: %s',
    async (type) => {
      rmSync(base(), { force: true });
      writeFileSync(base(), '');
      truncateSync(base(), 16 * MIB);
      await runChecked([`mkfs.${type}`, '-q', '-F', base()]);
      // Made long ago: the superblock counts in seconds.
      await runChecked(['debugfs', '-w', '-R', 'set_super_value lastcheck 20200101', base()]);
      const seen = new Set<string>();
      const look = () => seen.add(readFingerprint(base()));
      look();
      await runChecked(['tune2fs', '-L', 'OTHER', base()]);
      look();
      expect(seen.size).toBe(1);
      await runChecked(['tune2fs', '-f', '-U', 'random', base()]);
      look();
      truncateSync(base(), 17 * MIB);
      look();
      // Repairs count as checks, and the superblock says when the last one was.
      await runChecked(['debugfs', '-w', '-R', 'set_super_value free_blocks_count 1', base()]);
      execFileSync('sh', ['-c', 'e2fsck -f -y "$1" >/dev/null || test $? -lt 4', 'sh', base()]);
      look();
      expect(seen.size).toBe(4);
    },
  );

  test('there is none for anything but an ext file system', async () => {
    expect(() => readFingerprint(join(directory, 'xfs.img'))).toThrow('holds no ext file system');
    writeFileSync(base(), 'short');
    expect(() => readFingerprint(base())).toThrow('holds no ext file system');
    expect(fingerprintOf(Buffer.alloc(1024), 1 << 20)).toBeUndefined();
  });
});
