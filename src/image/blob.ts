// Blobs as streams: nothing that was read counts before its digest was checked, and the check costs no second read.

import { createHash } from 'node:crypto';
import { errnoOf, HoldfastError, messageOf } from '../system/errors.ts';
import { type Digest, finishDigest } from './digest.ts';
import { type Descriptor, shortDigest } from './manifest.ts';
import { layerCompression } from './mediatypes.ts';
import { decompress, type StreamStage, through } from './streamstage.ts';

/** A layer of an image: a packed tar file. */
export interface Layer extends Descriptor {
  /** Digest of the unpacked tar stream; what makes two layers the same however they are packed. */
  diffId: Digest;
}

/**
 * A stage that lets bytes pass and fails at the end of the stream, or as soon as it is too long, when they are not
 * the ones that were promised.
 * @throws HoldfastError HF-DIGEST
 */
export function verify(what: string, expected: { digest: Digest; sizeBytes?: number }): StreamStage {
  return async function* (source) {
    const hash = createHash('sha256');
    const { digest, sizeBytes } = expected;
    let read = 0;
    for await (const chunk of source) {
      read += chunk.length;
      if (sizeBytes !== undefined && read > sizeBytes) {
        throw mismatch(`${what} is longer than the ${sizeBytes} bytes that were promised`);
      }
      hash.update(chunk);
      yield chunk;
    }
    if (sizeBytes !== undefined && read < sizeBytes) {
      throw mismatch(`${what} ends after ${read} of ${sizeBytes} bytes`);
    }
    const found = finishDigest(hash);
    if (found !== digest) throw mismatch(`${what} has the digest ${found} instead of ${digest}`);
  };
}

/**
 * From a layer's bytes to its tar stream; both digests and the size are checked while it flows.
 * @throws HoldfastError HF-DIGEST for wrong bytes, HF-IMAGE for what can't be unpacked, HF-TOOL-MISSING without zstd.
 */
export function unpackedLayer(layer: Layer, packed: AsyncIterable<Buffer>): AsyncIterable<Buffer> {
  const name = `layer ${shortDigest(layer.digest)}`;
  const compression = layerCompression(layer.mediaType);
  if (compression === undefined) throw new HoldfastError('HF-UNSUPPORTED', `${name} has the type ${layer.mediaType}`);
  return explainDamage(
    name,
    through(
      packed,
      verify(name, layer),
      decompress(compression),
      verify(`the unpacked ${name}`, { digest: layer.diffId }),
    ),
  );
}

async function* explainDamage(name: string, stream: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  try {
    yield* stream;
  } catch (error) {
    const isPacking =
      error instanceof HoldfastError ? error.code === 'HF-COMMAND' : /^(Z_|ZSTD_)/.test(errnoOf(error) ?? '');
    if (!isPacking) throw error;
    throw new HoldfastError('HF-IMAGE', `${name} can't be unpacked: ${messageOf(error)}`, {
      cause: error,
      hint: 'the layer is damaged or is not packed the way its media type says; fetch or build the image again',
    });
  }
}

function mismatch(message: string): HoldfastError {
  return new HoldfastError('HF-DIGEST', message, {
    hint: 'the image was damaged on its way or was tampered with; fetch or build it again',
  });
}
