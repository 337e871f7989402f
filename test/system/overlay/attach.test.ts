// What `holdfast overlay attach` does in the initramfs with every kind of disk and file that can be there: used, or left alone
// with a reason. On real loop devices and file systems; the kernel's part is a stand-in (attach-rig.ts). About 20 seconds.

import { createHash } from 'node:crypto';
import {
  closeSync,
  ftruncateSync,
  mkdirSync,
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
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { readBinding } from '../../../src/overlay/binding.ts';
import { serialiseCowHeader } from '../../../src/overlay/cow-header.ts';
import { readFingerprint } from '../../../src/overlay/fingerprint.ts';
import { run, runChecked } from '../../../src/system/process.ts';
import { AttachRig } from './attach-rig.ts';

const LABEL = `HF-${process.pid}`;
let rig: AttachRig;
beforeEach(async () => {
  rig = await AttachRig.make(LABEL);
});
afterEach(() => rig.remove());

const at = (name: string) => `/run/initramfs/overlay/${name}`;
const digest = (file: string) => createHash('sha256').update(readFileSync(file)).digest('hex');

describe('a blank file', () => {
  test('is bound to the slot, gets a journal and becomes the root', async () => {
    await rig.putBlank('persist.img');
    const before = digest(rig.slot);
    const fp = readFingerprint(rig.slot);
    const result = await rig.attach(`rd.live.overlay=${rig.disk}:/persist.img`);
    expect(result).toMatchObject({
      status: 0,
      said: expect.stringContaining(`holdfast: the root overlay ${rig.disk}:/persist.img is in use`),
      link: '/dev/mapper/live-rw',
      tables: ['live-base: 0 65536 linear', 'live-rw: 0 65536 snapshot'].map((table) => expect.stringContaining(table)),
    });
    expect(result.tables[0]).toMatch(/active\.img +read-only$/);
    expect(result.tables[1]).toMatch(/active\.img PO 8$/);
    expect(result.overlay).toEqual({
      used: true,
      device: rig.disk,
      path: '/persist.img',
      source: rig.disk,
      file: at('persist.img'),
      fp,
      message: expect.stringContaining('can be read or written by others than root'),
      backing: '/run/initramfs/overlay',
      base: '/run/initramfs/base',
      readonly: false,
      permission: 'rw',
    });
    expect(result.features).toMatch(/has_journal[\s\S]*Errors behavior: +Remount read-only/);
    expect(digest(rig.slot)).toBe(before);
    await rig.onDisk((disk) => {
      expect(readBinding(join(disk, 'persist.img.bind'))).toMatchObject({ fingerprint: fp, state: 'ready' });
      expect(readFileSync(join(disk, 'persist.img.tries'), 'utf8')).toBe('1\n');
    });
  });

  test('is found by label, by its default name, and is used again', async () => {
    await rig.onDisk((disk) => {
      mkdirSync(join(disk, 'LiveOS'));
      // The state directory of this rig is no partition, so both names are empty.
      writeFileSync(join(disk, 'LiveOS/overlay--'), Buffer.alloc(12 << 20), { mode: 0o600 });
    });
    for (const words of [`rd.live.overlay=LABEL=${LABEL}`, `overlay=LABEL=${LABEL}:auto ro`]) {
      const { overlay, status } = await rig.attach(words);
      expect([status, overlay]).toMatchObject([
        0,
        { used: true, path: '/LiveOS/overlay--', file: at('LiveOS/overlay--') },
      ]);
      expect([overlay.message, overlay.permission]).toEqual([undefined, words.endsWith('ro') ? 'ro' : 'rw']);
    }
  });

  test('of 256 MiB, with holes, loses a chunk and gets its blocks', async () => {
    truncateSync(rig.diskFile, 400 << 20);
    await runChecked(['losetup', '--set-capacity', rig.disk]);
    await runChecked(['resize2fs', rig.disk]);
    await rig.onDisk((disk) => {
      writeFileSync(join(disk, 'p'), '');
      truncateSync(join(disk, 'p'), 256 << 20);
    });
    const { overlay } = await rig.attach(`rd.live.overlay=${rig.disk}:/p`);
    expect(overlay).toMatchObject({ used: true, message: expect.stringMatching(/cut by one chunk[\s\S]*has holes/) });
    await rig.onDisk((disk) => {
      const { size, blocks } = statSync(join(disk, 'p'));
      expect(size).toBe((256 << 20) - 4096);
      expect(blocks * 512).toBeGreaterThanOrEqual(size);
    });
  });

  test('whose first use was cut off begins anew', async () => {
    await rig.putBlank('p');
    await rig.attach(`rd.live.overlay=${rig.disk}:/p`);
    await rig.onDisk((disk) => {
      const text = readFileSync(join(disk, 'p.bind'), 'utf8').replace('state=ready', 'state=building');
      writeFileSync(join(disk, 'p.bind'), `${text}note=it is being made ready for its first use\n`);
    });
    expect((await rig.attach(`rd.live.overlay=${rig.disk}:/p`)).overlay.used).toBe(true);
    await rig.onDisk((disk) => expect(readBinding(join(disk, 'p.bind'))).toMatchObject({ state: 'ready' }));
  });
});

describe('arguments beside it', () => {
  test('readonly: the file keeps every byte, and the changes go to memory', async () => {
    await rig.putBlank('p');
    await rig.attach(`rd.live.overlay=${rig.disk}:/p`);
    const before = await rig.onDisk((disk) => digest(join(disk, 'p')));
    const { overlay, tables, status } = await rig.attach(`rd.live.overlay=${rig.disk}:/p rd.live.overlay.readonly`);
    expect([status, overlay]).toMatchObject([0, { used: true, readonly: true, permission: 'rw' }]);
    expect(tables[1]).toMatch(/^live-ro: 0 65536 snapshot .* P 8 read-only$/);
    expect(tables[2]).toMatch(/^live-rw: 0 65536 snapshot .*live-ro\.img PO 8$/);
    expect(await rig.onDisk((disk) => digest(join(disk, 'p')))).toBe(before);
  });

  test('reset: what is there is set aside, and a blank file takes over', async () => {
    await rig.putBlank('p');
    await rig.attach(`rd.live.overlay=${rig.disk}:/p`);
    const before = await rig.onDisk((disk) => digest(join(disk, 'p')));
    const { overlay } = await rig.attach(`rd.live.overlay=${rig.disk}:/p rd.live.overlay.reset`);
    const fp = readFingerprint(rig.slot);
    expect(overlay).toMatchObject({ used: true, file: at(`p.${fp.slice(0, 16)}`) });
    await rig.onDisk((disk) => {
      const aside = readdirSync(disk).filter((name) => /^p\.aside-\d+T\d+Z$/.test(name));
      expect(aside.map((name) => digest(join(disk, name)))).toEqual([before]);
      expect(readBinding(join(disk, `${aside[0]}.bind`))).toMatchObject({ fingerprint: fp, state: 'ready' });
    });
  });

  test('adopt: changes of unknown origin are taken for this slot’s', async () => {
    await rig.onDisk((disk) => {
      writeFileSync(join(disk, 'p'), Buffer.concat([serialiseCowHeader(), Buffer.alloc(12 << 20)]));
    });
    expect((await rig.attach(`rd.live.overlay=${rig.disk}:/p`)).overlay).toMatchObject({ reason: 'unbound' });
    const { overlay } = await rig.attach(`rd.live.overlay=${rig.disk}:/p rd.cos.rootoverlay.adopt`);
    expect(overlay).toMatchObject({ used: true, file: at('p') });
  });

  test.each([
    ['rd.cos.rootoverlay.require', 'file-missing', 4],
    ['rd.cos.rootoverlay.require=0', 'file-missing', 3],
    ['rd.cos.rootoverlay.mismatch=fail', 'file-missing', 3],
  ])('%s: %s ends with status %d', async (word, reason, status) => {
    const result = await rig.attach(`rd.live.overlay=${rig.disk}:/p ${word}`);
    expect([result.status, result.overlay.reason, result.link]).toEqual([status, reason, '']);
  });
});

/** What is on the disk, by name: a digest of each file. */
function files(disk: string): Record<string, string> {
  const entries = readdirSync(disk, { withFileTypes: true });
  return Object.fromEntries(
    entries.map((entry) => [entry.name, entry.isFile() ? digest(join(disk, entry.name)) : 'no file']),
  );
}

/** Prepares the disk, and says what is asked for and what must come of it. */
const REFUSED: [string, string, (disk: string) => void, RegExp][] = [
  ['/p', 'file-missing', () => {}, /:\/p does not exist/],
  ['/a/p', 'file-missing', () => {}, /there is no directory a/],
  ['p', 'bad-path', () => {}, /neither an absolute path/],
  ['/a/../p', 'bad-path', () => {}, /\.\./],
  ['/p', 'not-regular', (disk) => mkdirSync(join(disk, 'p')), /a directory/],
  ['/p', 'not-regular', (disk) => symlinkSync('/etc/passwd', join(disk, 'p')), /symbolic link/],
  ['/a/p', 'bad-path', (disk) => symlinkSync('/etc', join(disk, 'a')), /a is no directory/],
  ['/p', 'not-a-cow', (disk) => writeFileSync(join(disk, 'p'), Buffer.alloc(12 << 20, 'x')), /no COW/],
  ['/p', 'not-a-cow', (disk) => putExt4(join(disk, 'p')), /an ext file system/],
  ['/p', 'invalid', (disk) => putHeader(join(disk, 'p'), { valid: false }), /marked invalid by the kernel/],
  [
    '/p',
    'truncated',
    (disk) => putHeader(join(disk, 'p'), { entry: [5n, 100_000n] }),
    /chunk 100000, and the file has/,
  ],
  ['/p', 'not-a-cow', (disk) => putHeader(join(disk, 'p'), { entry: [5n, 258n] }), /chunk 258, which is a list/],
  [
    '/p',
    'mismatch',
    (disk) => putHeader(join(disk, 'p'), { fp: 'ab'.repeat(32) }),
    /belongs to the system abababababababab/,
  ],
  ['/p', 'quarantined', (disk) => putHeader(join(disk, 'p'), { state: 'quarantined' }), /marked quarantined/],
  ['/p', 'too-many-tries', (disk) => putHeader(join(disk, 'p'), { tries: 3 }), /3 boots/],
];

describe('what can’t be used is left as it is', () => {
  test.each(REFUSED)('%s: %s', async (path, reason, prepare, message) => {
    await rig.onDisk(prepare);
    const before = await rig.onDisk(files);
    const result = await rig.attach(`rd.live.overlay=${rig.disk}:${path}`);
    expect(result).toMatchObject({ status: 3, link: '', tables: [], overlay: { used: false, reason } });
    expect(result.overlay.message).toMatch(message);
    expect(result.said).toContain(`holdfast: the root overlay is not used (${reason}): ${result.overlay.message}`);
    expect(result.mounts).toEqual(['/run/initramfs/cos-state']);
    expect(await rig.onDisk(files)).toEqual(before);
  });

  test('a COW for another slot, which the owner forbids to boot without', async () => {
    await rig.onDisk((disk) => putHeader(join(disk, 'p'), { fp: 'ab'.repeat(32) }));
    const result = await rig.attach(`rd.live.overlay=${rig.disk}:/p rd.cos.rootoverlay.mismatch=fail`);
    expect(result).toMatchObject({ status: 4, overlay: { reason: 'mismatch' } });
  });

  test('a base that was written to is another base, and the message names the cause', async () => {
    await rig.putBlank('p');
    await rig.attach(`rd.live.overlay=${rig.disk}:/p`);
    await runChecked(['debugfs', '-w', '-R', 'ssv mnt_count 7', rig.slot]);
    const { overlay } = await rig.attach(`rd.live.overlay=${rig.disk}:/p`);
    expect(overlay).toMatchObject({ reason: 'mismatch', message: expect.stringContaining('rd.cos.debugrw') });
  });

  test('a disk that isn’t there, is waited for as long as it is said', async () => {
    const result = await rig.attach('rd.live.overlay=LABEL=NOWHERE-7:/p rd.cos.rootoverlay.wait=1');
    expect(result).toMatchObject({ status: 3, overlay: { reason: 'device-missing' } });
    expect(result.said).toContain('waiting up to 1 s for the overlay’s disk');
  });

  test('the partition with the system images', async () => {
    await rig.putBlank('p');
    const result = await rig.attach(`rd.live.overlay=${rig.disk}:/p`, {
      before: `umount /run/initramfs/cos-state; mount '${rig.disk}' /run/initramfs/cos-state;
        ln -sfn '${rig.slot}' /run/holdfast/slot.img`,
    });
    expect(result.overlay.reason).toBe('state-partition');
  });

  test.each([
    ['unmountable', 'no file system', () => runChecked(['dd', 'if=/dev/zero', `of=${rig.disk}`, 'bs=1M', 'count=8'])],
    ['fsck', 'a file system that its check can’t repair', () => rig.program('fsck.ext4', '#!/bin/sh\nexit 4\n')],
    ['tool-missing', 'no dmsetup that runs', () => writeFileSync(join(rig.directory, 'no-device-mapper'), '')],
  ])('%s: %s', async (reason, _, damage) => {
    await rig.putBlank('p');
    await damage();
    const result = await rig.attach(`rd.live.overlay=${rig.disk}:/p`);
    const expected = reason === 'tool-missing' ? 'no-device-mapper' : reason;
    expect(result).toMatchObject({ status: 3, link: '', overlay: { reason: expected } });
    expect(result.mounts).toEqual(['/run/initramfs/cos-state']);
  });
});

describe('what nobody would expect', () => {
  test('a full disk: the changes are used, though no try can be counted', async () => {
    await rig.putBlank('p');
    const words = `rd.live.overlay=${rig.disk}:/p`;
    await rig.attach(words);
    await rig.onDisk(async (disk) => {
      rmSync(join(disk, 'p.tries'));
      await run(['dd', 'if=/dev/zero', `of=${join(disk, 'full')}`, 'bs=64K']);
      await run(['dd', 'if=/dev/zero', `of=${join(disk, 'fuller')}`, 'bs=1K']);
    });
    const result = await rig.attach(words);
    expect([result.status, result.overlay.used]).toEqual([0, true]);
    expect(result.said).toMatch(/p\.tries could not be written: ENOSPC/);
  });

  test('reset twice at the same second, after one that was cut off, and after failed tries', async () => {
    await rig.putBlank('p');
    const words = `rd.live.overlay=${rig.disk}:/p rd.live.overlay.reset`;
    const own = `p.${readFingerprint(rig.slot).slice(0, 16)}`;
    await rig.attach(`rd.live.overlay=${rig.disk}:/p`);
    // On a machine without a clock each boot is at the same time: what was set aside must not be replaced.
    const taken = Array.from({ length: 300 }, (_, second) => {
      const time = new Date(Date.now() + second * 1000).toISOString().replace(/[-:]|\.\d+/g, '');
      return `p.aside-${time}`;
    });
    await rig.onDisk((disk) => {
      writeFileSync(join(disk, `${own}.new`), 'of before');
      for (const name of taken) writeFileSync(join(disk, name), 'mine');
    });
    for (let round = 0; round < 3; round++) {
      expect((await rig.attach(words)).overlay).toMatchObject({ used: true, file: at(own) });
      await rig.onDisk((disk) => {
        expect(readFileSync(join(disk, `${own}.tries`), 'utf8')).toBe('1\n');
        writeFileSync(join(disk, `${own}.tries`), '2\n');
      });
    }
    await rig.onDisk((disk) => {
      for (const name of taken) expect(readFileSync(join(disk, name), 'utf8')).toBe('mine');
      const names = readdirSync(disk).filter((name) => /\.aside-\d+T\d+Z(?:-\d+)?$/.test(name));
      expect(names.filter((name) => !taken.includes(name))).toHaveLength(3);
    });
  });

  test('a COW of a bad size whose last chunk is in use grows by one instead', async () => {
    const bytes = (257 * 4 + 1) * 4096;
    await rig.onDisk((disk) => {
      putHeader(join(disk, 'p'), { entry: [5n, 257n * 4n], bytes });
    });
    expect((await rig.attach(`rd.live.overlay=${rig.disk}:/p`)).overlay.used).toBe(true);
    await rig.onDisk((disk) => expect(statSync(join(disk, 'p')).size).toBe(bytes + 4096));
  });

  test('an init of its own, named on the command line', async () => {
    await rig.makeSlot(['proc/', 'usr/bin/holdfast', 'opt/init']);
    await rig.putBlank('p');
    expect((await rig.attach(`rd.live.overlay=${rig.disk}:/p`)).overlay.reason).toBe('not-bootable');
    expect((await rig.attach(`rd.live.overlay=${rig.disk}:/p init=/opt/init`)).overlay.used).toBe(true);
  });

  test('a link to the disk that is made late', async () => {
    await rig.putBlank('p');
    const result = await rig.attach('rd.live.overlay=/dev/mapper/late-link:/p rd.cos.rootoverlay.wait=20', {
      before: `( until [ -s '${rig.directory}/waits' ]; do sleep 0.1; done; ln -s '${rig.disk}' /dev/mapper/late-link ) > /dev/null 2>&1 &
        ( sleep 1; echo 1 > '${rig.directory}/waits' ) > /dev/null 2>&1 &`,
    });
    expect(result.overlay).toMatchObject({ used: true, device: '/dev/mapper/late-link' });
  });
});

describe('a view that can’t be the root', () => {
  test('e2fsck gives up: it is marked, and the next boot doesn’t try', async () => {
    await rig.putBlank('p');
    await rig.attach(`rd.live.overlay=${rig.disk}:/p`);
    rig.program('e2fsck', '#!/bin/sh\necho "UNEXPECTED INCONSISTENCY"\nexit 4\n');
    const result = await rig.attach(`rd.live.overlay=${rig.disk}:/p`);
    expect(result.overlay).toMatchObject({ reason: 'fsck', message: expect.stringContaining('UNEXPECTED') });
    expect(result.tables.slice(-2)).toEqual(['remove live-rw', 'remove live-base']);
    rig.program('e2fsck', '#!/bin/sh\nexit 0\n');
    expect((await rig.attach(`rd.live.overlay=${rig.disk}:/p`)).overlay).toMatchObject({
      reason: 'quarantined',
      message: expect.stringContaining('UNEXPECTED'),
    });
  });

  test('no init is in it', async () => {
    await rig.makeSlot(['proc/', 'usr/bin/holdfast']);
    await rig.putBlank('p');
    const result = await rig.attach(`rd.live.overlay=${rig.disk}:/p`);
    expect(result.overlay).toMatchObject({ reason: 'not-bootable', message: expect.stringContaining('no init') });
    expect(result.mounts).toEqual(['/run/initramfs/cos-state']);
  });

  test('the kernel calls it invalid', async () => {
    await rig.putBlank('p');
    rig.environment['SNAPSHOT_STATUS'] = 'Invalid';
    expect((await rig.attach(`rd.live.overlay=${rig.disk}:/p`)).overlay.reason).toBe('invalid');
  });
});

describe('an encrypted disk', () => {
  /** LUKS' magic is all that blkid needs to know it; cryptsetup is a stand-in that opens the disk behind the rig's. */
  async function encrypt(): Promise<string> {
    const plain = join(rig.directory, 'plain.img');
    renameSync(rig.diskFile, plain);
    await runChecked(['losetup', '--detach', rig.disk]);
    writeFileSync(rig.diskFile, '');
    const fd = openSync(rig.diskFile, 'r+');
    ftruncateSync(fd, 16 << 20);
    writeSync(fd, luksHeader(), undefined, undefined, 0);
    closeSync(fd);
    rig.disk = (await runChecked(['losetup', '--find', '--show', rig.diskFile])).trim();
    return plain;
  }

  test('without cryptsetup in the image', async () => {
    await encrypt();
    const result = await rig.attach(`rd.live.overlay=${rig.disk}:/p`);
    expect(result.overlay).toMatchObject({ reason: 'tool-missing', message: expect.stringContaining('no cryptsetup') });
  });

  test('is opened with a key file, and only with the right one', async () => {
    await rig.putBlank('p');
    const plain = await encrypt();
    rig.program(
      'cryptsetup',
      `#!/bin/sh
echo "cryptsetup $*" >> "$RIG/cryptsetup"
[ "$(cat "$6")" = secret ] || { echo "No key available with this passphrase." >&2; exit 2; }
ln -s "$(losetup --find --show '${plain}')" /dev/mapper/holdfast-overlay
`,
    );
    const key = `rd.cos.rootoverlay.key=/run/holdfast/key`;
    const wrong = await rig.attach(`rd.live.overlay=${rig.disk}:/p ${key}`, { before: 'echo no > /run/holdfast/key' });
    expect(wrong.overlay).toMatchObject({ reason: 'locked', message: expect.stringContaining('No key available') });
    const none = await rig.attach(`rd.live.overlay=${rig.disk}:/p ${key}`);
    expect(none.overlay).toMatchObject({ reason: 'locked', message: expect.stringContaining('is not there') });
    const right = await rig.attach(`rd.live.overlay=${rig.disk}:/p ${key}`, {
      before: 'echo secret > /run/holdfast/key',
    });
    expect(right.overlay).toMatchObject({ used: true, device: rig.disk, file: at('p') });
    expect(readFileSync(join(rig.directory, 'cryptsetup'), 'utf8')).toContain(
      `open --type luks --batch-mode --key-file /run/holdfast/key ${rig.disk} holdfast-overlay`,
    );
  });
});

test('a partition that is mounted already is used where it is', async () => {
  await rig.putBlank('p');
  const { overlay, mounts } = await rig.attach(`rd.live.overlay=${rig.disk}:/p`, {
    before: `mkdir /run/oem; mount -o ro '${rig.disk}' /run/oem`,
  });
  expect(overlay).toMatchObject({ used: true, file: at('p') });
  expect(mounts).toContain('/run/oem');
});

function putHeader(
  file: string,
  options: {
    valid?: boolean;
    entry?: readonly [bigint, bigint];
    fp?: string;
    state?: string;
    tries?: number;
    bytes?: number;
  },
): void {
  const cow = Buffer.alloc(options.bytes ?? 12 << 20);
  serialiseCowHeader(8, { valid: options.valid ?? true }).copy(cow);
  if (options.entry !== undefined) {
    cow.writeBigUInt64LE(options.entry[0], 4096);
    cow.writeBigUInt64LE(options.entry[1], 4104);
  }
  writeFileSync(file, cow);
  const fp = options.fp ?? readFingerprint(rig.slot);
  writeFileSync(
    `${file}.bind`,
    `format=1\nfp=${fp}\nbase_size=${32 << 20}\ncreated=2026-01-01T00:00:00.000Z\nstate=${options.state ?? 'ready'}\nfilesystem=ext4\n`,
  );
  if (options.tries !== undefined) writeFileSync(`${file}.tries`, `${options.tries}\n`);
}

/** The start of an ext4: what is in the file is the owner's, whatever the kernel would make of its first word. */
function putExt4(file: string): void {
  const content = Buffer.alloc(12 << 20);
  content.writeUInt16LE(0xef53, 1024 + 0x38);
  writeFileSync(file, content);
}

/** LUKS version 1, phdr as cryptsetup's specification has it; blkid looks at magic and version. */
function luksHeader(): Buffer {
  const header = Buffer.alloc(1024);
  Buffer.from('LUKS\xba\xbe\x00\x01', 'latin1').copy(header);
  header.write('aes', 8);
  header.write('xts-plain64', 40);
  header.write('sha256', 72);
  header.write('22222222-2222-4222-8222-222222222222', 168);
  return header;
}
