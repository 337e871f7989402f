// The tools for overlay files, as typed, on a disk of their own that isn't mounted: made, filled, looked at, damaged and
// repaired, compacted, exported, adopted, grown in use, dropped. What they refuse leaves every byte as it was.

import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  closeSync,
  copyFileSync,
  existsSync,
  linkSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest';
import { runCli } from '../../../src/cli/program.ts';
import { readBinding } from '../../../src/overlay/binding.ts';
import { withFile } from '../../../src/overlay/byte-file.ts';
import { createBlankCow } from '../../../src/overlay/cow-create.ts';
import { CHUNK_BYTES } from '../../../src/overlay/cow-geometry.ts';
import { readCow } from '../../../src/overlay/cow-read.ts';
import { writeCow } from '../../../src/overlay/cow-write.ts';
import { changedChunks, createCowFromDifference } from '../../../src/overlay/difference.ts';
import { readFingerprint, shortFingerprint } from '../../../src/overlay/fingerprint.ts';
import { writeFlatImage } from '../../../src/overlay/flat-image.ts';
import { growCow } from '../../../src/overlay/grow.ts';
import { sidecarFile, triesFile } from '../../../src/overlay/names.ts';
import { stableArgument } from '../../../src/overlay/set-place.ts';
import { fullCoverBytes, MIB } from '../../../src/overlay/sizes.ts';
import { createSlotFile, labelSlotFile } from '../../../src/slots/slot-file.ts';
import { attachLoop } from '../../../src/system/loopdevices.ts';
import { mount, mountAt, unmount } from '../../../src/system/mounts.ts';
import { UndoStack } from '../../../src/system/plan.ts';
import { runChecked } from '../../../src/system/process.ts';

const BASE_BYTES = 24 * MIB;
const undo = new UndoStack();
const directory = mkdtempSync('/var/tmp/holdfast-tools-');
const at = (name: string) => join(directory, name);
const [base, modified, disk] = [at('base.img'), at('modified.img'), at('disk')];
/** The disk of the overlay, and its set as on a kernel command line. */
let device: string;
let set: string;
/** The COW's name on the disk. */
let name: string;

beforeAll(async () => {
  await createSlotFile(base, { sizeBytes: BASE_BYTES, label: 'COS_ACTIVE' });
  await inside(base, (root) => {
    for (let index = 0; index < 20; index++) writeFileSync(join(root, `file-${index}`), `${index}\n`.repeat(2000));
  });
  copyFileSync(base, modified);
  await inside(modified, (root) => {
    writeFileSync(join(root, 'file-3'), 'changed');
    writeFileSync(join(root, 'new'), Buffer.alloc(2 * MIB, 'new'));
    rmSync(join(root, 'file-4'));
  });
  writeFileSync(at('disk.img'), '');
  truncateSync(at('disk.img'), 400 * MIB);
  await runChecked(['mkfs.ext4', '-q', '-F', '-m', '0', at('disk.img')]);
  ({ device } = await attachLoop(undo, at('disk.img')));
  set = `${device}:/persist.img`;
  name = `persist.img.${shortFingerprint(readFingerprint(base))}`;
});
afterAll(async () => {
  expect(await undo.unwind(false)).toEqual([]);
  rmSync(directory, { recursive: true, force: true });
});

let text = '';
beforeEach(() => {
  text = '';
  const keep = (chunk: string | Uint8Array) => {
    text += String(chunk);
    return true;
  };
  vi.spyOn(process.stdout, 'write').mockImplementation(keep);
  vi.spyOn(process.stderr, 'write').mockImplementation(keep);
});
afterEach(async () => {
  vi.restoreAllMocks();
  // Whatever a command mounted is gone when it ends, and the place where it was.
  expect(mountAt(`/run/holdfast/overlay-${process.pid}`)).toBeUndefined();
  expect(existsSync(`/run/holdfast/overlay-${process.pid}`)).toBe(false);
});

