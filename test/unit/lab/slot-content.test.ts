import { expect, test } from 'vitest';
import { BLOCK, compareSlot, type SlotContent } from '../../../lab/crash/slot-content.ts';

const content = Buffer.alloc(3 * BLOCK, 7);
const EXPECTED: SlotContent = {
  uuid: '',
  sizeBytes: 8 * BLOCK,
  // The block between the two used runs belongs to nobody.
  stretches: [
    {
      offset: 2 * BLOCK,
      size: 5 * BLOCK,
      used: [
        { offset: 0, content },
        { offset: 4 * BLOCK, content: Buffer.alloc(BLOCK, 9) },
      ],
    },
  ],
};

function file(change: (bytes: Buffer) => void = () => {}): (offset: number, size: number) => Buffer {
  const bytes = Buffer.alloc(8 * BLOCK);
  content.copy(bytes, 2 * BLOCK);
  bytes.fill(9, 6 * BLOCK, 7 * BLOCK);
  change(bytes);
  return (offset, size) => bytes.subarray(offset, offset + size);
}

test('blocks that nobody uses may hold anything', () => {
  expect(
    compareSlot(
      EXPECTED,
      file((bytes) => bytes.fill(1, 5 * BLOCK, 6 * BLOCK)),
    ),
  ).toBeUndefined();
});

test('one byte of a used block is enough', () => {
  expect(
    compareSlot(
      EXPECTED,
      file((bytes) => bytes.fill(1, 3 * BLOCK, 3 * BLOCK + 1)),
    ),
  ).toBe('1 of its blocks from 3 on are different');
});

test('blocks that never reached the disk are told from others', () => {
  expect(
    compareSlot(
      EXPECTED,
      file((bytes) => bytes.fill(0, 2 * BLOCK, 5 * BLOCK)),
    ),
  ).toBe('3 of its blocks from 2 on are zero');
});

test('a file that is too short is not the system', () => {
  const read = file();
  expect(compareSlot(EXPECTED, (offset, size) => read(offset, size - BLOCK))).toBe(`it ends at byte ${6 * BLOCK}`);
});
