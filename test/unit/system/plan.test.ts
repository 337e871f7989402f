// The runner that carries out plans: order, undoing, interruption.

import { expect, test } from 'vitest';
import { HoldfastError } from '../../../src/system/errors.ts';
import type { Event } from '../../../src/system/events.ts';
import { type Action, apply, type Performers, type Plan } from '../../../src/system/plan.ts';

type Step = (Action<'do'> & { name: string }) | Action<'fail'> | Action<'wait'>;
const step = (name: string): Step => ({ kind: 'do', summary: `Do ${name}`, name });
const fail: Step = { kind: 'fail', summary: 'Fail' };

function performers(log: string[]): Performers<Step, null> {
  return {
    do: ({ name }, { undo }) => {
      log.push(name);
      undo.always(name, () => void log.push(`undo ${name}`));
      undo.onFailure(name, () => void log.push(`revert ${name}`));
    },
    fail: () => {
      throw new HoldfastError('HF-IO', 'it broke');
    },
    wait: (_, { signal }) => new Promise((resolve) => signal.addEventListener('abort', () => resolve())),
  };
}

const plan = (...actions: Step[]): Plan<Step> => ({ title: 'Test', actions });

test('actions run in order; on success what they set up is undone, last first', async () => {
  const log: string[] = [];
  await apply(plan(step('a'), step('b')), performers(log), { state: null, events: () => {} });
  expect(log).toEqual(['a', 'b', 'undo b', 'undo a']);
});

test('a failure undoes everything, is reported as an event, and is thrown as it was', async () => {
  const log: string[] = [];
  const events: Event[] = [];
  const work = apply(plan(step('a'), fail, step('b')), performers(log), { state: null, events: (e) => events.push(e) });
  await expect(work).rejects.toMatchObject({ code: 'HF-IO', message: 'it broke' });
  expect(log).toEqual(['a', 'revert a', 'undo a']);
  expect(events.map(({ type }) => type)).toEqual([
    'plan-start',
    'action-start',
    'action-end',
    'action-start',
    'action-end',
    'plan-end',
  ]);
  expect(events.at(-1)).toMatchObject({ outcome: 'failed' });
});

test('an interruption between two actions stops before the next one and cleans up', async () => {
  const log: string[] = [];
  const controller = new AbortController();
  const work = apply(plan(step('a'), step('b')), performers(log), {
    state: null,
    events: () => {},
    signal: controller.signal,
    beforeAction: (index) => {
      if (index === 1) controller.abort();
    },
  });
  await expect(work).rejects.toMatchObject({ code: 'HF-INTERRUPTED', exitStatus: 130 });
  expect(log).toEqual(['a', 'revert a', 'undo a']);
});

test('once it has happened, an interruption stops nothing, and a failure reverts nothing', async () => {
  for (const last of [step('b'), fail]) {
    const log: string[] = [];
    const controller = new AbortController();
    const work = apply(plan(step('a'), last), performers(log), {
      state: null,
      events: () => {},
      signal: controller.signal,
      beforeAction: (index) => {
        if (index === 1) controller.abort();
      },
      isDone: () => log.includes('a'),
    });
    if (last === fail) await expect(work).rejects.toMatchObject({ code: 'HF-IO' });
    else await work;
    expect(log).toEqual(last === fail ? ['a', 'undo a'] : ['a', 'b', 'undo b', 'undo a']);
  }
});

test('an undo that fails after a success is a warning, and the others still run', async () => {
  const log: string[] = [];
  const result = await apply(
    plan(step('a'), step('b')),
    {
      ...performers(log),
      do: ({ name }, { undo }) => {
        undo.always(`unmount ${name}`, () => {
          if (name === 'b') throw new Error('busy');
          log.push(`undo ${name}`);
        });
      },
    },
    { state: null, events: () => {} },
  );
  expect(result.warnings).toEqual(['cleaning up: unmount b: busy']);
  expect(log).toEqual(['undo a']);
});

test('what is undone early is not undone twice', async () => {
  const log: string[] = [];
  await apply(
    plan(step('a')),
    {
      ...performers(log),
      do: async (_, { undo }) => {
        const close = undo.always('close', () => void log.push('closed'));
        await close();
        await close();
      },
    },
    { state: null, events: () => {} },
  );
  expect(log).toEqual(['closed']);
});

test('the same warning is said once', async () => {
  const log: string[] = [];
  const said: string[] = [];
  const result = await apply(
    plan(step('a'), step('b')),
    { ...performers(log), do: (_, { warn }) => warn('line 3: odd') },
    {
      state: null,
      events: (event) => {
        if (event.type === 'notice') said.push(event.text);
      },
    },
  );
  expect(result.warnings).toEqual(['line 3: odd']);
  expect(said).toEqual(['line 3: odd']);
});
