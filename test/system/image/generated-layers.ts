// Layers as fast-check makes them up: few names, so that entries meet, with every kind of entry and attribute.

import fc from 'fast-check';
import { digestOf } from '../../../src/image/digest.ts';
import { LayerIndexer } from '../../../src/image/layer-indexer.ts';
import { TarReader } from '../../../src/image/tarreader.ts';
import type { LayerIndex } from '../../../src/image/tree-index.ts';
import { treeOf } from '../../../src/image/tree-model.ts';
import { type Member, tarball } from '../../unit/image/tarball.ts';

const part = fc.constantFrom('a', 'b', 'c', 'lib', 'usr', '\xc3\xa9');
const path = fc.array(part, { minLength: 1, maxLength: 3 }).map((parts) => parts.join('/'));
const linkTarget = fc.oneof(
  path,
  path.map((text) => `/${text}`),
  path.map((text) => `../${text}`),
);
const attributes = {
  mode: fc.constantFrom(0o755, 0o644, 0o600, 0o4755, 0o1777, 0o2750),
  uid: fc.constantFrom(0, 0, 0, 7, 65534),
  gid: fc.constantFrom(0, 0, 12),
  mtime: fc.integer({ min: 1_000_000_000, max: 1_000_000_003 }),
};
const content = fc.oneof(
  fc.constantFrom('', 'one', 'two', 'hello'.repeat(400)),
  fc.integer({ min: 0, max: 3 }).map((seed) => Buffer.alloc(70_000, `block ${seed} `)),
);
/** User attributes can't be on links and nodes. */
const xattrs = fc.constantFrom<Record<string, string>>(
  {},
  {},
  {},
  { 'SCHILY.xattr.user.one': 'x' },
  { 'SCHILY.xattr.user.one': 'y', 'SCHILY.xattr.trusted.two': '\x00\x01' },
  {
    'SCHILY.xattr.security.capability':
      '\x01\x00\x00\x02\x00\x04\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00',
  },
);
/** Small and large, the same bytes at different places, and one that ends in a hole. */
const sparse = fc
  .constantFrom(
    { runs: [8192, 5, 40960, 3], size: 65536 },
    { runs: [4096, 3000, 81920, 2000], size: 83920 },
    { runs: [0, 3000, 20480, 2000], size: 65536 },
    { runs: [65536, 70_000, 1 << 20, 8], size: 2 << 20 },
  )
  .map(({ runs, size }) => {
    const stored = runs.reduce((sum, value, index) => sum + (index % 2) * value, 0);
    const content = Buffer.alloc(stored, 'sparse content ');
    return { content, pax: { 'GNU.sparse.map': runs.join(), 'GNU.sparse.size': String(size) } };
  });

const anyMember: fc.Arbitrary<Member> = fc.oneof(
  { weight: 6, arbitrary: fc.record({ name: path, content, pax: xattrs, ...attributes }) },
  {
    weight: 5,
    arbitrary: fc.record({
      name: path,
      flag: fc.constant('5'),
      pax: fc.constantFrom<Record<string, string>>({}, {}, { 'SCHILY.xattr.user.one': 'd' }),
      ...attributes,
    }),
  },
  { weight: 2, arbitrary: fc.record({ name: path, flag: fc.constant('2'), linkName: linkTarget, ...attributes }) },
  { weight: 3, arbitrary: fc.record({ name: path, flag: fc.constant('1'), linkName: path, ...attributes }) },
  { weight: 1, arbitrary: fc.record({ name: path, flag: fc.constant('6'), ...attributes }) },
  {
    weight: 1,
    arbitrary: fc.record({
      name: path,
      flag: fc.constant('3'),
      major: fc.constant(1),
      minor: fc.constantFrom(3, 5),
      ...attributes,
    }),
  },
  { weight: 2, arbitrary: fc.tuple(path, sparse).map(([name, file]) => ({ name, ...file })) },
  { weight: 2, arbitrary: path.map((name) => ({ name: name.replace(/([^/]+)$/, '.wh.$1') })) },
  { weight: 1, arbitrary: path.map((name) => ({ name: `${name}/.wh..wh..opq` })) },
);

/** A layer; entries may be such that the layer is refused. */
export const anyLayer: fc.Arbitrary<Member[]> = fc.array(anyMember, { maxLength: 14 });
export const anyLayers: fc.Arbitrary<Member[][]> = fc.array(anyLayer, { minLength: 1, maxLength: 3 });

/** Leaves out what an unpacker would refuse. */
export function acceptable(layers: readonly (readonly Member[])[]): Member[][] {
  const done: LayerIndex[] = [];
  return layers.map((members) => {
    const kept: Member[] = [];
    for (const member of members) {
      try {
        treeOf([...done, indexOf([...kept, member])]);
        kept.push(member);
      } catch {
        // The next one may be better.
      }
    }
    done.push(indexOf(kept));
    return kept;
  });
}

/** What a layer of these members holds. */
function indexOf(members: readonly Member[]): LayerIndex {
  const reader = new TarReader();
  const indexer = new LayerIndexer({ diffId: digestOf('') });
  for (const event of reader.push(tarball(members))) indexer.handle(event);
  indexer.end();
  return indexer.index ?? { diffId: digestOf(''), entries: [] };
}
