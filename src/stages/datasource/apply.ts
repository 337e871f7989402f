// User data takes effect: it is kept beside the stage files, and its scripts are run.

import { join } from 'node:path';
import { parseCloudConfig } from '../../cloudconfig/document.ts';
import { HoldfastError } from '../../system/errors.ts';
import { describeEnd, runInRoot, type ShellContext } from '../shell.ts';
import { RUN_CONFIG, type RunConfig } from './runconfig.ts';
import { readUserData } from './userdata.ts';

export interface UserDataContext extends ShellContext {
  warn: (message: string) => void;
  fail: (error: unknown) => void;
}

/**
 * @param target.base the directory that it is kept in.
 * @param target.name of the file for a cloud-config, which a stage reads if the directory is one of its sources.
 * @throws HoldfastError HF-CONFIG when it is packed and can't be unpacked.
 */
export async function applyUserData(
  bytes: Uint8Array,
  { base, name }: { base: string; name: string },
  files: RunConfig,
  context: UserDataContext,
): Promise<void> {
  const { main, cloudConfig, scripts, unused } = readUserData(bytes);
  for (const part of unused) context.warn(`datasource: not used: ${part}`);
  // yip: of mode 0644 the file, and its missing directories 0744.
  files.makeDirectory(base, base === RUN_CONFIG ? 0o755 : 0o744);
  const raw = join(base, 'userdata');
  const mainIsScript = cloudConfig === undefined && scripts.length > 0;
  // yip: 0744 for a script.
  files.writeFile(raw, main, mainIsScript ? 0o744 : 0o644);
  if (cloudConfig !== undefined) {
    warnOfMistakes(cloudConfig, context);
    files.writeFile(join(base, name), cloudConfig);
  } else if (scripts.length === 0) {
    context.warn(`datasource: the user data is neither a cloud-config nor a script; it is kept as ${raw}`);
  }
  const paths = scripts.map((script, index) => {
    if (mainIsScript && index === 0) return raw;
    files.makeDirectory(join(RUN_CONFIG, 'scripts'));
    const path = join(RUN_CONFIG, 'scripts', String(index + 1));
    files.writeFile(path, script, 0o700);
    return path;
  });
  for (const [index, path] of paths.entries()) await runScript(path, scripts[index] ?? Buffer.alloc(0), context);
}

/** Whoever runs the file tells them with their places; it may be that nobody does. */
function warnOfMistakes(cloudConfig: Buffer, { warn }: UserDataContext): void {
  const { problems } = parseCloudConfig(cloudConfig.toString('utf8'), 'user data');
  const [first, ...more] = problems.filter(({ severity }) => severity === 'error');
  if (first === undefined) return;
  const others = more.length > 0 ? ` (and ${more.length} more)` : '';
  warn(`datasource: the user data has a mistake in line ${first.location.line}: ${first.message}${others}`);
}

async function runScript(path: string, script: Buffer, context: UserDataContext): Promise<void> {
  // By its interpreter, as the kernel would: programs may not be allowed to run from there.
  const firstLine = script.toString('utf8').split(/\r?\n/, 1)[0] ?? '';
  const [, interpreter = '/bin/sh', argument] = firstLine.match(/^#!\s*(\S+)(?:\s+(.*\S))?\s*$/) ?? [];
  try {
    const end = await runInRoot([interpreter, ...(argument === undefined ? [] : [argument]), path], context);
    if (end.status === 0) return;
    throw new HoldfastError('HF-COMMAND', `the script ${path} of the user data ${describeEnd(end)}`, {
      outputTail: end.outputTail,
    });
  } catch (error) {
    context.fail(error);
  }
}
