// The commands of root overlays, as a group of their own: names, flags, help and examples.

import { type Command, Option } from 'commander';
import { dryRun, output } from './options.ts';
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
    'create [set]',
    'make the file that changes are kept in, for the active system or another one',
    [
      new Option(
        '--size <size>',
        'how large: 300M, 2G; default: large enough for every change, so that it can’t overflow',
      ),
      base('for which system: active (default), passive, or a slot file; none: the first boot with it decides'),
      new Option('--enable', 'use it at the next boots: adds the kernel argument to GRUB’s environment'),
      dryRun(),
      ...output(),
    ],
    async () => (await import('./overlay-create.ts')).overlayCreateCommand,
    {
      root: true,
      example: `  holdfast overlay create /dev/sdb:/persist-hda.img --enable
  holdfast overlay create UUID=0f3a…:/qemu.img --size 2G --base passive
  holdfast overlay create /mnt/persist.img --size 300M --base none`,
    },
  );
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
    'grow [set]',
    'make an overlay larger, also while the system runs on it',
    [
      new Option('--size <size>', 'how large: 2G, +500M; default: so large that it can’t overflow'),
      base('the file of which system: active, passive, a slot file, or 16 digits of list'),
      dryRun(),
      ...output(),
    ],
    async () => (await import('./overlay-grow.ts')).overlayGrowCommand,
    { root: true, example: '  holdfast overlay grow\n  holdfast overlay grow /dev/sdb:/persist-hda.img --size +1G' },
  );
  define(
    'watch',
    'keep the running overlay from overflowing: grow it in time (run by a unit)',
    [new Option('--once', 'look once, do what is due, and end'), dryRun(), ...output()],
    async () => (await import('./overlay-watch.ts')).overlayWatchCommand,
    { root: true, example: '  holdfast overlay watch --dry-run      what is due now' },
  );
  define(
    'attach',
    'make the root out of the slot and its overlay (run by the initramfs)',
    [...output()],
    async () => (await import('./overlay-attach.ts')).overlayAttachCommand,
    { root: true, hidden: true },
  );
}

function base(description: string): Option {
  return new Option('--base <which>', description);
}
