// What a person sees when a command can't do what was asked: the real executable, its exit status, and its exact words.

import { mkdirSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { ensureExecutable } from '../../../lab/executable.ts';
import { mount, mountAt, unmount } from '../../../src/system/mounts.ts';
import { type RunResult, run, runChecked } from '../../../src/system/process.ts';
import { DiskImage, machineTraces } from '../lifecycle/disk-image.ts';
import { BOOT_FILES, osRelease, TinyImages } from '../lifecycle/tiny-image.ts';

let executable: string;
let images: TinyImages;
let disk: DiskImage;

beforeAll(async () => {
  executable = await ensureExecutable(() => {});
  images = new TinyImages();
  const base = { name: 'base', files: { ...BOOT_FILES, ...osRelease(1) } };
  await images.add('v1', [base]);
  await images.add('v2', [base, { name: 'second', files: osRelease(2) }]);
  disk = DiskImage.create(4096);
});
afterAll(() => {
  images?.remove();
  disk?.remove();
});

const holdfast = (...args: string[]): Promise<RunResult> => run([executable, ...args]);
const image = (tag: string) => `oci-layout:${images.layout}:${tag}`;

test('not root', async () => {
  const result = await run([
    'setpriv',
    '--reuid=65534',
    '--regid=65534',
    '--clear-groups',
    executable,
    'upgrade',
    image('v1'),
  ]);
  expect(result).toMatchObject({
    status: 58,
    stdout: '',
    stderr:
      'error: upgrade: this command requires root privileges [HF-NOT-ROOT]\nhint: run it as root: sudo holdfast upgrade …\n',
  });
});

test('init of a directory that is not there', async () => {
  expect(await holdfast('init', '--root', '/no/such/root')).toMatchObject({
    status: 1,
    stderr: 'error: --root /no/such/root: there is no such directory [HF-USAGE]\n',
  });
});

test('a tool is missing: named with its package, before anything is written', async () => {
  const hide = 'mount --bind /dev/null "$(readlink -f "$(command -v mcopy)")" && exec "$@"';
  const result = await run([
    'unshare',
    '--mount',
    'sh',
    '-c',
    hide,
    'sh',
    executable,
    'install',
    disk.file,
    '--system',
    image('v1'),
  ]);
  expect(result).toMatchObject({
    status: 90,
    // They are one program under several names.
    stderr: [
      'error: some programs are missing: mcopy, mdir, mren [HF-TOOL-MISSING]',
      'hint: mcopy: install the package mtools',
      '  mdir: install the package mtools',
      '  mren: install the package mtools\n',
    ].join('\n'),
  });
});

test('no image is named', async () => {
  expect(await holdfast('install', disk.file)).toMatchObject({
    status: 68,
    stderr: 'error: no image is named [HF-NO-SOURCE]\nhint: for example: --system oci-layout:/mnt/images:v2\n',
  });
});

test('two images are named', async () => {
  const { status, stderr } = await holdfast('upgrade', image('v1'), '--directory', '/srv');
  expect(status).toBe(1);
  expect(stderr).toContain('two images are named');
});

test('an image that is not there', async () => {
  const { status, stderr } = await holdfast('install', disk.file, '--system', image('v9'));
  expect(status).not.toBe(0);
  expect(stderr).toMatch(/v9[\s\S]*v1/);
});

test('a disk that is not there', async () => {
  const { status, stderr } = await holdfast('install', '/dev/no-such-disk', '--system', image('v1'));
  expect(status).toBe(47);
  expect(stderr).toContain('error: /dev/no-such-disk does not exist [HF-TARGET]');
});

test('a stage file with a mistake is shown with its line before the disk is touched', async () => {
  const file = join(disk.directory, 'mine.yaml');
  writeFileSync(file, 'stages:\n  boot:\n    - commands: [\n');
  const { status, stderr } = await holdfast('install', disk.file, '--system', image('v1'), '-c', file);
  expect(status).toBe(65);
  expect(stderr).toMatch(new RegExp(`^error: .*\\n  ${file}:\\d+:\\d+\\n`));
});

test('mount where no root is mounted: nothing is mounted on this machine', async () => {
  const { status, stderr } = await holdfast('mount', '--sysroot', disk.directory);
  expect(status).toBe(94);
  expect(stderr).toContain(`error: ${disk.directory} is not a mount point: no root is mounted there [HF-MOUNT]`);
  expect(mountAt('/run/overlay')).toBeUndefined();
});

test('an unknown flag and an unknown command', async () => {
  expect((await holdfast('upgrade', '--forse')).stderr).toContain(
    "error: unknown option '--forse'\n(Did you mean --force?)",
  );
  const unknown = await holdfast('upgarde');
  expect(unknown.status).toBe(1);
  expect(unknown.stderr).toContain("error: unknown command 'upgarde'\n(Did you mean upgrade?)");
});

test('a machine without an installed system', async () => {
  const { status, stderr } = await holdfast('upgrade', image('v1'));
  expect(status).toBe(89);
  expect(stderr).toContain('no partition with the label COS_STATE was found');
});

test('--dry-run prints the plan and changes nothing', async () => {
  const { status, stdout } = await holdfast('install', disk.file, '--system', image('v1'), '--dry-run');
  expect(status).toBe(0);
  expect(stdout).toMatch(/this would be done \(nothing was changed\)\n +1\. Run hook before-install\n +2\. Partition /);
  expect(await runChecked(['stat', '--format=%b', disk.file])).toBe('0\n');
});

test('not enough space for the new system: the figures, and nothing changed', async () => {
  await runChecked([executable, 'install', disk.file, '--system', image('v1'), '--quiet']);
  const before = machineTraces();
  await disk.withPartitions(['COS_STATE'], async (devices) => {
    const directory = join(disk.directory, 'state');
    mkdirSync(directory, { recursive: true });
    await mount(devices['COS_STATE'] ?? '', directory);
    const free = Number(await runChecked(['stat', '--file-system', '--format=%a', directory])) * 4096;
    await runChecked(['fallocate', '--length', String(free - (300 << 20)), join(directory, 'ballast')]);
    const names = await runChecked(['ls', '-l', join(directory, 'cOS')]);
    await unmount(directory);
    const { status, stderr } = await holdfast('upgrade', image('v2'));
    expect(status).toBe(91);
    expect(stderr).toMatch(/not enough space in \S+ for the new system: \d+ MiB needed, \d+ MiB free \[HF-NO-SPACE\]/);
    await mount(devices['COS_STATE'] ?? '', directory);
    expect(await runChecked(['ls', '-l', join(directory, 'cOS')])).toBe(names);
    await unmount(directory);
  });
  expect(machineTraces()).toEqual(before);
});

test('two disks with a COS_STATE: refused instead of guessed', async () => {
  const second = DiskImage.create(1024);
  truncateSync(second.file, 1 << 30);
  await runChecked(['mkfs.xfs', '-q', '-L', 'COS_STATE', second.file]);
  const device = (await runChecked(['losetup', '--find', '--show', second.file])).trim();
  try {
    await disk.withPartitions(['COS_STATE'], async () => {
      const { status, stderr } = await holdfast('upgrade', image('v2'));
      expect(status).toBe(89);
      expect(stderr).toContain('the label COS_STATE is on several partitions: /dev/loop');
    });
  } finally {
    await runChecked(['losetup', '--detach', device]);
    second.remove();
  }
});
