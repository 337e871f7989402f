// What changes about services: units of systemd and scripts of OpenRC that come, go or are other ones, and which of them a
// boot starts. Read from the differences between the trees, since enabling is nothing but a link.

import type { TreeDifference } from '../ledger/compare-trees.ts';
import { LIMITS, type UnitChange } from './document.ts';

const UNIT =
  /^(?:usr\/lib|lib|etc)\/systemd\/system\/([^/]+\.(?:service|socket|target|timer|mount|automount|path|slice|swap))$/;
const DROP_IN = /^(?:usr\/lib|lib|etc)\/systemd\/system\/([^/]+)\.d\/[^/]+\.conf$/;
const WANTED = /^(?:usr\/lib|lib|etc)\/systemd\/system\/([^/]+)\.(?:wants|requires|upholds)\/([^/]+)$/;
const SCRIPT = /^etc\/init\.d\/([^/]+)$/;
const RUNLEVEL = /^etc\/runlevels\/([^/]+)\/([^/]+)$/;

/** In the order of names; one entry per unit and kind of change. Pure. */
export function unitChanges(differences: readonly TreeDifference[]): UnitChange[] {
  const changes = new Map<string, UnitChange>();
  const add = (change: UnitChange) => changes.set(`${change.name} ${change.change} ${change.wantedBy ?? ''}`, change);
  for (const difference of differences) {
    // A file that has only another time is no other unit.
    if (difference.kind === 'changed' && difference.fields.every((field) => field === 'time')) continue;
    for (const change of changesOf(difference)) add(change);
  }
  const all = [...changes.values()].sort(
    (one, other) => compare(one.name, other.name) || compare(one.change, other.change),
  );
  return all.slice(0, LIMITS.units);
}

function compare(one: string, other: string): number {
  return one < other ? -1 : Number(one > other);
}

function changesOf({ path, kind, before, after }: TreeDifference): UnitChange[] {
  const shown = Buffer.from(path, 'latin1').toString('utf8');
  const [, unit] = UNIT.exec(shown) ?? [];
  if (unit !== undefined) {
    const [was, is] = [isMask(before), isMask(after)];
    if (was !== is) return [{ name: unit, change: is ? 'masked' : 'unmasked', system: 'systemd' }];
    // An alias says only how else a unit is called.
    return [{ name: unit, change: kind, system: 'systemd' }];
  }
  const [, changed] = DROP_IN.exec(shown) ?? [];
  if (changed !== undefined) return [{ name: changed, change: 'changed', system: 'systemd' }];
  const [, wantedBy, wanted] = WANTED.exec(shown) ?? [];
  if (wantedBy !== undefined && wanted !== undefined && kind !== 'changed') {
    return [{ name: wanted, change: kind === 'added' ? 'enabled' : 'disabled', wantedBy, system: 'systemd' }];
  }
  const [, script] = SCRIPT.exec(shown) ?? [];
  if (script !== undefined) return [{ name: script, change: kind, system: 'openrc' }];
  const [, runlevel, started] = RUNLEVEL.exec(shown) ?? [];
  if (runlevel !== undefined && started !== undefined && kind !== 'changed') {
    return [{ name: started, change: kind === 'added' ? 'enabled' : 'disabled', wantedBy: runlevel, system: 'openrc' }];
  }
  return [];
}

/** systemd.unit(5): a unit that is a link to /dev/null, or an empty file, can't be started. */
function isMask(object: TreeDifference['before']): boolean {
  return object?.type === 'symlink' && object.linkTarget === '/dev/null';
}