/** Runs `holdfast overlay …` with this base. */
async function overlay(...args: string[]): Promise<number> {
  text = '';
  return await runCli(['overlay', ...args]);
}
const own = (...args: string[]) => overlay(...args, '--base', base);

async function inside(image: string, change: (root: string) => void): Promise<void> {
  const mine = new UndoStack();
  const loop = await attachLoop(mine, image);
  await mount(loop.device, at('root'));
  try {
    change(at('root'));
  } finally {
    await unmount(at('root'));
    expect(await mine.unwind(false)).toEqual([]);
  }
}

/** The disk as another machine would see it. */
async function onDisk<T>(work: (root: string) => Promise<T> | T): Promise<T> {
  await mount(device, disk);
  try {
    return await work(disk);
  } finally {
    await unmount(disk);
  }
}

/** A COW that holds the changes, ready for use. */
async function fill(): Promise<void> {
  await onDisk(async (root) => {
    for (const each of readdirSync(root)) if (each.startsWith('persist')) rmSync(join(root, each), { recursive: true });
  });
  expect(await own('create', set, '--quiet')).toBe(0);
  await onDisk(async (root) => {
    rmSync(join(root, name));
    await createCowFromDifference({ base, modified, to: join(root, name), sizeFor: () => fullCoverBytes(BASE_BYTES) });
  });
}

function patch(file: string, bytes: Uint8Array, position: number): void {
  const fd = openSync(file, 'r+');
  writeSync(fd, bytes, 0, bytes.length, position);
  closeSync(fd);
}

const digest = (file: string) => execFileSync('sha256sum', [file], { encoding: 'utf8' }).slice(0, 64);

describe('create', () => {
  test('makes a full cover, allocated, for root alone, bound to its system', async () => {
    expect(await own('create', set)).toBe(0);
    expect(text).toContain('which can’t overflow');
    expect(text).toContain(`rd.live.overlay=${set}`);
    await onDisk((root) => {
      const stat = statSync(join(root, name));
      expect(stat).toMatchObject({ size: fullCoverBytes(BASE_BYTES), mode: 0o100600, uid: 0 });
      expect(stat.blocks * 512).toBeGreaterThanOrEqual(stat.size);
      expect(readBinding(sidecarFile(join(root, name)))).toMatchObject({
        fingerprint: readFingerprint(base),
        baseSizeBytes: BASE_BYTES,
        state: 'ready',
        filesystem: 'ext4',
      });
      expect(readdirSync(root).sort()).toEqual(['lost+found', name, `${name}.bind`]);
    });
    expect(await own('create', set)).not.toBe(0);
    expect(text).toContain('is there already');
  });

  test('a dry run says all of it and writes nothing', async () => {
    const other = `${device}:/other.img`;
    expect(await own('create', other, '--dry-run')).toBe(0);
    expect(text).toContain('nothing was changed');
    await onDisk((root) => expect(readdirSync(root)).not.toContain('other.img'));
  });

  test('a bad size is mended, and a small one said', async () => {
    expect(await own('create', `${device}:/bad.img`, '--size', '17272K', '--json')).toBe(0);
    // 17272 KiB would be 4318 blocks; 4318 = 16 · 257 + 206. The bad one is 16 · 257 + 1.
    expect(await own('create', `${device}:/bad2.img`, '--size', `${(16 * 257 + 1) * 4}k`)).toBe(0);
    expect(text).toContain('the overlay can run full');
    await onDisk((root) => {
      const bad = readdirSync(root).find((each) => /^bad2\.img\.[0-9a-f]{16}$/.test(each)) ?? '';
      expect(statSync(join(root, bad)).size).toBe((16 * 257 + 2) * CHUNK_BYTES);
      for (const each of readdirSync(root)) if (each.startsWith('bad')) rmSync(join(root, each));
    });
  });

  test.each([
    [['--size', '2T'], 'is no room|can’t|are needed'],
    [['--size', '300 M'], 'is no size'],
    [['--size', '1M'], 'too few'],
  ])('%j is refused, and leaves nothing', async (flags, words) => {
    expect(await overlay('create', `${device}:/x.img`, '--base', 'none', ...flags)).not.toBe(0);
    expect(text).toMatch(new RegExp(words));
    await onDisk((root) => expect(readdirSync(root).filter((each) => each.startsWith('x.img'))).toEqual([]));
  });

  test('a blank file that the first boot binds', async () => {
    expect(await overlay('create', `${device}:/seed.img`, '--base', 'none', '--size', '10M')).toBe(0);
    await onDisk(async (root) => {
      expect(await readCow(join(root, 'seed.img'))).toMatchObject({ blank: true });
      expect(existsSync(join(root, 'seed.img.bind'))).toBe(false);
      rmSync(join(root, 'seed.img'));
    });
  });

  test.each([
    ['nodevice:/p', 'names no device'],
    ['/dev/nothing-there:/p', 'there is no device'],
    ['LABEL=NOBODY-HAS-THIS:/p', 'there is no device'],
    ['relative/path', 'names no device'],
    ['/dev/loop-x:p', 'neither an absolute path'],
  ])('the set %s is refused', async (bad, words) => {
    expect(await own('create', bad)).not.toBe(0);
    expect(text).toContain(words);
  });
});

