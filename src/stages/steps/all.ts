// What carries out each key of a step; the order in which keys take effect is that of the schema.

import type { ActionKey } from '../../cloudconfig/stepkeys.ts';
import { authorizedKeys } from './authorizedkeys.ts';
import { commands } from './commands.ts';
import { datasource } from './datasource.ts';
import { deleteEntities } from './deleteentities.ts';
import { directories } from './directories.ts';
import { dns } from './dns.ts';
import { downloads } from './downloads.ts';
import { ensureEntities } from './ensureentities.ts';
import { environment } from './environment.ts';
import { files } from './files.ts';
import { git } from './git.ts';
import { type BoundHandler, bind } from './handler.ts';
import { hostname } from './hostname.ts';
import { layout } from './layout.ts';
import { modules } from './modules.ts';
import { packagePins } from './packagepins.ts';
import { packages } from './packages.ts';
import { sysctl } from './sysctl.ts';
import { systemctl } from './systemctl.ts';
import { systemdFirstboot } from './systemdfirstboot.ts';
import { timesyncd } from './timesyncd.ts';
import { unpackImages } from './unpackimages.ts';
import { users } from './users.ts';

/** `environment_file` says where `environment` goes and does nothing by itself. */
export type HandledKey = Exclude<ActionKey, 'environment_file'>;

export const handlers: Readonly<Record<HandledKey, BoundHandler>> = {
  dns: bind(dns),
  downloads: bind(downloads),
  git: bind(git),
  ensure_entities: bind(ensureEntities),
  directories: bind(directories),
  files: bind(files),
  commands: bind(commands),
  delete_entities: bind(deleteEntities),
  hostname: bind(hostname),
  sysctl: bind(sysctl),
  users: bind(users),
  authorized_keys: bind(authorizedKeys),
  modules: bind(modules),
  timesyncd: bind(timesyncd),
  systemctl: bind(systemctl),
  environment: bind(environment),
  systemd_firstboot: bind(systemdFirstboot),
  datasource: bind(datasource),
  layout: bind(layout),
  package_pins: bind(packagePins),
  packages: bind(packages),
  unpack_images: bind(unpackImages),
};
