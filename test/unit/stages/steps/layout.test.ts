// `layout` in a plan: what it would do, in the order in which it would, without looking at any disk.

import { expect, it } from 'vitest';
import { layout } from '../../../../src/stages/steps/layout.ts';

const path = '/dev/sdx';

it.each([
  [{}, ['nothing: no device is named']],
  [{ device: {}, expand_partition: {} }, ['nothing: no device is named']],
  [
    { device: { label: 'COS_STATE', path }, expand_partition: {} },
    ['the disk with the label COS_STATE: expand the last partition to all that is left'],
  ],
  [
    {
      device: { path },
      add_partitions: [{ fsLabel: 'A', pLabel: 'a', size: 64 }, { filesystem: 'xfs' }],
      expand_partition: { size: 0 },
    },
    [
      '/dev/sdx: add the partition A (ext4, 64 MiB) unless it is there',
      '/dev/sdx: add a partition (xfs, all that is left) unless it is there',
      '/dev/sdx: expand the last partition to all that is left',
    ],
  ],
  [
    {
      device: { path, init_disk: true },
      add_partitions: [{ pLabel: 'a', filesystem: '-' }],
      expand_partition: { size: 512 },
    },
    [
      '/dev/sdx: write a new partition table unless it is YIP_DISK already',
      '/dev/sdx: expand the last partition to 512 MiB',
      '/dev/sdx: add the partition a (-, all that is left) unless it is there',
    ],
  ],
])('%j', (value, lines) => {
  expect(layout.describe(value)).toEqual(lines);
});
