// ISOs as they come out of the program: the same bytes for the same system, what is on them, and nothing left behind when one
// can't be made. Takes twenty seconds; that they boot is what test/vm shows.

import { execFileSync } from 'node:child_process';
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { bunProgram } from '../../../lab/executable.ts';
import { writeImage } from '../../../src/image/layout-writer.ts';
import { openIso } from '../../../src/lifecycle/medium.ts';
import { openIso9660 } from '../../../src/stages/datasource/seed/iso9660.ts';
import { openSource } from '../../../src/stages/datasource/seed/source.ts';
import { UndoStack } from '../../../src/system/plan.ts';
import { type RunResult, run } from '../../../src/system/process.ts';
import { makeSmallSystem } from './small-system.ts';

let work: string;
let layout: string;
beforeAll(async () => {
  work = mkdtempSync(join(tmpdir(), 'holdfast-build-iso-'));
  makeSmallSystem(join(work, 'bios'), { bios: true });
  makeSmallSystem(join(work, 'efi'), { bios: false });
  const tar = join(work, 'layer.tar');
  execFileSync('tar', ['--create', '--sort=name', '--mtime=@1700000000', '--file', tar, '-C', join(work, 'bios'), '.']);
  layout = join(work, 'layout');
  mkdirSync(layout);
  await writeImage(layout, { tag: 'v1', architecture: 'amd64', layers: [{ tar, compression: 'none' }] });
});
afterAll(() => rmSync(work, { recursive: true, force: true }));

let count = 0;

/** Runs `build-iso` with a place of its own for everything; its output's directory. */
async function build(
  args: readonly string[],
  options: { umask?: string; environment?: NodeJS.ProcessEnv } = {},
): Promise<{ result: RunResult; out: string; temporary: string; text: string }> {
  count += 1;
  const [out, temporary] = [join(work, `out-${count}`), join(work, `a-much-longer-name-for-tmp-${count}`)];
  mkdirSync(temporary);
  const program = [bunProgram(), 'src/main.ts', 'build-iso', '--output', out, '--name', 'os', ...args];
  const result = await run(['bash', '-c', `umask ${options.umask ?? '022'}; exec "$@"`, 'bash', ...program], {
    env: { ...process.env, SOURCE_DATE_EPOCH: '', TMPDIR: temporary, ...options.environment },
  });
  return { result, out, temporary, text: `${result.stdout}${result.stderr}` };
}

const sha256 = (out: string) => readFileSync(join(out, 'os.iso.sha256'), 'utf8').split(' ')[0];
const onIso = (out: string, path: string) => {
  const { read, close } = openSource(join(out, 'os.iso'));
  try {
    return openIso9660(read)?.read(path)?.toString('utf8');
  } finally {
    close();
  }
};

describe('the same system', () => {
  test('gives the same bytes, wherever, whenever and by whom it is built', async () => {
    const elsewhere = join(work, 'elsewhere');
    const args = (top: string) => [
      ...['--system', `oci-layout:${top}/layout:v1`, '--extra-cmdline', 'quiet'],
      ...['--overlay-iso', join(top, 'over'), '--recovery-system', join(top, 'recovery.squashfs')],
    ];
    mkdirSync(join(work, 'over'));
    writeFileSync(join(work, 'over/notes'), 'notes');
    execFileSync('mksquashfs', [
      join(work, 'efi'),
      join(work, 'recovery.squashfs'),
      '-comp',
      'gzip',
      '-quiet',
      '-no-progress',
    ]);
    for (const name of ['layout', 'over', 'recovery.squashfs']) {
      cpSync(join(work, name), join(elsewhere, name), { recursive: true });
    }
    const one = await build(args(work));
    expect(one.result.status, one.text).toBe(0);
    expect(one.text).toContain('boots by UEFI and BIOS, from CD and stick');
    expect(one.text).toContain('2023-11-14T22:13:20.000Z (the image’s newest file)');
    // FAT counts in steps of two seconds, ISO 9660 in one.
    await new Promise((done) => setTimeout(done, 2100));
    const other = await build(args(elsewhere), { umask: '077', environment: { TZ: 'Asia/Tokyo', LANG: 'C.UTF-8' } });
    expect(other.result.status, other.text).toBe(0);
    expect(sha256(other.out)).toBe(sha256(one.out));
    expect(execFileSync('sha256sum', ['--check', 'os.iso.sha256'], { cwd: one.out, encoding: 'utf8' })).toContain('OK');
    expect(onIso(one.out, '.disk/info')).toMatch(/^Small 1 \(sha256:[0-9a-f]{64}\)\n$/);
    // Nothing is left where it was built.
    expect([readdirSync(one.temporary), readdirSync(one.out).sort()]).toEqual([[], ['os.iso', 'os.iso.sha256']]);
  });

  test('with one byte more is another medium, and GRUB knows them apart', async () => {
    const changed = join(work, 'changed');
    cpSync(join(work, 'efi'), changed, { recursive: true, preserveTimestamps: true });
    const options = { environment: { SOURCE_DATE_EPOCH: '1700000000' } };
    const before = await build(['--system', `dir:${changed}`], options);
    writeFileSync(join(changed, 'usr/share/some/data'), 'A file of the system\n');
    const after = await build(['--system', `dir:${changed}`], options);
    expect([before.result.status, after.result.status], after.text).toEqual([0, 0]);
    expect(sha256(after.out)).not.toBe(sha256(before.out));
    const mark = (out: string) => /\.disk\/[0-9a-f-]{36}\.uuid/.exec(onIso(out, 'EFI/BOOT/grub.cfg') ?? '')?.[0] ?? '';
    expect(mark(after.out)).not.toBe(mark(before.out));
    expect(onIso(after.out, mark(after.out))).toBe('');
    // What is laid over the medium counts too.
    const over = join(work, 'one-byte');
    mkdirSync(over);
    writeFileSync(join(over, 'a'), 'a');
    const third = await build(['--system', `dir:${changed}`, '--overlay-iso', over], options);
    expect(mark(third.out)).not.toBe(mark(after.out));
    // Without GRUB for BIOS.
    expect(after.text).toContain('the ISO will boot by UEFI only: the image lacks GRUB’s modules for i386-pc');
  });
});

