// Merges one map into another by the rules of mergo, the library behind sprig's merges: what is empty is filled, or what
// is there is replaced, and maps inside of both are merged in turn.

import type { Budget } from '../budget.ts';
import { Dict } from '../values/dict.ts';
import { isTrue } from '../values/types.ts';

export function merge(target: Dict, source: Dict, options: { overwrites: boolean; budget: Budget }): void {
  const { overwrites, budget } = options;
  if (target === source) return;
  for (const [key, value] of source.entries) {
    budget.step();
    const before = target.get(key);
    if (value === null || value === undefined) {
      if (overwrites) target.set(key, value);
      continue;
    }
    if (value instanceof Dict && before instanceof Dict) {
      budget.within(() => merge(before, value, options));
      if (before.size > 0) continue;
    }
    if (overwrites || !isTrue(before)) target.set(key, value);
  }
}
