// Packs and unpacks the documents of an index. They are made once and fetched by every machine, so that they are packed
// as tightly as zstd(1) can, with a window that holds a whole document of common size.

import { decompress, throughProgram } from '../streamstage.ts';
import { readWithin, streamOf } from './bounded-read.ts';
import { INDEX_LIMITS } from './index-budget.ts';

/** @throws HoldfastError HF-TOOL-MISSING without zstd(1). */
export async function packDocument(bytes: Buffer): Promise<Buffer> {
  const parts: Buffer[] = [];
  for await (const part of throughProgram(['zstd', '-q', '-19', '-c'])(streamOf(bytes))) parts.push(part);
  return Buffer.concat(parts);
}

/** @throws HoldfastError HF-IMAGE when it is too large; otherwise as decompress does. */
export function unpackDocument(packed: Buffer, maxBytes = INDEX_LIMITS.documentBytes): Promise<Buffer> {
  return readWithin(decompress('zstd')(streamOf(packed)), maxBytes, 'its documents');
}
