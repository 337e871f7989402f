// `holdfast init`: makes an ordinary root file system bootable as an immutable image: init-inspect.ts looks, init-plan.ts
// decides, init-apply.ts does.

import { HoldfastError } from '../system/errors.ts';
import type { EventSink } from '../system/events.ts';
import { apply } from '../system/plan.ts';
import type { Root } from '../system/root.ts';
import { initPerformers } from './init-apply.ts';
import { describeInitramfs, findInitramfsModule, type InitramfsModule } from './init-initramfs.ts';
import { digestOf, inspectRoot } from './init-inspect.ts';
import { type InitPlan, planInit } from './init-plan.ts';
import { filesFor, findManagers } from './init-selection.ts';
import { OS_FILES } from './os-files.generated.ts';

export interface InitializeOptions {
  root: Root;
  /** Becomes /usr/bin/holdfast in the root; without it one must be there. */
  executable?: string;
  /** Manual pages and completion scripts for the root, by path. */
  documents?: Readonly<Record<string, string>>;
  /** false leaves the initramfs to somebody else. */
  initrd: boolean;
  /** Plan only. */
  dryRun?: boolean;
  events: EventSink;
  signal?: AbortSignal;
}

export interface InitializeResult {
  /** `skipped`: everything was right already. */
  outcome: 'ok' | 'skipped';
  plan: InitPlan;
  /** What the initramfs can do; `holdfast` for one that is built here. */
  initramfs: InitramfsModule;
  warnings: readonly string[];
}

/**
 * Installs what an image needs, builds GRUB's EFI program and the initramfs. A second run changes nothing.
 * @throws HoldfastError HF-NOT-BOOTABLE when the root lacks something, with package names, before the first write;
 *   HF-USAGE on a running system; HF-NO-SOURCE without an executable.
 */
export async function initializeRoot(options: InitializeOptions): Promise<InitializeResult> {
  const { root, events, documents = {} } = options;
  if (root.isHost && root.exists('/run/systemd/system')) {
    throw new HoldfastError('HF-USAGE', 'init would take the identity of the running system away', {
      hint: 'name the tree of an image with --root DIR, or run init while a container image is built',
    });
  }
  const found = inspectRoot(root, options.executable, {
    initrd: options.initrd,
    documents: Object.keys(documents),
  });
  const initrd = found.canBuildInitrd;
  const plan = planInit(filesFor(OS_FILES, findManagers(root)), found, { initrd, digestOf, documents });
  for (const text of plan.notices) events({ type: 'notice', level: 'info', text });
  const initramfs = initrd ? 'holdfast' : await findInitramfsModule(root, found.initrdPath);
  const why = options.initrd ? 'the image has no dracut' : 'nobody asked for a new one (--no-initrd)';
  const words = describeInitramfs(initramfs, found.initrdPath, why);
  if (words !== undefined) events({ type: 'notice', level: 'warning', text: words });
  if (plan.actions.length === 0) return { outcome: 'skipped', plan, initramfs, warnings: [] };
  if (options.dryRun) return { outcome: 'ok', plan, initramfs, warnings: [] };
  const { signal } = options;
  const result = await apply(plan, initPerformers, { state: { root }, events, ...(signal && { signal }) });
  return { outcome: 'ok', plan, initramfs, warnings: result.warnings };
}