describe('looking', () => {
  test('list and check of a healthy overlay', async () => {
    await fill();
    expect(await overlay('list', set)).toBe(0);
    expect(text).toContain('in use');
    expect(text).toContain('ready');
    expect(await own('check', set, '--full')).toBe(0);
    expect(text).toMatch(/ok\s+header\s+valid/);
    expect(text).toMatch(/ok\s+base\s+.*byte for byte/);
    expect(text).toMatch(/ok\s+filesystem\s+clean/);
    await onDisk((root) => expect(readdirSync(root).filter((each) => each.includes('holdfast'))).toEqual([]));
  });

  test('relabelling the base changes nothing', async () => {
    await fill();
    await labelSlotFile(base, 'COS_PASSIVE');
    try {
      expect(await own('check', set, '--full')).toBe(0);
      expect(text).toMatch(/ok\s+base\s/);
    } finally {
      await labelSlotFile(base, 'COS_ACTIVE');
    }
  });

  test('export is the view, and changes nothing on the disk', async () => {
    await fill();
    const before = await onDisk((root) => digest(join(root, name)));
    const image = at('export.img');
    expect(await own('export', set, '--output', image)).toBe(0);
    await runChecked(['cmp', image, modified]);
    expect(await own('export', set, '--output', image)).not.toBe(0);
    expect(text).toContain('is there already');
    expect(await onDisk((root) => digest(join(root, name)))).toBe(before);
    rmSync(image);
  });

  test.each<[string, (cow: string) => void, string]>([
    ['a garbage header', (cow) => patch(cow, Buffer.alloc(512, 'x'), 0), 'PROBLEM  header'],
    ['the invalid mark', (cow) => patch(cow, Buffer.alloc(4), 4), 'ran full'],
    ['a cut file', (cow) => truncateSync(cow, 100 * CHUNK_BYTES), 'the file has 100 chunks'],
    ['a chunk listed twice', (cow) => patch(cow, readFileSync(cow).subarray(4096, 4112), 4112), 'a second time'],
    ['no sidecar', (cow) => rmSync(sidecarFile(cow)), 'nothing says which system'],
    ['a sidecar of nonsense', (cow) => writeFileSync(sidecarFile(cow), 'format=9\n'), 'its format is "9"'],
    ['three failed boots', (cow) => writeFileSync(triesFile(cow), '3\n'), '3 boots with it'],
    ['readers', (cow) => chmodSync(cow, 0o644), 'mode 644'],
  ])('check says %s, and touches nothing', async (_, damage, words) => {
    await fill();
    const before = await onDisk((root) => {
      damage(join(root, name));
      return digest(join(root, name));
    });
    const status = await own('check', set);
    expect(text).toContain(words);
    expect(status).toBe(words.includes('mode') ? 0 : 1);
    expect(await onDisk((root) => digest(join(root, name)))).toBe(before);
  });

  test('a base that was written to is named', async () => {
    await fill();
    copyFileSync(base, at('kept.img'));
    try {
      await inside(base, () => {});
      expect(await overlay('check', `${set}`, '--base', base)).not.toBe(0);
      expect(text).toContain('has no file for');
      expect(await own('check', `${device}:/${name}`)).toBe(1);
      expect(text).toContain('rd.cos.debugrw');
    } finally {
      renameSync(at('kept.img'), base);
    }
  });
});

