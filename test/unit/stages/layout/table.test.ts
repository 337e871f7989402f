// Partition tables as sfdisk prints and takes them, and what is noticed when one is read back.

import { describe, expect, it, test } from 'vitest';
import { MIB } from '../../../../src/slots/partitions.ts';
import { markerUuid, progressType } from '../../../../src/stages/layout/progress.ts';
import {
  parseTable,
  partitionNode,
  sfdiskLine,
  type TablePartition,
  tableDifference,
} from '../../../../src/stages/layout/table.ts';
import { URL_NAMESPACE, uuidV5 } from '../../../../src/stages/layout/uuid.ts';
import { requestOf } from './model-disk.ts';

/** sfdisk 2.38, `sfdisk --json` of a disk of 600 MiB. */
const GPT = {
  partitiontable: {
    label: 'gpt',
    id: '11111111-2222-3333-4444-555555555555',
    device: '/dev/loop0',
    unit: 'sectors',
    firstlba: 2048,
    lastlba: 1228766,
    sectorsize: 512,
    partitions: [
      {
        node: '/dev/loop0p1',
        start: 2048,
        size: 204800,
        type: '0FC63DAF-8483-4772-8E79-3D69D8477DE4',
        uuid: '50048F6C-C325-644F-B28B-32BDD09626A4',
        name: 'a"bä c',
        attrs: 'RequiredPartition',
      },
    ],
  },
};

describe('reading', () => {
  test('a GPT', () => {
    expect(parseTable(GPT, 600 * MIB)).toEqual({
      kind: 'gpt',
      id: '11111111-2222-3333-4444-555555555555',
      sectorBytes: 512,
      // What sfdisk says is its last usable sector is the one before.
      endBytes: 1228767 * 512,
      maxPartitions: 128,
      partitions: [
        {
          number: 1,
          startBytes: MIB,
          sizeBytes: 100 * MIB,
          typeId: '0FC63DAF-8483-4772-8E79-3D69D8477DE4',
          uuid: '50048F6C-C325-644F-B28B-32BDD09626A4',
          name: 'a"bä c',
          attributes: 'RequiredPartition',
        },
      ],
    });
  });

  test('a GPT on a disk that has grown since ends where it will end when it is written', () => {
    expect(parseTable(GPT, 1000 * MIB)).toMatchObject({ endBytes: 1000 * MIB - 33 * 512 });
  });

  test('a GPT with sectors of 4096 bytes', () => {
    const table = { partitiontable: { ...GPT.partitiontable, sectorsize: 4096 } };
    expect(parseTable(table, 1000 * MIB)).toMatchObject({
      endBytes: 1000 * MIB - 5 * 4096,
      partitions: [{ startBytes: 2048 * 4096, sizeBytes: 204800 * 4096 }],
    });
  });

  test('an msdos table ends at 2 TiB and has four partitions', () => {
    const partitions = [{ node: 'disk.img3', start: 2048, size: 20480, type: '0C', bootable: true }];
    const table = { partitiontable: { label: 'dos', id: '0xbce58b4f', unit: 'sectors', partitions } };
    expect(parseTable(table, 3 * 2 ** 40)).toMatchObject({
      kind: 'dos',
      endBytes: (2 ** 32 - 1) * 512,
      maxPartitions: 4,
      partitions: [{ number: 3, typeId: 'c', bootable: true }],
    });
  });

  it.each([
    ['another kind', { partitiontable: { label: 'sun' } }, { other: 'sun' }],
    ['no object', null, undefined],
    ['something else', { partitiontable: [] }, undefined],
    [
      'entries that are none',
      { partitiontable: { label: 'gpt', partitions: [null, {}, { node: 'x1', start: '1', size: 2, type: 'A' }] } },
      expect.objectContaining({ partitions: [] }),
    ],
  ])('%s', (_, json, expected) => {
    expect(parseTable(json, MIB)).toEqual(expected);
  });
});

const partition: TablePartition = { number: 3, startBytes: MIB, sizeBytes: 2 * MIB, typeId: 'AB' };

