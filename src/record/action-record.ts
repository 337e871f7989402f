// The entry of an action while it runs: it listens to the action's events, so that what is recorded is what was told, and it
// knows how the action ended. Writing it is its owner's business.

import { type ErrorCode, EXIT_STATUS, HoldfastError, messageOf } from '../system/errors.ts';
import type { Event, PartEnd } from '../system/events.ts';
import {
  type EntryKind,
  type EntryOutcome,
  newEntryId,
  type RecordEntry,
  type RecordedError,
  type RecordedSlot,
  type Requester,
} from './entry.ts';
import { requesterOf, thisMoment } from './requester.ts';

/** Errors that are in the record already: whoever catches one further up needn't record it again. */
const recorded = new WeakSet<object>();

export function isRecorded(error: unknown): boolean {
  return typeof error === 'object' && error !== null && recorded.has(error);
}

export class ActionRecord {
  readonly id = newEntryId();
  readonly by: Requester;
  readonly #entry: RecordEntry;
  readonly #parts: RecordEntry[] = [];
  readonly #warnings: string[] = [];
  readonly #durations: { action: string; durationMs: number; bytes?: number }[] = [];
  readonly #started = performance.now();
  /** Of the plan that runs: action kinds by index, and how much each has moved. */
  #kinds: readonly string[] = [];
  #bytes = new Map<number, number>();
  #isUnderWay = false;

  constructor(name: string, options: { command: string; kind?: EntryKind }) {
    this.by = requesterOf(options.command);
    const { kind = 'action' } = options;
    this.#entry = { id: this.id, kind, name, ...thisMoment(), outcome: 'running', by: this.by };
  }

  /** Whether the machine was or is being changed; what only looked is not recorded. */
  get isUnderWay(): boolean {
    return this.#isUnderWay;
  }

  /** From here on something may be changed. */
  begin(): void {
    this.#isUnderWay = true;
  }

  observe(event: Event): void {
    switch (event.type) {
      case 'plan-start':
        this.begin();
        this.#entry.message ??= event.title;
        this.#kinds = event.actions.map(({ kind }) => kind);
        this.#bytes = new Map();
        break;
      case 'action-progress':
        if (event.unit === 'bytes') this.#bytes.set(event.index, event.done);
        break;
      case 'action-end': {
        const bytes = this.#bytes.get(event.index);
        const action = this.#kinds[event.index] ?? 'unknown';
        const durationMs = Math.round(event.durationMs);
        this.#durations.push({ action, durationMs, ...(bytes !== undefined && { bytes }) });
        break;
      }
      case 'notice':
        if (event.level === 'warning') this.#warnings.push(event.text);
        break;
      case 'part-end':
        this.addPart(event);
        break;
    }
  }

