// Who changed what while a hook ran in a new system: after each step the tree is looked at, and what is different then was
// that step's doing, whether the engine did it itself or a command, a package manager or what they started.

import type { TreePath } from '../image/targettree.ts';
import type { StepResult } from '../stages/result.ts';
import { HoldfastError, messageOf } from '../system/errors.ts';
import type { Cause, StepCause } from './entry.ts';
import { TreeWatch } from './tree-watch.ts';

/** The only file that a hook finds in another form than the image has it. */
const RESOLVER: TreePath = 'etc/resolv.conf';

/** Steps of one path that are remembered; the last one counts. */
const MAX_STEPS = 8;

export interface Attributed {
  cause: Cause;
  /** Steps before the one that counts, the latest last. */
  earlier: readonly StepCause[];
}

/** Causes of all paths that changed in a slot since it held nothing but its image. */
export class Attribution {
  readonly #causes = new Map<TreePath, Cause[]>();
  readonly #before = new Map<TreePath, ReturnType<TreeWatch['first']>>();
  #isBlind = false;

  /** Notes that these paths were changed by this cause, after all that was noted before. */
  note(paths: Iterable<TreePath>, cause: Cause): void {
    for (const path of paths) {
      const causes = this.#causes.get(path) ?? [];
      causes.push(cause);
      if (causes.length > MAX_STEPS) causes.shift();
      this.#causes.set(path, causes);
    }
  }

  /** Keeps what the changed paths were at first, for slots of which no pristine is kept. */
  keepFirst(watch: TreeWatch): void {
    for (const path of watch.changed) if (!this.#before.has(path)) this.#before.set(path, watch.first(path));
  }

  /** Paths that were changed, with what they were; undefined where nothing was. */
  get before(): ReadonlyMap<TreePath, ReturnType<TreeWatch['first']>> {
    return this.#before;
  }

  /** Every path that was seen to change, in the order of seeing; undefined when not all of it was seen. */
  get changed(): Iterable<TreePath> | undefined {
    return this.#isBlind ? undefined : this.#causes.keys();
  }

  /** A watch had to give up. */
  loseSight(): void {
    this.#isBlind = true;
  }

  of(path: TreePath): Attributed {
    const causes = this.#causes.get(path) ?? [];
    const cause = causes.at(-1) ?? { by: 'unknown' };
    const earlier = causes.slice(0, -1).flatMap((one) => (one.by === 'step' ? [one.step] : []));
    return { cause, earlier };
  }
}

export interface HookWatchOptions {
  /** The stage that the hook runs. */
  hook: string;
  attribution: Attribution;
  /** Told once when the tree can't be looked at any more: from there on changes are nobody's. */
  warn: (text: string) => void;
  signal?: AbortSignal | undefined;
  /** The clock for the entries. */
  now?: () => Date;
}

/** Follows one hook in a tree. What goes wrong here must never fail the hook; only an interruption is thrown. */
export class HookWatch {
  readonly #watch: TreeWatch;
  readonly #options: HookWatchOptions;
  #isBlind = false;

  constructor(directory: string, options: HookWatchOptions) {
    this.#watch = new TreeWatch(directory, options.signal);
    this.#options = options;
  }

  /** Before anything of the hook is prepared in the tree. */
  async start(): Promise<void> {
    await this.#carefully(() => this.#watch.start());
  }

  /** For the stage's `afterStep`. */
  async afterStep({ subStage, file, line, name, definition, outcome, keys }: StepResult): Promise<void> {
    // Conditions alone change nothing.
    if (outcome === 'skipped' || keys.length === 0) return;
    const { now = () => new Date() } = this.#options;
    const at = now().toISOString();
    const step = { stage: subStage, file, line, ...(name !== undefined && { name }), definition, at };
    await this.#note({ by: 'step', step });
  }

  /** All that the hook has started has ended, and what was prepared for it is gone. */
  async ended(): Promise<void> {
    const { attribution, hook } = this.#options;
    await this.#carefully(async () => {
      const paths = await this.#watch.look();
      attribution.note(paths, { by: 'hook', stage: hook });
      // What stood in for it has gone again.
      attribution.note(
        paths.filter((path) => path === RESOLVER),
        { by: 'holdfast' },
      );
    });
    attribution.keepFirst(this.#watch);
  }

  async #note(cause: Cause): Promise<void> {
    await this.#carefully(async () => this.#options.attribution.note(await this.#watch.look(), cause));
  }

  async #carefully(work: () => Promise<void>): Promise<void> {
    if (this.#isBlind) return;
    try {
      await work();
    } catch (error) {
      if (error instanceof HoldfastError && error.code === 'HF-INTERRUPTED') throw error;
      this.#isBlind = true;
      this.#options.attribution.loseSight();
      this.#options.warn(`who changes what in the new system is not noted any more: ${messageOf(error)}`);
    }
  }
}
