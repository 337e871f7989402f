// What is in a repository: manifests and indexes as checked text, blobs as streams. A stream that breaks off is continued
// where it broke; the digests are checked over the whole by whoever reads it.

import { HoldfastError } from '../../system/errors.ts';
import { BrokenExchange, type Exchange } from '../../system/exchange.ts';
import { type Digest, digestOf, isDigest } from '../digest.ts';
import { type Descriptor, looksLikeIndex, MAX_DOCUMENT_BYTES, shortDigest } from '../manifest.ts';
import { INDEX_TYPE, isIndexType, isManifestType, MANIFEST_ACCEPT, MANIFEST_TYPE } from '../mediatypes.ts';
import type { BlobOptions, FetchedManifest } from '../repository.ts';
import type { RegistrySession } from './session.ts';

/** After so many bytes, earlier failures of a transfer count no more. */
export const PROGRESS_BYTES = 16 << 10;

/**
 * A manifest or index.
 * @param reference a tag, or the digest that it must have.
 * @throws HoldfastError HF-NO-SOURCE, HF-NETWORK, HF-DIGEST, HF-IMAGE when it is too large, HF-UNSUPPORTED for docker's
 *   old kind; otherwise as {@link RegistrySession.get}.
 */
export async function fetchManifest(session: RegistrySession, reference: string): Promise<FetchedManifest> {
  const what = isDigest(reference) ? `the manifest ${shortDigest(reference)}` : `the tag ${reference}`;
  const { bytes, headers } = await readDocument(session, `manifests/${reference}`, what, {
    headers: { accept: MANIFEST_ACCEPT },
  });
  const digest = digestOf(bytes);
  const promised = isDigest(reference) ? reference : headers.get('docker-content-digest');
  // Another algorithm's digest can't be compared, and says nothing about the bytes that ours doesn't.
  if (promised !== null && isDigest(promised) && promised !== digest) throw wrongDigest(what, digest, promised);
  const text = bytes.toString('utf8');
  return { mediaType: kindOf(headers, text, what), digest, sizeBytes: bytes.length, bytes };
}

/** A small blob, checked. */
export async function fetchDocument(
  session: RegistrySession,
  { digest, sizeBytes }: Descriptor,
  what: string,
  maxBytes: number,
): Promise<Buffer> {
  if (sizeBytes > maxBytes) throw tooLarge(what, maxBytes);
  const { bytes } = await readDocument(session, `blobs/${digest}`, what, { maxBytes });
  const found = digestOf(bytes);
  if (found !== digest) throw wrongDigest(what, found, digest);
  return bytes;
}

/**
 * The bytes of a blob. Never more than a little beyond the promised size, whatever is sent.
 * @throws HoldfastError as {@link RegistrySession.get}.
 */
export async function* fetchBlob(
  session: RegistrySession,
  { digest, sizeBytes }: Pick<Descriptor, 'digest' | 'sizeBytes'>,
  { from = 0, onBytes = () => {} }: Pick<BlobOptions, 'from' | 'onBytes'> = {},
): AsyncGenerator<Buffer> {
  const what = `the layer ${shortDigest(digest)}`;
  const patience = session.patience();
  let read = from;
  let sinceFailure = 0;
  let isWhole = false;
  for (;;) {
    const range: Record<string, string> = read === 0 || isWhole ? {} : { range: `bytes=${read}-` };
    const answer = await session.get(`blobs/${digest}`, what, range, patience, isWhole ? [] : [416]);
    if (answer.status === 416) {
      // Some servers refuse ranges instead of passing them over.
      await answer.cancel();
      isWhole = true;
      continue;
    }
    requireAsStored(answer, what);
    let skip = read - startOf(answer, read, what);
    let broken = new BrokenExchange('the connection ended early', true, undefined);
    try {
      for await (const chunk of answer.body) {
        const fresh = chunk.subarray(Math.min(skip, chunk.length));
        skip -= chunk.length - fresh.length;
        if (fresh.length === 0) continue;
        read += fresh.length;
        sinceFailure += fresh.length;
        if (sinceFailure >= PROGRESS_BYTES) patience.progress();
        onBytes(fresh.length);
        yield fresh;
        // The reader's check of the size has seen it.
        if (read > sizeBytes) return;
      }
    } catch (error) {
      if (!(error instanceof BrokenExchange)) throw error;
      broken = error;
    }
    if (read >= sizeBytes) return;
    sinceFailure = 0;
    if (!broken.temporary || !(await patience.wait())) throw session.broken(broken, what);
  }
}