describe('what is on it', () => {
  test('kernel, menu, stage files and what is laid over, and a root that install reads', async () => {
    const [rootfs, iso, uefi] = ['rootfs', 'iso', 'uefi'].map((name) => join(work, `over-${name}`)) as [
      string,
      string,
      string,
    ];
    for (const directory of [join(rootfs, 'etc'), iso, uefi]) mkdirSync(directory, { recursive: true });
    writeFileSync(join(rootfs, 'etc/mine'), 'mine');
    writeFileSync(join(iso, 'README'), 'read me');
    writeFileSync(join(uefi, 'driver.bin'), 'driver');
    const stages = join(work, 'users.yaml');
    writeFileSync(stages, 'stages:\n  boot:\n    - commands: [echo]\n');
    const { result, out, text } = await build([
      ...['--system', `dir:${join(work, 'efi')}`, '--label', 'MY_OS', '--recovery-system', `dir:${join(work, 'efi')}`],
      ...['--overlay-rootfs', rootfs, '--overlay-iso', iso, '--overlay-uefi', uefi],
      ...['--cloud-config', stages, '--compression', 'lz4', '--extra-cmdline', 'quiet a.b=c;d'],
    ]);
    expect(result.status, text).toBe(0);
    expect(onIso(out, 'boot/kernel.xz')).toMatch(/^kernel\n/);
    expect(onIso(out, 'boot/rootfs.xz')).toMatch(/^initramfs\n/);
    expect(onIso(out, 'README')).toBe('read me');
    expect(onIso(out, 'iso-config/01_users.yaml')).toBe(readFileSync(stages, 'utf8'));
    expect(onIso(out, 'boot/grub2/grub.cfg')).toContain(
      "linux ($root)/boot/kernel.xz cdroot root=live:CDLABEL=MY_OS rd.live.dir=/ rd.live.squashimg=rootfs.squashfs rd.cos.disable cos.setup=/run/initramfs/live/iso-config quiet 'a.b=c;d' console=tty1",
    );
    const file = join(out, 'os.iso');
    expect(execFileSync('blkid', ['-p', '-s', 'LABEL', '-o', 'value', file], { encoding: 'utf8' })).toBe('MY_OS\n');
    // What firmware reads is the second partition.
    const table = JSON.parse(execFileSync('sfdisk', ['--json', file], { encoding: 'utf8' })).partitiontable;
    const esp = table.partitions.find(({ type }: { type: string }) => type.startsWith('C12A7328'));
    const offset = esp.start * 512;
    expect(
      execFileSync('mdir', ['-b', '-/', '-i', `${file}@@${offset}`, '::/'], { encoding: 'utf8' }).split('\n'),
    ).toEqual(expect.arrayContaining(['::/EFI/BOOT/BOOTX64.EFI', '::/EFI/BOOT/grub.cfg', '::/driver.bin']));
    const undo = new UndoStack();
    try {
      const { system, recovery } = await openIso(file, file, undo);
      expect(readFileSync(join(system.directory, 'etc/mine'), 'utf8')).toBe('mine');
      expect(statSync(join(system.directory, 'root')).mode & 0o777).toBe(0o700);
      expect(recovery).toMatchObject({ kind: 'file', type: 'squashfs' });
    } finally {
      expect(await undo.unwind(false)).toEqual([]);
    }
  });

  test('erofs is a root file too, and the kernel is told how', async () => {
    const { result, out, text } = await build(['--system', `dir:${join(work, 'efi')}`, '--format', 'erofs']);
    expect(result.status, text).toBe(0);
    expect(onIso(out, 'boot/grub2/grub.cfg')).toContain('rd.live.dir=/ rd.cos.disable');
    expect(onIso(out, 'boot/grub2/grub.cfg')).toContain('rd.live.overlay.overlayfs=1');
    const { read, close } = openSource(join(out, 'os.iso'));
    const place = openIso9660(read)?.place('rootfs.img');
    close();
    const magic = readFileSync(join(out, 'os.iso')).readUInt32LE((place?.offsetBytes ?? 0) + 1024);
    expect(magic).toBe(0xe0f5e1e2);
  });

  test('a manifest of Elemental makes the same as flags do', async () => {
    const config = join(work, 'config');
    mkdirSync(config);
    const system = join(work, 'efi');
    writeFileSync(join(config, 'manifest.yaml'), `name: other\niso:\n  label: MINE\n  rootfs: ["dir:${system}"]\n`);
    const args = ['compat', 'elemental', 'build-iso', '--config-dir', config, '-o', config];
    const result = await run([bunProgram(), 'src/main.ts', ...args], { env: { ...process.env, TMPDIR: work } });
    expect(result.status, result.stdout + result.stderr).toBe(0);
    const label = execFileSync('blkid', ['-p', '-s', 'LABEL', '-o', 'value', join(config, 'other.iso')]);
    expect(String(label)).toBe('MINE\n');
  });
});

