// `holdfast diff`: what differs between a slot and its image, or between the running system and its slot, in the order of who
// made it so. Packages are one line each unless all is asked for.

import { join } from 'node:path';
import type { TreePath } from '../image/targettree.ts';
import { unifiedDiff, whyHidden } from '../ledger/content-diff.ts';
import type { ExplainedDifference, RunningCause } from '../ledger/explain.ts';
import { pathTextOf, treePathFrom } from '../ledger/path-name.ts';
import { shownObject } from '../ledger/shown-object.ts';
import { placeOf } from '../ledger/why.ts';
import { runningDifferences } from '../lifecycle/running-differences.ts';
import { openSlotView, slotDifferences, VIEW_NAMES, type ViewName } from '../lifecycle/slot-view.ts';
import { contentOf } from '../overlay/rebase/content.ts';
import { textOfPath } from '../overlay/rebase/path-text.ts';
import { withHandles } from '../overlay/rebase/tree-handles.ts';
import { show, showBytes } from '../overlay/rebase/walk.ts';
import { inspectRunning } from '../overlay/running.ts';
import { HoldfastError } from '../system/errors.ts';
import { labelsOf } from './lifecycle-options.ts';
import type { CommandContext } from './program.ts';
import { machineSettings, type SettingsFlags } from './settings-option.ts';
import { workDirectoryOf } from './work-directory.ts';

interface DiffFlags extends SettingsFlags {
  content?: boolean;
  below?: string;
  all?: boolean;
}

type Difference = ExplainedDifference<RunningCause>;

/** Two trees that were compared, and what came of it. */
interface Compared {
  name: string;
  differences: readonly Difference[];
  /** The first line. */
  heading: string;
  warnings: readonly string[];
  /** Where the content of either side is; absent where it isn't there any more. */
  before: ((path: TreePath) => string) | undefined;
  after: (path: TreePath) => string;
}

/** The trees that are compared. */
const DIFF_NAMES = ['active', 'passive', 'recovery', 'planned', 'running'] as const;

/** So many paths of one step are named, unless all are asked for. */
const SHOWN = 30;
const MAX_CONTENT_BYTES = 1 << 20;

export async function diffCommand(
  context: CommandContext,
  [name = 'active']: string[],
  flags: DiffFlags,
): Promise<number> {
  const { reporter } = context;
  if (!DIFF_NAMES.some((one) => one === name)) {
    throw new HoldfastError('HF-USAGE', `${JSON.stringify(name)} is none of ${DIFF_NAMES.join(', ')}`, {
      hint: 'holdfast diff active',
    });
  }
  const below = flags.below === undefined ? undefined : treePathFrom(flags.below);
  const view = VIEW_NAMES.find((one) => one === name);
  const compared = view === undefined ? await compareRunning(context) : await compareSlot(context, view, flags);
  for (const text of compared.warnings) reporter.events({ type: 'notice', level: 'warning', text });
  const isWanted = ({ path }: Difference) =>
    below === undefined || below === '' || path === below || path.startsWith(`${below}/`);
  const wanted = compared.differences.filter(isWanted);
  const hunks = flags.content ? await hunksOf(wanted, compared, flags) : new Map<TreePath, readonly string[]>();
  const value = { outcome: 'ok', of: compared.name, differences: wanted.map((one) => jsonOf(one, hunks)) };
  reporter.result(value, [compared.heading, ...linesOf(wanted, hunks, flags), summaryOf(wanted)]);
  return 0;
}

