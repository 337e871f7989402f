// `modules`: loads kernel modules by modprobe, which knows aliases, dependencies, compression and what is loaded
// already. An entry is a name, with parameters after it if there are any.

import { runInRootChecked } from '../shell.ts';
import type { StepHandler } from './handler.ts';

export const modules: StepHandler<'modules'> = {
  key: 'modules',
  describe: (value) => value.map((entry) => `load the kernel module ${entry}`),
  async apply(value, context) {
    for (const entry of value) {
      const [name, ...parameters] = entry.trim().split(/\s+/);
      if (!name) continue;
      try {
        await runInRootChecked(['modprobe', '--', name, ...parameters], context);
      } catch (error) {
        context.fail(error);
      }
    }
  },
};
