// Stage files beyond the default places, as the settings and the environment name them. Every boot stage asks, so on a
// machine without files of settings nothing is loaded for the answer, and a broken file never stops a boot.

import type { Problem } from '../cloudconfig/problem.ts';
import { environmentSources } from '../stages/sources.ts';
import { HoldfastError } from '../system/errors.ts';
import type { Root } from '../system/root.ts';

export interface ExtraSources {
  sources: readonly string[];
  /** Why files of settings couldn't be used; the others' sources count all the same. */
  problems: readonly Problem[];
}

const FILES = ['/etc/cos/config', '/etc/elemental/config.yaml', '/etc/elemental/config.d'];

/** Reads them for a root: CLOUD_INIT_PATHS of cOS, cloud-init-paths of Elemental, and the environment's above both. */
export async function readExtraSources(
  root: Root,
  environment: NodeJS.ProcessEnv = process.env,
): Promise<ExtraSources> {
  const fromEnvironment = environmentSources(environment);
  const isThere = (file: string) => {
    try {
      return root.exists(file);
    } catch {
      return true;
    }
  };
  if (!FILES.some(isThere)) return { sources: fromEnvironment, problems: [] };
  const { loadSettings } = await import('./settings.ts');
  try {
    const settings = await loadSettings({ root, environment });
    return { sources: settings.value('cloud-init-paths') ?? [], problems: [] };
  } catch (error) {
    if (!(error instanceof HoldfastError)) throw error;
    const { message, hint, location = { file: '/etc/elemental', line: 1, column: 1 } } = error;
    return {
      sources: fromEnvironment,
      problems: [
        { severity: 'warning', message: `settings are not used: ${message}`, ...(hint && { hint }), location },
      ],
    };
  }
}
