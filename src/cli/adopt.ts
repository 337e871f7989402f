// `holdfast adopt`: what was changed on the running system by hand becomes a request of its owner: a package by its name, a file
// with its content, a removal or a directory as a command.

import { isChangedSinceStage } from '../ledger/explain.ts';
import { type PathFacts, placeOf } from '../ledger/why.ts';
import { type InspectPathOptions, inspectPath } from '../lifecycle/inspect-path.ts';
import { directoryCommand, removalCommand } from '../owner/adoption.ts';
import { ownerChange } from '../owner/change.ts';
import { addRequest, type OwnerFile } from '../owner/owner-file.ts';
import { type OwnerRequest, subjectOf } from '../owner/request.ts';
import { HoldfastError } from '../system/errors.ts';
import { Root } from '../system/root.ts';
import { addCaptured, captureFiles } from './file.ts';
import { labelsOf } from './lifecycle-options.ts';
import { changeOwnerFile, finishChange, type NowFlags } from './owner-change.ts';
import type { CommandContext } from './program.ts';
import { machineSettings, type SettingsFlags } from './settings-option.ts';
import { workDirectoryOf } from './work-directory.ts';

type AdoptFlags = SettingsFlags & NowFlags;

/** So many paths in a directory are kept one by one. */
const MAX_BELOW = 100;

export async function adoptCommand(context: CommandContext, paths: string[], flags: AdoptFlags): Promise<number> {
  const { reporter, undo } = context;
  const options: InspectPathOptions = {
    undo,
    labels: labelsOf(await machineSettings(context, flags)),
    workDirectory: workDirectoryOf(undo, 'adopt'),
    views: new Map(),
    warn: (text) => reporter.events({ type: 'notice', level: 'warning', text }),
  };
  const { files, requests } = await adoptionsOf(
    paths,
    async (path, below) => {
      const { facts } = await inspectPath(path, { ...options, below });
      return facts;
    },
    options.warn,
  );
  // All of it is looked at before anything is written: a file that can't be kept leaves everything as it is.
  const { captured, contents, notes } = await captureFiles(context, new Root('/'), files);
  const ownerFlags = { ...flags, root: '/' };
  const decide = (file: OwnerFile) => {
    const added = addAll(file, requests);
    const { file: next, changes } = addCaptured(added.file, captured);
    return { file: next, changes: [...added.changes, ...changes] };
  };
  const plan = await changeOwnerFile(context, ownerFlags, decide, contents);
  for (const text of notes) reporter.events({ type: 'notice', level: 'info', text: text.trim() });
  return finishChange(context, plan, ownerFlags);
}

/**
 * What it takes to keep paths, with what differs in those that are directories.
 * @param inspect looks at a path, and with `true` also below it.
 * @throws HoldfastError HF-STATE for a path that there is nothing to keep of.
 */
export async function adoptionsOf(
  paths: readonly string[],
  inspect: (path: string, below: boolean) => Promise<PathFacts>,
  warn: (text: string) => void,
): Promise<{ files: string[]; requests: OwnerRequest[] }> {
  const files = new Set<string>();
  // Of a package there are many files.
  const requests = new Map<string, OwnerRequest>();
  const add = (real: string, adoption: OwnerRequest | 'file') => {
    if (adoption === 'file') files.add(real);
    else requests.set(subjectOf(adoption), adoption);
  };
  for (const path of new Set(paths)) {
    const facts = await inspect(path, true);
    const { differsBelow = [], real } = facts;
    if (differsBelow.length > MAX_BELOW) {
      throw new HoldfastError(
        'HF-STATE',
        `${differsBelow.length} paths differ in ${real}: too many to keep one by one`,
        {
          hint: `name those that count; holdfast diff running --below ${real} lists them`,
        },
      );
    }
    // What is in a directory is wanted with it, also where the directory itself is as it was.
    const isOwn = facts.running?.isSameAsSlot === false && stepOfThisBoot(facts) === undefined;
    if (differsBelow.length === 0 || isOwn) {
      const adoption = adoptionOf(facts);
      add(real, adoption);
      if (adoption !== 'file' && adoption.kind === 'package') continue;
    }
    const gone: string[] = [];
    for (const below of differsBelow) {
      if (gone.some((other) => below.startsWith(`${other}/`))) continue;
      const inside = await inspect(below, false);
      // As --apply-live brought it: the next system has it.
      if (inside.running?.isSameAsSlot) continue;
      // What was in it went with it.
      if (inside.running?.object?.type !== 'directory') gone.push(below);
      const step = stepOfThisBoot(inside);
      if (step === undefined) add(inside.real, adoptionOf(inside));
      else warn(`${below} is written at each boot by ${step}: it needs no keeping`);
    }
  }
  return { files: [...files], requests: [...requests.values()] };
}

function addAll(file: OwnerFile, requests: readonly OwnerRequest[]) {
  let next = file;
  const changes = requests.map((request) => {
    const after = addRequest(next, request);
    const change = ownerChange(after === next ? 'kept-already' : 'added', request);
    next = after;
    return change;
  });
  return { file: next, changes };
}

/**
 * What it takes to have a difference of the running system in every system to come. Pure.
 * @throws HoldfastError HF-STATE when there is no such difference.
 */
export function adoptionOf(facts: PathFacts): OwnerRequest | 'file' {
  const { real, running, place, inSlot, package: owner } = facts;
  if (place === 'persistent' || place === 'nowhere') {
    throw new HoldfastError('HF-STATE', `${real} is ${place === 'nowhere' ? 'of this boot alone' : 'kept by itself'}`, {
      hint: `holdfast why ${real}`,
    });
  }
  if (running === undefined || running.isSameAsSlot) {
    throw new HoldfastError('HF-STATE', `${real} is what the ${facts.slot} system has: there is nothing to adopt`, {
      hint: `holdfast why ${real} says who made it`,
    });
  }
  const { object } = running;
  const step = stepOfThisBoot(facts);
  if (step !== undefined) {
    throw new HoldfastError('HF-STATE', `${real} is written at each boot by ${step}: there is nothing to adopt`, {
      hint: `holdfast why ${real}`,
    });
  }
  if (object === undefined) return { kind: 'command', text: removalCommand(real) };
  // A package of the running system that its slot hasn't got was installed by hand, with all of its files.
  if (owner !== undefined && inSlot === undefined && facts.isPackageNew) {
    return { kind: 'package', name: owner.name, wish: 'install' };
  }
  if (object.type === 'directory') return { kind: 'command', text: directoryCommand(real, object) };
  return 'file';
}

/** The step that wrote a path in this boot, where nobody has changed it since: `FILE:LINE "NAME"`. */
function stepOfThisBoot({ bootChange, running }: PathFacts): string | undefined {
  if (bootChange === undefined || isChangedSinceStage(bootChange, running?.object)) return undefined;
  return placeOf(bootChange.file, bootChange.line, bootChange.name);
}