  /** A part that is kept on its own. */
  addPart({ kind, name, outcome, durationMs, message, steps, furtherSteps, warnings }: PartEnd): void {
    const hasWarnings = outcome === 'ok' && (warnings?.length ?? 0) > 0;
    this.#parts.push({
      id: newEntryId(),
      kind,
      name,
      parent: this.id,
      ...momentBefore(durationMs ?? 0),
      endedAt: new Date().toISOString(),
      outcome: hasWarnings ? 'ok-with-warnings' : outcome,
      ...(durationMs !== undefined && { durationMs: Math.round(durationMs) }),
      ...(message !== undefined && { message }),
      ...(steps && { steps }),
      ...(furtherSteps !== undefined && { furtherSteps }),
      ...(warnings && warnings.length > 0 && { warnings }),
    });
  }

  /** What it is about, and what came of it. */
  describe(about: { slot?: RecordedSlot; message?: string; name?: string }): void {
    Object.assign(this.#entry, about);
  }

  /** There was nothing to do. */
  skip(message: string): void {
    this.begin();
    this.describe({ message });
    this.#end('skipped');
  }

  /** It went as far as it should. What was said to have ended otherwise stays so. */
  succeed(): void {
    if (this.#entry.outcome === 'running') this.#end(this.#warnings.length > 0 ? 'ok-with-warnings' : 'ok');
  }

  /** It came to an end of its own that is no error of the program: a trial that was not passed, say. */
  conclude(outcome: EntryOutcome, message: string): void {
    this.begin();
    this.describe({ message });
    this.#end(outcome);
  }

  fail(error: unknown): void {
    this.begin();
    if (typeof error === 'object' && error !== null) recorded.add(error);
    this.#entry.error = errorOf(error);
    this.#end(outcomeOf(error));
  }

  #end(outcome: EntryOutcome): void {
    this.#entry.outcome = outcome;
    this.#entry.endedAt = new Date().toISOString();
    this.#entry.durationMs = Math.round(performance.now() - this.#started);
  }

  /** As things stand: the action itself first, then its parts. */
  get entries(): readonly RecordEntry[] {
    const { outcome } = this.#entry;
    const isLate = outcome === 'ok' && this.#warnings.length > 0;
    return [
      {
        ...this.#entry,
        outcome: isLate ? 'ok-with-warnings' : outcome,
        ...(this.#warnings.length > 0 && { warnings: [...this.#warnings] }),
        ...(this.#durations.length > 0 && { durations: [...this.#durations] }),
      },
      ...this.#parts,
    ];
  }
}

/** When something began that has taken so long and ends now. */
function momentBefore(milliseconds: number): ReturnType<typeof thisMoment> {
  const { uptimeSeconds, ...now } = thisMoment();
  const startedAt = new Date(Date.parse(now.startedAt) - milliseconds).toISOString();
  return {
    ...now,
    startedAt,
    ...(uptimeSeconds !== undefined && { uptimeSeconds: uptimeSeconds - milliseconds / 1000 }),
  };
}

/** An error as the record keeps it. */
export function errorOf(error: unknown): RecordedError {
  const known = error instanceof HoldfastError ? error : undefined;
  return {
    message: messageOf(error),
    ...(known && { code: known.code, exitStatus: known.exitStatus }),
    ...(known?.outputTail !== undefined && { outputTail: known.outputTail }),
  };
}

/** Whether a reason was found against it, or it went wrong; every code has its answer. */
const OUTCOMES: Readonly<Record<ErrorCode, EntryOutcome>> = {
  'HF-USAGE': 'refused',
  'HF-CONFIG': 'refused',
  'HF-COMMAND': 'failed',
  'HF-IMAGE': 'failed',
  'HF-IO': 'failed',
  'HF-TARGET': 'failed',
  'HF-DEPLOY': 'failed',
  'HF-GRUB': 'failed',
  'HF-ALREADY-INSTALLED': 'refused',
  'HF-NOT-ROOT': 'refused',
  'HF-STAGE': 'failed',
  'HF-NO-SOURCE': 'refused',
  'HF-DIGEST': 'refused',
  'HF-HOOK': 'refused',
  'HF-STATE': 'refused',
  'HF-TOOL-MISSING': 'refused',
  'HF-NO-SPACE': 'refused',
  'HF-LOCKED': 'refused',
  'HF-NOT-BOOTABLE': 'refused',
  'HF-MOUNT': 'failed',
  'HF-UNSUPPORTED': 'refused',
  'HF-NETWORK': 'failed',
  'HF-FAILED-IMAGE': 'refused',
  'HF-TRUST': 'refused',
  'HF-PLAN': 'refused',
  'HF-INTERRUPTED': 'interrupted',
};

/**
 * What an error makes of an action. Before its switch an action leaves all as it was, after it nothing is an error any more;
 * so a refusal is one whose reason was found, and a failure one that may go well the next time.
 */
export function outcomeOf(error: unknown): EntryOutcome {
  if (!(error instanceof HoldfastError)) return 'failed';
  // Packages that don't fit, an overlay that can't be carried: decisions with numbers of their own.
  const isDecision = error.code === 'HF-DEPLOY' && error.exitStatus !== EXIT_STATUS[error.code];
  return isDecision ? 'refused' : OUTCOMES[error.code];
}
