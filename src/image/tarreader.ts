// Reads a tar stream piece by piece: bytes in, entries and their content out, one pass and bounded memory. Written here
// because unpacking must be exact: names and extended attributes stay bytes, sparse files are understood, and a size
// is ignored where Go's archive/tar and GNU tar ignore it, so that nobody can show two tools two different trees.

import { HoldfastError } from '../system/errors.ts';
import type { ExactTime } from './exact-time.ts';
import { changesEntries, type PaxOverrides, parsePax } from './pax.ts';
import {
  checkExtents,
  type Extent,
  extentsInData,
  extentsOfGnuBlock,
  extentsOfPax,
  gnuRealSize,
  mapIsInData,
} from './sparse.ts';
import { BLOCK, malformedTar, parseHeader, type RawHeader } from './tarheader.ts';

export type EntryType = 'file' | 'directory' | 'symlink' | 'hardlink' | 'character-device' | 'block-device' | 'fifo';

export interface TarEntry {
  type: EntryType;
  /** Bytes as latin1, exactly as stored. */
  name: string;
  /** Target of a symlink or hardlink, bytes as latin1. */
  linkName: string;
  /** Permission bits with the special ones. */
  mode: number;
  uid: number;
  gid: number;
  /** Size of the file, holes included; 0 for other types. */
  sizeBytes: number;
  /** Bytes of content that the stream holds; less than the size in sparse files. */
  storedBytes: number;
  /** Seconds since 1970, with fraction. */
  mtime: number;
  /** Present where there is a fraction. */
  exactMtime?: ExactTime | undefined;
  deviceMajor: number;
  deviceMinor: number;
  xattrs: ReadonlyMap<string, Buffer>;
  /** PAX keys that carry something which nobody applies. */
  unapplied: readonly string[];
}

export type TarEvent =
  | { kind: 'entry'; entry: TarEntry }
  /** A piece of the last entry's content; the bytes are valid until the next chunk is pushed. */
  | {
      kind: 'data';
      /** Where in the file. */
      offset: number;
      bytes: Buffer;
      /** Where in the tar stream, if it comes from one. */
      position?: number;
    }
  /** Follows each entry, after its content. */
  | { kind: 'end' };

const TYPES: Readonly<Record<string, EntryType>> = {
  '0': 'file',
  '7': 'file',
  S: 'file',
  '1': 'hardlink',
  '2': 'symlink',
  '3': 'character-device',
  '4': 'block-device',
  '5': 'directory',
  '6': 'fifo',
};

/** Headers that describe the next one. */
const META_FLAGS = 'xgLK';

/** Long names and extended headers above this are refused; the kernel's limit for one attribute is 64 KiB. */
const MAX_META_BYTES = 1 << 20;
/** The same for the map of a sparse file. */
const MAX_MAP_BYTES = 8 << 20;

const NOTHING = Buffer.alloc(0);
const NO_XATTRS: ReadonlyMap<string, Buffer> = new Map();

type State =
  | { at: 'header' }
  | { at: 'meta'; flag: string; missing: number; padding: number; parts: Buffer[] }
  /** Old GNU: more of the sparse map follows the header. */
  | { at: 'gnu-map'; header: RawHeader; pax: PaxOverrides | undefined; extents: Extent[] }
  /** PAX 1.0: the sparse map is the beginning of the content. */
  | { at: 'map'; header: RawHeader; pax: PaxOverrides; stored: number; collected: Buffer }
  | { at: 'content'; missing: number; padding: number; extents: Extent[]; extent: number; within: number }
  | { at: 'padding'; missing: number }
  | { at: 'end' };

export class TarReader {
  #state: State = { at: 'header' };
  #rest: Buffer = NOTHING;
  #zeroBlocks = 0;
  #pax: PaxOverrides | undefined;
  #longName: string | undefined;
  #longLink: string | undefined;
  /** Bytes that were pushed. */
  #pushed = 0;

