// The command line: names, flags, help and examples of every command. Each command's code is loaded when it runs.

import { Command, CommanderError, Option } from 'commander';
import { HoldfastError } from '../system/errors.ts';
import { interruptible } from './interrupt.ts';
import { outliveReaders } from './print.ts';
import { createReporter, type OutputOptions, type Reporter } from './reporter.ts';
import { VERSION } from './version.ts';

export interface CommandContext {
  reporter: Reporter;
  signal: AbortSignal;
  /** The command line as typed, for the lock's holder. */
  commandLine: string;
}

type Runner<O> = (context: CommandContext, positional: string[], options: O & OutputOptions) => Promise<number>;

/**
 * Runs one command line.
 * @returns the exit status: 0, 1 for wrong arguments, else the error's own.
 */
export async function runCli(args: readonly string[]): Promise<number> {
  let status = 0;
  outliveReaders();
  const program = buildProgram(args, (code) => {
    status = code;
  });
  try {
    await program.parseAsync([...args], { from: 'user' });
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode;
    return createReporter({ json: args.includes('--json') }).error(error);
  }
  return status;
}

/** All commands; `done` gets the exit status of the one that ran. */
export function buildProgram(args: readonly string[], done: (status: number) => void): Command {
  const program = new Command('holdfast')
    .description('Immutable, image-based Linux systems that keep their owner’s changes through every upgrade.')
    .version(`holdfast ${VERSION}`, '-V, --version', 'print the version')
    .helpOption('-h, --help', 'show help')
    .helpCommand('help [command]', 'show help for a command')
    .showHelpAfterError('(add --help to see how it is used)')
    .showSuggestionAfterError()
    .exitOverride()
    .enablePositionalOptions()
    // Without the "[options]" that all have, their descriptions have room to wrap on 80 columns.
    .configureHelp({
      subcommandTerm: (command) => `${command.name()} ${command.usage().replace('[options]', '').trim()}`.trim(),
    })
    .addHelpText('after', EXAMPLES);

  const commandLine = `holdfast ${args.join(' ')}`;
  const define = <O>(
    spec: string,
    description: string,
    options: readonly Option[],
    load: () => Promise<Runner<O>>,
    extra: { example?: string; root?: boolean } = {},
  ) => {
    const command = program
      .command(spec)
      .description(description)
      .exitOverride()
      .showHelpAfterError('(add --help to see how it is used)');
    for (const option of options) command.addOption(option);
    if (extra.example !== undefined) command.addHelpText('after', `\nExamples:\n${extra.example}`);
    command.action(async (...given: unknown[]) => {
      const flags = command.opts<O & OutputOptions>();
      const positional = command.processedArgs.flat().filter((arg): arg is string => typeof arg === 'string');
      void given;
      const reporter = createReporter(flags);
      try {
        if (extra.root && process.getuid?.() !== 0) {
          throw new HoldfastError('HF-NOT-ROOT', `${command.name()}: this command requires root privileges`, {
            hint: `run it as root: sudo holdfast ${command.name()} …`,
          });
        }
        const run = await load();
        done(await interruptible((signal) => run({ reporter, signal, commandLine }, positional, flags)));
      } catch (error) {
        done(reporter.error(error));
      }
    });
  };

  define(
    'install <disk>',
    'install an image on a disk or a disk image file',
    [
      ...imageOptions(),
      force('overwrite a disk that is not empty'),
      cloudInit(),
      new Option('--no-boot-entry', 'leave the boot entries of this machine’s firmware as they are'),
      new Option('--disable-boot-entry', 'the same, as elemental spells it').hideHelp(),
      strict(),
      dryRun(),
      ...output(),
    ],
    async () => (await import('./install.ts')).installCommand,
    {
      root: true,
      example: `  truncate --size 16G disk.img
  holdfast install disk.img --system oci-layout:/srv/images:v1
  holdfast install /dev/sda --system oci-layout:/mnt/images:v1 -c my.yaml`,
    },
  );
  define(
    'upgrade [image]',
    'upgrade this machine to an image; it runs after the next reboot',
    [...imageOptions(), force('upgrade even when this image is already installed'), strict(), dryRun(), ...output()],
    async () => (await import('./upgrade.ts')).upgradeCommand,
    {
      root: true,
      example: `  holdfast upgrade oci-layout:/mnt/images:v2
  holdfast upgrade --dry-run oci-layout:/mnt/images:v2      what it would do`,
    },
  );
  define(
    'status',
    'show what is booted, how its boot went, and what each slot holds',
    output(),
    async () => (await import('./status.ts')).statusCommand,
    { root: true },
  );
  define(
    'run-stage <stage>',
    'run a stage of the cloud-config files, with its .before and .after',
    [
      rootOption(),
      sources(),
      new Option('--strict', 'fail when a step or a file fails'),
      new Option('--boot', 'what fails is also one line on the console (used by the units of the boot)'),
      dryRun(),
      ...output(),
    ],
    async () => (await import('./run-stage.ts')).runStageCommand,
    { example: '  holdfast run-stage network\n  holdfast run-stage --dry-run after-upgrade-chroot' },
  );
  define(
    'cloud-init <file...>',
    'run one stage of the named cloud-config files, directories or web addresses (- is standard input)',
    [
      new Option('-s, --stage <stage>', 'the stage to run').default('default'),
      new Option('-d, --dotnotation', 'they hold words like stages.boot[0].commands[0]="echo hello", not YAML'),
      rootOption(),
      dryRun(),
      ...output(),
    ],
    async () => (await import('./run-stage.ts')).cloudInitCommand,
    {
      example: `  holdfast cloud-init --stage boot my.yaml
  echo 'stages: {t: [{commands: [date]}]}' | holdfast cloud-init --stage t -`,
    },
  );
  define(
    'plan <stage> [source...]',
    'show what a stage would do: sources, order, what is skipped and why, templates expanded',
    [
      rootOption(),
      sources(),
      new Option('--evaluate-if', 'run the commands of "if" to see whether their steps would run'),
      ...output(),
    ],
    async () => (await import('./plan.ts')).planCommand,
    {
      example: `  holdfast plan network
  holdfast plan boot my.yaml               a file, before it goes anywhere
  holdfast plan --root /mnt/target after-install-chroot`,
    },
  );
  define(
    'validate <source...>',
    'check cloud-config files: files, directories, URLs, - for standard input',
    [new Option('--strict', 'fail on warnings too'), ...output()],
    async () => (await import('./validate.ts')).validateCommand,
    {
      example: `  holdfast validate my.yaml
  holdfast validate --strict /system/oem /oem    no warning either
  ssh machine cat /oem/90_custom.yaml | holdfast validate -`,
    },
  );
  define(
    'schema',
    'print the JSON Schema of cloud-config files, for editors',
    [new Option('--compact', 'on one line')],
    async () => (await import('./schema.ts')).schemaCommand,
    {
      example: `  holdfast schema > cloud-config.schema.json
  and as the first line of a stage file:
  # yaml-language-server: $schema=./cloud-config.schema.json`,
    },
  );
  define(
    'render <file>',
    'print the YAML of a stage file that is written in TypeScript, JavaScript or JSON',
    [new Option('-o, --output <file>', 'write it to a file')],
    async () => (await import('./render.ts')).renderCommand,
    {
      example: `  holdfast render site.ts > 90_site.yaml

  site.ts:
    import { defineConfig } from 'holdfast';
    export default defineConfig({ stages: { boot: [{ commands: ['date'] }] } });`,
    },
  );
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
  return program;
}