describe('repair', () => {
  /** The view must be the changed system again, up to what e2fsck writes. */
  async function repaired(): Promise<void> {
    expect(await own('repair', set)).toBe(0);
    await onDisk(async (root) => {
      const names = readdirSync(root).filter((each) => each.startsWith('persist'));
      expect(names.filter((each) => /\.aside-\d{8}T\d{6}Z$/.test(each)).length).toBe(1);
      expect(names.some((each) => each.endsWith('.new') || each.endsWith('.tries'))).toBe(false);
      expect(readBinding(sidecarFile(join(root, name)))).toMatchObject({ state: 'ready' });
      expect(await readCow(join(root, name), { baseBytes: BASE_BYTES })).toMatchObject({ valid: true });
    });
    const image = at('repaired.img');
    expect(await own('export', set, '--output', image)).toBe(0);
    await runChecked(['e2fsck', '-f', '-n', image]);
    await inside(image, (root) => {
      expect(readFileSync(join(root, 'file-3'), 'utf8')).toBe('changed');
      expect(existsSync(join(root, 'file-4'))).toBe(false);
      expect(readFileSync(join(root, 'file-5'), 'utf8')).toBe('5\n'.repeat(2000));
    });
    rmSync(image);
  }

  test.each<[string, (cow: string) => void]>([
    ['marked invalid', (cow) => patch(cow, Buffer.alloc(4), 4)],
    ['with a garbage header', (cow) => patch(cow, Buffer.alloc(512, 'x'), 0)],
    ['held back after three boots', (cow) => writeFileSync(triesFile(cow), '3\n')],
    [
      'quarantined',
      (cow) => {
        const text = readFileSync(sidecarFile(cow), 'utf8');
        writeFileSync(sidecarFile(cow), text.replace('state=ready', 'state=quarantined\nnote=e2fsck'));
      },
    ],
  ])('of one that is %s', async (_, damage) => {
    await fill();
    await onDisk((root) => damage(join(root, name)));
    await repaired();
  });

  test('leaves out entries that can’t be right, and says how many', async () => {
    await fill();
    await onDisk((root) => {
      // The last entry of the first area: somewhere in the new file.
      patch(join(root, name), Buffer.from([1, 0, 0, 0]), 4096 + 255 * 16 + 8);
    });
    await repaired();
    await onDisk((root) => {
      for (const each of readdirSync(root)) if (each.includes('.aside-')) rmSync(join(root, each));
    });
  });

  test('has nothing to save from noise', async () => {
    await fill();
    const before = await onDisk((root) => {
      execFileSync('dd', ['if=/dev/urandom', `of=${join(root, name)}`, 'bs=1M', 'count=3', 'conv=notrunc'], {
        stdio: 'ignore',
      });
      return digest(join(root, name));
    });
    expect(await own('repair', set)).not.toBe(0);
    expect(text).toMatch(/no change in it that can be right|can’t be repaired/);
    await onDisk((root) => {
      expect(digest(join(root, name))).toBe(before);
      expect(readdirSync(root).filter((each) => each.includes('.new') || each.startsWith('.holdfast'))).toEqual([]);
    });
  });
});

