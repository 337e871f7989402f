// Everything that can be wrong with a COW, looked at one after the other and said in sentences. Nothing is written but a
// scratch image, on which the file system of the view is checked as it would be at a boot.

import { rmSync, statSync } from 'node:fs';
import { HoldfastError } from '../system/errors.ts';
import { freeBytes } from '../system/filesystems.ts';
import { run, tailOf } from '../system/process.ts';
import { digestBase } from './base-digest.ts';
import type { BasePlace } from './base-place.ts';
import type { Work } from './byte-file.ts';
import { type Candidate, inspectCandidate, missingBytes } from './candidate.ts';
import { MAX_TRIES } from './choose.ts';
import { entriesPerArea, isBadSize } from './cow-geometry.ts';
import { type CowContent, type CowProblem, fillLevel, readCow } from './cow-read.ts';
import { shortFingerprint } from './fingerprint.ts';
import { writeFlatImage } from './flat-image.ts';
import { MIB } from './sizes.ts';

export interface Finding {
  what: 'file' | 'header' | 'changes' | 'room' | 'size' | 'allocation' | 'binding' | 'boots' | 'base' | 'filesystem';
  /** `unknown` could not be found out. */
  outcome: 'ok' | 'warning' | 'problem' | 'unknown';
  message: string;
  hint?: string;
}

export interface CheckFacts {
  candidate: Candidate;
  content: CowContent | { problem: CowProblem };
  /** The base that it is to be used with, where it is known. */
  base: Pick<BasePlace, 'name' | 'sizeBytes' | 'fingerprint'> | undefined;
}

/** What the file itself says. Pure. */
export function judgeCow({ candidate, content, base }: CheckFacts): Finding[] {
  if (candidate.kind !== 'file') {
    return [
      {
        what: 'file',
        outcome: 'problem',
        message: `it is ${candidate.kind === 'missing' ? 'missing' : 'no regular file'}`,
      },
    ];
  }
  const { sizeBytes, uid, mode, tries } = candidate;
  const findings: Finding[] = [
    uid === 0 && (mode & 0o077) === 0
      ? { what: 'file', outcome: 'ok', message: `${Math.round(sizeBytes / MIB)} MiB, for root alone` }
      : {
          what: 'file',
          outcome: 'warning',
          message: `others than root can read or write it (owner ${uid}, mode ${mode.toString(8)})`,
          hint: 'chown 0:0 and chmod 600: it holds everything that was changed, passwords too',
        },
    ...judgeContent(content),
  ];
  const missing = missingBytes(candidate);
  if (missing > 0) {
    findings.push({
      what: 'allocation',
      outcome: 'warning',
      message: `${Math.round(missing / MIB)} MiB of it are holes: when its disk runs full, the overlay is destroyed`,
      hint: `fallocate --length ${sizeBytes} fills them; the next boot does it too`,
    });
  }
  findings.push(judgeBinding(candidate, base));
  if (tries > 0) {
    findings.push({
      what: 'boots',
      outcome: tries >= MAX_TRIES ? 'problem' : 'warning',
      message: `${tries} boots with it in a row did not come up${tries >= MAX_TRIES ? ': it is left out' : ''}`,
      hint: 'holdfast overlay repair counts anew',
    });
  }
  return findings;
}

function judgeContent(content: CheckFacts['content']): Finding[] {
  if ('problem' in content) {
    const { reason, message } = content.problem;
    const what = reason === 'not-a-cow' ? 'header' : 'changes';
    return [{ what, outcome: 'problem', message, hint: 'holdfast overlay repair saves what is right, in a copy' }];
  }
  const { blank, valid, count, chunks, chunkBytes } = content;
  const findings: Finding[] = [
    blank
      ? { what: 'header', outcome: 'ok', message: 'blank: nothing was ever written to it' }
      : valid
        ? { what: 'header', outcome: 'ok', message: 'valid' }
        : {
            what: 'header',
            outcome: 'problem',
            message: 'the kernel has marked it invalid: it, or the disk below it, ran full',
            hint: 'holdfast overlay repair gets back what was written before that',
          },
    { what: 'changes', outcome: 'ok', message: `${count} blocks changed, each listed once and where it can be` },
  ];
  const { used, freeChunks } = fillLevel(content);
  const percent = `${Math.round(used * 100)} % full, ${Math.floor((freeChunks * chunkBytes) / MIB)} MiB free`;
  findings.push({ what: 'room', outcome: used > 0.85 ? 'warning' : 'ok', message: percent });
  if (isBadSize(chunks, entriesPerArea(chunkBytes))) {
    findings.push({
      what: 'size',
      outcome: 'warning',
      message: 'with this size the overlay breaks when it is full, instead of refusing changes',
      hint: 'holdfast overlay grow --size +1M; the next boot mends it too',
    });
  }
  return findings;
}

