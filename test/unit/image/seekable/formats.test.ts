// zstd:chunked and eStargz layers, packed by the tools that invented them: their tables of contents say what their tar
// streams say, and every content can be fetched alone.

import { describe, expect, test } from 'vitest';
import type { Layer } from '../../../../src/image/blob.ts';
import { digestOf } from '../../../../src/image/digest.ts';
import { packDocument } from '../../../../src/image/seekable/document-packing.ts';
import { readEstargz } from '../../../../src/image/seekable/estargz.ts';
import { readZstdChunked } from '../../../../src/image/seekable/zstd-chunked.ts';
import type { SeekableLayer } from '../../../../src/image/tree-index.ts';
import { file, tarball } from '../tarball.ts';
import {
  allChunks,
  contentsOfTar,
  fetchAll,
  indexOfTar,
  joined,
  layerFixture,
  MemoryBlob,
  plainEntries,
  tarOf,
} from './fixture.ts';
import { noise } from './members.ts';

const LAYERS = [
  { file: 'storage-1.43.tar.zst', read: readZstdChunked },
  { file: 'storage-1.48.tar.zst', read: readZstdChunked },
  { file: 'storage-1.59.tar.zst', read: readZstdChunked },
  { file: 'estargz-0.19.tar.gz', read: readEstargz },
  { file: 'estargz-0.19-grouped.tar.gz', read: readEstargz },
];

/** eStargz has whole seconds. */
const wholeSeconds = (entries: unknown[]) =>
  entries.map((entry) =>
    typeof entry === 'object' && entry !== null && 'mtime' in entry && typeof entry.mtime === 'number'
      ? { ...entry, mtime: Math.floor(entry.mtime), exactMtime: undefined }
      : entry,
  );

async function open(file: string, read: typeof readZstdChunked, pieceBytes?: number) {
  const fixture = layerFixture(file);
  const blob = new MemoryBlob(fixture.bytes, pieceBytes);
  return { fixture, blob, seekable: await read(fixture.layer, blob) };
}

describe.each(LAYERS)('$file', ({ file, read }) => {
  test('its table of contents has the entries of its tar stream', async () => {
    const { fixture, seekable } = await open(file, read);
    const expected = plainEntries(await indexOfTar(await tarOf(fixture)));
    expect(expected.length).toBeGreaterThan(14);
    expect(plainEntries(seekable)).toEqual(file.startsWith('estargz') ? wholeSeconds(expected) : expected);
  });

  test.each([1 << 20, 777])('all of its contents come by their chunks, in pieces of %d bytes', async (pieceBytes) => {
    const { fixture, seekable } = await open(file, read, pieceBytes);
    const contents = contentsOfTar(await tarOf(fixture));
    const chunks = await fetchAll(seekable.source, allChunks(seekable));
    for (const { content } of seekable.entries) {
      if (content === undefined) continue;
      const parts: Buffer[] = [];
      for await (const part of joined(chunks)(content)) parts.push(part);
      expect(Buffer.concat(parts).equals(contents.get(content.digest) ?? Buffer.from('missing'))).toBe(true);
    }
  });

  test('one content costs its own bytes, and that is known before', async () => {
    const { fixture, blob, seekable } = await open(file, read);
    const digests = new Set(contentNamed(seekable, 'end').chunks?.map(({ digest }) => digest));
    const { fetchBytes, requests } = seekable.source.cost(digests);
    blob.requests.length = 0;
    expect((await fetchAll(seekable.source, digests)).size).toBe(1);
    expect(blob.requests.map(({ start, end }) => end - start)).toEqual([fetchBytes]);
    expect(requests).toBe(1);
    expect(fetchBytes).toBeLessThan(file.includes('grouped') ? 20_000 : 900);
    expect(seekable.source.cost(new Set())).toEqual({ fetchBytes: 0, requests: 0 });
    expect(fixture.bytes.length).toBeGreaterThan(15_000);
  });

  test('a flipped byte in its table of contents or in a chunk is found', async () => {
    const { layer, bytes } = layerFixture(file);
    const { seekable } = await open(file, read);
    for (let at = 0; at < bytes.length; at += file.startsWith('estargz') ? 499 : 2503) {
      const broken = Buffer.from(bytes);
      broken[at] = (broken[at] ?? 0) ^ 0x10;
      const blob = new MemoryBlob(broken);
      const chunks = await read(layer, blob)
        .then((found) => fetchAll(found.source, allChunks(found)))
        .catch((error: unknown) => error);
      if (chunks instanceof Map) {
        // It was between the chunks; then they are what they were.
        expect(new Set(chunks.keys())).toEqual(allChunks(seekable));
      } else {
        expect(chunks).toMatchObject({ code: expect.stringMatching(/^HF-(IMAGE|DIGEST|COMMAND)$/) });
      }
    }
  });
});

