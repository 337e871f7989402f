// The commands that say what differs on this machine and why, and that keep a difference or take it back: names, flags, help and
// examples.

import { Option } from 'commander';
import { configDir, dryRun, output } from './options.ts';
import { now } from './owner-commands.ts';
import type { Define } from './program.ts';

export function defineLedgerCommands(define: Define): void {
  define(
    'diff [slot]',
    'what differs from the image, and who made it so: of a slot, or of the running system',
    [
      new Option('--content', 'show how texts differ, line by line; never of what holds secrets'),
      new Option('--below <path>', 'only this path and what is below it'),
      new Option('--all', 'name every path, also those of packages'),
      configDir(),
      ...output(),
    ],
    async () => (await import('./diff.ts')).diffCommand,
    {
      root: true,
      example: `  holdfast diff                       the active system against its image
  holdfast diff --content --below /etc
  holdfast diff passive
  holdfast diff running               what was written since the boot
  holdfast diff planned               what upgrade --plan keeps`,
    },
  );
  define(
    'why <path>',
    'why a file is what it is: image, package, step of a stage file, overlay, or by hand',
    [
      new Option('--slot <slot>', 'look into this slot alone').choices(['active', 'passive', 'recovery', 'planned']),
      configDir(),
      ...output(),
    ],
    async () => (await import('./why.ts')).whyCommand,
    { root: true, example: '  holdfast why /etc/motd\n  holdfast why /usr/bin/vim --slot active' },
  );
  define(
    'adopt <paths...>',
    'keep what was changed by hand: every system to come has it',
    [...now(), dryRun(), ...output()],
    async () => (await import('./adopt.ts')).adoptCommand,
    {
      root: true,
      example:
        '  holdfast adopt /etc/motd\n  holdfast adopt /etc/app.conf --now\n  holdfast adopt --dry-run /usr/share/app/data',
    },
  );
  define(
    'revert <paths...>',
    'take back what was changed: the running system has again what its image has',
    [dryRun(), configDir(), ...output()],
    async () => (await import('./revert.ts')).revertCommand,
    { root: true, example: '  holdfast revert /etc/motd\n  holdfast revert --dry-run /etc/hosts' },
  );
}
