// The stage files that a command puts into /oem: files of this machine and web addresses. One that can't be used is refused
// before anything is changed, since on the machine it would fail at every boot.

import { readFileSync } from 'node:fs';
import { basename } from 'node:path';
import { parseCloudConfig } from '../cloudconfig/document.ts';
import { LIMITS } from '../cloudconfig/yamltext.ts';
import type { StageFile } from '../lifecycle/install.ts';
import { isUrl } from '../stages/sources.ts';
import { decodeText } from '../system/boundedtext.ts';
import { errnoOf, HoldfastError, messageOf } from '../system/errors.ts';
import { httpGet, withoutSecrets } from '../system/http.ts';
import type { CommandContext } from './program.ts';

/**
 * Reads them in order.
 * @throws HoldfastError HF-USAGE for one that isn't there, HF-NETWORK, HF-STAGE with the place of what is wrong in it.
 */
export async function readStageFiles(
  names: readonly string[],
  context: Pick<CommandContext, 'reporter' | 'signal'>,
): Promise<StageFile[]> {
  const files: StageFile[] = [];
  for (const name of names) files.push(check(await readStageFile(name, context.signal), context));
  return files;
}

async function readStageFile(name: string, signal: AbortSignal): Promise<StageFile> {
  if (isUrl(name)) {
    const { body } = await httpGet(name, { maxBytes: LIMITS.textBytes, signal });
    const shown = withoutSecrets(name);
    try {
      return { name: shown, text: decodeText(body) };
    } catch (error) {
      throw new HoldfastError('HF-USAGE', `${shown} can't be used: ${messageOf(error)}`);
    }
  }
  try {
    return { name, text: readFileSync(name, 'utf8') };
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') throw new HoldfastError('HF-USAGE', `the stage file ${name} does not exist`);
    if (errnoOf(error) === 'EISDIR') throw new HoldfastError('HF-USAGE', `${name} is a directory, not a stage file`);
    throw error;
  }
}

function check(file: StageFile, { reporter }: Pick<CommandContext, 'reporter'>): StageFile {
  const { problems } = parseCloudConfig(file.text, file.name);
  for (const { severity, message, hint, location } of problems) {
    if (severity === 'error') throw new HoldfastError('HF-STAGE', message, { location, ...(hint && { hint }) });
    reporter.events({ type: 'notice', level: 'warning', text: `${file.name}:${location.line}: ${message}` });
  }
  return { name: basename(file.name), text: file.text };
}
