// What is known of an image's layers, in a file beside the pristine that was made of them: a line of JSON for each entry,
// packed with gzip. Only this machine writes it, but it is read as if somebody else had: a disk may lie.

import { closeSync, createReadStream, openSync, rmSync, writeSync } from 'node:fs';
import { z } from 'zod';
import { fsyncPath, renameDurably } from '../system/durable.ts';
import { errnoOf, HoldfastError } from '../system/errors.ts';
import { type Digest, isDigest } from './digest.ts';
import { compress, decompress, through } from './streamstage.ts';
import type { TarEntry } from './tarreader.ts';
import type { LayerEntry, LayerIndex } from './tree-index.ts';

/** 2: with exact times; without them files would be taken for other ones than they are. */
const VERSION = 2;
/** Of one line: names, a link and attributes of 64 KiB each have room. */
const MAX_LINE_BYTES = 4 << 20;
/** Of all layers together. */
const MAX_ENTRIES = 2_000_000;

const text = z.string().max(MAX_LINE_BYTES);
const whole = z.number().int().nonnegative();
const digest = z.string().refine(isDigest, 'not a digest');

const headSchema = z.strictObject({ version: z.literal(VERSION), image: digest, layers: whole });
const layerSchema = z.strictObject({ diffId: digest, entries: whole.max(MAX_ENTRIES) });
/** Short keys, since there are many; what is left out is 0, empty or a file's. */
const entrySchema = z.strictObject({
  t: z.enum(['directory', 'symlink', 'hardlink', 'character-device', 'block-device', 'fifo']).optional(),
  n: text,
  l: text.optional(),
  m: whole,
  u: whole.optional(),
  g: whole.optional(),
  s: whole.optional(),
  mt: z.number(),
  /** Seconds and nanoseconds, where there is a fraction. */
  mx: z.tuple([z.number().int(), z.number().int().min(0).max(999_999_999)]).optional(),
  d: z.tuple([whole, whole]).optional(),
  x: z.record(z.string(), text).optional(),
  c: z.tuple([digest, whole]).optional(),
  e: z.array(z.tuple([whole, whole])).optional(),
});

/** The layers of an image, as they were when its pristine was made. */
export interface KeptIndex {
  image: Digest;
  layers: readonly LayerIndex[];
}

/** Writes an index; it is there as a whole and on the disk, or not at all. */
export async function writeIndexFile(path: string, index: KeptIndex): Promise<void> {
  const fresh = `${path}.new`;
  rmSync(fresh, { force: true });
  const fd = openSync(fresh, 'wx', 0o600);
  try {
    for await (const piece of through(linesOf(index), compress('gzip'))) {
      for (let done = 0; done < piece.length; ) done += writeSync(fd, piece, done);
    }
  } finally {
    closeSync(fd);
  }
  fsyncPath(fresh);
  renameDurably(fresh, path);
}

/**
 * Reads an index; undefined when there is none.
 * @throws HoldfastError HF-STATE when it is damaged, or is that of another image.
 */
export async function readIndexFile(path: string, image: string): Promise<KeptIndex | undefined> {
  try {
    const source = createReadStream(path, { highWaterMark: 1 << 18 });
    return await parse(through(source, decompress('gzip')), image);
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return undefined;
    throw new HoldfastError('HF-STATE', `the index of the installed image is damaged: ${path}`, {
      cause: error,
      hint: 'it is made anew by the next upgrade, which fetches the whole image',
    });
  }
}

async function parse(stream: AsyncIterable<Buffer>, image: string): Promise<KeptIndex> {
  const lines = splitLines(stream);
  const next = async () => {
    const { value, done } = await lines.next();
    if (done === true) throw new Error('it ends early');
    return JSON.parse(value) as unknown;
  };
  const head = headSchema.parse(await next());
  if (head.image !== image) throw new Error(`it is that of ${head.image}`);
  const layers: LayerIndex[] = [];
  for (let number = 0; number < head.layers; number++) {
    const layer = layerSchema.parse(await next());
    const entries: LayerEntry[] = [];
    for (let entry = 0; entry < layer.entries; entry++) entries.push(fromLine(entrySchema.parse(await next())));
    layers.push({ diffId: layer.diffId, entries });
  }
  if (!(await lines.next()).done) throw new Error('something follows its end');
  return { image: head.image, layers };
}

