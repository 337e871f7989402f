// The title of the boot menu's first entry, changed on an installed machine: the one variable in GRUB's environment block
// that an upgrade would write anew. cOS's cos-rebrand does the same.

import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { writeGrubEnvironment } from '../boot/grub-environment.ts';
import { freezeAndThaw } from '../system/durable.ts';
import { type EventSink, silent } from '../system/events.ts';
import { lockUntilEnd } from '../system/lock.ts';
import { mount, mountAt, unmount } from '../system/mounts.ts';
import { type Action, apply, type Performers, type Plan, UndoStack } from '../system/plan.ts';
import { runChecked } from '../system/process.ts';
import { Root } from '../system/root.ts';
import { readOsRelease } from './bootable.ts';
import { RUN_DIRECTORY } from './leftovers.ts';
import { loadSettings } from './settings.ts';
import { locateInstallation } from './upgrade.ts';

export type RebrandAction = Action<'write-menu-title'> & { file: string; title: string };

export function planRebrand(stateDirectory: string, title: string): Plan<RebrandAction> {
  const file = join(stateDirectory, 'grub_oem_env');
  const summary = `Write the menu title ${JSON.stringify(title)} to ${file}`;
  return { title: 'Rename the boot menu’s entry', actions: [{ kind: 'write-menu-title', summary, file, title }] };
}

/** The title that settings name, else the running system's own, else cOS's. */
export async function menuTitle(root: Root, environment: NodeJS.ProcessEnv): Promise<string> {
  const settings = await loadSettings({ root, environment });
  const { menuEntry, name } = readOsRelease(root);
  return settings.value('upgrade.grub-entry-name') ?? menuEntry ?? name ?? 'cOS';
}

/**
 * @returns the title that was written.
 * @throws HoldfastError when COS_STATE can't be found or written.
 */
export async function rebrand(options: {
  environment: NodeJS.ProcessEnv;
  events?: EventSink;
  /** Shown to whoever tries at the same time. */
  command: string;
}): Promise<{ title: string }> {
  const { environment, command, events = silent } = options;
  const title = await menuTitle(new Root('/'), environment);
  const setup = new UndoStack();
  const workDirectory = `${RUN_DIRECTORY}/rebrand-${process.pid}`;
  setup.always(`remove ${workDirectory}`, () => rmSync(workDirectory, { recursive: true, force: true }));
  try {
    await lockUntilEnd(setup, `${RUN_DIRECTORY}/lock`, command);
    const { state } = await locateInstallation();
    const directory = state.mountPoint ?? join(workDirectory, 'state');
    if (state.mountPoint === undefined) {
      await mount(state.device, directory);
      setup.always(`unmount ${directory}`, () => unmount(directory));
    } else if (mountAt(directory)?.options.includes('ro')) {
      await runChecked(['mount', '-o', 'remount,rw', directory]);
      setup.always(`remount ${directory} read-only`, () => runChecked(['mount', '-o', 'remount,ro', directory]).then());
    }
    const plan = planRebrand(directory, title);
    await apply(plan, performers, { state: { directory }, events });
    return { title };
  } finally {
    await setup.unwind(true);
  }
}

const performers: Performers<RebrandAction, { directory: string }> = {
  'write-menu-title': async (action, _, { directory }) => {
    writeGrubEnvironment(action.file, { default_menu_entry: action.title });
    await freezeAndThaw(directory);
  },
};
