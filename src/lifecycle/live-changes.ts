// Which of a new slot's differences can be brought to the running system, decided path by path. Pure. Safe is what nobody can
// miss or has in use: names that are new below directories that can only be read, and files in the writable layers that
// nobody has changed since the boot. Everything else refuses all of it: half of a change would be a system that nobody built.

import type { Field, TreeDifference, TreeObject, TreePath } from '../ledger/compare-trees.ts';
import { differences as fieldsThatDiffer } from '../overlay/rebase/tree-object.ts';

/**
 * What shows at a path of the running system. `read-only`: the slot, or an earlier live change. `memory`: the slot below a
 * layer that the next boot empties. `kept`: the machine's own, over reboots. `elsewhere`: something that hides the slot's.
 */
export type LivePlace = 'read-only' | 'memory' | 'kept' | 'elsewhere';

export interface LiveFacts {
  /** From what runs to the new slot. */
  differences: readonly TreeDifference[];
  placeOf: (path: TreePath) => LivePlace;
  /** What is there now, of paths in memory; files with digest where they must be compared. */
  running: ReadonlyMap<TreePath, TreeObject>;
}

/** A path, and why it can't be brought to the running system, or not yet. */
export interface LivePath {
  path: TreePath;
  reason: string;
}

export interface LivePlan {
  /** Directories directly below the root that the new slot's are put over, without a slash: `usr`. */
  binds: readonly TreePath[];
  /** What is written into the layers in memory, directories first. */
  copies: readonly { path: TreePath; object: TreeObject }[];
  /** Paths that are new. */
  added: readonly TreePath[];
  /** What shows up with the next boot only, and does no harm until then. */
  later: readonly LivePath[];
  /** Not empty: nothing is done. */
  refused: readonly LivePath[];
}

/** Logs, caches and package lists: nobody misses those of a slot, whatever the running system has made of its own. */
const VOLATILE = /^(?:var\/(?:cache|log|tmp|lib\/apt\/lists|lib\/apt\/extended_states)|tmp|run)(?:\/|$)/;

/** Made anew from what is installed; who has read one keeps what it has read. */
const MADE_ANEW = [
  /^usr\/share\/(?:info\/dir|mime\/[^/]+|applications\/mimeinfo\.cache|glib-2\.0\/schemas\/gschemas\.compiled)$/,
  /^usr\/share\/icons\/[^/]+\/icon-theme\.cache$/,
  /^usr\/lib(?:\/[^/]+)?\/(?:gconv\/gconv-modules\.cache|gdk-pixbuf-2\.0\/[^/]+\/loaders\.cache|gio\/modules\/giomodule\.cache)$/,
  /^usr\/lib\/udev\/hwdb\.bin$/,
  /^usr\/lib\/sysimage\//,
];

/** What systemd has read already. */
const UNITS = /^etc\/(?:systemd|init\.d|conf\.d)\//;

/** Read by the boot loader and the kernel alone. */
const BOOT = /^(?:boot(?:\/|$)|vmlinuz|initrd|usr\/lib\/modules\/[^/]+\/vmlinuz)/;

export function planLive({ differences, placeOf, running }: LiveFacts): LivePlan {
  const binds = new Set<TreePath>();
  const copies: { path: TreePath; object: TreeObject }[] = [];
  const added: TreePath[] = [];
  const later: LivePath[] = [];
  const refused: LivePath[] = [];

  for (const difference of differences) {
    const { path, kind, fields, after } = difference;
    if (path === '') continue;
    const place = placeOf(path);
    if (place === 'elsewhere') continue;
    if (place === 'kept') {
      if (!VOLATILE.test(path)) later.push({ path, reason: 'this machine keeps its own there' });
      continue;
    }
    if (BOOT.test(path)) {
      refused.push({ path, reason: 'kernel, initramfs and boot files are read when the machine starts' });
    } else if (place === 'read-only') {
      if (kind === 'changed' && isOnlyTime(fields)) continue;
      const reason = whyNotBound(difference);
      if (reason !== undefined) refused.push({ path, reason });
      else {
        binds.add(path.split('/', 1)[0] ?? path);
        if (kind === 'added') added.push(path);
      }
    } else {
      const reason = whyNotCopied(difference, running.get(path));
      if (reason === 'as it is') continue;
      if (reason === undefined && after !== undefined) {
        copies.push({ path, object: after });
        if (kind === 'added') added.push(path);
      } else if (reason !== undefined && !VOLATILE.test(path)) refused.push({ path, reason });
    }
  }
  // For logs alone nobody needs anything of it.
  const isEmpty = binds.size === 0 && copies.every(({ path }) => VOLATILE.test(path));
  return { binds: [...binds].sort(), copies: isEmpty ? [] : copies, added: isEmpty ? [] : added, later, refused };
}

/** In a directory that can only be read; the new slot's takes its place as a whole. */
function whyNotBound({ path, kind, fields, before, after }: TreeDifference): string | undefined {
  if (!path.includes('/') && !(before?.type === 'directory' && after?.type === 'directory')) {
    return `it is directly below /, where nothing can be ${kind} while the system runs`;
  }
  if (kind === 'added') return undefined;
  if (kind === 'removed') return 'it is gone from the new system, and something may be using it';
  if (MADE_ANEW.some((pattern) => pattern.test(path))) return undefined;
  const what = fields.filter((field) => field !== 'time').join(', ');
  return `it is replaced (${what}), and something may be using the old one`;
}

/** In a layer in memory: it must be as the slot that runs has it. */
function whyNotCopied(
  { path, kind, before, after }: TreeDifference,
  now: TreeObject | undefined,
): string | undefined | 'as it is' {
  if (isSame(now, after)) return 'as it is';
  if (kind === 'removed')
    return now === undefined ? 'as it is' : 'it is gone from the new system, and something may be using it';
  if (!isSame(now, before)) {
    if (before === undefined) return 'somebody has made another one since this system was started';
    return now === undefined
      ? 'somebody has removed it since this system was started'
      : 'somebody has changed it since this system was started';
  }
  if (before !== undefined && after?.type !== before.type) return 'it is something of another kind in the new system';
  if (kind === 'changed' && UNITS.test(path)) return 'it is replaced, and a service may be running by the old one';
  return undefined;
}

function isSame(one: TreeObject | undefined, other: TreeObject | undefined): boolean {
  if (one === undefined || other === undefined) return one === other;
  return fieldsThatDiffer(one, other).every((field) => field === 'time');
}

function isOnlyTime(fields: readonly Field[]): boolean {
  return fields.every((field) => field === 'time');
}
