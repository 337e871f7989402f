// What systemd-firstboot does for a system that hasn't got it: the files behind locale, keymap, time zone, host name and
// machine id. As with the tool, what is there already stays unless `force` is given.

import { HoldfastError } from '../system/errors.ts';
import type { Root } from '../system/root.ts';
import { packageHint } from '../system/tools.ts';
import { placeText } from './placement.ts';
import type { StepContext } from './steps/handler.ts';

type Setting = (value: string, root: Root, force: boolean) => void;

const SETTINGS: Readonly<Record<string, Setting>> = {
  keymap: (value, root, force) => assign(root, '/etc/vconsole.conf', 'KEYMAP', value, force),
  locale: (value, root, force) => assign(root, localeFile(root), 'LANG', value, force),
  'locale-messages': (value, root, force) => assign(root, localeFile(root), 'LC_MESSAGES', value, force),
  timezone: linkTimezone,
  hostname: (value, root, force) => write(root, '/etc/hostname', value, force),
  'machine-id': (value, root, force) => {
    if (!/^[0-9a-f]{32}$/.test(value)) throw new HoldfastError('HF-CONFIG', `${value} can't be a machine id`);
    write(root, '/etc/machine-id', value, force);
  },
};

/** Carries out what can be done without the tool; the rest are failures. */
export function writeFirstbootFiles(settings: ReadonlyMap<string, string>, { root, fail }: StepContext): void {
  const given = [...settings].map(([key, value]) => [key.toLowerCase(), value] as const);
  const force = given.some(([key, value]) => key === 'force' && value !== 'false');
  for (const [key, value] of given) {
    if (key === 'force') continue;
    try {
      const setting = SETTINGS[key];
      if (setting === undefined) {
        throw new HoldfastError('HF-TOOL-MISSING', `"${key}" needs the program systemd-firstboot, which isn't there`, {
          hint: packageHint('systemd-firstboot'),
        });
      }
      if (/[\r\n]/.test(value)) throw new HoldfastError('HF-CONFIG', `the value of "${key}" has more than one line`);
      setting(value, root, force);
    } catch (error) {
      fail(error);
    }
  }
}

/** Debian's own place where it is in use, else systemd's. */
function localeFile(root: Root): string {
  return root.exists('/etc/default/locale') ? '/etc/default/locale' : '/etc/locale.conf';
}

function assign(root: Root, path: string, key: string, value: string, force: boolean): void {
  const lines = (root.readTextIfThere(path) ?? '').split('\n').filter((line) => line !== '');
  const at = lines.findIndex((line) => line.startsWith(`${key}=`));
  if (at >= 0 && !force) return;
  const line = `${key}=${/^[\w.@:/-]*$/.test(value) ? value : `"${value.replace(/[\\"$`]/g, '\\$&')}"`}`;
  if (at < 0) lines.push(line);
  else lines[at] = line;
  placeText(root, path, `${lines.join('\n')}\n`);
}

function write(root: Root, path: string, value: string, force: boolean): void {
  if (!force && (root.readTextIfThere(path) ?? '').trim() !== '') return;
  placeText(root, path, `${value}\n`);
}

function linkTimezone(value: string, root: Root, force: boolean): void {
  const zone = `/usr/share/zoneinfo/${value}`;
  if (!/^[\w+-]+(?:\/[\w+-]+)*$/.test(value) || !root.stat(zone)?.isFile()) {
    throw new HoldfastError('HF-CONFIG', `there is no time zone "${value}"`, {
      hint: 'time zones are looked up in /usr/share/zoneinfo; a package of the name tzdata or timezone brings them',
    });
  }
  if (force || root.lstat('/etc/localtime') === undefined) root.link('/etc/localtime', `..${zone}`);
}