describe('writing', () => {
  test('a line for sfdisk', () => {
    const full = { ...partition, uuid: 'U', name: 'a b"\\\n\'ä$', attributes: 'RequiredPartition', bootable: true };
    expect(sfdiskLine(full, 512, '/dev/sdx')).toBe(
      '/dev/sdx3 : start=2048, size=4096, type=AB, uuid=U, name="a\\x20b\\x22\\x5c\\x0a\\x27\\xc3\\xa4\\x24", attrs="RequiredPartition", bootable\n',
    );
    expect(sfdiskLine(partition, 4096)).toBe('start=256, size=512, type=AB\n');
  });

  test('a partition of a device whose name ends in a digit has a p in between', () => {
    expect(partitionNode('/dev/nvme0n1', 2)).toBe('/dev/nvme0n1p2');
    expect(partitionNode('/dev/sda', 2)).toBe('/dev/sda2');
  });
});

describe('reading back', () => {
  const other: TablePartition = { number: 1, startBytes: 9, sizeBytes: 9, typeId: 'T', uuid: 'U', name: 'n' };
  it.each<[string, TablePartition[], string | undefined]>([
    ['as it was written', [other, partition], undefined],
    ['with a UUID that was left to sfdisk', [other, { ...partition, uuid: 'V' }], undefined],
    ['moved', [{ ...other, startBytes: 8 }, partition], 'partition 1 has startBytes 8 instead of 9'],
    ['renamed', [{ ...other, name: 'm' }, partition], 'partition 1 has name m instead of n'],
    ['another', [{ ...other, uuid: 'W' }, partition], 'partition 1 has uuid W instead of U'],
    ['gone', [partition], 'partition 1 is not there'],
    ['one more', [other, partition, { ...partition, number: 4 }], 'partition 4 has appeared'],
    ['bootable', [other, { ...partition, bootable: true }], 'partition 3 has another boot flag'],
  ])('%s', (_, found, expected) => {
    expect(tableDifference([other, partition], found)).toBe(expected);
  });
});

describe('marks', () => {
  const { partitions } = requestOf({ add_partitions: [{ size: 64 }, { size: 64 }, { fsLabel: 'A', size: 64 }] });
  const [first, second, labelled] = partitions;

  test('name-based UUIDs are those of the RFC', () => {
    // RFC 9562, appendix A.4, has this name in the namespace for DNS.
    expect(uuidV5('6ba7b810-9dad-11d1-80b4-00c04fd430c8', 'www.example.com')).toBe(
      '2ED6657D-E927-568B-95E1-2665A8AEA6A2',
    );
    expect(uuidV5(URL_NAMESPACE, 'YIP_DISK')).toMatch(
      /^[0-9A-F]{8}-[0-9A-F]{4}-5[0-9A-F]{3}-[89AB][0-9A-F]{3}-[0-9A-F]{12}$/,
    );
  });

  test('the type of a partition in progress says which entry it is', () => {
    if (first === undefined || second === undefined || labelled === undefined) throw new Error('three entries');
    const types = [first, second, labelled].map((entry) => progressType('gpt', entry));
    expect(new Set(types).size).toBe(3);
    for (const type of types) expect(type).toMatch(/^484F4C44-4641-5354-[0-9A-F]{4}-[0-9A-F]{12}$/);
    expect(Buffer.from(types[0]?.slice(0, 18).replaceAll('-', '') ?? '', 'hex').toString()).toBe('HOLDFAST');
  });

  test('entries without a label have a UUID, each its own on each disk', () => {
    if (first === undefined || second === undefined || labelled === undefined) throw new Error('three entries');
    const one = { kind: 'gpt', id: '9F2C37C1-8D5B-4B22-8C7E-0D4D2E7E9A11' } as const;
    const two = { kind: 'gpt', id: '9F2C37C1-8D5B-4B22-8C7E-0D4D2E7E9A12' } as const;
    expect(new Set([markerUuid(one, first), markerUuid(one, second), markerUuid(two, first)]).size).toBe(3);
    expect(markerUuid(one, labelled)).toBeUndefined();
  });
});
