// What this machine's owner wants of a new system, as one mark: a slot remembers the one that it was built with, so that it can
// be told whether something waits to be applied. It is of the steps as data, so comments and the order of keys don't count,
// and neither does whether an install or an upgrade ran them. Secrets count, and state.yaml can be read by everybody: so the
// mark has a salt, and to guess costs.

import { createHash, randomBytes, scryptSync, timingSafeEqual } from 'node:crypto';
import { ProblemList } from '../cloudconfig/problem.ts';
import { plainStep } from '../stages/definition.ts';
import { visitSteps } from '../stages/run.ts';
import { defaultSources } from '../stages/sources.ts';
import { silent } from '../system/events.ts';
import type { Root } from '../system/root.ts';

/** The image's own stage files come with it, and say nothing of the owner. */
const IMAGE_SOURCE = '/system/oem';

/** The hook that builds a slot for a local change, as for an upgrade. */
export const CHANGES_HOOK = 'after-upgrade-chroot';

const SALT_BYTES = 16;
const KEY_BYTES = 32;
/** Memory of 8 MiB and some hundredths of a second for each guess. */
const COST = { N: 2 ** 13, r: 8, p: 1 };

/**
 * Marks what the owner's stage files have for a hook.
 * @param root where they are at /oem and /usr/local/cloud-config: this machine, or a target with both mounted.
 * @param hook `after-upgrade-chroot`, `after-install-chroot` and so on.
 * @returns `scrypt:SALT:KEY` in hexadecimal; another one each time.
 */
export async function markChanges(root: Root, hook: string = CHANGES_HOOK): Promise<string> {
  const salt = randomBytes(SALT_BYTES);
  const key = scryptSync(await digestOf(root, hook), salt, KEY_BYTES, COST);
  return `scrypt:${salt.toString('hex')}:${key.toString('hex')}`;
}

/** Whether a mark is that of what the stage files have for a hook now; not for a mark that isn't understood. */
export async function isMarkOf(mark: string, root: Root, hook: string = CHANGES_HOOK): Promise<boolean> {
  const [, salt, key] = /^scrypt:([0-9a-f]{32}):([0-9a-f]{64})$/.exec(mark) ?? [];
  if (salt === undefined || key === undefined) return false;
  const own = scryptSync(await digestOf(root, hook), Buffer.from(salt, 'hex'), KEY_BYTES, COST);
  return timingSafeEqual(own, Buffer.from(key, 'hex'));
}

/** Of the steps as they are, secrets and all: it never leaves this file. */
async function digestOf(root: Root, hook: string): Promise<Buffer> {
  const hash = createHash('sha256');
  const problems = new ProblemList();
  const sources = defaultSources.filter((source) => source !== IMAGE_SOURCE);
  await visitSteps({ stage: hook, root, sources, events: silent, keepCopies: false }, problems, (step) => {
    const moment = step.stage.slice(hook.length);
    hash.update(`${JSON.stringify([moment, step.file, plainStep(step.values)])}\n`);
  });
  // A file that can't be understood is another one when it is mended.
  for (const { severity, location } of problems.all) if (severity === 'error') hash.update(`${location.file}\n`);
  return hash.digest();
}
