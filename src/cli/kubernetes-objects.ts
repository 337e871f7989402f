// Kubernetes objects as a command prints them: YAML or JSON, to standard output or into a file that wasn't there.

import { existsSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { formatJson, formatObjects, type KubernetesObject } from '../kubernetes/plan-text.ts';
import { writeFileDurably } from '../system/durable.ts';
import { HoldfastError } from '../system/errors.ts';
import { printText } from './print.ts';

export interface ObjectFlags {
  output?: string;
  overwrite?: boolean;
  comments?: boolean;
  json?: boolean;
}

/** @throws HoldfastError HF-USAGE when the file is there already and may not be replaced. */
export async function writeObjects(objects: readonly KubernetesObject[], flags: ObjectFlags): Promise<void> {
  const { output, overwrite = false, comments = true, json = false } = flags;
  const text = json ? formatJson(objects) : formatObjects(objects, { comments });
  if (output === undefined || output === '-') return printText(text);
  if (existsSync(output) && !overwrite) {
    throw new HoldfastError('HF-USAGE', `${output} exists already`, { hint: 'replace it with --overwrite' });
  }
  const directory = dirname(resolve(output));
  if (!existsSync(directory)) {
    throw new HoldfastError('HF-USAGE', `${output}: there is no directory ${directory}`, {
      hint: `mkdir -p ${directory}`,
    });
  }
  writeFileDurably(output, text);
}
