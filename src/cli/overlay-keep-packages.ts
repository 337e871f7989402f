// `holdfast overlay keep-packages`: run by apt's hook, with the names of package files on standard input.

import { statSync } from 'node:fs';
import { readAttachedOverlay } from '../boot/attached-overlay.ts';
import { keepPackages } from '../overlay/packages/keep.ts';
import { archiveOf } from '../overlay/packages/kept.ts';
import { readStreamWithin } from '../system/boundedtext.ts';
import type { CommandContext } from './program.ts';

/** Names of files, one a line. */
const MAX_INPUT_BYTES = 4 << 20;

export async function overlayKeepPackagesCommand({ reporter }: CommandContext): Promise<number> {
  const overlay = readAttachedOverlay();
  const nothing = (why: string) => {
    reporter.result({ outcome: 'skipped', reason: why }, [`Nothing is kept: ${why}.`]);
    return 0;
  };
  if (!overlay?.used || overlay.file === undefined) return nothing('/ is no overlay');
  if (overlay.readonly) return nothing('this boot’s changes don’t stay');
  // In a hook's chroot packages go into an image, not onto the overlay.
  const [here, init] = [statSync('/', { bigint: true }), statSync('/proc/1/root/', { bigint: true })];
  if (here.ino !== init.ino || here.dev !== init.dev) return nothing('this is not the running system’s root');
  const paths = (await readStreamWithin(process.stdin, MAX_INPUT_BYTES)).split('\n');
  const result = await keepPackages(paths, archiveOf(overlay.file));
  for (const text of result.warnings) reporter.events({ type: 'notice', level: 'warning', text });
  reporter.result({ outcome: 'ok', ...result }, [
    ...result.kept.map((name) => `kept ${name}`),
    ...result.removed.map((name) => `removed ${name}: its package isn’t installed any more`),
  ]);
  return 0;
}
