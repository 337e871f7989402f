// The record of this machine: readable, and what it says of the last action.

import { isTrouble, lastSeen, type RecordEntry } from '../record/entry.ts';
import { type MachineRecord, readRecord } from '../record/record.ts';
import { type Finding, inArea } from './finding.ts';
import { openPartition, type Patient } from './patient.ts';

const { ok, warning } = inArea('record');

/** Pure. */
export function judgeRecord({ entries, problems }: MachineRecord): Finding[] {
  const findings = problems.map((text) =>
    warning(text, 'a part of what happened here is not known any more', 'nothing: the record goes on behind it'),
  );
  const last = entries.findLast(
    ({ kind, outcome }) => kind === 'action' && outcome !== 'running' && outcome !== 'skipped',
  );
  if (last !== undefined && isTrouble(last)) {
    findings.push(warning(sentence(last), 'what was asked for is not done', `holdfast history ${last.id}`));
  }
  if (findings.length > 0) return findings;
  return [ok(entries.length === 0 ? 'nothing has been recorded yet' : `${entries.length} entries can be read`)];
}

function sentence(entry: RecordEntry): string {
  const { name, outcome, error } = entry;
  const what = outcome === 'failed' ? 'failed' : `was ${outcome}`;
  return `the last action, ${name} of ${lastSeen(entry).slice(0, 16).replace('T', ' ')}, ${what}${error === undefined ? '' : `: ${error.message}`}`;
}

export async function checkRecord(patient: Patient): Promise<Finding[]> {
  const stateDirectory = await openPartition(patient, 'state');
  return judgeRecord(readRecord({ stateDirectory }));
}
