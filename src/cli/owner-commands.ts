// The commands for what the owner of a machine keeps: packages by name, commands, files. Names, flags, help and examples.

import { type Command, Option } from 'commander';
import { addGroup } from './command-tree.ts';
import { configDir, dryRun, output, packagePolicy, power, rootOption, strict } from './options.ts';
import type { Define } from './program.ts';

export function defineOwnerCommands(program: Command, defineIn: (parent: Command) => Define): void {
  const packages = 'packages that every system to come has, by name';
  definePackages(defineIn(addGroup(program, 'pkg', packages, '  holdfast pkg add vim\n  holdfast pkg list')));
  const files = 'files of this system that every system to come has';
  defineFiles(defineIn(addGroup(program, 'file', files, '  holdfast file add /etc/motd\n  holdfast file list')));
  defineIn(program)(
    'run [command...]',
    'keep a command: it is run in every system to come',
    [
      new Option('--list', 'list the commands that are kept'),
      new Option('--remove <id>', 'keep a command no more, by its id or its text'),
      ...now(),
      rootOption(),
      dryRun(),
      ...output(),
    ],
    async () => (await import('./run-command.ts')).runCommand,
    {
      root: true,
      example: `  holdfast run -- systemctl enable ssh.service
  holdfast run 'echo "welcome" > /etc/motd'          a line of the shell
  holdfast run --list
  holdfast run --remove 3f9c1a7b`,
    },
  );
}

/** What builds the change in at once. */
export function now(): Option[] {
  return [
    new Option('--now', 'build it into a new active system at once; it runs after the next reboot'),
    new Option('--apply-live', 'the same, and bring it to the running system, as far as that is safe'),
    packagePolicy(),
    strict(),
    configDir(),
    ...power(),
  ];
}

function definePackages(define: Define): void {
  define(
    'add <names...>',
    'have packages in every system to come',
    [...now(), rootOption(), dryRun(), ...output()],
    async () => (await import('./pkg.ts')).pkgAddCommand,
    {
      root: true,
      example:
        '  holdfast pkg add vim --now\n  holdfast pkg add htop tmux=3.3a-3\n  holdfast pkg add strace --apply-live',
    },
  );
  define(
    'remove <names...>',
    'have packages no more: those that were added, or those of the image',
    [...now(), rootOption(), dryRun(), ...output()],
    async () => (await import('./pkg.ts')).pkgRemoveCommand,
    { root: true, example: '  holdfast pkg remove vim --now' },
  );
  define(
    'list',
    'show the packages that are kept, and which of them this system has',
    [new Option('--all', 'also what came along because they need it'), rootOption(), ...output()],
    async () => (await import('./pkg-list.ts')).pkgListCommand,
    { root: true, example: '  holdfast pkg list\n  holdfast pkg list --all --json' },
  );
  define(
    'search <words...>',
    'look for packages in the repositories of the distribution; status 1 when there is none',
    [new Option('--refresh', 'fetch the lists of packages first'), rootOption(), ...output()],
    async () => (await import('./pkg-search.ts')).pkgSearchCommand,
    { root: true, example: '  holdfast pkg search editor\n  holdfast pkg search vim --refresh' },
  );
}

function defineFiles(define: Define): void {
  define(
    'add <paths...>',
    'keep files as they are now: each system to come has them',
    [...now(), rootOption(), dryRun(), ...output()],
    async () => (await import('./file.ts')).fileAddCommand,
    { root: true, example: '  holdfast file add /etc/motd /etc/ssh/sshd_config.d/10-own.conf' },
  );
  define(
    'remove <paths...>',
    'keep files no more: systems to come have what their image has',
    [...now(), rootOption(), dryRun(), ...output()],
    async () => (await import('./file.ts')).fileRemoveCommand,
    { root: true, example: '  holdfast file remove /etc/motd' },
  );
  define(
    'list',
    'show the files that are kept',
    [rootOption(), ...output()],
    async () => (await import('./file.ts')).fileListCommand,
    { root: true, example: '  holdfast file list' },
  );
}
