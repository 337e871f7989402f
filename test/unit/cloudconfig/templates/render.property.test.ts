// Any text whatever: rendering ends, and says what is wrong instead of throwing.

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { topicsByName } from '../../../../src/cloudconfig/templates/functions/catalogue.ts';
import { quote, unquote } from '../../../../src/cloudconfig/templates/language/quotes.ts';
import { formatFloat } from '../../../../src/cloudconfig/templates/printing/floats.ts';
import { bytesOf, bytesOfRunes, isUtf8, runesOf, textOf } from '../../../../src/cloudconfig/templates/values/bytes.ts';
import { render } from './host.ts';

const data = { a: { b: 'text' }, l: [1, 'x', null], n: 65536, s: 'grün', t: true };
/** Slow on purpose, or asking for the network. */
const SLOW = new Set(['bcrypt', 'htpasswd', 'derivePassword', 'genPrivateKey', 'getHostByName']);
const names = [...topicsByName().keys()].filter((name) => !SLOW.has(name));

const words = [
  ...[
    '{{',
    '}}',
    '{{-',
    '-}}',
    ' ',
    '\n',
    '|',
    '(',
    ')',
    '.',
    '.a',
    '.a.b',
    '.l',
    '.nosuch.x',
    '$',
    '$x',
    ':=',
    '=',
    ',',
  ],
  ...['if', 'else', 'end', 'range', 'with', 'define', 'template', 'block', 'break', 'continue', 'nil', 'true'],
  ...['"a"', '"', '`', "'", '\\', '/*', '*/', '0', '-1', '3', '1.5', '0x1f', '1e9', '"%d %v"', 'é', '\0', '{', '}'],
];
const piece = fc.oneof(fc.constantFrom(...words), fc.constantFrom(...names));
const soup = fc.array(piece, { maxLength: 20 }).map((pieces) => pieces.join(' '));
const operand = fc.constantFrom(
  '"a,b"',
  '""',
  '5',
  '-2',
  '1.5',
  'nil',
  'true',
  '.',
  '.a',
  '.l',
  '.n',
  '.nosuch',
  '(list 1 2)',
);
const call = fc
  .tuple(fc.constantFrom(...names), fc.array(operand, { maxLength: 4 }))
  .map(([name, operands]) => [name, ...operands].join(' '));
const calls = fc.array(call, { minLength: 1, maxLength: 3 }).map((stages) => `{{ ${stages.join(' | ')} }}`);

async function survives(text: string): Promise<void> {
  const result = await render(text, data);
  if (result.error === undefined) expect(typeof result.text).toBe('string');
  else expect(result.error).toMatch(/^\d+:\d+: /);
}

describe('never throws and always ends', () => {
  it.each([
    ['any text', fc.string({ unit: 'binary', maxLength: 60 }).map((text) => `{{${text}`), 1500],
    ['any words', soup, 3000],
    ['any words in an action', soup.map((text) => `{{ ${text} }}`), 3000],
    ['any call', calls, 3000],
  ])('%s', async (_, texts, numRuns) => {
    await fc.assert(fc.asyncProperty(texts, survives), { numRuns });
  });
});

it('a text without an opening stays as it is', async () => {
  await fc.assert(
    fc.asyncProperty(fc.string({ unit: 'grapheme' }), async (text) => {
      fc.pre(!text.includes('{{'));
      expect(await render(text)).toEqual({ text, withoutValue: [], damaged: false });
    }),
  );
});

it('texts survive the way through bytes, runes and quotes', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), (text) => {
      const bytes = bytesOf(text);
      expect(textOf(bytes)).toBe(text);
      expect(bytesOfRunes(runesOf(bytes))).toBe(bytes);
      expect(unquote(textOf(quote(bytes)))).toBe(bytes);
      expect(isUtf8(bytes)).toBe(true);
    }),
  );
});

it('bytes that are no UTF-8 survive quotes', () => {
  fc.assert(
    fc.property(fc.uint8Array(), (array) => {
      const bytes = Buffer.from(array).toString('latin1');
      expect(unquote(textOf(quote(bytes)))).toBe(bytes);
    }),
  );
});

it("shortest digits read back the same, and rounded ones are JavaScript's except for ties", () => {
  fc.assert(
    fc.property(fc.double({ noNaN: true, noDefaultInfinity: true }), fc.nat(20), (value, precision) => {
      for (const verb of ['e', 'f', 'g'] as const) expect(Number(formatFloat(value, verb))).toBe(value);
      // More digits than JavaScript would round at, and fewer where there is no tie.
      const digits = 17 + (precision % 3);
      expect(Number(formatFloat(value, 'e', digits))).toBe(value);
      expect(formatFloat(value, 'e', digits).replace('-0.', '0.')).toBe(
        value.toExponential(digits).replace(/e([+-])(\d)$/, 'e$10$2'),
      );
    }),
  );
});
