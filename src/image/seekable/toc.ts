// Tables of contents of seekable layers. zstd:chunked and eStargz share most of their JSON: entries as in a tar header,
// each file followed by its further chunks. What a table says is judged as a layer's headers are, before it is used.

import { z } from 'zod';
import { type Digest, isDigest } from '../digest.ts';
import { parseEntryName } from '../entrypath.ts';
import { exactTimeOf } from '../exact-time.ts';
import type { EntryType, TarEntry } from '../tarreader.ts';
import type { Chunk, FileContent, LayerEntry } from '../tree-index.ts';
import { badIndex } from './bad-index.ts';
import type { PackedChunk } from './packed-chunk.ts';

/** Unpacked JSON; a file takes about 400 bytes. */
export const MAX_TOC_BYTES = 256 << 20;
const MAX_TOC_ENTRIES = 2_000_000;
const MAX_FILE_BYTES = 2 ** 40;

const whole = z.number().int().nonnegative();
const text = z.string().max(8192);

const entrySchema = z.object({
  type: text,
  name: text,
  linkName: text.optional(),
  mode: z.number().int().optional(),
  size: whole.optional(),
  uid: whole.optional(),
  gid: whole.optional(),
  modtime: text.optional(),
  devMajor: whole.optional(),
  devMinor: whole.optional(),
  xattrs: z.record(z.string(), z.string().max(1 << 20)).nullish(),
  digest: text.optional(),
  offset: whole.optional(),
  endOffset: whole.optional(),
  innerOffset: whole.optional(),
  chunkSize: whole.optional(),
  chunkOffset: whole.optional(),
  chunkDigest: text.optional(),
  chunkType: text.optional(),
});

const tocSchema = z.object({
  version: z.literal(1),
  entries: z.array(entrySchema).max(MAX_TOC_ENTRIES),
  tarSplitDigest: text.optional(),
});

export type TocEntry = z.infer<typeof entrySchema>;
export type Toc = z.infer<typeof tocSchema>;

/** A file of a table, with the entries that tell where its pieces are: its own and those of type `chunk`. */
export interface TocFile {
  entry: TocEntry;
  pieces: readonly TocPiece[];
}

/** A piece of a file as it stands in the table. */
export interface TocPiece extends Chunk {
  /** Where its packed bytes begin. */
  start: number;
  skipBytes: number;
  isZeros: boolean;
}

const TYPES: Readonly<Record<string, EntryType>> = {
  reg: 'file',
  dir: 'directory',
  symlink: 'symlink',
  hardlink: 'hardlink',
  char: 'character-device',
  block: 'block-device',
  fifo: 'fifo',
};

/** @throws HoldfastError HF-IMAGE when the text is no table of contents. */
export function parseToc(bytes: Buffer): Toc {
  let value: unknown;
  try {
    value = JSON.parse(bytes.toString('utf8'));
  } catch (cause) {
    throw badIndex('its table of contents is not JSON', cause);
  }
  const parsed = tocSchema.safeParse(value);
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  throw badIndex(`its table of contents is wrong at ${issue?.path.join('.') ?? ''}: ${issue?.message ?? 'unknown'}`);
}

/**
 * Entries with the pieces of files: a table lists the further pieces right behind the file.
 * @throws HoldfastError HF-IMAGE when the pieces aren't the file, from its first byte to its last.
 */
export function filesOfToc(entries: readonly TocEntry[]): TocFile[] {
  const files: TocFile[] = [];
  for (let index = 0; index < entries.length; ) {
    const entry = entries[index];
    if (entry === undefined) break;
    if (entry.type === 'chunk') throw badIndex(`a chunk of ${JSON.stringify(entry.name)} has no file`);
    let end = index + 1;
    while (entries[end]?.type === 'chunk') end += 1;
    files.push({ entry, pieces: piecesOf(entry, entries.slice(index, end)) });
    index = end;
  }
  return files;
}

function piecesOf(file: TocEntry, entries: readonly TocEntry[]): TocPiece[] {
  const size = file.type === 'reg' ? (file.size ?? 0) : 0;
  if (size > MAX_FILE_BYTES) throw badIndex('a file is too large');
  if (size === 0) {
    if (entries.length > 1) throw badIndex(`${JSON.stringify(file.name)} has chunks and no content`);
    return [];
  }
  let at = 0;
  const pieces = entries.map((entry) => {
    if (entry.name !== file.name) throw badIndex(`a chunk of ${JSON.stringify(entry.name)} has no file`);
    if ((entry.chunkOffset ?? 0) !== at) throw badIndex(`the chunks of ${JSON.stringify(file.name)} have gaps`);
    // Neither format says how long the last piece is.
    const sizeBytes = entry.chunkSize || size - at;
    at += sizeBytes;
    const isWhole = entries.length === 1;
    const digest = entry.chunkDigest ?? (isWhole ? entry.digest : undefined);
    const isZeros = entry.chunkType === 'zeros';
    if (!isZeros && (entry.chunkType ?? '') !== '') throw badIndex(`it has chunks of type ${entry.chunkType}`);
    const start = entry.offset ?? 0;
    return { digest: digestIn(digest), sizeBytes, start, skipBytes: entry.innerOffset ?? 0, isZeros };
  });
  if (at !== size || pieces.some(({ sizeBytes }) => sizeBytes <= 0)) {
    throw badIndex(`the chunks of ${JSON.stringify(file.name)} are not all of it`);
  }
  return pieces;
}

