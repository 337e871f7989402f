// Rule files: what they say, and what is wrong with those that say something else.

import { describe, expect, it } from 'vitest';
import { parseRules, ruleFor, takeRule } from '../../../../src/overlay/rebase/rules.ts';

describe('a rule file', () => {
  it('gives winners and what is left behind, first match first', () => {
    const text = `rules:
- path: /usr/share/app/**
  winner: mine
- path: /usr/share/**
  winner: image
- path: /srv/cache/**
  carry: false
- path: /srv/é
  winner: mine
`;
    const rules = parseRules(text, '/etc/holdfast/overlay.d/a.yaml');
    expect(ruleFor(rules, 'usr/share/app/x', 'winner')).toMatchObject({
      winner: 'user',
      name: '/etc/holdfast/overlay.d/a.yaml#1',
    });
    expect(ruleFor(rules, 'usr/share/other', 'winner')).toMatchObject({ winner: 'new' });
    expect(ruleFor(rules, 'srv/cache/a/b', 'carry')).toMatchObject({ carry: false });
    expect(ruleFor(rules, 'srv/cache/a', 'winner')).toBeUndefined();
    expect(ruleFor(rules, Buffer.from('srv/é', 'utf8').toString('latin1'), 'winner')).toMatchObject({ winner: 'user' });
  });

  it('may be empty', () => {
    expect(parseRules('', 'f')).toEqual([]);
    expect(parseRules('# nothing yet\n\n', 'f')).toEqual([]);
    expect(parseRules('rules: []', 'f')).toEqual([]);
  });

  it.each([
    ['rules: [', 'unexpected end'],
    ['- a', 'it must have a list `rules:`'],
    ['rules: x', '`rules:` must be a list'],
    ['rule: []', '"rule" is not known'],
    ['rules: [x]', 'rule 1 must have a path and a winner'],
    ['rules: [{path: etc, winner: mine}]', 'rule 1: path must be an absolute path'],
    ['rules: [{path: /etc, winner: you}]', 'rule 1: winner must be mine or image'],
    ['rules: [{path: /etc, carry: true}]', 'rule 1: carry can only be false'],
    ['rules: [{path: /etc}]', 'rule 1: it must have one of `winner` and `carry`'],
    ['rules: [{path: /etc, winner: mine, carry: false}]', 'rule 1: it must have one of'],
    ['rules: [{path: /etc, wins: mine}]', 'rule 1: "wins" is not known'],
    [`rules: [${'{path: /a, winner: mine},'.repeat(1001)}]`, 'more than 1000 rules'],
  ])('is refused: %.60s', (text, problem) => {
    expect(() => parseRules(text, 'file.yaml')).toThrow(problem);
  });
});

it('--take is about one path only, whatever bytes it has', () => {
  const rule = takeRule('etc/a.b*\n(', 'new');
  expect(rule.pattern.test('etc/a.b*\n(')).toBe(true);
  expect(rule.pattern.test('etc/axb*\n(')).toBe(false);
  expect(rule.pattern.test('etc/a.b*\n(/x')).toBe(false);
});
