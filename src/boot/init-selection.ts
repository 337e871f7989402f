// Which of our files a root gets: those for a service manager or a package manager only where that one is.

import type { Root } from '../system/root.ts';
import type { OsFile } from './os-files.generated.ts';

export interface Managers {
  systemd: boolean;
  openrc: boolean;
  apt: boolean;
}

export function findManagers(root: Root): Managers {
  const has = (...paths: string[]) => paths.some((path) => root.exists(path));
  return {
    systemd: has('/usr/lib/systemd/systemd', '/lib/systemd/systemd'),
    openrc: has('/sbin/openrc-run', '/usr/sbin/openrc-run'),
    apt: has('/usr/bin/apt-get'),
  };
}

const FOR_OPENRC = /^\/(etc\/(init\.d|conf\.d|runlevels)\/|usr\/lib\/holdfast\/(openrc-stage|reconcile-loop)$)/;
const FOR_APT = /^\/(etc\/apt\/|usr\/lib\/holdfast\/keep-packages$)/;
const FOR_SYSTEMD = /^\/(etc|usr\/lib)\/systemd\//;

/** The files for a root with these managers; all get theirs where several are. */
export function filesFor(
  files: Readonly<Record<string, OsFile>>,
  { systemd, openrc, apt }: Managers,
): Readonly<Record<string, OsFile>> {
  return Object.fromEntries(
    Object.entries(files).filter(
      ([path]) =>
        (openrc || !FOR_OPENRC.test(path)) && (systemd || !FOR_SYSTEMD.test(path)) && (apt || !FOR_APT.test(path)),
    ),
  );
}
