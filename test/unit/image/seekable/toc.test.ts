// Tables of contents that lie: whatever is wrong with one, the layer is fetched as a whole instead.

import { execFileSync } from 'node:child_process';
import { gzipSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import type { Layer } from '../../../../src/image/blob.ts';
import { digestOf } from '../../../../src/image/digest.ts';
import { readEstargz } from '../../../../src/image/seekable/estargz.ts';
import { openSeekableLayers } from '../../../../src/image/seekable/open-seekable.ts';
import { readZstdChunked } from '../../../../src/image/seekable/zstd-chunked.ts';
import { tarball } from '../tarball.ts';
import { fetchAll, MemoryBlob } from './fixture.ts';

const CONTENT = Buffer.from('hello, world');
const DIGEST = digestOf(CONTENT);
const zstd = (content: Buffer) => execFileSync('zstd', ['-q', '-c'], { input: content });

interface Table {
  version: number;
  entries: Record<string, unknown>[];
  tarSplitDigest?: string;
}

/** One file; a test breaks one thing. */
const table = (change: Record<string, unknown> = {}, more: Record<string, unknown>[] = []): Table => ({
  version: 1,
  entries: [
    {
      type: 'reg',
      name: 'f',
      mode: 420,
      size: 12,
      digest: DIGEST,
      offset: 0,
      endOffset: zstd(CONTENT).length,
      ...change,
    },
    ...more,
  ],
});

interface Packed {
  layer: Layer;
  blob: MemoryBlob;
}

/** A zstd:chunked layer with that table, as text or value. */
function chunked(
  toc: Table | string,
  annotations: Record<string, string> = {},
  unpackedBytes: number | undefined = undefined,
): Packed {
  const json = Buffer.from(typeof toc === 'string' ? toc : JSON.stringify(toc));
  const packedToc = zstd(json);
  const bytes = Buffer.concat([zstd(CONTENT), packedToc]);
  const start = bytes.length - packedToc.length;
  return {
    layer: {
      mediaType: 'application/vnd.oci.image.layer.v1.tar+zstd',
      digest: digestOf(bytes),
      sizeBytes: bytes.length,
      diffId: digestOf('tar'),
      annotations: {
        'io.github.containers.zstd-chunked.manifest-checksum': digestOf(packedToc),
        'io.github.containers.zstd-chunked.manifest-position': `${start}:${packedToc.length}:${unpackedBytes ?? json.length}:1`,
        ...annotations,
      },
    },
    blob: new MemoryBlob(bytes),
  };
}

/** An eStargz layer with that table. */
function stargz(toc: Table, change: { footer?: Buffer; entryName?: string; digest?: string } = {}): Packed {
  const json = Buffer.from(JSON.stringify(toc));
  const member = gzipSync(CONTENT);
  const tocMember = gzipSync(tarball([{ name: change.entryName ?? 'stargz.index.json', content: json }]));
  const bytes = Buffer.concat([member, tocMember, change.footer ?? footer(member.length)]);
  return {
    layer: {
      mediaType: 'application/vnd.oci.image.layer.v1.tar+gzip',
      digest: digestOf(bytes),
      sizeBytes: bytes.length,
      diffId: digestOf('tar'),
      annotations: { 'containerd.io/snapshot/stargz/toc.digest': change.digest ?? digestOf(json) },
    },
    blob: new MemoryBlob(bytes),
  };
}

function footer(offset: number): Buffer {
  const head = Buffer.from([0x1f, 0x8b, 8, 4, 0, 0, 0, 0, 0, 255, 26, 0]);
  const extra = Buffer.concat([
    Buffer.from('SG\x16\0', 'latin1'),
    Buffer.from(`${offset.toString(16).padStart(16, '0')}STARGZ`),
  ]);
  return Buffer.concat([head, extra, Buffer.from([1, 0, 0, 255, 255, 0, 0, 0, 0, 0, 0, 0, 0])]);
}

test('without a lie, both give their content', async () => {
  for (const { layer, blob } of [chunked(table()), stargz(table())]) {
    const seekable = await (layer.mediaType.endsWith('zstd') ? readZstdChunked : readEstargz)(layer, blob);
    expect(seekable.entries[0]).toMatchObject({
      header: { name: 'f', mode: 0o644, mtime: 0 },
      content: { digest: DIGEST },
    });
    expect((await fetchAll(seekable.source, new Set([DIGEST]))).get(DIGEST)).toEqual(CONTENT);
  }
});

const chunk = (change: Record<string, unknown> = {}) => ({
  type: 'chunk',
  name: 'f',
  chunkOffset: 6,
  chunkSize: 6,
  chunkDigest: DIGEST,
  offset: 5,
  ...change,
});
const first = { chunkSize: 6, chunkDigest: DIGEST };

/** What both formats refuse. */
const LIES: [what: string, why: string, toc: Table][] = [
  ['a name that climbs', 'climbs out', table({ name: '../../etc/passwd' })],
  ['an absolute name that climbs', 'climbs out', table({ name: '/a/../../b' })],
  ['no name', 'is the name of an entry', table({ name: '' })],
  ['a name with NUL', 'contains a NUL', table({ name: 'a\0b' })],
  ['a name that is too long', 'above 255 bytes', table({ name: 'n'.repeat(300) })],
  ['a name that was not UTF-8', 'a name is not UTF-8', table({ name: 'caf\ufffd' })],
  ['a whiteout of nothing', 'whiteout of nothing', table({ name: 'd/.wh..' })],
  ['an unknown type', 'an entry of type "socket"', table({ type: 'socket' })],
  ['a type out of the prototype', 'an entry of type "constructor"', table({ type: 'constructor' })],
  ['another version', 'wrong at version', { ...table(), version: 2 }],
  ['a negative size', 'wrong at entries.0.size', table({ size: -1 })],
  ['a fraction of a byte', 'wrong at entries.0.size', table({ size: 12.5 })],
  ['a file of 2 TiB', 'a file is too large', table({ size: 2 ** 41 })],
  ['an offset that is no number', 'wrong at entries.0.offset', table({ offset: '0' })],
  ['a negative offset', 'wrong at entries.0.offset', table({ offset: -1 })],
  ['no digest', 'no digest that can be checked', table({ digest: undefined })],
  ['a digest that is none', 'no digest that can be checked', table({ digest: 'sha256:12' })],
  ['a time that is none', 'a time is none', table({ modtime: 'yesterday' })],
  ['a chunk without file', 'has no file', { version: 1, entries: [chunk()] }],
  ['a chunk of another file', 'has no file', table(first, [chunk({ name: 'g' })])],
  ['a gap between chunks', 'have gaps', table(first, [chunk({ chunkOffset: 7 })])],
  ['chunks that overlap in the file', 'have gaps', table(first, [chunk({ chunkOffset: 5 })])],
  ['chunks that are more than the file', 'are not all of it', table(first, [chunk({ chunkSize: 7 })])],
  ['chunks that are less than the file', 'are not all of it', table(first, [chunk({ chunkSize: 5 })])],
  ['a chunk without digest', 'no digest that can be checked', table(first, [chunk({ chunkDigest: undefined })])],
  ['an unknown kind of chunk', 'chunks of type encrypted', table({ chunkType: 'encrypted' })],
  ['chunks without content', 'has chunks and no content', table({ size: 0 }, [chunk()])],
  ['more content than fits into memory', 'a chunk has more than', table({ size: 65 << 20 })],
];

describe('a table is refused that has', () => {
  test.each(LIES)('%s (zstd:chunked)', async (_, why, toc) => {
    const { layer, blob } = chunked(toc);
    await expect(readZstdChunked(layer, blob)).rejects.toMatchObject({
      code: 'HF-IMAGE',
      message: expect.stringContaining(why),
    });
  });

  test.each(LIES)('%s (eStargz)', async (_, why, toc) => {
    const { layer, blob } = stargz(toc);
    await expect(readEstargz(layer, blob)).rejects.toMatchObject({
      code: 'HF-IMAGE',
      message: expect.stringContaining(why),
    });
  });

  test.each([
    ['chunks behind the table', 'lies outside its layer', chunked(table({ offset: 10_000, endOffset: 10_020 }))],
    ['a chunk that ends before it begins', 'lies outside its layer', chunked(table({ offset: 8, endOffset: 4 }))],
    [
      'chunks at the same place',
      'chunks overlap',
      chunked({
        version: 1,
        entries: [...table().entries, ...table({ name: 'g', digest: digestOf('other') }).entries],
      }),
    ],
    ['text that is not JSON', 'is not JSON', chunked('{"version":1,"entries":[')],
    ['more text than was said', 'longer than the 100 bytes', chunked(' '.repeat(1 << 20), {}, 100)],
    [
      'another digest than the annotation says',
      'another digest than the manifest says',
      chunked(table(), { 'io.github.containers.zstd-chunked.manifest-checksum': digestOf('x') }),
    ],
    [
      'no digest in the annotations',
      'its annotations are wrong',
      chunked(table(), { 'io.github.containers.zstd-chunked.manifest-checksum': 'x' }),
    ],
    [
      'a place behind the layer',
      'point outside the layer',
      chunked(table(), { 'io.github.containers.zstd-chunked.manifest-position': '9999:10:10:1' }),
    ],
    [
      'no place',
      'its annotations are wrong',
      chunked(table(), { 'io.github.containers.zstd-chunked.manifest-position': '1:2' }),
    ],
    [
      'an unknown type of table',
      'unknown type 2',
      chunked(table(), { 'io.github.containers.zstd-chunked.manifest-position': '0:21:12:2' }),
    ],
    [
      'a table of 4 GiB',
      'tables are too large',
      chunked(table(), { 'io.github.containers.zstd-chunked.manifest-position': '0:21:4294967296:1' }),
    ],
  ])('%s', async (_, why, { layer, blob }) => {
    await expect(readZstdChunked(layer, blob)).rejects.toMatchObject({
      code: 'HF-IMAGE',
      message: expect.stringContaining(why),
    });
  });

  test.each([
    ['no footer', 'no footer of eStargz', stargz(table(), { footer: Buffer.alloc(51) })],
    ['a footer that points behind the layer', 'points outside the layer', stargz(table(), { footer: footer(1 << 30) })],
    ['a footer that points to a content', 'malformed', stargz(table(), { footer: footer(0) })],
    ['another name in the tar stream', 'points elsewhere', stargz(table(), { entryName: 'etc/passwd' })],
    [
      'another digest than the annotation says',
      'another digest than the manifest says',
      stargz(table(), { digest: digestOf('x') }),
    ],
    ['chunks behind the table ', 'lies outside its layer', stargz(table({ offset: 1 << 20 }))],
  ])('%s', async (_, why, { layer, blob }) => {
    await expect(readEstargz(layer, blob)).rejects.toMatchObject({
      code: 'HF-IMAGE',
      message: expect.stringContaining(why),
    });
  });
});

test('a lie costs a sentence and no upgrade', async () => {
  const good = chunked(table());
  const bad = stargz(table({ name: '../f' }));
  const notices: string[] = [];
  const repository = {
    ...NO_REPOSITORY,
    ranges: (blob: Layer, ranges: readonly { start: number; end: number }[]) =>
      (blob === good.layer ? good : bad).blob.ranges(blob, ranges),
  };
  const image = {
    digest: digestOf('image'),
    layers: [good.layer, { ...bad.layer, diffId: digestOf('other') }],
    repository,
  };
  const found = await openSeekableLayers(image, { notice: (text) => notices.push(text) });
  expect([...found.keys()]).toEqual([good.layer.diffId]);
  expect(notices).toEqual([
    expect.stringMatching(/^layer sha256:[0-9a-f]{12}: the layer is refused: "..\/f" climbs out/),
  ]);
});

const unused = () => {
  throw new Error('not asked for');
};
const NO_REPOSITORY = {
  name: 'test',
  manifest: unused,
  document: unused,
  blob: unused,
  ranges: unused,
  referrers: async () => [],
  putBlob: unused,
  putManifest: unused,
};
