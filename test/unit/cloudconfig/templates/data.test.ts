// The data that a template sees: own properties only, read when they are asked for, and never changed.

import { expect, it } from 'vitest';
import { outcome } from './host.ts';

it('a section is gathered when a template asks for it', async () => {
  const read: string[] = [];
  const data = {
    get cheap() {
      read.push('cheap');
      return { x: 1 };
    },
    get costly() {
      read.push('costly');
      return { x: 2 };
    },
  };
  expect(await outcome('{{ .cheap.x }}{{ .cheap.x }}{{ if false }}{{ .costly.x }}{{ end }}', data)).toBe('11');
  expect(read).toEqual(['cheap']);
});

it.each(['constructor', 'toString', '__proto__', 'hasOwnProperty', 'valueOf'])(
  '%s is a key like any other',
  async (key) => {
    expect(await outcome(`{{ .${key} }} {{ .a.${key} }} {{ .l | len }}`, { a: {}, l: [] })).toBe(
      '<no value> <no value> 0',
    );
    expect(await outcome(`{{ .a.${key} }}`, JSON.parse(`{"a":{"${key}":5}}`))).toBe('5');
  },
);

it('changes stay inside of one rendering', async () => {
  const data = { a: { b: 1 } };
  expect(await outcome('{{ set .a "b" 2 }} {{ .a.b }} {{ unset .a "b" }} {{ .a.b }}', data)).toBe(
    'map[b:2] 2 map[] <no value>',
  );
  expect(data).toEqual({ a: { b: 1 } });
});

it('whole numbers are printed as such, unlike with Go', async () => {
  const data = { size: 1048576, small: 0.00001, half: 1.5, huge: 1e300, negative: -1e6, list: [1e6] };
  const text = '{{ .size }} {{ .small }} {{ .half }} {{ .huge }} {{ .negative }} {{ .list }} {{ toString .size }}';
  expect(await outcome(text, data)).toBe('1048576 1e-05 1.5 1e+300 -1000000 [1000000] 1048576');
  expect(await outcome('{{ printf "%g %e %.0f %v" .size .size .size .size }}', data)).toBe(
    '1.048576e+06 1.048576e+06 1048576 1048576',
  );
});

it('slice takes texts too, as text/template alone has it', async () => {
  expect(await outcome('{{ slice "abcdef" 2 4 }}')).toBe('cd');
});

it('values that templates have no type for are nil', async () => {
  expect(await outcome('{{ .a }}{{ .b }}{{ .c }}', { a: () => 1, b: Symbol('x'), c: undefined })).toBe(
    '<no value><no value><no value>',
  );
  expect(await outcome('{{ .a | add 1 }}', { a: 5n })).toBe('6');
});
