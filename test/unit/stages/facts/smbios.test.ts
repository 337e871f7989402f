// The firmware's table: odd modules and whatever else a vendor may have put there.

import fc from 'fast-check';
import { expect, it } from 'vitest';
import { parseSmbios } from '../../../../src/stages/facts/smbios.ts';
import { renderTable, structure } from './smbios-table.ts';

const memoryOf = (...structures: unknown[]) =>
  parseSmbios(renderTable(structures.map((each) => structure.parse(each)))).memoryMebibytes;

it.each<[string, unknown[], number]>([
  ['an empty slot', [{ type: 17, length: 34, words: { 12: 0 } }], 0],
  ['an unknown size', [{ type: 17, length: 34, words: { 12: 0xffff } }], 0],
  ['a size in kibibytes', [{ type: 17, length: 34, words: { 12: 0x8001 } }], 0],
  ['an extended size that is cut off', [{ type: 17, length: 28, words: { 12: 0x7fff } }], 0],
  ['a structure of an old standard', [{ type: 17, length: 21, words: { 12: 512 } }], 512],
  [
    'address ranges when no module is known',
    [
      { type: 19, length: 31, words: { 4: 0, 8: 0xffff, 10: 0x000f } },
      { type: 19, length: 31, words: { 4: 0xffff, 6: 0xffff, 8: 0xffff, 10: 0xffff, 15: 0, 23: 0xffff, 25: 0x3fff } },
    ],
    1024 + 1024,
  ],
  [
    'modules before address ranges',
    [
      { type: 17, length: 34, words: { 12: 512 } },
      { type: 19, length: 31, words: { 8: 0xffff, 10: 0x000f } },
    ],
    512,
  ],
])('%s: %j is %i MiB', (_, structures, size) => {
  expect(memoryOf(...structures)).toBe(size);
});

it('no table makes it fail or run on', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 400 }), (bytes) => {
      const { memoryMebibytes, processorMegahertz } = parseSmbios(bytes);
      expect(memoryMebibytes).toBeGreaterThanOrEqual(0);
      expect(processorMegahertz).toBeGreaterThanOrEqual(0);
    }),
    { numRuns: 2000 },
  );
});
