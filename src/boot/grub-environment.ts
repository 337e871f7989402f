// GRUB's environment block: exactly 1024 bytes that GRUB itself reads and overwrites at boot, block by block, without a
// journal. So it is created by a plain write and afterwards only overwritten in place: after a rename GRUB may go on
// reading the old file, and a reflinked copy would change together with its original.

import { isUtf8 } from 'node:buffer';
import { closeSync, fsyncSync, openSync, readFileSync, writeSync } from 'node:fs';
import { dirname } from 'node:path';
import { fsyncPath, overwriteInPlace } from '../system/durable.ts';
import { errnoOf, HoldfastError } from '../system/errors.ts';

export const BLOCK_SIZE = 1024;
const SIGNATURE = '# GRUB Environment Block\n';

/** Changes to variables; undefined removes one. */
export type EnvironmentChanges = Readonly<Record<string, string | undefined>>;

/**
 * Reads a block. Lines that are no assignment are left out, as GRUB does.
 * @throws HoldfastError HF-GRUB when it doesn't start with GRUB's signature.
 */
export function parseGrubEnvironment(block: Uint8Array): Map<string, string> {
  const text = Buffer.from(block).toString('utf8');
  if (!text.startsWith(SIGNATURE)) {
    throw new HoldfastError('HF-GRUB', 'this is no GRUB environment block: its first line is not GRUB’s', {
      hint: 'is it the right file? A damaged block may be removed; it is made anew when a variable is set',
    });
  }
  const variables = new Map<string, string>();
  let at = SIGNATURE.length;
  while (at < text.length) {
    if (text[at] === '#') {
      // A comment (grub-editenv writes one), or the padding, which has no end.
      const end = text.indexOf('\n', at);
      if (end < 0) break;
      at = end + 1;
      continue;
    }
    // A line ends at a newline that no backslash protects.
    let line = '';
    for (; at < text.length && text[at] !== '\n'; at++) {
      if (text[at] === '\\' && at + 1 < text.length) at += 1;
      line += text[at];
    }
    at += 1;
    const equals = line.indexOf('=');
    if (equals > 0) variables.set(line.slice(0, equals), line.slice(equals + 1));
  }
  return variables;
}

/**
 * Writes a block of 1024 bytes.
 * @throws HoldfastError HF-GRUB when the variables don't fit or a name can't be written.
 */
export function serialiseGrubEnvironment(variables: ReadonlyMap<string, string>): Buffer {
  let text = SIGNATURE;
  for (const [name, value] of variables) {
    if (!/^[A-Za-z_][A-Za-z0-9_.-]*$/.test(name)) {
      throw new HoldfastError('HF-GRUB', `${JSON.stringify(name)} can't be the name of a GRUB variable`);
    }
    text += `${name}=${value.replace(/[\\\n]/g, '\\$&')}\n`;
  }
  const bytes = Buffer.from(text, 'utf8');
  if (bytes.length > BLOCK_SIZE) {
    throw new HoldfastError(
      'HF-GRUB',
      `the variables need ${bytes.length} bytes, and a GRUB environment block has ${BLOCK_SIZE}`,
      { hint: 'shorten or unset some; all of them share the one block' },
    );
  }
  return Buffer.concat([bytes, Buffer.alloc(BLOCK_SIZE - bytes.length, '#')]);
}

/** The variables with the changes made to them; those that were there keep their order. */
export function changeVariables(variables: ReadonlyMap<string, string>, changes: EnvironmentChanges) {
  const changed = new Map(variables);
  for (const [name, value] of Object.entries(changes)) {
    if (value === undefined) changed.delete(name);
    else changed.set(name, value);
  }
  return changed;
}

/** The variables of a block file; empty when there is no file. */
export function readGrubEnvironment(file: string): Map<string, string> {
  try {
    return parseGrubEnvironment(readFileSync(file));
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return new Map();
    throw error;
  }
}

/**
 * Sets and unsets variables in a block file, which is made when it isn't there. What it says afterwards is on the disk
 * when this returns.
 * @throws HoldfastError HF-GRUB when the block is full or the file is something else.
 */
export function writeGrubEnvironment(file: string, changes: EnvironmentChanges): void {
  let old: Buffer | undefined;
  try {
    old = readFileSync(file);
  } catch (error) {
    if (errnoOf(error) !== 'ENOENT') throw error;
  }
  if (old !== undefined && !isUtf8(old)) {
    // GRUB takes any bytes; these would come out changed when the block is written again.
    throw new HoldfastError('HF-GRUB', `${file} has bytes that are no UTF-8 text`, {
      hint: 'change it with grub-editenv, or remove it; it is made anew when a variable is set',
    });
  }
  // An empty file is what a crash between its creation and its first write leaves.
  const variables = old === undefined || old.length === 0 ? new Map<string, string>() : parseGrubEnvironment(old);
  const block = serialiseGrubEnvironment(changeVariables(variables, changes));
  if (old?.length === BLOCK_SIZE) {
    overwriteInPlace(file, block);
    return;
  }
  // A file of another size is one that GRUB couldn't write to; its blocks are laid out anew.
  const fd = openSync(file, 'w', 0o644);
  try {
    writeSync(fd, block);
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
  fsyncPath(dirname(file));
}
