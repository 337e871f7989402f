// The referrers of a manifest in a registry: from the registry's own list where it keeps one, else from the tag that
// stands in for it (OCI distribution-spec 1.1, "Listing Referrers").

import { HoldfastError } from '../../system/errors.ts';
import type { Digest } from '../digest.ts';
import { type Descriptor, shortDigest } from '../manifest.ts';
import { INDEX_TYPE } from '../mediatypes.ts';
import { MAX_REFERRERS, parseReferrers, referrersTag } from '../referrers.ts';
import { fetchManifest, readDocument } from './fetch.ts';
import type { RegistrySession } from './session.ts';

/** Of a list that comes in parts. */
const MAX_PAGES = 32;
/** What registries answer that don't know the question; 404 is what the specification names. */
const UNKNOWN: readonly number[] = [400, 404, 405, 406, 501];

export async function fetchReferrers(
  session: RegistrySession,
  digest: Digest,
  artifactType?: string,
): Promise<Descriptor[]> {
  const what = `the referrers of ${shortDigest(digest)}`;
  const found: Descriptor[] = [];
  const query = artifactType === undefined ? '' : `?artifactType=${encodeURIComponent(artifactType)}`;
  let path: string | undefined = `referrers/${digest}${query}`;
  for (let page = 0; path !== undefined && page < MAX_PAGES && found.length < MAX_REFERRERS; page += 1) {
    const answer = await readDocument(session, path, what, { headers: { accept: INDEX_TYPE }, accepted: UNKNOWN });
    const isList = (answer.headers.get('content-type') ?? '').split(';')[0]?.trim().toLowerCase() === INDEX_TYPE;
    if (answer.status !== 200 || !isList) {
      if (page > 0) break;
      return taggedReferrers(session, digest, artifactType);
    }
    found.push(...parseReferrers(answer.bytes.toString('utf8'), what, artifactType));
    path = nextPage(session, answer.url, answer.headers.get('link'));
  }
  return found.slice(0, MAX_REFERRERS);
}

/** Those that whoever pushed them wrote down. */
export async function taggedReferrers(
  session: RegistrySession,
  digest: Digest,
  artifactType?: string,
): Promise<Descriptor[]> {
  try {
    const { bytes } = await fetchManifest(session, referrersTag(digest));
    return parseReferrers(bytes.toString('utf8'), `the tag ${referrersTag(digest)}`, artifactType);
  } catch (error) {
    if (error instanceof HoldfastError && error.code === 'HF-NO-SOURCE') return [];
    throw error;
  }
}

/** The path of the next part, below the same repository; whatever else a link says isn't followed. */
function nextPage(session: RegistrySession, from: string, link: string | null): string | undefined {
  const target = /<([^<>]*)>\s*;\s*rel="?next"?/.exec(link ?? '')?.[1];
  if (target === undefined || !URL.canParse(target, from)) return undefined;
  return session.pathOf(new URL(target, from).href);
}
