// The programs that actions need, found before one stops for want of them.

import { UPGRADE_TOOLS } from '../lifecycle/upgrade.ts';
import { findProgram, packageHint } from '../system/tools.ts';
import { type Finding, inArea } from './finding.ts';
import type { Patient } from './patient.ts';

const { ok, warning, failed } = inArea('tools');

/** What stops without its programs. The first ones are those that no machine can do without. */
export const USES: readonly { what: string; programs: readonly string[]; severe?: true }[] = [
  { what: 'upgrade, rollback, reset', programs: UPGRADE_TOOLS, severe: true },
  { what: 'status', programs: ['blkid', 'debugfs', 'mount', 'umount'] },
  { what: 'extended attributes of images', programs: ['getfattr', 'setfattr'] },
  { what: 'layers packed with zstd', programs: ['zstd'] },
  { what: 'root overlays', programs: ['dmsetup', 'dumpe2fs', 'losetup'] },
  { what: 'partitions of stages', programs: ['sfdisk', 'partx', 'mkfs.ext4'] },
];

/** @param missing what is not found. Pure. */
export function judgeTools(missing: ReadonlySet<string>): Finding[] {
  const said = new Set<string>();
  const findings = USES.flatMap(({ what, programs, severe }) => {
    const wanted = programs.filter((program) => missing.has(program) && !said.has(program));
    for (const program of wanted) said.add(program);
    return wanted.map((program) =>
      (severe ? failed : warning)(
        `the program ${program} is missing`,
        `it is needed for ${what}`,
        `in the image: ${packageHint(program)}`,
      ),
    );
  });
  return findings.length > 0 ? findings : [ok('all programs that actions need are there')];
}

export function checkTools(_: Patient): Finding[] {
  const programs = new Set(USES.flatMap((use) => use.programs));
  return judgeTools(new Set([...programs].filter((program) => findProgram(program) === undefined)));
}
