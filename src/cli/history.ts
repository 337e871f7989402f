// `holdfast history [ID]`: what happened on this machine, from its record; all of it for one entry.

import { readHistory } from '../lifecycle/read-history.ts';
import type { RecordEntry } from '../record/entry.ts';
import type { MachineRecord } from '../record/record.ts';
import { HoldfastError } from '../system/errors.ts';
import type { Paint } from '../system/paint.ts';
import { chooseGroups, entryLines, historyLines } from './history-lines.ts';
import { labelsHere } from './labels-here.ts';
import type { CommandContext } from './program.ts';

interface HistoryFlags {
  all?: boolean;
  failed?: boolean;
  last?: string;
}

const DEFAULT_LINES = 30;

export async function historyCommand(
  { reporter }: CommandContext,
  [wanted]: string[],
  flags: HistoryFlags,
): Promise<number> {
  const last = lastOf(flags.last);
  const record = await readHistory(await labelsHere());
  const { problems } = record;
  for (const text of problems) reporter.events({ type: 'notice', level: 'warning', text });
  if (wanted !== undefined) {
    const entry = findEntry(record, wanted);
    const parts = record.entries.filter(({ parent }) => parent === entry.id);
    reporter.result({ entry, parts }, entryLines(entry, parts, reporter.paint));
    return 0;
  }
  const { entries, lines } = listOf(record, flags, last, reporter.paint);
  reporter.result({ entries, problems }, lines);
  return 0;
}

/** What is listed: as data, which is all there is unless less is asked for, and as lines. */
export function listOf(
  { entries, problems }: MachineRecord,
  { all = false, failed = false, ...flags }: HistoryFlags,
  last: number,
  paint: Paint,
): { entries: RecordEntry[]; lines: string[] } {
  const isWhole = !failed && flags.last === undefined;
  const asked = { all: all || isWhole, failed, last: flags.last === undefined ? 0 : last };
  const lines = historyLines(entries, { all, failed, last }, paint);
  const none = problems.length === 0 ? 'Nothing of this kind is recorded.' : 'Nothing of this kind is known.';
  return { entries: chooseGroups(entries, asked).flat(), lines: lines.length === 0 ? [none] : lines };
}

/** @throws HoldfastError HF-USAGE when it is no number. */
function lastOf(text: string | undefined): number {
  if (text === undefined) return DEFAULT_LINES;
  if (/^\d{1,6}$/.test(text)) return Number(text);
  throw new HoldfastError('HF-USAGE', `--last ${JSON.stringify(text)} is no number`, {
    hint: 'how many lines, 0 for all of them',
  });
}

/**
 * The entry of an id, or of the beginning of one.
 * @throws HoldfastError HF-USAGE when there is none, or more than one; HF-STATE when there is none in what could be read.
 */
export function findEntry({ entries, problems }: MachineRecord, wanted: string): RecordEntry {
  const found = entries.filter(({ id }) => wanted !== '' && id.startsWith(wanted));
  const [entry, second] = found;
  if (entry !== undefined && (second === undefined || entry.id === wanted)) return entry;
  if (entry === undefined && problems.length > 0) {
    throw new HoldfastError('HF-STATE', `what is recorded with the id ${JSON.stringify(wanted)} can't be told`, {
      hint: problems.join('; '),
    });
  }
  if (entry === undefined) {
    throw new HoldfastError('HF-USAGE', `nothing with the id ${JSON.stringify(wanted)} is recorded`, {
      hint: 'holdfast history --all shows all ids; the oldest entries make room for new ones',
    });
  }
  throw new HoldfastError('HF-USAGE', `${found.length} entries begin with ${JSON.stringify(wanted)}`, {
    hint: `one of ${found
      .slice(0, 5)
      .map(({ id }) => id)
      .join(', ')}`,
  });
}
