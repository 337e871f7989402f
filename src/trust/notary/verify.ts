// Whether a tag is signed by its publisher, and for which content: the verification of Notary v1 as docker's client did it,
// stricter where that client gave way. The clock is an argument, and what comes out is a digest or one refusal.

import { type Digest, isDigest } from '../../image/digest.ts';
import { UndoStack } from '../../system/plan.ts';
import { TrustError } from '../trust-error.ts';
import { NotaryClient, type NotaryHttp } from './client.ts';
import { type ChainQuestion, type FileChain, followChain, followReleases } from './file-chain.ts';
import { RELEASES, type Root, type Targets } from './metadata.ts';
import { pinFor, type TrustPins, type TrustRule } from './pins.ts';
import type { Versions } from './stored-trust.ts';
import { type NotaryNotice, TrustMemory } from './trust-memory.ts';
import type { TrustStore } from './trust-store.ts';
import { trustRoot } from './trusted-root.ts';

export interface NotaryQuestion {
  /** The repository's full name, as parseTrustName gives it. */
  gun: string;
  tag: string;
  now: Date;
  /** As notaryServer gives it. */
  server: string;
  pins?: TrustPins;
  store: Pick<TrustStore, 'open'>;
  http?: NotaryHttp;
  /** A clock before this is wrong; default: when this program's source was young. */
  builtAt?: Date;
  signal?: AbortSignal | undefined;
}

export interface NotaryAnswer {
  gun: string;
  tag: string;
  server: string;
  /** Of the manifest or index, as signed. */
  digest: Digest;
  /** Its size, as signed. */
  sizeBytes: number;
  /** Who vouches for it. */
  role: 'targets' | typeof RELEASES;
  /** How trust in this repository began: by which rule, with which root keys, and whether that was just now. */
  trust: { rule: TrustRule; keyIds: readonly string[]; isNew: boolean };
  /** Until when the server's word that this is the newest state holds. */
  timestampExpires: Date;
  /** For the person, in this order. */
  notices: readonly NotaryNotice[];
}

/** No release of this program is older; a clock that is makes every expiry meaningless. */
const BUILT_AT = new Date('2026-11-01T00:00:00Z');
/** Servers sign for 14 days. */
const LONG_TIMESTAMP_MS = 30 * 24 * 60 * 60 * 1000;

/**
 * Looks a tag up, and checks everything from the root key to the digest. Nothing but what is remembered of the repository
 * is written.
 * @throws TrustError with its reason; HoldfastError HF-LOCKED, HF-INTERRUPTED, HF-CONFIG for credentials or pins that can't
 *   be read.
 */
export async function verifyNotary(question: NotaryQuestion): Promise<NotaryAnswer> {
  const { gun, now, server, pins = {}, store, builtAt = BUILT_AT } = question;
  if (now < builtAt) {
    throw new TrustError('clock-invalid', `this machine's clock says ${now.toISOString()}, which is in the past`, {
      hint: 'set the clock: without it nobody can tell whether signatures have expired',
    });
  }
  const pin = pinFor(gun, pins);
  const undo = new UndoStack();
  try {
    const record = await store.open(server, gun, undo);
    const client = new NotaryClient(server, gun, question.http, question.signal);
    return await walk(question, client, new TrustMemory(record, pin));
  } finally {
    await undo.unwind(false);
  }
}

async function walk(question: NotaryQuestion, client: NotaryClient, memory: TrustMemory): Promise<NotaryAnswer> {
  const { gun, tag, server, now } = question;
  const { root, chain } = await followTwice(question, client, memory);
  const { timestamp, snapshot, targets } = chain;
  const versions: Versions = {
    ...memory.stored.versions,
    timestamp: timestamp.version,
    snapshot: snapshot.version,
    targets: targets.version,
  };
  const releases = await findReleases({ gun, now, client, root, versions: memory.stored.versions }, chain, memory);
  if (releases !== undefined) versions[RELEASES] = releases.version;
  // Given up by the publisher: should it come back, it counts from one again.
  if (targets.releases === undefined) delete versions[RELEASES];
  const found = lookUp(question, targets, releases);
  memory.save({ ...memory.stored, versions, roles: [...snapshot.roles], lastSuccess: now.toISOString() });
  if (timestamp.expires.getTime() - now.getTime() > LONG_TIMESTAMP_MS) {
    const until = timestamp.expires.toISOString();
    memory.tell(
      'warning',
      `the timestamp of ${gun} holds until ${until}: so long could old signatures be shown as new`,
    );
  }
  const { rule, keyIds } = memory.stored.began;
  return {
    gun,
    tag,
    server,
    ...found,
    trust: { rule, keyIds, isNew: memory.isNew },
    timestampExpires: timestamp.expires,
    notices: memory.notices,
  };
}

/** A publisher may change keys between two of our requests: what could come of that is tried once more from the root. */
async function followTwice(
  { gun, now, server }: NotaryQuestion,
  client: NotaryClient,
  memory: TrustMemory,
): Promise<{ root: Root; chain: FileChain }> {
  for (let attempt = 1; ; attempt += 1) {
    const root = await trustRoot({ gun, now, server, client }, memory);
    try {
      return { root, chain: await followChain({ gun, now, client, root, versions: memory.stored.versions }) };
    } catch (error) {
      if (attempt > 1 || !isRace(error)) throw error;
    }
  }
}

/** What a change of keys between two requests can look like. */
function isRace(error: unknown): boolean {
  return (
    error instanceof TrustError &&
    (error.reason === 'signature-invalid' || error.reason === 'hash-mismatch' || error.reason === 'metadata-missing')
  );
}

type Releases = Targets & { paths: readonly string[] };

/** The delegation for releases; undefined where there is none, or where nothing was ever published in it. */
async function findReleases(
  question: ChainQuestion,
  { snapshot, targets }: FileChain,
  memory: TrustMemory,
): Promise<Releases | undefined> {
  const keys = targets.releases;
  if (keys === undefined) return undefined;
  if (snapshot.releases !== undefined) {
    return { ...(await followReleases(question, keys, snapshot.releases)), paths: keys.paths };
  }
  if (!memory.stored.roles.includes(RELEASES)) return undefined;
  throw new TrustError(
    'role-dropped',
    `the snapshot of ${question.gun} lists ${RELEASES} no more, which it did before`,
    {
      role: RELEASES,
      hint: 'a role that is given up is taken out of targets by the publisher; nobody else can hide it',
    },
  );
}

/** Only in these two: what other delegations say is no word of the publisher's about images. */
function lookUp({ gun, tag }: NotaryQuestion, targets: Targets, releases: Releases | undefined) {
  const mayHave = releases?.paths.some((prefix) => tag.startsWith(prefix)) ? releases : undefined;
  for (const [role, file] of [[RELEASES, mayHave] as const, ['targets', targets] as const]) {
    const entry = file?.targets.get(tag);
    if (entry === undefined || entry.isMissing) continue;
    const hash = entry.get('hashes').get('sha256');
    const digest = hash.isMissing ? '' : `sha256:${hash.bytes().toString('hex')}`;
    if (!isDigest(digest)) {
      throw new TrustError('no-sha256', `the signature of ${gun}:${tag} by ${role} names no sha256 digest`, {
        role,
        hint: 'images are named by sha256; the publisher must sign it again',
      });
    }
    return { digest, sizeBytes: entry.get('length').integer(1), role };
  }
  throw new TrustError('tag-not-signed', `${gun}:${tag} is not signed; the repository is`, {
    hint: 'choose a tag that the publisher has signed, or take the image unverified with --no-verify',
  });
}
