// Order of the steps of one source: by file and position, `after` honoured where it can be, and no step ever lost.

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type CloudConfig, parseCloudConfig } from '../../../src/cloudconfig/document.ts';
import { orderSteps } from '../../../src/stages/order.ts';

function documentOf(file: string, steps: readonly object[], name?: string): CloudConfig {
  const { document } = parseCloudConfig(JSON.stringify({ ...(name && { name }), stages: { s: steps } }), file);
  if (document === undefined) throw new Error('the test document is broken');
  return document;
}

function order(...documents: CloudConfig[]) {
  const { steps, problems } = orderSteps(documents, 's');
  return {
    steps: steps.map(({ file, index, values }) => values.name ?? `${file}.${index}`).join(' '),
    problems: problems.map(({ message }) => message),
  };
}

describe('steps without after', () => {
  it('keep the order of files and positions, also over a file without the stage', () => {
    const empty = parseCloudConfig('name: x', 'b').document;
    const documents = [documentOf('a', [{}, {}]), ...(empty ? [empty] : []), documentOf('c', [{}])];
    expect(order(...documents)).toEqual({ steps: 'a.0 a.1 c.0', problems: [] });
  });
  it('are all kept when names are equal, in one file and over files', () => {
    const twins = [{ name: 'setup' }, { name: 'setup' }];
    expect(order(documentOf('a', twins, 'A'), documentOf('b', twins, 'A'), documentOf('c', twins, 'A')).steps).toBe(
      'setup setup setup setup setup setup',
    );
  });
});

describe('after', () => {
  const later = (after: string[]) => documentOf('a', [{ name: 'first', after }, { name: 'second' }], 'A');
  it.each([
    ['DOCUMENT.STEP', 'B.third'],
    ['FILE.STEP', '/b.yaml.third'],
    ['DOCUMENT.STEP.INDEX', 'B.third.0'],
    ['DOCUMENT.INDEX', 'B.0'],
    ['a bare step name', 'third'],
    ['a bare document name', 'B'],
  ])('%s makes a step wait', (_what, name) => {
    expect(order(later([name]), documentOf('/b.yaml', [{ name: 'third' }], 'B'))).toEqual({
      steps: 'second third first',
      problems: [],
    });
  });
  it.each(['/b.yaml.0', '/b.yaml..0'])('%s names the first of several unnamed steps', (name) => {
    expect(order(later([name]), documentOf('/b.yaml', [{}, {}])).steps).toBe('second /b.yaml.0 first /b.yaml.1');
  });
  it('a bare name that several steps have names none of them', () => {
    const twice = documentOf('b', [{ name: 'third' }, { name: 'third' }], 'B');
    expect(order(later(['third']), twice)).toEqual({
      steps: 'first second third third',
      problems: ['"after: third" names no step that is known here; it is ignored'],
    });
  });
  it('a full name that several steps have waits for all of them', () => {
    const twice = documentOf('b', [{ name: 'third' }, { name: 'third' }], 'B');
    expect(order(later(['B.third']), twice).steps).toBe('second third third first');
  });
  it('the step itself is ignored with a warning', () => {
    expect(order(later(['A.first']))).toEqual({
      steps: 'first second',
      problems: ['"after: A.first" names the step itself; it is ignored'],
    });
  });
  it('a circle is told with its path and broken at the first step in file order', () => {
    const circle = documentOf(
      'a',
      [
        { name: 'x', after: ['z'] },
        { name: 'y', after: ['x'] },
        { name: 'z', after: ['y'] },
      ],
      'A',
    );
    expect(order(circle)).toEqual({
      steps: 'x y z',
      problems: ['"after" goes in a circle (x → z → y → x); this step runs without waiting'],
    });
  });
  it('a step of an earlier source is done already', () => {
    const [earlier, now] = [
      documentOf('a', [{ name: 'x' }], 'A'),
      documentOf('b', [{ name: 'y', after: ['A.x'] }], 'B'),
    ];
    const done = (earlier.stages.get('s') ?? []).map((step) => ({ document: earlier, step }));
    const { steps, problems } = orderSteps([now], 's', done);
    expect([steps.length, problems]).toEqual([1, []]);
  });
});

it('whatever the names say, each step comes exactly once, and without circles no step before its targets', () => {
  const name = fc.constantFrom('a', 'b', 'c', 'A.a', 'A.b', 'B.c', 'A', 'A.0', 'B.1', 'nobody');
  const step = fc.record(
    { name: fc.constantFrom('a', 'b', 'c'), after: fc.array(name, { maxLength: 3 }) },
    { requiredKeys: [] },
  );
  const file = fc.record({ name: fc.constantFrom('A', 'B', 'C'), steps: fc.array(step, { maxLength: 5 }) });
  fc.assert(
    fc.property(fc.array(file, { maxLength: 4 }), (files) => {
      const documents = files.map((entry, index) => documentOf(`/${index}.yaml`, entry.steps, entry.name));
      const all = documents.flatMap((document) => document.stages.get('s') ?? []);
      const { steps, problems } = orderSteps(documents, 's');
      expect(new Set(steps)).toEqual(new Set(all));
      expect(steps).toHaveLength(all.length);
      if (all.every(({ values }) => values.after === undefined)) expect(steps).toEqual(all);
      if (problems.some(({ message }) => message.includes('circle'))) return;
      for (const [position, { values }] of steps.entries()) {
        for (const target of values.after ?? []) {
          const targets = documents.flatMap((document) =>
            (document.stages.get('s') ?? []).filter((other) => `${document.name}.${other.values.name}` === target),
          );
          for (const other of targets)
            if (other !== steps[position]) expect(steps.indexOf(other)).toBeLessThan(position);
        }
      }
    }),
    { numRuns: 500 },
  );
});
