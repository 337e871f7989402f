// The kernel of a system, the file that boots, and what it is told on its command line, as far as the image decides that.

import { BOOTARGS, literalSettings } from '../lifecycle/bootable.ts';
import { sha256Of } from '../lifecycle/planned-inputs.ts';
import type { Root } from '../system/root.ts';
import type { KernelPart } from './document.ts';

export interface Kernel {
  /** By their directories of modules. */
  versions: readonly string[];
  /** Digests of what GRUB loads; undefined: it isn't there. */
  image: string | undefined;
  initramfs: string | undefined;
  arguments: readonly string[];
}

/** Looks at a mounted tree. */
export function kernelOf(root: Root): Kernel {
  const bootargs = root.readTextIfThere(BOOTARGS) ?? '';
  const settings = literalSettings(bootargs);
  const digest = (path: string) => (root.stat(path)?.isFile() ? sha256Of(root.resolve(path)) : undefined);
  const modules = new Set([...root.list('/lib/modules'), ...root.list('/usr/lib/modules')]);
  return {
    versions: [...modules].sort(),
    image: digest(settings.get('kernel') ?? '/boot/vmlinuz'),
    initramfs: digest(settings.get('initramfs') ?? '/boot/initrd'),
    arguments: kernelArguments(bootargs),
  };
}

/**
 * The words that a bootargs.cfg can put on the kernel's command line: those of `kernelcmd` and of the variables that it uses,
 * in all branches. What GRUB finds out when it boots is left out. Pure.
 */
export function kernelArguments(bootargs: string): string[] {
  const assigned = new Map<string, string[]>();
  for (const [, name = '', double, single, plain] of bootargs.matchAll(
    /(?:^|[\s;])set\s+(\w+)=(?:"([^"\n]*)"|'([^'\n]*)'|([^\s;"']*))/g,
  )) {
    assigned.set(name, [...(assigned.get(name) ?? []), double ?? single ?? plain ?? '']);
  }
  const words = new Set<string>();
  const seen = new Set<string>();
  const take = (name: string) => {
    if (seen.has(name)) return;
    seen.add(name);
    for (const word of (assigned.get(name) ?? []).flatMap((value) => value.split(/\s+/))) {
      const variable = /^\$\{?(\w+)\}?$/.exec(word)?.[1];
      if (variable !== undefined) take(variable);
      else if (word !== '') words.add(word);
    }
  };
  take('kernelcmd');
  return [...words];
}

/** Pure. */
export function kernelPart(before: Kernel | undefined, after: Kernel): KernelPart {
  const old = before?.arguments ?? [];
  return {
    from: [...(before?.versions ?? [])],
    to: [...after.versions],
    imageChanged: before?.image !== after.image,
    initramfsChanged: before?.initramfs !== after.initramfs,
    arguments: {
      from: [...old],
      to: [...after.arguments],
      added: after.arguments.filter((word) => !old.includes(word)),
      removed: old.filter((word) => !after.arguments.includes(word)),
    },
  };
}