describe('nothing is left behind', () => {
  const cases: [string, (system: string) => void, string, number][] = [
    ['that has no kernel', (system) => rmSync(join(system, 'boot/vmlinuz')), 'lacks /boot/vmlinuz', 93],
    [
      'that has no boot loader',
      (system) => rmSync(join(system, 'usr/lib/holdfast'), { recursive: true }),
      'no boot loader',
      93,
    ],
    [
      'whose kernel reads no squashfs',
      (system) => writeFileSync(join(system, 'lib/modules/6.1.0-small/modules.dep'), ''),
      'can’t read squashfs',
      93,
    ],
  ];
  test.each(cases)('of a system %s', async (_, spoil, message, status) => {
    const system = join(work, `spoilt-${count}`);
    cpSync(join(work, 'efi'), system, { recursive: true });
    spoil(system);
    const { result, out, temporary, text } = await build(['--system', `dir:${system}`]);
    expect(text).toContain(message);
    expect(result.status).toBe(status);
    expect([existsSync(out), readdirSync(temporary)]).toEqual([false, []]);
  });

  test('when it is interrupted in the middle', async () => {
    // An xorriso that begins and never ends.
    const tools = join(work, 'tools');
    mkdirSync(tools);
    writeFileSync(join(tools, 'xorriso'), '#!/bin/sh\nfor last; do :; done\necho begun > "$5"\nexec sleep 600\n', {
      mode: 0o755,
    });
    const [out, temporary] = [join(work, 'interrupted'), join(work, 'interrupted-tmp')];
    mkdirSync(temporary);
    const stop = new AbortController();
    const ended = run([bunProgram(), 'src/main.ts', 'build-iso', `dir:${work}/efi`, '-o', out, '--json'], {
      env: { ...process.env, TMPDIR: temporary, PATH: `${tools}:${process.env['PATH']}` },
      signal: stop.signal,
      graceMs: 60_000,
      onLine: (line) => {
        if (line.includes('"action-start"') && line.includes('write-iso')) stop.abort();
      },
    });
    await expect(ended).rejects.toMatchObject({ code: 'HF-INTERRUPTED' });
    expect([existsSync(out), readdirSync(temporary)]).toEqual([false, []]);
  });

  test('what is there already stays as it is', async () => {
    const out = join(work, 'there');
    mkdirSync(out);
    writeFileSync(join(out, 'os.iso'), 'mine');
    const again = await run([bunProgram(), 'src/main.ts', 'build-iso', '-o', out, '-n', 'os', `dir:${work}/efi`]);
    expect(again.status).toBe(25);
    expect(readFileSync(join(out, 'os.iso'), 'utf8')).toBe('mine');
  });

  test('a link on the image leads nobody out of it', async () => {
    const system = join(work, 'linked');
    cpSync(join(work, 'efi'), system, { recursive: true });
    const secret = join(work, 'secret');
    writeFileSync(secret, 'secret');
    rmSync(join(system, 'boot/vmlinuz'));
    symlinkSync(secret, join(system, 'boot/vmlinuz'));
    const { result, text } = await build(['--system', `dir:${system}`]);
    expect(result.status, text).toBe(93);
  });

  test('a plan is only a plan', async () => {
    const { result, out, text } = await build(['--system', `dir:${join(work, 'efi')}`, '--dry-run']);
    expect(result.status, text).toBe(0);
    expect(text).toContain('this would be done (nothing was changed)');
    expect(existsSync(join(out, 'os.iso'))).toBe(false);
  });
});
