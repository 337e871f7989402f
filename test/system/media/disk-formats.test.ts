// The forms of a disk image, each looked at with the tools of its platform's kind: the disk inside is always the same one.

import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { convertRawDisk } from '../../../src/media/disk-conversion.ts';
import { parseVhdFooter } from '../../../src/media/disk-vhd.ts';
import { runChecked } from '../../../src/system/process.ts';
import { DiskRig, TIME, tableOf } from './disk-rig.ts';

const rig = new DiskRig();
const MIB = 1 << 20;
const ENVIRONMENT = { SOURCE_DATE_EPOCH: String(TIME), TMPDIR: rig.directory };
let raw = '';

beforeAll(async () => {
  await rig.addSystem();
  raw = rig.at('disk.raw');
  await rig.build('disk.raw', { expandable: true });
});
afterAll(() => rig.remove());

const info = async (file: string, format: string): Promise<unknown> =>
  JSON.parse(await runChecked(['qemu-img', 'info', '-f', format, '--output=json', file]));
const checksum = (file: string) => readFileSync(`${file}.sha256`, 'utf8').split(' ')[0];

describe('the forms', () => {
  test.each(['qcow2', 'azure', 'gce', 'ova'] as const)(
    '%s: made again elsewhere, it has the same bytes',
    async (format) => {
      for (const directory of [`one.${format}`, `other.${format}`]) {
        mkdirSync(rig.at(directory));
        const environment = { ...ENVIRONMENT, TMPDIR: rig.at(directory) };
        const output = rig.at(`${directory}/os`);
        await convertRawDisk({ raw, format, output, keepSource: true, force: false, environment });
      }
      expect(checksum(rig.at(`one.${format}/os`))).toBe(checksum(rig.at(`other.${format}/os`)));
    },
  );

  test('a qcow2 holds the disk', async () => {
    const file = rig.at('one.qcow2/os');
    expect(await info(file, 'qcow2')).toMatchObject({ format: 'qcow2', 'virtual-size': statSync(raw).size });
    await runChecked(['qemu-img', 'compare', '-f', 'qcow2', '-F', 'raw', file, raw]);
    await runChecked(['qemu-img', 'check', file]);
  });

  test('a disk for Azure is a fixed VHD of whole MiB with a sound footer', async () => {
    const file = rig.at('one.azure/os');
    const bytes = readFileSync(file);
    const footer = parseVhdFooter(bytes.subarray(-512));
    expect(footer).toMatchObject({ timeSeconds: TIME, sizeBytes: bytes.length - 512 });
    expect(footer.sizeBytes % MIB).toBe(0);
    expect(await info(file, 'vpc')).toMatchObject({ format: 'vpc', 'virtual-size': statSync(raw).size });
    expect(bytes.subarray(0, -512).equals(readFileSync(raw))).toBe(true);
  });

  test('a disk for Google Cloud is disk.raw of whole GiB in a tar of GNU’s kind', async () => {
    const file = rig.at('one.gce/os');
    const listed = await runChecked(['tar', '--numeric-owner', '--utc', '-tvzf', file]);
    expect(listed).toMatch(/^-rw-r--r-- 0\/0 +1073741824 2023-11-14 22:13 disk\.raw\n$/);
    mkdirSync(rig.at('google'));
    await runChecked(['tar', '-C', rig.at('google'), '-xzf', file]);
    expect([...(await tableOf(rig.at('google/disk.raw'))).keys()]).toEqual(['efi', 'oem', 'recovery']);
    expect(await runChecked(['sfdisk', '--verify', rig.at('google/disk.raw')])).toContain('No errors detected');
    const head = await runChecked(['sh', '-c', 'gzip -dc "$1" | head -c 265 | tail -c 8 | od -An -c', 'sh', file]);
    // ustar, two blanks: GNU's own.
    expect(head.replace(/\s+/g, ' ').trim()).toBe('u s t a r \\0');
  });

  test('an OVA describes itself, and its digests are right', async () => {
    const directory = rig.at('virtual');
    mkdirSync(directory);
    const file = rig.at('one.ova/os');
    expect(await runChecked(['tar', '-tf', file])).toBe('os.ovf\nos.mf\nos-disk1.vmdk\n');
    await runChecked(['tar', '-C', directory, '-xf', file]);
    const manifest = readFileSync(`${directory}/os.mf`, 'utf8');
    for (const name of ['os.ovf', 'os-disk1.vmdk']) {
      const digest = createHash('sha256')
        .update(readFileSync(`${directory}/${name}`))
        .digest('hex');
      expect(manifest).toContain(`SHA256(${name})= ${digest}\n`);
    }
    const text = readFileSync(`${directory}/os.ovf`, 'utf8');
    expect(text).toContain(`ovf:size="${statSync(`${directory}/os-disk1.vmdk`).size}"`);
    expect(text).toContain(`ovf:capacity="${statSync(raw).size}"`);
    expect(await info(`${directory}/os-disk1.vmdk`, 'vmdk')).toMatchObject({
      format: 'vmdk',
      'format-specific': { data: { 'create-type': 'streamOptimized' } },
    });
    await runChecked(['qemu-img', 'compare', '-f', 'vmdk', '-F', 'raw', `${directory}/os-disk1.vmdk`, raw]);
  });
});

test('build-disk makes one without a raw disk beside it', async () => {
  await rig.build('built.vhd', { expandable: true, format: 'azure' });
  const bytes = readFileSync(rig.at('built.vhd'));
  expect(parseVhdFooter(bytes.subarray(-512))).toMatchObject({ timeSeconds: TIME, sizeBytes: statSync(raw).size });
  expect(bytes.subarray(0, -512).equals(readFileSync(raw))).toBe(true);
});

describe('convert-disk', () => {
  const convert = (wishes: Partial<Parameters<typeof convertRawDisk>[0]>) =>
    convertRawDisk({ raw, format: 'azure', keepSource: true, force: false, environment: ENVIRONMENT, ...wishes });

  test('makes of a raw disk what build-disk makes, and keeps it if it is told to', async () => {
    const { published } = await convert({});
    expect(published?.file).toBe(rig.at('disk.vhd'));
    expect(parseVhdFooter(readFileSync(rig.at('disk.vhd')).subarray(-512)).timeSeconds).toBe(TIME);
    expect(existsSync(raw)).toBe(true);
  });

  test('without that the raw disk goes, after the new one has its name', async () => {
    await runChecked(['cp', '--sparse=always', raw, rig.at('copy.raw')]);
    // By way of a link, which stays.
    symlinkSync('copy.raw', rig.at('link.raw'));
    const { plan } = await convert({ raw: rig.at('link.raw'), format: 'gce', keepSource: false });
    // Not of whole GiB: a copy is.
    expect(plan.actions.map(({ kind }) => kind)).toEqual(['pad', 'convert', 'publish', 'remove-source']);
    expect(existsSync(rig.at('copy.raw'))).toBe(false);
    expect(existsSync(rig.at('copy.tar.gz'))).toBe(true);
  });

  test('an output that is there, and what is no raw disk, are refused', async () => {
    writeFileSync(rig.at('not.raw'), Buffer.alloc(4096));
    await expect(convert({ output: raw, force: true })).rejects.toMatchObject({ code: 'HF-USAGE' });
    await expect(convert({})).rejects.toMatchObject({ code: 'HF-TARGET', exitStatus: 25 });
    await expect(convert({ raw: rig.at('not.raw') })).rejects.toMatchObject({ code: 'HF-TARGET' });
    await expect(convert({ raw: rig.at('missing.raw') })).rejects.toMatchObject({ code: 'HF-TARGET' });
  });
});
