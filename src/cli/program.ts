// The command line: names, flags, help and examples of every command. Each command's code is loaded when it runs.

import { Command, CommanderError, type Option } from 'commander';
import { HoldfastError } from '../system/errors.ts';
import { UndoStack } from '../system/plan.ts';
import { addExamples, fullName } from './command-tree.ts';
import { defineDiskCommands } from './disk-commands.ts';
import { defineDoctorCommands } from './doctor-commands.ts';
import { defineImageCommands } from './image-commands.ts';
import { defineInstallerCommands } from './installer-commands.ts';
import { interruptible } from './interrupt.ts';
import { defineKubernetesCommands } from './kubernetes-commands.ts';
import { defineLedgerCommands } from './ledger-commands.ts';
import { defineLifecycleCommands } from './lifecycle-commands.ts';
import { defineMediaCommands } from './media-commands.ts';
import { defineNetbootCommands } from './netboot-commands.ts';
import { defineOverlayCommands } from './overlay-commands.ts';
import { defineOwnerCommands } from './owner-commands.ts';
import { outliveReaders } from './print.ts';
import { defineRecordCommands } from './record-commands.ts';
import { defineRehearsalCommands } from './rehearsal-commands.ts';
import { createReporter, type OutputOptions, type Reporter } from './reporter.ts';
import { defineStageCommands } from './stage-commands.ts';
import { defineSucUpgrade } from './suc-upgrade-command.ts';
import { defineSystemCommands } from './system-commands.ts';
import { VERSION } from './version.ts';

export interface CommandContext {
  reporter: Reporter;
  signal: AbortSignal;
  /** The command line as typed, for the lock's holder. */
  commandLine: string;
  /** Undone when the command has ended, however it ended. */
  undo: UndoStack;
}

export type Runner<O> = (context: CommandContext, positional: string[], options: O & OutputOptions) => Promise<number>;

export interface CommandExtra {
  example?: string;
  root?: boolean;
  hidden?: boolean;
  /** It is an action of the machine: also what kept it from beginning is recorded. */
  recorded?: boolean;
}

/** Adds one command: how it is written, what it is for, its options, and where its code is loaded from when it runs. */
export type Define = <O>(
  spec: string,
  description: string,
  options: readonly Option[],
  load: () => Promise<Runner<O>>,
  extra?: CommandExtra,
) => void;

/** Makes the listener of a command from its flags. */
type MakeReporter = (flags: OutputOptions) => Reporter;

/**
 * Runs one command line.
 * @param makeReporter how the command is printed, in place of holdfast's own way.
 * @returns the exit status: 0, 1 for wrong arguments, else the error's own.
 */
export async function runCli(args: readonly string[], makeReporter: MakeReporter = createReporter): Promise<number> {
  let status = 0;
  outliveReaders();
  const done = (code: number) => {
    status = code;
  };
  const program = buildProgram(args, done, makeReporter);
  try {
    await program.parseAsync([...args], { from: 'user' });
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode;
    return makeReporter({ json: args.includes('--json') }).error(error);
  }
  return status;
}

/** All commands; `done` gets the exit status of the one that ran. */
export function buildProgram(
  args: readonly string[],
  done: (status: number) => void,
  makeReporter: MakeReporter = createReporter,
): Command {
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
    });
  addExamples(program, EXAMPLES);

  const commandLine = `holdfast ${args.join(' ')}`;
  const defineIn =
    (parent: Command): Define =>
    <O>(
      spec: string,
      description: string,
      options: readonly Option[],
      load: () => Promise<Runner<O>>,
      extra: CommandExtra = {},
    ) => {
      const command = parent
        .command(spec, { hidden: extra.hidden ?? false })
        .description(description)
        .exitOverride()
        .showHelpAfterError('(add --help to see how it is used)');
      for (const option of options) command.addOption(option);
      if (extra.example !== undefined) addExamples(command, extra.example);
      command.action(async (...given: unknown[]) => {
        const flags = command.opts<O & OutputOptions>();
        const positional = command.processedArgs.flat().filter((arg): arg is string => typeof arg === 'string');
        void given;
        const reporter = makeReporter(flags);
        try {
          if (extra.root && process.getuid?.() !== 0) {
            throw new HoldfastError('HF-NOT-ROOT', `${command.name()}: this command requires root privileges`, {
              hint: `run it as root: sudo ${fullName(command)} …`,
            });
          }
          const run = await load();
          done(await interruptible((signal) => runAndTidy(run, { reporter, signal, commandLine }, positional, flags)));
        } catch (error) {
          if (extra.recorded && !args.includes('--dry-run')) {
            const { noteRefusal } = await import('./note-refusal.ts');
            await noteRefusal(error, { name: command.name(), command: commandLine, events: reporter.events });
          }
          done(reporter.error(error));
        }
      });
    };

  const define = defineIn(program);
  defineLifecycleCommands(define);
  defineInstallerCommands(define);
  defineImageCommands(define);
  defineMediaCommands(define);
  defineNetbootCommands(define);
  defineDiskCommands(define);
  defineStageCommands(define);
  defineOverlayCommands(program, defineIn);
  defineOwnerCommands(program, defineIn);
  defineKubernetesCommands(program, defineIn);
  defineDoctorCommands(define);
  defineRecordCommands(define);
  defineLedgerCommands(define);
  defineSystemCommands(define, program);
  defineRehearsalCommands(define);
  defineSucUpgrade(define);
  return program;
}

/** What the command took for all of its time is given back before its exit status counts. */
async function runAndTidy<O>(
  run: Runner<O>,
  context: Omit<CommandContext, 'undo'>,
  positional: string[],
  flags: O & OutputOptions,
): Promise<number> {
  const undo = new UndoStack();
  let failed = true;
  try {
    const status = await run({ ...context, undo }, positional, flags);
    failed = false;
    return status;
  } finally {
    for (const text of await undo.unwind(failed)) {
      context.reporter.events({ type: 'notice', level: 'warning', text: `cleaning up: ${text}` });
    }
  }
}

const EXAMPLES = `  holdfast install disk.img --system oci-layout:/srv/images:v1
  holdfast upgrade oci-layout:/mnt/images:v2
  holdfast status`;
