// A tar archive as a container of files that are read where they are: nothing of it is unpacked to disk. A plain archive
// is sought in; a packed one (gzip, zstd) has to be unpacked from its beginning to wherever something is wanted.

import { createReadStream } from 'node:fs';
import { open } from 'node:fs/promises';
import { HoldfastError } from '../system/errors.ts';
import { type Cursor, PackedCursor, PlainCursor } from './archive-cursor.ts';
import type { Compression } from './mediatypes.ts';
import { type PaxOverrides, parsePax } from './pax.ts';
import { decompress } from './streamstage.ts';
import { BLOCK, malformedTar, parseHeader } from './tarheader.ts';

export interface ArchiveMember {
  /** Where its content begins in the unpacked archive. */
  offset: number;
  sizeBytes: number;
}

/** An archive with an image has a few for each layer. */
const MAX_MEMBERS = 100_000;
const MAX_META_BYTES = 1 << 20;
const READ_SIZE = 1 << 20;
/** Members up to this size are kept while a packed archive is looked through, so that it isn't unpacked for each. */
const SMALL_BYTES = 1 << 20;
const MAX_SMALL_BYTES = 32 << 20;
/** How long a packed archive stays open for what follows. */
const IDLE_MS = 1000;
/** Links to links. */
const MAX_LINKS = 8;

/** How a file is packed, by its first bytes; undefined when it is no tar archive at all. */
export async function sniffArchive(path: string): Promise<Compression | undefined> {
  const file = await open(path, 'r');
  try {
    const { buffer, bytesRead } = await file.read(Buffer.alloc(BLOCK), 0, BLOCK, 0);
    const packed = sniffCompression(buffer.subarray(0, bytesRead));
    if (packed !== 'none') return packed;
    return buffer.toString('latin1', 257, 262) === 'ustar' ? 'none' : undefined;
  } finally {
    await file.close();
  }
}

/** @param head at least the first four bytes. */
export function sniffCompression(head: Buffer): Compression {
  if (head.length >= 2 && head.readUInt16BE() === 0x1f8b) return 'gzip';
  return head.length >= 4 && head.readUInt32LE() === 0xfd2fb528 ? 'zstd' : 'none';
}

export class ArchiveFile {
  readonly path: string;
  readonly compression: Compression;
  readonly #members = new Map<string, ArchiveMember>();
  readonly #links = new Map<string, string>();
  readonly #small = new Map<number, Buffer>();
  #smallBytes = 0;
  /** Where the last reading of a packed archive has come to, for what follows it. */
  #cursor: PackedCursor | undefined;

  private constructor(path: string, compression: Compression) {
    this.path = path;
    this.compression = compression;
  }

  /**
   * Looks through an archive.
   * @throws HoldfastError HF-IMAGE when it is no tar archive or a malformed one.
   */
  static async open(path: string): Promise<ArchiveFile> {
    const compression = await sniffArchive(path);
    if (compression === undefined) {
      throw new HoldfastError('HF-IMAGE', `${path} is not a tar archive`, {
        hint: 'an archive with an image is made by: skopeo copy docker://IMAGE:TAG oci-archive:FILE:TAG, or docker save',
      });
    }
    const archive = new ArchiveFile(path, compression);
    const cursor = archive.#newCursor();
    try {
      await archive.#scan(cursor);
    } finally {
      await cursor.close();
    }
    return archive;
  }

