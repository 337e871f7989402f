// `holdfast installer --unattended`: a live system installs itself as the section `install:` of its stage files says, and
// the rest of those files becomes /oem of the installed system. A unit runs it at every start of a live system, so what it
// has installed once it leaves alone from then on.

import { existsSync, readFileSync } from 'node:fs';
import type { Problem } from '../../cloudconfig/problem.ts';
import { describeProblem } from '../../lifecycle/hooks.ts';
import { liveSystem } from '../../lifecycle/medium.ts';
import { MACHINE_COMMAND_LINE, setupSources } from '../../stages/commandline.ts';
import { defaultSources, environmentSources, fileProblem, isUrl, SourceReader } from '../../stages/sources.ts';
import { HoldfastError } from '../../system/errors.ts';
import { httpRequest } from '../../system/http.ts';
import { Root } from '../../system/root.ts';
import { installCommand } from '../install.ts';
import { labelsOf } from '../lifecycle-options.ts';
import type { CommandContext } from '../program.ts';
import { machineSettings } from '../settings-option.ts';
import { chooseDisk } from './disk-choice.ts';
import { type InstallSection, NO_SECTION, readInstallSection } from './install-section.ts';
import { markOf, wasInstalledBy } from './installed-before.ts';
import type { InstallerFlags } from './installer-flags.ts';
import { keepForInstall } from './kept-file.ts';
import { findDisks } from './look.ts';

/** Where media have their configuration, whether the kernel command line names it or not. */
const MEDIUM_CONFIG = '/run/initramfs/live/iso-config';
/** The initramfs leaves it on live systems, also those that came by network. */
const LIVE_MODE = '/run/cos/live_mode';
/** The image's own files are in the installed system anyway. */
const OF_IMAGE = '/system/oem';

interface Text {
  name: string;
  text: string;
}

export async function unattendedInstall(context: CommandContext, flags: InstallerFlags): Promise<number> {
  const { reporter } = context;
  // The files that asked for it are in /oem of what they have installed, and mean the live system there as here.
  if (flags.from === undefined && liveSystem() === undefined && !existsSync(LIVE_MODE)) {
    throw new HoldfastError('HF-STATE', 'this is no live system: nothing is installed unattended from it', {
      hint: 'holdfast installer asks; with --from FILE the file says what is installed',
    });
  }
  const { section, texts, unreadable } = await readSources(context, flags.from);
  const wanted = section.auto ?? flags.from !== undefined;
  if (section.files.length === 0 || !wanted) {
    const outcome = 'nothing-to-do';
    const why = 'Nothing is installed: no stage file has "install:" with "auto: true".';
    // On every console of a live system it would be noise.
    reporter.result({ outcome }, process.stdout.isTTY || flags.from !== undefined ? [why] : []);
    return 0;
  }
  // What is left out might be the users, or the very words that say no.
  const [first] = unreadable;
  if (first !== undefined) throw refuseUnreadable(first);
  for (const problem of section.problems) {
    reporter.events({ type: 'notice', level: 'warning', text: describeProblem(problem) });
  }
  const from = section.files.join(', ');
  reporter.events({ type: 'notice', level: 'info', text: `unattended install, as ${from} says` });
  const settings = await machineSettings({ reporter: { events: () => {} } }, flags, section.settings);
  const force = settings.value('install.force') ?? false;
  const labels = labelsOf(settings);
  const named = section.device ?? settings.value('install.target') ?? 'auto';
  const disk = named === 'auto' ? chooseDisk(await findDisks(labels), { force }).path : named;
  if (named === 'auto') reporter.events({ type: 'notice', level: 'info', text: `the disk is ${disk}` });
  const mark = markOf(section);
  if (force && (await wasInstalledBy(mark, disk, labels))) {
    throw new HoldfastError(
      'HF-ALREADY-INSTALLED',
      `${disk} already holds an installed system, which this very request has installed (${from}): nothing is done`,
      { hint: 'take the medium out and reboot; to install it once more, change "install:" or run: holdfast install' },
    );
  }
  const kept = texts.map(({ text }, index) => keepForInstall(context, `${String(index).padStart(3, '0')}.yaml`, text));
  const cloudInit = [...kept, ...(settings.value('install.cloud-init') ?? [])];
  return installCommand(context, [disk], { ...flags, cloudInit }, { given: section.settings, unattendedMark: mark });
}

/** All stage files of this live system, and what they say about an install. Those of its image aren't taken along. */
async function readSources(
  context: CommandContext,
  named: readonly string[] | undefined,
): Promise<{ section: InstallSection; texts: Text[]; unreadable: Problem[] }> {
  const line = readFileSync(MACHINE_COMMAND_LINE, 'utf8');
  const sources = named ?? [...defaultSources, ...environmentSources(), MEDIUM_CONFIG, ...setupSources(line)];
  let section = NO_SECTION;
  const texts: Text[] = [];
  const unreadable: Problem[] = [];
  for (const source of new Set(sources)) {
    const found = await readSource(context, source, named !== undefined);
    unreadable.push(...found.unreadable);
    for (const { name, text } of found.texts) {
      section = readInstallSection(section, name, text);
      if (source !== OF_IMAGE && !texts.some((one) => one.text === text)) texts.push({ name, text });
    }
  }
  return { section, texts, unreadable };
}

/** @param required whether it is an error that it isn't there. */
async function readSource(
  { reporter, signal }: CommandContext,
  source: string,
  required: boolean,
): Promise<{ texts: Text[]; unreadable: Problem[] }> {
  const { events } = reporter;
  const root = new Root('/');
  const reader = new SourceReader(root);
  if (!isUrl(source)) {
    if (required && !reader.has(source)) {
      throw new HoldfastError('HF-USAGE', `there is no file or directory ${source}`);
    }
    const { documents, problems } = reader.read(source);
    return {
      texts: documents.map(({ file }) => ({ name: file, text: reader.textOf(file) ?? '' })),
      unreadable: problems.filter(({ severity }) => severity === 'error'),
    };
  }
  const { fetchSource } = await import('../../stages/remotesource.ts');
  const settings = { stage: 'network', root, http: httpRequest, events, signal, keepCopies: true };
  const { name, text, problems } = await fetchSource(source, settings);
  const [reason] = problems;
  if (text === undefined) {
    // It may be what asks for the install: nobody knows.
    throw refuseUnreadable(reason ?? fileProblem(name, `${name} can't be read`));
  }
  for (const problem of problems) events({ type: 'notice', level: 'warning', text: describeProblem(problem) });
  return { texts: [{ name, text }], unreadable: [] };
}

function refuseUnreadable({ message, location, hint }: Problem): HoldfastError {
  return new HoldfastError('HF-STAGE', `nothing is installed, since not all stage files can be read: ${message}`, {
    location,
    hint: hint ?? 'mend or remove it; nothing was changed',
  });
}
