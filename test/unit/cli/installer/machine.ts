// A machine as the installer finds it, for the tests of its questions.

import type { DiskOffer, Machine } from '../../../../src/cli/installer/answers.ts';

export const GIB = 2 ** 30;
export const KEY = 'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIKlG2P2ZhCgMW9EGQqIt3Ubmt1vFcsmJ4Kgbd2rCqyGT me@home';

export const disk = (path: string, more: Partial<DiskOffer> = {}): DiskOffer => ({
  path,
  sizeBytes: 8 * GIB,
  model: '',
  content: 'nothing',
  labels: [],
  ...more,
});

export const machine: Machine = {
  disks: [
    disk('/dev/vda', { model: 'QEMU' }),
    disk('/dev/vdb', { content: 'other', labels: ['DATA'] }),
    disk('/dev/vdc', { refusal: 'it is in use: /dev/vdc1 is mounted at /mnt' }),
  ],
  interfaces: ['enp1s0', 'enp2s0'],
  zones: new Set(['UTC', 'Europe/Berlin']),
  keymaps: new Set(['us', 'de']),
  accounts: new Set(['root', 'daemon']),
  adminGroups: ['sudo'],
  shell: '/bin/bash',
  mediumSystem: 'Holdfast demo 1',
};
