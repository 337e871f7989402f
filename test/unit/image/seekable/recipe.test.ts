// Recipes: a tar stream that was taken apart goes together again, byte for byte, and its entries can be read without its
// contents. The documents that hold recipes give them back, and anything else is refused.

import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type Digest, digestOf } from '../../../../src/image/digest.ts';
import { IndexBudget } from '../../../../src/image/seekable/index-budget.ts';
import { decodeIndexDocument, encodeIndexDocument } from '../../../../src/image/seekable/index-document.ts';
import type { PackedChunk } from '../../../../src/image/seekable/packed-chunk.ts';
import {
  entriesOfRecipe,
  layerFromRecipe,
  type Recipe,
  type RecipePiece,
} from '../../../../src/image/seekable/recipe.ts';
import { makeRecipe } from '../../../../src/image/seekable/recipe-maker.ts';
import { HoldfastError } from '../../../../src/system/errors.ts';
import { file, header, padded, tarball } from '../tarball.ts';
import { indexOfTar, joined, plainEntries } from './fixture.ts';
import { noise, tarballs } from './members.ts';

async function takeApart(tar: Buffer, pieceBytes = 10_000): Promise<{ recipe: Recipe; chunks: Map<Digest, Buffer> }> {
  const chunks = new Map<Digest, Buffer>();
  const stream = (async function* () {
    for (let at = 0; at < tar.length; at += pieceBytes) yield Buffer.from(tar.subarray(at, at + pieceBytes));
  })();
  const recipe = await makeRecipe(digestOf(tar), stream, {
    begin: () => {},
    chunk: async ({ digest }, bytes) => void chunks.set(digest, Buffer.from(bytes)),
    end: () => {},
  });
  return { recipe, chunks };
}

async function putTogether(recipe: Recipe, chunks: ReadonlyMap<Digest, Buffer>): Promise<Buffer> {
  const parts: Buffer[] = [];
  for await (const part of layerFromRecipe(recipe, joined(chunks))) parts.push(Buffer.from(part));
  return Buffer.concat(parts);
}

/** Every chunk somewhere, in an order of its own. */
function placesFor(chunks: ReadonlyMap<Digest, Buffer>): Map<Digest, PackedChunk> {
  let start = 0;
  const places = new Map<Digest, PackedChunk>();
  for (const [digest, bytes] of [...chunks].sort(([one], [other]) => (one < other ? -1 : 1))) {
    const end = start + 1 + Math.floor(bytes.length / 2);
    places.set(digest, { digest, sizeBytes: bytes.length, start, end });
    start = end;
  }
  return places;
}

describe('any tar stream', () => {
  test('goes together again, however it arrived', async () => {
    await fc.assert(
      fc.asyncProperty(tarballs, fc.integer({ min: 300, max: 400_000 }), async (tar, pieceBytes) => {
        const { recipe, chunks } = await takeApart(tar, pieceBytes);
        expect((await putTogether(recipe, chunks)).equals(tar)).toBe(true);
      }),
      { numRuns: 60 },
    );
  });

  test('has the entries that its recipe tells without contents', async () => {
    await fc.assert(
      fc.asyncProperty(tarballs, async (tar) => {
        const { recipe, chunks } = await takeApart(tar);
        const { entries, inline } = entriesOfRecipe(recipe);
        expect(plainEntries({ diffId: recipe.diffId, entries })).toEqual(plainEntries(await indexOfTar(tar)));
        for (const { content } of entries) {
          const pieces = (content?.chunks ?? []).map(({ digest }) => chunks.get(digest) ?? inline.get(digest));
          if (content !== undefined)
            expect(digestOf(Buffer.concat(pieces.map((piece) => piece ?? Buffer.from('?'))))).toBe(content.digest);
        }
      }),
      { numRuns: 60 },
    );
  });

  test('comes back from a document, with the places of its chunks', async () => {
    await fc.assert(
      fc.asyncProperty(tarballs, async (tar) => {
        const { recipe, chunks } = await takeApart(tar);
        const places = placesFor(chunks);
        const last = [...places.values()].at(-1)?.end ?? 0;
        const document = decodeIndexDocument(encodeIndexDocument(recipe, places), last);
        expect((await putTogether(document.recipe, chunks)).equals(tar)).toBe(true);
        expect(document.recipe.diffId).toBe(recipe.diffId);
        expect(new Map(document.packed.map((chunk) => [chunk.digest, chunk]))).toEqual(places);
      }),
      { numRuns: 40 },
    );
  });
});

describe('contents', () => {
  const tar = tarball([file('a', noise(1, 3000)), file('b', 'x')]);

  test.each([
    ['another content', (bytes) => Buffer.alloc(bytes.length)],
    ['a content that is too long', (bytes) => Buffer.concat([bytes, bytes])],
    ['nothing', () => Buffer.alloc(0)],
  ] satisfies [string, (bytes: Buffer) => Buffer][])('%s makes no layer', async (_, change) => {
    const { recipe, chunks } = await takeApart(tar);
    for (const [digest, bytes] of chunks) chunks.set(digest, change(bytes));
    await expect(putTogether(recipe, chunks)).rejects.toMatchObject({ code: 'HF-DIGEST' });
  });

  test('a recipe for another layer makes no layer', async () => {
    const { recipe, chunks } = await takeApart(tar);
    await expect(putTogether({ ...recipe, diffId: digestOf('other') }, chunks)).rejects.toMatchObject({
      code: 'HF-DIGEST',
    });
  });
});

