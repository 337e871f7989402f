// `--strict`, `--strict=false` and its absence as the lifecycle's choice.

import type { Strictness } from '../lifecycle/hooks.ts';

/** @param flag `true` when the flag stands alone. */
export function strictnessOf(flag: string | true | undefined): Strictness {
  if (flag === undefined) return 'chroot';
  return flag === 'false' ? 'none' : 'all';
}
