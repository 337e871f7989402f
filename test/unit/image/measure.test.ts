import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { openLayout } from '../../../src/image/layout.ts';
import { measureImage } from '../../../src/image/measure.ts';
import { openTree } from '../../../src/image/tree.ts';
import { unpackImage } from '../../../src/image/unpack-image.ts';
import { temporaryDirectory, writeLayers } from './fixture.ts';
import { names } from './snapshot.ts';
import { dir, file, hardlink, type Member, symlink, whiteout } from './tarball.ts';

async function measured(layers: readonly (readonly Member[])[], options: Parameters<typeof measureImage>[1] = {}) {
  const layout = `${temporaryDirectory()}/layout`;
  await writeLayers(layout, 'v1', layers);
  return measureImage(await openLayout(layout), options);
}

describe('measuring an image', () => {
  test('files count in whole blocks, hard links once', async () => {
    const layers = [
      [dir('d'), file('d/a', 'x'), file('d/b', 'x'.repeat(5000)), hardlink('c', 'd/a'), symlink('l', 'c'), file('e')],
    ];
    expect(await measured(layers)).toMatchObject({ contentBytes: 4096 + 8192, entries: 5 });
  });

  test('layers that are skipped count nothing and are not read', async () => {
    const layout = `${temporaryDirectory()}/layout`;
    const { layers } = await writeLayers(layout, 'v1', [[file('a', 'x')], [file('b', 'x')]]);
    const seen: unknown[] = [];
    const measure = await measureImage(await openLayout(layout), {
      skipLayers: 1,
      onProgress: (progress) => seen.push(progress),
    });
    expect(measure).toMatchObject({ contentBytes: 4096, entries: 1, compressedBytes: layers[1]?.size });
    expect(seen).toEqual([{ done: layers[1]?.size, total: layers[1]?.size, unit: 'bytes' }]);
  });

  test.each<[string, readonly (readonly Member[])[], string[]]>([
    ['a file that a layer brings', [[file('boot/vmlinuz')]], ['boot/vmlinuz']],
    ['a link, which is not followed', [[symlink('./boot/vmlinuz', 'vmlinuz-6')]], ['boot/vmlinuz']],
    ['a file that an upper layer hides', [[file('boot/vmlinuz')], [whiteout('boot/.wh.vmlinuz')]], []],
    ['a file whose directory an upper layer hides', [[file('boot/vmlinuz')], [whiteout('.wh.boot')]], []],
    [
      'a file in a directory that an upper layer empties',
      [[file('boot/vmlinuz')], [whiteout('boot/.wh..wh..opq')]],
      [],
    ],
    [
      'a file that an upper layer hides and brings',
      [[file('boot/vmlinuz')], [file('boot/vmlinuz'), whiteout('.wh.boot')]],
      ['boot/vmlinuz'],
    ],
    ['a file whose directory became a link', [[file('boot/vmlinuz')], [symlink('boot', 'elsewhere')]], []],
    ['a file below a tree that an upper layer empties', [[file('boot/vmlinuz')], [whiteout('.wh..wh..opq')]], []],
  ])('looks for %s', async (_, layers, expected) => {
    const { found } = await measured(layers, { lookFor: ['boot/vmlinuz', 'boot/initrd'] });
    expect([...found]).toEqual(expected);
  });

  test('an image with too many entries is refused', async () => {
    await expect(measured([[file('a'), file('b')]], { limits: { entries: 1 } })).rejects.toMatchObject({
      code: 'HF-IMAGE',
    });
  });
});

describe('a directory tree as an image', () => {
  test('is measured and copied without what only a running system has', async () => {
    const directory = temporaryDirectory();
    for (const name of ['etc', 'proc/1', 'tmp/x', 'usr/share/tmp'])
      mkdirSync(`${directory}/tree/${name}`, { recursive: true });
    writeFileSync(`${directory}/tree/etc/a`, 'x'.repeat(5000));
    writeFileSync(`${directory}/tree/usr/share/tmp/kept`, 'x');
    writeFileSync(`${directory}/tree/proc/1/maps`, 'x');
    symlinkSync('etc/a', `${directory}/tree/l`);
    const image = openTree(`${directory}/tree`);
    const measure = await measureImage(image, { lookFor: ['etc/a', 'etc/b'] });
    expect(measure).toEqual({
      contentBytes: 8192 + 4096,
      entries: 9,
      compressedBytes: 0,
      found: new Set(['etc/a']),
      tools: new Set(['cp']),
    });
    mkdirSync(`${directory}/target`);
    expect(await unpackImage(image, `${directory}/target`)).toMatchObject({ files: 7, warnings: [] });
    expect(names(`${directory}/target`)).toEqual(
      ['etc/', 'etc/a', 'l@', 'proc/', 'tmp/', 'usr/', 'usr/share/', 'usr/share/tmp/', 'usr/share/tmp/kept'].sort(),
    );
  });
});

test.each<[string, readonly (readonly Member[])[], string[]]>([
  ['plain files', [[dir('d'), file('d/a'), symlink('l', 'd')]], []],
  ['attributes', [[file('a', '', { pax: { 'SCHILY.xattr.user.x': 'y' } })]], ['setfattr']],
  [
    'devices and pipes',
    [
      [
        { name: 'null', flag: '3', major: 1, minor: 3 },
        { name: 'pipe', flag: '6' },
      ],
    ],
    ['mknod'],
  ],
])('the programs that %s will need are known before anything is written', async (_, layers, tools) => {
  expect([...(await measured(layers)).tools]).toEqual(tools);
});

test('upper layers alone need what shows the attributes of the lower ones', async () => {
  const { tools } = await measured([[file('a')], [file('b')]], { skipLayers: 1 });
  expect([...tools]).toEqual(['getfattr', 'setfattr']);
});
