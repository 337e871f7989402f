import { gzipSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import type { Layer } from '../../../src/image/blob.ts';
import { digestOf } from '../../../src/image/digest.ts';
import {
  estimateImage,
  figuresOfTar,
  lengthInGzipTrailer,
  lengthInZstdHeader,
  type RangeSource,
  tarLength,
} from '../../../src/image/estimate.ts';
import { openLayout } from '../../../src/image/layout.ts';
import { layerType } from '../../../src/image/mediatypes.ts';
import { openTree } from '../../../src/image/tree.ts';
import { HoldfastError } from '../../../src/system/errors.ts';
import { temporaryDirectory, writeLayers } from './fixture.ts';
import { file } from './tarball.ts';

const MB = 1 << 20;

function layerOf(compression: 'none' | 'gzip' | 'zstd', sizeBytes: number): Layer {
  const digest = digestOf(Buffer.from(String(sizeBytes)));
  return { mediaType: layerType(compression), digest, diffId: digest, sizeBytes };
}

/** Gives the same bytes for every range, and remembers what was asked for. */
function source(bytes: Buffer | HoldfastError): RangeSource & { asked: { start: number; end: number }[] } {
  const asked: { start: number; end: number }[] = [];
  return {
    asked,
    async *ranges(_, ranges) {
      asked.push(...ranges);
      if (!Buffer.isBuffer(bytes)) throw bytes;
      // As a network may cut them.
      for (const [index] of [...bytes].entries()) yield { start: index, data: bytes.subarray(index, index + 1) };
    },
  };
}

const uint32 = (value: number) => {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(value);
  return bytes;
};

/** A zstd frame's first bytes, in the hexadecimal of RFC 8878, filled up to what is asked for. */
const frame = (hex: string) => Buffer.concat([Buffer.from(`28b52ffd${hex}`, 'hex'), Buffer.alloc(18)]).subarray(0, 18);

describe('the length in the last bytes of a gzip file', () => {
  test('is what gzip writes there', () => {
    const packed = gzipSync(Buffer.alloc(5 * MB, 'abcdefg'), { level: 1 });
    expect(lengthInGzipTrailer(packed.subarray(-4), 2 * MB)).toBe(5 * MB);
  });

  test.each<[string, number, number, number | undefined]>([
    ['counts from zero again after 4 GiB', 1024 * MB, 1800 * MB, 5120 * MB],
    ['is taken as it is where that is nearer', 3000 * MB, 1200 * MB, 3000 * MB],
    ['is that of the last member alone where it is smaller than the file', 5000, 100 * MB, undefined],
    ['is no answer when it would be a hundred times the file', 1000 * MB, 10 * MB, undefined],
  ])('%s', (_, stated, packed, expected) => {
    expect(lengthInGzipTrailer(uint32(stated), packed)).toBe(expected);
  });

  test('is no answer when bytes are missing', () => {
    expect(lengthInGzipTrailer(Buffer.alloc(3), MB)).toBeUndefined();
  });
});

describe('the length in the first bytes of a zstd file', () => {
  test.each<[string, string, number, number | undefined]>([
    ['in one byte of a single segment', '20ff', 200, 255],
    ['in two bytes', '400000ff', 300, undefined],
    ['in two bytes, counted from 256', '4000ff0f', 2000, 0x0fff + 256],
    ['in four bytes', 'a000000004', 30 * MB, 64 * MB],
    ['in four bytes after the window', '805800000004', 30 * MB, 64 * MB],
    ['in eight bytes after a dictionary of four', 'c358dddddddd0000000400000000', 30 * MB, 64 * MB],
    ['missing, as streams are packed', '0458', 30 * MB, undefined],
    ['that can not be true', 'c058ffffffffffffffff', 30 * MB, undefined],
  ])('%s', (_, hex, packed, expected) => {
    expect(lengthInZstdHeader(frame(hex), packed)).toBe(expected);
  });

  test('is no answer in something else', () => {
    expect(lengthInZstdHeader(Buffer.alloc(18, 0x1f), MB)).toBeUndefined();
  });
});

describe('the length of a tar stream', () => {
  test('of a layer that is not packed is its size, and nothing is asked for', async () => {
    const asked = source(Buffer.alloc(0));
    expect(await tarLength(layerOf('none', 7 * MB), asked, undefined)).toEqual({ bytes: 7 * MB, isGuess: false });
    expect(asked.asked).toEqual([]);
  });

  test('of a gzip layer takes its last four bytes', async () => {
    const asked = source(uint32(20 * MB));
    expect(await tarLength(layerOf('gzip', 7 * MB), asked, undefined)).toEqual({ bytes: 20 * MB, isGuess: false });
    expect(asked.asked).toEqual([{ start: 7 * MB - 4, end: 7 * MB }]);
  });

  test('of a zstd layer takes its first bytes', async () => {
    const asked = source(frame('a000000004'));
    expect(await tarLength(layerOf('zstd', 30 * MB), asked, undefined)).toEqual({ bytes: 64 * MB, isGuess: false });
    expect(asked.asked).toEqual([{ start: 0, end: 18 }]);
  });

  test.each<[string, RangeSource | undefined]>([
    ['no parts can be read', undefined],
    ['the registry refuses to send parts', source(new HoldfastError('HF-UNSUPPORTED', 'no ranges'))],
    ['what is sent is nonsense', source(uint32(5))],
  ])('is guessed where %s', async (_, from) => {
    expect(await tarLength(layerOf('gzip', 7 * MB), from, undefined)).toEqual({ bytes: 21 * MB, isGuess: true });
  });

  test('is guessed for small layers without a request', async () => {
    const asked = source(uint32(20 * MB));
    expect(await tarLength(layerOf('gzip', 1000), asked, undefined)).toEqual({ bytes: 3000, isGuess: true });
    expect(asked.asked).toEqual([]);
  });

  test('that can not be asked for is an error where the network fails', async () => {
    const broken = source(new HoldfastError('HF-NETWORK', 'gone'));
    await expect(tarLength(layerOf('gzip', 7 * MB), broken, undefined)).rejects.toMatchObject({ code: 'HF-NETWORK' });
  });
});

describe('the estimate of an image', () => {
  test('of a tree is what it measures', async () => {
    const directory = temporaryDirectory();
    await writeLayers(`${directory}/layout`, 'v1', [[file('a', 'x')]]);
    const estimate = await estimateImage(openTree(`${directory}/layout`));
    expect(estimate).toMatchObject({ exact: true, compressedBytes: 0 });
    expect(estimate.entries).toBeGreaterThan(5);
  });

  test('adds up its layers, without those that are there and those that an index knows', async () => {
    const directory = temporaryDirectory();
    const layers = [
      [file('a', Buffer.alloc(3 * MB, 'a'))],
      [file('b', Buffer.alloc(5 * MB, 'b'))],
      [file('c', Buffer.alloc(2 * MB, 'c'))],
    ];
    await writeLayers(`${directory}/layout`, 'v1', layers, 'none');
    const image = await openLayout(`${directory}/layout`);
    const third = image.layers[2];
    const estimate = await estimateImage(image, {
      skipLayers: 1,
      known: (layer) => (layer === third ? { contentBytes: 2 * MB, entries: 1 } : undefined),
    });
    const second = figuresOfTar(5 * MB + 1536);
    expect(estimate).toEqual({
      contentBytes: second.contentBytes + 2 * MB,
      entries: second.entries + 1,
      compressedBytes: 7 * MB + 2 * 1536,
      exact: false,
      basis: 'the unpacked size of its layers',
    });
    expect(await estimateImage(image, { known: () => ({ contentBytes: 4096, entries: 2 }) })).toMatchObject({
      contentBytes: 3 * 4096,
      entries: 6,
      exact: true,
      basis: 'its files',
    });
  });
});
