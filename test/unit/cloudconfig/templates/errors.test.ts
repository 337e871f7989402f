// What is said about a broken template: where in the text, and in words that lead to the mistake.

import { describe, expect, it } from 'vitest';
import { checkTemplate } from '../../../../src/cloudconfig/templates/check.ts';
import { outcome, render } from './host.ts';

describe('a text that is no template', () => {
  it.each([
    ['{{ nofunc }}', '1:4: function "nofunc" not defined'],
    ['{{ uper "a" }}', '1:4: function "uper" not defined (did you mean "upper"?)'],
    ['{{ json . }}', '1:4: function "json" not defined'],
    ['a\nb {{ $x }}', '2:6: undefined variable $x'],
    ['grün {{ x }}', '1:9: function "x" not defined'],
    ['{{ if true }}', '1:14: unexpected EOF'],
    ['{{ end }}', '1:4: unexpected "end" in the template'],
    ['{{', '1:3: unclosed action'],
    ['{{ "a }}', '1:4: unterminated quoted string'],
    ['{{/* a', '1:3: unclosed comment'],
    ['{{ /* a */ }}', '1:4: unexpected "/" in command'],
    ['{{ 1i }}', '1:4: complex numbers are not supported: 1i'],
    ['{{ 99999999999999999999 }}', '1:4: integer overflow: "99999999999999999999"'],
    ['{{ 1 | 2 }}', '1:8: non executable command in pipeline stage 2'],
    ['{{ break }}', '1:4: {{break}} outside {{range}}'],
    ['{{ define "a" }}x{{ end }}{{ define "a" }}y{{ end }}', '1:27: multiple definition of template "a"'],
    ['{{ $a, $b := 1 }}', '1:4: too many declarations in command'],
    ['{{ (1 }}', '1:7: unclosed left paren'],
    ['{{ a % b }}', '1:4: function "a" not defined'],
    [`${'{{ if 1 }}'.repeat(300)}`, '1:2004: more than 200 levels of nesting'],
    [`{{ ${'('.repeat(300)} }}`, '1:204: more than 200 levels of nesting'],
  ])('%s', async (text, expected) => {
    expect(await outcome(text)).toBe(expected);
    expect(checkTemplate(text)).toBe(expected);
  });
});

describe('a template that can not be executed', () => {
  it.each([
    ['{{ trunc 4 .MachineID }}', '1:12: <.MachineID>: invalid value; expected string'],
    ['{{ "a" | trunc "b" }}', '1:16: <"b">: expected integer; found "b"'],
    ['{{ upper 5 }}', '1:10: <5>: expected string; found 5'],
    ['{{ upper (list) }}', '1:10: <(list)>: wrong type for value; expected string; got []interface {}'],
    ['{{ upper }}', '1:4: <upper>: wrong number of args for upper: want 1 got 0'],
    ['{{ fail "not here" }}', '1:4: <fail "not here">: error calling fail: not here'],
    ['x\n  {{ index (list 1) 5 }}', '2:6: <index (list 1) 5>: error calling index: index out of range: 5'],
    ['{{ eq 1 1.5 }}', '1:4: <eq 1 1.5>: error calling eq: incompatible types for comparison: int and float64'],
    ['{{ "a".x }}', '1:7: unexpected . after a value'],
    ['{{ (print 1).x }}', `1:4: <(print 1).x>: can't evaluate field x in type string`],
    ['{{ range 1.5 }}{{ end }}', `1:10: <1.5>: range can't iterate over 1.5`],
    ['{{ template "x" }}', '1:1: <{{ template "x" }}>: template "x" not defined'],
    ['{{ div 1 0 }}', '1:4: <div 1 0>: error calling div: runtime error: integer divide by zero'],
    ['{{ call 1 }}', '1:4: <call 1>: error calling call: non-function of type int'],
    [
      '{{ genCA "x" 3 }}',
      '1:4: <genCA "x" 3>: error calling genCA: certificates are not offered here; make them with openssl in "commands"',
    ],
    ['{{ mustFromJson "{" }}', expect.stringMatching(/^1:4: .* error calling mustFromJson: not valid JSON: /)],
  ])('%s', async (text, expected) => {
    expect(await outcome(text)).toEqual(expected);
  });
  it('can be parsed', () => {
    expect(checkTemplate('{{ trunc 4 .MachineID }}')).toBeUndefined();
  });
});

describe('what has no value', () => {
  it.each([
    ["docker ps --format '{{.Names}}'", "docker ps --format '<no value>'", ['{{.Names}}']],
    ['{{ .a.b.c }}{{- .d -}} x {{ .a.b.c }}', '<no value><no value>x <no value>', ['{{ .a.b.c }}', '{{- .d -}}']],
    ['{{ first (list) }}', '<no value>', ['{{ first (list) }}']],
    ['{{ $x := .nosuch }}{{ if .nosuch }}{{ end }}{{ default 1 .nosuch }}', '1', []],
    ['{{ print "<no value>" }}', '<no value>', []],
  ])('%s', async (text, expected, withoutValue) => {
    expect(await render(text)).toEqual({ text: expected, withoutValue, damaged: false });
  });
});

it('a text cut inside of a character is said to be damaged', async () => {
  expect(await render('{{ trunc 1 "é" }}')).toEqual({ text: '\ufffd', withoutValue: [], damaged: true });
});
