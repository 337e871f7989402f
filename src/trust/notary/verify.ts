// Whether a tag is signed by its publisher, and for which content: the verification of Notary v1 as docker's client did it,
// stricter where that client gave way. The clock is an argument, and what comes out is a digest or one refusal.

import type { Digest } from '../../image/digest.ts';
import { isDigest } from '../../image/digest.ts';
import { messageOf } from '../../system/errors.ts';
import { UndoStack } from '../../system/plan.ts';
import { TrustError } from '../trust-error.ts';
import { NotaryClient, type NotaryHttp } from './client.ts';
import { checkExpiry, followChain, followReleases } from './file-chain.ts';
import { RELEASES, type Root, type Targets, type TopRole } from './metadata.ts';
import { type Pin, pinFor, type TrustPins, type TrustRule } from './pins.ts';
import { findRoot } from './root-chain.ts';
import { type StoredTrust, storedRoot, type Versions } from './stored-trust.ts';
import type { TrustRecord, TrustStore } from './trust-store.ts';

export interface NotaryQuestion {
  /** The repository's full name, as parseTrustName gives it. */
  gun: string;
  tag: string;
  now: Date;
  /** As notaryServer gives it. */
  server: string;
  pins?: TrustPins;
  store: TrustStore;
  http?: NotaryHttp;
  /** A clock before this is wrong; default: when this program's source was young. */
  builtAt?: Date;
  signal?: AbortSignal | undefined;
}

export interface NotaryNotice {
  level: 'info' | 'warning';
  text: string;
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
    return await new Verification(question, pin, record).run();
  } finally {
    await undo.unwind(false);
  }
}

class Verification {
  readonly #question: NotaryQuestion;
  readonly #pin: Pin;
  readonly #record: TrustRecord;
  readonly #client: NotaryClient;
  readonly #notices: NotaryNotice[] = [];
  #isNew = false;
  #isSaved: boolean;

  constructor(question: NotaryQuestion, pin: Pin, record: TrustRecord) {
    const { server, gun, http, signal } = question;
    this.#question = question;
    this.#pin = pin;
    this.#record = { ...record };
    this.#client = new NotaryClient(server, gun, http, signal);
    this.#isSaved = record.problem === undefined;
    if (record.problem !== undefined) this.#cannotSave(record.problem, undefined);
  }

  async run(): Promise<NotaryAnswer> {
    const { gun, tag, server, now } = this.#question;
    const { root, chain } = await this.#followTwice();
    const { timestamp, snapshot, targets } = chain;
    const versions: Versions = {
      ...this.#stored().versions,
      timestamp: timestamp.version,
      snapshot: snapshot.version,
      targets: targets.version,
    };
    const releases = await this.#releases(root, chain);
    if (releases !== undefined) versions[RELEASES] = releases.version;
    const found = this.#lookUp(targets, releases);
    const stored = { ...this.#stored(), versions, roles: [...snapshot.roles], lastSuccess: now.toISOString() };
    this.#save(stored);
    if (timestamp.expires.getTime() - now.getTime() > LONG_TIMESTAMP_MS) {
      this.#notices.push({
        level: 'warning',
        text: `the timestamp of ${gun} is valid until ${timestamp.expires.toISOString()}: for so long nobody would notice a server that holds back new signatures`,
      });
    }
    return {
      gun,
      tag,
      server,
      ...found,
      trust: { rule: stored.began.rule, keyIds: stored.began.keyIds, isNew: this.#isNew },
      timestampExpires: timestamp.expires,
      notices: this.#notices,
    };
  }