const EXAMPLES = `
Examples:
  holdfast install disk.img --system oci-layout:/srv/images:v1
  holdfast upgrade oci-layout:/mnt/images:v2
  holdfast status
`;

function imageOptions(): Option[] {
  return [
    new Option('--system <image>', 'the image: docker:IMAGE:TAG, oci-layout:DIR:TAG, dir:DIR'),
    new Option('--system.uri <image>', 'the same, as elemental 1.x spells it').hideHelp(),
    new Option('-d, --docker-image <image>', 'an image of a registry'),
    new Option('--directory <directory>', 'a directory that holds a root file system'),
    new Option('--no-verify', 'take an image of a registry without verifying who made it'),
    new Option('--insecure-registry <host>', 'a registry without TLS; may be repeated').argParser(repeated),
  ];
}

function strict(): Option {
  return new Option(
    '--strict [which]',
    'which hooks must succeed: without this flag those in the new system; "--strict" all, "--strict=false" none',
  ).argParser((text: string | true) => {
    if (text === true || text === 'true') return 'true';
    if (text === 'false') return 'false';
    throw new HoldfastError('HF-USAGE', `--strict is "true" or "false", not ${JSON.stringify(text)}`);
  });
}

function cloudInit(): Option {
  return new Option('-c, --cloud-init <file>', 'a stage file for /oem; may be repeated').argParser(repeated);
}

function repeated(value: string, before: string[] | undefined): string[] {
  return [...(before ?? []), value];
}

function sources(): Option {
  return new Option(
    '--cloud-init-paths <paths>',
    'more directories, files or web addresses, after the default ones, comma separated',
  );
}

function force(what: string): Option {
  return new Option('--force', what);
}

function rootOption(): Option {
  return new Option('--root <directory>', 'the tree to act on').default('/');
}

function dryRun(): Option {
  return new Option('--dry-run', 'show what would be done and change nothing');
}

function output(): Option[] {
  return [
    new Option('--json', 'print events and the result as JSON, one object per line'),
    new Option('--quiet', 'print only warnings, errors and the result'),
    new Option('--debug', 'also print what external programs print'),
  ];
}
