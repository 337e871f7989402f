// Which file of a set is the COW for the base that is about to run, and whether it may be used. Pure. The order: the file
// of this base (P.F); the seed file P if it is bound to this base; P if it is blank, which binds it; else nothing, unless
// the owner says that it fits (adopt). A COW over another base mounts without any message and mixes two systems.

import { type Candidate, missingBytes } from './candidate.ts';
import { CHUNK_BYTES, entriesPerArea, isBadSize, SECTOR_BYTES } from './cow-geometry.ts';
import { type Fingerprint, shortFingerprint } from './fingerprint.ts';

/** After so many boots that did not come up the COW is left out. */
export const MAX_TRIES = 3;
/** Below this nothing useful fits. */
const MIN_BYTES = 16 * CHUNK_BYTES;

export type RefusalReason =
  | 'file-missing'
  | 'not-regular'
  | 'not-a-cow'
  | 'invalid'
  | 'truncated'
  | 'sparse'
  | 'bad-size'
  | 'mismatch'
  | 'unbound'
  | 'quarantined'
  | 'too-many-tries'
  | 'permission';

/** What is known of a set. */
export interface SetFacts {
  /** The set's path as it is on the command line, for messages. */
  shown: string;
  fingerprint: Fingerprint;
  /** `P.F`. */
  own: Candidate;
  /** `P`. */
  seed: Candidate;
  /** The digits of all bases that the set has a file for. */
  others: readonly string[];
  /** Bytes that may still be allocated on the file system. */
  freeBytes: number;
}

export type Choice =
  | {
      use: true;
      file: string;
      /** Whether a sidecar has to be written first: for a blank file, or one that the owner says belongs here. */
      bind: 'already' | 'blank' | 'adopted';
      /** Bytes that must be allocated first: the file has holes, and the disk under them could run full. */
      allocateBytes: number;
      /** The file must be cut to this size first; it is one chunk less, which nothing is stored in. */
      cutToBytes: number | undefined;
      chunkSectors: number;
      warnings: readonly string[];
    }
  | { use: false; reason: RefusalReason; file: string; message: string; hint: string };

type Usable = Extract<Candidate, { kind: 'file' }>;

/** Chooses the file, or says in one word and one sentence why there is none. */
export function chooseCow(facts: SetFacts, policy: { adopt: boolean }): Choice {
  const { own, seed, fingerprint, shown, others } = facts;
  if (own.kind !== 'missing') return judge(own, facts, policy, { isOwn: true });
  if (seed.kind !== 'missing') return judge(seed, facts, policy, { isOwn: false });
  const short = shortFingerprint(fingerprint);
  return others.length === 0
    ? refuse('file-missing', seed.file, `${shown} does not exist`, `make it: holdfast overlay create ${shown}`)
    : refuse(
        'mismatch',
        own.file,
        `${shown} has changes for other systems (${others.slice(0, 4).join(', ')}) and none for this one (${short})`,
        `carry them over: holdfast overlay rebase; or begin blank: holdfast overlay create ${shown}`,
      );
}

function judge(
  candidate: Candidate,
  facts: SetFacts,
  policy: { adopt: boolean },
  { isOwn }: { isOwn: boolean },
): Choice {
  const { file } = candidate;
  if (candidate.kind !== 'file') {
    const what = { missing: 'missing', link: 'a symbolic link', directory: 'a directory', special: 'no regular file' };
    return refuse('not-regular', file, `${file} is ${what[candidate.kind]}`, 'an overlay is kept in a regular file');
  }
  return judgeBinding(candidate, facts, policy, isOwn) ?? judgeContent(candidate, facts, policy);
}