/**
 * Somebody on the way may pack what was asked for as it is. The runtimes unpack that unasked: places in it would mean
 * nothing, and it could be any size.
 */
export function requireAsStored({ headers }: Exchange, what: string): void {
  const coding = headers.get('content-encoding')?.toLowerCase() ?? 'identity';
  if (coding === 'identity' || coding === '') return;
  throw new HoldfastError('HF-NETWORK', `${what} comes packed with ${coding}, which was not asked for`, {
    hint: 'a proxy on the way, or the registry, has to stop that',
  });
}

/** Where in the blob the body of an answer begins. */
function startOf({ status, headers }: Exchange, wanted: number, what: string): number {
  // Some servers don't know ranges and send everything again.
  if (status !== 206) return 0;
  const start = Number(/^bytes (\d+)-/.exec(headers.get('content-range') ?? '')?.[1] ?? Number.NaN);
  if (start <= wanted) return start;
  throw new HoldfastError('HF-NETWORK', `the registry sends another part of ${what} than was asked for`);
}

/** Something small, whatever it is. */
export async function readDocument(
  session: RegistrySession,
  path: string,
  what: string,
  options: { headers?: Readonly<Record<string, string>>; accepted?: readonly number[]; maxBytes?: number } = {},
): Promise<{ bytes: Buffer; headers: Headers; status: number; url: string }> {
  const { headers = {}, accepted = [], maxBytes = MAX_DOCUMENT_BYTES } = options;
  const patience = session.patience();
  for (;;) {
    const answer = await session.get(path, what, headers, patience, accepted);
    const chunks: Buffer[] = [];
    let size = 0;
    try {
      for await (const chunk of answer.body) {
        size += chunk.length;
        if (size > maxBytes) throw tooLarge(what, maxBytes);
        chunks.push(chunk);
      }
      return { bytes: Buffer.concat(chunks), headers: answer.headers, status: answer.status, url: answer.url };
    } catch (error) {
      if (!(error instanceof BrokenExchange)) throw error;
      if (!error.temporary || !(await patience.wait())) throw session.broken(error, what);
    }
  }
}

/** The media type that the document has for us; its own words about itself are checked when it is parsed. */
function kindOf(headers: Headers, text: string, what: string): string {
  const mediaType = (headers.get('content-type') ?? '').split(';')[0]?.trim().toLowerCase() ?? '';
  if (isIndexType(mediaType) || isManifestType(mediaType)) return mediaType;
  if (/^application\/vnd\.docker\.distribution\.manifest\.v1\+/.test(mediaType)) {
    throw new HoldfastError('HF-UNSUPPORTED', `${what} is an image of docker's first kind (schema 1)`, {
      hint: 'push the image again with a tool of this decade',
    });
  }
  return looksLikeIndex(text) ? INDEX_TYPE : MANIFEST_TYPE;
}

function tooLarge(what: string, maxBytes: number): HoldfastError {
  return new HoldfastError('HF-IMAGE', `${what} is too large`, { hint: `it may have at most ${maxBytes} bytes` });
}

function wrongDigest(what: string, found: Digest, promised: Digest): HoldfastError {
  return new HoldfastError('HF-DIGEST', `${what} has the digest ${found} instead of ${promised}`, {
    hint: 'the registry, or something on the way to it, is broken or not to be trusted',
  });
}
