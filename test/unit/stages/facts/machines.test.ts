// The facts of whole machines: each fixture is a tree of the kernel's files with what `.Values` must be of it.

import { mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { load as parse } from 'js-yaml';
import { expect, it } from 'vitest';
import { z } from 'zod';
import { Facts } from '../../../../src/stages/facts.ts';
import { temporaryRoot } from '../temporary-root.ts';
import { renderTable, structure } from './smbios-table.ts';

const directory = new URL('../../../fixtures/machines/', import.meta.url);

const machine = z.strictObject({
  files: z.record(z.string(), z.string()),
  links: z.record(z.string(), z.string()).default({}),
  smbios: z.array(structure).optional(),
  values: z.record(z.string(), z.unknown()),
});

it.each(readdirSync(directory))('%s', (name) => {
  const { files, links, smbios, values } = machine.parse(parse(readFileSync(new URL(name, directory), 'utf8')));
  const root = temporaryRoot(files);
  for (const [path, target] of Object.entries(links)) {
    mkdirSync(dirname(join(root.directory, path)), { recursive: true });
    symlinkSync(target, join(root.directory, path));
  }
  if (smbios !== undefined) {
    mkdirSync(join(root.directory, 'sys/firmware/dmi/tables'), { recursive: true });
    writeFileSync(join(root.directory, 'sys/firmware/dmi/tables/DMI'), renderTable(smbios));
  }
  const data = z.object({ Values: z.record(z.string(), z.unknown()) }).parse(new Facts(root).templateData());
  const { Random, ProtectedID, sysinfo, ...rest } = data.Values;
  expect(rest).toEqual(values);
  expect(sysinfo).toEqual({ version: expect.stringMatching(/^\d/), timestamp: expect.stringMatching(/^20.*Z$/) });
});
