// The slots: each file there, its file system without errors, what it holds able to boot and what its record says it is;
// and what cut-off actions have left beside them.

import { existsSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { requireBootable } from '../lifecycle/bootable.ts';
import { formatBytes } from '../lifecycle/sizes.ts';
import { slotId } from '../slots/identify.ts';
import { SLOT_NAMES, type SlotName } from '../slots/names.ts';
import { type InstallationState, readState } from '../slots/state-file.ts';
import { hasPristine, unfinishedBytes } from '../slots/swap.ts';
import { errnoOf, HoldfastError, messageOf } from '../system/errors.ts';
import { run } from '../system/process.ts';
import { findProgram } from '../system/tools.ts';
import { type Finding, inArea } from './finding.ts';
import { openPartition, openSlot, type Patient, slotPath } from './patient.ts';

/** One slot as it was found. */
export interface FoundSlot {
  slot: SlotName;
  /** Undefined where the partition isn't there. */
  file: string | undefined;
  isThere: boolean;
  /** What the check of its file system printed last; empty when it is clean, undefined when it was not checked. */
  errors: string | undefined;
  /** Why it can't boot; undefined when it can. */
  unbootable: string | undefined;
  /** state.yaml speaks of this file. */
  recorded: 'yes' | 'no' | 'other';
}

export interface SlotFacts {
  slots: readonly FoundSlot[];
  booted: SlotName | undefined;
  stateProblems: readonly string[];
  /** Of what a cut-off action left on the state partition, in bytes. */
  unfinishedBytes: number;
  /** The image of the active slot has its pristine. */
  pristine: 'kept' | 'missing' | 'unknown';
}

const { ok, skipped, warning, failed } = inArea('slots');

/** What a slot is for, and what makes it anew. */
const PURPOSE: Readonly<Record<SlotName, { loss: string; mend: string }>> = {
  active: {
    loss: 'the next boot falls back to the passive or the recovery system',
    mend: 'holdfast rollback, or from the recovery system: holdfast reset',
  },
  passive: {
    loss: 'there is nothing to go back to when the active system fails',
    mend: 'holdfast upgrade --force makes it anew out of the active one',
  },
  recovery: {
    loss: 'nothing can mend this machine when active and passive fail',
    mend: 'holdfast upgrade --recovery IMAGE',
  },
};

/** Pure. */
export function judgeSlots({ slots, booted, stateProblems, unfinishedBytes: bytes, pristine }: SlotFacts): Finding[] {
  const findings = slots.flatMap(judgeSlot);
  if (booted === 'passive' || booted === 'recovery') {
    findings.push(
      warning(
        `the ${booted} system runs, not the active one`,
        booted === 'passive' ? 'the active system did not start, or this one was chosen' : 'it is made for repairs',
        'holdfast status says why; holdfast boot says what boots next',
      ),
    );
  }
  findings.push(
    ...stateProblems.map((text) =>
      warning(
        text,
        'it is not known which image the slots hold',
        'holdfast state shows it repaired; the next action writes it',
      ),
    ),
  );
  if (bytes > 0) {
    findings.push(
      warning(
        `an action that was cut off has left ${formatBytes(bytes)} in /cOS`,
        'the room is missing until then',
        'nothing: the next action that changes a slot takes it away',
      ),
    );
  }
  if (pristine === 'missing')
    findings.push(ok('no pristine of the installed image is kept: the next upgrade reads all of its image'));
  return findings;
}

function judgeSlot({ slot, file, isThere, errors, unbootable, recorded }: FoundSlot): Finding[] {
  const { loss, mend } = PURPOSE[slot];
  if (file === undefined) return [skipped(`the ${slot} slot can’t be looked at: its partition is not there`)];
  const name = file.split('/').slice(-2).join('/');
  // The passive slot may be missing after an installation by somebody else.
  if (!isThere) return [(slot === 'active' ? failed : warning)(`${name} is missing`, loss, mend)];
  if (errors !== undefined && errors !== '')
    return [failed(`the file system in ${name} is damaged: ${errors}`, loss, mend)];
  if (unbootable !== undefined) return [failed(`the ${slot} slot can’t boot: ${unbootable}`, loss, mend)];
  const checked = errors === undefined ? 'is complete' : 'is complete and its file system has no errors';
  const findings = [ok(`the ${slot} slot ${checked}`)];
  if (recorded === 'other') {
    findings.push(
      warning(
        `state.yaml speaks of another file than ${name}`,
        'it is not known which image this slot holds, so the next upgrade to it costs more',
        'holdfast state shows it repaired; the next action writes it',
      ),
    );
  }
  return findings;
}

export async function checkSlots(patient: Patient): Promise<Finding[]> {
  if (patient.busy !== undefined) return [skipped(patient.busy)];
  if (patient.partitions.state === undefined && patient.partitions.recovery === undefined) {
    return [skipped('no disk with an installed system is attached')];
  }
  const stateDirectory = await openPartition(patient, 'state');
  const { state, problem } = readState(join(stateDirectory ?? '/nonexistent', 'state.yaml'));
  const slots: FoundSlot[] = [];
  for (const slot of SLOT_NAMES) slots.push(await lookAtSlot(patient, slot, state));
  const digest = state.active?.digest;
  return judgeSlots({
    slots,
    booted: patient.booted.slot,
    stateProblems: problem === undefined ? [] : [problem],
    unfinishedBytes: stateDirectory === undefined ? 0 : unfinishedBytes(stateDirectory),
    pristine:
      stateDirectory === undefined || digest === undefined
        ? 'unknown'
        : hasPristine(stateDirectory, digest)
          ? 'kept'
          : 'missing',
  });
}

async function lookAtSlot(patient: Patient, slot: SlotName, state: InstallationState): Promise<FoundSlot> {
  const file = await slotPath(patient, slot);
  const found: FoundSlot = { slot, file, isThere: false, errors: undefined, unbootable: undefined, recorded: 'no' };
  if (file === undefined || !existsSync(file)) return found;
  found.isThere = true;
  const size = formatBytes(statSync(file).size);
  patient.events({ type: 'output', text: `checking the file system of the ${slot} slot (${size})` });
  found.errors = await fsck(file, patient.signal);
  // What is damaged is not mounted: the kernel may stumble over it.
  if (found.errors === undefined || found.errors === '') {
    try {
      requireBootable(await openSlot(patient, slot, file));
    } catch (error) {
      if (!(error instanceof HoldfastError) && errnoOf(error) === undefined) throw error;
      found.unbootable = messageOf(error).replace(/^the image can't boot: /, '');
    }
  }
  const deployment = state[slot];
  if (deployment !== undefined && deployment.uuid !== '') {
    found.recorded = deployment.uuid === (await slotId(file)) ? 'yes' : 'other';
  }
  return found;
}

/** The last words of a check that changes nothing; empty when it found no error, undefined where it can't be made. */
async function fsck(file: string, signal: AbortSignal): Promise<string | undefined> {
  if (file.endsWith('.squashfs') || findProgram('e2fsck') === undefined) return undefined;
  const { status, stdout, stderr } = await run(['e2fsck', '-f', '-n', file], { signal });
  if (status === 0) return '';
  const lines = `${stdout}\n${stderr}`
    .split('\n')
    .filter((line) => line.trim() !== '' && !/^Pass \d|^e2fsck /.test(line));
  return lines.at(0)?.trim() ?? `e2fsck ended with ${status}`;
}
