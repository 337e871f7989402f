// The commands about the record: names, flags, help and examples.

import { Option } from 'commander';
import { dryRun, output } from './options.ts';
import type { Define } from './program.ts';

export function defineRecordCommands(define: Define): void {
  define(
    'history [id]',
    'show what happened on this machine: actions, hooks, stages, who asked, how it ended',
    [
      new Option('--last <number>', 'how many lines, 0 for all; default 30'),
      new Option('--failed', 'only what failed, was refused or interrupted'),
      new Option('--all', 'also hooks, and each stage on a line of its own'),
      ...output(),
    ],
    async () => (await import('./history.ts')).historyCommand,
    {
      root: true,
      example: `  holdfast history
  holdfast history --failed --last 0
  holdfast history k7p2m9qa        all of one entry (first letters will do)
  holdfast history --json`,
    },
  );
  define(
    'record',
    'write what this boot has done to the record on COS_STATE (run by units)',
    [dryRun(), ...output()],
    async () => (await import('./record.ts')).recordCommand,
    { root: true, example: '  holdfast record --dry-run    how much waits to be written' },
  );
}
