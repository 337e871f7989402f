// All settings that there are: one canonical key each, whatever names it was ever written under, and its type.

import type { PartitionRole } from '../slots/names.ts';
import type { ExtraPartition, PartitionFilesystem } from '../slots/partitions.ts';

/** The image of an action as it was written, and whether the name was one of cOS, which may mean a package. */
export interface NamedSystem {
  text: string;
  style: 'uri' | 'cos';
}

/** All settings by canonical key. Sizes are in MiB. */
export type SettingValues = {
  'install.target': string;
  'install.system': NamedSystem;
  'install.recovery-system': NamedSystem;
  'install.iso': string;
  'install.cloud-init': readonly string[];
  'install.firmware': 'efi' | 'bios';
  'install.part-table': 'gpt' | 'msdos';
  'install.partition-layout': string;
  'install.extra-partitions': readonly ExtraPartition[];
  'install.no-format': boolean;
  'install.force': boolean;
  'install.tty': string;
  'install.grub-entry-name': string;
  'install.disable-boot-entry': boolean;
  'upgrade.system': NamedSystem;
  'upgrade.recovery-system': NamedSystem;
  'upgrade.recovery': boolean;
  'upgrade.force': boolean;
  'upgrade.grub-entry-name': string;
  'reset.system': NamedSystem;
  'reset.persistent': boolean;
  'reset.oem': boolean;
  'reset.cloud-init': readonly string[];
  'reset.tty': string;
  'reset.force': boolean;
  'reset.grub-entry-name': string;
  'reset.disable-boot-entry': boolean;
  /** At least so large; 0 is as large as the content needs. */
  'install.system.size': number;
  'install.recovery-system.size': number;
  'upgrade.system.size': number;
  'upgrade.recovery-system.size': number;
  'reset.system.size': number;
  'labels.active': string;
  'labels.passive': string;
  /** Of the image file of the recovery system. */
  'labels.system': string;
  'cloud-init-paths': readonly string[];
  strict: boolean;
  verify: boolean;
  cosign: boolean;
  'cosign-key': readonly string[];
  'cosign-issuer': string;
  'cosign-identity': string;
  'cosign-trusted-root': string;
  'cosign-repository': string;
  'cosign-public-key-location': string;
  /** As it was written: only `1` and `true` mean something. */
  'cosign-experimental': string;
  'cosign-skip': string;
  'trust-server': string;
  'trust-ca': string;
  'allow-downgrade': boolean;
  'tls-verify': boolean;
  platform: string;
  'channel-upgrades': boolean;
  reboot: boolean;
  poweroff: boolean;
  'eject-cd': boolean;
  /** Whether a system has to prove itself after an upgrade; default true. */
  'boot-assessment': boolean;
} & { [K in PartitionRole as `labels.${K}`]: string } & {
  [K in PartitionRole as `partitions.${K}.size`]: number;
} & { [K in PartitionRole as `partitions.${K}.fs`]: PartitionFilesystem };

export type SettingKey = keyof SettingValues;

/** What one name sets. */
export type Reading = { [K in SettingKey]: { key: K; value: SettingValues[K] } }[SettingKey];
