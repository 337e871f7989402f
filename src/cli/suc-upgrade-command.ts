// The command that pods of the System Upgrade Controller run, by the name that cOS gave it: flags, help and examples.

import { dryRun, output } from './options.ts';
import type { Define } from './program.ts';

export function defineSucUpgrade(define: Define): void {
  define(
    'suc-upgrade',
    'in a pod of the System Upgrade Controller: upgrade its node to the pod’s own image, and restart it',
    [dryRun(), ...output()],
    async () => (await import('./suc-upgrade.ts')).sucUpgradeCommand,
    {
      root: true,
      example: `  holdfast suc-upgrade               in a privileged pod with hostPID: true
  holdfast suc-upgrade --dry-run     what it would do to the node`,
    },
  );
}
