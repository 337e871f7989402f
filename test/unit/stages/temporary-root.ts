// A root in a temporary directory, and a stage run on it from one text: what the tests of steps share.

import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { onTestFinished } from 'vitest';
import { runStage, type StageResult } from '../../../src/stages/run.ts';
import { type Event, silent } from '../../../src/system/events.ts';
import { Root } from '../../../src/system/root.ts';

/** Owner of what a test writes, so that the tests need no root. */
export const self = { uid: process.getuid?.() ?? 0, gid: process.getgid?.() ?? 0 };

/** A directory with these files, removed when the test ends. */
export function temporaryRoot(files: Readonly<Record<string, string>> = {}): Root {
  const directory = mkdtempSync(join(tmpdir(), 'holdfast-stages-'));
  onTestFinished(() => rmSync(directory, { recursive: true, force: true }));
  for (const [path, content] of Object.entries(files)) put(directory, path, content);
  return new Root(directory);
}

export function put(directory: string, path: string, content: string): void {
  const target = join(directory, path);
  mkdirSync(dirname(target), { recursive: true });
  writeFileSync(target, content);
}

/** Runs the stage `s` from one text: a list of steps in YAML. */
export function runSteps(root: Root, steps: string, events: (event: Event) => void = silent): Promise<StageResult> {
  const text = `stages:\n  s:\n${steps.replace(/^/gm, '    ')}\n`;
  return runStage({ stage: 's', root, sources: [], documents: [{ name: 'test.yaml', text }], events });
}

/** The single failure of a result, for comparing with one string. */
export function failuresOf(result: StageResult): string[] {
  return result.steps.flatMap(({ keys, outcome, reason }) => [
    ...keys.flatMap(({ key, error }) => (error === undefined ? [] : [`${key}: ${error}`])),
    ...(outcome === 'failed' && reason !== undefined ? [reason] : []),
  ]);
}
