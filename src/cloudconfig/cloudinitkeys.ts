// The values of `#cloud-config` keys, as cloud-init's users write them: modes are digits in octal, groups may be one text
// with commas, a command may be a list of words. An entry that can't be used is dropped alone.

import type { Shape } from './decoding.ts';
import { freeEntries } from './fields.ts';
import { isMap, isScalar, isSeq } from './nodes.ts';
import { boolean, content, list, string, struct, text, wrongType } from './shapes.ts';
import type { StepValues } from './stepkeys.ts';
import { scalarText } from './yamltext.ts';

type User = NonNullable<StepValues['users']> extends ReadonlyMap<string, infer T> ? T : never;

export interface CloudUser {
  name: string;
  user: User;
  keys: readonly string[];
}

/** Understood by cloud-init and not here. It is said where it stands. */
function ignored(hint?: string): Shape<undefined> {
  return {
    what: 'a value without effect',
    form: { kind: 'text' },
    empty: () => undefined,
    decode: (node, at) => {
      at.warn(node, 'this has no effect here', hint);
      return undefined;
    },
  };
}

/** A list of which only the usable entries are kept; the others are reported. */
function eachUsable<T>(of: Shape<T>): Shape<readonly T[]> {
  return {
    ...list(of),
    decode(node, at) {
      if (!isSeq(node)) return list(of).decode(node, at);
      return node.items
        .filter((item) => at.isGiven(item))
        .flatMap((item, index) => {
          const before = at.errors;
          const value = at.index(index).value(of, item);
          return value === undefined || at.errors > before ? [] : [value];
        });
    },
  };
}

/** cloud-init: digits are octal whether quoted or not, so 420 is 0420 and not 0644 as in a native file. */
const octalDigits: Shape<number> = {
  what: 'a file mode',
  form: { kind: 'mode' },
  empty: () => 0o644,
  decode(node, at) {
    if (!isScalar(node)) return wrongType(node, at, "a file mode such as '0644'");
    const { text: digits, quoted } = scalarText(node);
    const mode = /^(?:0[oO])?[0-7]{1,5}$/.test(digits) ? Number.parseInt(digits.replace(/^0[oO]/, ''), 8) : undefined;
    if (mode === undefined || mode > 0o7777) {
      return at.reject(node, `${JSON.stringify(digits)} is not a file mode`, "write it in octal, for example '0644'");
    }
    if (!quoted && /^[1-9]/.test(digits)) {
      at.warn(node, `${digits} is read as octal here, in "stages" it is a decimal number`, `write '0${digits}'`);
    }
    return mode;
  },
};

const groups: Shape<readonly string[]> = {
  ...list(string),
  decode(node, at) {
    if (!isScalar(node)) return list(string).decode(node, at);
    const names = string.decode(node, at)?.split(',') ?? [];
    return names.map((name) => name.trim()).filter((name) => name !== '');
  },
};

/** A line for the shell, or the words of a command, which no shell may take apart. */
const command: Shape<string> = {
  ...text('command'),
  decode(node, at) {
    if (!isSeq(node)) return text('command').decode(node, at);
    return list(string).decode(node, at)?.map(quoteWord).join(' ');
  },
};

const userFields = struct(
  {
    name: string,
    passwd: text('secret'),
    plain_text_passwd: text('secret'),
    hashed_passwd: text('secret'),
    lock_passwd: boolean,
    gecos: string,
    homedir: text('path'),
    no_create_home: boolean,
    primary_group: string,
    groups,
    no_user_group: boolean,
    system: boolean,
    no_log_init: boolean,
    shell: string,
    uid: string,
    ssh_authorized_keys: list(string),
    sudo: ignored('write a file of /etc/sudoers.d with write_files'),
    doas: ignored(),
    ssh_import_id: ignored('"github:NAME" in ssh_authorized_keys fetches the keys of an account'),
    ssh_redirect_user: ignored(),
    expiredate: ignored(),
    inactive: ignored(),
    selinux_user: ignored(),
    create_groups: ignored(),
    snapuser: ignored(),
    coreos_ssh_import_github: ignored(),
    coreos_ssh_import_github_users: ignored(),
    coreos_ssh_import_url: ignored(),
  },
  { 'lock-passwd': 'lock_passwd', homeDir: 'homedir' },
);

/** One account; a name alone is one too, and `default`, cloud-init's own account, is none. */
const user: Shape<CloudUser> = {
  what: 'an account',
  form: userFields.form,
  empty: () => ({ name: '', user: {}, keys: [] }),
  decode(node, at) {
    if (isScalar(node)) return { name: string.decode(node, at) ?? '', user: {}, keys: [] };
    const fields = userFields.decode(node, at);
    if (fields === undefined) return undefined;
    if (!fields.name) return at.reject(node, 'an account without a name', 'add "name: …"');
    return account(fields.name, fields);
  },
};

/** Of several passwords the one that says most about itself counts. */
function account(login: string, fields: NonNullable<ReturnType<typeof userFields.decode>>): CloudUser {
  const { name: _, passwd, plain_text_passwd, hashed_passwd, ssh_authorized_keys: keys = [], ...given } = fields;
  const password = hashed_passwd ?? plain_text_passwd ?? passwd;
  return { name: login, user: { ...given, ...(password === undefined ? {} : { passwd: password }) }, keys };
}

const users: Shape<readonly CloudUser[]> = {
  ...list(user),
  decode(node, at) {
    if (!isMap(node))
      return eachUsable(user)
        .decode(node, at)
        ?.filter(({ name }) => name !== 'default' && name !== '');
    at.warn(node, 'a mapping of names is read as a list of accounts', 'write "- name: …" for each');
    return freeEntries(node, at).flatMap(({ key, value }) => {
      const before = at.errors;
      const fields = at.key(key).value(userFields, value);
      return fields === undefined || at.errors > before ? [] : [account(key, fields)];
    });
  },
};

const writeFile = struct(
  {
    path: text('path'),
    content,
    encoding: text('encoding'),
    owner: string,
    permissions: octalDigits,
    append: boolean,
    defer: ignored('files are always written after the users are there'),
    source: ignored('use "downloads" of a step'),
  },
  { permission: 'permissions', permsisions: 'permissions', ownerstring: 'owner', owner_string: 'owner' },
);

/** The keys of a `#cloud-config` file that are mapped to steps, with their types. */
export const CLOUD_INIT_FIELDS = {
  hostname: text('hostname'),
  users,
  ssh_authorized_keys: list(string),
  write_files: eachUsable(writeFile),
  milpa_files: eachUsable(writeFile),
  growpart: struct({ mode: string, devices: list(text('path')), ignore_growroot_disabled: ignored() }),
  runcmd: eachUsable(command),
} as const;

/** A word as a POSIX shell takes it literally. */
function quoteWord(word: string): string {
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;
}
