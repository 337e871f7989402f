// SMBIOS tables for tests, from a description that says only what matters.

import { z } from 'zod';

/** One structure: values at offsets, as the standard counts them from the structure's first byte. */
export const structure = z.strictObject({
  type: z.number(),
  length: z.number(),
  bytes: z.record(z.string(), z.number()).default({}),
  words: z.record(z.string(), z.number()).default({}),
  texts: z.array(z.string()).default([]),
});

export function renderTable(structures: readonly z.infer<typeof structure>[]): Uint8Array {
  return Buffer.concat(
    structures.map(({ type, length, bytes, words, texts }) => {
      const body = Buffer.alloc(length);
      body[0] = type;
      body[1] = length;
      for (const [at, value] of Object.entries(words)) body.writeUInt16LE(value, Number(at));
      for (const [at, value] of Object.entries(bytes)) body.writeUInt8(value, Number(at));
      const strings = texts.length === 0 ? '\0' : texts.map((text) => `${text}\0`).join('');
      return Buffer.concat([body, Buffer.from(`${strings}\0`, 'latin1')]);
    }),
  );
}