/** Pieces of one file that has 700 bytes, and a content that would fit. */
const HEADER = header({ name: 'f', content: Buffer.alloc(700) });
const content = (sizeBytes: number) => ({ digest: digestOf(noise(1, sizeBytes)), sizeBytes, chunks: [] });
const REST = padded(Buffer.alloc(700)).subarray(700);
const END = Buffer.alloc(1024);

test.each([
  ['a content where a header belongs', [content(512), END]],
  ['a content that is shorter than its file', [HEADER, content(699), Buffer.alloc(1), REST, END]],
  ['a content that is longer than its file', [HEADER, content(701), REST.subarray(1), END]],
  ['a content in the middle of a file', [HEADER, Buffer.alloc(100), content(600), REST, END]],
  ['two contents for a file', [HEADER, content(350), content(350), REST, END]],
  ['a content in the middle of a header', [HEADER.subarray(0, 100), content(412), Buffer.alloc(700), REST, END]],
  ['a content in place of the padding', [HEADER, content(700), content(REST.length), END]],
  ['a content of a file without content', [header({ name: 'empty' }), content(5), END]],
  ['an end too early', [HEADER, content(700), REST, HEADER.subarray(0, 200)]],
  ['a content for a symlink', [header({ name: 'l', flag: '2', linkName: 'f', size: 700 }), content(700), REST, END]],
] satisfies [string, RecipePiece[]][])('a recipe is refused that has %s', (_, pieces) => {
  expect(() => entriesOfRecipe({ pieces })).toThrowError(HoldfastError);
  expect(entriesOfRecipe({ pieces: [HEADER, content(700), REST, END] }).entries).toHaveLength(1);
});

test('a damaged document is refused or gives some recipe, and nothing else happens', async () => {
  const { recipe, chunks } = await takeApart(
    tarball([file('a', noise(1, 300_000)), file('b', noise(2, 900)), file('c', noise(2, 900))]),
  );
  const bytes = encodeIndexDocument(recipe, placesFor(chunks));
  fc.assert(
    fc.property(fc.nat(bytes.length - 1), fc.integer({ min: 1, max: 255 }), fc.boolean(), (at, mask, isCut) => {
      const damaged = Buffer.from(isCut ? bytes.subarray(0, at) : bytes);
      if (!isCut) damaged[at] = (damaged[at] ?? 0) ^ mask;
      try {
        entriesOfRecipe(decodeIndexDocument(damaged, 1 << 20).recipe);
        expect(isCut).toBe(false);
      } catch (error) {
        if (!(error instanceof HoldfastError)) throw error;
        expect(error.code).toMatch(/^HF-(IMAGE|UNSUPPORTED)$/);
      }
    }),
    { numRuns: 400 },
  );
});

describe('what documents take is counted over all of them', () => {
  const tar = tarball([file('a', noise(1, 300_000)), file('b', noise(2, 900)), file('c', 'small')]);

  test.each([
    [{ entries: 3 }, 'have more than 3 entries'],
    [{ entries: 5 }, 'more entries than the 2 that are left for it'],
    [{ chunks: 5 }, 'have more than 5 chunks'],
    [{ parts: 5 }, 'have more than 5 chunks in contents'],
  ])('%j', async (limits, message) => {
    const { recipe, chunks } = await takeApart(tar);
    expect(chunks.size).toBe(3);
    const bytes = encodeIndexDocument(recipe, new Map());
    const read = (budget: IndexBudget) => {
      const { recipe: read } = decodeIndexDocument(bytes, 0, budget);
      budget.take('entries', entriesOfRecipe(read, budget.left('entries')).entries.length);
    };
    const enough = new IndexBudget({ entries: 6, chunks: 2 * chunks.size, parts: 2 * chunks.size });
    read(enough);
    read(enough);
    const budget = new IndexBudget(limits);
    read(budget);
    expect(() => read(budget)).toThrow(expect.objectContaining({ message: expect.stringContaining(message) }));
  });

  test('more contents than the layer has places for are refused', () => {
    // Two contents of one chunk, and a stream that has none of them.
    const columns = [[0], [1, 0, 1, 1], [1], [0]];
    const head = [0, 2, 1, ...columns.map((column) => column.length)];
    const document = Buffer.concat([
      Buffer.from('HFINDEX1'),
      Buffer.alloc(32),
      Buffer.from([...head, ...columns.flat()]),
      Buffer.alloc(32),
    ]);
    expect(() => decodeIndexDocument(document, 0)).toThrow(/contents that are nowhere in the layer/);
  });
});
