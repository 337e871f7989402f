// Contents of a tree on the disk, read into memory that is used again.

import { writeFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { LocalContents } from '../../../src/image/local-contents.ts';
import type { FileContent } from '../../../src/image/tree-index.ts';
import { treeOf } from '../../../src/image/tree-model.ts';
import { temporaryDirectory } from './fixture.ts';
import { indexOfTar } from './seekable/fixture.ts';
import { noise } from './seekable/members.ts';
import { file, tarball } from './tarball.ts';

const FILES = { a: noise(1, 700_000), b: noise(2, 600_000), c: noise(3, 5000) };

async function contents(): Promise<{ local: LocalContents; of: (name: keyof typeof FILES) => FileContent }> {
  const directory = temporaryDirectory();
  for (const [name, bytes] of Object.entries(FILES)) writeFileSync(`${directory}/${name}`, bytes);
  const tree = treeOf([await indexOfTar(tarball(Object.entries(FILES).map(([name, bytes]) => file(name, bytes))))]);
  const of = (name: keyof typeof FILES) => {
    const content = tree.get(name)?.content;
    if (content === undefined) throw new Error(`no ${name}`);
    return content;
  };
  return { local: new LocalContents(tree, directory), of };
}

test('one file after another is read into the same memory', async () => {
  const { local, of } = await contents();
  const memory = new Set<ArrayBufferLike>();
  for (const name of ['a', 'b', 'c'] as const) {
    const parts: Buffer[] = [];
    for await (const piece of local.read(of(name))) {
      memory.add(piece.buffer);
      parts.push(Buffer.from(piece));
    }
    expect(Buffer.concat(parts).equals(FILES[name])).toBe(true);
  }
  expect(memory.size).toBe(1);
});

test('two files at once, piece by piece, and one that is left in the middle', async () => {
  const { local, of } = await contents();
  const left = local.read(of('c'));
  await left.next();
  const readers = (['a', 'b', 'a'] as const).map((name) => ({ name, stream: local.read(of(name)), at: 0 }));
  for (let open = readers.length; open > 0; ) {
    const pieces = await Promise.all(readers.map(({ stream }) => stream.next()));
    open = pieces.filter(({ done }) => done !== true).length;
    // Only now, when all of them have read.
    for (const [index, reader] of readers.entries()) {
      const piece = pieces[index]?.value;
      if (!Buffer.isBuffer(piece)) continue;
      expect(piece.equals(FILES[reader.name].subarray(reader.at, reader.at + piece.length))).toBe(true);
      reader.at += piece.length;
    }
  }
  expect(readers.map(({ name, at }) => FILES[name].length - at)).toEqual([0, 0, 0]);
  await left.return(undefined);
  const again: Buffer[] = [];
  for await (const piece of local.read(of('c'))) again.push(Buffer.from(piece));
  expect(Buffer.concat(again).equals(FILES.c)).toBe(true);
});
