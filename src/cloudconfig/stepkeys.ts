// Every key of a step with its type: the one table that checking, running and completion stand on. The order is the one
// in which the keys of a step take effect, whatever their order in the file (yip v1.24, executor).

import type { Shape } from './decoding.ts';
import { isScalar } from './nodes.ts';
import { permissions, withDefaultWarning } from './permissions.ts';
import { scalarNumber } from './scalar.ts';
import { boolean, content, integer, list, map, type Struct, string, struct, text, unsigned } from './shapes.ts';
import { scalarText } from './yamltext.ts';

/** A numeric id; a name is accepted with a warning, since the originals reject the file for it. */
const idOrName: Shape<number | string> = {
  what: 'a numeric id',
  form: { kind: 'id' },
  empty: () => 0,
  decode(node, at) {
    if (isScalar(node) && scalarNumber(scalarText(node)) === undefined) {
      const name = string.decode(node, at);
      if (name !== undefined)
        at.warn(node, `"${name}" is read as a name`, 'names belong into "ownerstring: user:group"');
      return name;
    }
    return integer.decode(node, at);
  },
};

const stepName: Shape<string> = {
  what: 'a step name',
  form: { kind: 'step-name' },
  empty: () => '',
  decode: (node, at) => (isScalar(node) ? string.decode(node, at) : afterEntry.decode(node, at)?.name),
};
const afterEntry = struct({ name: string });

const path = text('path');
const url = text('url');
const secret = text('secret');
const pattern = text('pattern');
const template = text('template');
const command = text('command');
const unit = text('unit');

const ownership = { permissions, owner: idOrName, group: idOrName };
const ownershipAliases = {
  permission: 'permissions',
  permsisions: 'permissions',
  mode: 'permissions',
  owner_string: 'ownerstring',
};

const file = struct(
  // `append` is ours: cloud-init's write_files has it.
  { path, content, encoding: text('encoding'), ...ownership, ownerstring: string, append: boolean },
  ownershipAliases,
);
const download = struct({ path, url, timeout: integer, ...ownership, ownerstring: string }, ownershipAliases);
const directory = struct({ path, ...ownership }, ownershipAliases);
const entity = struct({ path, entity: text('entity') });

/** Names of groups; a text with commas, as useradd and cloud-init have it, is understood with a warning. */
const groupNames: Shape<readonly string[]> = {
  ...list(string),
  decode(node, at) {
    if (!isScalar(node)) return list(string).decode(node, at);
    const written = string.decode(node, at);
    if (written === undefined) return undefined;
    at.warn(node, 'a text is read as a list of names', 'write a list: [first, second]');
    return written.split(',').map((name) => name.trim());
  },
};

const user = struct({
  name: string,
  passwd: secret,
  ssh_authorized_keys: list(string),
  gecos: string,
  homedir: path,
  no_create_home: boolean,
  primary_group: string,
  groups: groupNames,
  no_user_group: boolean,
  system: boolean,
  no_log_init: boolean,
  shell: string,
  lock_passwd: boolean,
  uid: string,
  // yip after v1.24; a number for the group of the user's own, and ranges START:COUNT.
  gid: string,
  subuid: string,
  subgid: string,
});

export const CONDITION_FIELDS = {
  node: pattern,
  if: command,
  only_os: pattern,
  only_os_version: pattern,
  only_arch: text('architecture'),
  only_service_manager: text('service-manager'),
  // yip v1.24 skips the step for a check that it doesn't know.
  if_files: struct({ any: list(path), all: list(path), none: list(path) }, {}, { closed: true }),
} as const;

export const ACTION_FIELDS = {
  dns: struct({ nameservers: list(string), search: list(string), options: list(string), path }),
  downloads: list(withDefaultWarning(download, '0644')),
  git: struct({
    url,
    path,
    branch: string,
    branch_only: boolean,
    auth: struct({ username: string, password: secret, private_key: secret, insecure: boolean, public_key: string }),
  }),
  ensure_entities: list(entity),
  directories: list(withDefaultWarning(directory, '0755')),
  files: list(withDefaultWarning(file, '0644')),
  commands: list(command),
  delete_entities: list(entity),
  hostname: text('hostname'),
  sysctl: map(string),
  users: map(user),
  authorized_keys: map(list(string)),
  modules: list(string),
  timesyncd: map(string),
  systemctl: struct({
    enable: list(unit),
    disable: list(unit),
    start: list(unit),
    mask: list(unit),
    overrides: list(struct({ service: unit, name: string, content: string })),
  }),
  environment: map(template),
  environment_file: path,
  systemd_firstboot: map(string),
  datasource: struct({ providers: list(text('provider')), path, userdata_name: string }),
  layout: struct({
    device: struct({ init_disk: boolean, disk_name: string, label: string, path: string }),
    expand_partition: struct({ size: unsigned }),
    add_partitions: list(
      struct({ fsLabel: string, size: unsigned, pLabel: string, filesystem: text('filesystem'), bootable: boolean }),
    ),
  }),
  package_pins: map(string),
  packages: struct({ install: list(template), remove: list(template), refresh: boolean, upgrade: boolean }),
  unpack_images: list(struct({ source: string, target: path, platform: string })),
} as const;

export const STEP_FIELDS = { name: string, after: list(stepName), ...CONDITION_FIELDS, ...ACTION_FIELDS } as const;

/** Misspellings of step keys that documents of the originals teach. */
export const STEP_ALIASES = { systctl: 'sysctl' } as const;

export type ConditionKey = keyof typeof CONDITION_FIELDS;
export type ActionKey = keyof typeof ACTION_FIELDS;
export type StepKey = keyof typeof STEP_FIELDS;
/** What a step says, key by key; only keys that are written and usable are there. */
export type StepValues = Struct<typeof STEP_FIELDS>;

export const CONDITION_KEYS = Object.keys(CONDITION_FIELDS) as readonly ConditionKey[];
export const ACTION_KEYS = Object.keys(ACTION_FIELDS) as readonly ActionKey[];
