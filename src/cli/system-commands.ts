// The commands for builders of images and for the boot: names, flags, help and examples.

import { type Command, Option } from 'commander';
import { dryRun, output, rootOption } from './options.ts';
import type { Define } from './program.ts';

export function defineSystemCommands(define: Define, program: Command): void {
  define(
    'init',
    'make a root file system bootable as an image: initramfs, units, GRUB, default stage files',
    [
      rootOption(),
      new Option('--executable <file>', 'copy this holdfast into the root as /usr/bin/holdfast'),
      new Option('--no-initrd', 'do not build the initramfs'),
      dryRun(),
      ...output(),
    ],
    async () => (await import('./init.ts')).initCommand,
    {
      root: true,
      example: '  RUN holdfast init                       in a container file\n  holdfast init --root /srv/rootfs',
    },
  );
  define(
    'mount',
    'mount the writable layout of an immutable root (used by the initramfs)',
    [new Option('--sysroot <directory>', 'where the root is mounted').default('/sysroot'), dryRun(), ...output()],
    async () => (await import('./mount.ts')).mountCommand,
    { root: true },
  );
  define(
    'assess',
    'find out whether this system works: services and health checks (run by a unit after an upgrade)',
    [new Option('--expired', 'the time for it is over').hideHelp(), dryRun(), ...output()],
    async () => (await import('./assess.ts')).assessCommand,
    {
      root: true,
      example: `  holdfast assess              run all checks once; status 1 when one fails
  holdfast assess --dry-run    which checks there are`,
    },
  );
  define(
    'grubenv <get|set|unset> [names...]',
    'read or write variables of a GRUB environment block',
    [new Option('--file <file>', 'the environment block').default('/oem/grubenv'), dryRun(), ...output()],
    async () => (await import('./grubenv.ts')).grubenvCommand,
    { example: '  holdfast grubenv set next_entry=fallback     boot the passive system once' },
  );
  define(
    'completion <shell>',
    'print the completion script of a shell: bash, zsh or fish',
    [],
    async () =>
      async (_context, [shell]) => {
        const { completionScript } = await import('./completion.ts');
        const { printText } = await import('./print.ts');
        await printText(completionScript(program, shell ?? ''));
        return 0;
      },
    {
      example: `  holdfast completion bash > /etc/bash_completion.d/holdfast
  holdfast completion zsh > "\${fpath[1]}/_holdfast"
  holdfast completion fish > ~/.config/fish/completions/holdfast.fish`,
    },
  );
}
