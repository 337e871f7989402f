// The initramfs' script around `holdfast overlay attach`: whatever that program does, there is a root to mount, or a plain word
// why there must be none. And the two small scripts of the running system: the mark that goes away, and the last freeze.

import { mkdirSync, readFileSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { run, runChecked } from '../../../src/system/process.ts';
import { type InitramfsHost, initramfsHost, SHELLS } from './initramfs-shell.ts';

const OS = join(import.meta.dirname, '../../../os');

let host: InitramfsHost;
let slot: string;
beforeEach(() => {
  host = initramfsHost();
  slot = join(host.directory, 'active.img');
});
afterEach(() => host.remove());

/** The slot's image, with a program that stands in for holdfast. */
async function makeSlot(program: string | undefined): Promise<void> {
  const tree = join(host.directory, 'tree');
  mkdirSync(join(tree, 'usr/bin'), { recursive: true });
  if (program !== undefined) writeFileSync(join(tree, 'usr/bin/holdfast'), program, { mode: 0o755 });
  writeFileSync(slot, '');
  truncateSync(slot, 1 << 20);
  await runChecked(['mkfs.ext2', '-q', '-F', '-d', tree, slot]);
}

/** Runs the script; what the link leads to, the record, and whether the base is still mounted. */
async function attach(
  commandLine = '',
  { args = [] as string[], shell = 'dash', hasSlot = true, mode = 'active' } = {},
) {
  const result = await host.run('overlay', args, {
    commandLine,
    shell,
    before: `mkdir /run/holdfast /run/cos; touch /run/cos/${mode}_mode; ${hasSlot ? `ln -s '${slot}' /run/holdfast/slot.img` : ''}`,
    after: `
      root=$(readlink /run/holdfast/root) || root=none
      case $root in /dev/loop*) echo "root $(losetup -n -O BACK-FILE,RO "$root" | tr -s ' ')" ;; *) echo "root $root" ;; esac
      ! mountpoint -q /run/initramfs/base || echo 'base is mounted'
      [ ! -e /run/cos/rootoverlay ] || cat /run/cos/rootoverlay
      [ ! -e /run/holdfast/failure ] || sed 's/^/failure: /' /run/holdfast/failure
      ! mountpoint -q /run/initramfs/base || umount /run/initramfs/base
      for loop in $(losetup -n -O NAME -j '${slot}'); do losetup -d "$loop"; done`,
  });
  return { status: result.status, said: result.stderr.trim(), left: result.stdout.trim().split('\n') };
}

const PLAIN = () => `root ${slot} 1`;
const record = (reason: string, message: string) => [
  'used=no',
  `reason=${reason}`,
  `message=${message}`,
  'readonly=no',
  'permission=ro',
];
const refused = record('mismatch', 'another base');
/** Says no, as the program does. */
const REFUSES = (status: number) => `#!/bin/sh
mkdir -p /run/cos
printf 'used=no\\nreason=mismatch\\nmessage=another base\\nreadonly=no\\npermission=ro\\n' > /run/cos/rootoverlay
exit ${status}
`;

describe('the root', () => {
  test('is the overlay when the program has left the link; the base stays mounted', async () => {
    await makeSlot('#!/bin/sh\n[ "$*" = "overlay attach" ] && ln -s /dev/loop0 /run/holdfast/root\n');
    for (const shell of SHELLS) {
      const { status, said, left } = await attach('', { shell });
      expect([status, said, left.slice(1)]).toEqual([0, '', ['base is mounted']]);
      expect(left[0]).toMatch(/^root /);
    }
  });

  test('is the slot alone when the program says so, and read-only', async () => {
    await makeSlot(REFUSES(3));
    for (const shell of SHELLS) {
      expect(await attach('', { shell })).toEqual({
        status: 0,
        said: '',
        left: [PLAIN(), ...record('mismatch', 'another base')],
      });
    }
  });

  test.each([
    ['crashes', '#!/bin/sh\nkill -SEGV $$\n', 'failed', 'holdfast overlay attach ended with status 139'],
    ['can’t be run', '#!/nowhere\n', 'failed', 'holdfast overlay attach ended with status 127'],
    ['isn’t there', undefined, 'failed', 'holdfast overlay attach ended with status 127'],
    ['ends well and leaves nothing', '#!/bin/sh\n', 'failed', 'holdfast overlay attach ended with status 0'],
    ['doesn’t end', '#!/bin/sh\nexit 124\n', 'timeout', 'holdfast overlay attach did not end in time'],
    ['is killed', '#!/bin/sh\nexit 137\n', 'failed', 'holdfast overlay attach was killed'],
    [
      'dies after it has said that all is well',
      '#!/bin/sh\nmkdir -p /run/cos; echo used=yes > /run/cos/rootoverlay; exit 1\n',
      'failed',
      'holdfast overlay attach ended with status 1',
    ],
  ])('is the slot alone when the program %s', async (_, program, reason, message) => {
    await makeSlot(program);
    const { status, said, left } = await attach();
    expect([status, left]).toEqual([0, [PLAIN(), ...record(reason, message)]]);
    expect(said).toContain(`holdfast: the root overlay is not used (${reason}): ${message}`);
  });

  test('is the slot alone when its file system can’t be mounted here: whoever mounts it next says so', async () => {
    await makeSlot(undefined);
    writeFileSync(slot, Buffer.alloc(1 << 20));
    const { status, left } = await attach();
    expect([status, left]).toEqual([0, [PLAIN(), ...record('failed', 'the image can not be mounted')]]);
  });
});

test('what the program has decided counts more than the word on the command line', async () => {
  await makeSlot(REFUSES(3));
  expect(await attach('rd.cos.rootoverlay.require')).toMatchObject({ status: 0, left: [PLAIN(), ...refused] });
});

test('the recovery system never has one, whatever its file is called', async () => {
  await makeSlot(REFUSES(4));
  const { status, left } = await attach('', { mode: 'recovery' });
  expect([status, left]).toEqual([0, [PLAIN()]]);
});

describe('no root', () => {
  test.each([
    ['rd.cos.rootoverlay.require', 4],
    ['', 4],
  ])('%j, and the program ends with status %d', async (commandLine, status) => {
    await makeSlot(REFUSES(status));
    const result = await attach(commandLine);
    expect(result.status).toBe(1);
    expect(result.left).toContain('root none');
    expect(result.left).toContain('failure: the root overlay is required and can not be used: another base');
  });

  test('when it is required and the program crashes', async () => {
    await makeSlot('#!/bin/sh\nexit 139\n');
    expect((await attach('rd.cos.rootoverlay.require')).left).toContain(
      'failure: the root overlay is required and can not be used: holdfast overlay attach ended with status 139',
    );
  });

  test('without an image', async () => {
    const { status, left } = await attach('', { hasSlot: false });
    expect([status, left]).toEqual([1, ['root none', 'failure: no image was chosen']]);
  });
});

describe('plain, after the script was ended', () => {
  test('leaves a link that is missing', async () => {
    await makeSlot(REFUSES(4));
    expect(await attach('', { args: ['plain'] })).toMatchObject({
      status: 0,
      left: [PLAIN(), ...record('timeout', 'holdfast-overlay was ended')],
    });
  });
});

describe('the scripts of the running system', () => {
  const cow = () => join(host.directory, 'cow');
  async function booted(used: string) {
    writeFileSync(join(host.directory, 'record'), `used=${used}\nfile=${cow()}\nmessage=a=b\n`);
    for (const name of [cow(), `${cow()}.tries`]) writeFileSync(name, '2\n');
    const env = { ...process.env, HOLDFAST_RECORD: join(host.directory, 'record') };
    const result = await run(['sh', join(OS, 'usr/lib/holdfast/overlay-booted')], { env });
    expect([result.status, result.stderr]).toEqual([0, '']);
    return readFileSync(`${cow()}.tries`, 'utf8');
  }
  test('the count begins anew when the overlay is used, and only then', async () => {
    expect(await booted('yes')).toBe('0\n');
    expect(await booted('no')).toBe('2\n');
  });

  test.each([
    ['used=yes', 'ro,relatime', 'sync\nfsfreeze --freeze /backing\n'],
    // Something keeps it writable: what it has in memory must still get through.
    ['used=yes', 'rw,errors=remount-ro', ''],
    ['used=no', 'ro', ''],
    [undefined, 'ro', ''],
  ])('%s on a root that is %s: the disk below is frozen, or not', async (text, options, called) => {
    const program = join(host.directory, 'freeze');
    const script = readFileSync(join(OS, 'usr/lib/systemd/system-shutdown/holdfast-overlay'), 'utf8');
    const bin = join(host.directory, 'bin');
    const call = `#!/bin/sh\necho "\${0##*/}\${*:+ $*}" >> '${host.directory}/calls'\n`;
    for (const name of ['fsfreeze', 'sync']) writeFileSync(join(bin, name), call, { mode: 0o755 });
    const mounts = `rootfs / rootfs rw 0 0\n/dev/dm-0 / ext4 ${options} 0 0\nx /y ext4 rw 0 0\n`;
    writeFileSync(join(host.directory, 'mounts'), mounts);
    writeFileSync(program, script.replace('export PATH=', `export PATH=${bin}:`));
    if (text !== undefined) writeFileSync(join(host.directory, 'record'), `${text}\nreason=x\n`);
    const env = {
      PATH: '/usr/bin',
      HOLDFAST_RECORD: join(host.directory, 'record'),
      HOLDFAST_BACKING: '/backing',
      HOLDFAST_MOUNTS: join(host.directory, 'mounts'),
    };
    const result = await run(['sh', program], { env });
    expect([result.status, result.stderr]).toEqual([0, '']);
    expect(readFileSync(join(host.directory, 'calls'), 'utf8')).toBe(called);
  });
});
