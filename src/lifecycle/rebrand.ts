// The title of the boot menu's first entry, changed on an installed machine: the one variable in GRUB's environment block
// that an upgrade would write anew. cOS's cos-rebrand does the same.

import { join } from 'node:path';
import { writeGrubEnvironment } from '../boot/grub-environment.ts';
import { freezeAndThaw } from '../system/durable.ts';
import type { Action, Performers, Plan } from '../system/plan.ts';
import type { Root } from '../system/root.ts';
import { readOsRelease } from './bootable.ts';
import { applyPlan, openForWriting, readPartition, type SessionOptions, withSession } from './session.ts';
import { loadSettings } from './settings.ts';

export type RebrandAction = Action<'write-menu-title'> & { file: string; title: string };

/** What it runs. */
const TOOLS = ['blkid', 'flock', 'fsfreeze', 'mount', 'umount'] as const;

export function planRebrand(stateDirectory: string, title: string): Plan<RebrandAction> {
  const file = join(stateDirectory, 'grub_oem_env');
  const summary = `Write the menu title ${JSON.stringify(title)} to ${file}`;
  return { title: 'Rename the boot menu’s entry', actions: [{ kind: 'write-menu-title', summary, file, title }] };
}

/** The title that settings name, else the root's own, else cOS's. */
export async function menuTitle(root: Root, environment: NodeJS.ProcessEnv): Promise<string> {
  const settings = await loadSettings({ root, environment });
  const { menuEntry, name } = readOsRelease(root);
  return settings.value('upgrade.grub-entry-name') ?? menuEntry ?? name ?? 'cOS';
}

/**
 * Writes the title for the next boot menu.
 * @throws HoldfastError when COS_STATE can't be found or written.
 */
export function rebrand(title: string, options: SessionOptions): Promise<void> {
  return withSession('rebrand', { ...options, tools: TOOLS }, async (session) => {
    const directory = await readPartition(session, 'state');
    await applyPlan(session, planRebrand(directory, title), performers, { directory });
  });
}

const performers: Performers<RebrandAction, { directory: string }> = {
  'write-menu-title': async ({ file, title }, { undo }, { directory }) => {
    await openForWriting(undo, directory);
    writeGrubEnvironment(file, { default_menu_entry: title });
    await freezeAndThaw(directory);
  },
};
