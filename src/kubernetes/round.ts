// What the System Upgrade Controller's job says to the pod that it starts on a node: the six variables that it always sets,
// and those of the plan's `envs` that are for us. It is text from outside, so it is bounded before anything is done with it.

import { z } from 'zod';
import { HoldfastError } from '../system/errors.ts';

/** One round of a plan on one node. */
export interface Round {
  /** Undefined where nobody set them: the program was started by hand. */
  nodeName: string | undefined;
  planName: string | undefined;
  /** `status.latestHash` of the plan: another one means another round. */
  planHash: string | undefined;
  version: string | undefined;
  /** FORCE=true: upgrade although the node has this content; once in a round. */
  force: boolean;
  /** HOLDFAST_IMAGE: what is upgraded to in place of the container's own root, in the words of `holdfast upgrade`. */
  image: string | undefined;
  /** HOLDFAST_RETRY_FAILED: a word of the operator's; each new one is one more try of what has failed. */
  retry: string | undefined;
  /** HOST_DIR, where it was set. */
  hostDirectory: string | undefined;
  /** HOLDFAST_KUBECONFIG: a file on the node. */
  kubeconfig: string | undefined;
}

// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is refused
const CONTROL = /[\u0000-\u001f\u007f]/;
const word = (limit: number) =>
  z
    .string()
    .max(limit, `is longer than ${limit} characters`)
    .refine((text) => !CONTROL.test(text), 'holds control characters')
    .transform((text) => (text === '' ? undefined : text))
    .optional();
const path = word(4096).refine((text) => text === undefined || text.startsWith('/'), 'is not an absolute path');
const flag = z
  .string()
  .transform((text) => text.toLowerCase())
  .pipe(z.enum(['true', '1', 'false', '0', ''], 'is neither true nor false'))
  .transform((text) => text === 'true' || text === '1')
  .default(false);

const schema = z.object({
  SYSTEM_UPGRADE_NODE_NAME: word(253),
  SYSTEM_UPGRADE_PLAN_NAME: word(253),
  SYSTEM_UPGRADE_PLAN_LATEST_HASH: word(128),
  SYSTEM_UPGRADE_PLAN_LATEST_VERSION: word(256),
  FORCE: flag,
  HOLDFAST_IMAGE: word(4096),
  HOLDFAST_RETRY_FAILED: word(64),
  HOST_DIR: path,
  HOLDFAST_KUBECONFIG: path,
});

/**
 * Reads a round from the environment.
 * @throws HoldfastError HF-USAGE for a value that can't be one, and for FORCE without a round that ends it.
 */
export function readRound(environment: Readonly<Record<string, string | undefined>>): Round {
  const parsed = schema.safeParse(environment);
  if (!parsed.success) {
    const [issue] = parsed.error.issues;
    throw new HoldfastError('HF-USAGE', `the variable ${issue?.path.join('.')} ${issue?.message}`, {
      hint: 'it comes from the plan: spec.upgrade.envs',
    });
  }
  const { data } = parsed;
  const planHash = data.SYSTEM_UPGRADE_PLAN_LATEST_HASH;
  if (data.FORCE && planHash === undefined) {
    throw new HoldfastError(
      'HF-USAGE',
      'FORCE is set and SYSTEM_UPGRADE_PLAN_LATEST_HASH is not: nothing would end it',
      {
        hint: 'to build an installed image anew by hand: holdfast upgrade --force IMAGE',
      },
    );
  }
  return {
    nodeName: data.SYSTEM_UPGRADE_NODE_NAME,
    planName: data.SYSTEM_UPGRADE_PLAN_NAME,
    planHash,
    version: data.SYSTEM_UPGRADE_PLAN_LATEST_VERSION,
    force: data.FORCE,
    image: data.HOLDFAST_IMAGE,
    retry: data.HOLDFAST_RETRY_FAILED,
    hostDirectory: data.HOST_DIR,
    kubeconfig: data.HOLDFAST_KUBECONFIG,
  };
}

/** What a round is called in the records; undefined without a controller. */
export function roundId({ planHash, retry }: Pick<Round, 'planHash' | 'retry'>): string | undefined {
  if (retry === undefined) return planHash;
  return `${planHash ?? ''}/${retry}`;
}

/** The digest that an image is named with. */
export function namedDigest(image: string | undefined): string | undefined {
  return /@(sha256:[0-9a-f]{64})$/.exec(image ?? '')?.[1];
}

/** What is being upgraded to, for people. */
export function describeRound({ planName, version, image }: Pick<Round, 'planName' | 'version' | 'image'>): string {
  const what = version ?? image ?? 'the image of this pod';
  return planName === undefined ? what : `${what} (plan ${planName})`;
}
