// Services that packages bring must not start where they are only installed: invoke-rc.d of Debian asks policy-rc.d first,
// systemctl sees that it is in a chroot.

import { rmSync } from 'node:fs';
import type { Root } from '../../system/root.ts';

export const POLICY = '/usr/sbin/policy-rc.d';

/** 101: the action is not allowed. */
const ANSWER = '#!/bin/sh\n# From holdfast, only while it installs packages: nothing is started now.\nexit 101\n';

/** Whether the tree has our answer: left by a run that was cut off. */
export function isOwnPolicy(root: Root): boolean {
  const stats = root.lstat(POLICY);
  return stats?.isFile() === true && stats.size === ANSWER.length && root.readText(POLICY) === ANSWER;
}

/** Lets nothing start in the tree. Returns the function that undoes it; an answer of somebody else's stays. */
export function keepServicesStopped(root: Root): () => void {
  if (root.lstat(POLICY) !== undefined && !isOwnPolicy(root)) return () => {};
  root.writeFile(POLICY, ANSWER, { mode: 0o755, name: 'later' });
  const at = root.resolve(POLICY);
  return () => rmSync(at, { force: true });
}
