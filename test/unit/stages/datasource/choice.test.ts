// The choice among providers: the order of the list and nothing else, with no question more than it takes.

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { chooseProvider } from '../../../../src/stages/datasource/choice.ts';
import type { Provider, ProviderContext } from '../../../../src/stages/datasource/provider.ts';
import { httpRequest } from '../../../../src/system/http.ts';
import { Root } from '../../../../src/system/root.ts';

interface Made extends Provider {
  asked: boolean;
  givenUp: boolean;
}

/** A provider that answers after some turns of the event loop. */
function provider(name: string, answer: boolean | Error, { turns = 0, isLocal = false } = {}): Made {
  const made: Made = {
    name,
    isLocal,
    asked: false,
    givenUp: false,
    async find({ lookSignal }) {
      made.asked = true;
      made.givenUp = lookSignal?.aborted === true;
      lookSignal?.addEventListener('abort', () => {
        made.givenUp = true;
      });
      for (let turn = 0; turn < turns; turn++) await new Promise((resolve) => setImmediate(resolve));
      if (answer instanceof Error) throw answer;
      return answer ? async () => ({ facts: new Map() }) : undefined;
    },
  };
  return made;
}

function context(warnings: string[] = [], signal?: AbortSignal): ProviderContext {
  return {
    root: new Root('/nonexistent'),
    http: httpRequest,
    signal,
    warn: (text) => warnings.push(text),
    fail: (error) => {
      throw error;
    },
    path: '',
    media: { devices: '/nonexistent', nodes: '/nonexistent' },
  };
}

const choose = async (providers: readonly Provider[], warnings?: string[]) =>
  (await chooseProvider(providers, context(warnings)))?.provider.name;

describe('the first in the list that is there', () => {
  it('is taken however slow it is, and the others are given up', async () => {
    const slow = provider('slow', true, { turns: 20 });
    const fast = provider('fast', true);
    const never = provider('never', true, { turns: 50 });
    expect(await choose([slow, fast, never])).toBe('slow');
    expect([fast.asked, never.asked, never.givenUp]).toEqual([true, true, true]);
  });

  it('services that come after a medium are not asked', async () => {
    const before = provider('before', false);
    const medium = provider('medium', true, { isLocal: true });
    const after = provider('after', true);
    expect(await choose([before, medium, after])).toBe('medium');
    expect([before.asked, after.asked]).toEqual([true, false]);
  });

  it('one that fails is told, and the next is taken', async () => {
    const warnings: string[] = [];
    expect(await choose([provider('bad', new Error('broken')), provider('good', true)], warnings)).toBe('good');
    expect(warnings).toEqual(['bad: broken']);
  });

  it('an interruption ends the search', async () => {
    const controller = new AbortController();
    const slow = provider('slow', true, { turns: 20 });
    const choice = chooseProvider([slow], context([], controller.signal));
    controller.abort();
    await expect(choice).rejects.toMatchObject({ code: 'HF-INTERRUPTED' });
    expect(slow.givenUp).toBe(true);
  });

  it('whatever the list', async () => {
    const one = fc.record({ answer: fc.boolean(), turns: fc.nat({ max: 5 }), isLocal: fc.boolean() });
    await fc.assert(
      fc.asyncProperty(fc.array(one, { maxLength: 8 }), async (list) => {
        const providers = list.map(({ answer, ...options }, index) => provider(String(index), answer, options));
        const first = list.findIndex(({ answer }) => answer);
        expect(await choose(providers)).toBe(first < 0 ? undefined : String(first));
      }),
    );
  });
});
