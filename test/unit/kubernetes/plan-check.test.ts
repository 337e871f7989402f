// Plans that people write: the examples of cOS' documentation pass as they are, and each known trap is found at its place.

import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { YamlError } from '../../../src/cloudconfig/yamltext.ts';
import { checkPlan } from '../../../src/kubernetes/plan-check.ts';
import type { ControllerVersion } from '../../../src/kubernetes/plan-controller.ts';
import { parseControllerVersion } from '../../../src/kubernetes/plan-controller.ts';
import { itemsOf, readObjects } from '../../../src/kubernetes/plan-yaml.ts';
import { definitionOf } from './definition.ts';

const FIXTURES = join(import.meta.dirname, '../../fixtures/kubernetes');
const EXAMPLE = readFileSync(join(FIXTURES, 'cos-upgrade.yaml'), 'utf8');

function problemsOf(text: string, options: { controller?: ControllerVersion; nodes?: number } = {}): string[] {
  return readObjects(text, 'f')
    .flatMap(itemsOf)
    .flatMap((object) => checkPlan(object, options)?.problems ?? [])
    .map(({ severity, message, location }) => `${severity} ${location.line}:${location.column} ${message}`);
}

test('the example of cOS’ documentation passes as it is, here and in the definitions of old and new controllers', () => {
  expect(problemsOf(EXAMPLE)).toEqual([]);
  expect(problemsOf(EXAMPLE, { controller: [0, 6, 2] })).toEqual([]);
  const [example] = readObjects(EXAMPLE, 'f');
  for (const version of ['0.13', '0.20'] as const) expect(definitionOf(version)(example?.value)).toEqual([]);
});

test('with the drain that is commented out there, it is told that cordon has no effect', () => {
  const drained = EXAMPLE.replace('#  drain:', '  drain:').replace('#    force', '    force');
  expect(problemsOf(drained)).toEqual(['warning 16:3 drain cordons too: cordon has no effect']);
});

const traps = readdirSync(join(FIXTURES, 'traps'));

test.each(traps)('%s has the problem that its first line names, and no other', (name) => {
  const text = readFileSync(join(FIXTURES, 'traps', name), 'utf8');
  const expected = text.slice(2, text.indexOf('\n'));
  const found = problemsOf(text);
  expect(found).toHaveLength(1);
  expect(found[0]?.startsWith(expected)).toBe(true);
});

describe('for a controller', () => {
  const withWindow = EXAMPLE.replace(
    '  cordon: true',
    '  cordon: true\n  window: {days: [sat], startTime: "01:00", endTime: "05:00"}',
  );

  test('fields that it doesn’t know are errors, since they would be dropped', () => {
    expect(problemsOf(withWindow, { controller: [0, 13, 4] })).toEqual([
      "error 17:3 controller 0.13.4 doesn't know spec.window: it would be dropped without a word",
    ]);
    expect(problemsOf(withWindow, { controller: [0, 15, 0] })).toEqual([]);
  });

  test.each([
    ['drain: {timeout: 5m}', '0.16.2', '0.16.3'],
    ['secrets: [{name: a, path: b, ignoreUpdates: true}]', '0.13.1', 'v0.13.2'],
    ['postCompleteLabels: {a: b}', '0.19.1', '0.19.2'],
    ['exclusive: true', 'v0.13.1', '0.13.2'],
  ])('%s is known from %s on', (field, before, since) => {
    const text = EXAMPLE.replace('cordon: true', field);
    expect(problemsOf(text, { controller: parseControllerVersion(before) })).toHaveLength(1);
    expect(problemsOf(text, { controller: parseControllerVersion(since) })).toEqual([]);
  });

  test.each(['', 'latest', '0', '1.x', '0.13.4.5'])('%j is no version', (text) => {
    expect(() => parseControllerVersion(text)).toThrow(/no version of the System Upgrade Controller/);
  });
});

test('as many nodes at a time as there are is worth a warning', () => {
  const all = EXAMPLE.replace('concurrency: 1', 'concurrency: 3');
  expect(problemsOf(all, { nodes: 3 })).toEqual([
    'warning 10:3 concurrency 3 with 3 nodes: all of them restart at once',
  ]);
  expect(problemsOf(all, { nodes: 4 })).toEqual([]);
});

describe('a file', () => {
  test('may hold other objects, several plans, and what kubectl get prints', () => {
    const service = 'apiVersion: v1\nkind: Service\nmetadata: {name: a}\n';
    const wrong = EXAMPLE.replace('concurrency: 1', 'concurrency: 0');
    expect(problemsOf(`${service}---\n${EXAMPLE}${wrong}`)).toEqual([
      'warning 36:3 concurrency is 0: the controller chooses no node, and the plan never ends',
    ]);
    const list = `apiVersion: v1\nkind: List\nitems:\n- ${wrong.replace('---\n', '').replaceAll('\n', '\n  ')}`;
    expect(problemsOf(list)).toEqual([
      'warning 12:5 concurrency is 0: the controller chooses no node, and the plan never ends',
    ]);
  });

  test('what an API server adds is no problem', () => {
    const running = `${EXAMPLE}status:\n  applying: [node-1]\n  latestVersion: fleet-sample\n`;
    expect(problemsOf(running.replace('metadata:', 'metadata:\n  uid: a\n  generation: 1'))).toEqual([]);
  });

  test('keys without a value are as if they weren’t there', () => {
    expect(problemsOf(EXAMPLE.replace('cordon: true', 'prepare:'))).toEqual([]);
  });

  test('that is broken says where', () => {
    expect(() => readObjects('---\na: b\n---\na: [b\n', 'f')).toThrow(YamlError);
    try {
      readObjects('---\na: b\n---\na: [b\n', 'f');
    } catch (error) {
      expect(error instanceof YamlError && error.location.line).toBeGreaterThanOrEqual(4);
    }
  });

  test('any text is read or refused, in bounded time', () => {
    fc.assert(
      fc.property(
        fc.array(
          fc.constantFrom(
            '---',
            'a: 1',
            ' - b',
            'kind: Plan',
            'apiVersion: upgrade.cattle.io/v1',
            '&a x',
            '*a',
            '<<: *a',
            'spec:',
            '  x: |',
            '...',
            '{',
            ']',
          ),
        ),
        (lines) => {
          try {
            for (const object of readObjects(lines.join('\n'), 'f').flatMap(itemsOf)) checkPlan(object);
          } catch (error) {
            expect(error).toBeInstanceOf(YamlError);
          }
        },
      ),
      { numRuns: 500 },
    );
  });
});
