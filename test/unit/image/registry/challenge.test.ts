// WWW-Authenticate as registries send it.

import fc from 'fast-check';
import { expect, test } from 'vitest';
import { parseChallenges } from '../../../../src/image/registry/challenge.ts';

const read = (header: string) =>
  parseChallenges(header).map(({ scheme, parameters }) => [scheme, Object.fromEntries(parameters)]);

test.each([
  [
    'Bearer realm="https://auth.docker.io/token",service="registry.docker.io",scope="repository:library/alpine:pull"',
    [
      [
        'bearer',
        {
          realm: 'https://auth.docker.io/token',
          service: 'registry.docker.io',
          scope: 'repository:library/alpine:pull',
        },
      ],
    ],
  ],
  ['Basic realm="Registry Realm"', [['basic', { realm: 'Registry Realm' }]]],
  ['basic realm=plain', [['basic', { realm: 'plain' }]]],
  [
    'Bearer realm="https://r/t", scope="repository:a:pull,push repository:b:pull" , error="insufficient_scope"',
    [
      [
        'bearer',
        { realm: 'https://r/t', scope: 'repository:a:pull,push repository:b:pull', error: 'insufficient_scope' },
      ],
    ],
  ],
  [
    'Negotiate, Basic realm="a, \\"b\\"", Bearer REALM = "https://r/t"',
    [
      ['negotiate', {}],
      ['basic', { realm: 'a, "b"' }],
      ['bearer', { realm: 'https://r/t' }],
    ],
  ],
  [
    'NTLM TlRMTVNTUAAB==, Basic realm="x"',
    [
      ['ntlm', {}],
      ['basic', { realm: 'x' }],
    ],
  ],
  ['Bearer realm="first",realm="second"', [['bearer', { realm: 'first' }]]],
  ['', []],
  [' , ,', []],
  ['"nothing"', []],
  ['Bearer realm="unfinished', [['bearer', {}]]],
])('%s', (header, expected) => {
  expect(read(header)).toEqual(expected);
});

test('no header takes long or makes many', () => {
  const piece = fc.constantFrom('Bearer', 'Basic', ' ', ',', '=', '"', '\\', 'realm', 'a', '\t', '\u0000', 'é');
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 200 }), (pieces) => {
      expect(parseChallenges(pieces.join('')).length).toBeLessThanOrEqual(16);
    }),
  );
  // Quadratic behaviour would take minutes.
  parseChallenges(`Bearer realm="${'\\'.repeat(60_000)}`);
  parseChallenges(`Bearer ${'a=b, '.repeat(10_000)}`);
});

test('what was written is read again', () => {
  const name = fc.stringMatching(/^[a-z]{1,8}$/);
  const challenge = fc.tuple(
    fc.constantFrom('bearer', 'basic', 'digest'),
    fc.uniqueArray(fc.tuple(name, fc.string()), { minLength: 1, maxLength: 4, selector: ([key]) => key }),
  );
  fc.assert(
    fc.property(fc.array(challenge, { maxLength: 4 }), (challenges) => {
      const header = challenges
        .map(([scheme, parameters]) => {
          const list = parameters.map(([key, value]) => `${key}="${value.replace(/["\\]/g, '\\$&')}"`);
          return `${scheme} ${list.join(', ')}`;
        })
        .join(', ');
      // A header has one line.
      fc.pre(!/[\r\n\u2028\u2029]/.test(header));
      expect(read(header)).toEqual(challenges.map(([scheme, parameters]) => [scheme, Object.fromEntries(parameters)]));
    }),
  );
});
