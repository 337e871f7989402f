// Tar members of all kinds by chance, with contents that chunks can be found in, and that several members share.

import fc from 'fast-check';
import { dir, file, hardlink, type Member, symlink, tarball, whiteout } from '../tarball.ts';

/** Bytes that only their seed decides on; they don't pack well and have no period. */
export function noise(seed: number, length: number): Buffer {
  const bytes = Buffer.alloc(length);
  let state = (seed * 2654435761 + 1) >>> 0;
  for (let at = 0; at < length; at++) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    bytes[at] = state >>> 24;
  }
  return bytes;
}

const contents = fc.oneof(
  fc.constant(Buffer.alloc(0)),
  fc.integer({ min: 1, max: 200 }).map((length) => noise(1, length)),
  fc
    .tuple(fc.integer({ min: 0, max: 3 }), fc.integer({ min: 1, max: 5000 }))
    .map(([seed, length]) => noise(seed, length)),
  fc.integer({ min: 30_000, max: 700_000 }).map((length) => noise(2, length)),
  fc.integer({ min: 1, max: 600_000 }).map((length) => Buffer.alloc(length)),
);

const names = fc
  .integer({ min: 0, max: 12 })
  .map((index) => (index < 6 ? `f${index}` : `d/${'long'.repeat(index * 5)}${index}`));
const times = fc.integer({ min: 0, max: 2_000_000_000 });

const members: fc.Arbitrary<Member> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.tuple(names, contents, times).map(([name, content, mtime]) => file(name, content, { mtime })),
  },
  fc
    .tuple(names, contents)
    .map(([name, content]) =>
      file(name, content, { pax: { mtime: '12.5', 'SCHILY.xattr.user.a': content.subarray(0, 90) } }),
    ),
  names.map((name) => sparseFile(name)),
  names.map((name) => dir(name)),
  fc.tuple(names, names).map(([name, target]) => symlink(name, target)),
  fc.tuple(names, names).map(([name, target]) => hardlink(name, target)),
  names.map((name) => whiteout(`.wh.${name}`)),
  names.map((name) => ({ name, flag: '6' })),
);

/** Whole tar streams. */
export const tarballs: fc.Arbitrary<Buffer> = fc
  .tuple(fc.array(members, { maxLength: 12 }), fc.integer({ min: 0, max: 3 }))
  .map(([list, zeros]) => Buffer.concat([tarball(list), Buffer.alloc(512 * zeros)]));

/** PAX format 1.0: the map stands before the stored bytes. */
function sparseFile(name: string): Member {
  const map = Buffer.alloc(512);
  map.write('2\n0\n700\n100000\n50000\n');
  const content = Buffer.concat([map, noise(4, 50_700)]);
  const pax = {
    'GNU.sparse.major': '1',
    'GNU.sparse.minor': '0',
    'GNU.sparse.name': name,
    'GNU.sparse.realsize': '200000',
  };
  return file(name, content, { pax });
}
