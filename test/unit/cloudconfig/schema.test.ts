// The JSON Schema: it takes the files that work and refuses those that don't, says something about every key, and keeps to
// the keywords that every editor knows.

import { readdirSync, readFileSync } from 'node:fs';
import { CORE_SCHEMA, loadAll, mergeTag } from 'js-yaml';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { CLOUD_INIT_FIELDS } from '../../../src/cloudconfig/cloudinitkeys.ts';
import type { Shape } from '../../../src/cloudconfig/decoding.ts';
import { CLOUD_INIT_TEXTS, STEP_TEXTS } from '../../../src/cloudconfig/descriptions.ts';
import { stageFileSchema } from '../../../src/cloudconfig/schema.ts';
import { STEP_FIELDS } from '../../../src/cloudconfig/stepkeys.ts';

const schema = stageFileSchema();
const reader = z.fromJSONSchema(JSON.parse(JSON.stringify(schema)));
const accepts = (value: unknown) => reader.safeParse(value).success;
const fixtures = new URL('../../fixtures/cloud-config/', import.meta.url);
/** As editors read it: YAML 1.2, merge keys followed, a key given twice reported elsewhere. */
const asEditorsRead = (folder: string, name: string): unknown => {
  const text = readFileSync(new URL(`${folder}/${name}`, fixtures), 'utf8').replace(/^\uFEFF/, '');
  return loadAll(text, { schema: CORE_SCHEMA.withTags(mergeTag) })[0];
};
const step = (keys: unknown) => ({ stages: { boot: [keys] } });

describe('the fixtures', () => {
  it.each(readdirSync(new URL('good', fixtures)).filter((name) => name !== 'install-duplicate-stages.yaml'))(
    'good/%s is accepted',
    (name) => {
      const read = reader.safeParse(asEditorsRead('good', name) ?? null);
      expect(read.success ? [] : read.error.issues).toEqual([]);
    },
  );

  it.each(['stage-as-mapping.yaml', 'stage-names-as-list.yaml', 'text-only.yaml'])('bad/%s is refused', (name) => {
    expect(accepts(asEditorsRead('bad', name))).toBe(false);
  });
});

describe('values', () => {
  it.each([
    ['commands', ['a', 1, null]],
    ['commands', null],
    ['files', [{ path: '/a', permissions: 644 }, { path: '/b', permissions: '0o755' }, { path: '/c' }]],
    ['files', [{ path: '/a', permsisions: 0o600 }]],
    ['directories', [{ path: '/a', owner: 0, group: null }]],
    ['environment', { A: 7, B: true, C: null, D: 'x' }],
    ['users', { bob: null, eve: { lock_passwd: 'yes', uid: 1000 } }],
    ['after', ['a.b', { name: 'c' }]],
    ['layout', { device: { path: '/dev/sda' }, add_partitions: [{ size: '1_000', filesystem: 'xfs' }] }],
    ['systctl', { a: 'b' }],
  ])('%s: %j is accepted', (key, value) => {
    expect(accepts(step({ [key]: value }))).toBe(true);
  });

  it.each([
    ['commands', 'echo'],
    ['commands', { a: 'b' }],
    ['comands', ['echo']],
    ['files', [{ path: '/a', permissions: 'rw-r--r--' }]],
    ['files', [{ path: '/a', encoding: 'base-64' }]],
    ['files', [{ patth: '/a' }]],
    ['directories', [{ path: '/a', owner: 'root' }]],
    ['users', ['bob']],
    ['users', { bob: { lock_passwd: 'maybe' } }],
    ['hostname', ['a']],
    ['datasource', { providers: ['amazon'] }],
    ['layout', { add_partitions: [{ size: -1 }] }],
    ['only_service_manager', 'upstart'],
  ])('%s: %j is refused', (key, value) => {
    expect(accepts(step({ [key]: value }))).toBe(false);
  });

  it('a #cloud-config file', () => {
    const file = {
      hostname: 'a',
      users: ['default', { name: 'bob', groups: 'a, b', sudo: 'ALL' }],
      write_files: [{ path: '/a', permissions: '0644', append: true }],
      runcmd: ['a', ['b', 'c']],
    };
    expect(accepts(file)).toBe(true);
    expect(accepts({ ...file, users: { bob: {} } })).toBe(false);
  });

  it('keys that other tools keep at the top, known or not, are none of its business', () => {
    expect(accepts({ install: { device: '/dev/sda' }, k3s: { enabled: true }, mine: [1] })).toBe(true);
  });
});

describe('texts', () => {
  const places = (fields: Readonly<Record<string, Shape<unknown>>>, prefix = ''): string[] =>
    Object.entries(fields).flatMap(([key, shape]) => {
      const place = prefix === '' ? key : `${prefix}.${key}`;
      return [place, ...inner(shape, place)];
    });
  const inner = ({ form }: Shape<unknown>, place: string): string[] => {
    if (form.kind === 'struct') return places(form.fields, place);
    if (form.kind === 'list') return inner(form.of, `${place}[]`);
    return form.kind === 'map' ? inner(form.of, `${place}{}`) : [];
  };

  it('every key of a step has one', () => {
    expect(places(STEP_FIELDS).filter((place) => STEP_TEXTS[place] === undefined)).toEqual([]);
  });

  it.each([
    ['steps', STEP_FIELDS, STEP_TEXTS],
    ['#cloud-config', CLOUD_INIT_FIELDS, CLOUD_INIT_TEXTS],
  ])('of %s: none is about a key that is not there', (_what, fields, texts) => {
    const known = places(fields);
    const ofItems = (place: string) => known.includes(place.replace(/(?:\[\]|\{\})$/, ''));
    expect(Object.keys(texts).filter((place) => !known.includes(place) && !ofItems(place))).toEqual([]);
  });

  it('each is one or more sentences', () => {
    for (const text of Object.values({ ...STEP_TEXTS, ...CLOUD_INIT_TEXTS })) expect(text).toMatch(/\.$/);
  });
});

it('only keywords that every draft since 7 has, and those of VS Code', () => {
  const known = new Set(
    `$schema $ref $defs title description type properties additionalProperties items anyOf enum pattern minimum maximum
    examples default deprecated deprecationMessage doNotSuggest`.split(/\s+/),
  );
  const found = new Set<string>();
  const visit = (node: unknown): void => {
    if (typeof node !== 'object' || node === null) return;
    for (const [keyword, value] of Object.entries(node)) {
      found.add(keyword);
      if (keyword === 'properties' || keyword === '$defs') Object.values(value).forEach(visit);
      else if (Array.isArray(value)) value.forEach(visit);
      else visit(value);
    }
  };
  visit(schema);
  expect([...found].filter((keyword) => !known.has(keyword))).toEqual([]);
});
