// `holdfast overlay capture`: what was done to the running system by hand, as a stage file to review.

import { closeSync, constants, fstatSync, mkdirSync, openSync, readFileSync, rmdirSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { BASE_DIRECTORY, readAttachedOverlay } from '../boot/attached-overlay.ts';
import { writeStageFile } from '../cloudconfig/yamlwriter.ts';
import { captureChanges } from '../overlay/capture/capture.ts';
import { planPackages } from '../overlay/packages/plan.ts';
import { planRebase } from '../overlay/rebase/plan-rebase.ts';
import { parseSize } from '../overlay/sizes.ts';
import { readStageWrites } from '../overlay/stage-writes.ts';
import { writeFileDurably } from '../system/durable.ts';
import { errnoOf, HoldfastError } from '../system/errors.ts';
import { bindMount, mountAt, unmount } from '../system/mounts.ts';
import { Root } from '../system/root.ts';
import type { CommandContext } from './program.ts';

interface CaptureFlags {
  output?: string;
  stage: string;
  maxSize: string;
}

const RUN_DIRECTORY = '/run/holdfast';

export async function overlayCaptureCommand(
  context: CommandContext,
  _: string[],
  flags: CaptureFlags,
): Promise<number> {
  const { reporter, undo, signal } = context;
  const maxBytes = parseSize(flags.maxSize);
  if (!/^[a-z][a-z0-9-]*(?:\.(?:before|after))?$/.test(flags.stage)) {
    throw new HoldfastError('HF-USAGE', `${JSON.stringify(flags.stage)} can’t be the name of a stage`, {
      hint: 'use after-upgrade-chroot, after-install-chroot, boot or another one',
    });
  }
  if (readAttachedOverlay()?.used !== true || mountAt(BASE_DIRECTORY) === undefined) {
    throw new HoldfastError(
      'HF-STATE',
      'this system doesn’t run on an overlay, so nothing says what was changed by hand',
      {
        hint: 'boot with the overlay first; holdfast overlay list shows what there is',
      },
    );
  }
  // Without what is mounted below it.
  const view = join(RUN_DIRECTORY, `capture-${process.pid}`);
  mkdirSync(view, { recursive: true });
  undo.always(`remove ${view}`, () => rmdirSync(view));
  await bindMount('/', view);
  undo.always(`unmount ${view}`, () => unmount(view));
  const trees = { oldBase: BASE_DIRECTORY, oldView: view, newBase: BASE_DIRECTORY };
  const packages = await planPackages(trees, { signal });
  const packaged = new Set(packages?.owned.map(({ path }) => path));
  const plan = await planRebase(trees, { packaged, stageWrites: readStageWrites(view), signal });
  for (const text of plan.warnings) reporter.events({ type: 'notice', level: 'warning', text });
  const captured = captureChanges({
    stage: flags.stage,
    decisions: plan.decisions,
    packages,
    read: (path) => readWithin(Buffer.from(`${view}/${path}`, 'latin1'), maxBytes),
    owners: { users: namesIn(view, 'passwd'), groups: namesIn(view, 'group') },
  });
  const text = writeStageFile(captured.config, captured.comment);
  const { counts, leftOut } = captured;
  if (flags.output === undefined) {
    reporter.result({ outcome: 'ok', text, counts, leftOut }, text.trimEnd().split('\n'));
    return 0;
  }
  const file = resolve(flags.output);
  // It may hold what only root may read.
  writeFileDurably(file, text, { mode: 0o600 });
  const { files, commands, directories } = counts;
  reporter.result({ outcome: 'ok', file, counts, leftOut }, [
    `${file}: ${counts.packages} packages, ${files} files, ${directories} directories, ${commands} commands; ${leftOut.length} left out.`,
  ]);
  return 0;
}

function readWithin(path: Buffer, maxBytes: number): Uint8Array | undefined {
  let fd: number;
  try {
    fd = openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  } catch (error) {
    // It was removed or replaced since it was found: the next capture shows it.
    if (errnoOf(error) === 'ENOENT' || errnoOf(error) === 'ELOOP') return undefined;
    throw error;
  }
  try {
    const stats = fstatSync(fd);
    return stats.isFile() && stats.size <= maxBytes ? readFileSync(fd) : undefined;
  } finally {
    closeSync(fd);
  }
}

function namesIn(view: string, file: 'passwd' | 'group'): Map<number, string> {
  const names = new Map<number, string>();
  for (const line of (new Root(view).readTextIfThere(`/etc/${file}`) ?? '').split('\n')) {
    const [name = '', , id = ''] = line.split(':');
    if (/^\d+$/.test(id) && name !== '' && !names.has(Number(id))) names.set(Number(id), name);
  }
  return names;
}
