// `holdfast overlay attach`: run by the initramfs (holdfast-overlay), which goes by the exit status: 0 when the link to the root
// is there, 3 when the boot goes on without the overlay, 4 when it must not.

import { readFileSync } from 'node:fs';
import { attachOverlay } from '../overlay/attach.ts';
import type { CommandContext } from './program.ts';

export async function overlayAttachCommand({ reporter, signal }: CommandContext): Promise<number> {
  const result = await attachOverlay({
    commandLine: readFileSync('/proc/cmdline', 'utf8'),
    events: reporter.events,
    signal,
    now: new Date(),
  });
  const { overlay, fatal, hint } = result;
  const place = `${overlay.device ?? ''}:${overlay.path ?? ''}`;
  const line = overlay.used
    ? `holdfast: the root overlay ${place} is in use`
    : `holdfast: the root overlay is not used (${overlay.reason}): ${overlay.message}${hint === undefined ? '' : ` (${hint})`}`;
  reporter.result({ ...result }, [line]);
  if (overlay.used) return 0;
  return fatal ? 4 : 3;
}
