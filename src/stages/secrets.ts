// The secrets of one step, so that what is shown of it can leave them out, wherever they turn up.

import type { StepValues } from '../cloudconfig/stepkeys.ts';
import { isSecretName, maskSecrets } from '../system/secrets.ts';

/** Masks the secrets of a step, and whatever looks like one, in texts about it. */
export function maskerFor(values: StepValues): (text: string) => string {
  let own: readonly string[] | undefined;
  return (text) => {
    // Most steps have nothing to say.
    own ??= [...new Set(secretsOf(values))].sort((a, b) => b.length - a.length);
    let masked = text;
    for (const secret of own) masked = masked.replaceAll(secret, '***');
    return maskSecrets(masked);
  };
}

/** The values of a step that are secrets by their key. Shorter ones than four letters would tear holes into everything. */
export function secretsOf({ users, git, ensure_entities, environment }: StepValues): string[] {
  const auth = git?.auth;
  return [
    ...[...(users?.values() ?? [])].map(({ passwd }) => passwd),
    auth?.password,
    auth?.private_key?.trim(),
    ...(ensure_entities ?? []).map(({ entity = '' }) => entity.match(/^\s*"?password"?\s*:\s*["']?([^"'\n]+)/m)?.[1]),
    ...[...(environment ?? [])].filter(([name]) => isSecretName(name)).map(([, value]) => value),
  ].filter((secret): secret is string => secret !== undefined && secret.length > 3);
}
