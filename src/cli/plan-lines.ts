// A plan as lines of text, for --dry-run.

import { formatBytes } from '../lifecycle/sizes.ts';
import type { Plan } from '../system/plan.ts';

export function planLines(plan: Plan): string[] {
  const width = String(plan.actions.length).length;
  return [
    `${plan.title}: this would be done (nothing was changed)`,
    ...plan.actions.map(({ summary, cost }, index) => {
      const bytes = !cost?.bytes ? '' : `  [${formatBytes(cost.bytes)}]`;
      return `  ${String(index + 1).padStart(width)}. ${summary}${bytes}`;
    }),
  ];
}
