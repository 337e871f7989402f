// The overlay argument in GRUB's environment blocks: where `overlay create --enable` puts it so that the next boots of the
// active and the passive system use it. The tool's block is on STATE; the owner's on OEM, which wins where it has a variable.

import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { type EnvironmentChanges, readGrubEnvironment, writeGrubEnvironment } from '../boot/grub-environment.ts';
import { freezeAndThaw } from '../system/durable.ts';
import { HoldfastError } from '../system/errors.ts';
import { type OverlayArguments, readOverlayArguments } from './argument.ts';

/** Where the blocks are. Without an owner's directory only the tool's block counts. */
export interface GrubBlocks {
  stateDirectory: string;
  oemDirectory: string | undefined;
}

/** Of the slots that an overlay is for; recovery never uses one. */
const SLOT_VARIABLES = { active: 'extra_active_cmdline', passive: 'extra_passive_cmdline' } as const;
const COMMON_VARIABLE = 'extra_cmdline';
const ALL_VARIABLES = [COMMON_VARIABLE, ...Object.values(SLOT_VARIABLES)];
/** The variable that kernel arguments stand in, split as GRUB does; quotes stay. */
const WORD = /(?:"[^"]*(?:"|$)|[^\s"])+/g;
const ARGUMENT = /^"?(?:rd\.live\.overlay|overlay)=/;

type Variables = ReadonlyMap<string, string>;

/** What GRUB passes on for a slot's overlay. Pure. */
export function argumentOf(tool: Variables, owner: Variables, slot: 'active' | 'passive'): OverlayArguments {
  const words = [COMMON_VARIABLE, SLOT_VARIABLES[slot]].map((name) => owner.get(name) ?? tool.get(name) ?? '');
  return readOverlayArguments(words.join(' '));
}

/** The overlay of the next boots, as the blocks have it; undefined when they name none, or skip it. */
export function configuredOverlay(
  blocks: GrubBlocks,
  slot: 'active' | 'passive' = 'active',
): { device: string; path: string | undefined; text: string } | undefined {
  const { tool, owner } = readBlocks(blocks);
  const { request, text } = argumentOf(tool, owner, slot);
  return request.kind === 'use' ? { device: request.device, path: request.path, text: text ?? '' } : undefined;
}

/**
 * What has to be changed so that both slots boot with `argument`, or without one. Other words stay as they are.
 * @param argument `DEVICE:/PATH`; undefined takes the argument out.
 */
export function planArgument(
  tool: Variables,
  owner: Variables | undefined,
  argument: string | undefined,
): { tool: EnvironmentChanges; owner: EnvironmentChanges } {
  const changes: { tool: Record<string, string | undefined>; owner: Record<string, string | undefined> } = {
    tool: {},
    owner: {},
  };
  for (const name of ALL_VARIABLES) {
    const isSlot = name !== COMMON_VARIABLE;
    // The owner's variable hides the tool's, so a new word goes beside the words that count now.
    const target = owner === undefined ? 'tool' : 'owner';
    const effective = owner?.get(name) ?? tool.get(name);
    for (const [block, variables] of [
      ['tool', tool],
      ['owner', owner],
    ] as const) {
      const before = variables?.get(name);
      const added = isSlot && argument !== undefined && block === target;
      const kept = withoutArgument((added ? effective : before) ?? '');
      const after = added ? [...kept, quoted(`rd.live.overlay=${argument}`)].join(' ') : kept.join(' ');
      if (after === (before ?? '')) continue;
      changes[block][name] =
        after === '' && block === 'owner' && tool.has(name) ? '' : after === '' ? undefined : after;
    }
  }
  return changes;
}

/**
 * Writes the argument into the blocks, or takes it out; GRUB sees it when this returns.
 * @param blocks directories that can be written.
 * @returns whether anything was to do.
 * @throws HoldfastError HF-GRUB when it doesn't fit into the block.
 */
export async function writeArgument(blocks: GrubBlocks, argument: string | undefined): Promise<boolean> {
  const { tool, owner } = readBlocks(blocks);
  const changes = planArgument(tool, blocks.oemDirectory === undefined ? undefined : owner, argument);
  let changed = false;
  for (const [file, own, directory] of [
    [toolBlock(blocks), changes.tool, blocks.stateDirectory],
    [ownerBlock(blocks), changes.owner, blocks.oemDirectory],
  ] as const) {
    if (file === undefined || directory === undefined || Object.keys(own).length === 0) continue;
    const isNew = !existsSync(file);
    writeGrubEnvironment(file, own);
    // GRUB reads no journal: a block that was made just now must be where it looks.
    if (isNew) await freezeAndThaw(directory);
    changed = true;
  }
  return changed;
}

/** @throws HoldfastError HF-GRUB for a block that is damaged: what the next boot would do is unknown then. */
function readBlocks(blocks: GrubBlocks): { tool: Variables; owner: Variables } {
  const file = ownerBlock(blocks);
  return {
    tool: readGrubEnvironment(toolBlock(blocks)),
    owner: file === undefined ? new Map() : readGrubEnvironment(file),
  };
}

function toolBlock({ stateDirectory }: GrubBlocks): string {
  return join(stateDirectory, 'grub_oem_env');
}

function ownerBlock({ oemDirectory }: GrubBlocks): string | undefined {
  return oemDirectory === undefined ? undefined : join(oemDirectory, 'grubenv');
}

function withoutArgument(text: string): string[] {
  return (text.match(WORD) ?? []).filter((word) => !ARGUMENT.test(word));
}

/** GRUB's menu words can't hold quotes within a variable that is split at blanks. */
function quoted(word: string): string {
  if (!/[\s"'\\$]/.test(word)) return word;
  throw new HoldfastError('HF-GRUB', `${word} can’t be kept in GRUB’s environment: it has a blank or a quote in it`, {
    hint: 'name the device by UUID=…, and choose a plain file name',
  });
}
