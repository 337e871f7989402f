// `--strict`, `--strict=false` and its absence as the lifecycle's choice.

import type { Strictness } from '../lifecycle/hooks.ts';

export function strictnessOf(flag: string | undefined): Strictness {
  if (flag === undefined) return 'chroot';
  return flag === 'true' ? 'all' : 'none';
}
