// The stage files that images carry are examples to others as well: nothing in them may be worth a remark.

import { readdirSync } from 'node:fs';
import { expect, it } from 'vitest';
import { examiner } from '../../../src/cloudconfig/examiner.ts';
import { lintDocuments } from '../../../src/stages/lint.ts';
import { SourceReader } from '../../../src/stages/sources.ts';
import { Root } from '../../../src/system/root.ts';

const os = new URL('../../../os/', import.meta.url).pathname;

it('the stage files of images are validated without a remark', () => {
  const { documents, problems } = new SourceReader(new Root(os), { examiner }).read('/system/oem');
  expect(documents.map(({ file }) => file)).toEqual(
    readdirSync(`${os}system/oem`).map((name) => `/system/oem/${name}`),
  );
  expect([...problems, ...lintDocuments(documents)]).toEqual([]);
});
