// What a stage was asked to do and what came of it. Plain data: printed short for people, whole as JSON, and kept in
// the record; failure has the same shape as success.

import type { Problem } from '../cloudconfig/problem.ts';
import type { Step } from '../cloudconfig/step.ts';
import type { StepKey } from '../cloudconfig/stepkeys.ts';
import type { EventSink, Outcome } from '../system/events.ts';
import type { HttpClient } from '../system/http.ts';
import type { Root } from '../system/root.ts';
import type { PackageStore } from './packages/store.ts';

/** A cloud-config that is no file of the root: standard input, the kernel command line. */
export interface NamedText {
  /** Stands where a file name would: `<stdin>`. */
  name: string;
  text: string;
}

/**
 * Refuses an image of a registry by throwing.
 * @param reference its name, as for docker.
 */
export type AdmitImage = (reference: string, root: Root) => Promise<void>;

export interface StageRequest {
  stage: string;
  /** Only the stage itself, without its `.before` and `.after`. */
  alone?: boolean;
  root: Root;
  /** Directories, files, web addresses and texts, in order; a path that is missing is skipped. */
  sources: readonly (string | NamedText)[];
  /** Where the paths of sources are; default: inside the root. */
  sourceRoot?: Root;
  /** Run after all sources, in order. */
  documents?: readonly NamedText[];
  /** The file with the kernel command line, which adds sources and steps; default: none is read. */
  commandLine?: string;
  /** Sources are words in dot notation instead of YAML. */
  dotNotation?: boolean;
  events: EventSink;
  signal?: AbortSignal | undefined;
  /** Added to the environment of the users' commands. */
  env?: Readonly<Record<string, string>>;
  /** How web servers are reached; default: as the machine reaches them. */
  http?: HttpClient;
  /** Asked before an image is unpacked that nobody verifies; default: all are let in. */
  admitImage?: AdmitImage;
  /** Called after each step, skipped ones too, before the next one begins; what it throws ends the stage. */
  afterStep?: ((result: StepResult, step: Step) => Promise<void> | void) | undefined;
  /** Keeps package files for the next system; default: the package manager is left to itself. */
  packageStore?: PackageStore | undefined;
  /** How often a step that takes long says that it is alive; default 10 seconds. */
  aliveMs?: number;
}

export interface KeyResult {
  key: StepKey;
  outcome: 'ok' | 'failed';
  /** One sentence per failure of this key. */
  error?: string;
  /** The last lines that a failed command printed. */
  outputTail?: string;
}

export interface StepResult {
  /** `boot.before`, `boot` or `boot.after`. */
  subStage: string;
  file: string;
  line: number;
  column: number;
  name?: string;
  /** What it is: sha256 of its keys and values, without secrets; the same in every run until somebody edits it. */
  definition: string;
  outcome: Outcome;
  /** Why it was skipped, or why it failed before any of its keys. */
  reason?: string;
  keys: readonly KeyResult[];
  /** Paths inside the root that were created or changed, as far as the engine did it itself. */
  changedFiles: readonly string[];
  durationMs: number;
}

export interface StageResult {
  stage: string;
  /** failed: a step failed or a file could not be used; skipped: no step ran; ok otherwise. */
  outcome: Outcome;
  steps: readonly StepResult[];
  /** Of the files, in the stages that were run, and warnings from running. */
  problems: readonly Problem[];
  durationMs: number;
}

/** The moments of a stage that are run, in order. */
export function subStagesOf({ stage, alone }: Pick<StageRequest, 'stage' | 'alone'>): readonly string[] {
  return alone ? [stage] : [`${stage}.before`, stage, `${stage}.after`];
}
