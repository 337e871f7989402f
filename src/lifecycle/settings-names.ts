// Every name under which a setting was ever written: Elemental's keys, the flat keys and variables of cOS-toolkit, and the
// environment. Each name is read into settings of one canonical key, so that whatever comes later wins over what was
// written earlier under another name.

import { PARTITION_ROLES } from '../slots/names.ts';
import type { PartitionFilesystem } from '../slots/partitions.ts';
import type { NamedSystem, Reading, SettingKey, SettingValues } from './settings-keys.ts';
import {
  boolean,
  extraPartitions,
  filesystem,
  label,
  mebibytes,
  oneOf,
  type Reader,
  text,
  texts,
  words,
} from './settings-values.ts';

export type SettingName = Reader<readonly Reading[]> | 'no-effect' | 'elsewhere';

/** A name that sets the settings of these keys, which all have the type that the reader gives. */
function sets<T>(read: Reader<T>, ...makers: readonly ((value: T) => Reading)[]): Reader<readonly Reading[]> {
  return (raw) => {
    const value = read(raw);
    return makers.map((make) => make(value));
  };
}

type KeyOf<T> = {
  [K in SettingKey]: SettingValues[K] extends T ? (T extends SettingValues[K] ? K : never) : never;
}[SettingKey];

// The compiler can't follow a key and its value through the union; the key's type was checked against the reader's.
const to = <T>(...keys: readonly KeyOf<T>[]) => keys.map((key) => (value: T) => ({ key, value }) as unknown as Reading);

const flag = (...keys: readonly KeyOf<boolean>[]) => sets(boolean, ...to<boolean>(...keys));
const word = (...keys: readonly KeyOf<string>[]) => sets(text, ...to<string>(...keys));
const labels = (...keys: readonly KeyOf<string>[]) => sets(label, ...to<string>(...keys));
const size = (...keys: readonly KeyOf<number>[]) => sets(mebibytes, ...to<number>(...keys));
const list = (read: Reader<readonly string[]>, ...keys: readonly KeyOf<readonly string[]>[]) =>
  sets(read, ...to<readonly string[]>(...keys));
const system = (style: NamedSystem['style'], ...keys: readonly KeyOf<NamedSystem>[]) =>
  sets(styled(style), ...to<NamedSystem>(...keys));
const styled =
  (style: NamedSystem['style'], scheme = ''): Reader<NamedSystem> =>
  (raw) => ({ text: scheme + text(raw), style });

const not: Reader<boolean> = (raw) => !boolean(raw);
/** A switch that chooses one word when it is on, and nothing when it is off. */
const chooses =
  (reading: Reading): Reader<readonly Reading[]> =>
  (raw) =>
    boolean(raw) ? [reading] : [];

const SYSTEMS = ['install.system', 'upgrade.system', 'reset.system'] as const;
const SYSTEM_SIZES = ['install.system.size', 'upgrade.system.size', 'reset.system.size'] as const;

/** The variables of /etc/cos/config and /etc/cos-upgrade-image, which E0 took as keys of its YAML file too. */
const COS: Readonly<Record<string, SettingName>> = {
  UPGRADE_IMAGE: system('cos', 'upgrade.system'),
  RECOVERY_IMAGE: system('cos', 'upgrade.recovery-system'),
  CHANNEL_UPGRADES: flag('channel-upgrades'),
  GRUB_ENTRY_NAME: word('install.grub-entry-name', 'upgrade.grub-entry-name', 'reset.grub-entry-name'),
  CLOUD_INIT_PATHS: list(words, 'cloud-init-paths'),
  DEFAULT_IMAGE_SIZE: size(...SYSTEM_SIZES),
  NO_VERIFY: sets(not, ...to<boolean>('verify')),
  VERIFY: flag('verify'),
  OEM_LABEL: labels('labels.oem'),
  PERSISTENT_LABEL: labels('labels.persistent'),
  RECOVERY_LABEL: labels('labels.recovery'),
  STATE_LABEL: labels('labels.state'),
  ACTIVE_LABEL: labels('labels.active'),
  PASSIVE_LABEL: labels('labels.passive'),
  SYSTEM_LABEL: labels('labels.system'),
  COS_FEATURESDIR: 'elsewhere',
  OEM_LABELDIR: 'elsewhere',
  GRUBCONF: 'no-effect',
  COSIGN_REPOSITORY: word('cosign-repository'),
  COSIGN_EXPERIMENTAL: word('cosign-experimental'),
  COSIGN_PUBLIC_KEY_LOCATION: word('cosign-public-key-location'),
  COSIGN_SKIP: word('cosign-skip'),
  DOCKER_CONTENT_TRUST_SERVER: word('trust-server'),
};

