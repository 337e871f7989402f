// `holdfast promote`: a directory with a container file that puts this machine's changes into an image.

import { resolve } from 'node:path';
import { gatherPromotion } from '../lifecycle/promotion.ts';
import { writeContainerfile } from '../owner/containerfile.ts';
import { planPromotion, promotionPerformers, requireEmpty } from '../owner/write-promotion.ts';
import { HoldfastError } from '../system/errors.ts';
import { apply } from '../system/plan.ts';
import { Root } from '../system/root.ts';
import { planLines } from './plan-lines.ts';
import type { CommandContext } from './program.ts';

interface PromoteFlags {
  from?: string;
  changed?: boolean;
  dryRun?: boolean;
}

export async function promoteCommand(
  { reporter, signal, undo }: CommandContext,
  [named = 'holdfast-promote']: string[],
  { from, changed = false, dryRun = false }: PromoteFlags,
): Promise<number> {
  const directory = resolve(named);
  requireEmpty(directory);
  if (from !== undefined && (/\s/.test(from) || from === '')) {
    throw new HoldfastError('HF-USAGE', `--from ${JSON.stringify(from)} is no name of an image`, {
      hint: 'as a container file has it: registry.example/os:v2, or with @sha256:…',
    });
  }
  const { facts, tree } = await gatherPromotion({ from, ledger: changed, undo });
  const promotion = writeContainerfile(facts);
  const { containerfile, left, files } = promotion;
  const nothing = facts.requests.length === 0 && facts.found.length === 0;
  for (const text of left) reporter.events({ type: 'notice', level: 'warning', text: `left out: ${text}` });
  const plan = planPromotion(promotion, directory);
  if (nothing) {
    reporter.result({ outcome: 'skipped', base: facts.base, left }, [
      `There is nothing to promote: the owner keeps no package, command or file.${changed ? '' : ' --changed looks at what stage files have changed, too.'}`,
    ]);
    return 0;
  }
  const counted = (word: string, count: number) => `${count} ${word}${count === 1 ? '' : 's'}`;
  const count = (kind: string) => facts.requests.filter((request) => request.kind === kind).length;
  const copied = files.filter(({ content }) => content.kind !== 'directory').length;
  const summary = [
    counted('package', count('package')),
    counted('command', count('command')),
    counted('file', copied),
  ].join(', ');
  if (dryRun) {
    reporter.result({ outcome: 'planned', plan, containerfile, left }, [
      ...planLines(plan),
      '',
      ...containerfile.trimEnd().split('\n'),
    ]);
    return 0;
  }
  const state = { directory, tree, host: new Root('/') };
  await apply(plan, promotionPerformers, { state, events: reporter.events, signal });
  reporter.result({ outcome: 'ok', directory, base: facts.base, containerfile, left }, [
    `${directory} has a Containerfile with ${summary}.`,
    `Look through it, then build and push the image:`,
    `  docker build -t NAME ${directory} && docker push NAME`,
    'After the upgrade to it, take out here what the image has: holdfast pkg list, run --list, file list.',
  ]);
  return 0;
}
