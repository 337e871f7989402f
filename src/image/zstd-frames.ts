// Where the frames of a zstd stream end (RFC 8878, 3.1). Layers in the zstd:chunked format are thousands of frames one
// after another; Node's built-in zstd stops after the first one without a word, so it gets them one at a time.

import { HoldfastError } from '../system/errors.ts';

const MAGIC = 0xfd2fb528;
/** 16 magic numbers of frames that carry no content; the lowest four bits are free. */
const SKIPPABLE = 0x184d2a50;
/** Magic number, descriptor, window, dictionary and content size at their longest. */
export const MAX_FRAME_HEADER_BYTES = 18;

interface FrameHeader {
  /** Length of the header, from the magic number on. */
  headerBytes: number;
  /** Of the content, if the frame says so. */
  contentBytes: number | undefined;
  hasChecksum: boolean;
}

/**
 * How much content a frame says that it has, from its first bytes ({@link MAX_FRAME_HEADER_BYTES} suffice).
 * @returns undefined when it doesn't say, or when the bytes are no such frame.
 */
export function frameContentBytes(head: Buffer): number | undefined {
  if (head.length < 5 || head.readUInt32LE() !== MAGIC) return undefined;
  return frameHeader(head)?.contentBytes;
}

/** Finds the ends of frames in a stream that arrives in pieces; it keeps no more than one header. */
export class FrameSplitter {
  #at: 'header' | 'block' | 'body' | 'skip' = 'header';
  #rest: Buffer = Buffer.alloc(0);
  #missing = 0;
  #isLast = false;
  #isSkipped = false;
  #hasChecksum = false;

  /** Whether the stream may end here. */
  get isBetweenFrames(): boolean {
    return this.#at === 'header' && this.#rest.length === 0;
  }

  /**
   * Takes the next bytes and gives back those of frames with content, in runs; `ends` marks the last run of a frame.
   * @throws HoldfastError HF-COMMAND, as the decompressors do, for what is no zstd stream.
   */
  *push(chunk: Buffer): Generator<{ bytes: Buffer; ends: boolean }> {
    const data = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk]);
    this.#rest = Buffer.alloc(0);
    // The run that wasn't given yet is `from` up to `at`.
    let from = 0;
    let at = 0;
    while (at < data.length) {
      if (this.#at === 'skip' || this.#at === 'body') {
        const length = Math.min(this.#missing, data.length - at);
        this.#missing -= length;
        at += length;
        const isContent = this.#at === 'body';
        if (this.#missing === 0) this.#at = isContent && !this.#isLast ? 'block' : 'header';
        if (!isContent) from = at;
      } else {
        const rest = data.subarray(at);
        const length = this.#at === 'header' ? this.#beginFrame(rest) : this.#beginBlock(rest);
        if (length === undefined) {
          if (at > from) yield { bytes: data.subarray(from, at), ends: false };
          this.#rest = Buffer.from(rest);
          return;
        }
        at += length;
        if (this.#isSkipped) from = at;
      }
      if (this.#at === 'header' && at > from) {
        yield { bytes: data.subarray(from, at), ends: true };
        from = at;
      }
    }
    if (at > from) yield { bytes: data.subarray(from, at), ends: false };
  }

  #beginFrame(data: Buffer): number | undefined {
    if (data.length < 5) return undefined;
    const magic = data.readUInt32LE();
    this.#isSkipped = (magic & 0xfffffff0) >>> 0 === SKIPPABLE;
    if (this.#isSkipped) {
      if (data.length < 8) return undefined;
      this.#missing = data.readUInt32LE(4);
      this.#at = this.#missing === 0 ? 'header' : 'skip';
      return 8;
    }
    if (magic !== MAGIC) throw new HoldfastError('HF-COMMAND', 'zstd failed: the data is not packed with zstd');
    const header = frameHeader(data);
    if (header === undefined) return undefined;
    this.#hasChecksum = header.hasChecksum;
    this.#at = 'block';
    return header.headerBytes;
  }

  #beginBlock(data: Buffer): number | undefined {
    if (data.length < 3) return undefined;
    const header = data.readUIntLE(0, 3);
    this.#isLast = (header & 1) === 1;
    const type = (header >>> 1) & 3;
    if (type === 3) throw new HoldfastError('HF-COMMAND', 'zstd failed: a block has an unknown type');
    // A run of one byte is stored as that byte, whatever its length.
    const stored = type === 1 ? 1 : header >>> 3;
    this.#missing = stored + (this.#isLast && this.#hasChecksum ? 4 : 0);
    if (this.#missing > 0) this.#at = 'body';
    else this.#at = this.#isLast ? 'header' : 'block';
    return 3;
  }
}

/** @returns undefined when more bytes are needed. */
function frameHeader(data: Buffer): FrameHeader | undefined {
  const descriptor = data[4] ?? 0;
  const isSingleSegment = (descriptor & 0x20) !== 0;
  const sizeFlag = descriptor >>> 6;
  const sizeBytes = sizeFlag === 0 ? (isSingleSegment ? 1 : 0) : 1 << sizeFlag;
  const dictionaryBytes = [0, 1, 2, 4][descriptor & 3] ?? 0;
  const sizeAt = 5 + (isSingleSegment ? 0 : 1) + dictionaryBytes;
  const headerBytes = sizeAt + sizeBytes;
  if (data.length < headerBytes) return undefined;
  const size =
    sizeBytes === 8
      ? Number(data.readBigUInt64LE(sizeAt))
      : sizeBytes > 0
        ? data.readUIntLE(sizeAt, sizeBytes)
        : undefined;
  return {
    headerBytes,
    // Two bytes count from 256 on: smaller sizes fit into one.
    contentBytes: size !== undefined && sizeBytes === 2 ? size + 256 : size,
    hasChecksum: (descriptor & 4) !== 0,
  };
}
