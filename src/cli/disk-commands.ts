// The commands that make disk images: names, flags, help and examples.

import { Option } from 'commander';
import { configDir, dryRun, force, imageOptions, output, recoverySystem, repeated, strict } from './options.ts';
import type { Define } from './program.ts';

const TYPES = 'raw (default), qcow2, azure, gce or ova';

export function defineDiskCommands(define: Define): void {
  define(
    'build-disk [image]',
    'make a disk image of an image: for virtual machines, clouds, and for writing to disks',
    [
      new Option('-o, --output <file>', 'the new file; default: disk with the ending of its type'),
      new Option('-t, --type <type>', TYPES),
      new Option('--expandable', 'a small disk whose first boot makes the partitions, as large as the disk is there'),
      new Option('--size <size>', 'of the whole disk, for example 20G; default: the smallest'),
      ...imageOptions(),
      ...recoverySystem(),
      new Option('--recovery <image>', '--recovery-system').hideHelp(),
      new Option('-c, --cloud-config <file>', 'a stage file for /oem, or its web address; may be repeated').argParser(
        repeated,
      ),
      new Option('--cloud-init <file>', '--cloud-config, as elemental spells it').argParser(repeated).hideHelp(),
      new Option('--cloud-init-paths <paths>', 'more places of stage files for hooks, comma separated'),
      new Option(
        '--deploy-command <command>',
        'what the first boot of an expandable disk runs; default: holdfast deploy --force --reboot',
      ),
      new Option('--state-fs <kind>', 'of COS_STATE: ext4; with --expandable xfs (default) or ext4'),
      new Option('--recovery-size <size>', 'of COS_RECOVERY; default: what the recovery system needs'),
      new Option('--state-size <size>', 'of COS_STATE; default: room for three systems'),
      new Option('--oem-label <label>', 'the label of the partition in place of COS_OEM'),
      new Option('--recovery-label <label>', 'the label of the partition in place of COS_RECOVERY'),
      new Option('--oem_label <label>', '--oem-label, as elemental spells it').hideHelp(),
      new Option('--recovery_label <label>', '--recovery-label, as elemental spells it').hideHelp(),
      new Option('--overlay-rootfs <directory>', 'lay its content over the system; may be repeated').argParser(
        repeated,
      ),
      new Option('--efi-only', 'leave out what boots by BIOS'),
      new Option('-a, --arch <arch>', 'the processor: x86_64'),
      force('overwrite a file that is there'),
      strict(),
      configDir(),
      dryRun(),
      ...output(),
    ],
    async () => (await import('./build-disk.ts')).buildDiskCommand,
    {
      root: true,
      example: `  holdfast build-disk docker:registry.example/os:v1 -o disk.raw
  holdfast build-disk oci-layout:/srv/images:v1 -t qcow2 --size 20G
  holdfast build-disk docker:registry.example/os:v1 -t azure --expandable
  holdfast build-disk oci-layout:/srv/images:v1 -c my.yaml --dry-run`,
    },
  );
  define(
    'convert-disk <disk>',
    'convert a raw disk image for a platform; the raw one is removed unless it is to be kept',
    [
      new Option('-t, --type <type>', 'qcow2, azure, gce or ova').makeOptionMandatory(),
      new Option('-o, --output <file>', 'the new file; default: the same name with the ending of its type'),
      new Option('--keep-source', 'keep the raw disk image'),
      force('overwrite a file that is there'),
      dryRun(),
      ...output(),
    ],
    async () => (await import('./convert-disk.ts')).convertDiskCommand,
    {
      example: `  holdfast convert-disk disk.raw --type azure --keep-source
  holdfast convert-disk disk.raw --type gce -o os.tar.gz`,
    },
  );
}
