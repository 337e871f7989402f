// The root of this run: the newest one that follows from what is remembered, or the first one that the pins allow. It is
// remembered at once, also when a later step fails: what its keys have vouched for holds.

import { TrustError } from '../trust-error.ts';
import type { NotaryClient } from './client.ts';
import { checkExpiry } from './file-chain.ts';
import type { Root, TopRole } from './metadata.ts';
import { findRoot } from './root-chain.ts';
import type { Versions } from './stored-trust.ts';
import type { TrustMemory } from './trust-memory.ts';

export interface RepositoryQuestion {
  gun: string;
  server: string;
  now: Date;
  client: NotaryClient;
}

/**
 * Finds the root and remembers it.
 * @throws TrustError
 */
export async function trustRoot({ gun, server, now, client }: RepositoryQuestion, memory: TrustMemory): Promise<Root> {
  const { pin, before } = memory;
  const known = memory.root();
  // A pin that says something else than the one that trust began with: the owner wants it to begin anew.
  const isRepinned = before !== undefined && pin.rule !== 'first-use' && before.began.pin !== pin.id;
  const { root, began } = await findRoot({ gun, now, client, pin, trusted: isRepinned ? undefined : known });
  // Beginning anew is no way back to an older root of the same keys.
  if (known !== undefined && root.version < known.version && haveCommonKey(known, root, 'root')) {
    throw new TrustError(
      'version-rollback',
      `the server sends an older root of ${gun}: version ${known.version} was seen, it serves ${root.version}`,
      { role: 'root', hint: 'the server, or a mirror of it, was set back' },
    );
  }
  checkExpiry(root, gun, now);
  const text = root.bytes.toString('utf8');
  // Another publisher, or one who begins anew: what was seen before says nothing about this one.
  const isOther = known !== undefined && began !== undefined && !haveCommonKey(known, root, 'root');
  const past = isOther ? undefined : before;
  const versions = past === undefined || known === undefined ? {} : keptVersions(past.versions, known, root);
  if (began === undefined && before !== undefined) {
    if (text !== before.root) memory.save({ ...before, root: text, versions });
    return root;
  }
  const keyIds = (began ?? []).map(({ id }) => id);
  const how = {
    certs: 'as pinned',
    ca: 'by the pinned authority',
    'first-use': `at first use, on the word of ${server}`,
  }[pin.rule];
  memory.isNew = true;
  memory.tell(
    pin.rule === 'first-use' ? 'warning' : 'info',
    `${gun} is trusted from now on${isRepinned ? ', anew, since its pin has changed' : ''}, ${how}: root key ${keyIds.join(', ')}`,
  );
  memory.save({
    format: 1,
    gun,
    server,
    root: text,
    versions,
    roles: past?.roles ?? [],
    began: {
      rule: pin.rule,
      ...(pin.rule === 'first-use' ? {} : { entry: pin.entry, pin: pin.id }),
      keyIds,
      at: now.toISOString(),
    },
  });
  return root;
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
