// Which of our files a root gets: those for a service manager only where that one is.

import type { Root } from '../system/root.ts';
import type { OsFile } from './os-files.generated.ts';

export interface ServiceManagers {
  systemd: boolean;
  openrc: boolean;
}

export function findServiceManagers(root: Root): ServiceManagers {
  const has = (...paths: string[]) => paths.some((path) => root.exists(path));
  return {
    systemd: has('/usr/lib/systemd/systemd', '/lib/systemd/systemd'),
    openrc: has('/sbin/openrc-run', '/usr/sbin/openrc-run'),
  };
}

const FOR_OPENRC = /^\/(etc\/(init\.d|conf\.d|runlevels)\/|usr\/lib\/holdfast\/(openrc-stage|reconcile-loop)$)/;
const FOR_SYSTEMD = /^\/(etc|usr\/lib)\/systemd\//;

/** The files for a root with these service managers; both get theirs where both are. */
export function filesFor(
  files: Readonly<Record<string, OsFile>>,
  { systemd, openrc }: ServiceManagers,
): Readonly<Record<string, OsFile>> {
  return Object.fromEntries(
    Object.entries(files).filter(
      ([path]) => (openrc || !FOR_OPENRC.test(path)) && (systemd || !FOR_SYSTEMD.test(path)),
    ),
  );
}