  /** A publisher may change keys between two of our requests: what could come of that is tried once more from the root. */
  async #followTwice() {
    for (let attempt = 1; ; attempt += 1) {
      const root = await this.#trustRoot();
      try {
        const { gun, now } = this.#question;
        const chain = await followChain({ gun, now, client: this.#client, root, versions: this.#stored().versions });
        return { root, chain };
      } catch (error) {
        if (attempt > 1 || !isRace(error)) throw error;
      }
    }
  }

  /** Finds the root, and remembers it at once: also when a later step fails, what its keys have vouched for holds. */
  async #trustRoot(): Promise<Root> {
    const { gun, server, now } = this.#question;
    const before = this.#record.stored;
    const known = before === undefined ? undefined : storedRoot(before, this.#record.file);
    const isRepinned = before !== undefined && this.#pin.rule !== 'first-use' && before.began.pin !== this.#pin.id;
    const { root, began } = await findRoot({
      gun,
      now,
      client: this.#client,
      pin: this.#pin,
      trusted: isRepinned ? undefined : known,
    });
    // Beginning anew from a pin is no way back to an older root of the same keys.
    if (isRepinned && known !== undefined && root.version < known.version && haveCommonKey(known, root, 'root')) {
      throw new TrustError(
        'version-rollback',
        `the server sends an older root of ${gun}: version ${known.version} was seen, it serves ${root.version}`,
        { role: 'root', hint: 'the server, or a mirror of it, was set back' },
      );
    }
    checkExpiry(root, gun, now);
    if (began === undefined && before !== undefined && known !== undefined) {
      if (!known.bytes.equals(root.bytes)) {
        this.#save({
          ...before,
          root: root.bytes.toString('utf8'),
          versions: keptVersions(before.versions, known, root),
        });
      }
      return root;
    }
    const keyIds = (began ?? []).map(({ id }) => id);
    const pin = this.#pin.rule === 'first-use' ? {} : { entry: this.#pin.entry, pin: this.#pin.id };
    this.#isNew = true;
    this.#tellFirstTrust(keyIds, isRepinned);
    this.#save({
      format: 1,
      gun,
      server,
      root: root.bytes.toString('utf8'),
      versions: before === undefined || known === undefined ? {} : keptVersions(before.versions, known, root),
      roles: before?.roles ?? [],
      began: { rule: this.#pin.rule, ...pin, keyIds, at: now.toISOString() },
    });
    return root;
  }

  async #releases(root: Root, { snapshot, targets }: Awaited<ReturnType<typeof followChain>>) {
    const { gun, now } = this.#question;
    const keys = targets.releases;
    if (keys === undefined) return undefined;
    const { versions, roles } = this.#stored();
    if (snapshot.releases !== undefined) {
      const question = { gun, now, client: this.#client, root, versions };
      return { ...(await followReleases(question, keys, snapshot.releases)), paths: keys.paths };
    }
    if (!roles.includes(RELEASES)) return undefined;
    throw new TrustError('role-dropped', `the snapshot of ${gun} lists ${RELEASES} no more, which it did before`, {
      role: RELEASES,
      hint: 'a role that is given up is taken out of targets by the publisher; nobody else can hide it',
    });
  }

  /** Only in these two: what other delegations say is no word of the publisher's about images. */
  #lookUp(targets: Targets, releases: (Targets & { paths: readonly string[] }) | undefined) {
    const { gun, tag } = this.#question;
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

  #stored(): StoredTrust {
    const { stored } = this.#record;
    if (stored === undefined) throw new TypeError('nothing is trusted yet');
    return stored;
  }

  #save(stored: StoredTrust): void {
    this.#record.stored = stored;
    if (!this.#isSaved) return;
    try {
      this.#record.save(stored);
    } catch (error) {
      this.#isSaved = false;
      this.#cannotSave(messageOf(error), error);
    }
  }

  /** Without memory every run is a first one: only a pin makes up for that. */
  #cannotSave(why: string, cause: unknown): void {
    const { file } = this.#record;
    if (this.#pin.rule === 'first-use') {
      throw new TrustError('state-not-writable', `what is trusted can't be remembered in ${file}: ${why}`, {
        cause,
        hint: 'mount the OEM partition writable, or pin the root key of the repository',
      });
    }
    this.#notices.push({
      level: 'warning',
      text: `what is trusted can't be remembered in ${file}: ${why}; an older state of the repository would not be noticed`,
    });
  }

  #tellFirstTrust(keyIds: readonly string[], isRepinned: boolean): void {
    const { gun, server } = this.#question;
    const keys = `root key ${keyIds.join(', ')}`;
    const how = {
      certs: 'as pinned',
      ca: 'by the pinned authority',
      'first-use': `at first use, on the word of ${server}`,
    }[this.#pin.rule];
    const again = isRepinned ? ', anew, since its pin has changed' : '';
    this.#notices.push({
      level: this.#pin.rule === 'first-use' ? 'warning' : 'info',
      text: `${gun} is trusted from now on${again}, ${how}: ${keys}`,
    });
  }
}

/** What a change of keys between two requests can look like. */
function isRace(error: unknown): boolean {
  return (
    error instanceof TrustError &&
    (error.reason === 'signature-invalid' || error.reason === 'hash-mismatch' || error.reason === 'metadata-missing')
  );
}

/** A role whose keys were all exchanged may count from one again: that is how a publisher recovers from a stolen key. */
function keptVersions(versions: Versions, before: Root, after: Root): Versions {
  const kept: Versions = { ...versions };
  if (!haveCommonKey(before, after, 'timestamp')) delete kept.timestamp;
  if (!haveCommonKey(before, after, 'snapshot')) delete kept.snapshot;
  return kept;
}

function haveCommonKey(a: Root, b: Root, role: TopRole): boolean {
  return a.roles[role].keys.some(({ id }) => b.roles[role].keys.some((other) => other.id === id));
}
