// How the boot that is running went: stages, the layout, slots that did not start, the trial of a new system.

import { describeAssessment } from '../lifecycle/assessment-report.ts';
import {
  type BootReport,
  describeFailedSlot,
  describeFailedStage,
  describeLayout,
  readBootReport,
} from '../lifecycle/boot-report.ts';
import { type Finding, inArea } from './finding.ts';
import type { Patient } from './patient.ts';

const { ok, skipped, warning, failed } = inArea('this boot');

/** Pure. @param rebootPending an upgrade waits for its reboot. */
export function judgeBootReport(report: BootReport, { rebootPending }: { rebootPending: boolean }): Finding[] {
  const { stages, layout, failedSlots, mode, assessment, overlayCarry, logs } = report;
  const plain = (text: string) => text.replace(/\.$/, '');
  const findings: Finding[] = [
    ...failedSlots.map((each) =>
      failed(
        plain(describeFailedSlot(each, mode)),
        'the next boot may end there too',
        'holdfast boot says what boots next; holdfast upgrade --force builds the slot anew',
      ),
    ),
    ...stages
      .filter(({ outcome }) => outcome === 'failed')
      .map((record) =>
        failed(
          plain(describeFailedStage(record)),
          'what its steps were to do is not done',
          logs === undefined
            ? `journalctl -b -u cos-setup-${record.stage}, then: holdfast run-stage ${record.stage}`
            : `see ${logs}/${record.stage}.log, then: holdfast run-stage ${record.stage}`,
        ),
      ),
    ...describeLayout(layout).map((text) =>
      warning(plain(text), 'something is not mounted as it was asked for', 'holdfast mount --dry-run shows the layout'),
    ),
  ];
  const trial = describeAssessment(assessment);
  if (trial !== undefined) findings.push(warning(plain(trial), 'the trial of a new system counts', 'holdfast assess'));
  if (overlayCarry !== undefined) {
    findings.push(
      warning(plain(overlayCarry), 'changes of / may be missing in the next system', 'holdfast overlay conflicts'),
    );
  }
  if (findings.length === 0) {
    findings.push(
      stages.length === 0 && layout === undefined
        ? skipped('nothing of this boot was recorded: it is no system of holdfast')
        : ok(`${stages.length} stages ran, none failed`),
    );
  }
  if (rebootPending) findings.push(ok('a new system waits for the next reboot'));
  return findings;
}

export function checkThisBoot({ booted }: Patient): Finding[] {
  return judgeBootReport(readBootReport(), { rebootPending: booted.slot === 'active' && booted.replaced });
}
