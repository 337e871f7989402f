// How long the actions of a plan take, and how much of a partition they take at the worst moment. Asked with every event of
// the action, so it costs a system call now and then and no timer.

import { statfsSync } from 'node:fs';
import { type EventSink, silent } from '../system/events.ts';
import type { ActionTiming } from './planned-material.ts';

export class SpaceWatch {
  readonly #directory: string;
  #startFree: number;
  #leastFree: number;

  /** @param directory where the partition is mounted. */
  constructor(directory: string) {
    this.#directory = directory;
    this.#startFree = this.#leastFree = this.freeBytes;
  }

  get sizeBytes(): number {
    const { blocks, bsize } = statfsSync(this.#directory);
    return blocks * bsize;
  }

  get freeBytes(): number {
    const { bavail, bsize } = statfsSync(this.#directory);
    return bavail * bsize;
  }

  /** The most that was taken at a time since the start. */
  get peakBytes(): number {
    return Math.max(0, this.#startFree - this.#leastFree);
  }

  /** What is taken now. */
  get heldBytes(): number {
    return Math.max(0, this.#startFree - this.freeBytes);
  }

  /** Counts from now: what was there before has been removed. */
  restart(): void {
    this.#startFree = this.#leastFree = this.freeBytes;
  }

  look(): void {
    this.#leastFree = Math.min(this.#leastFree, this.freeBytes);
  }
}

/** Listens to an action on behalf of others. */
export class ActionWatch {
  /** Actions that have ended, in their order. */
  readonly timings: ActionTiming[] = [];
  onEvent: () => void = () => {};
  readonly events: EventSink;

  constructor(sink: EventSink = silent) {
    let kind = '';
    this.events = (event) => {
      this.onEvent();
      if (event.type === 'action-start') kind = event.kind;
      if (event.type === 'action-end') this.timings.push({ kind, durationMs: event.durationMs });
      sink(event);
    };
  }
}
