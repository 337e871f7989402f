import { expect, test } from 'vitest';
import { showDiskReport } from '../../../bench/media/disk.ts';
import { showMediaReport } from '../../../bench/media.ts';

test('each compression has a line, with the median of its runs and what it costs more than the plain tools', () => {
  const cost = (plainSeconds: number, isoSeconds: number) => ({
    plainSeconds,
    isoSeconds,
    plainBytes: 100 * 2 ** 20,
    isoBytes: 130 * 2 ** 20,
  });
  const lines = showMediaReport({ lz4: [cost(2, 4), cost(4, 6), cost(3, 9)], gzip: [cost(10, 12)], zstd: [] });
  expect(lines.map((line) => line.trim().split(/ {2,}/))).toEqual([
    ['plain s', 'build-iso s', 'ratio', 'plain MiB', 'build-iso MiB'],
    ['lz4', '3.0 (2.0–4.0)', '6.0 (4.0–9.0)', '2.00', '100.0', '130.0'],
    ['gzip', '10.0', '12.0', '1.20', '100.0', '130.0'],
  ]);
});

test('each disk has a line, with what it costs more than one file system', () => {
  const cost = (seconds: number) => ({ seconds, bytes: 2 ** 30 });
  const lines = showDiskReport({ 'mkfs.ext4': [cost(2)], whole: [cost(6), cost(8), cost(7)], expandable: [cost(3)] });
  expect(lines.map((line) => line.trim().split(/ {2,}/))).toEqual([
    ['s', 'ratio', 'MiB'],
    ['mkfs.ext4', '2.0', '1.00', '1024.0'],
    ['whole', '7.0 (6.0–8.0)', '3.50', '1024.0'],
    ['expandable', '3.0', '1.50', '1024.0'],
  ]);
});
