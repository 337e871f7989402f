// The definition as a test's measure: it takes what an API server takes, and notices what that would refuse or drop.

import { expect, test } from 'vitest';
import { definitionOf } from './definition.ts';

const PLAN = {
  apiVersion: 'upgrade.cattle.io/v1',
  kind: 'Plan',
  metadata: { name: 'os', labels: { a: 'b' } },
  spec: { version: 'v2', upgrade: { image: 'registry.example/os' } },
};

test.each(['0.13', '0.20'] as const)('a plan with an image fits the definition of %s', (version) => {
  expect(definitionOf(version)(PLAN)).toEqual([]);
});

test.each([
  ['a field that is none', { ...PLAN.spec, env: [] }],
  ['a version that is a number', { ...PLAN.spec, version: 1.1 }],
  ['no upgrade', { version: 'v2' }],
  ['an unknown field deep inside', { ...PLAN.spec, upgrade: { image: 'a', envs: [{ name: 'A', vale: 'b' }] } }],
  ['a day that is none', { ...PLAN.spec, window: { days: ['samstag'] } }],
])('%s does not', (_what, spec) => {
  expect(definitionOf('0.20')({ ...PLAN, spec })).not.toEqual([]);
});

test('a drain timeout may be a number or a text for newer controllers, a number for older ones', () => {
  const withTimeout = (timeout: unknown) => ({ ...PLAN, spec: { ...PLAN.spec, drain: { timeout } } });
  expect(definitionOf('0.20')(withTimeout('5m'))).toEqual([]);
  expect(definitionOf('0.20')(withTimeout(300))).toEqual([]);
  expect(definitionOf('0.13')(withTimeout(300))).toEqual([]);
  expect(definitionOf('0.13')(withTimeout('5m'))).not.toEqual([]);
});
