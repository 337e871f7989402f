// The commands that make media: names, flags, help and examples.

import { Option } from 'commander';
import { configDir, dryRun, force, imageOptions, output, recoverySystem, repeated } from './options.ts';
import type { Define } from './program.ts';

export function defineMediaCommands(define: Define): void {
  define(
    'build-iso [image]',
    'make an ISO of an image: a live system that installs, boots from CD and stick, by UEFI and BIOS',
    [
      ...imageOptions(),
      ...recoverySystem(),
      new Option('-n, --name <name>', 'the name of the file without .iso; default: holdfast'),
      new Option('-o, --output <directory>', 'where it is put, made if it is missing; default: here'),
      new Option('--date', 'add the day to the name: NAME.20240131.iso'),
      new Option('--label <label>', 'the label of the medium; default: COS_LIVE'),
      new Option('--overlay-rootfs <directory>', 'lay its content over the system; may be repeated').argParser(
        repeated,
      ),
      new Option('--overlay-uefi <directory>', 'lay its content over the files for UEFI; may be repeated').argParser(
        repeated,
      ),
      new Option('--overlay-iso <directory>', 'lay its content over the medium; may be repeated').argParser(repeated),
      new Option(
        '-c, --cloud-config <file>',
        'a stage file for the live system, or its web address; may be repeated',
      ).argParser(repeated),
      new Option('--format <format>', 'of the system on the medium: squashfs (default) or erofs'),
      new Option('-x, --compression <name>', 'squashfs: xz, zstd, gzip, lzo, lz4, none; erofs: lz4hc, lz4, none'),
      new Option('--extra-cmdline <arguments>', 'more kernel arguments for the live system'),
      new Option('--efi-only', 'leave out what boots by BIOS'),
      new Option('-a, --arch <arch>', 'the processor: x86_64'),
      force('overwrite an ISO that is there'),
      new Option(
        '--manifest [file]',
        'elemental’s manifest.yaml; without a name that of --config-dir, or the one here',
      ),
      configDir(),
      dryRun(),
      ...output(),
    ],
    async () => (await import('./build-iso.ts')).buildIsoCommand,
    {
      root: true,
      example: `  holdfast build-iso docker:registry.example/os:v1
  holdfast build-iso oci-layout:/srv/images:v1 --name my-os -o /srv/media
  holdfast build-iso oci-layout:/srv/images:v1 -c unattended.yaml
  holdfast build-iso oci-layout:/srv/images:v1 --dry-run`,
    },
  );
}
