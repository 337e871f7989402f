// Services that packages bring must not start where they are only installed: invoke-rc.d of Debian asks policy-rc.d first,
// systemctl sees that it is in a chroot.

import { existsSync, rmSync } from 'node:fs';
import type { Root } from '../../system/root.ts';

const POLICY = '/usr/sbin/policy-rc.d';

/** Lets nothing start in the tree. Returns the function that undoes it; an answer that the tree has already stays. */
export function keepServicesStopped(root: Root): () => void {
  const at = root.resolve(POLICY);
  if (existsSync(at)) return () => {};
  // 101: the action is not allowed.
  root.writeFile(POLICY, '#!/bin/sh\nexit 101\n', { mode: 0o755, name: 'later' });
  return () => rmSync(at, { force: true });
}
