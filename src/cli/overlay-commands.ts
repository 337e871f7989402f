// The commands of root overlays, as a group of their own: names, flags, help and examples.

import type { Command } from 'commander';
import { output } from './options.ts';
import type { Define } from './program.ts';

export function defineOverlayCommands(program: Command, defineIn: (parent: Command) => Define): void {
  const overlay = program
    .command('overlay')
    .description('keep raw writes to / across reboots and upgrades: files that a snapshot of the root writes to')
    .exitOverride()
    .showHelpAfterError('(add --help to see how it is used)')
    .helpCommand(false);
  const define = defineIn(overlay);
  define(
    'list [set]',
    'show the files of an overlay set, or of all sets on this machine’s disks that are mounted',
    [...output()],
    async () => (await import('./overlay-list.ts')).overlayListCommand,
    {
      root: true,
      example: `  holdfast overlay list
  holdfast overlay list LABEL=KEEP:/persist-hda.img`,
    },
  );
  define(
    'attach',
    'make the root out of the slot and its overlay (run by the initramfs)',
    [...output()],
    async () => (await import('./overlay-attach.ts')).overlayAttachCommand,
    { root: true, hidden: true },
  );
}