async function* splitLines(stream: AsyncIterable<Buffer>): AsyncGenerator<string> {
  let rest = '';
  for await (const chunk of stream) {
    // JSON in ASCII: other characters are escaped, so that no chunk ends in the middle of one.
    const lines = (rest + chunk.toString('latin1')).split('\n');
    rest = lines.pop() ?? '';
    if (rest.length > MAX_LINE_BYTES) throw new Error('a line is too long');
    yield* lines;
  }
  if (rest !== '') throw new Error('it ends in the middle of a line');
}

async function* linesOf({ image, layers }: KeptIndex): AsyncGenerator<Buffer> {
  let lines = line({ version: VERSION, image, layers: layers.length });
  for (const { diffId, entries } of layers) {
    lines += line({ diffId, entries: entries.length });
    for (const entry of entries) {
      lines += line(toLine(entry));
      if (lines.length < 1 << 16) continue;
      yield Buffer.from(lines, 'latin1');
      lines = '';
    }
  }
  yield Buffer.from(lines, 'latin1');
}

function line(value: object): string {
  const escaped = JSON.stringify(value).replace(
    /[\u0080-\uffff]/g,
    (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
  return `${escaped}\n`;
}

function toLine({ header, content }: LayerEntry): z.infer<typeof entrySchema> {
  const { type, name, linkName, mode, uid, gid, sizeBytes, mtime, exactMtime, deviceMajor, deviceMinor, xattrs } =
    header;
  return {
    ...(type !== 'file' && { t: type }),
    n: name,
    ...(linkName !== '' && { l: linkName }),
    m: mode,
    ...(uid !== 0 && { u: uid }),
    ...(gid !== 0 && { g: gid }),
    ...(sizeBytes !== 0 && { s: sizeBytes }),
    mt: mtime,
    ...(exactMtime && { mx: [exactMtime.seconds, exactMtime.nanoseconds] }),
    ...((deviceMajor !== 0 || deviceMinor !== 0) && { d: [deviceMajor, deviceMinor] }),
    ...(xattrs.size > 0 && { x: Object.fromEntries([...xattrs].map(([key, value]) => [key, value.toString('hex')])) }),
    ...(content && { c: [content.digest, content.sizeBytes] }),
    ...(content?.extents && { e: content.extents.map(({ offset, length }) => [offset, length]) }),
  };
}

function fromLine(line: z.infer<typeof entrySchema>): LayerEntry {
  const { t: type = 'file', n: name, l: linkName = '', m: mode, u: uid = 0, g: gid = 0, s: sizeBytes = 0 } = line;
  const [deviceMajor, deviceMinor] = line.d ?? [0, 0];
  const [contentDigest, storedBytes] = line.c ?? [undefined, 0];
  const extents = line.e?.map(([offset, length]) => ({ offset, length }));
  const header: TarEntry = {
    ...{ type, name, linkName, mode, uid, gid, sizeBytes, storedBytes, mtime: line.mt, deviceMajor, deviceMinor },
    ...(line.mx && { exactMtime: { seconds: line.mx[0], nanoseconds: line.mx[1] } }),
    xattrs:
      line.x === undefined ? NO_XATTRS : new Map(Object.entries(line.x).map(([k, v]) => [k, Buffer.from(v, 'hex')])),
    unapplied: [],
  };
  if (contentDigest === undefined) return { header };
  return { header, content: { digest: contentDigest, sizeBytes: storedBytes, ...(extents && { extents }) } };
}

const NO_XATTRS: ReadonlyMap<string, Buffer> = new Map();
