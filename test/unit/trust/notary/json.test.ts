// The strict reader of metadata and the bytes that are signed: the same values as JSON.parse for what is allowed, an error
// for everything else, and an order of keys that is UTF-8's.

import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { canonicalJson } from '../../../../src/trust/notary/canonical.ts';
import { isObject, type Json, JsonError, parseJson } from '../../../../src/trust/notary/json.ts';

const parse = (text: string) => parseJson(Buffer.from(text, 'utf8'));
const canonical = (text: string) => canonicalJson(parse(text)).toString('utf8');

/** Maps as plain objects, without a prototype. */
function plain(value: Json): unknown {
  if (value === null || typeof value !== 'object') return value;
  if (!isObject(value)) return value.map(plain);
  return Object.assign(
    Object.create(null),
    Object.fromEntries([...value].map(([key, member]) => [key, plain(member)])),
  );
}

const document = fc.letrec((tie) => ({
  value: fc.oneof(
    { maxDepth: 5 },
    fc.constant(null),
    fc.boolean(),
    fc.maxSafeInteger().map((number) => number + 0 || 0),
    fc.string({ unit: 'binary' }).filter((text) => !/\p{Surrogate}/u.test(text)),
    fc.array(tie('value'), { maxLength: 5 }),
    fc.dictionary(
      fc.string({ unit: 'grapheme' }).filter((key) => key !== '__proto__'),
      tie('value'),
      { maxKeys: 5 },
    ),
  ),
})).value;

test('what JSON.stringify writes is read as JSON.parse reads it, however it is indented', () => {
  fc.assert(
    fc.property(document, fc.integer({ min: 0, max: 3 }), (value, indent) => {
      const text = JSON.stringify(value, undefined, indent);
      expect(JSON.stringify(plain(parse(text)))).toBe(JSON.stringify(JSON.parse(text)));
    }),
    { numRuns: 300 },
  );
});

test('the canonical form says the same, and is its own canonical form', () => {
  fc.assert(
    fc.property(document, (value) => {
      const text = canonical(JSON.stringify(value));
      // Control characters stay raw in it, which no JSON reader takes: they are escaped again to read it.
      // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
      const readable = text.replace(/[\x00-\x1f]/g, (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, '0')}`);
      expect(canonical(readable)).toBe(text);
    }),
    { numRuns: 300 },
  );
});

test('any bytes are either read or refused', () => {
  fc.assert(
    fc.property(
      fc.oneof(
        fc.uint8Array({ maxLength: 60 }),
        fc.string().map((text) => Buffer.from(text)),
      ),
      (bytes) => {
        try {
          parseJson(bytes);
        } catch (error) {
          expect(error).toBeInstanceOf(JsonError);
        }
      },
    ),
    { numRuns: 500 },
  );
});

describe('canonical text', () => {
  test.each([
    ['{"b":1,"a":[true,false,null]}', '{"a":[true,false,null],"b":1}'],
    ['"\\u003c\\u0026\\u2028\\/\\b"', '"<&\u2028/\b"'],
    ['"\\"\\\\"', '"\\"\\\\"'],
    ['{"\\ud83d\\ude00":1,"\\uffff":2,"a":3}', '{"a":3,"\uffff":2,"😀":1}'],
    ['{"__proto__":1,"constructor":{}}', '{"__proto__":1,"constructor":{}}'],
    [' { } ', '{}'],
    ['-12', '-12'],
  ])('%s', (text, expected) => expect(canonical(text)).toBe(expected));
});

describe('refused', () => {
  test.each([
    '1.0',
    '1e3',
    '-0',
    '01',
    '9007199254740993',
    '{"a":1,"a":2}',
    '{"a":1,"\\u0061":2}',
    '"\\ud800"',
    '"\\ude00\\ud83d"',
    '"\u0001"',
    '"\\x41"',
    '"abc',
    '[1,]',
    '{"a":}',
    "{'a':1}",
    '{a:1}',
    '[1] 2',
    'nul',
    'NaN',
    '',
    '\ufeff{}',
    '['.repeat(33) + ']'.repeat(33),
  ])('%s', (text) => expect(() => parse(text)).toThrow(JsonError));

  test('what is no UTF-8', () => {
    expect(() => parseJson(Buffer.from([0x22, 0xc3, 0x28, 0x22]))).toThrow('it is not UTF-8');
    expect(() => parseJson(Buffer.from([0x22, 0xc0, 0x80, 0x22]))).toThrow('it is not UTF-8');
  });

  test('what would fill the memory', { timeout: 60_000 }, () => {
    expect(() => parse(`[${'[],'.repeat((2 << 20) + 1)}[]]`)).toThrow('it holds too many values');
    expect(parse(`[${'1,'.repeat(1 << 20)}1]`)).toHaveLength((1 << 20) + 1);
  });

  test('but not what is nested as deep as allowed', () => {
    expect(canonical('['.repeat(32) + ']'.repeat(32))).toBe('['.repeat(32) + ']'.repeat(32));
  });
});
