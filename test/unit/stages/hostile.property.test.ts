// 100,000 generated stage files through everything that `validate` does: none makes it throw or hang, each problem has a
// place in the file, and a file that can't be used says so.

import { expect, test } from 'vitest';
import { parseCloudConfig } from '../../../src/cloudconfig/document.ts';
import { examiner } from '../../../src/cloudconfig/examiner.ts';
import { lintDocuments } from '../../../src/stages/lint.ts';
import { Dice, mutatedFileOf, noiseOf, stageFileOf } from './generated-files.ts';

const KINDS = [
  ['stage files with every key', stageFileOf],
  ['real files with pieces changed', mutatedFileOf],
  ["texts of YAML's signs", noiseOf],
] as const;
const DOCUMENTS = {
  'stage files with every key': 40_000,
  'real files with pieces changed': 40_000,
  "texts of YAML's signs": 20_000,
};

test.each(KINDS)(
  '%s',
  (kind, make) => {
    for (let seed = 0; seed < DOCUMENTS[kind]; seed += 1) {
      const text = make(new Dice(seed));
      try {
        check(text);
      } catch (error) {
        throw new Error(`the file that Dice(${seed}) makes:\n${text}`, { cause: error });
      }
    }
  },
  180_000,
);

function check(text: string): void {
  const { document, problems } = parseCloudConfig(text, 'f', examiner);
  const all = [...problems, ...(document === undefined ? [] : lintDocuments([document]))];
  if (document === undefined && !all.some(({ severity }) => severity === 'error')) throw new Error('nothing is said');
  const lines = text.split('\n').length;
  for (const { location, message } of all) {
    const { line, column } = location;
    if (!(line >= 1 && line <= lines && column >= 1)) throw new Error(`"${message}" is at ${line}:${column}`);
  }
}

test('the generator reaches what it is for', () => {
  const texts = Array.from({ length: 300 }, (_, seed) => stageFileOf(new Dice(seed)));
  const documents = texts.map((text) => parseCloudConfig(text, 'f').document);
  expect(documents.filter((document) => document !== undefined).length).toBeGreaterThan(200);
  const keys = new Set(
    documents.flatMap((document) =>
      [...(document?.stages.values() ?? [])].flat().flatMap(({ values }) => Object.keys(values)),
    ),
  );
  expect(keys.size).toBeGreaterThan(25);
});
