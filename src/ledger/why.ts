// Why a path is what it is: from what was found out about it, the layers that it comes through, from the image to the running
// system, each with who made it. Pure; finding out is the lifecycle's.

import type { TreeObject } from '../overlay/rebase/tree-object.ts';
import type { StageChange } from '../stages/stagechanges.ts';
import type { LedgerOrigin, PackageName } from './entry.ts';
import { type ExplainedDifference, isChangedSinceStage } from './explain.ts';

/** What becomes of a path at a reboot, by where it is mounted. */
export type WhyPlace = 'persistent' | 'ephemeral' | 'slot' | 'nowhere';

export interface PathFacts {
  /** As it was asked for, absolute. */
  path: string;
  /** Where that leads to, when there are links in the directories above it. */
  real: string;
  place: WhyPlace;
  /** Which slot was looked into. */
  slot: string;
  /** In the image, in the slot, and now; undefined where nothing is. */
  inImage?: TreeObject | undefined;
  inSlot?: TreeObject | undefined;
  /** Absent where only a slot was looked into. */
  running?: { object: TreeObject | undefined; isSameAsSlot: boolean } | undefined;
  /** What the image has is known to nobody: no unchanged copy of it is kept, and no ledger. */
  imageUnknown?: true;
  /** No unchanged copy of the image is kept: what a ledger says of it is without content. */
  imageIsNotKept?: true;
  image?: { source: string; digest?: string } | undefined;
  /** Of the image's layers, counted from 1. */
  layer?: { number: number; of: number; digest: string } | undefined;
  /** The package of the path in the slot, else in the image. */
  package?: PackageName | undefined;
  /** Of a link: what is at its end, and the package of that. */
  leadsTo?: { path: string; package?: PackageName | undefined } | undefined;
  /** The package was installed in the running system. */
  isPackageNew?: boolean;
  /** How the slot differs from the image there, and who made it so. */
  difference?: ExplainedDifference | undefined;
  origin?: LedgerOrigin | undefined;
  /** When `--apply-live` brought it to the running system, RFC 3339; `slot` is then the one that it came from. */
  liveSince?: string;
  /** A step of this boot that wrote it. */
  bootChange?: StageChange | undefined;
  /** On a root overlay: a stage wrote it, and nobody has changed it since. */
  writtenByStage?: boolean;
  /** A root overlay keeps what is written to this path. */
  isKeptByOverlay?: boolean;
  /** The owner keeps it (`holdfast file`). */
  isKeptFile?: boolean;
  /** The command by which the owner keeps it (`holdfast adopt` of a removal or of a directory). */
  keptCommand?: string;
  /** What the owner keeps of the paths below this one. */
  keptBelow?: readonly KeptPath[];
  /** Of a directory, where that was asked for: paths in it that differ from the slot. */
  differsBelow?: readonly string[];
}

/** A path that the owner keeps as a file, or by a command. */
export interface KeptPath {
  path: string;
  command?: string;
}

export const ANSWERS = [
  'image',
  'step',
  'holdfast',
  'boot-step',
  'overlay',
  'by-hand',
  'own',
  'unknown',
  'absent',
] as const;

/**
 * Who made a path what it is now.
 * image: it is as the image brought it. step: a step in a hook. boot-step: a step of this boot. overlay, by-hand: written to the
 * running system, and kept by its overlay or forgotten at a reboot. own: the machine's own data, of which nothing is noted.
 */
export type Answer = (typeof ANSWERS)[number];

export interface Why {
  answer: Answer;
  /** For people: the answer first, then how it came to that. */
  lines: readonly string[];
}

export function explainPath(facts: PathFacts): Why {
  const { running, place } = facts;
  const lines: string[] = [];
  const moved = [
    ...(facts.real === facts.path ? [] : [`  that is ${facts.real}`]),
    ...(facts.leadsTo === undefined
      ? isLink(facts)
        ? ['  a link that leads in a circle']
        : []
      : [`  a link that leads to ${facts.leadsTo.path}${ofPackage(facts.leadsTo.package)}`]),
  ];
  if (place === 'nowhere') {
    return { answer: 'own', lines: [`${facts.path}: of this boot alone; nothing of it is part of a system`, ...moved] };
  }
  if (place === 'persistent') {
    return {
      answer: 'own',
      lines: [
        `${facts.path}: this machine's own, on a persistent place`,
        ...moved,
        '  it stays across reboots and upgrades; who wrote it is not noted',
      ],
    };
  }
  const slot = explainSlot(facts);
  if (running === undefined || running.isSameAsSlot) {
    lines.push(`${facts.path}: ${slot.answer === 'absent' ? 'nothing is there' : slot.text}`, ...moved, ...slot.lines);
    if (facts.liveSince !== undefined) {
      lines.push(`  brought to the running system without a reboot, ${facts.liveSince}`);
    }
    return { answer: slot.answer, lines };
  }
  const now = explainRunning(facts);
  lines.push(`${facts.path}: ${now.text}`, ...moved, ...now.lines);
  if (slot.answer !== 'absent') lines.push(`  in the ${facts.slot} system: ${slot.text}`, ...slot.lines);
  else lines.push(`  the ${facts.slot} system has nothing there`);
  return { answer: now.answer, lines };
}

function isLink({ running, inSlot }: PathFacts): boolean {
  return (running === undefined ? inSlot : running.object)?.type === 'symlink';
}

