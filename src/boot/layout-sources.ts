// Collects what was said about the layout: files that stages and images leave, each bounded in size, and none of them
// able to stop the boot.

import { existsSync } from 'node:fs';
import { errnoOf, messageOf } from '../system/errors.ts';
import { Root } from '../system/root.ts';
import type { LayoutSources } from './layout-settings.ts';

/** cOS, then Elemental v2, then immucore: of the same variable the last one counts. */
const ENVIRONMENT_FILES = ['/run/cos/cos-layout.env', '/run/elemental/mount-layout.env', '/run/cos/extra-layout.env'];
const RECOVERY_MARKS = ['/run/cos/recovery_mode', '/run/elemental/recovery_mode'];
const LARGEST_BYTES = 256 * 1024;

/**
 * Reads the files of the running initramfs and of the image.
 * @param layoutEnv a text in place of the files below /run.
 */
export async function readLayoutSources(sysroot: Root, layoutEnv?: string): Promise<LayoutSources> {
  const host = new Root('/');
  const problems: string[] = [];
  const read = (root: Root, name: string) => {
    try {
      const size = root.stat(name)?.size ?? 0;
      if (size <= LARGEST_BYTES) return root.readTextIfThere(name) ?? [];
      problems.push(`${name} is not read: it has ${size} bytes, and ${LARGEST_BYTES} are the most`);
    } catch (error) {
      problems.push(`${name} can’t be read: ${errnoOf(error) ?? messageOf(error)}`);
    }
    return [];
  };
  const texts = (root: Root, names: readonly string[]) =>
    names.flatMap((name) => [read(root, name)].flat().map((text) => ({ name, text })));

  const environments =
    layoutEnv === undefined ? texts(host, ENVIRONMENT_FILES) : [{ name: 'cos-layout.env', text: layoutEnv }];
  const fragments = host.list('/run/elemental/config.d').filter((name) => name.endsWith('.yaml'));
  const configurations = [
    ...texts(sysroot, ['/etc/elemental/config.yaml']),
    ...texts(host, ['/run/elemental/config.yaml', ...fragments.map((name) => `/run/elemental/config.d/${name}`)]),
  ];
  // Most machines have none, and the YAML parser costs more than all the rest of this.
  const elemental =
    configurations.length === 0
      ? undefined
      : (await import('./elemental-layout.ts')).readElementalLayout(configurations);
  return {
    environments,
    ...(elemental && { elemental }),
    recovery: RECOVERY_MARKS.some((mark) => existsSync(mark)),
    problems,
  };
}
