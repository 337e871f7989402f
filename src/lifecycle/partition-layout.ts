// The file of --partition-layout before it runs: it must have something to run, and it must mean the disk that is being
// installed. A file that was written for another machine names that one's disk, which may be anything on this one.

import { realpathSync } from 'node:fs';
import { parseCloudConfig } from '../cloudconfig/document.ts';
import { HoldfastError } from '../system/errors.ts';
import type { StageFile } from './install.ts';

const STAGE = 'partitioning';

/**
 * @param target the disk, absolute.
 * @throws HoldfastError HF-STAGE with the place of the step that names another disk, or when there is no such stage.
 */
export function checkLayout({ name, text }: StageFile, target: string): void {
  const { document } = parseCloudConfig(text, name);
  const stages = [`${STAGE}.before`, STAGE, `${STAGE}.after`];
  const steps = stages.flatMap((stage) => document?.stages.get(stage) ?? []);
  if (steps.length === 0) {
    throw new HoldfastError('HF-STAGE', `${name} has no stage ${STAGE}, which would make the partitions`, {
      hint: 'write "stages:", below it "partitioning:", and a list of steps with "layout:"',
    });
  }
  for (const { values, line, column } of steps) {
    const path = values.layout?.device?.path ?? '';
    // What a template or a script gives isn't known yet; a label is looked for when the step runs.
    if (!path.startsWith('/') || path.includes('{{')) continue;
    if (real(path) === real(target)) continue;
    throw new HoldfastError('HF-STAGE', `the layout is for ${path}, and ${target} is installed`, {
      location: { file: name, line, column },
      hint: `write "path: ${target}" there, or name the disk by the label of its first partition, COS_GRUB`,
    });
  }
}

function real(path: string): string {
  try {
    return realpathSync(path);
  } catch {
    // It isn't there; then it is no other disk either, and the step will say so.
    return path;
  }
}
