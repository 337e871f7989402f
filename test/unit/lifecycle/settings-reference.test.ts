// The reference of settings names every key that has an effect, and no others.

import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { fileVariables, yamlNames } from '../../../src/lifecycle/settings-names.ts';

const PAGE = readFileSync(new URL('../../../docs/reference/settings.md', import.meta.url), 'utf8');

/** Names in the first column of the tables; `{a,b}` and `….` are written out. */
function documented(): Set<string> {
  const names = new Set<string>();
  const roles = ['efi', 'oem', 'recovery', 'state', 'persistent', 'bootloader'];
  for (const [, column = ''] of PAGE.matchAll(/^\| (`.*?) \|/gm)) {
    for (const [, name = ''] of column.matchAll(/`([^`]+)`/g)) {
      const many = /^install\.partitions\.(?:\{.*\}|…)\.(.*)$/.exec(name)?.[1];
      if (many === undefined) names.add(name.toLowerCase());
      else for (const role of roles) names.add(`install.partitions.${role}.${many}`);
    }
  }
  return names;
}

test('every setting is in the reference, and everything in it is a setting', () => {
  const effective = [...yamlNames()].flatMap(([key, name]) => (typeof name === 'string' ? [] : [key]));
  // Said in a sentence: a system may be a mapping with its uri.
  const expected = effective.filter((key) => !key.endsWith('.uri'));
  expect([...documented()].sort()).toEqual(expected.sort());
});

test('the variables of cOS are there', () => {
  for (const [name, meaning] of fileVariables('cos')) {
    if (typeof meaning !== 'string') expect(PAGE).toContain(`\`${name}\``);
  }
});
