// The commands that change which system a machine runs, and the one that shows it: names, flags, help and examples.

import { Option } from 'commander';
import {
  allowDowngrade,
  cloudInit,
  configDir,
  dryRun,
  force,
  imageOptions,
  insecureRegistry,
  output,
  packagePolicy,
  planning,
  power,
  recoverySystem,
  strict,
} from './options.ts';
import { takeOption } from './overlay-carry-commands.ts';
import type { Define } from './program.ts';

export function defineLifecycleCommands(define: Define): void {
  define(
    'install [disk]',
    'install an image on a disk or a disk image file',
    [
      ...imageOptions(),
      ...recoverySystem(),
      new Option('-i, --iso <file>', 'install the systems of an ISO: a file or a web address'),
      force('overwrite a disk that is not empty'),
      cloudInit(),
      new Option('--firmware <kind>', 'how the disk shall boot: efi or bios; default: both where the image can'),
      new Option('--part-table <kind>', 'the kind of the partition table: gpt'),
      new Option('-p, --partition-layout <file>', 'make the partitions by the stage "partitioning" of this file'),
      new Option('--no-format', 'use the partitions that are on the disk, and keep /oem and /usr/local'),
      new Option('--tty <terminal>', 'a terminal that the kernel shall talk to, for example ttyS1,115200'),
      new Option('--no-boot-entry', 'leave the boot entries of this machine’s firmware as they are'),
      new Option('--disable-boot-entry', 'the same, as elemental spells it').hideHelp(),
      new Option('--force-efi', '--firmware efi, as cOS spells it').hideHelp(),
      new Option('--force-gpt', '--part-table gpt, as cOS spells it').hideHelp(),
      new Option('--local', 'of elemental; it has no effect').hideHelp(),
      new Option('--eject-cd', 'eject the medium of this live system when it ends'),
      ...power(),
      strict(),
      configDir(),
      dryRun(),
      ...output(),
    ],
    async () => (await import('./install.ts')).installCommand,
    {
      root: true,
      example: `  truncate --size 16G disk.img
  holdfast install disk.img --system oci-layout:/srv/images:v1
  holdfast install /dev/sda --system oci-layout:/mnt/images:v1 -c my.yaml
  holdfast install /dev/sda --iso https://example.com/os.iso --reboot
  holdfast install /dev/sda --no-format --force      new slots, /oem stays`,
    },
  );
  define(
    'upgrade [image]',
    'upgrade this machine to an image; it runs after the next reboot',
    [
      ...imageOptions(),
      ...planning(),
      new Option('--recovery', 'upgrade the recovery system instead'),
      ...recoverySystem(),
      allowDowngrade(),
      takeOption(),
      packagePolicy(),
      new Option('--no-overlay', 'leave what is in the overlay of / behind: the new system begins with a blank one'),
      force('upgrade even when this image is already installed'),
      strict(),
      configDir(),
      ...power(),
      dryRun(),
      ...output(),
    ],
    async () => (await import('./upgrade.ts')).upgradeCommand,
    {
      root: true,
      recorded: true,
      example: `  holdfast upgrade oci-layout:/mnt/images:v2
  holdfast upgrade --dry-run oci-layout:/mnt/images:v2      what it would do
  holdfast upgrade --plan --html plan.html                  what would change
  holdfast upgrade --rehearse && holdfast upgrade --apply   if it works
  holdfast upgrade --apply                                  do just that
  holdfast upgrade --recovery oci-layout:/mnt/images:v2     recovery
  holdfast upgrade --reboot                                 configured image`,
    },
  );
  define(
    'apply',
    'build the installed system anew with what the stage files say now; no new image is needed',
    [
      new Option('--live', 'bring the changes to the running system too, as far as that is safe'),
      takeOption(),
      packagePolicy(),
      new Option('--no-overlay', 'leave what is in the overlay of / behind: the new system begins with a blank one'),
      force('build it even when the active system was built with the same stage files'),
      insecureRegistry(),
      strict(),
      configDir(),
      ...power(),
      dryRun(),
      ...output(),
    ],
    async () => (await import('./apply.ts')).applyCommand,
    {
      root: true,
      recorded: true,
      example: `  holdfast apply               build it; it runs after the next reboot
  holdfast apply --live        and have it in the running system
  holdfast apply --dry-run     what it would do`,
    },
  );
  define(
    'reset',
    'build this machine anew from its recovery system; STATE is not formatted',
    [
      ...imageOptions(),
      new Option('--persistent', 'make COS_PERSISTENT empty, at the end'),
      new Option('--reset-persistent', 'the same, as elemental spells it').hideHelp(),
      new Option('--oem', 'make COS_OEM empty, at the end'),
      new Option('--reset-oem', 'the same, as elemental spells it').hideHelp(),
      new Option('--format-state', 'make the file system of COS_STATE anew, first of all'),
      cloudInit(),
      allowDowngrade(),
      new Option('--tty <name>', 'a console for the kernel'),
      force('reset from another system than the recovery system'),
      strict(),
      configDir(),
      ...power(),
      dryRun(),
      ...output(),
    ],
    async () => (await import('./reset.ts')).resetCommand,
    {
      root: true,
      recorded: true,
      example: `  holdfast boot --once recovery && reboot     then, in the recovery system:
  holdfast reset                              the recovery system is the source
  holdfast reset --persistent --oem -c my.yaml --reboot`,
    },
  );
  define(
    'deploy [image]',
    'fill the active and the passive slot of a disk whose partitions are there',
    [
      ...imageOptions(),
      cloudInit(),
      allowDowngrade(),
      force('overwrite an active system that is there'),
      strict(),
      configDir(),
      ...power(),
      dryRun(),
      ...output(),
    ],
    async () => (await import('./deploy.ts')).deployCommand,
    {
      root: true,
      recorded: true,
      example: `  holdfast deploy                             from the recovery system
  holdfast deploy oci-layout:/mnt/images:v2`,
    },
  );
  define(
    'boot',
    'show which system boots next, or choose it',
    [
      new Option('--once <slot>', 'the next boot only: active, passive or recovery'),
      new Option('--default <slot>', 'every boot: active, passive or recovery'),
      configDir(),
      dryRun(),
      ...output(),
    ],
    async () => (await import('./boot.ts')).bootCommand,
    {
      root: true,
      example: `  holdfast boot                    what boots next, and why
  holdfast boot --once recovery
  holdfast boot --default active   back to the usual order`,
    },
  );
  define(
    'state',
    'print state.yaml, repaired from what is on the disk',
    [configDir(), ...output()],
    async () => (await import('./state.ts')).stateCommand,
    { root: true, example: '  holdfast state > state.yaml' },
  );
  define(
    'rollback',
    'go back to the passive system: it becomes the active one after the next reboot',
    [dryRun(), ...output()],
    async () => (await import('./rollback.ts')).rollbackCommand,
    {
      root: true,
      recorded: true,
      example: `  holdfast rollback
  holdfast rollback --dry-run      what it would do`,
    },
  );
  define(
    'status',
    'show what is booted, how its boot went, what each slot holds, and what waits',
    [new Option('--check', 'exit status 2 for warnings, 3 for trouble; the first line says which'), ...output()],
    async () => (await import('./status.ts')).statusCommand,
    {
      root: true,
      example: `  holdfast status
  holdfast status --json
  holdfast status --check --quiet || echo look     for monitoring`,
    },
  );
}
