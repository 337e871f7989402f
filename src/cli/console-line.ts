// The one line that a failed stage of the boot puts on the consoles, where the person stands who wonders. Written to the
// terminals themselves: the journal's copy to /dev/console would be every line, and the kernel's log would keep it.

import { closeSync, constants, openSync, readFileSync, writeSync } from 'node:fs';
import { describeFailedStage } from '../lifecycle/boot-report.ts';
import type { StageRecord } from '../stages/stagerecord.ts';
import { oneLine } from '../system/oneline.ts';

const MAX_CHARACTERS = 160;
const HINT = ' (see: holdfast status)';

/** The line; undefined for a stage that went well. */
export function consoleLine(record: StageRecord): string | undefined {
  if (record.outcome !== 'failed') return undefined;
  const { counts, failures } = record;
  const reason = counts.failed + counts.errors > 0 ? (failures[0]?.message ?? '') : '';
  const text = `holdfast: ${describeFailedStage(record)}${reason === '' ? '' : `: ${reason}`}`;
  return oneLine(text, MAX_CHARACTERS - HINT.length) + HINT;
}

/** Every console that the kernel has: /dev/console is the last one only, and nobody may be looking at that. */
export function tellConsoles(line: string): void {
  const names = activeConsoles();
  const told = names.filter((name) => tell(`/dev/${name}`, line));
  if (told.length === 0 && !tell('/dev/console', line)) throw new Error('no console could be written to');
}

function activeConsoles(): string[] {
  try {
    return readFileSync('/sys/class/tty/console/active', 'utf8')
      .trim()
      .split(/\s+/)
      .filter((name) => /^[\w-]+$/.test(name));
  } catch {
    // Without /sys there is still /dev/console.
    return [];
  }
}

/** Never waits: a terminal whose other end holds it would hold the boot. */
function tell(device: string, line: string): boolean {
  let fd: number;
  try {
    fd = openSync(device, constants.O_WRONLY | constants.O_NOCTTY | constants.O_NONBLOCK);
  } catch {
    return false;
  }
  try {
    // The cursor may stand behind a prompt.
    writeSync(fd, `\r\n${line}\r\n`);
    return true;
  } catch {
    return false;
  } finally {
    closeSync(fd);
  }
}