function ofPackage(owner: PackageName | undefined): string {
  return owner === undefined ? '' : `, of the package ${owner.name} ${owner.version}`;
}

interface Part {
  answer: Answer;
  text: string;
  lines: string[];
}

/** What is different in the running system. */
function explainRunning({ running, bootChange, writtenByStage, isKeptByOverlay, isKeptFile }: PathFacts): Part {
  const time = running?.object === undefined ? '' : `, last written ${timeOf(running.object)}`;
  const isGone = running?.object === undefined;
  const lines = isKeptFile ? ['  kept by its owner: holdfast file list'] : [];
  if (bootChange !== undefined) {
    const { file, line, name, stage, at } = bootChange;
    const by = placeOf(file, line, name);
    if (!isChangedSinceStage(bootChange, running?.object)) {
      return {
        answer: 'boot-step',
        text: `written in this boot by ${by}`,
        lines: [`  stage ${stage}, ${at}`, ...lines],
      };
    }
    lines.unshift(`  before that, in this boot, by ${by}`, `  stage ${stage}, ${at}`);
  }
  const how = isGone ? 'removed' : 'written';
  if (isKeptByOverlay && writtenByStage) {
    return { answer: 'overlay', text: `${how} by a stage of an earlier boot, kept by the root overlay${time}`, lines };
  }
  if (isKeptByOverlay) return { answer: 'overlay', text: `${how} by hand, kept by the root overlay${time}`, lines };
  lines.push('  a reboot brings back what the system has there');
  return { answer: 'by-hand', text: `${how} since the boot, by hand or by a program${time}`, lines };
}

/** What a slot has at the path. */
function explainSlot(facts: PathFacts): Part {
  const { difference, inSlot, inImage, imageUnknown, origin, package: owner, image, layer } = facts;
  const packaged = owner === undefined ? [] : [`  package ${owner.name} ${owner.version}`];
  const lines: string[] = [...packaged];
  if (difference === undefined) {
    if (inSlot === undefined) return { answer: 'absent', text: 'nothing is there', lines: [] };
    if (imageUnknown) {
      const text = 'not known: no unchanged copy of the image is kept';
      return { answer: 'unknown', text, lines };
    }
    if (image !== undefined) {
      const digest = image.digest === undefined ? '' : ` (${image.digest.slice(0, 19)}…)`;
      lines.push(`  image ${image.source}${digest}`);
    }
    if (layer !== undefined) lines.push(`  layer ${layer.number} of ${layer.of} (${layer.digest.slice(0, 19)}…)`);
    return { answer: 'image', text: 'as the image brought it', lines };
  }
  const verb = { added: 'made', changed: 'changed', removed: 'removed' }[difference.kind];
  const { cause } = difference;
  const by = origin === undefined ? [] : [`  ${describeOrigin(origin)}`];
  const was = difference.kind === 'added' ? [] : [`  in the image: ${describeObject(difference.before ?? inImage)}`];
  const earlier = difference.earlier.map(
    ({ file, line, name }) => `  ${difference.isChangedSince ? 'once' : 'before that'} by ${placeOf(file, line, name)}`,
  );
  const since = difference.isChangedSince ? ['  it has changed again since this system was made'] : [];
  switch (cause.by) {
    case 'step': {
      const { file, line, name, stage, at } = cause.step;
      lines.push(`  stage ${stage}, ${at}`, ...by, ...was, ...earlier);
      return { answer: 'step', text: `${verb} by ${placeOf(file, line, name)}`, lines };
    }
    case 'hook':
      lines.push(...by, ...was, ...earlier);
      return {
        answer: 'step',
        text: `${verb} after the last step of ${cause.stage}, by what a step had started`,
        lines,
      };
    case 'holdfast':
      lines.push(...by, ...was);
      return { answer: 'holdfast', text: `${verb} while the system was made`, lines };
    case 'unknown':
      lines.push(...since, ...by, ...was, ...earlier);
      return { answer: 'unknown', text: `${verb}, and nobody noted by whom`, lines };
  }
}

function describeOrigin({ action, at, user, command, actionId }: LedgerOrigin): string {
  const who = user === undefined ? '' : ` by ${user}`;
  const what = command === '' ? '' : `: ${command}`;
  return `${action} at ${at}${who}${what}${actionId === undefined ? '' : ` (holdfast history ${actionId})`}`;
}

/** `FILE:LINE "NAME"`. */
export function placeOf(file: string, line: number, name: string | undefined): string {
  return `${file}:${line}${name === undefined ? '' : ` "${name}"`}`;
}

/** A sentence about an object: type, mode, owner, size. */
export function describeObject(object: TreeObject | undefined): string {
  if (object === undefined) return 'not known';
  const { type, mode, uid, gid, sizeBytes, linkTarget } = object;
  const parts = [
    type.replace('-', ' '),
    ...(type === 'symlink' ? [`to ${linkTarget}`] : [`mode ${mode.toString(8).padStart(4, '0')}`]),
    `owner ${uid}:${gid}`,
    ...(type === 'file' ? [`${sizeBytes} bytes`, timeOf(object)] : []),
  ];
  return parts.join(', ');
}

function timeOf({ mtimeNs }: TreeObject): string {
  const time = new Date(Number(mtimeNs / 1_000_000n));
  return Number.isNaN(time.getTime()) ? 'at an unknown time' : time.toISOString().replace(/\.\d+Z$/, 'Z');
}
