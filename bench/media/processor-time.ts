// What a program costs, whatever else the machine is doing.

import { join } from 'node:path';
import { runChecked } from '../../src/system/process.ts';

/** Processor seconds of a program and all that it starts; `work` is for a file. */
export async function processorSeconds(work: string, argv: readonly string[]): Promise<number> {
  const file = join(work, 'time');
  await runChecked(['/usr/bin/time', '--format=%U %S', `--output=${file}`, ...argv]);
  const text = await runChecked(['tail', '--lines=1', file]);
  return text
    .trim()
    .split(' ')
    .reduce((sum, word) => sum + Number(word), 0);
}
