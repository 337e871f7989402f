// The commands of root overlays, as a group of their own: names, flags, help and examples.

import { type Command, Option } from 'commander';
import { addGroup } from './command-tree.ts';
import { dryRun, force, output } from './options.ts';
import { defineOverlayCarryCommands } from './overlay-carry-commands.ts';
import type { Define } from './program.ts';

export function defineOverlayCommands(program: Command, defineIn: (parent: Command) => Define): void {
  const overlay = addGroup(
    program,
    'overlay',
    'keep raw writes to / across reboots and upgrades: files that a snapshot of the root writes to',
    `  holdfast overlay create /dev/sdb:/persist-hda.img --enable
  holdfast overlay status --files
  holdfast overlay plan --to oci-layout:/mnt/images:v2`,
  );
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
    'status',
    'show the overlay of this boot: used or why not, how full, for which systems; status 1 when something is wrong',
    [new Option('--files', 'also list which files of / were changed'), ...output()],
    async () => (await import('./overlay-status.ts')).overlayStatusCommand,
    { root: true, example: '  holdfast overlay status\n  holdfast overlay status --files --json' },
  );
  define(
    'grow [set]',
    'make an overlay larger, also while the system runs on it',
    [
      new Option('--size <size>', 'how large: 2G, +500M; default: so large that it can’t overflow'),
      whichFile(),
      dryRun(),
      ...output(),
    ],
    async () => (await import('./overlay-grow.ts')).overlayGrowCommand,
    { root: true, example: '  holdfast overlay grow\n  holdfast overlay grow /dev/sdb:/persist-hda.img --size +1G' },
  );
  define(
    'check [set]',
    'find out what is wrong with an overlay; status 1 when something is',
    [
      new Option('--full', 'also check the file system of the view, and the system below it'),
      whichFile(),
      work(),
      ...output(),
    ],
    async () => (await import('./overlay-check.ts')).overlayCheckCommand,
    { root: true, example: '  holdfast overlay check --full\n  holdfast overlay check /dev/sdb:/persist-hda.img' },
  );
  define(
    'repair [set]',
    'write a damaged or held back overlay anew from what is right in it; the old file is kept',
    [rewriteSize(), whichFile(), work(), dryRun(), ...output()],
    async () => (await import('./overlay-rewrite.ts')).overlayRepairCommand,
    { root: true, example: '  holdfast overlay repair /dev/sdb:/persist-hda.img --base active' },
  );
  define(
    'compact [set]',
    'write an overlay anew without what is as in its system',
    [rewriteSize(), whichFile(), work(), dryRun(), ...output()],
    async () => (await import('./overlay-rewrite.ts')).overlayCompactCommand,
    { root: true, example: '  holdfast overlay compact /dev/sdb:/persist-hda.img --size 500M' },
  );
  define(
    'export [set]',
    'write a system with its changes as one image file',
    [
      new Option('-o, --output <file>', 'the image to write').makeOptionMandatory(),
      new Option('--salvage', 'write what is right in a damaged overlay'),
      whichFile(),
      dryRun(),
      ...output(),
    ],
    async () => (await import('./overlay-export.ts')).overlayExportCommand,
    {
      root: true,
      example: `  holdfast overlay export -o /mnt/my-system.img
  holdfast overlay export /dev/sdb:/persist-hda.img --base passive -o old.img`,
    },
  );
  define(
    'adopt [set]',
    'say that a file of unknown origin belongs to a system, after a look whether it can',
    [
      base('the system: active (default), passive, or a slot file'),
      force('also when it belongs to another system, or doesn’t fit'),
      work(),
      dryRun(),
      ...output(),
    ],
    async () => (await import('./overlay-adopt.ts')).overlayAdoptCommand,
    { root: true, example: '  holdfast overlay adopt /dev/sdb:/persist-hda.img' },
  );
  define(
    'drop [set]',
    'remove the changes for one system or a whole set, or use no overlay at the next boots',
    [
      base('whose changes: active, passive, seed, a slot file, or 16 digits of list'),
      new Option('--all', 'everything of the set, saved conflicts too'),
      new Option('--erase', 'overwrite them first'),
      new Option('--disable', 'take the kernel argument out of GRUB’s environment; alone, all files stay'),
      new Option('--yes', 'do it'),
      dryRun(),
      ...output(),
    ],
    async () => (await import('./overlay-drop.ts')).overlayDropCommand,
    {
      root: true,
      example: `  holdfast overlay drop --disable
  holdfast overlay drop /dev/sdb:/persist-hda.img --base passive --yes
  holdfast overlay drop /dev/sdb:/qemu.img --all --erase --yes`,
    },
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
    {
      root: true,
      hidden: true,
      example: '  holdfast overlay attach      in the initramfs, before the root is mounted',
    },
  );
  defineOverlayCarryCommands(define);
  define(
    'capture',
    'write a stage file that does to any image what was done to this system by hand: packages and files, for review',
    [
      new Option('-o, --output <file>', 'where to write it; default: it is printed'),
      new Option('--stage <name>', 'the stage that is to do it').default('after-upgrade-chroot'),
      new Option('--max-size <size>', 'larger files are named in a comment only').default('64K'),
      ...output(),
    ],
    async () => (await import('./overlay-capture.ts')).overlayCaptureCommand,
    {
      root: true,
      example: `  holdfast overlay capture
  holdfast overlay capture --output /oem/90_captured.yaml`,
    },
  );
  define(
    'keep-packages',
    'keep the package files whose names are on standard input for the next upgrade (run by apt)',
    [...output()],
    async () => (await import('./overlay-keep-packages.ts')).overlayKeepPackagesCommand,
    { root: true, hidden: true, example: '  ls /var/cache/apt/archives/*.deb | holdfast overlay keep-packages' },
  );
}

function base(description: string): Option {
  return new Option('--base <which>', description);
}

function whichFile(): Option {
  return base(
    'the file of which system: active, passive, a slot file, or 16 digits of list; default: the running one’s',
  );
}

function rewriteSize(): Option {
  return new Option(
    '--size <size>',
    'the new file’s size: 500M, full; default: as it was, or more where there is room',
  );
}

function work(): Option {
  return new Option('--work <directory>', 'where a copy of the system may be for a while; default: beside the overlay');
}
