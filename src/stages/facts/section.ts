// What all sections of the facts share: reading the kernel's one-line files, which may be missing, empty or refuse to be
// read, and leaving out what is empty, so that a template sees a missing key as it does with the originals.

import { closeSync, openSync, readlinkSync, readSync } from 'node:fs';
import { basename } from 'node:path';
import type { Root } from '../../system/root.ts';

export type Section = Readonly<Record<string, unknown>>;

/** A file's text without the white space and the NULs around it (device-tree ends its texts so); empty without one. */
export function readFact(root: Root, path: string): string {
  try {
    return root.readText(path).replace(/^[\s\0]+|[\s\0]+$/g, '');
  } catch {
    // Not there, not allowed, or "no such value" of a driver (EINVAL, EIO): each means that this isn't known.
    return '';
  }
}

/** The first 8 KiB of a file: of a long one in /proc the kernel then makes no more than that. Empty without one. */
export function readStart(root: Root, path: string): string {
  try {
    const fd = openSync(root.resolve(path), 'r');
    try {
      const start = Buffer.alloc(8192);
      return start.toString('utf8', 0, readSync(fd, start, 0, start.length, 0));
    } finally {
      closeSync(fd);
    }
  } catch {
    return '';
  }
}

/** The text of a link itself; empty when it isn't one. */
export function readLink(root: Root, path: string): string {
  try {
    return readlinkSync(root.resolve(path, { followLast: false }));
  } catch {
    return '';
  }
}

/** The name of the driver that a device's directory links to. */
export function driverOf(root: Root, device: string): string {
  return basename(readLink(root, `${device}/device/driver`));
}

/** A whole number that a text begins with, 0 without one. */
export function leadingNumber(text: string): number {
  return Number(text.match(/^\d+/)?.[0] ?? 0);
}

/** A section without its empty texts and zeros: the originals leave those keys out. */
export function withoutEmpty(facts: Section): Section {
  return Object.fromEntries(Object.entries(facts).filter(([, value]) => value !== '' && value !== 0));
}

/** An object whose values are gathered when they are first asked for, as own enumerable properties. */
export function lazySection(values: Readonly<Record<string, () => unknown>>): Record<string, unknown> {
  const section: Record<string, unknown> = {};
  for (const [key, gather] of Object.entries(values)) {
    let gathered: { value: unknown } | undefined;
    Object.defineProperty(section, key, {
      enumerable: true,
      get() {
        gathered ??= { value: gather() };
        return gathered.value;
      },
    });
  }
  return section;
}
