// What a running plan tells the outside world. Progress bars, logs, `--json` and tests are listeners of this one
// stream; nothing below cli/ prints.

export type Outcome = 'ok' | 'skipped' | 'failed';

/** How much an action has done. `total` is absent where it can't be known. */
export interface Progress {
  done: number;
  total?: number;
  unit: 'bytes' | 'files';
}

export interface ActionSummary {
  kind: string;
  summary: string;
  cost?: Cost;
  /** The hook that it runs. */
  hook?: string;
  /** The label of the slot file that it makes or replaces. */
  label?: string;
}

/** An estimate made before anything runs. */
export interface Cost {
  bytes?: number;
  seconds?: number;
}

/** What a step of a stage came to. */
export interface StepEnd {
  /** `after-upgrade-chroot`, or its `.before` or `.after`. */
  stage?: string;
  file: string;
  line: number;
  name?: string;
  /** Digest (sha256) of the step as data. */
  definition?: string;
  outcome: Outcome;
  message?: string;
  /** The last lines of what a command printed. */
  outputTail?: string;
  durationMs?: number;
}

/** A part of an action that the record keeps on its own. */
export interface PartEnd {
  kind: 'hook' | 'overlay' | 'package';
  name: string;
  outcome: Outcome;
  durationMs?: number;
  /** One sentence. */
  message?: string;
  /** Steps that ran or failed. */
  steps?: readonly StepEnd[];
  /** How many others there are. */
  furtherSteps?: number;
  warnings?: readonly string[];
}

export type Event =
  | { type: 'plan-start'; title: string; actions: readonly ActionSummary[] }
  | { type: 'action-start'; index: number; kind: string; summary: string }
  | ({ type: 'action-progress'; index: number } & Progress)
  | { type: 'action-end'; index: number; outcome: 'ok' | 'failed'; durationMs: number; error?: string }
  | ({ type: 'part-end' } & PartEnd)
  | { type: 'plan-end'; outcome: 'ok' | 'failed'; durationMs: number }
  | { type: 'notice'; level: 'debug' | 'info' | 'warning'; text: string }
  /** A line that an external command or a user's hook printed. */
  | { type: 'output'; text: string };

export type EventSink = (event: Event) => void;

/** A listener for callers that don't want any. */
export const silent: EventSink = () => {};
