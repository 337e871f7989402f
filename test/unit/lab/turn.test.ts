// Who has a turn is alone with it among processes, and shares it with what the same process does inside or beside it.

import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { Turn } from '../../../lab/turn.ts';

const directory = mkdtempSync(join(tmpdir(), 'holdfast-turn-'));
afterAll(() => rmSync(directory, { recursive: true, force: true }));

/** As another process would have it: a lock of its own. */
const other = (name: string) => new Turn(name, directory);

test('one after the other, in whatever order', async () => {
  const events: string[] = [];
  const work = (who: string) => async () => {
    events.push(`${who} begins`);
    await new Promise((resolve) => setTimeout(resolve, 20));
    events.push(`${who} ends`);
  };
  await Promise.all([other('one').take(work('a')), other('one').take(work('b')), other('one').take(work('c'))]);
  expect(events).toHaveLength(6);
  for (let index = 0; index < 6; index += 2) {
    expect(events[index + 1]).toBe(events[index]?.replace('begins', 'ends'));
  }
});

test('another one waits until all work of a process has ended, also after work inside it', async () => {
  const mine = new Turn('two', directory);
  const events: string[] = [];
  let waiting: Promise<void> = Promise.resolve();
  await mine.take(async () => {
    await mine.take(() => events.push('inside'));
    waiting = other('two').take(() => {
      events.push('other');
    });
    await Promise.all([mine.take(() => events.push('beside')), new Promise((resolve) => setTimeout(resolve, 50))]);
    events.push('mine');
  });
  await waiting;
  expect(events).toEqual(['inside', 'beside', 'mine', 'other']);
});

test('a turn can be taken again and again, also right after it was given back', async () => {
  const turn = new Turn('three', directory);
  const results: number[] = [];
  await Promise.all([turn.take(() => results.push(1)), turn.take(() => results.push(2))]);
  await turn.take(() => results.push(3));
  await other('three').take(() => results.push(4));
  expect(results).toEqual([1, 2, 3, 4]);
});

test('what the work throws is thrown, and the turn is given back', async () => {
  const turn = new Turn('four', directory);
  await expect(
    turn.take(() => {
      throw new Error('broken');
    }),
  ).rejects.toThrow('broken');
  expect(await other('four').take(() => 'free')).toBe('free');
});

test('stories of booted machines look at this machine only when it is their turn', () => {
  const stories = join(import.meta.dirname, '../../vm');
  const files = readdirSync(stories).filter((name) => name.endsWith('.ts'));
  expect(files.length).toBeGreaterThan(10);
  for (const name of files) {
    const text = readFileSync(join(stories, name), 'utf8');
    expect(text, `${name}: settledTraces() is for files that run beside others`).not.toMatch(/\bmachineTraces\(/);
    expect(text, `${name}: installOn() and installDemo() wait for their turn`).not.toMatch(/, ?'install',/);
  }
});
