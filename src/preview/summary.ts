// The sentences that a plan's text and its page have in common: one per subject, from the document alone. Pure.

import { formatBytes } from '../lifecycle/sizes.ts';
import type {
  DurationPart,
  EtcFile,
  PackageChange,
  PlanDocument,
  StagePart,
  StageStep,
  UnitChange,
} from './document.ts';

export function count(number: number, one: string, many = `${one}s`): string {
  return `${number} ${number === 1 ? one : many}`;
}

/** `2 upgraded, 1 removed`; in this order, without what there is none of. */
function tally<T extends string>(
  words: readonly T[],
  order: readonly T[],
  names: Partial<Record<T, string>> = {},
): string {
  return order
    .map((word) => [word, words.filter((each) => each === word).length] as const)
    .filter(([, number]) => number > 0)
    .map(([word, number]) => `${number} ${names[word] ?? word}`)
    .join(', ');
}

export function titleOf({ next, running }: PlanDocument): string {
  const named = ({ name, version }: Pick<PlanDocument['next'], 'name' | 'version'>) =>
    version === null || name.includes(version) ? name : `${name} ${version}`;
  if (running === null) return named(next);
  return named(running) === named(next) ? `${named(next)}, built anew` : `${named(running)} → ${named(next)}`;
}

export function packagesSentence({ changes, note }: PlanDocument['packages']): string {
  const kinds = changes.map(({ change }) => change);
  const text = tally(kinds, ['upgraded', 'downgraded', 'changed', 'added', 'removed'], { changed: 'of another build' });
  if (text === '') return note ?? 'no package changes';
  return note === undefined ? text : `${text}; ${note}`;
}

const WEIGHTS: readonly PackageChange['change'][] = ['downgraded', 'removed', 'added', 'changed', 'upgraded'];

/** What a person should see first comes first: most of a list is newer versions, as expected. */
export function weightyFirst(changes: readonly PackageChange[]): PackageChange[] {
  return changes.toSorted((one, other) => WEIGHTS.indexOf(one.change) - WEIGHTS.indexOf(other.change));
}

export function packageText({ name, architecture, from, to, change }: PackageChange): string {
  const shown = architecture === undefined || architecture === 'all' ? name : `${name}:${architecture}`;
  if (change === 'added') return `${shown} ${to ?? ''}`;
  if (change === 'removed') return `${shown} ${from ?? ''}`;
  return `${shown} ${from ?? ''} → ${to ?? ''}`;
}

/** What happens to a thing, as one sign. */
export const SIGNS: Readonly<Record<PackageChange['change'], string>> = {
  upgraded: '↑',
  downgraded: '↓',
  changed: '~',
  added: '+',
  removed: '−',
};

export function kernelSentence({ from, to, imageChanged, initramfsChanged }: PlanDocument['kernel']): string {
  const [old, now] = [from.join(', '), to.join(', ')];
  const versions = old === now ? now : `${old || 'none'} → ${now || 'none'}`;
  const files = [...(imageChanged ? ['kernel'] : []), ...(initramfsChanged ? ['initramfs'] : [])];
  const what = files.length === 0 ? 'the same kernel and initramfs' : `another ${files.join(' and ')}`;
  return versions === '' ? what : `${versions}: ${what}`;
}

export function argumentsSentence({ arguments: { added, removed } }: PlanDocument['kernel']): string {
  if (added.length + removed.length === 0) return 'no argument changes';
  return [...added.map((word) => `+ ${word}`), ...removed.map((word) => `− ${word}`)].join('  ');
}

export function unitsSentence(units: readonly UnitChange[]): string {
  const order = ['enabled', 'disabled', 'masked', 'unmasked', 'added', 'removed', 'changed'] as const;
  return (
    tally(
      units.map(({ change }) => change),
      order,
    ) || 'no unit changes'
  );
}

export function unitText({ name, change, wantedBy }: UnitChange): string {
  return `${name} ${change}${wantedBy === undefined ? '' : ` (${wantedBy})`}`;
}

