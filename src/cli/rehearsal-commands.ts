// The command that a rehearsal runs inside the system that it looks at; nobody types it.

import { Option } from 'commander';
import { output } from './options.ts';
import type { Define } from './program.ts';

export function defineRehearsalCommands(define: Define): void {
  define(
    'rehearsal-look',
    'find out whether the system works that this runs in (used by upgrade --rehearse)',
    [new Option('--output <file>', 'write what was found to this file'), ...output()],
    async () => (await import('./rehearse.ts')).rehearsalLookCommand,
    { root: true, hidden: true, example: '  holdfast rehearsal-look --output /run/rehearsal/verdict' },
  );
}
