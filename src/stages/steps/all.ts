// The keys that are carried out so far, one line each; the order in which they take effect is that of the schema.

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

export const handlers: ReadonlyMap<ActionKey, BoundHandler> = new Map(
  [
    bind(dns),
    bind(downloads),
    bind(git),
    bind(ensureEntities),
    bind(directories),
    bind(files),
    bind(commands),
    bind(deleteEntities),
    bind(hostname),
    bind(sysctl),
    bind(users),
    bind(authorizedKeys),
    bind(modules),
    bind(timesyncd),
    bind(systemctl),
    bind(environment),
    bind(systemdFirstboot),
    bind(datasource),
    bind(layout),
    bind(packagePins),
    bind(packages),
    bind(unpackImages),
  ].map((handler) => [handler.key, handler]),
);
