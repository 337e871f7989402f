// `holdfast installer`: the dialogue on a terminal, then an install as `holdfast install` does it. The stage file goes to
// memory alone, readable by root, until it is on the new system.

import { parseCloudConfig } from '../../cloudconfig/document.ts';
import { hashPassword } from '../../stages/accounts/shacrypt.ts';
import { HoldfastError } from '../../system/errors.ts';
import { installCommand } from '../install.ts';
import { labelsOf } from '../lifecycle-options.ts';
import type { CommandContext } from '../program.ts';
import { machineSettings } from '../settings-option.ts';
import type { Answers, Machine } from './answers.ts';
import { begin, type Dialogue, finished, GREETING, hear, promptOf } from './dialogue.ts';
import type { InstallerFlags } from './installer-flags.ts';
import { keepForInstall } from './kept-file.ts';
import { LineTerminal } from './line-terminal.ts';
import { findDisks, lookAround } from './look.ts';
import { stageFileOf } from './stage-file.ts';

/** Left without an install; also what a shell says of Ctrl-C. */
const LEFT = 130;

export async function installerCommand(context: CommandContext, _: string[], flags: InstallerFlags): Promise<number> {
  if (flags.unattended) return (await import('./unattended.ts')).unattendedInstall(context, flags);
  const settings = await machineSettings(context, flags);
  // The result goes to standard output; what people talk about goes beside it where programs read that.
  const output = flags.json ? process.stderr : process.stdout;
  const terminal = new LineTerminal(process.stdin, (text) => output.write(text));
  terminal.print(['', ...GREETING, 'Looking at the disks …']);
  let machine = await lookAround(labelsOf(settings));
  if (!machine.disks.some(({ refusal }) => refusal === undefined)) throw noDisk(machine);
  let dialogue = begin(machine);
  for (;;) {
    dialogue = await converse(dialogue, terminal, context.signal);
    const answers = dialogue.at === 'install' ? finished(dialogue) : undefined;
    if (answers === undefined) {
      terminal.print(['', 'Left: nothing was written. "holdfast installer" begins again.']);
      return LEFT;
    }
    try {
      const disks = await findDisks(labelsOf(settings));
      if (!isSameDisk(answers.disk, machine, disks)) {
        terminal.print(['', `${answers.disk} is not what it was when it was chosen. Nothing was written.`]);
        machine = { ...machine, disks };
        dialogue = { ...dialogue, machine, at: 'disk' };
        continue;
      }
      return await carryOut(context, flags, answers, machine, terminal);
    } catch (error) {
      if (!(error instanceof HoldfastError) || context.signal.aborted) throw error;
      context.reporter.error(error);
      // The answers are still there: perhaps one of them was the reason.
      terminal.print(['', 'It was not installed.']);
      // What is on the disk now is to be seen.
      machine = { ...machine, disks: await findDisks(labelsOf(settings)) };
      dialogue = { ...dialogue, machine, at: 'summary' };
    }
  }
}

/** The word "erase" was said about what the summary showed. */
function isSameDisk(path: string, { disks: before }: Machine, now: Machine['disks']): boolean {
  const [shown, found] = [before, now].map((disks) => disks.find((disk) => disk.path === path));
  return found !== undefined && found.refusal === undefined && JSON.stringify(shown) === JSON.stringify(found);
}

/** Asks until the last word is said. */
async function converse(from: Dialogue, terminal: LineTerminal, signal: AbortSignal): Promise<Dialogue> {
  let dialogue = from;
  while (dialogue.at !== 'install' && dialogue.at !== 'left') {
    const { intro, prompt, secret } = promptOf(dialogue);
    terminal.print(intro);
    const line = await terminal.ask(prompt, { secret, signal });
    if (line === undefined) return { ...dialogue, at: 'left' };
    const turn = hear(dialogue, line);
    terminal.print(turn.say);
    dialogue = turn.dialogue;
  }
  terminal.showTyping();
  return dialogue;
}

async function carryOut(
  context: CommandContext,
  flags: InstallerFlags,
  answers: Answers,
  machine: Machine,
  terminal: LineTerminal,
): Promise<number> {
  const options = { groups: machine.adminGroups, shell: machine.shell };
  const text = stageFileOf(answers, { ...options, hash: hashPassword });
  requireUsable(text);
  const file = keepForInstall(context, 'installer.yaml', text);
  const { disk, image, end } = answers;
  if (flags.dryRun)
    terminal.print(['', ...stageFileOf(answers, { ...options, hash: () => '(the hash of the password)' }).split('\n')]);
  return installCommand(context, [disk], {
    ...flags,
    // "erase" was typed.
    force: true,
    cloudInit: [file],
    ...(image !== '' && { system: image }),
    ...(end === 'stay' ? {} : { [end]: true }),
  });
}

/** What the installer writes must be what any stage file must be. */
function requireUsable(text: string): void {
  const { problems } = parseCloudConfig(text, 'the installer’s stage file');
  const [problem] = problems;
  if (problem === undefined) return;
  throw new HoldfastError('HF-STAGE', `the installer made a stage file that can't be used: ${problem.message}`, {
    hint: 'this is a bug of the installer; nothing was written',
  });
}

function noDisk({ disks }: Machine): HoldfastError {
  const seen = disks.map(({ path, refusal }) => `${path}: ${refusal}`);
  return new HoldfastError(
    'HF-TARGET',
    `there is no disk to install on${seen.length > 0 ? ` (${seen.join('; ')})` : ''}`,
    {
      hint: 'lsblk lists what this machine has; nothing was changed',
    },
  );
}