/** A refusal, or undefined where the file belongs to this base. */
function judgeBinding(
  { file, binding, start, tries }: Usable,
  { fingerprint, freeBytes: _, ...facts }: SetFacts,
  { adopt }: { adopt: boolean },
  isOwn: boolean,
): Choice | undefined {
  const short = shortFingerprint(fingerprint);
  if (binding === undefined) {
    if (start.kind === 'blank' || adopt || start.kind === 'not-a-cow' || start.kind === 'bad-header') return undefined;
    return refuse(
      'unbound',
      file,
      `${file} holds changes, and nothing says which system they belong to`,
      `if it is this one: holdfast overlay adopt ${facts.shown}`,
    );
  }
  if ('problem' in binding) {
    return refuse('unbound', file, `${file}.bind can’t be used: ${binding.problem}`, 'see holdfast overlay check');
  }
  if (binding.fingerprint !== fingerprint) {
    const theirs = shortFingerprint(binding.fingerprint);
    const cause = isOwn
      ? 'its name and its sidecar disagree'
      : 'another image is running, or this one was mounted writable (rd.cos.debugrw) or repaired';
    return refuse(
      'mismatch',
      file,
      `${file} belongs to the system ${theirs}, and ${short} is running: ${cause}`,
      `begin blank: holdfast overlay create ${facts.shown}; or carry over: holdfast overlay rebase --from ${theirs}`,
    );
  }
  if (binding.state !== 'ready') {
    const note = binding.note === undefined ? '' : `: ${binding.note}`;
    return refuse('quarantined', file, `${file} is marked ${binding.state}${note}`, 'holdfast overlay check says more');
  }
  if (tries >= MAX_TRIES) {
    return refuse(
      'too-many-tries',
      file,
      `${tries} boots with ${file} in a row did not come up`,
      'look at it with holdfast overlay check; then holdfast overlay repair, which counts anew',
    );
  }
  return undefined;
}

function judgeContent(candidate: Usable, { freeBytes }: SetFacts, _policy: { adopt: boolean }): Choice {
  const { file, sizeBytes, start, binding, uid, mode } = candidate;
  if (start.kind === 'not-a-cow') return refuse('not-a-cow', file, `${file}: ${start.message}`, 'name another file');
  if (start.kind === 'bad-header') {
    return refuse('not-a-cow', file, `${file}: ${start.message}`, 'holdfast overlay repair works on a copy of it');
  }
  if (start.kind === 'cow' && !start.valid) {
    return refuse(
      'invalid',
      file,
      `${file} was marked invalid by the kernel: it, or the disk below it, ran full`,
      'holdfast overlay repair gets back what was written before that',
    );
  }
  if (sizeBytes < MIN_BYTES) {
    return refuse('truncated', file, `${file} has only ${sizeBytes} bytes`, 'holdfast overlay grow makes it larger');
  }
  const chunkSectors = start.kind === 'cow' ? start.chunkSectors : CHUNK_BYTES / SECTOR_BYTES;
  const chunkBytes = chunkSectors * SECTOR_BYTES;
  const chunks = Math.floor(sizeBytes / chunkBytes);
  // The last chunk of such a size is the data chunk whose entry would fill the last area: nothing is in it.
  const cutToBytes = isBadSize(chunks, entriesPerArea(chunkBytes)) ? (chunks - 1) * chunkBytes : undefined;
  const allocateBytes = missingBytes(candidate);
  if (allocateBytes > freeBytes) {
    return refuse(
      'sparse',
      file,
      `${file} has holes, and the ${allocateBytes} bytes that they lack don’t fit on its disk (${freeBytes} bytes free)`,
      'make room there: a full disk below an overlay would destroy it',
    );
  }
  return {
    use: true,
    file,
    bind: binding !== undefined ? 'already' : start.kind === 'blank' ? 'blank' : 'adopted',
    allocateBytes,
    cutToBytes,
    chunkSectors,
    warnings: [
      ...(cutToBytes === undefined
        ? []
        : [`${file} has a size with which a snapshot breaks when it is full: cut by one chunk`]),
      ...(allocateBytes === 0 ? [] : [`${file} has holes: ${allocateBytes} bytes are allocated now`]),
      ...(uid === 0 && (mode & 0o077) === 0
        ? []
        : [`${file} can be read or written by others than root (mode ${mode.toString(8)})`]),
    ],
  };
}

function refuse(reason: RefusalReason, file: string, message: string, hint: string): Choice {
  return { use: false, reason, file, message, hint };
}