/** Elemental's keys. */
const ELEMENTAL: Readonly<Record<string, SettingName>> = {
  'install.target': word('install.target'),
  'install.firmware': sets(oneOf('efi', 'bios'), (value) => ({ key: 'install.firmware', value })),
  'install.part-table': sets(oneOf('gpt', 'msdos'), (value) => ({ key: 'install.part-table', value })),
  'install.partition-layout': word('install.partition-layout'),
  'install.extra-partitions': sets(extraPartitions, (value) => ({ key: 'install.extra-partitions', value })),
  'install.no-format': flag('install.no-format'),
  'install.force': flag('install.force'),
  'install.iso': word('install.iso'),
  'install.cloud-init': list(texts, 'install.cloud-init'),
  'install.grub-entry-name': word('install.grub-entry-name'),
  'install.tty': word('install.tty'),
  'install.disable-boot-entry': flag('install.disable-boot-entry'),
  'install.snapshot-labels': 'no-effect',
  'install.snapshotter': 'no-effect',
  'install.passive.label': labels('labels.passive'),
  'install.passive.size': 'no-effect',
  'install.passive.fs': 'no-effect',
  'upgrade.recovery': flag('upgrade.recovery'),
  'upgrade.force': flag('upgrade.force'),
  'upgrade.grub-entry-name': word('upgrade.grub-entry-name'),
  'upgrade.bootloader': 'no-effect',
  'upgrade.snapshot-labels': 'no-effect',
  'upgrade.passive.label': labels('labels.passive'),
  'reset.reset-persistent': flag('reset.persistent'),
  'reset.persistent': flag('reset.persistent'),
  'reset.reset-oem': flag('reset.oem'),
  'reset.oem': flag('reset.oem'),
  'reset.force': flag('reset.force'),
  'reset.target': 'no-effect',
  'reset.cloud-init': list(texts, 'reset.cloud-init'),
  'reset.tty': word('reset.tty'),
  'reset.grub-entry-name': word('reset.grub-entry-name'),
  'reset.disable-boot-entry': flag('reset.disable-boot-entry'),
  'reset.snapshot-labels': 'no-effect',
  'reset.passive.label': labels('labels.passive'),
  'passive.label': labels('labels.passive'),
  'cloud-init-paths': list(words, 'cloud-init-paths'),
  strict: flag('strict'),
  'no-verify': sets(not, ...to<boolean>('verify')),
  verify: flag('verify'),
  'tls-verify': flag('tls-verify'),
  platform: word('platform'),
  reboot: flag('reboot'),
  poweroff: flag('poweroff'),
  'eject-cd': flag('eject-cd'),
  'boot-assessment': flag('boot-assessment'),
  cosign: flag('cosign'),
  'cosign-key': list(texts, 'cosign-key'),
  'cosign-issuer': word('cosign-issuer'),
  'cosign-identity': word('cosign-identity'),
  'cosign-trusted-root': word('cosign-trusted-root'),
  'cosign-repository': word('cosign-repository'),
  'trust-server': word('trust-server'),
  'trust-ca': word('trust-ca'),
  'allow-downgrade': flag('allow-downgrade'),
  repositories: 'no-effect',
  snapshotter: 'no-effect',
  'squash-compression': 'no-effect',
  'squash-no-compression': 'no-effect',
  local: 'no-effect',
  // Read by the mount layout and by tools that build media.
  mount: 'elsewhere',
  init: 'elsewhere',
  name: 'elsewhere',
  date: 'elsewhere',
  output: 'elsewhere',
  disk: 'elsewhere',
  arch: 'elsewhere',
  debug: 'elsewhere',
  'config-dir': 'elsewhere',
  // E0's flat keys.
  target: word('install.target'),
  source: system('uri', ...SYSTEMS),
  'docker-image': sets(styled('uri', 'docker:'), ...to<NamedSystem>(...SYSTEMS)),
  directory: sets(styled('uri', 'dir:'), ...to<NamedSystem>(...SYSTEMS)),
  'cloud-init': list(texts, 'install.cloud-init', 'reset.cloud-init'),
  // Of a file for building media it is a mapping.
  iso: (raw) => (raw.kind === 'map' ? [] : [{ key: 'install.iso', value: text(raw) }]),
  'force-efi': chooses({ key: 'install.firmware', value: 'efi' }),
  'force-gpt': chooses({ key: 'install.part-table', value: 'gpt' }),
  'partition-layout': word('install.partition-layout'),
  tty: word('install.tty', 'reset.tty'),
  'no-format': flag('install.no-format'),
  force: flag('install.force', 'upgrade.force', 'reset.force'),
  'reset-persistent': flag('reset.persistent'),
  'reset-oem': flag('reset.oem'),
  recovery: flag('upgrade.recovery'),
};

