// The text of an entity: YAML that stands for one line of passwd, shadow, group or gshadow. A field that isn't written
// is told apart from an empty one, since the first keeps what the line holds.

import { Decoding, type Shape } from '../../cloudconfig/decoding.ts';
import { ProblemList } from '../../cloudconfig/problem.ts';
import { integer, type Struct, string, struct } from '../../cloudconfig/shapes.ts';
import { YamlError, YamlText } from '../../cloudconfig/yamltext.ts';
import { HoldfastError } from '../../system/errors.ts';

const USER = {
  kind: string,
  username: string,
  password: string,
  uid: integer,
  gid: integer,
  group: string,
  info: string,
  homedir: string,
  shell: string,
};
const SHADOW = {
  kind: string,
  username: string,
  password: string,
  last_changed: string,
  minimum_changed: string,
  maximum_changed: string,
  warn: string,
  inactive: string,
  expire: string,
  reserved: string,
};
const GROUP = { kind: string, group_name: string, password: string, gid: integer, users: string };
const GSHADOW = { kind: string, name: string, password: string, administrators: string, members: string };

export type UserEntity = Struct<typeof USER>;
export type ShadowEntity = Struct<typeof SHADOW>;
export type GroupEntity = Struct<typeof GROUP>;
export type GshadowEntity = Struct<typeof GSHADOW>;

export type Entity =
  | { kind: 'user'; name: string; values: UserEntity }
  | { kind: 'shadow'; name: string; values: ShadowEntity }
  | { kind: 'group'; name: string; values: GroupEntity }
  | { kind: 'gshadow'; name: string; values: GshadowEntity };

export type EntityKind = Entity['kind'];

const KINDS: readonly EntityKind[] = ['user', 'shadow', 'group', 'gshadow'];

export interface ParsedEntity {
  entity: Entity;
  warnings: readonly string[];
}

/** @throws HoldfastError HF-CONFIG with the line in the entity, and never with what it says: that may be a password. */
export function parseEntity(text: string): ParsedEntity {
  const yaml = readYaml(text);
  const { kind = '' } = decode(yaml, struct({ kind: string })).value;
  switch (kind) {
    case 'user': {
      const { value, warnings } = decode(yaml, struct(USER));
      return { entity: { kind, name: required(value.username, 'username'), values: value }, warnings };
    }
    case 'shadow': {
      const { value, warnings } = decode(yaml, struct(SHADOW));
      return { entity: { kind, name: required(value.username, 'username'), values: value }, warnings };
    }
    case 'group': {
      const { value, warnings } = decode(yaml, struct(GROUP));
      return { entity: { kind, name: required(value.group_name, 'group_name'), values: value }, warnings };
    }
    case 'gshadow': {
      const { value, warnings } = decode(yaml, struct(GSHADOW));
      return { entity: { kind, name: required(value.name, 'name'), values: value }, warnings };
    }
    default:
      throw new HoldfastError('HF-CONFIG', kind === '' ? 'the entity has no kind' : `there is no kind "${kind}"`, {
        hint: `kinds are ${KINDS.join(', ')}`,
      });
  }
}

/** What an entity is about, for a plan; undefined when it can't be told before templates are expanded. */
export function describeEntity(text: string): string | undefined {
  try {
    const { kind, name } = parseEntity(text).entity;
    return text.includes('{{') ? undefined : `${kind} ${name}`;
  } catch (error) {
    if (error instanceof HoldfastError) return undefined;
    throw error;
  }
}

function required(name: string | undefined, field: string): string {
  if (name) return name;
  throw new HoldfastError('HF-CONFIG', `the entity has no ${field}`);
}

function readYaml(text: string): YamlText {
  try {
    return new YamlText(text, 'entity');
  } catch (error) {
    if (!(error instanceof YamlError)) throw error;
    const { line, column } = error.location;
    throw new HoldfastError('HF-CONFIG', `the YAML of the entity is broken at its line ${line}, column ${column}`, {
      hint: 'write "entity: |" and one "key: value" per line below it; put values with : # or quotes into quotes',
    });
  }
}

function decode<T>(yaml: YamlText, shape: Shape<T>): { value: T; warnings: readonly string[] } {
  const problems = new ProblemList();
  const at = Decoding.start(yaml, problems);
  const value = at.value(shape, yaml.contents);
  const error = problems.all.find(({ severity }) => severity === 'error');
  if (error !== undefined || value === undefined) {
    const line = error === undefined ? '' : ` (line ${error.location.line} of the entity)`;
    throw new HoldfastError('HF-CONFIG', `${error?.message ?? 'the entity is no mapping'}${line}`);
  }
  return { value, warnings: problems.all.map(({ message }) => message) };
}