function judgeBinding({ binding, start }: Extract<Candidate, { kind: 'file' }>, base: CheckFacts['base']): Finding {
  const what = 'binding';
  if (binding === undefined) {
    return start.kind === 'blank'
      ? { what, outcome: 'ok', message: 'for no system yet; the first boot with it decides' }
      : {
          what,
          outcome: 'problem',
          message: 'nothing says which system it belongs to',
          hint: 'holdfast overlay adopt, if it is the one that runs',
        };
  }
  if ('problem' in binding)
    return { what, outcome: 'problem', message: `its sidecar can’t be used: ${binding.problem}` };
  const { fingerprint, state, note, created } = binding;
  const short = shortFingerprint(fingerprint);
  if (state !== 'ready') {
    return {
      what,
      outcome: 'problem',
      message: `${state}${note === undefined ? '' : `: ${note}`}`,
      hint: state === 'building' ? 'it was never finished: drop it, and make it again' : 'holdfast overlay repair',
    };
  }
  if (base !== undefined && base.fingerprint !== fingerprint) {
    return {
      what,
      outcome: 'problem',
      message: `it belongs to ${short}, and ${base.name} is ${shortFingerprint(base.fingerprint)}`,
      hint: 'was that system mounted writable (rd.cos.debugrw), repaired, or replaced?',
    };
  }
  const where = base === undefined ? 'which is not on this machine' : base.name;
  return { what, outcome: 'ok', message: `for ${short} (${where}), since ${created}` };
}

export interface CheckRequest extends Work {
  file: string;
  base: BasePlace | undefined;
  /** Also compare the whole base with what it was, and check the file system of the view. */
  full: boolean;
  /** Someone writes to it now. */
  inUse: boolean;
  /** A file that may be written for the check of the file system; removed again. */
  scratch: string;
}

/** Looks at a COW. */
export async function checkCow(request: CheckRequest): Promise<Finding[]> {
  const { file, base, full } = request;
  const candidate = inspectCandidate(file);
  const content: CheckFacts['content'] =
    candidate.kind === 'file'
      ? await readCow(file, base === undefined ? {} : { baseBytes: base.sizeBytes })
      : { problem: { reason: 'not-a-cow', message: 'it is no file' } };
  const findings = judgeCow({ candidate, content, base });
  if (!full || candidate.kind !== 'file') return findings;
  const { binding } = candidate;
  const sha256 = binding !== undefined && 'baseSha256' in binding ? binding.baseSha256 : undefined;
  findings.push(await checkBase(request, sha256));
  if (!('problem' in content)) findings.push(await checkFilesystem(request));
  return findings;
}

async function checkBase({ base, ...work }: CheckRequest, expected: string | undefined): Promise<Finding> {
  const what = 'base';
  if (base === undefined) return { what, outcome: 'unknown', message: 'its system is not on this machine' };
  if (expected === undefined)
    return { what, outcome: 'unknown', message: 'its digest was not taken when it was bound' };
  const found = await digestBase(base.file, work);
  return found === expected
    ? { what, outcome: 'ok', message: `${base.name} is byte for byte what it was` }
    : {
        what,
        outcome: 'problem',
        message: `${base.name} is not what it was when the overlay was begun: some files may be a mixture of old and new`,
      };
}

async function checkFilesystem({ file, base, inUse, scratch, ...work }: CheckRequest): Promise<Finding> {
  const what = 'filesystem';
  if (base === undefined)
    return { what, outcome: 'unknown', message: 'without its system there is no file system to check' };
  if (inUse) return { what, outcome: 'unknown', message: 'it is in use; the next boot checks it' };
  requireScratchRoom(scratch, base.sizeBytes);
  try {
    await writeFlatImage({ base: base.file, cow: file, to: scratch, ...work });
    // As at a boot: what is safe may be repaired, here in the copy.
    const { status, stdout, stderr } = await run(['e2fsck', '-p', '-f', scratch], { signal: work.signal });
    if (status === 0) return { what, outcome: 'ok', message: 'clean' };
    if (status !== null && status < 4) {
      return { what, outcome: 'warning', message: 'it was not closed cleanly; the next boot repairs that' };
    }
    return {
      what,
      outcome: 'problem',
      message: `it has errors that a boot does not repair: ${tailOf(`${stdout}${stderr}`, 1)}`,
      hint: 'holdfast overlay repair',
    };
  } finally {
    rmSync(scratch, { force: true });
  }
}

/** @throws HoldfastError HF-NO-SPACE when a whole base doesn't fit beside a scratch file. */
export function requireScratchRoom(scratch: string, sizeBytes: number): void {
  const directory = scratch.slice(0, scratch.lastIndexOf('/')) || '/';
  if (statSync(directory, { throwIfNoEntry: false })?.isDirectory() !== true) {
    throw new HoldfastError('HF-IO', `there is no directory ${directory}`);
  }
  const free = freeBytes(directory);
  if (free >= sizeBytes) return;
  throw new HoldfastError(
    'HF-NO-SPACE',
    `${directory} has no room for a copy of the system: ${Math.ceil(sizeBytes / MIB)} MiB needed, ${Math.floor(free / MIB)} MiB free`,
    { hint: 'name a directory with room: --work /mnt/elsewhere' },
  );
}
