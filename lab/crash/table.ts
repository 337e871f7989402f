// The table of a run: per command, how many states were looked at and what was wrong with them.

import { FINDING_KINDS, type Finding, type FindingKind } from './judge.ts';

export interface Row {
  name: string;
  title: string;
  /** Requests that the recording has. */
  writes: number;
  flushes: number;
  states: number;
  atFlushes: number;
  /** Of the states, those that a firmware starts. */
  bootable: number;
  again: number;
  booted: number;
  /** States with at least one finding of a kind; a state may count for several. */
  failures: Partial<Record<FindingKind, number>>;
  failedStates: number;
}

export interface Failure extends Finding {
  scenario: string;
  /** The state's name; the same seed and number of states make it again. */
  state: string;
}

const COLUMNS = ['command', 'writes', 'flushes', 'states', 'at flushes', 'bootable', 'again', 'booted', 'failed'];

/** The table as Markdown, which is also readable on a terminal. */
export function formatTable(rows: readonly Row[]): string {
  const kinds = FINDING_KINDS.filter((kind) => rows.some(({ failures }) => (failures[kind] ?? 0) > 0));
  const cells = rows.map((row) => [
    row.title,
    ...[row.writes, row.flushes, row.states, row.atFlushes, row.bootable, row.again, row.booted, row.failedStates],
    ...kinds.map((kind) => row.failures[kind] ?? 0),
  ]);
  const sums = [...COLUMNS, ...kinds].map((_, column) =>
    column === 0 ? 'all' : cells.reduce((sum, row) => sum + Number(row[column]), 0),
  );
  const text = [[...COLUMNS, ...kinds], ...cells, sums].map((row) => row.map(String));
  const widths = text[0]?.map((_, column) => Math.max(...text.map((row) => row[column]?.length ?? 0))) ?? [];
  const line = (row: readonly string[]) =>
    `| ${row.map((cell, column) => (column === 0 ? cell.padEnd(widths[column] ?? 0) : cell.padStart(widths[column] ?? 0))).join(' | ')} |`;
  const rule = `| ${widths.map((width, column) => (column === 0 ? '-'.repeat(width) : `${'-'.repeat(width - 1)}:`)).join(' | ')} |`;
  const [head = [], ...body] = text;
  return [line(head), rule, ...body.map(line)].join('\n');
}

/** Failures in words, at most so many of each command and kind. */
export function formatFailures(failures: readonly Failure[], most = 3): string[] {
  const counts = new Map<string, number>();
  const lines: string[] = [];
  for (const { scenario, kind, state, detail } of failures) {
    const key = `${scenario} ${kind}`;
    const count = (counts.get(key) ?? 0) + 1;
    counts.set(key, count);
    if (count <= most) lines.push(`${scenario} ${state}: ${kind}: ${detail}`);
  }
  for (const [key, count] of counts) if (count > most) lines.push(`${key}: ${count - most} more`);
  return lines;
}