  /**
   * Takes the next bytes of the stream and gives what they complete. What follows the end mark is ignored.
   * @throws HoldfastError HF-IMAGE for a malformed stream, HF-UNSUPPORTED for types of entries that no file system has.
   */
  *push(chunk: Buffer): Generator<TarEvent> {
    let data = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk]);
    this.#rest = NOTHING;
    this.#pushed += chunk.length;
    while (data.length > 0) {
      const state = this.#state;
      switch (state.at) {
        case 'content': {
          const piece = data.subarray(0, state.missing);
          const position = this.#pushed - data.length;
          data = data.subarray(piece.length);
          yield* place(state, piece, position);
          state.missing -= piece.length;
          if (state.missing === 0) {
            this.#state = afterPadding(state.padding);
            yield { kind: 'end' };
          }
          break;
        }
        case 'padding': {
          const length = Math.min(state.missing, data.length);
          data = data.subarray(length);
          state.missing -= length;
          if (state.missing === 0) this.#state = { at: 'header' };
          break;
        }
        case 'meta': {
          const piece = data.subarray(0, state.missing);
          data = data.subarray(piece.length);
          state.parts.push(Buffer.from(piece));
          state.missing -= piece.length;
          if (state.missing === 0) {
            this.#takeMeta(state.flag, Buffer.concat(state.parts));
            this.#state = afterPadding(state.padding);
          }
          break;
        }
        case 'map': {
          data = Buffer.concat([state.collected, data]);
          const map = extentsInData(data);
          if (map !== undefined && map.mapBytes <= state.stored) {
            data = data.subarray(map.mapBytes);
            yield* this.#begin(state.header, state.pax, map.extents, state.stored - map.mapBytes);
            break;
          }
          if (data.length >= Math.min(state.stored, MAX_MAP_BYTES)) throw malformedTar('a sparse file has no map');
          state.collected = data;
          return;
        }
        case 'header':
        case 'gnu-map': {
          if (data.length < BLOCK) {
            this.#rest = Buffer.from(data);
            return;
          }
          const block = data.subarray(0, BLOCK);
          data = data.subarray(BLOCK);
          if (state.at === 'header') yield* this.#takeHeader(block);
          else yield* this.#continueGnuMap(state, block);
          break;
        }
        case 'end':
          return;
      }
    }
  }

  /** @throws HoldfastError HF-IMAGE when the stream ended in the middle of something. */
  finish(): void {
    const state = this.#state;
    if (state.at === 'end') return;
    const inOrder = state.at === 'header' && this.#rest.length === 0;
    const dangling = this.#pax !== undefined || this.#longName !== undefined || this.#longLink !== undefined;
    if (!inOrder || dangling) throw malformedTar('it ends in the middle of an entry');
  }

  *#takeHeader(block: Buffer): Generator<TarEvent> {
    const header = parseHeader(block);
    if (header === undefined) {
      this.#zeroBlocks += 1;
      if (this.#zeroBlocks === 2) this.#state = { at: 'end' };
      return;
    }
    if (this.#zeroBlocks > 0) throw malformedTar('it goes on after a single block of zeros');
    const { flag } = header;
    if (META_FLAGS.includes(flag)) {
      if (header.sizeBytes > MAX_META_BYTES) throw malformedTar('an extended header is too large');
      const missing = header.sizeBytes;
      if (missing === 0) this.#takeMeta(flag, NOTHING);
      else this.#state = { at: 'meta', flag, missing, padding: paddingOf(missing), parts: [] };
      return;
    }
    const pax = this.#pax;
    this.#pax = undefined;
    // PAX wins over GNU's long names, which win over the header.
    header.name = pax?.sparse.name ?? pax?.path ?? this.#longName ?? header.name;
    header.linkName = pax?.linkPath ?? this.#longLink ?? header.linkName;
    this.#longName = undefined;
    this.#longLink = undefined;
    // So that one copy of the block stays readable while more of the stream arrives.
    if (flag === 'S') header.block = Buffer.from(block);
    const stored = pax?.sizeBytes ?? header.sizeBytes;
    if (flag === 'S') {
      const { extents, more } = extentsOfGnuBlock(header.block, 'header');
      if (more) this.#state = { at: 'gnu-map', header, pax, extents };
      else yield* this.#begin(header, pax, extents, stored);
    } else if (flag === '0' && pax !== undefined && mapIsInData(pax.sparse)) {
      this.#state = { at: 'map', header, pax, stored, collected: NOTHING };
    } else {
      yield* this.#begin(header, pax, flag === '0' && pax ? extentsOfPax(pax.sparse) : undefined, stored);
    }
  }

  *#continueGnuMap(state: Extract<State, { at: 'gnu-map' }>, block: Buffer): Generator<TarEvent> {
    const { extents, more } = extentsOfGnuBlock(block, 'continuation');
    state.extents.push(...extents);
    if (state.extents.length > MAX_MAP_BYTES / BLOCK) throw malformedTar('the map of a sparse file is too large');
    const { header, pax } = state;
    if (!more) yield* this.#begin(header, pax, state.extents, pax?.sizeBytes ?? header.sizeBytes);
  }

  /** An entry whose headers are complete; `sparse` are its runs if it is a sparse file. */
  *#begin(header: RawHeader, pax: PaxOverrides | undefined, sparse: Extent[] | undefined, stored: number) {
    const { flag } = header;
    let type = TYPES[flag];
    if (type === undefined) {
      throw new HoldfastError('HF-UNSUPPORTED', `an entry of the layer has the unknown type ${JSON.stringify(flag)}`, {
        hint: 'rebuild the layer with a common tool (buildah, docker, umoci, GNU tar)',
      });
    }
    // Before POSIX, a slash at the end was what made a directory.
    if (flag === '0' && header.name.endsWith('/')) type = 'directory';
    const isFile = type === 'file';
    const storedBytes = isFile ? stored : 0;
    const real = flag === 'S' ? gnuRealSize(header.block) : (pax?.sparse.realSizeBytes ?? stored);
    const sizeBytes = isFile ? (sparse === undefined ? stored : real) : 0;
    const extents = sparse ?? [{ offset: 0, length: storedBytes }];
    if (isFile) checkExtents(extents, sizeBytes, storedBytes);
    const entry: TarEntry = {
      type,
      name: header.name,
      linkName: header.linkName,
      mode: header.mode,
      uid: pax?.uid ?? header.uid,
      gid: pax?.gid ?? header.gid,
      sizeBytes,
      storedBytes,
      mtime: pax?.mtime ?? header.mtimeSeconds,
      ...(pax?.exactMtime && { exactMtime: pax.exactMtime }),
      deviceMajor: header.deviceMajor,
      deviceMinor: header.deviceMinor,
      xattrs: pax?.xattrs ?? NO_XATTRS,
      unapplied: pax?.unapplied ?? [],
    };
    // Before the yields: whoever listens may stop here and go on with the next chunk.
    this.#state =
      storedBytes === 0
        ? { at: 'header' }
        : { at: 'content', missing: storedBytes, padding: paddingOf(stored), extents, extent: 0, within: 0 };
    yield { kind: 'entry', entry } satisfies TarEvent;
    if (storedBytes === 0) yield { kind: 'end' } satisfies TarEvent;
  }

  #takeMeta(flag: string, data: Buffer): void {
    if (flag === 'x') {
      this.#pax = parsePax(data);
    } else if (flag === 'g') {
      // git archive writes one with a comment; docker and containerd ignore all of them, POSIX applies them.
      if (changesEntries(parsePax(data))) {
        throw new HoldfastError('HF-UNSUPPORTED', 'the layer has a global extended header that changes its entries', {
          hint: 'tools disagree about what that means; rebuild the layer without it',
        });
      }
    } else {
      const end = data.indexOf(0);
      const name = data.toString('latin1', 0, end === -1 ? data.length : end);
      if (flag === 'L') this.#longName = name;
      else this.#longLink = name;
    }
  }
}

function paddingOf(size: number): number {
  return (BLOCK - (size % BLOCK)) % BLOCK;
}

function afterPadding(padding: number): State {
  return padding === 0 ? { at: 'header' } : { at: 'padding', missing: padding };
}

/** Gives a piece of stored bytes its place in the file. */
function* place(state: Extract<State, { at: 'content' }>, piece: Buffer, start: number): Generator<TarEvent> {
  let rest = piece;
  let position = start;
  while (rest.length > 0) {
    const extent = state.extents[state.extent];
    if (extent === undefined) throw malformedTar('a file has more content than its map says');
    const bytes = rest.subarray(0, extent.length - state.within);
    if (bytes.length > 0) yield { kind: 'data', offset: extent.offset + state.within, bytes, position };
    position += bytes.length;
    state.within += bytes.length;
    rest = rest.subarray(bytes.length);
    if (state.within === extent.length) {
      state.extent += 1;
      state.within = 0;
    }
  }
}
