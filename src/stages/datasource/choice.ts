// Which provider a machine has: the first in the list that is there, however fast the others answer. Services are asked
// all at once, but after what the machine has itself, since reading a slow disc would use up their time. Clouds share
// an address, so only the chosen one may fetch and write anything.

import { HoldfastError, messageOf } from '../../system/errors.ts';
import type { Fetch, Provider, ProviderContext } from './provider.ts';

export interface Choice {
  provider: Provider;
  fetch: Fetch;
}

/**
 * The first of the providers that this machine has.
 * @throws HoldfastError HF-INTERRUPTED.
 */
export async function chooseProvider(
  providers: readonly Provider[],
  context: ProviderContext,
): Promise<Choice | undefined> {
  const local = await firstFound(
    providers.filter(({ isLocal }) => isLocal),
    context,
    { atOnce: false },
  );
  // Those after it in the list can't be chosen any more.
  const before = local === undefined ? providers : providers.slice(0, providers.indexOf(local.provider));
  const services = before.filter(({ isLocal }) => !isLocal);
  return (await firstFound(services, context, { atOnce: true })) ?? local;
}

async function firstFound(
  providers: readonly Provider[],
  context: ProviderContext,
  { atOnce }: { atOnce: boolean },
): Promise<Choice | undefined> {
  const over = new AbortController();
  const lookSignal = context.signal === undefined ? over.signal : AbortSignal.any([context.signal, over.signal]);
  const start = (provider: Provider) => search(provider, { ...context, lookSignal });
  const running = atOnce ? providers.map(start) : [];
  try {
    for (const [index, provider] of providers.entries()) {
      const result = await (running[index] ?? start(provider));
      if (context.signal?.aborted) throw new HoldfastError('HF-INTERRUPTED', 'interrupted while looking for user data');
      if ('problem' in result) context.warn(`${provider.name}: ${result.problem}`);
      else if (result.fetch !== undefined) return { provider, fetch: result.fetch };
    }
    return undefined;
  } finally {
    // The others' questions need no answer.
    over.abort();
  }
}

/** Never rejects: nobody may be waiting any more. */
async function search(
  provider: Provider,
  context: ProviderContext,
): Promise<{ fetch: Fetch | undefined } | { problem: string }> {
  try {
    return { fetch: await provider.find(context) };
  } catch (error) {
    return { problem: messageOf(error) };
  }
}