async function compareSlot(context: CommandContext, name: ViewName, flags: DiffFlags): Promise<Compared> {
  const { reporter, undo, signal } = context;
  const labels = labelsOf(await machineSettings(context, flags));
  const view = await openSlotView(name, { undo, labels, workDirectory: workDirectoryOf(undo, 'diff') });
  const { differences, basis, warnings } = await slotDifferences(view, {
    signal,
    onProgress: (progress) => reporter.events({ type: 'action-progress', index: -1, ...progress }),
  });
  const source = view.ledger?.origin.source ?? view.deployment?.source ?? 'its image';
  const noted = basis === 'ledger' ? ', as noted when it was made: no unchanged copy of the image is kept' : '';
  const { pristine, directory } = view;
  return {
    name,
    differences,
    heading: `The ${name} system against ${source}${noted}`,
    warnings,
    before: pristine === undefined ? undefined : () => pristine,
    after: () => directory,
  };
}

async function compareRunning({ reporter, undo, signal }: CommandContext): Promise<Compared> {
  const workDirectory = workDirectoryOf(undo, 'diff');
  const { differences, places, live, warnings } = await runningDifferences({
    undo,
    workDirectory,
    signal,
    onProgress: (progress) => reporter.events({ type: 'action-progress', index: -1, ...progress }),
  });
  const running = await inspectRunning();
  const root = join(workDirectory, 'root');
  const isIn = (path: TreePath) => places.some((place) => isBelow(pathTextOf(path), place.path));
  const kept = running?.attached.used === true ? ', with its root overlay' : '';
  const forgets = places.filter(({ isKept }) => !isKept).map(({ path }) => path);
  const noted = forgets.length === 0 ? '' : `; a reboot takes back what is in ${forgets.join(', ')}`;
  const directories = live?.directories ?? [];
  const shown =
    directories.length === 0 ? '' : `; ${directories.join(', ')} shows what --apply-live brought: holdfast diff active`;
  return {
    name: 'running',
    differences,
    heading: `The running system against its slot${kept}${noted}${shown}`,
    warnings,
    before: (path) => (isIn(path) ? root : (running?.attached.base ?? root)),
    after: () => '/',
  };
}

function isBelow(path: string, directory: string): boolean {
  return path === directory || path.startsWith(`${directory}/`);
}

/** Hunks of texts that differ, by path. */
async function hunksOf(
  differences: readonly Difference[],
  { before, after }: Compared,
  { all = false }: DiffFlags,
): Promise<Map<TreePath, readonly string[]>> {
  const hunks = new Map<TreePath, readonly string[]>();
  for (const difference of differences) {
    const { path, before: was, after: is, fields, kind } = difference;
    // What a package brought is nobody's text.
    if (!all && difference.package !== undefined && kind === 'added') continue;
    const isText = (was ?? is)?.type === 'file' && (is ?? was)?.type === 'file';
    if (!isText || (kind === 'changed' && !fields.includes('content'))) continue;
    const hidden = before === undefined ? 'its old content is not kept' : whyHidden(path, [was, is]);
    if (hidden !== undefined || before === undefined) {
      hunks.set(path, [`not shown: ${hidden}`]);
      continue;
    }
    const old = was === undefined ? new Uint8Array() : await textAt(before(path), path);
    const now = is === undefined ? new Uint8Array() : await textAt(after(path), path);
    if (old === undefined || now === undefined) continue;
    const found = unifiedDiff(old, now);
    hunks.set(path, 'lines' in found ? found.lines : [`not shown: ${found.hidden}`]);
  }
  return hunks;
}

function textAt(directory: string, path: TreePath): Promise<Uint8Array | undefined> {
  return withHandles(directory, (tree) => contentOf(tree, path, MAX_CONTENT_BYTES));
}

