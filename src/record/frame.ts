// How an entry stands in a segment: a line that says its number, its length and its checksum, then its JSON. A segment is
// written over and over, so what follows the newest line is older or torn: a line counts only when all of it is right,
// and the numbers say which is newer. Pure.

import { createHash } from 'node:crypto';

/** A line that is whole. */
export interface Frame {
  /** Counts up over all segments. */
  sequence: number;
  json: string;
  /** Where it begins and where the next one could, in bytes. */
  start: number;
  end: number;
}

export interface Scan {
  /** In the order of the bytes. */
  frames: readonly Frame[];
  /** Where lines begin that look like ours and are damaged, in bytes. */
  damaged: readonly number[];
}

const MARK = 'hf1 ';
const HEAD = /^hf1 ([0-9a-z]{8}) ([0-9a-z]{4}) ([0-9a-f]{16}) $/;
/** `hf1 `, the number and the length (base 36), the first 16 digits of sha256. */
const HEAD_BYTES = MARK.length + 9 + 5 + 17;
const MAX_SEQUENCE = 36 ** 8 - 1;
/** More than any entry has. */
export const MAX_JSON_BYTES = 64 << 10;

/** The bytes of a line. */
export function encodeFrame(sequence: number, json: string): Buffer {
  const body = Buffer.from(json, 'utf8');
  if (body.length > MAX_JSON_BYTES) throw new RangeError(`a line of the record would have ${body.length} bytes`);
  if (sequence < 0 || sequence > MAX_SEQUENCE) throw new RangeError(`${sequence} is no number of a line of the record`);
  const number = sequence.toString(36).padStart(8, '0');
  const length = body.length.toString(36).padStart(4, '0');
  const head = `${MARK}${number} ${length} ${checksum(number, body)} `;
  return Buffer.concat([Buffer.from(head, 'latin1'), body, Buffer.from('\n')]);
}

/** Finds what is whole, wherever it is; JSON holds no line end, so a line can't begin inside another one. */
export function scanFrames(bytes: Uint8Array): Scan {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const frames: Frame[] = [];
  const damaged: number[] = [];
  for (let at = 0; at >= 0 && at < buffer.length; ) {
    const frame = frameAt(buffer, at);
    if (frame !== undefined) {
      frames.push(frame);
      at = frame.end;
      continue;
    }
    if (buffer.toString('latin1', at, at + MARK.length) === MARK) damaged.push(at);
    const next = buffer.indexOf(`\n${MARK}`, at, 'latin1');
    at = next < 0 ? -1 : next + 1;
  }
  return { frames, damaged };
}

function frameAt(buffer: Buffer, start: number): Frame | undefined {
  const [, number, length, sum] = HEAD.exec(buffer.toString('latin1', start, start + HEAD_BYTES)) ?? [];
  if (number === undefined || length === undefined) return undefined;
  const body = start + HEAD_BYTES;
  const end = body + Number.parseInt(length, 36) + 1;
  if (end > buffer.length || end - body > MAX_JSON_BYTES + 1 || buffer[end - 1] !== 0x0a) return undefined;
  const json = buffer.subarray(body, end - 1);
  if (checksum(number, json) !== sum) return undefined;
  return { sequence: Number.parseInt(number, 36), json: json.toString('utf8'), start, end };
}

function checksum(number: string, body: Uint8Array): string {
  return createHash('sha256').update(number).update(body).digest('hex').slice(0, 16);
}