export const WINNER_WORDS: Readonly<Record<EtcFile['winner'], string>> = {
  image: 'the image',
  'stage-file': 'a stage file',
  owner: 'you',
  overlay: 'the overlay',
  merged: 'merged',
  unknown: 'unknown',
};

export function etcSentence({ files, omitted }: PlanDocument['etc']): string {
  if (files.length === 0) return 'no file changes';
  const order = ['image', 'stage-file', 'owner', 'overlay', 'merged', 'unknown'] as const;
  const names = {
    image: 'as the image says',
    'stage-file': 'by stage files',
    owner: 'by you',
    overlay: 'as the overlay has it',
    unknown: 'by nobody known',
  };
  const more = omitted > 0 ? `, and ${omitted} more` : '';
  return `${count(files.length, 'file')}: ${tally(
    files.map(({ winner }) => winner),
    order,
    names,
  )}${more}`;
}

export function stepText({ file, line, name }: { file: string; line: number; name?: string | undefined }): string {
  return name === undefined ? `${file}:${line}` : `“${name}” (${file}:${line})`;
}

export const STEP_WORDS: Readonly<Record<StageStep['outcome'], string>> = {
  ran: 'ran',
  skipped: 'skipped',
  failed: 'failed',
  'will-run': 'will run',
  depends: 'may run',
};

export function stageSentence({ steps, when }: StagePart): string {
  const order = ['ran', 'will-run', 'depends', 'skipped', 'failed'] as const;
  const names = {
    'will-run': 'will run',
    depends: 'may run',
    failed: when === 'while planning' ? 'failed' : 'would fail',
  };
  return (
    tally(
      steps.map(({ outcome }) => outcome),
      order,
      names,
    ) || 'no step'
  );
}

export function filesSentence({ added, removed, changed, contentBytes }: PlanDocument['files']): string {
  if (added + removed + changed === 0) return 'no path changes';
  return `${added} added, ${removed} removed, ${changed} changed; ${formatBytes(contentBytes)} of new content`;
}

export function writesSentence(writes: PlanDocument['writes']): string {
  const own = writes.filter((write) => write.own).length;
  const others = writes.length - own;
  return `${count(others, 'path')} of /oem and /usr/local${own === 0 ? '' : `, and ${own} of Holdfast’s own`}, when it is applied`;
}

export function movedSentence({ fetchedBytes, toFetchBytes, imageBytes, writtenBytes }: PlanDocument['cost']): string {
  const of = imageBytes === 0 ? '' : ` of ${formatBytes(imageBytes)}`;
  return `${formatBytes(fetchedBytes)}${of} fetched, ${formatBytes(writtenBytes)} written; ${toFetchBytes === 0 ? 'nothing' : formatBytes(toFetchBytes)} left to fetch`;
}

export function roomSentence({
  name,
  freeBytes,
  heldBytes,
  peakBytes,
  applyBytes,
}: PlanDocument['cost']['filesystems'][number]): string {
  const more = applyBytes === 0 ? 'applying takes no more' : `applying takes ${formatBytes(applyBytes)} more`;
  return `${name}: the plan takes ${formatBytes(heldBytes)} (${formatBytes(peakBytes)} at its worst), ${formatBytes(freeBytes)} free; ${more}`;
}

const BASES = {
  measured: 'measured',
  record: 'by this machine’s last upgrades',
  estimate: 'an estimate: nothing was measured here yet',
};

export function durationText({ seconds, basis }: DurationPart): string {
  const text =
    seconds < 90 ? `${seconds < 10 ? seconds.toFixed(1) : Math.round(seconds)} s` : `${Math.round(seconds / 60)} min`;
  return basis === 'measured' ? text : `about ${text}, ${BASES[basis]}`;
}

export function trustSentence({ verified, words }: PlanDocument['trust']): string {
  return verified ? words : `NOT VERIFIED: ${words}`;
}

export function overlaySentence({ place, action, decided }: NonNullable<PlanDocument['overlay']>): string {
  if (action === 'blank') return `${place}: the new system begins with a blank one`;
  return `${place}: carried${decided === 0 ? ', without conflicts' : `; rules decide ${count(decided, 'conflict')}`}`;
}
