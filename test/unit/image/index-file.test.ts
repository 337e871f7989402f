import { readFileSync, truncateSync, writeFileSync } from 'node:fs';
import { gunzipSync, gzipSync } from 'node:zlib';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type Digest, digestOf } from '../../../src/image/digest.ts';
import { readIndexFile, writeIndexFile } from '../../../src/image/index-file.ts';
import type { LayerEntry } from '../../../src/image/tree-index.ts';
import { temporaryDirectory } from './fixture.ts';

const image = digestOf('image');
const bytesAsText = fc.uint8Array({ maxLength: 12 }).map((bytes) => Buffer.from(bytes).toString('latin1'));
const whole = fc.nat();
const anyEntry: fc.Arbitrary<LayerEntry> = fc
  .record({
    type: fc.constantFrom('file', 'directory', 'symlink', 'hardlink', 'fifo', 'character-device', 'block-device'),
    name: bytesAsText,
    linkName: bytesAsText,
    mode: fc.nat({ max: 0o7777 }),
    uid: whole,
    gid: whole,
    sizeBytes: whole,
    mtime: fc.double({ noNaN: true, min: -1e10, max: 1e10 }).map((value) => value + 0),
    exactMtime: fc.option(fc.record({ seconds: fc.integer(), nanoseconds: fc.integer({ min: 0, max: 999_999_999 }) }), {
      nil: undefined,
    }),
    deviceMajor: whole,
    deviceMinor: whole,
    storedBytes: whole,
    xattrs: fc
      .array(fc.tuple(fc.constantFrom('user.a', 'security.capability'), fc.uint8Array({ maxLength: 20 })))
      .map((pairs) => new Map(pairs.map(([name, value]) => [name, Buffer.from(value)]))),
    sparse: fc.boolean(),
  })
  .map(({ sparse, storedBytes, ...header }): LayerEntry => {
    const isFile = header.type === 'file';
    return {
      header: { ...header, storedBytes: isFile ? storedBytes : 0, unapplied: [] },
      ...(isFile && {
        content: {
          digest: digestOf(header.name),
          sizeBytes: storedBytes,
          ...(sparse && { extents: [{ offset: 7, length: storedBytes }] }),
        },
      }),
    };
  });

test('what is written is what is read', async () => {
  const path = `${temporaryDirectory()}/index`;
  await fc.assert(
    fc.asyncProperty(fc.array(fc.array(anyEntry, { maxLength: 6 }), { maxLength: 3 }), async (layers) => {
      const index = { image, layers: layers.map((entries, i) => ({ diffId: digestOf(String(i)), entries })) };
      await writeIndexFile(path, index);
      expect(await readIndexFile(path, image)).toEqual(index);
    }),
    { numRuns: 40 },
  );
});

test('one that is not there is no error', async () => {
  expect(await readIndexFile(`${temporaryDirectory()}/index`, image)).toBeUndefined();
});

describe('a damaged one is refused', () => {
  const good = async (): Promise<string> => {
    const path = `${temporaryDirectory()}/index`;
    const entry = fc.sample(anyEntry, 3);
    await writeIndexFile(path, { image, layers: [{ diffId: digestOf('1'), entries: entry }] });
    return path;
  };
  const rewrite = (path: string, change: (text: string) => string) =>
    writeFileSync(path, gzipSync(change(gunzipSync(readFileSync(path)).toString())));

  test.each<[string, (path: string) => void, Digest]>([
    ['one of another image', () => {}, digestOf('other')],
    ['one that was cut off', (path) => truncateSync(path, 60), image],
    ['one that is empty', (path) => writeFileSync(path, ''), image],
    ['one with a line less', (path) => rewrite(path, (text) => `${text.split('\n').slice(0, 4).join('\n')}\n`), image],
    ['one with a line more', (path) => rewrite(path, (text) => `${text}{}\n`), image],
    ['one without exact times', (path) => rewrite(path, (text) => text.replace('"version":2', '"version":1')), image],
    ['one of a later version', (path) => rewrite(path, (text) => text.replace('"version":2', '"version":3')), image],
    ['one without names', (path) => rewrite(path, (text) => text.replaceAll('"n":', '"o":')), image],
    [
      'one with a wrong digest',
      (path) => rewrite(path, (text) => text.replace('"diffId":"sha256:', '"diffId":"md5:')),
      image,
    ],
    ['one that is no JSON', (path) => rewrite(path, (text) => text.replace('{"diffId"', '{diffId')), image],
  ])('%s', async (_, damage, wanted) => {
    const path = await good();
    damage(path);
    await expect(readIndexFile(path, wanted)).rejects.toMatchObject({
      code: 'HF-STATE',
      message: `the index of the installed image is damaged: ${path}`,
    });
  });
});
