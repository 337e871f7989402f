// Media as their tools make them, read by our own readers: discs with every kind of long name and disks with every kind
// of FAT give back what was put on them, and a damaged medium is a warning at worst. Takes about ten seconds.

import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type DiscOptions, type FatOptions, makeSeedDisc, makeSeedFat } from '../../../../lab/seed-media.ts';
import { findSeed } from '../../../../src/stages/datasource/seed/devices.ts';
import { openFat } from '../../../../src/stages/datasource/seed/fat.ts';
import { openIso9660 } from '../../../../src/stages/datasource/seed/iso9660.ts';
import { MediumError, openSource, type ReadBytes, type Volume } from '../../../../src/stages/datasource/seed/source.ts';

let directory: string;
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'holdfast-media-'));
});
afterAll(() => rmSync(directory, { recursive: true, force: true }));

const LONG = `a-name-that-is-too-long-for-one-record-of-any-old-${'x'.repeat(100)}.yaml`;
const FILES = {
  'user-data': '#cloud-config\nhostname: seed\n',
  'meta-data': '',
  config: 'x',
  'openstack/latest/user_data': '#!/bin/sh\n',
  'a/b/c/d/deep': 'deep',
  big: Buffer.alloc(300_001, 'big'),
  ...Object.fromEntries(Array.from({ length: 150 }, (_, index) => [`many/file-number-${index}`, `${index}`])),
};

function withImage<T>(image: string, use: (read: ReadBytes) => T): T {
  const { read, close } = openSource(image);
  try {
    return use(read);
  } finally {
    close();
  }
}

function expectFiles(volume: Volume | undefined, files: Readonly<Record<string, string | Uint8Array>>): void {
  for (const [path, content] of Object.entries(files)) {
    expect(volume?.read(`/${path}`)?.equals(Buffer.from(content)), path).toBe(true);
  }
  for (const path of ['/nosuch', '/many', '/many/nosuch', '/config/x', '/', '/nosuch/x']) {
    expect(volume?.read(path), path).toBeUndefined();
  }
}

describe('discs', () => {
  it.each<[NonNullable<DiscOptions['names']>, Record<string, string>]>([
    ['both', { [LONG]: 'long', 'ä ü/ö': 'umlauts' }],
    ['rock-ridge', { [LONG]: 'long', 'Upper And Lower': 'x' }],
    ['joliet', { 'Upper And Lower': 'x', 'ä/ö': 'umlauts' }],
  ])('with names of %s', async (names, more) => {
    const image = join(directory, `${names}.iso`);
    await makeSeedDisc(image, 'cidata', { ...FILES, ...more }, { names });
    withImage(image, (read) => {
      const volume = openIso9660(read);
      expect(volume?.label).toBe('cidata');
      expectFiles(volume, { ...FILES, ...more });
      expect(openFat(read)).toBeUndefined();
    });
  });

  it('with plain names, which are short and in lower case', async () => {
    const image = join(directory, 'plain.iso');
    await makeSeedDisc(image, 'CIDATA', { config: 'x', 'dir/a.txt': 'y' }, { names: 'plain' });
    withImage(image, (read) => expectFiles(openIso9660(read), { config: 'x', 'dir/a.txt': 'y' }));
  });
});

describe('FAT disks', () => {
  it.each<[FatOptions]>([[{ bits: 12, sizeMiB: 2 }], [{ bits: 16, sizeMiB: 16 }], [{ bits: 32, sizeMiB: 40 }]])(
    '%j',
    async (options) => {
      const image = join(directory, `fat${options.bits}.img`);
      const files = { ...FILES, [LONG]: 'long', 'Upper And Lower': 'x', 'ä long name/another ö': 'umlauts' };
      await makeSeedFat(image, 'CIDATA', files, options);
      withImage(image, (read) => {
        expect(openIso9660(read)).toBeUndefined();
        const volume = openFat(read);
        expect(volume?.label).toBe('CIDATA');
        expectFiles(volume, files);
        expect(volume?.read('/USER-DATA')?.toString()).toBe(FILES['user-data']);
      });
    },
  );
});

