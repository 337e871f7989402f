// A step that takes long says that it is alive and with what it is busy.

import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { runStage } from '../../../src/stages/run.ts';
import type { Event } from '../../../src/system/events.ts';
import { Root } from '../../../src/system/root.ts';
import { temporaryRoot } from './temporary-root.ts';

/** Runs a text whose program ends when the flag is there, which is put there at the first sign of life. */
async function aliveNotice(step: (wait: string) => string): Promise<string | undefined> {
  const flag = join(temporaryRoot().directory, 'flag');
  const notices: string[] = [];
  const events = (event: Event) => {
    if (event.type !== 'notice' || !event.text.includes('still running')) return;
    notices.push(event.text);
    if (!existsSync(flag)) writeFileSync(flag, '');
  };
  const result = await runStage({
    stage: 's',
    root: new Root('/'),
    sources: [{ name: 'f', text: `stages:\n  s:\n    - ${step(`until [ -e ${flag} ]; do sleep 0.01; done`)}` }],
    events,
    aliveMs: 20,
  });
  expect(result.outcome).not.toBe('failed');
  return notices[0]?.replace(flag, 'FLAG');
}

it('names the step, its place, the key and the command', async () => {
  expect(await aliveNotice((wait) => `{name: slow, commands: ["${wait}"]}`)).toBe(
    's: step "slow" of f:3 is still running after 0 s: commands: until [ -e FLAG ]; do sleep 0.01; done',
  );
});

it('says so of a condition too', async () => {
  expect(await aliveNotice((wait) => `{if: "${wait}; false", commands: [exit 1]}`)).toBe(
    's: step of f:3 is still running after 0 s: its conditions: until [ -e FLAG ]; do sleep 0.01; done; false',
  );
});
