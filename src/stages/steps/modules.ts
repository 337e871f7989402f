// `modules`: loads kernel modules by modprobe, which knows aliases, dependencies and compression. An entry is a name,
// with parameters after it if there are any; a module that is loaded stays as it is.

import type { Root } from '../../system/root.ts';
import { runInRootChecked } from '../shell.ts';
import { attempt, type StepHandler } from './handler.ts';

export const modules: StepHandler<'modules'> = {
  key: 'modules',
  describe: (value) => value.map((entry) => `load the kernel module ${entry}`),
  async apply(value, context) {
    const { root, warn } = context;
    const loaded = loadedModules(root.readTextIfThere('/proc/modules') ?? '');
    for (const entry of value) {
      const [name, ...parameters] = entry.trim().split(/\s+/);
      if (!name) continue;
      const module = moduleName(name);
      if (loaded.has(module)) {
        const ignored = parameters.filter((parameter) => differs(root, module, parameter));
        if (ignored.length > 0) warn(`modules: ${name} is loaded already, without ${ignored.join(' ')}`);
        continue;
      }
      await attempt(context, () => runInRootChecked(['modprobe', '--', name, ...parameters], context));
    }
  },
};

/** The kernel writes `_` where files and people also write `-`. */
function moduleName(name: string): string {
  return name.replaceAll('-', '_');
}

/** The names in /proc/modules. */
export function loadedModules(text: string): ReadonlySet<string> {
  return new Set(text.split('\n').flatMap((line) => line.match(/^\S+/)?.[0] ?? []));
}

/** Whether a parameter has another value than is asked for; one that can't be read is taken for right. */
function differs(root: Root, module: string, parameter: string): boolean {
  const [name = '', wanted = 'Y'] = parameter.split(/=(.*)/s);
  const path = `/sys/module/${module}/parameters/${moduleName(name)}`;
  if (!/^\w+$/.test(moduleName(name)) || !root.exists(path)) return false;
  const value = (text: string) =>
    text
      .trim()
      .replace(/^(?:[Yy]|on)$/, '1')
      .replace(/^(?:[Nn]|off)$/, '0');
  return value(root.readText(path)) !== value(wanted);
}
