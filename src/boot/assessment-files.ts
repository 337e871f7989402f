// The files of boot assessment on COS_STATE: the script is replaced by rename, the block by a plain write once and in
// place ever after (GRUB overwrites it, so it must not share blocks or have holes), grubcustom gets one group of lines.
// For disks of install and for old machines alike.

import { existsSync, readFileSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { writeFileDurably } from '../system/durable.ts';
import { errnoOf } from '../system/errors.ts';
import { ASSESSMENT_BLOCK, ASSESSMENT_SCRIPT, CUSTOM_MENU, withHookGroup } from './assessment.ts';
import { BLOCK_SIZE, readGrubEnvironment, writeGrubEnvironment } from './grub-environment.ts';

/** Where menus of cOS and ours are, relative to COS_STATE. */
const MENUS = ['grub2/grub.cfg', 'grub/grub.cfg', 'boot/grub2/grub.cfg', 'boot/grub/grub.cfg'];

export interface PlacedAssessment {
  /** There are new names: GRUB sees them after the file system has been frozen. */
  renamed: boolean;
  /** Why it does nothing on this machine, as a sentence. */
  obstacle: string | undefined;
}

/**
 * Puts script, block and hook group on COS_STATE, where they are missing or another version's. What is right already is
 * left alone. The caller freezes the file system when `renamed`.
 * @param script the text of grub_boot_assessment.
 */
export function placeAssessment(stateDirectory: string, script: string): PlacedAssessment {
  const scriptFile = join(stateDirectory, ASSESSMENT_SCRIPT);
  let renamed = false;
  // Before the lines that source it.
  if (textOf(scriptFile) !== script) {
    writeFileDurably(scriptFile, script, { mode: 0o644 });
    renamed = true;
  }
  if (placeBlock(join(stateDirectory, ASSESSMENT_BLOCK))) renamed = true;
  const customFile = join(stateDirectory, CUSTOM_MENU);
  const custom = withHookGroup(textOf(customFile) ?? '');
  if (custom !== undefined) {
    writeFileDurably(customFile, custom, { ...(existsSync(customFile) ? {} : { mode: 0o644 }) });
    renamed = true;
  }
  return { renamed, obstacle: obstacleOf(stateDirectory) };
}

/**
 * Makes the block where there is none that GRUB can write; a damaged one is made anew.
 * @returns whether there is a new file of this name.
 */
function placeBlock(file: string): boolean {
  const stat = statSync(file, { throwIfNoEntry: false });
  const variables = variablesOf(file);
  // A file with fewer blocks than bytes has holes, which GRUB doesn't fill.
  if (variables !== undefined && stat?.size === BLOCK_SIZE && stat.blocks * 512 >= stat.size) return false;
  rmSync(file, { force: true });
  writeGrubEnvironment(file, Object.fromEntries(variables ?? []));
  return true;
}

/** Nothing where the file is no block: its content says nothing then. */
function variablesOf(file: string): Map<string, string> | undefined {
  try {
    return readGrubEnvironment(file);
  } catch {
    return undefined;
  }
}

function obstacleOf(stateDirectory: string): string | undefined {
  const menus = MENUS.map((name) => textOf(join(stateDirectory, name))).filter((text) => text !== undefined);
  if (menus.length === 0) return 'no boot menu was found on COS_STATE, so it is not known whether it assesses boots';
  if (menus.some((text) => text.includes(CUSTOM_MENU))) return undefined;
  return `the boot menu of this machine reads no ${CUSTOM_MENU}, so boots are not assessed`;
}

function textOf(file: string): string | undefined {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    if (errnoOf(error) === 'ENOENT' || errnoOf(error) === 'ENOTDIR') return undefined;
    throw error;
  }
}
