// Which package managers the store knows how to keep files for.

import type { Installer, TreeWork } from '../installer.ts';
import { apkInstaller } from './apk.ts';
import { aptInstaller } from './apt.ts';
import { dnfInstaller } from './dnf.ts';
import { zypperInstaller } from './zypper.ts';

/** Undefined for one that installs by itself, and keeps nothing. */
export function installerFor(tree: TreeWork): Installer | undefined {
  switch (tree.manager.name) {
    case 'apt':
      return aptInstaller(tree);
    case 'dnf':
      return dnfInstaller(tree);
    case 'zypper':
      return zypperInstaller(tree);
    case 'apk':
      return apkInstaller(tree);
    case 'pacman':
      return undefined;
  }
}