test.each(LAYERS.filter(({ file }) => file.startsWith('storage')))(
  '$file: an old version is cut as that tool cuts',
  async ({ file, read }) => {
    const { fixture, seekable } = await open(file, read);
    const { chunks, digest } = contentNamed(seekable, 'usr/large');
    const bytes = contentsOfTar(await tarOf(fixture)).get(digest);
    if (bytes === undefined || seekable.source.split === undefined) throw new Error('no content');
    expect(chunks?.length).toBeGreaterThan(3);
    for (const pieceBytes of [1000, 1 << 20]) {
      const pieces = (async function* () {
        for (let at = 0; at < bytes.length; at += pieceBytes) yield bytes.subarray(at, at + pieceBytes);
      })();
      const cut = [];
      for await (const chunk of seekable.source.split(pieces)) cut.push(chunk);
      expect(cut).toEqual(chunks);
    }
  },
);

describe('the layer that is put together', () => {
  test.each(['storage-1.48.tar.zst', 'storage-1.59.tar.zst'])(
    'is proven where the headers are there: %s',
    async (file) => {
      const { seekable } = await open(file, readZstdChunked);
      const chunks = await fetchAll(seekable.source, allChunks(seekable));
      await expect(seekable.prove?.(joined(chunks))).resolves.toBeUndefined();
      const [digest, bytes] = [...chunks].find(([, chunk]) => chunk.length > 100) ?? [];
      if (digest === undefined || bytes === undefined) throw new Error('no chunk');
      chunks.set(digest, Buffer.alloc(bytes.length, 'x'));
      await expect(seekable.prove?.(joined(chunks))).rejects.toMatchObject({ code: 'HF-DIGEST' });
    },
  );

  test.each(['storage-1.43.tar.zst', 'estargz-0.19.tar.gz'])(
    'is vouched for by the manifest otherwise: %s',
    async (file) => {
      const { seekable } = await open(file, file.startsWith('storage') ? readZstdChunked : readEstargz);
      expect(seekable.prove).toBeUndefined();
    },
  );
});

function contentNamed({ entries }: SeekableLayer, name: string) {
  const content = entries.find(({ header }) => header.name === name)?.content;
  if (content === undefined) throw new Error(`no ${name}`);
  return content;
}

describe('a sparse file in a zstd:chunked layer with tar-split data', () => {
  const runs = '8192,3000,40960,2000';
  const sparse = file('sparse', noise(1, 5000), { pax: { 'GNU.sparse.map': runs, 'GNU.sparse.size': '65536' } });
  const tar = tarball([sparse]);
  const at = tar.indexOf(noise(1, 5000));

  /** A layer whose table says that this is the content, and whose tar-split data puts it where the stored bytes are. */
  async function layerWith(content: Buffer): Promise<{ layer: Layer; blob: MemoryBlob }> {
    const packed = await packDocument(content);
    const entry = { type: 'reg', name: 'sparse', size: content.length, digest: digestOf(content), offset: 0 };
    const toc = Buffer.from(JSON.stringify({ version: 1, entries: [{ ...entry, endOffset: packed.length }] }));
    const segment = (bytes: Buffer) => JSON.stringify({ type: 2, payload: bytes.toString('base64') });
    const lines = [segment(tar.subarray(0, at)), JSON.stringify({ type: 1, name: 'sparse', size: content.length })];
    const split = Buffer.from([...lines, segment(tar.subarray(at + 5000))].join('\n'));
    const [packedToc, packedSplit] = [await packDocument(toc), await packDocument(split)];
    const blob = Buffer.concat([packed, packedToc, packedSplit]);
    const prefix = 'io.github.containers.zstd-chunked.';
    const splitAt = packed.length + packedToc.length;
    const annotations = {
      [`${prefix}manifest-position`]: `${packed.length}:${packedToc.length}:${toc.length}:1`,
      [`${prefix}manifest-checksum`]: digestOf(packedToc),
      [`${prefix}tarsplit-position`]: `${splitAt}:${packedSplit.length}:${split.length}`,
    };
    const mediaType = 'application/vnd.oci.image.layer.v1.tar+zstd';
    const layer = { mediaType, digest: digestOf(blob), sizeBytes: blob.length, annotations, diffId: digestOf(tar) };
    return { layer, blob: new MemoryBlob(blob) };
  }

  test('is proven with the content that its entry has, places included', async () => {
    const { layer, blob } = await layerWith(noise(1, 5000));
    const seekable = await readZstdChunked(layer, blob);
    const [content] = seekable.entries.map((entry) => entry.content);
    expect(content?.extents).toEqual([
      { offset: 8192, length: 3000 },
      { offset: 40960, length: 2000 },
    ]);
    const asked: unknown[] = [];
    await seekable.prove?.(async function* (wanted) {
      asked.push(wanted);
      yield noise(1, 5000);
    });
    expect(asked).toEqual([content]);
  });

  test('is refused when the table speaks of it with its holes: that is not what the layer holds', async () => {
    const whole = Buffer.alloc(65536);
    noise(1, 5000).copy(whole, 8192, 0, 3000);
    noise(1, 5000).copy(whole, 40960, 3000);
    const { layer, blob } = await layerWith(whole);
    await expect(readZstdChunked(layer, blob)).rejects.toMatchObject({
      code: 'HF-IMAGE',
      message: expect.stringContaining('does not stand where its file begins'),
    });
  });
});
