// The owner's stage file in its directory: read within limits, and replaced as a whole. It may hold what only root may
// read, such as a kept file of /etc, so nobody else can.

import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { parseCloudConfig } from '../cloudconfig/document.ts';
import { LIMITS } from '../cloudconfig/yamltext.ts';
import { readTextWithin } from '../system/boundedtext.ts';
import { writeFileDurably } from '../system/durable.ts';
import { errnoOf, HoldfastError, messageOf } from '../system/errors.ts';
import { EMPTY_OWNER_FILE, OWNER_FILE_NAME, type OwnerFile, parseOwnerFile, renderOwnerFile } from './owner-file.ts';

/** Where the owner's stage files are on a running system. */
export const OEM_DIRECTORY = '/oem';

export function ownerFilePath(oemDirectory: string = OEM_DIRECTORY): string {
  return join(oemDirectory, OWNER_FILE_NAME);
}

/**
 * Reads it; an empty one where there is none.
 * @throws HoldfastError HF-CONFIG for a file that can't be changed without loss.
 */
export function readOwnerFile(oemDirectory: string = OEM_DIRECTORY): OwnerFile {
  const path = ownerFilePath(oemDirectory);
  let text: string;
  try {
    text = readTextWithin(path, LIMITS.textBytes);
  } catch (error) {
    if (errnoOf(error) === 'ENOENT' || errnoOf(error) === 'ENOTDIR') return EMPTY_OWNER_FILE;
    if (errnoOf(error) !== undefined) throw error;
    throw new HoldfastError('HF-CONFIG', `${path} can't be read: ${messageOf(error)}`, {
      hint: 'move it away; it was left as it is',
    });
  }
  return parseOwnerFile(text, path);
}

/** Replaces it. @throws HoldfastError HF-CONFIG when it would be too large to be read again. */
export function writeOwnerFile(file: OwnerFile, oemDirectory: string = OEM_DIRECTORY): void {
  const text = renderOwnerFile(file);
  // What couldn't be read again must never be written.
  parseOwnerFile(text, ownerFilePath(oemDirectory));
  mkdirSync(oemDirectory, { recursive: true });
  writeFileDurably(ownerFilePath(oemDirectory), text, { mode: 0o600 });
}

/** Where in the file each package is asked for in a stage, by its name as it is asked for: `/oem/…yaml:12`. */
export function packagePlaces(stage: string, oemDirectory: string): Map<string, string> {
  const text = readTextWithin(ownerFilePath(oemDirectory), LIMITS.textBytes);
  const { document } = parseCloudConfig(text, ownerFilePath());
  const steps = document?.stages.get(stage) ?? [];
  return new Map(
    steps.flatMap(({ file, line, values }) =>
      (values.packages?.install ?? []).map((name) => [name, `${file}:${line}`]),
    ),
  );
}
