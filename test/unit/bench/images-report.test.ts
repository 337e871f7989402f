// The images bench's report: medians, and shares of the packed image and of the tree.

import { expect, test } from 'vitest';
import { type ImagesReport, showImagesReport } from '../../../bench/images.ts';

const MB = 1e6;
const fill = (seconds: number, temporaryMb: number) => ({
  seconds,
  memoryBytes: 100 * MB,
  writtenBytes: 600 * MB,
  peakBytes: (600 + temporaryMb) * MB,
  leftBytes: 600 * MB,
});
const upgrade = (fetchedMb: number, writtenMb: number) => ({
  seconds: 5,
  memoryBytes: 80 * MB,
  fetchedBytes: fetchedMb * MB,
  writtenBytes: writtenMb * MB,
});

const REPORT: ImagesReport = {
  image: { packedBytes: 200 * MB, tarBytes: 610 * MB, treeBytes: 600 * MB, updatedBytes: 7 * MB, indexBytes: 2 * MB },
  pulls: {
    'holdfast pull': [fill(4, 0), fill(6, 0), fill(5, 1)],
    'skopeo copy + umoci unpack': [fill(10, 200), fill(20, 200), fill(11, 200)],
    'podman pull': [fill(9, 150)],
  },
  upgrades: {
    'plain layer': [upgrade(200, 600)],
    'with an index': [upgrade(2, 18), upgrade(4, 18)],
    'zstd:chunked layer': [upgrade(3, 18)],
    'nothing changed': [upgrade(0.001, 2)],
  },
  others: { rsync: 2 * MB, casync: 3.5 * MB },
};

test('shows medians with their spread, and shares of the whole', () => {
  const lines = showImagesReport(REPORT);
  expect(lines[0]).toBe(
    'The image: 200 MB packed, 610 MB unpacked, 600 MB on a disk. The update: openssh-client, 7.0 MB of files.',
  );
  expect(lines).toContain('| holdfast pull | 5.0 (4.0–6.0) | 0.45 | 100 | 600 | 0 (0–1) |');
  expect(lines).toContain('| skopeo copy + umoci unpack | 11.0 (10.0–20.0) | 1.00 | 100 | 600 | 200 |');
  expect(lines).toContain('| with an index | 5.0 | 3.00 (2.00–4.00) | 1.5 % | 18.0 | 3.0 % | 80 |');
  expect(lines).toContain('| nothing changed | 5.0 | 0.00 | 0.0 % | 2.0 | 0.3 % | 80 |');
  expect(lines).toContain('| casync | | 3.50 | 1.8 % | | | |');
});