describe('what is not in order', () => {
  const state = (cow: string, word: string) => {
    const sidecar = sidecarFile(cow);
    writeFileSync(sidecar, readFileSync(sidecar, 'utf8').replace('state=ready', `state=${word}`));
  };
  test.each<[string, string, (cow: string) => void, string]>([
    ['compact', 'quarantined', (cow) => state(cow, 'quarantined'), 'overlay repair first'],
    ['compact', 'invalid', (cow) => patch(cow, Buffer.alloc(4), 4), 'overlay repair first'],
    ['compact', 'unfinished', (cow) => state(cow, 'building'), 'never finished'],
    ['repair', 'unfinished', (cow) => state(cow, 'building'), 'never finished'],
    ['adopt', 'unfinished', (cow) => state(cow, 'building'), 'never finished'],
  ])('%s of one that is %s is refused, and every byte stays', async (command, _, damage, words) => {
    await fill();
    const before = await onDisk((root) => {
      damage(join(root, name));
      return digest(join(root, name)) + readFileSync(sidecarFile(join(root, name)), 'utf8');
    });
    expect(await own(command, set)).not.toBe(0);
    expect(text).toContain(words);
    expect(await onDisk((root) => digest(join(root, name)) + readFileSync(sidecarFile(join(root, name)), 'utf8'))).toBe(
      before,
    );
  });

  test('damaged and without a sidecar: adopted by force it is held back, and a repair makes it ready', async () => {
    await fill();
    await onDisk((root) => {
      patch(join(root, name), Buffer.alloc(4), 4);
      rmSync(sidecarFile(join(root, name)));
    });
    expect(await own('repair', set)).not.toBe(0);
    expect(await own('adopt', set)).not.toBe(0);
    expect(text).toContain('--force');
    expect(await own('adopt', set, '--force')).toBe(0);
    await onDisk((root) => expect(readBinding(sidecarFile(join(root, name)))).toMatchObject({ state: 'quarantined' }));
    expect(await own('repair', set)).toBe(0);
    await onDisk((root) => expect(readBinding(sidecarFile(join(root, name)))).toMatchObject({ state: 'ready' }));
    expect(await own('check', set, '--full')).toBe(0);
  });
});

describe('two at once', () => {
  test('of two that make the same file one does, and what it made is whole', async () => {
    await onDisk(async (root) => {
      const both = ['one', 'two'].map(() => own('create', join(root, 'twice.img'), '--quiet'));
      const statuses = await Promise.all(both);
      expect(statuses.filter((status) => status === 0).length).toBe(1);
      const made = readdirSync(root)
        .filter((each) => each.startsWith('twice'))
        .sort();
      const cow = name.replace('persist', 'twice');
      expect(made).toEqual([cow, `${cow}.bind`]);
      expect(statSync(join(root, cow)).size).toBe(fullCoverBytes(BASE_BYTES));
      for (const each of made) rmSync(join(root, each));
    });
  });

  test('a growth that is broken off takes nothing from another', async () => {
    await onDisk(async (root) => {
      const cow = join(root, 'grow.img');
      await createBlankCow(cow, 8 * MIB);
      const stop = new AbortController();
      stop.abort();
      const [first, second] = await Promise.allSettled([
        growCow(cow, 40 * MIB, { signal: stop.signal }),
        growCow(cow, 20 * MIB),
      ]);
      expect(first.status).toBe('rejected');
      expect(second).toMatchObject({ status: 'fulfilled', value: { sizeBytes: 20 * MIB } });
      expect(statSync(cow).size).toBe(20 * MIB);
      rmSync(cow);
    });
  });
});

test('a directory on the disk that is a link leads nowhere', async () => {
  await onDisk((root) => symlinkSync('/etc', join(root, 'way')));
  for (const command of ['create', 'grow', 'check', 'drop']) {
    expect(await own(command, `${device}:/way/x.img`)).not.toBe(0);
    expect(text).toContain('way is no directory on the disk');
  }
  await onDisk((root) => rmSync(join(root, 'way')));
  expect(readdirSync('/etc').filter((each) => each.startsWith('x.img'))).toEqual([]);
});

