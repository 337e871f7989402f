// The commands that carry what is in a root overlay to another system: names, flags, help and examples.

import { Option } from 'commander';
import { allowDowngrade, configDir, dryRun, imageOptions, output, repeated, strict } from './options.ts';
import type { Define } from './program.ts';

/** Of `overlay plan` and `upgrade`. */
export function takeOption(): Option {
  const words = 'decide a conflict of the overlay by its number in the report: mine:1 or new:2; may be repeated';
  return new Option('--take <which>', words).argParser(repeated);
}

export function defineOverlayCarryCommands(define: Define): void {
  define(
    'plan',
    'show what an image would make of the overlay: builds the new system, looks, and throws it away',
    [
      new Option('--to <image>', 'the image; default: the configured one'),
      ...imageOptions(),
      takeOption(),
      new Option('--all', 'list what is left behind, too'),
      allowDowngrade(),
      strict(),
      configDir(),
      dryRun(),
      ...output(),
    ],
    async () => (await import('./overlay-plan.ts')).overlayPlanCommand,
    {
      root: true,
      example: `  holdfast overlay plan --to oci-layout:/mnt/images:v2
  holdfast overlay plan --to oci-layout:/mnt/os:v2 --json   each path and why`,
    },
  );
  define(
    'rebase [set]',
    'carry what was changed over another system to the one that runs',
    [
      new Option('--from <digits>', 'the fingerprint of that system, as "overlay list" shows it'),
      strict(),
      configDir(),
      dryRun(),
      ...output(),
    ],
    async () => (await import('./overlay-rebase.ts')).overlayRebaseCommand,
    {
      root: true,
      example: `  holdfast overlay rebase                                from the only other one
  holdfast overlay rebase --from 3f9c1a7be0428d11
  holdfast overlay rebase LABEL=KEEP:/persist-qemu.img   one that isn't in use`,
    },
  );
  define(
    'conflicts [verb] [numbers...]',
    'list what lost when the overlay was carried; "show", "take" or "done" with numbers of the list',
    [
      new Option('--set <set>', 'one that isn’t in use: DEVICE:/PATH'),
      new Option('--of <id>', 'of an earlier carrying; default: the latest'),
      dryRun(),
      ...output(),
    ],
    async () => (await import('./overlay-conflicts.ts')).overlayConflictsCommand,
    {
      root: true,
      example: `  holdfast overlay conflicts
  holdfast overlay conflicts show 1
  holdfast overlay conflicts take 1      what lost takes its place again
  holdfast overlay conflicts done        nothing of it is needed any more`,
    },
  );
  define(
    'finalise',
    'carry what changed since an upgrade; a unit runs it at shutdown',
    [...output()],
    async () => (await import('./overlay-rebase.ts')).overlayFinaliseCommand,
    {
      root: true,
      hidden: true,
      example: '  holdfast overlay finalise      run at shutdown',
    },
  );
}