function systemNames(): Record<string, SettingName> {
  const names: Record<string, SettingName> = {};
  const systems = [
    ['install.system', 'install.system.size', 'labels.active'],
    ['install.recovery-system', 'install.recovery-system.size', 'labels.system'],
    ['upgrade.system', 'upgrade.system.size', 'labels.active'],
    ['upgrade.recovery-system', 'upgrade.recovery-system.size', 'labels.system'],
    ['reset.system', 'reset.system.size', 'labels.active'],
  ] as const;
  for (const [key, sizeKey, labelKey] of systems) {
    // E2 writes the source alone, E1 a mapping with it.
    names[key] = system('uri', key);
    names[`${key}.uri`] = system('uri', key);
    names[`${key}.size`] = size(sizeKey);
    names[`${key}.label`] = labels(labelKey);
    // A slot file is ext4, which every GRUB reads; the recovery file is what it was made from.
    names[`${key}.fs`] = 'no-effect';
  }
  names['reset.recovery-system'] = 'no-effect';
  return names;
}

function partitionNames(): Record<string, SettingName> {
  const names: Record<string, SettingName> = {};
  for (const partition of PARTITION_ROLES) {
    for (const spelled of partition === 'efi' ? ['efi', 'bootloader'] : [partition]) {
      const at = `install.partitions.${spelled}`;
      names[`${at}.size`] = size(`partitions.${partition}.size`);
      names[`${at}.label`] = labels(`labels.${partition}`);
      names[`${at}.fs`] = sets(filesystem, ...to<PartitionFilesystem>(`partitions.${partition}.fs`));
      names[`${at}.flags`] = 'no-effect';
      names[`${at}.name`] = 'no-effect';
    }
  }
  names['install.partitions.bios'] = 'elsewhere';
  return names;
}

/** Variables of the environment beside `ELEMENTAL_…`; no general ones like IMAGE, which other programs set too. */
const ENVIRONMENT: Readonly<Record<string, SettingName>> = {
  ...COS,
  UPGRADE_RECOVERY: flag('upgrade.recovery'),
  PERSISTENCE_RESET: flag('reset.persistent'),
  COS_INSTALL_DEVICE: word('install.target'),
  COS_INSTALL_CONFIG_URL: list(texts, 'install.cloud-init'),
  COS_INSTALL_TTY: word('install.tty'),
  COS_INSTALL_POWER_OFF: flag('poweroff'),
  COS_INSTALL_NO_FORMAT: flag('install.no-format'),
  COS_INSTALL_FORCE_EFI: chooses({ key: 'install.firmware', value: 'efi' }),
};

/** A distribution may set a variable of any name there (elemental-toolkit#797: IMAGE), so only these are read. */
const OS_RELEASE = ['UPGRADE_IMAGE', 'RECOVERY_IMAGE', 'CHANNEL_UPGRADES', 'DEFAULT_IMAGE_SIZE'];

const YAML_NAMES = lowerCased({ ...ELEMENTAL, ...systemNames(), ...partitionNames(), ...COS });
const ELEMENTAL_VARIABLES = new Map(
  [...YAML_NAMES].map(([key, name]) => [`ELEMENTAL_${key.replaceAll(/[-.]/g, '_').toUpperCase()}`, name]),
);

/** By dotted key in lower case: Elemental's reader, viper, doesn't tell cases apart. */
export function yamlNames(): ReadonlyMap<string, SettingName> {
  return YAML_NAMES;
}

/** By variable, for a file of cOS or for /etc/os-release. */
export function fileVariables(kind: 'cos' | 'os-release'): ReadonlyMap<string, SettingName> {
  const names = new Map(Object.entries(COS));
  if (kind === 'cos') return names;
  return new Map([...names].filter(([name]) => OS_RELEASE.includes(name)));
}

/** By variable of the environment. */
export function environmentVariables(): ReadonlyMap<string, SettingName> {
  return new Map([...ELEMENTAL_VARIABLES, ...Object.entries(ENVIRONMENT)]);
}

function lowerCased(names: Readonly<Record<string, SettingName>>): Map<string, SettingName> {
  return new Map(Object.entries(names).map(([key, name]) => [key.toLowerCase(), name]));
}