test('an image of the view is for root alone, and never one of its own sources', async () => {
  await fill();
  const image = at('secret.img');
  expect(await own('export', set, '--output', image)).toBe(0);
  expect(statSync(image).mode & 0o777).toBe(0o600);
  linkSync(base, at('again.img'));
  await onDisk(async (root) => {
    await expect(writeFlatImage({ base, cow: join(root, name), to: at('again.img') })).rejects.toThrow(
      'is the same file',
    );
  });
  expect(existsSync(base)).toBe(true);
  rmSync(at('again.img'));
  rmSync(image);
});

describe('compact', () => {
  test('drops what is as in the base, and the view stays the same', async () => {
    await fill();
    const wasteful = await changedChunks({ base, modified });
    await onDisk(async (root) => {
      rmSync(join(root, name));
      await createBlankCow(join(root, name), fullCoverBytes(BASE_BYTES));
      // Every chunk of the view, changed or not.
      const all = Array.from({ length: BASE_BYTES / CHUNK_BYTES }, (_, chunk) => chunk);
      await withFile(join(root, name), 'write', (cow) =>
        withFile(modified, 'read', (source) =>
          writeCow(cow, all, (buffer, first) => void source.readSome(buffer, first * CHUNK_BYTES)),
        ),
      );
    });
    expect(await own('compact', set, '--size', '16M')).toBe(0);
    await onDisk(async (root) => {
      expect(await readCow(join(root, name), { baseBytes: BASE_BYTES })).toMatchObject({ count: wasteful.length });
      expect(statSync(join(root, name)).size).toBe(16 * MIB);
    });
    const image = at('compact.img');
    expect(await own('export', set, '--output', image)).toBe(0);
    await runChecked(['cmp', image, modified]);
    rmSync(image);
  });
});

describe('adopt', () => {
  test('binds a file that lost its sidecar, when it fits', async () => {
    await fill();
    await onDisk((root) => rmSync(sidecarFile(join(root, name))));
    expect(await own('adopt', set, '--dry-run')).toBe(0);
    await onDisk((root) => expect(existsSync(sidecarFile(join(root, name)))).toBe(false));
    expect(await own('adopt', set)).toBe(0);
    await onDisk((root) => expect(readBinding(sidecarFile(join(root, name)))).toMatchObject({ state: 'ready' }));
  });

  test('refuses a file of another system, which would mount without a word', async () => {
    await fill();
    const other = at('other-base.img');
    await createSlotFile(other, { sizeBytes: BASE_BYTES, label: 'COS_ACTIVE' });
    await inside(other, (root) => writeFileSync(join(root, 'other'), Buffer.alloc(MIB, 'other')));
    await onDisk((root) => renameSync(join(root, name), join(root, 'foreign.img')));
    expect(await overlay('adopt', `${device}:/foreign.img`, '--base', other)).not.toBe(0);
    expect(text).toContain('made over another file system');
    expect(await overlay('adopt', `${device}:/foreign.img`, '--base', other, '--force')).toBe(0);
    await onDisk((root) => {
      for (const left of ['foreign.img', 'foreign.img.bind']) rmSync(join(root, left));
    });
  });
});