/**
 * What the tar header of an entry says, as far as the table tells.
 * @throws HoldfastError HF-IMAGE for names that climb and for what no entry can be.
 */
export function layerEntryOf({ entry, pieces }: TocFile): LayerEntry {
  const type = Object.hasOwn(TYPES, entry.type) ? TYPES[entry.type] : undefined;
  if (type === undefined) throw badIndex(`it has an entry of type ${JSON.stringify(entry.type)}`);
  const name = bytesOf(entry.name);
  parseEntryName(name);
  const isLink = type === 'symlink' || type === 'hardlink';
  const sizeBytes = type === 'file' ? (entry.size ?? 0) : 0;
  const modified = secondsOf(entry.modtime);
  const exactMtime = exactTimeOf(modified);
  const header: TarEntry = {
    type,
    name,
    linkName: isLink ? bytesOf(entry.linkName ?? '') : '',
    mode: (entry.mode ?? 0) & 0o7777,
    uid: entry.uid ?? 0,
    gid: entry.gid ?? 0,
    sizeBytes,
    storedBytes: sizeBytes,
    mtime: Number(modified),
    ...(exactMtime && { exactMtime }),
    deviceMajor: entry.devMajor ?? 0,
    deviceMinor: entry.devMinor ?? 0,
    xattrs: new Map(Object.entries(entry.xattrs ?? {}).map(([key, value]) => [bytesOf(key), fromBase64(value)])),
    unapplied: [],
  };
  return type === 'file' ? { header, content: contentOf(entry, pieces) } : { header };
}

/** What a file of a table holds. */
export function contentOf(entry: TocEntry, pieces: readonly TocPiece[]): FileContent {
  const [first] = pieces;
  if (first === undefined) return { digest: EMPTY, sizeBytes: 0, chunks: [] };
  return {
    digest: pieces.length === 1 ? first.digest : digestIn(entry.digest),
    sizeBytes: entry.size ?? 0,
    chunks: pieces.map(({ digest, sizeBytes }) => ({ digest, sizeBytes })),
  };
}

/** Where a piece is, once it is known where its packed bytes end. */
export function packedPiece({ digest, sizeBytes, start, skipBytes, isZeros }: TocPiece, end: number): PackedChunk {
  return { digest, sizeBytes, start, end: isZeros ? start : end, ...(skipBytes > 0 && { skipBytes }) };
}

/** Go writes its names as UTF-8 and puts this character where they aren't: the name is lost. */
function bytesOf(name: string): string {
  if (name.includes('\ufffd')) throw badIndex('a name is not UTF-8, which its table of contents can not hold');
  return Buffer.from(name, 'utf8').toString('latin1');
}

/** RFC 3339 with up to nine digits, in seconds, exact as the number in a PAX header is. */
/** As a decimal number of seconds since 1970. */
function secondsOf(time: string | undefined): string {
  if (time === undefined || time === '') return '0';
  const match = /^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(\.\d{1,9})?(Z|[+-]\d\d:\d\d)$/.exec(time);
  const seconds = match === null ? Number.NaN : Date.parse(`${match[1]}${match[3]}`) / 1000;
  if (Number.isNaN(seconds)) throw badIndex(`a time is none: ${JSON.stringify(time.slice(0, 60))}`);
  const fraction = match?.[2] ?? '';
  if (seconds >= 0 || Number(fraction) === 0) return `${seconds}${fraction}`;
  // -1.25 is a second and three quarters later than -3.
  const nanoseconds = 1_000_000_000 - Number(fraction.slice(1).padEnd(9, '0'));
  return `-${-seconds - 1}.${String(nanoseconds).padStart(9, '0')}`;
}

function fromBase64(value: string): Buffer {
  return Buffer.from(value, 'base64');
}

function digestIn(text: string | undefined): Digest {
  if (text === undefined || !isDigest(text)) throw badIndex('a file has no digest that can be checked');
  return text;
}

const EMPTY = digestIn('sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855');
