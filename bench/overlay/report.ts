// The overlay bench's figures as text for a terminal.

import type { Cost } from '../../lab/overlay/inside/cost-experiments.ts';
import { figureOf, showFigure } from '../figures.ts';
import type { OverlayReport } from '../overlay.ts';
import { PLACES, type PlaceName } from './disk.ts';

const COLUMNS: readonly (readonly [title: string, of: (cost: Cost) => number, digits: number])[] = [
  ['seconds', ({ seconds }) => seconds, 2],
  ['writes to the disk', ({ diskWrites }) => diskWrites, 0],
  ['MiB written', ({ diskWrittenBytes }) => diskWrittenBytes / 2 ** 20, 1],
  ['flushes', ({ diskFlushes }) => diskFlushes, 0],
];

const TITLES: Readonly<Record<PlaceName, string>> = { plain: 'plain ext4', loop: 'image', overlay: 'overlay' };

/** The report, line by line. */
export function showOverlayReport({ costs, found }: OverlayReport): string[] {
  const lines: string[] = [];
  const names = (costs.plain[0] ?? []).map(({ name }) => name);
  for (const [title, of, digits] of COLUMNS) {
    lines.push('', title.padEnd(34) + [...PLACES.map((place) => TITLES[place]), 'ratio'].map(column).join(''));
    for (const name of names) {
      // What is read is written nowhere.
      if (title !== 'seconds' && name.startsWith('read')) continue;
      const figures = PLACES.map((place) => figureOf(costsOf(costs[place], name).map(of)));
      const [plain, , overlay] = figures.map(({ median }) => median);
      const ratio = plain === undefined || overlay === undefined || plain === 0 ? '' : (overlay / plain).toFixed(2);
      const cells = [...figures.map((figure) => showFigure(figure, digits)), ratio];
      lines.push(`  ${name}`.padEnd(34) + cells.map(column).join(''));
    }
  }
  lines.push('', 'finding what was changed'.padEnd(34) + ['names', 'changes', 'seconds'].map(column).join(''));
  for (const { name, entries, changes, seconds } of found) {
    lines.push(
      `  ${name}`.padEnd(34) + [String(entries), String(changes), showFigure(figureOf(seconds))].map(column).join(''),
    );
  }
  return lines.slice(1);
}

function costsOf(runs: readonly Cost[][], name: string): Cost[] {
  return runs.flatMap((costs) => costs.filter((cost) => cost.name === name));
}

function column(text: string): string {
  return text.padStart(20);
}
