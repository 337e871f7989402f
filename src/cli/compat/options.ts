// The options of the foreign lifecycle commands: those of elemental of May 2022, of its versions 0.2 to 1.x and of its
// version 2 together, since no script says which one it was written for.

import type { FlagSpec } from './flags.ts';

export const GLOBAL: readonly FlagSpec[] = [
  { name: 'debug', about: 'tell more' },
  { name: 'config-dir', takes: 'value', about: 'the directory of config.yaml (/etc/elemental)' },
  { name: 'logfile', takes: 'value', about: 'add what is printed to this file' },
  { name: 'quiet', about: 'print nothing' },
  { name: 'help', short: 'h', about: 'show this help' },
];

/** What the command checks, waits for and does at its end. */
const MANNERS: readonly FlagSpec[] = [
  { name: 'strict', about: 'a hook that fails stops the command' },
  { name: 'verify', about: 'verify the image' },
  { name: 'no-verify', about: 'do not verify the image' },
  { name: 'cosign', about: 'verify the image with cosign' },
  { name: 'cosign-key', takes: 'value', about: 'the public key for that' },
  { name: 'reboot', about: 'reboot afterwards' },
  { name: 'poweroff', about: 'power off afterwards' },
  { name: 'tls-verify', about: 'require TLS of registries' },
  { name: 'platform', takes: 'value', about: 'of the image, as linux/x86_64' },
  { name: 'arch', takes: 'value', about: 'the same without linux/' },
  { name: 'local', about: 'take the image from a container engine on this machine' },
  { name: 'cloud-init-paths', takes: 'list', about: 'more places of stage files' },
  { name: 'snapshotter.type', takes: 'value', about: 'loopdevice' },
  { name: 'snapshot-labels', takes: 'list', about: 'notes for the record of the new system' },
];

/** Named once: two of them are a mistake. */
export const SOURCES = ['system', 'system.uri', 'docker-image', 'directory'] as const;

const SOURCE: readonly FlagSpec[] = [
  { name: 'system', takes: 'value', about: 'the image: docker:IMAGE:TAG, oci-layout:DIR:TAG, dir:DIR, file:FILE' },
  { name: 'system.uri', takes: 'value', about: 'the same' },
  { name: 'docker-image', short: 'd', takes: 'value', about: 'an image of a registry' },
  { name: 'directory', takes: 'value', about: 'a directory that holds a root file system' },
];

const RECOVERY_SOURCE: readonly FlagSpec[] = [
  { name: 'recovery-system', takes: 'value', about: 'the image of the recovery system' },
  { name: 'recovery-system.uri', takes: 'value', about: 'the same' },
  { name: 'squash-compression', short: 'x', takes: 'texts', about: 'of the recovery system' },
  { name: 'squash-no-compression', about: 'of the recovery system' },
];

export const INSTALL: readonly FlagSpec[] = [
  { name: 'cloud-init', short: 'c', takes: 'list', about: 'stage files for /oem, or their web addresses' },
  { name: 'iso', short: 'i', takes: 'value', about: 'the system of an ISO image: a file or a web address' },
  { name: 'partition-layout', short: 'p', takes: 'value', about: 'a stage file that makes the partitions' },
  { name: 'no-format', about: 'take the partitions as they are' },
  { name: 'force-efi', about: 'install for UEFI' },
  { name: 'force-gpt', about: 'make a GPT also for BIOS' },
  { name: 'firmware', takes: 'value', about: 'efi or bios' },
  { name: 'part-table', takes: 'value', about: 'gpt' },
  { name: 'tty', takes: 'value', about: 'the console of the new system' },
  { name: 'force', about: 'overwrite a system that is there' },
  { name: 'eject-cd', about: 'eject the medium at the reboot' },
  { name: 'disable-boot-entry', about: 'leave the firmware’s boot entries alone' },
  ...SOURCE,
  ...RECOVERY_SOURCE,
  ...MANNERS,
];

export const UPGRADE: readonly FlagSpec[] = [
  { name: 'recovery', about: 'the recovery system; beside --system, both' },
  { name: 'bootloader', about: 'also the boot loader' },
  ...SOURCE,
  ...RECOVERY_SOURCE,
  ...MANNERS,
];

export const RESET: readonly FlagSpec[] = [
  { name: 'reset-persistent', about: 'also format COS_PERSISTENT' },
  { name: 'reset-oem', about: 'also format COS_OEM' },
  { name: 'cloud-init', short: 'c', takes: 'list', about: 'stage files for /oem' },
  { name: 'tty', takes: 'value', about: 'the console of the new system' },
  { name: 'disable-boot-entry', about: 'leave the firmware’s boot entries alone' },
  ...SOURCE,
  ...MANNERS,
];

export const DEPLOY: readonly FlagSpec[] = [
  { name: 'force', about: 'overwrite a system that is there' },
  ...SOURCE,
  ...MANNERS,
];
