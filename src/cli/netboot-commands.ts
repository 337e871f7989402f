// The command that builds network boots: its name, flags, help and examples.

import { Option } from 'commander';
import { configDir, dryRun, force, imageOptions, output, repeated } from './options.ts';
import type { Define } from './program.ts';

export function defineNetbootCommands(define: Define): void {
  define(
    'build-netboot [image]',
    'make what machines without a medium start from over the network: kernel, initramfs, root, iPXE script',
    [
      new Option('-o, --output <directory>', 'where the files go; it may have others').makeOptionMandatory(),
      new Option('--url <address>', 'under which address the directory will be served, for older iPXEs'),
      new Option('--root <way>', 'http: the initramfs fetches the root; initrd: the boot loader brings it')
        .choices(['auto', 'http', 'initrd'])
        .default('auto'),
      new Option('-c, --cloud-config <file>', 'a stage file, served beside the script; or the address of one'),
      new Option('--install', 'the interactive installer comes up in place of a login'),
      new Option('--extra-cmdline <arguments>', 'more kernel arguments'),
      new Option('--overlay-rootfs <directory>', 'files to lay over the system; may be repeated').argParser(repeated),
      new Option('-x, --compression <name>', 'of the root: xz, zstd, gzip, lzo, lz4, none').default('xz'),
      ...imageOptions(),
      configDir(),
      force('replace the files of an earlier build in the directory'),
      dryRun(),
      ...output(),
    ],
    async () => (await import('./build-netboot.ts')).buildNetbootCommand,
    {
      root: true,
      example: `  holdfast build-netboot docker:host/os:v2 -o /srv/os
  holdfast build-netboot docker:host/os:v2 -o /srv/os --url http://10.0.0.1/os
  holdfast build-netboot dir:/srv/rootfs -o /srv/os -c setup.yaml`,
    },
  );
}