describe('devices', () => {
  /** A machine with these images as its block devices. */
  function machine(devices: Readonly<Record<string, string | undefined>>) {
    const at = mkdtempSync(join(directory, 'machine-'));
    const places = { devices: join(at, 'sys'), nodes: join(at, 'dev') };
    for (const [name, image] of Object.entries(devices)) {
      mkdirSync(join(places.devices, name.replaceAll('/', '!')), { recursive: true });
      writeFileSync(join(places.devices, name.replaceAll('/', '!'), 'size'), image === undefined ? '0\n' : '2048\n');
      mkdirSync(join(places.nodes, name, '..'), { recursive: true });
      if (image !== undefined) copyFileSync(image, join(places.nodes, name));
    }
    const warnings: string[] = [];
    const find = (label: string, files: readonly string[]) =>
      findSeed({ label, files }, places, (text) => warnings.push(text))?.toString();
    return { find, warnings, places };
  }

  const image = (name: string) => join(directory, name);
  beforeAll(async () => {
    await makeSeedDisc(image('cidata.iso'), 'cidata', { 'user-data': 'labelled disc' });
    await makeSeedDisc(image('other.iso'), 'whatever', { 'user-data': 'any disc', config: 'config' });
    await makeSeedDisc(image('empty.iso'), 'cidata', { 'user-data': '', config: 'config' });
    await makeSeedFat(image('cidata.img'), 'CIDATA', { 'user-data': 'labelled disk' });
    await makeSeedFat(image('other.img'), 'OTHER', { 'user-data': 'any disk' });
    await makeSeedDisc(image('config.iso'), 'config-2', { 'openstack/latest/user_data': 'drive' });
    writeFileSync(image('zeros'), Buffer.alloc(1 << 20));
    writeFileSync(image('tiny'), 'x');
  });

  const NOCLOUD: [string, string[]] = ['cidata', ['/user-data', '/config']];
  it.each<[string, Record<string, string | undefined>, string | undefined]>([
    ['nothing', {}, undefined],
    ['a labelled disk', { sda: 'zeros', sdb: 'cidata.img' }, 'labelled disk'],
    ['a labelled partition of many devices', { 'cciss/c0d0p1': 'cidata.img' }, 'labelled disk'],
    ['a labelled disc comes before any other', { sr0: 'other.iso', sr1: 'cidata.iso' }, 'labelled disc'],
    ['a disc without the label', { sda: 'other.img', sr0: 'other.iso' }, 'any disc'],
    ['no disk without the label', { sda: 'other.img', sdb: 'other.iso' }, undefined],
    ['an empty file is none', { sr0: 'empty.iso' }, 'config'],
    ['loop devices and memory disks are left alone', { loop0: 'cidata.img', ram0: 'cidata.img' }, undefined],
    ['a drive without a disc', { sr0: undefined, sr1: 'cidata.iso' }, 'labelled disc'],
    ['a device that holds nothing', { sda: 'tiny', sdb: 'cidata.img' }, 'labelled disk'],
  ])('%s', (_, devices, expected) => {
    const images = Object.entries(devices).map(([name, file]) => [name, file && image(file)] as const);
    const { find, warnings } = machine(Object.fromEntries(images));
    expect(find(...NOCLOUD)).toBe(expected);
    expect(warnings).toEqual([]);
  });

  it("OpenStack's drive", () => {
    const { find } = machine({ sda: image('cidata.img'), vdb: image('config.iso') });
    expect(find('config-2', ['/openstack/latest/user_data'])).toBe('drive');
  });

  it('a damaged medium is a warning, and the next one is read', () => {
    const damaged = image('damaged.iso');
    const bytes = readFileSync(image('cidata.iso'));
    // The place of the root directory.
    bytes.writeUInt32LE(0x7fffffff, 16 * 2048 + 156 + 2);
    writeFileSync(damaged, bytes);
    const { find, warnings, places } = machine({ sda: damaged, sdb: image('cidata.img') });
    expect(find(...NOCLOUD)).toBe('labelled disk');
    expect(warnings).toEqual([
      expect.stringMatching(`^${join(places.nodes, 'sda')} can't be read: it ends before byte`),
    ]);
  });
});

describe('whatever is on a medium', () => {
  it.each([
    ['cidata.iso', openIso9660],
    ['fat12.img', openFat],
    ['fat32.img', openFat],
  ])('%s with changed bytes is read or refused', (name, open) => {
    const bytes = readFileSync(join(directory, name));
    const place = fc.oneof(
      fc.nat({ max: 4096 }),
      fc.integer({ min: 32_768, max: 60_000 }),
      fc.nat({ max: bytes.length - 1 }),
    );
    const change = fc.tuple(place, fc.integer({ min: 0, max: 255 }));
    fc.assert(
      fc.property(fc.array(change, { minLength: 1, maxLength: 40 }), (changes) => {
        const read: ReadBytes = (offset, length) => {
          const end = offset + length;
          if (length < 0 || length > 16 << 20 || offset < 0 || end > bytes.length) throw new MediumError('end');
          const copy = Buffer.from(bytes.subarray(offset, end));
          for (const [at, value] of changes) if (at >= offset && at < end) copy[at - offset] = value;
          return copy;
        };
        try {
          const volume = open(read);
          expect(typeof (volume?.label ?? '')).toBe('string');
          volume?.read('/user-data');
          volume?.read('/a/b/c/d/deep');
        } catch (error) {
          expect(error).toBeInstanceOf(MediumError);
        }
      }),
      { numRuns: 300 },
    );
  });
});
