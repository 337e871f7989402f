// Plan, then apply. A plan is a list of typed, serialisable actions that a pure function decided on; `apply` carries
// it out in order, tells its listeners, and always leaves the machine tidy: what an action set up (mounts, loop
// devices, temporary files) is registered for undoing and is undone on success, failure and interruption alike.

import { HoldfastError, messageOf } from './errors.ts';
import type { Cost, EventSink, Progress } from './events.ts';

/** One decision of a plan: plain data, with a sentence that says what it will do. */
export interface Action<K extends string = string> {
  kind: K;
  summary: string;
  cost?: Cost;
  /** The hook that it runs; listeners that tell it in other words get it. */
  hook?: string;
  /** The label of the slot file that it makes or replaces; likewise. */
  label?: string;
}

export interface Plan<A extends Action = Action> {
  title: string;
  actions: readonly A[];
}

/** What an action may use while it runs. */
export interface ApplyContext {
  undo: UndoStack;
  events: EventSink;
  /** Aborted on SIGINT and SIGTERM; long work passes it on. */
  signal: AbortSignal;
  progress: (progress: Progress) => void;
  warn: (text: string) => void;
}

/** One function per kind of action; the compiler sees to it that none is missing. */
export type Performers<A extends Action, S> = {
  readonly [K in A['kind']]: (action: Extract<A, { kind: K }>, context: ApplyContext, state: S) => Promise<void> | void;
};

export interface ApplyOptions<S> {
  state: S;
  events: EventSink;
  signal?: AbortSignal;
  /** Called before each action; crash tests throw from here. */
  beforeAction?: (index: number) => Promise<void> | void;
  /**
   * Whether what the plan is for has happened: from then on an interruption doesn't stop it between two actions, and a failure
   * doesn't undo what belongs to it. Default: never before the end.
   */
  isDone?: (() => boolean) | undefined;
}

export interface ApplyResult {
  durationMs: number;
  warnings: readonly string[];
  actions: readonly { kind: string; durationMs: number }[];
}

type Undo = { label: string; when: 'always' | 'failure'; run: () => Promise<void> | void };

/** What must be undone, last first. */
export class UndoStack {
  #entries: Undo[] = [];

  /** Registers something to undo when the plan ends, however it ends. Returns a function that does it now instead. */
  always(label: string, run: () => Promise<void> | void): () => Promise<void> {
    return this.#push({ label, when: 'always', run });
  }

  /** Registers something to undo only if the plan fails or is interrupted. Returns a function that forgets it. */
  onFailure(label: string, run: () => Promise<void> | void): () => void {
    const entry: Undo = { label, when: 'failure', run };
    this.#push(entry);
    return () => this.#remove(entry);
  }

  #push(entry: Undo): () => Promise<void> {
    this.#entries.push(entry);
    return async () => {
      if (!this.#entries.includes(entry)) return;
      // It stays registered until it has worked: an interruption in between tries again.
      await entry.run();
      this.#remove(entry);
    };
  }

  #remove(entry: Undo): void {
    const at = this.#entries.indexOf(entry);
    if (at >= 0) this.#entries.splice(at, 1);
  }

  /** Undoes everything, last first; one that fails doesn't stop the others. Returns what failed. */
  async unwind(failed: boolean): Promise<string[]> {
    const problems: string[] = [];
    for (let entry = this.#entries.pop(); entry !== undefined; entry = this.#entries.pop()) {
      if (entry.when === 'failure' && !failed) continue;
      try {
        await entry.run();
      } catch (error) {
        problems.push(`${entry.label}: ${messageOf(error)}`);
      }
    }
    return problems;
  }
}

/**
 * Carries out a plan. After a failure what was registered is undone first, then the failure is thrown.
 * A cleanup that fails after all actions went well is a warning: the work is done, and reporting an error would make
 * a controller do it again (elemental-cli#431).
 * @throws whatever the failing action threw; HoldfastError HF-INTERRUPTED when `signal` was aborted between actions.
 */
export async function apply<A extends Action, S>(
  plan: Plan<A>,
  performers: Performers<A, S>,
  options: ApplyOptions<S>,
): Promise<ApplyResult> {
  const { events, state } = options;
  const signal = options.signal ?? new AbortController().signal;
  const undo = new UndoStack();
  const warnings: string[] = [];
  const timings: { kind: string; durationMs: number }[] = [];
  const started = performance.now();
  const warn = (text: string) => {
    // The stages of one plan read the same files again and again; what is wrong with a file is said once.
    if (warnings.includes(text)) return;
    warnings.push(text);
    events({ type: 'notice', level: 'warning', text });
  };
  const finish = async (failed: boolean) => {
    for (const problem of await undo.unwind(failed && options.isDone?.() !== true)) warn(`cleaning up: ${problem}`);
    const outcome = failed ? 'failed' : 'ok';
    events({ type: 'plan-end', outcome, durationMs: performance.now() - started });
  };

  events({
    type: 'plan-start',
    title: plan.title,
    actions: plan.actions.map(({ kind, summary, cost, hook, label }) => ({
      kind,
      summary,
      ...(cost && { cost }),
      ...(hook !== undefined && { hook }),
      ...(label !== undefined && { label }),
    })),
  });
  try {
    for (const [index, action] of plan.actions.entries()) {
      await options.beforeAction?.(index);
      if (signal.aborted && options.isDone?.() !== true)
        throw new HoldfastError('HF-INTERRUPTED', `interrupted before: ${action.summary}`);
      events({ type: 'action-start', index, kind: action.kind, summary: action.summary });
      const actionStarted = performance.now();
      const context: ApplyContext = {
        undo,
        events,
        signal,
        warn,
        progress: (progress) => events({ type: 'action-progress', index, ...progress }),
      };
      // The map is keyed by the kind, so the performer takes exactly this action; TypeScript can't follow that
      // through the union.
      const perform = performers[action.kind as A['kind']] as (a: A, c: ApplyContext, s: S) => Promise<void> | void;
      try {
        await perform(action, context, state);
      } catch (error) {
        const durationMs = performance.now() - actionStarted;
        events({ type: 'action-end', index, outcome: 'failed', durationMs, error: messageOf(error) });
        throw error;
      }
      const durationMs = performance.now() - actionStarted;
      timings.push({ kind: action.kind, durationMs });
      events({ type: 'action-end', index, outcome: 'ok', durationMs });
    }
  } catch (error) {
    await finish(true);
    throw error;
  }
  await finish(false);
  return { durationMs: performance.now() - started, warnings, actions: timings };
}
