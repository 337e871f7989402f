// Versions that packages are held at, as each package manager keeps them. Pure: names and versions go in, file contents
// come out.

/** A package and its version, checked. */
export type Pin = readonly [name: string, version: string];

const HEADER = ['# Written by holdfast from "package_pins" in a cloud-config file.', '# Changes made here are lost.'];

/** yip's name, so that a system that changes over doesn't keep two files that contradict each other. */
export const APT_PREFERENCES = '/etc/apt/preferences.d/99-yip-pins';

/** apt_preferences(5); above 1000 a pin holds even if that means a downgrade. */
export function aptPreferences(pins: readonly Pin[]): string {
  const records = pins.map(([name, version]) => `Package: ${name}\nPin: version ${version}\nPin-Priority: 1001\n\n`);
  return `${HEADER.join('\n')}\n\n${records.join('')}`;
}

export const DNF_LOCK_CONFIGURATION = '/etc/dnf/plugins/versionlock.conf';
export const DNF_LOCK_LIST = '/etc/dnf/plugins/versionlock.list';

export function dnfLockConfiguration(): string {
  return `[main]\nenabled=1\nlocklist=${DNF_LOCK_LIST}\n`;
}

export function dnfLockList(entries: readonly string[]): string {
  return entries.map((entry) => `${entry}\n`).join('');
}

/** The lock of one package, from what `dnf repoquery` found; else a pattern that dnf matches itself. */
export function dnfLock([name, version]: Pin, repoqueryLines: readonly string[]): string {
  return repoqueryLines.find((line) => line.startsWith(`${name}-`)) ?? `${name}-${version}*`;
}

export const APK_WORLD = '/etc/apk/world';

/** The world with these packages held; all other entries stay, where yip throws them away. */
export function apkWorld(text: string, pins: readonly Pin[]): string {
  const entries = text.split(/\s+/).filter((entry) => entry !== '');
  for (const [name, version] of pins) {
    const at = entries.findIndex((entry) => worldName(entry) === name);
    // The repository that an entry is bound to (`name@edge`) stays.
    const tag = /@[^<>=~]+/.exec(entries[at] ?? '')?.[0] ?? '';
    const entry = `${name}${tag}=${version}`;
    if (at < 0) entries.push(entry);
    else entries[at] = entry;
  }
  return entries.map((entry) => `${entry}\n`).join('');
}

/** apk-world(5): a name, with a repository's tag or a version constraint behind it. */
function worldName(entry: string): string {
  return entry.replace(/[@<>=~].*$/, '');
}