describe('in use', () => {
  test('it grows, and nothing else touches it', async () => {
    await fill();
    await mount(device, disk);
    const mine = new UndoStack();
    try {
      const loop = await attachLoop(mine, join(disk, name));
      const sizeOf = async () => Number(await runChecked(['blockdev', '--getsize64', loop.device]));
      expect(await sizeOf()).toBe(fullCoverBytes(BASE_BYTES));
      truncateSync(join(disk, name), 16 * MIB);
      await runChecked(['losetup', '--set-capacity', loop.device]);
      expect(await sizeOf()).toBe(16 * MIB);
      expect(await own('grow', set, '--size', '+4M')).toBe(0);
      expect(await sizeOf()).toBe(20 * MIB);
      expect(statSync(join(disk, name)).blocks * 512).toBeGreaterThanOrEqual(20 * MIB);
      expect(await own('grow', set)).toBe(0);
      expect(await sizeOf()).toBe(fullCoverBytes(BASE_BYTES));
      for (const command of [['compact'], ['repair'], ['drop', '--yes']]) {
        expect(await own(...command, set)).toBe(92);
        expect(text).toContain('is in use');
      }
      expect(existsSync(join(disk, name))).toBe(true);
    } finally {
      expect(await mine.unwind(false)).toEqual([]);
      await unmount(disk);
    }
  });

  test('it never gets smaller', async () => {
    await fill();
    expect(await own('grow', set, '--size', '8M')).not.toBe(0);
    expect(text).toContain('can’t be made smaller in place');
  });
});

describe('drop', () => {
  test('asks first, then takes the file and what belongs to it', async () => {
    await fill();
    await onDisk((root) => {
      writeFileSync(triesFile(join(root, name)), '1\n');
      writeFileSync(join(root, 'persist.image'), 'of somebody else');
      writeFileSync(join(root, 'persist.img.0123456789abcdef'), 'of another system');
    });
    expect(await own('drop', set)).not.toBe(0);
    expect(text).toContain('--yes');
    expect(await own('drop', set, '--dry-run')).toBe(0);
    expect(await overlay('drop', set, '--yes')).not.toBe(0);
    expect(text).toContain('which of the set');
    await onDisk((root) => expect(existsSync(join(root, name))).toBe(true));
    expect(await own('drop', set, '--erase', '--yes')).toBe(0);
    await onDisk((root) => {
      const left = readdirSync(root).filter((each) => each.startsWith('persist'));
      expect(left.sort()).toEqual(['persist.image', 'persist.img.0123456789abcdef']);
    });
    expect(await overlay('drop', set, '--all', '--yes')).toBe(0);
    await onDisk((root) =>
      expect(readdirSync(root).filter((each) => each.startsWith('persist'))).toEqual(['persist.image']),
    );
    expect(await overlay('drop', set, '--all', '--yes')).not.toBe(0);
  });
});

test('an argument for boots to come names a disk by what stays', async () => {
  const uuid = (await runChecked(['blkid', '-p', '-s', 'UUID', '-o', 'value', device])).trim();
  expect(await stableArgument(set)).toBe(`UUID=${uuid}:/persist.img`);
  for (const other of ['LABEL=KEEP:/p', '/dev/disk/by-path/pci-0000:00:04.0:/p', '/dev/nothing:/p']) {
    expect(await stableArgument(other)).toBe(other);
  }
});

test('commands for changes need to be told a set that there is', async () => {
  for (const command of ['grow', 'check', 'repair', 'compact']) {
    expect(await own(command, `${device}:/nothing.img`)).not.toBe(0);
    expect(text).toContain('has no file for');
  }
});

test('the state partition is looked at beside the set’s disk, and neither keeps anything of it', async () => {
  await fill();
  const state = at('state.img');
  writeFileSync(state, '');
  truncateSync(state, 64 * MIB);
  await runChecked(['mkfs.ext4', '-q', '-F', '-L', 'COS_STATE', state]);
  const mine = new UndoStack();
  try {
    const loop = await attachLoop(mine, state);
    await mount(loop.device, at('root'));
    mkdirSync(join(at('root'), 'cOS'));
    copyFileSync(base, join(at('root'), 'cOS/active.img'));
    await unmount(at('root'));
    // Without --base: the base is found on the partition.
    expect(await overlay('check', set, '--full')).toBe(0);
    await onDisk((root) => expect(readdirSync(root).sort()).toEqual(['lost+found', name, `${name}.bind`]));
    expect(readdirSync('/run/holdfast').filter((each) => each.endsWith(`-${process.pid}`))).toEqual([]);
  } finally {
    expect(await mine.unwind(false)).toEqual([]);
    rmSync(state);
  }
});