  /** All names of files, links included, without a leading `./`. */
  names(): string[] {
    return [...this.#members.keys(), ...this.#links.keys()];
  }

  /** A file by its name; links are followed inside the archive. */
  member(name: string): ArchiveMember | undefined {
    let at = name;
    for (let hops = 0; hops <= MAX_LINKS; hops += 1) {
      const found = this.#members.get(at);
      if (found !== undefined) return found;
      const target = this.#links.get(at);
      if (target === undefined) return undefined;
      at = target;
    }
    return undefined;
  }

  /** All of a small file. @throws HoldfastError HF-IMAGE when it is larger. */
  async content(name: string, maxBytes: number): Promise<Buffer | undefined> {
    const member = this.member(name);
    if (member === undefined) return undefined;
    if (member.sizeBytes > maxBytes) throw this.#damaged(`${name} is too large: ${member.sizeBytes} bytes`);
    const kept = this.#small.get(member.offset);
    if (kept !== undefined) return kept;
    const chunks: Buffer[] = [];
    for await (const chunk of this.read(member)) chunks.push(chunk);
    return Buffer.concat(chunks);
  }

  /** The bytes of a file from one place to another. */
  async *read({ offset, sizeBytes }: ArchiveMember, from = 0, end = sizeBytes): AsyncGenerator<Buffer> {
    if (from >= end) return;
    const start = offset + from;
    const reused = this.#cursor !== undefined && this.#cursor.position <= start ? this.#cursor : undefined;
    // Two readings at once can't share one.
    this.#cursor = undefined;
    const cursor: Cursor = reused ?? this.#newCursor();
    let isWhole = false;
    try {
      await cursor.skip(start - cursor.position);
      while (cursor.position < offset + end) {
        const chunk = await cursor.some(Math.min(READ_SIZE, offset + end - cursor.position));
        if (chunk === undefined) throw this.#damaged('it ends in the middle of a file');
        yield chunk;
      }
      isWhole = true;
    } finally {
      if (isWhole && cursor instanceof PackedCursor) {
        await this.close();
        this.#cursor = cursor;
        // Nobody says that nothing more will be read, and a program that unpacks would keep this one from ending.
        setTimeout(() => this.#cursor === cursor && this.close(), IDLE_MS).unref();
      } else await cursor.close();
    }
  }

  /** Ends what a reading has left open. */
  async close(): Promise<void> {
    await this.#cursor?.close();
    this.#cursor = undefined;
  }

  async #scan(cursor: Cursor): Promise<void> {
    /** What headers before it say about the next file. */
    let next: { longName?: string; longLink?: string; pax?: PaxOverrides } = {};
    for (;;) {
      const block = await cursor.exactly(BLOCK);
      const header = block === undefined ? undefined : parseHeader(block);
      if (header === undefined) return;
      const isMeta = 'xgLK'.includes(header.flag);
      const size = isMeta ? header.sizeBytes : (next.pax?.sizeBytes ?? header.sizeBytes);
      const padded = Math.ceil(size / BLOCK) * BLOCK;
      if (isMeta) {
        if (size > MAX_META_BYTES) throw malformedTar('an extended header is too large');
        const data = (await cursor.exactly(padded))?.subarray(0, size);
        if (data === undefined) throw this.#damaged('it ends in the middle of a header');
        const text = data.toString('latin1').replace(/\0.*$/s, '');
        if (header.flag === 'L') next.longName = text;
        else if (header.flag === 'K') next.longLink = text;
        else if (header.flag === 'x') next.pax = parsePax(data);
        continue;
      }
      const name = plain(next.pax?.path ?? next.longName ?? header.name);
      const target = next.pax?.linkPath ?? next.longLink ?? header.linkName;
      next = {};
      if (this.#members.size + this.#links.size >= MAX_MEMBERS) throw this.#damaged('it has too many files');
      const offset = cursor.position;
      switch (header.flag) {
        case '0':
        case '7':
          this.#members.set(name, { offset, sizeBytes: size });
          this.#links.delete(name);
          if (await this.#keepSmall(cursor, offset, size)) await cursor.skip(padded - size);
          else await cursor.skip(padded);
          break;
        case '1':
          this.#links.set(name, plain(target));
          break;
        case '2':
          this.#links.set(name, resolveLink(name, target));
          break;
        case '5':
          break;
        default:
          await cursor.skip(padded);
      }
    }
  }

  async #keepSmall(cursor: Cursor, offset: number, size: number): Promise<boolean> {
    if (this.compression === 'none' || size > SMALL_BYTES || this.#smallBytes + size > MAX_SMALL_BYTES) return false;
    const bytes = await cursor.exactly(size);
    if (bytes === undefined) throw this.#damaged('it ends in the middle of a file');
    this.#small.set(offset, bytes);
    this.#smallBytes += size;
    return true;
  }

  #newCursor(): Cursor {
    return this.compression === 'none'
      ? new PlainCursor(this.path)
      : new PackedCursor(decompress(this.compression)(createReadStream(this.path, { highWaterMark: READ_SIZE })));
  }

  #damaged(problem: string): HoldfastError {
    return new HoldfastError('HF-IMAGE', `${this.path}: ${problem}`, {
      hint: 'the archive is damaged or was copied in part; copy it again',
    });
  }
}

function plain(name: string): string {
  return name.replace(/^(?:\.?\/)+/, '').replace(/\/+$/, '');
}

/** Where a symbolic link in the archive leads; it can't leave it. */
function resolveLink(name: string, target: string): string {
  const parts = target.startsWith('/') ? [] : name.split('/').slice(0, -1);
  for (const part of target.split('/')) {
    if (part === '..') parts.pop();
    else if (part !== '' && part !== '.') parts.push(part);
  }
  return parts.join('/');
}
