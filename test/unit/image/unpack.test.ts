import {
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { allowedBytes, DEFAULT_LIMITS, type UnpackOptions, unpackLayers } from '../../../src/image/unpack.ts';
import { memoryLayer, temporaryDirectory, unpackMembers } from './fixture.ts';
import { names, snapshot } from './snapshot.ts';
import { dir, file, hardlink, header, type Member, symlink, whiteout } from './tarball.ts';

type Layers = readonly (readonly Member[])[];

async function unpacked(layers: Layers, options: UnpackOptions = {}): Promise<string> {
  const directory = temporaryDirectory();
  await unpackMembers(directory, layers, options);
  return directory;
}

describe('layers on top of each other', () => {
  test.each<[string, Layers, string[]]>([
    ['a whiteout hides a file', [[dir('d'), file('d/a'), file('d/b')], [whiteout('d/.wh.a')]], ['d/', 'd/b']],
    ['a whiteout hides a tree', [[dir('d'), dir('d/e'), file('d/e/f'), file('g')], [whiteout('.wh.d')]], ['g']],
    [
      'a whiteout of nothing is no error',
      [[file('a')], [whiteout('.wh.b'), whiteout('x/y/.wh.z'), whiteout('a/.wh.b')]],
      ['a'],
    ],
    [
      'a whiteout hides only lower layers, before the new one',
      [[file('a', 'old')], [whiteout('.wh.a'), file('a', 'new')]],
      ['a'],
    ],
    [
      'a whiteout hides only lower layers, after the new one',
      [
        [dir('d'), file('d/old')],
        [dir('d'), file('d/new'), whiteout('.wh.d')],
      ],
      ['d/', 'd/new'],
    ],
    [
      'an opaque directory hides what is below, before siblings',
      [
        [dir('d'), file('d/old'), dir('d/e'), file('d/e/f')],
        [dir('d'), whiteout('d/.wh..wh..opq'), file('d/new')],
      ],
      ['d/', 'd/new'],
    ],
    [
      'an opaque directory hides what is below, after siblings',
      [
        [dir('d'), file('d/old'), dir('d/e'), file('d/e/f')],
        [dir('d'), dir('d/e'), file('d/e/g'), whiteout('d/.wh..wh..opq')],
      ],
      ['d/', 'd/e/', 'd/e/g'],
    ],
    [
      'an opaque tree hides everything',
      [
        [file('a'), dir('d')],
        [whiteout('.wh..wh..opq'), file('b')],
      ],
      ['b'],
    ],
    [
      'an opaque directory that is not there hides nothing',
      [[file('a')], [whiteout('d/.wh..wh..opq'), whiteout('a/.wh..wh..opq')]],
      ['a'],
    ],
    [
      'a whiteout removes a link, not what it points to',
      [[dir('d'), file('d/a'), symlink('l', 'd')], [whiteout('.wh.l')]],
      ['d/', 'd/a'],
    ],
    [
      'a whiteout below a link removes where the link leads',
      [[dir('usr'), dir('usr/lib'), file('usr/lib/a'), symlink('lib', 'usr/lib')], [whiteout('lib/.wh.a')]],
      ['lib@', 'usr/', 'usr/lib/'],
    ],
    ['a file replaces a directory', [[dir('d'), file('d/a')], [file('d', 'x')]], ['d']],
    ['a directory replaces a file', [[file('d')], [dir('d'), file('d/a')]], ['d/', 'd/a']],
    [
      'a directory replaces a link to one',
      [
        [dir('usr'), file('usr/a'), symlink('d', 'usr')],
        [dir('d'), file('d/b')],
      ],
      ['d/', 'd/b', 'usr/', 'usr/a'],
    ],
    ['a link replaces a directory', [[dir('d'), file('d/a')], [symlink('d', 'elsewhere')]], ['d@']],
    [
      'a directory that comes again keeps its content',
      [[dir('d'), file('d/a')], [dir('d', { mode: 0o700 })]],
      ['d/', 'd/a'],
    ],
    [
      'parents that are links are followed inside the tree',
      [[dir('usr'), dir('usr/lib'), symlink('lib', 'usr/lib')], [file('lib/a')]],
      ['lib@', 'usr/', 'usr/lib/', 'usr/lib/a'],
    ],
    ['parents that no layer has are made', [[file('a/b/c')]], ['a/', 'a/b/', 'a/b/c']],
    [
      "names may be absolute, and odd in ways that don't matter",
      [[file('/a'), file('./b'), dir('.//c'), file('c/./d'), dir('./')]],
      ['a', 'b', 'c/', 'c/d'],
    ],
    ['what aufs kept for itself is left out', [[file('.wh..wh.plnk'), dir('.wh..wh.orph'), file('a')]], ['a']],
    [
      'names that are no UTF-8 stay what they are',
      [[dir('caf\xe9'), file('caf\xe9/\xff\xfe'), symlink('l', '\xe9')]],
      ['caf\xe9/', 'caf\xe9/\xff\xfe', 'l@'],
    ],
    [
      'long names are names',
      [[file(`${'n'.repeat(255)}`), file(`${'d/'.repeat(120)}f`)]],
      [...Array.from({ length: 120 }, (_, i) => 'd/'.repeat(i + 1)), `${'d/'.repeat(120)}f`, 'n'.repeat(255)],
    ],
  ])('%s', async (_, layers, expected) => {
    expect(names(await unpacked(layers))).toEqual(expected.sort());
  });

  test('the same tree comes out in one go and layer by layer', async () => {
    const layers: Layers = [
      [dir('d'), dir('e', { mtime: 1000 }), file('d/a', 'a'), file('e/b', 'b')],
      [file('d/c', 'c'), hardlink('d/h', 'e/b')],
      [whiteout('d/.wh.a'), dir('d', { mode: 0o700 }), symlink('e/l', 'b')],
    ];
    const together = await unpacked(layers);
    const apart = temporaryDirectory();
    for (const layer of layers) await unpackMembers(apart, [layer]);
    const { '.': _, ...inApart } = snapshot(apart);
    const { '.': __, ...inTogether } = snapshot(together);
    expect(inApart).toEqual(inTogether);
  });
});

describe('attributes', () => {
  test('modes with special bits, times to the microsecond, sizes and content', async () => {
    const directory = await unpacked([
      [
        dir('.', { mode: 0o751, mtime: 1_400_000_000 }),
        file('a', 'hello', { mode: 0o6755, mtime: 1_500_000_000, pax: { mtime: '1500000000.123456789' } }),
        dir('d', { mode: 0o1777, mtime: 1_500_000_001 }),
        file('d/late', 'x'),
        symlink('l', 'a', { mtime: 1_500_000_002 }),
        file('before', '', { pax: { mtime: '-3.5' } }),
        file('empty', ''),
      ],
    ]);
    expect(snapshot(directory)).toMatchObject({
      '.': { mode: '751', mtimeSeconds: 1_400_000_000 },
      a: { mode: '6755', mtimeSeconds: 1_500_000_000, size: 5 },
      d: { mode: '1777', mtimeSeconds: 1_500_000_001 },
      l: { mtimeSeconds: 1_500_000_002, target: 'a' },
      before: { mtimeSeconds: -4 },
      empty: { size: 0 },
    });
    expect(lstatSync(`${directory}/a`, { bigint: true }).mtimeNs / 1000n).toBe(1_500_000_000_123_456n);
    expect(readFileSync(`${directory}/a`, 'utf8')).toBe('hello');
  });

  test('a directory that no layer mentions again keeps its time', async () => {
    const directory = await unpacked([[dir('d', { mtime: 1_300_000_000 })], [file('d/new')]]);
    expect(snapshot(directory)['d']?.mtimeSeconds).toBe(1_300_000_000);
    await unpackMembers(directory, [[whiteout('d/.wh.new')]]);
    expect(snapshot(directory)['d']?.mtimeSeconds).toBe(1_300_000_000);
  });

  test('parents that are made have mode 0755, whatever the umask, and the time of what made them', async () => {
    const before = process.umask(0o077);
    try {
      const directory = await unpacked([[file('d/a', '', { mtime: 1_300_000_000 })]]);
      expect(snapshot(directory)['d']).toMatchObject({ mode: '755', mtimeSeconds: 1_300_000_000 });
    } finally {
      process.umask(before);
    }
  });

  test('hard links share the file, also with a lower layer; replacing one name leaves the other alone', async () => {
    const directory = await unpacked([
      [dir('d'), file('d/a', 'one'), hardlink('b', 'd/a')],
      [hardlink('c', '/d/a'), file('b', 'two')],
      [symlink('s', 'c'), hardlink('t', 's')],
    ]);
    const inode = (name: string) => lstatSync(`${directory}/${name}`).ino;
    expect(inode('c')).toBe(inode('d/a'));
    expect(inode('t')).toBe(inode('s'));
    expect(readFileSync(`${directory}/b`, 'utf8')).toBe('two');
    expect(readFileSync(`${directory}/c`, 'utf8')).toBe('one');
  });

  test('holes stay holes', async () => {
    const directory = await unpacked([
      [
        file('sparse', 'end', {
          pax: { 'GNU.sparse.map': `${(64 << 20) - 3},3`, 'GNU.sparse.size': String(128 << 20) },
        }),
      ],
    ]);
    const stats = statSync(`${directory}/sparse`);
    expect(stats.size).toBe(128 << 20);
    expect(stats.blocks * 512).toBeLessThan(1 << 20);
  });

  test('what is left out is said once for each kind', async () => {
    const directory = temporaryDirectory();
    const { warnings, files } = await unpackMembers(directory, [
      [
        file('a', '', { pax: { 'SCHILY.acl.access': 'user::rw-' } }),
        file('b', '', { pax: { 'SCHILY.acl.access': 'user::rw-', 'SCHILY.xattr.trusted.overlay.opaque': 'y' } }),
        file('.wh..wh.aufs'),
      ],
    ]);
    expect(files).toBe(2);
    expect(warnings).toEqual([
      '"a" and 1 more: the record SCHILY.acl.access is not applied',
      '"b": the extended attribute trusted.overlay.opaque was left out',
      '".wh..wh.aufs": what aufs kept for itself was left out',
    ]);
  });

  test('progress is told in packed bytes', async () => {
    const seen: number[] = [];
    const directory = temporaryDirectory();
    const { writeLayers } = await import('./fixture.ts');
    const { openLayout } = await import('../../../src/image/layout.ts');
    const { unpackLayers } = await import('../../../src/image/unpack.ts');
    const { layers } = await writeLayers(`${directory}/layout`, 'v1', [[file('a', 'x'.repeat(5000))], [file('b')]]);
    const image = await openLayout(`${directory}/layout`);
    mkdirSync(`${directory}/target`);
    const { bytes } = await unpackLayers(image, image.layers, `${directory}/target`, {
      onProgress: ({ done, total, unit }) => {
        expect([total, unit]).toEqual([layers.reduce((sum, { size }) => sum + size, 0), 'bytes']);
        seen.push(done);
      },
    });
    expect(seen.at(-1)).toBe(layers.reduce((sum, { size }) => sum + size, 0));
    expect(bytes).toBe(512 + 5120 + 1024 + 512 + 1024);
  });
});

describe('hostile layers are refused, and nothing outside the target changes', () => {
  test.each<[string, Layers, string]>([
    ['a name that climbs', [[file('../outside/x')]], 'climbs out'],
    ['a name that climbs in its middle', [[dir('a'), file('a/../../outside/x')]], 'climbs out'],
    ['a whiteout that climbs', [[whiteout('../outside/.wh.victim')]], 'climbs out'],
    ['a whiteout of the directory above', [[whiteout('.wh...')]], 'is a whiteout of nothing'],
    ['a whiteout of the directory itself', [[dir('a'), whiteout('a/.wh..')]], 'is a whiteout of nothing'],
    ['a whiteout without name', [[whiteout('.wh.')]], 'is a whiteout of nothing'],
    ['a file inside a whiteout', [[file('.wh.a/b')]], 'lies inside a whiteout'],
    ['a hard link that climbs', [[hardlink('a', '../outside/victim')]], 'climbs out'],
    ['a hard link to what is outside by its absolute name', [[hardlink('a', '$OUTSIDE/victim')]], 'which is not there'],
    ['a hard link through a link', [[symlink('l', '$OUTSIDE'), hardlink('a', 'l/victim')]], 'which is not there'],
    ['a hard link to a directory', [[dir('d'), hardlink('a', 'd')]], 'is a hard link to a directory'],
    ['a hard link to the tree', [[hardlink('a', '/')]], 'is a hard link to the tree itself'],
    ['a hard link to what it replaces', [[dir('d'), file('d/a'), hardlink('d', 'd/a')]], 'which is not there'],
    ['a link in place of the tree', [[symlink('.', '$OUTSIDE')]], 'would replace the tree itself'],
    ['a file in place of the tree', [[file('./', 'x', { flag: '7' })]], 'would replace the tree itself'],
    ['a link to itself as parent', [[symlink('l', 'l'), file('l/a')]], 'too many links'],
    ['links in a circle', [[symlink('a', 'b'), symlink('b', 'a'), file('a/x')]], 'too many links'],
    ['a file as parent', [[file('a'), file('a/b')]], 'lies below something that is not a directory'],
    [
      'a link to a file as parent',
      [[file('a'), symlink('l', 'a'), file('l/b')]],
      'lies below something that is not a directory',
    ],
    ['a name with NUL', [[file('a', '', { linkName: '', pax: { 'GNU.sparse.name': 'a\0b' } })]], 'contains a NUL'],
    ['a name that is too long', [[file('n'.repeat(256))]], 'has a part above 255 bytes'],
    ['a path that is too long', [[file('d/'.repeat(2500))]], 'is longer than'],
    [
      'a path that is too long by its links',
      [
        [
          ...Array.from({ length: 38 }, (_, i) =>
            dir(
              Array(i + 1)
                .fill('n'.repeat(100))
                .join('/'),
            ),
          ),
          symlink('l', Array(38).fill('n'.repeat(100)).join('/')),
          file(`l/${'m/'.repeat(150)}f`),
        ],
      ],
      'name that is too long',
    ],
    ['a link without target', [[symlink('l', '')]], 'is a link to something'],
    ['an owner that is nobody', [[file('a', '', { pax: { uid: '4294967295' } })]], 'has an owner that no system has'],
    [
      'a sparse file of 2^53 bytes',
      [[file('a', '', { pax: { 'GNU.sparse.size': String(2 ** 53 - 1), 'GNU.sparse.name': 'a' } })]],
      'is larger than a file can be',
    ],
    ['too many bytes', [[file('a', 'x'.repeat(20_000))]], 'more than 10000 bytes'],
    ['too many entries', [Array.from({ length: 11 }, (_, i) => dir(`d${i}`))], 'more than 10 entries'],
    ['too many entries by their parents', [[file('1/2/3/4/5/6/7/8/9/10/11')]], 'more than 10 entries'],
  ])('%s', async (name, layers, message) => {
    const outside = temporaryDirectory();
    writeFileSync(`${outside}/victim`, 'untouched');
    const target = `${outside}/target`;
    mkdirSync(target);
    const before = snapshot(outside);
    const named = layers.map((layer) =>
      layer.map((m) => ({ ...m, linkName: (m.linkName ?? '').replace('$OUTSIDE', outside) })),
    );
    const small = { limits: { bytes: 10_000, entries: 10 } };
    await expect(unpackMembers(target, named, name.startsWith('too many') ? small : {})).rejects.toMatchObject({
      code: 'HF-IMAGE',
      message: expect.stringContaining(message),
      hint: expect.any(String),
    });
    expect(readFileSync(`${outside}/victim`, 'utf8')).toBe('untouched');
    expect(readdirSync(outside).sort()).toEqual(['target', 'victim']);
    expect(snapshot(outside)['victim']).toEqual(before['victim']);
  });

  test('a small layer that unpacks to more than 4 GiB and 200 times its size', async () => {
    expect(allowedBytes(DEFAULT_LIMITS, [{ sizeBytes: 1000 }])).toBe(4 * 2 ** 30);
    expect(allowedBytes(DEFAULT_LIMITS, [{ sizeBytes: 2 ** 26 }, { sizeBytes: 2 ** 26 }])).toBe(200 * 2 ** 27);
    expect(allowedBytes(DEFAULT_LIMITS, [{ sizeBytes: 2 ** 40 }])).toBe(DEFAULT_LIMITS.bytes);
    const { layer } = memoryLayer(Buffer.alloc(1000));
    let read = 0;
    const readLayer = async function* () {
      // Content that is kept nowhere: the name is one of aufs' own.
      yield header({ name: '.wh..wh.bomb', size: 2 ** 33 - 1 });
      const zeros = Buffer.alloc(1 << 24);
      for (; read < 2 ** 33; read += zeros.length) yield zeros;
    };
    await expect(unpackLayers({ readLayer }, [layer], temporaryDirectory())).rejects.toMatchObject({
      code: 'HF-IMAGE',
      message: `the image is refused: it unpacks to more than ${2 ** 32} bytes`,
    });
    expect(read).toBe(2 ** 32 - (1 << 24));
  });

  test('links that lead out are followed inside, as after a chroot', async () => {
    const outside = temporaryDirectory();
    const target = `${outside}/a/target`;
    mkdirSync(target, { recursive: true });
    writeFileSync(`${outside}/victim`, 'untouched');
    await unpackMembers(target, [
      [
        symlink('abs', outside),
        file('abs/victim', 'mine'),
        symlink('up', '../../../..'),
        file('up/here', 'mine'),
        symlink('file', `${outside}/victim`),
        file('file', 'mine'),
        symlink('moved', outside),
      ],
      [whiteout('moved/.wh.victim'), whiteout('up/.wh..wh..opq')],
    ]);
    expect(readFileSync(`${outside}/victim`, 'utf8')).toBe('untouched');
    expect(readdirSync(target)).toEqual([]);
  });

  test('a link that was in the target before is not followed out of it', async () => {
    const outside = temporaryDirectory();
    const target = `${outside}/target`;
    mkdirSync(target);
    symlinkSync('..', `${target}/l`);
    symlinkSync(outside, `${target}/m`);
    await unpackMembers(target, [[file('l/a'), dir('m'), file('m/b')]]);
    expect(readdirSync(outside)).toEqual(['target']);
    expect(readlinkSync(`${target}/l`)).toBe('..');
    expect(names(target)).toEqual(['a', 'l@', 'm/', 'm/b']);
  });

  test('whatever the entries are, nothing outside changes and the error says what to do', async () => {
    const part = fc.constantFrom(
      'a',
      'b',
      'c',
      '..',
      '.',
      '',
      '.wh.a',
      '.wh..wh..opq',
      '.wh.',
      '.wh...',
      'victim',
      '\xff',
    );
    const path = fc.array(part, { minLength: 1, maxLength: 4 }).map((parts) => parts.join('/'));
    const target = fc.oneof(
      path,
      fc.constantFrom('/', '$OUTSIDE', '$OUTSIDE/victim', '..', '../..', '../victim', 'a/../..'),
    );
    const anyMember = fc.record({
      name: path,
      flag: fc.constantFrom('0', '0', '1', '1', '2', '2', '2', '5', '5'),
      linkName: target,
      content: fc.constantFrom('', 'hostile'),
      mode: fc.constantFrom(0o777, 0o4755, 0),
    });
    await fc.assert(
      fc.asyncProperty(fc.array(fc.array(anyMember, { maxLength: 12 }), { maxLength: 3 }), async (layers) => {
        const outside = temporaryDirectory();
        const inside = `${outside}/b/target`;
        mkdirSync(inside, { recursive: true });
        writeFileSync(`${outside}/victim`, 'untouched');
        const state = () =>
          Object.entries(snapshot(outside)).filter(([name]) => name !== 'b/target' && !name.startsWith('b/target/'));
        const before = state();
        const named = layers.map((layer) =>
          layer.map((m) => ({
            ...m,
            linkName: m.linkName.replace('$OUTSIDE', outside),
            size: m.flag === '0' ? m.content.length : 0,
            content: m.flag === '0' ? m.content : '',
          })),
        );
        try {
          await unpackMembers(inside, named, { chunkBytes: 777 });
        } catch (error) {
          expect(error).toMatchObject({ name: 'HoldfastError', code: 'HF-IMAGE', hint: expect.any(String) });
        }
        expect(state()).toEqual(before);
        expect(lstatSync(`${outside}/victim`).nlink).toBe(1);
      }),
      { numRuns: 300 },
    );
  });
});
