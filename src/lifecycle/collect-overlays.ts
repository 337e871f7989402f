// Which files of an overlay set nobody needs any more. A COW is of use with its own base only, so that of a system which no
// slot holds can't be read; it still stays for a while, since a slot file may come back from a backup.

export interface SetMember {
  /** In the set's directory. */
  name: string;
  kind: 'cow' | 'sidecar' | 'tries' | 'packages' | 'unfinished' | 'aside';
  /** 16 digits of the base's fingerprint; undefined for the set's own file or where nothing says so. */
  digits: string | undefined;
  /** When it was last changed, in ms since 1970. */
  changedMs: number;
}

/** How long a COW without its base stays. */
export const KEEP_DAYS = 30;
/** What goes with a COW. */
const BESIDE: ReadonlySet<SetMember['kind']> = new Set(['sidecar', 'tries', 'packages']);
const DAY_MS = 24 * 3600 * 1000;

export interface Collection {
  remove: { name: string; why: string }[];
  /** COWs that will go later, and the day on which they may. */
  later: { name: string; from: string }[];
}

/**
 * Decides what of a set is removed. Pure. The set's own file stays in any case, and so does what is not a set's file.
 * @param bases digits of the bases that a slot holds or that run.
 */
export function collectOverlays(members: readonly SetMember[], bases: ReadonlySet<string>, nowMs: number): Collection {
  const result: Collection = { remove: [], later: [] };
  const gone = new Set<string>();
  const cows = new Set(members.filter(({ kind }) => kind === 'cow').map(({ digits }) => digits));
  for (const { name, kind, digits, changedMs } of members) {
    if (kind === 'unfinished') {
      result.remove.push({ name, why: 'it was not finished' });
      continue;
    }
    if (digits === undefined || (kind !== 'cow' && kind !== 'aside') || (kind === 'cow' && bases.has(digits))) continue;
    const from = changedMs + KEEP_DAYS * DAY_MS;
    if (nowMs < from) {
      result.later.push({ name, from: new Date(from).toISOString().slice(0, 10) });
      continue;
    }
    const why =
      kind === 'aside' ? `it was set aside more than ${KEEP_DAYS} days ago` : 'its system is in no slot any more';
    result.remove.push({ name, why });
    if (kind === 'cow') gone.add(digits);
  }
  for (const { name, kind, digits } of members) {
    if (!BESIDE.has(kind) || digits === undefined) continue;
    if (gone.has(digits)) result.remove.push({ name, why: 'its overlay goes' });
    else if (!cows.has(digits)) result.remove.push({ name, why: 'its overlay is gone' });
  }
  return result;
}
