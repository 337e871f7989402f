// The commands for builders of images and for the boot: names, flags, help and examples.

import { type Command, Option } from 'commander';
import type { InitFlags } from './init.ts';
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
    async () => {
      const { initCommand } = await import('./init.ts');
      return (context, positional, flags: InitFlags) => initCommand(context, positional, flags, program);
    },
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
    { root: true, example: '  holdfast mount --dry-run      what the initramfs would mount' },
  );
  define(
    'assess',
    'find out whether this system works: services and health checks (run by a unit after an upgrade)',
    [
      new Option('--expired', 'the time for it is over').hideHelp(),
      new Option('--broken', 'another was ended before it had begun').hideHelp(),
      dryRun(),
      ...output(),
    ],
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
        const { completionScript } = await import('./completion/script.ts');
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
  define(
    'man [commands...]',
    'show the manual page of a command',
    [],
    async () => async (_context, words) => {
      const { manCommand } = await import('./man.ts');
      return await manCommand(program, words);
    },
    {
      example: `  holdfast man upgrade
  holdfast man overlay create
  holdfast man upgrade > holdfast-upgrade.8      its source, for packages`,
    },
  );
  define(
    'complete <topic>',
    'print words for the completion of a command line (asked by the scripts of "completion")',
    [],
    async () =>
      async (_context, [topic = '']) => {
        const { machineWords } = await import('./completion/machine-words.ts');
        const { printText } = await import('./print.ts');
        await printText((await machineWords(topic)).map((word) => `${word}\n`).join(''));
        return 0;
      },
    { hidden: true, example: '  holdfast complete features' },
  );
}
