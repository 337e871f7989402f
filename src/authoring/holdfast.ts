// What `import … from "holdfast"` gives: types for stage files, so that an editor completes them and shows what a key does.
// `holdfast render FILE` prints the YAML. It imports nothing, so that it works wherever it is copied.

import type { CloudConfigFile, StageFile } from './stagefile.generated.ts';

export type { CloudConfigFile, Stage, StageFile, Stages, Step } from './stagefile.generated.ts';

/** A stage file, or what gives one later. */
export type Config<T = StageFile> = T | Promise<T> | (() => T | Promise<T>);

/**
 * A stage file in TypeScript: export it as the default, and print its YAML with `holdfast render FILE`.
 *
 * @example
 * import { defineConfig } from 'holdfast';
 *
 * export default defineConfig({
 *   stages: { boot: [{ name: 'Hello', commands: ['echo hello'] }] },
 * });
 */
export function defineConfig(config: Config): Config {
  return config;
}

/**
 * As {@link defineConfig}, for a `#cloud-config` file: `users`, `write_files`, `runcmd` and others at the top.
 *
 * @example
 * import { defineCloudConfig } from 'holdfast';
 *
 * export default defineCloudConfig({ hostname: 'one', users: [{ name: 'bob', groups: ['wheel'] }] });
 */
export function defineCloudConfig(config: Config<CloudConfigFile>): Config<CloudConfigFile> {
  return config;
}
