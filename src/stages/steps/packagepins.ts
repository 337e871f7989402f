// `package_pins`: holds packages at a version, in the way of the root's package manager. Where a whole file is ours the
// pins of one step are all that is in it, as with yip; apk's world belongs to the owner, so only named entries change.

import { describeDistribution, findManager } from '../packages/manager.ts';
import { checkName } from '../packages/name.ts';
import {
  APK_WORLD,
  APT_PREFERENCES,
  apkWorld,
  aptPreferences,
  DNF_LOCK_CONFIGURATION,
  DNF_LOCK_LIST,
  dnfLock,
  dnfLockConfiguration,
  dnfLockList,
  type Pin,
} from '../packages/pins.ts';
import { placeText } from '../placement.ts';
import { commandEnvironment, describeEnd, runInRoot } from '../shell.ts';
import type { StepContext, StepHandler, StepValue } from './handler.ts';

const ZYPPER_LOCKS = '/etc/zypp/locks';

export const packagePins: StepHandler<'package_pins'> = {
  key: 'package_pins',
  describe: (value) =>
    sorted(value)
      .filter(([, version]) => version !== '')
      .map(([name, version]) => `hold ${name} at ${version}`),
  async apply(value, context) {
    const pins = usablePins(value, context);
    if (pins.length === 0) return;
    const manager = findManager(context.facts);
    const pin = manager === undefined ? undefined : PINNING[manager.name];
    if (pin === undefined) {
      const what = manager?.name ?? `the unknown package manager (${describeDistribution(context.facts)})`;
      context.warn(`package_pins: ${what} can't hold packages; nothing is done`);
      return;
    }
    await pin(pins, context);
  },
};

const PINNING: Readonly<Record<string, (pins: readonly Pin[], context: StepContext) => Promise<void> | void>> = {
  apt: (pins, context) => write(APT_PREFERENCES, aptPreferences(pins), context),

  async dnf(pins, context) {
    warnOfUnreadLocks(context);
    const locks: string[] = [];
    for (const pin of pins) locks.push(dnfLock(pin, await repoquery(pin, context)));
    write(DNF_LOCK_CONFIGURATION, dnfLockConfiguration(), context);
    write(DNF_LOCK_LIST, dnfLockList(locks), context);
  },

  async zypper(pins, context) {
    const before = context.root.readTextIfThere(ZYPPER_LOCKS);
    for (const [name, version] of pins) {
      const exact = await addLock(`${name}=${version}`, context);
      if (exact === undefined) continue;
      const whole = await addLock(name, context);
      context.warn(
        whole === undefined
          ? `package_pins: ${name} is locked at any version: ${exact}`
          : `package_pins: ${name} is not locked: ${whole}`,
      );
    }
    if (context.root.readTextIfThere(ZYPPER_LOCKS) !== before) context.edited(ZYPPER_LOCKS);
  },

  apk(pins, { root, edited }) {
    placeText(root, APK_WORLD, apkWorld(root.readTextIfThere(APK_WORLD) ?? '', pins)).forEach(edited);
  },
};

/** Sorted by name; what can't be used fails for itself, a name without a version is only warned about. */
function usablePins(value: StepValue<'package_pins'>, context: StepContext): Pin[] {
  return sorted(value).filter(([name, version]) => {
    if (version === '') {
      context.warn(`package_pins: ${name} has no version and is skipped`);
      return false;
    }
    try {
      checkName(name, 'the name of a package');
      checkName(version, `the version of ${name}`);
      return true;
    } catch (error) {
      context.fail(error);
      return false;
    }
  });
}

function sorted(value: StepValue<'package_pins'>): Pin[] {
  return [...value]
    .map(([name, version]): Pin => [name, version.trim()])
    .sort(([a], [b]) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
}

function write(path: string, text: string, { root, changed }: StepContext): void {
  placeText(root, path, text).forEach(changed);
}

/** What dnf knows of that version; nothing when it can't say, for example without a network. */
async function repoquery([name, version]: Pin, { root, env, signal }: StepContext): Promise<string[]> {
  // dnf 4 ends each line by itself, dnf 5 doesn't.
  const format = '%{name}-%{epoch}:%{version}-%{release}.%{arch}\\n';
  const argv = ['dnf', '-q', 'repoquery', '--qf', format, `${name}-${version}*`] as const;
  const result = await root.run([...argv], { env: commandEnvironment(root, env), signal });
  return result.status === 0 ? result.stdout.split('\n') : [];
}

/** dnf 4 reads the list through a plugin that may be missing, dnf 5 reads another file. */
function warnOfUnreadLocks({ root, warn }: StepContext): void {
  const plugins = root
    .list('/usr/lib')
    .filter((name) => name.startsWith('python3'))
    .map((python) => `/usr/lib/${python}/site-packages/dnf-plugins/versionlock.py`);
  if (plugins.some((plugin) => root.exists(plugin))) return;
  warn(
    root.exists('/usr/bin/dnf5')
      ? `package_pins: dnf 5 doesn't read ${DNF_LOCK_LIST}; hold packages by "commands: [dnf versionlock add …]"`
      : 'package_pins: dnf reads the pins once its plugin is there; install python3-dnf-plugin-versionlock',
  );
}

/** @returns why it could not be added; undefined when it is there. */
async function addLock(what: string, context: StepContext): Promise<string | undefined> {
  const end = await runInRoot(['zypper', '--non-interactive', 'addlock', what], context);
  return end.status === 0 ? undefined : `zypper addlock ${what} ${describeEnd(end)}`;
}
