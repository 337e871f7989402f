// The "tar-split" data of newer zstd:chunked layers (vbatts/tar-split, tar/storage): a JSON document per line, either bytes
// of the tar stream or a file whose content stands there. Together with the table of contents it is a recipe of the layer.

import { z } from 'zod';
import { badIndex } from './bad-index.ts';
import type { RecipePiece } from './recipe.ts';
import { contentOf, type TocFile } from './toc.ts';

const FILE = 1;
const SEGMENT = 2;

const lineSchema = z.object({
  type: z.union([z.literal(FILE), z.literal(SEGMENT)]),
  name: z.string().optional(),
  /** Base64, instead of the name where that is not UTF-8. */
  name_raw: z.string().optional(),
  size: z.number().int().nonnegative().optional(),
  /** Base64: bytes of the stream, or a checksum of the content that isn't needed here. */
  payload: z.string().nullish(),
});

/**
 * The recipe of a layer.
 * @param files of the layer's table of contents: which content belongs where.
 * @throws HoldfastError HF-IMAGE
 */
export function parseTarSplit(text: Buffer, files: readonly TocFile[]): RecipePiece[] {
  // The order of the table is not promised; of files with the same name it is all there is.
  const byName = new Map<string, TocFile[]>();
  for (const file of files) {
    if (file.pieces.length === 0) continue;
    const same = byName.get(file.entry.name);
    if (same === undefined) byName.set(file.entry.name, [file]);
    else same.push(file);
  }
  const pieces: RecipePiece[] = [];
  for (const line of linesOf(text)) {
    const { type, name, name_raw: rawName, size = 0, payload } = parseLine(line);
    if (type === SEGMENT) {
      const bytes = Buffer.from(payload ?? '', 'base64');
      if (bytes.length > 0) pieces.push(bytes);
    } else if (size > 0) {
      const file = rawName === undefined && name !== undefined ? byName.get(name)?.shift() : undefined;
      if (file === undefined) throw badIndex(`its table of contents lacks ${JSON.stringify(name ?? rawName)}`);
      const content = contentOf(file.entry, file.pieces);
      if (content.sizeBytes !== size) throw badIndex(`${JSON.stringify(name)} has two sizes`);
      pieces.push(content);
    }
  }
  return pieces;
}

function* linesOf(text: Buffer): Generator<string> {
  for (let at = 0; at < text.length; ) {
    const end = text.indexOf(0x0a, at);
    const line = text.toString('utf8', at, end === -1 ? text.length : end);
    if (line !== '') yield line;
    at = end === -1 ? text.length : end + 1;
  }
}

function parseLine(line: string): z.infer<typeof lineSchema> {
  try {
    return lineSchema.parse(JSON.parse(line));
  } catch (cause) {
    throw badIndex('its tar-split data is wrong', cause);
  }
}
