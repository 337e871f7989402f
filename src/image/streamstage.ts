// Stages of a byte stream as async generators: they compose like functions, hold one chunk at a time, and a consumer
// that stops early ends every stage behind it. The compressors are here: zlib's, and zstd where the runtime lacks it.

import { spawn } from 'node:child_process';
import { Duplex } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import zlib from 'node:zlib';
import { errnoOf, HoldfastError } from '../system/errors.ts';
import { tailOf } from '../system/process.ts';
import { packageHint } from '../system/tools.ts';
import type { Compression } from './mediatypes.ts';
import { FrameSplitter } from './zstd-frames.ts';

/** Takes a stream and gives another one. */
export type StreamStage = (source: AsyncIterable<Buffer>) => AsyncIterable<Buffer>;

const CHUNK = 1 << 18;

/** Sends a stream through stages, first one first. */
export function through(source: AsyncIterable<Buffer>, ...stages: StreamStage[]): AsyncIterable<Buffer> {
  return stages.reduce((stream, stage) => stage(stream), source);
}

/**
 * A stage that packs: gzip by the runtime's zlib, zstd by zstd(1), whose output does not depend on its threads.
 * The same input gives the same bytes with the same runtime; Node's and Bun's zlib are not the same.
 */
export function compress(compression: Compression): StreamStage {
  switch (compression) {
    case 'none':
      return (source) => source;
    case 'gzip':
      return throughDuplex(() => zlib.createGzip({ level: 6, chunkSize: CHUNK }));
    case 'zstd':
      return throughProgram(['zstd', '-q', '-6', '-T0', '-c']);
  }
}

/**
 * A stage that unpacks. Memory is bounded: zstd frames that want a window above 128 MiB are refused.
 * Bun, and Node from 22.15 on, have zstd built in; older ones need zstd(1).
 */
export function decompress(compression: Compression): StreamStage {
  switch (compression) {
    case 'none':
      return (source) => source;
    case 'gzip':
      return throughDuplex(() => zlib.createGunzip({ chunkSize: CHUNK }));
    case 'zstd':
      // The types are those of Node 20, which lacks it.
      return 'createZstdDecompress' in zlib && typeof zlib.createZstdDecompress === 'function'
        ? frameByFrame(throughDuplex(zlib.createZstdDecompress.bind(undefined, { chunkSize: CHUNK })))
        : (source) => throughProgram(['zstd', '-q', '-d', '-c', '-M128MiB'])(onlyZstd(source));
  }
}

/**
 * Node's zstd ends after the first frame, whatever follows (seen with 22.23), where Bun's and zstd(1) go on.
 */
function frameByFrame(unpackFrame: StreamStage): StreamStage {
  if (process.versions.bun !== undefined) return unpackFrame;
  return async function* (source) {
    const pieces = framePieces(source);
    for (;;) {
      const first = await pieces.next();
      if (first.done) return;
      yield* unpackFrame(restOfFrame(first.value, pieces));
    }
  };
}

async function* framePieces(source: AsyncIterable<Buffer>): AsyncGenerator<{ bytes: Buffer; ends: boolean }, void> {
  const splitter = new FrameSplitter();
  let isEmpty = true;
  for await (const chunk of source) {
    isEmpty &&= chunk.length === 0;
    yield* splitter.push(chunk);
  }
  if (isEmpty) throw notZstd();
  if (!splitter.isBetweenFrames) throw new HoldfastError('HF-COMMAND', 'zstd failed: the data ends in the middle');
}

async function* restOfFrame(
  first: { bytes: Buffer; ends: boolean },
  pieces: AsyncGenerator<{ bytes: Buffer; ends: boolean }, void>,
): AsyncGenerator<Buffer> {
  yield first.bytes;
  // Not for await: that would end the stream that the next frame comes from.
  for (let { ends } = first; !ends; ) {
    const next = await pieces.next();
    if (next.done) return;
    ({ ends } = next.value);
    yield next.value.bytes;
  }
}

/** zstd(1) would unpack gzip too, which the runtimes' own zstd refuses. */
async function* onlyZstd(source: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  let head: Buffer | undefined = Buffer.alloc(0);
  for await (const chunk of source) {
    if (head === undefined) {
      yield chunk;
      continue;
    }
    head = Buffer.concat([head, chunk]);
    if (head.length < 4) continue;
    const magic = head.readUInt32LE();
    const isSkippable = magic >>> 4 === 0x0184d2a5;
    if (magic !== 0xfd2fb528 && !isSkippable) throw notZstd();
    yield head;
    head = undefined;
  }
  if (head !== undefined) throw notZstd();
}

function throughDuplex(create: () => unknown): StreamStage {
  return async function* (source) {
    const duplex = create();
    if (!(duplex instanceof Duplex)) throw new TypeError('not a stream');
    // What goes wrong while feeding destroys the stream with that error, and reading it throws it.
    pipeline(source, duplex).catch(() => {});
    yield* duplex;
  };
}

/**
 * A stage that is a program: the stream is its input, its output goes on.
 * @throws HoldfastError HF-TOOL-MISSING when it isn't there, HF-COMMAND when its status isn't 0.
 */
export function throughProgram([program, ...args]: [string, ...string[]], options: { cwd?: string } = {}): StreamStage {
  return async function* (source) {
    const child = spawn(program, args, { ...options, detached: true, stdio: ['pipe', 'pipe', 'pipe'] });
    let stderr = '';
    child.stderr.on('data', (chunk: Buffer) => {
      stderr = (stderr + chunk.toString()).slice(-4096);
    });
    const ended = new Promise<number | string | null>((resolve, reject) => {
      child.on('close', (status, signal) => resolve(status ?? signal));
      child.on('error', (error) => reject(errnoOf(error) === 'ENOENT' ? toolMissing(program, error) : error));
    });
    ended.catch(() => {});
    let sourceError: unknown;
    const feeding = pipeline(source, child.stdin).catch((error: unknown) => {
      // A program that gave up closes its input; its own message says more.
      if (errnoOf(error) === 'EPIPE' || errnoOf(error) === 'ERR_STREAM_PREMATURE_CLOSE') return;
      sourceError = error;
      child.kill('SIGKILL');
    });
    try {
      yield* child.stdout;
      await feeding;
      if (sourceError !== undefined) throw sourceError;
      const status = await ended;
      if (status !== 0) throw new HoldfastError('HF-COMMAND', `${program} failed: ${tailOf(stderr, 1) || status}`);
    } finally {
      child.kill('SIGKILL');
    }
  };
}

function toolMissing(program: string, cause: unknown): HoldfastError {
  return new HoldfastError('HF-TOOL-MISSING', `the program ${program} is not installed or not in PATH`, {
    cause,
    hint: packageHint(program),
  });
}

function notZstd(): HoldfastError {
  return new HoldfastError('HF-COMMAND', 'zstd failed: the data is not packed with zstd');
}
