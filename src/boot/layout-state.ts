// What the actions of the mount layout share: the queue of mounts, what was really mounted, and where places are now.

import { join } from 'node:path';
import { HoldfastError } from '../system/errors.ts';
import type { EventSink } from '../system/events.ts';
import { Root } from '../system/root.ts';
import type { LayoutArguments } from './command-line.ts';
import type { FstabEntry } from './fstab.ts';
import { placeNow } from './layout-inspect.ts';
import type { LayoutMount } from './layout-record.ts';
import { MountQueue } from './mount-queue.ts';
import type { CheckOptions } from './volume-check.ts';

interface LayoutStateOptions {
  sysroot: Root;
  runDirectory: string;
  overlayDirectory: string;
  stateTarget: string;
  /** The base is mounted already. */
  hasBase: boolean;
  imageIdentity: string | undefined;
  check: LayoutArguments['check'];
  relabelDirectory?: string;
}

/** Long enough for a big disk, and less than what systemd gives the unit. */
const CHECKS_MS = 1_800_000;

type Mounted = Omit<LayoutMount, 'path' | 'source'> & { entry: FstabEntry };

/** What the actions share: the queue, and what was really mounted. */
export class LayoutState {
  readonly options: LayoutStateOptions;
  readonly queue: MountQueue;
  readonly mounted: Mounted[] = [];
  hasBase: boolean;
  readonly #checksEnd = Date.now() + CHECKS_MS;

  constructor(options: LayoutStateOptions) {
    this.options = options;
    this.queue = new MountQueue(options.runDirectory);
    this.hasBase = options.hasBase;
  }

  /**
   * Where a path of the new root is now.
   * @throws HoldfastError HF-MOUNT when a link leads elsewhere: the plan has followed the image's links, so this one is on
   *   a volume, and mounting at its end would cover something else.
   */
  place(path: string): string {
    const at = placeNow(this.options.sysroot, path);
    const root = at === path ? new Root('/') : this.options.sysroot;
    const real = root.resolve(path);
    if (real === at) return at;
    throw new HoldfastError('HF-MOUNT', `${path} is a link to ${root.inside(real)} by now; nothing is mounted there`);
  }

  /** How the next volume is checked: all checks together have the time that the unit leaves them. */
  checkOptions(events: EventSink): CheckOptions {
    const { check, runDirectory } = this.options;
    const limitMs = Math.max(1, this.#checksEnd - Date.now());
    const starting = (text: string) => events({ type: 'notice', level: 'info', text });
    return { ...check, marks: join(runDirectory, 'checked'), limitMs, starting };
  }

  /** What `layout.json` says of the mounts. */
  recorded(): LayoutMount[] {
    return this.mounted.map(({ entry, ...rest }) => ({ path: entry.mountPoint, source: entry.source, ...rest }));
  }
}
