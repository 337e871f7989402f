// What the installer finds before it asks: disks with what is on them, network cards, and what the running system offers
// to choose from. Nothing is changed.

import { existsSync, realpathSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { inspectDisk } from '../../lifecycle/inspect-install.ts';
import { liveSystem } from '../../lifecycle/medium.ts';
import { describeBlockDevice } from '../../slots/block-device.ts';
import { type Labels, LIVE_PARTITION } from '../../slots/names.ts';
import { parseOsRelease } from '../../stages/facts/os.ts';
import { HoldfastError } from '../../system/errors.ts';
import { probeFilesystem } from '../../system/filesystems.ts';
import { lockUntilEnd } from '../../system/lock.ts';
import { listMounts } from '../../system/mounts.ts';
import { UndoStack } from '../../system/plan.ts';
import { runChecked } from '../../system/process.ts';
import { Root } from '../../system/root.ts';
import { removeWorkDirectory } from '../../system/work-directory.ts';
import type { DiskOffer, Machine } from './answers.ts';
import { IN_USE } from './disk-choice.ts';

const LISTING = z.object({
  blockdevices: z.array(
    z.object({
      path: z.string(),
      // util-linux before 2.33 wrote all values as texts.
      size: z.coerce.number(),
      model: z.string().nullish(),
      type: z.string(),
      ro: z.union([z.boolean(), z.enum(['0', '1']).transform((text) => text === '1')]),
    }),
  ),
});

/** As of `holdfast install`. */
const INSTALL_LOCK = '/run/holdfast/install.lock';
/** No system fits there. */
const SMALLEST_BYTES = 2 ** 30;
const NOT_DISKS = /^\/dev\/(?:zram|ram|loop|fd|nbd|sr|mtdblock)\d/;

/** Everything about the disks of this machine; the medium that it runs from is not among them. */
export async function findDisks(labels: Labels): Promise<DiskOffer[]> {
  const columns = 'PATH,SIZE,MODEL,TYPE,RO';
  const text = await runChecked(['lsblk', '--json', '--bytes', '--nodeps', '--output', columns]);
  const { blockdevices } = LISTING.parse(JSON.parse(text));
  const medium = mediumDisks();
  const disks = blockdevices.filter(
    ({ path, size, type }) =>
      ['disk', 'mpath'].includes(type) &&
      size > 0 &&
      !NOT_DISKS.test(path) &&
      !medium.includes(describeBlockDevice(path).disk),
  );
  const undo = new UndoStack();
  const workDirectory = `/run/holdfast/installer-${process.pid}`;
  undo.always(`remove ${workDirectory}`, () => removeWorkDirectory(workDirectory));
  try {
    // Who looks has the disk in use for that moment, and two that look at once would see each other.
    await lockUntilEnd(undo, INSTALL_LOCK, 'holdfast installer', { brief: true });
    const offers: DiskOffer[] = [];
    for (const { path, size, model, ro } of disks) {
      offers.push({
        path,
        sizeBytes: size,
        model: plain(model ?? ''),
        ...(await judge(path, { size, ro }, labels, workDirectory)),
      });
    }
    return offers;
  } finally {
    await undo.unwind(true);
  }
}

async function judge(
  path: string,
  { size, ro }: { size: number; ro: boolean },
  labels: Labels,
  workDirectory: string,
): Promise<Pick<DiskOffer, 'content' | 'labels' | 'refusal'>> {
  const refused = (refusal: string) => ({ content: 'other' as const, labels: [], refusal });
  if (ro) return refused('it is read-only');
  if (size < SMALLEST_BYTES) return refused('it is too small');
  try {
    // With rd.live.ram nothing tells which medium it was.
    if ((await probeFilesystem(path)).type === 'iso9660') return refused('it is an installation medium');
    const { users, content } = await inspectDisk(path, labels, workDirectory);
    const found = { content: content.kind, labels: content.labels };
    return users.length > 0 ? { ...found, refusal: `${IN_USE}: ${users.join(', ')}` } : found;
  } catch (error) {
    if (!(error instanceof HoldfastError)) throw error;
    return refused(error.message);
  }
}

/** Disks that the running live system comes from. */
function mediumDisks(): string[] {
  return listMounts().flatMap(({ source, mountPoint }) =>
    mountPoint === LIVE_PARTITION && source.startsWith('/dev/') ? [describeBlockDevice(source).disk] : [],
  );
}

/** Models come from the hardware: nothing of them may steer the terminal. */
function plain(text: string): string {
  return text
    .replace(/[^\x20-\x7e]/g, '')
    .trim()
    .slice(0, 40);
}

/** All that the questions need to know. */
export async function lookAround(labels: Labels): Promise<Machine> {
  const root = new Root('/');
  const groups = names(root, '/etc/group');
  const live = liveSystem();
  return {
    disks: await findDisks(labels),
    interfaces: root.list('/sys/class/net').filter((name) => /^[A-Za-z0-9_.-]{1,15}$/.test(name) && isHardware(name)),
    zones: zonesOf(root),
    keymaps: keymapsOf(root),
    accounts: names(root, '/etc/passwd'),
    adminGroups: ['sudo', 'wheel'].filter((name) => groups.has(name)),
    shell: root.exists('/bin/bash') ? '/bin/bash' : undefined,
    mediumSystem: live === undefined ? undefined : systemName(root),
  };
}

const isHardware = (name: string) => existsSync(join('/sys/class/net', name, 'device'));

function systemName(root: Root): string {
  const name = parseOsRelease(root.readTextIfThere('/etc/os-release') ?? '').get('PRETTY_NAME') ?? '';
  return plain(name) || 'its own system';
}

/** First fields of passwd and group. */
function names(root: Root, file: string): Set<string> {
  const text = root.readTextIfThere(file) ?? '';
  return new Set(text.split('\n').flatMap((line) => (line.includes(':') ? [line.slice(0, line.indexOf(':'))] : [])));
}

/** zoneinfo has lists of its own for programs that let people choose. */
function zonesOf(root: Root): Set<string> {
  const lists = ['/usr/share/zoneinfo/tzdata.zi', '/usr/share/zoneinfo/tzone1970.tab', '/usr/share/zoneinfo/zone.tab'];
  const zones = new Set<string>();
  for (const list of lists) {
    for (const line of (root.readTextIfThere(list) ?? '').split('\n')) {
      // tzdata.zi: "Z NAME …" is a zone, "L TARGET NAME" a link; the tables have the name in the third column.
      const name =
        /^Z (\S+)/.exec(line)?.[1] ?? /^L \S+ (\S+)/.exec(line)?.[1] ?? /^[A-Z]{2}\S*\t\S+\t(\S+)/.exec(line)?.[1];
      if (name !== undefined && /^[A-Za-z0-9_+/-]+$/.test(name)) zones.add(name);
    }
  }
  if (root.exists('/usr/share/zoneinfo/UTC')) zones.add('UTC');
  return zones;
}

const KEYMAPS = ['/usr/share/kbd/keymaps', '/usr/share/keymaps', '/usr/lib/kbd/keymaps'];
const DEEPEST = 6;

function keymapsOf(root: Root): Set<string> {
  const found = new Set<string>();
  const walk = (directory: string, depth: number): void => {
    for (const name of root.list(directory)) {
      const map = /^([A-Za-z0-9_.-]+)\.(?:k?map)(?:\.(?:gz|xz|zst))?$/.exec(name)?.[1];
      if (map !== undefined) found.add(map);
      else if (depth < DEEPEST && root.lstat(`${directory}/${name}`)?.isDirectory())
        walk(`${directory}/${name}`, depth + 1);
    }
  };
  for (const directory of KEYMAPS) if (root.exists(directory)) walk(realpathSync(directory), 0);
  return found;
}
