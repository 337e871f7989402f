// Writing to a registry (OCI distribution-spec, "Push"): blobs in parts, so that a broken connection costs one part, then
// the manifest that names them.

import { HoldfastError } from '../../system/errors.ts';
import type { Exchange } from '../../system/exchange.ts';
import { verify } from '../blob.ts';
import { digestOf } from '../digest.ts';
import { type Descriptor, shortDigest } from '../manifest.ts';
import { INDEX_TYPE } from '../mediatypes.ts';
import { asReferrer, formatReferrers, referrersTag } from '../referrers.ts';
import { taggedReferrers } from './fetch-referrers.ts';
import type { RegistrySession } from './session.ts';

/** Some registries take no more in one request, and as much is kept in memory. */
const PART_BYTES = 4 << 20;

/**
 * Stores a blob in the repository, if it isn't there.
 * @throws HoldfastError HF-DIGEST before the last part when the bytes aren't what was announced, HF-NETWORK.
 */
export async function pushBlob(
  session: RegistrySession,
  descriptor: Descriptor,
  bytes: AsyncIterable<Buffer> | Buffer,
): Promise<void> {
  const { digest } = descriptor;
  const what = `the upload of ${shortDigest(digest)}`;
  const found = await session.request(`blobs/${digest}`, what, { method: 'HEAD', accepted: [200, 404] });
  await found.cancel();
  if (found.status === 200) return;

  const begun = await session.request('blobs/uploads/', what, { method: 'POST', accepted: [202] });
  await begun.cancel();
  let location = locationOf(begun, what);
  let sent = 0;
  let last: Buffer | undefined;
  for await (const part of partsOf(verify('what is uploaded', descriptor)(streamOf(bytes)))) {
    // The last part goes along with the digest.
    if (last !== undefined) {
      location = await pushPart(session, location, what, last, sent);
      sent += last.length;
    }
    last = part;
  }
  const end = new URL(location);
  end.searchParams.set('digest', digest);
  const body = last ?? Buffer.alloc(0);
  const answer = await session.request(end.href, what, {
    method: 'PUT',
    headers: {
      'content-type': 'application/octet-stream',
      ...(sent > 0 && { 'content-range': `${sent}-${sent + body.length - 1}` }),
    },
    body,
    accepted: [201, 204],
  });
  await answer.cancel();
}

/** @returns where the upload goes on. */
async function pushPart(
  session: RegistrySession,
  location: string,
  what: string,
  part: Buffer,
  sent: number,
): Promise<string> {
  const headers = {
    'content-type': 'application/octet-stream',
    'content-range': `${sent}-${sent + part.length - 1}`,
  };
  const answer = await session.request(location, what, { method: 'PATCH', headers, body: part, accepted: [202, 416] });
  await answer.cancel();
  if (answer.status === 202) return locationOf(answer, what);
  // It has this part already when only its answer was lost.
  const state = await session.request(location, what, { accepted: [204] });
  await state.cancel();
  const last = /^(?:bytes=)?0-(\d+)$/.exec(state.headers.get('range') ?? '')?.[1];
  if (Number(last) === sent + part.length - 1) return locationOf(state, what);
  throw new HoldfastError('HF-NETWORK', `${what} broke off`, { hint: 'try again' });
}

/** Stores a manifest by its digest, and by a tag if one is given; sees to the referrers of its subject. */
export async function pushManifest(
  session: RegistrySession,
  bytes: Buffer,
  mediaType: string,
  tag?: string,
): Promise<Descriptor> {
  const descriptor: Descriptor = { mediaType, digest: digestOf(bytes), sizeBytes: bytes.length };
  const what = `the upload of the manifest ${tag ?? shortDigest(descriptor.digest)}`;
  const answer = await session.request(`manifests/${tag ?? descriptor.digest}`, what, {
    method: 'PUT',
    headers: { 'content-type': mediaType },
    body: bytes,
    accepted: [201],
  });
  await answer.cancel();
  const referrer = asReferrer(bytes, mediaType);
  // A registry that keeps the list itself says so.
  if (referrer === undefined || answer.headers.has('oci-subject')) return descriptor;
  const known = await taggedReferrers(session, referrer.subject);
  const others = known.filter(({ digest }) => digest !== descriptor.digest);
  await pushManifest(session, formatReferrers([...others, referrer.entry]), INDEX_TYPE, referrersTag(referrer.subject));
  return descriptor;
}

/** Where an upload goes on: an address that may be relative, and may be on another host. */
function locationOf(answer: Exchange, what: string): string {
  const location = answer.headers.get('location');
  if (location !== null && URL.canParse(location, answer.url)) return new URL(location, answer.url).href;
  throw new HoldfastError('HF-NETWORK', `the registry does not say where ${what} goes on`);
}

async function* streamOf(bytes: AsyncIterable<Buffer> | Buffer): AsyncGenerator<Buffer> {
  if (Buffer.isBuffer(bytes)) yield bytes;
  else yield* bytes;
}

async function* partsOf(stream: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  let waiting: Buffer[] = [];
  let size = 0;
  for await (let chunk of stream) {
    while (size + chunk.length >= PART_BYTES) {
      const missing = PART_BYTES - size;
      yield Buffer.concat([...waiting, chunk.subarray(0, missing)]);
      chunk = chunk.subarray(missing);
      waiting = [];
      size = 0;
    }
    waiting.push(chunk);
    size += chunk.length;
  }
  if (size > 0) yield Buffer.concat(waiting);
}