function linesOf(
  differences: readonly Difference[],
  hunks: ReadonlyMap<TreePath, readonly string[]>,
  { all = false, below }: DiffFlags,
): string[] {
  const groups = new Map<string, Difference[]>();
  for (const difference of differences) {
    const key = groupOf(difference.cause);
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [difference]);
    else group.push(difference);
  }
  return [...groups].flatMap(([heading, group]) => {
    const isFolded = ({ package: owner, kind, cause }: Difference) =>
      !all && below === undefined && owner !== undefined && kind !== 'changed' && cause.by !== 'unknown';
    const packages = new Map<string, { added: number; removed: number }>();
    for (const { package: owner, kind } of group.filter(isFolded)) {
      const key = `${owner?.name} ${owner?.version}`;
      const counts = packages.get(key) ?? { added: 0, removed: 0 };
      if (kind !== 'changed') counts[kind] += 1;
      packages.set(key, counts);
    }
    const rest = group.filter((one) => !isFolded(one));
    const shown = all ? rest : rest.slice(0, SHOWN);
    return [
      '',
      heading,
      ...[...packages].map(([key, counts]) => `  ${packageLine(key, counts)}`),
      ...shown.flatMap((one) => [
        `  ${pathLine(one)}`,
        ...(hunks.get(one.path) ?? []).map((line) => `      ${showBytes(line, 'utf8')}`),
      ]),
      ...(shown.length < rest.length ? [`  … and ${rest.length - shown.length} more (--all shows them)`] : []),
    ];
  });
}

function packageLine(key: string, { added, removed }: { added: number; removed: number }): string {
  const counts = [...(added > 0 ? [`${added} added`] : []), ...(removed > 0 ? [`${removed} removed`] : [])];
  return `${added > 0 ? '+' : '-'} package ${key}: ${counts.join(', ')}`;
}

/** The line above the differences of one cause. */
function groupOf(cause: RunningCause): string {
  switch (cause.by) {
    case 'step': {
      const { file, line, name, stage, at } = cause.step;
      return `${placeOf(file, line, name)}  (${stage}, ${at})`;
    }
    case 'hook':
      return `what a step of ${cause.stage} had started`;
    case 'holdfast':
      return 'the making of the system itself';
    case 'earlier-stage':
      return 'stages of earlier boots';
    case 'live':
      return 'brought from the next system by --apply-live';
    case 'hand':
      return 'by hand, or by a program';
    case 'unknown':
      return 'unknown: nobody noted by whom';
  }
}

function pathLine({ path, kind, fields, isChangedSince, package: owner, cause, earlier }: Difference): string {
  const mark = { added: '+', removed: '-', changed: '~' }[kind];
  const notes = [
    ...fields.filter((field) => field !== 'time' || fields.length === 1),
    ...(owner === undefined ? [] : [`of ${owner.name} ${owner.version}`]),
    ...(isChangedSince ? [cause.by === 'hand' ? 'again since its stage' : 'again since this system was made'] : []),
    ...(cause.by === 'hand' ? earlier.map(({ file, line, name }) => `before that ${placeOf(file, line, name)}`) : []),
  ];
  return `${mark} ${show(path)}${notes.length === 0 ? '' : `  (${notes.join(', ')})`}`;
}

function summaryOf(differences: readonly Difference[]): string {
  if (differences.length === 0) return 'Nothing differs.';
  const count = (kind: Difference['kind']) => differences.filter((one) => one.kind === kind).length;
  const unknown = differences.filter(({ cause }) => cause.by === 'unknown').length;
  const paths = `${differences.length} ${differences.length === 1 ? 'path differs' : 'paths differ'}`;
  return `\n${paths}: ${count('added')} added, ${count('changed')} changed, ${count('removed')} removed; ${unknown} unexplained.`;
}

function jsonOf(
  { path, kind, fields, before, after, cause, earlier, package: owner, isChangedSince }: Difference,
  hunks: ReadonlyMap<TreePath, readonly string[]>,
): Record<string, unknown> {
  const content = hunks.get(path);
  return {
    ...textOfPath(path),
    kind,
    fields,
    cause,
    earlier,
    ...(owner !== undefined && { package: owner }),
    ...(isChangedSince && { isChangedSince }),
    ...(before !== undefined && { before: shownObject(pathTextOf(path), before) }),
    ...(after !== undefined && { after: shownObject(pathTextOf(path), after) }),
    ...(content !== undefined && { content }),
  };
}
