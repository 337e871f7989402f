// The page of a plan as a browser would take it apart, without one: every tag is closed, nothing is loaded, nothing from a
// system is markup, and what the document says is on it.

import { expect, test } from 'vitest';
import { planPage } from '../../../src/preview/page.ts';
import { escapeText, rows } from '../../../src/preview/page-parts.ts';
import { PAGE_STYLE } from '../../../src/preview/page-style.ts';
import { samplePlan } from './sample-plan.ts';

const page = planPage(samplePlan);
const body = page.replace(/<style>[\s\S]*<\/style>/, '');

const VOID = new Set(['meta', 'br', 'wbr']);
const KNOWN = new Set(
  'html head meta title style body header p span h1 ul li a b main div strong pre code section h2 dl dt dd details summary ol h3 i footer'.split(
    ' ',
  ),
);

/** Tags with their attributes, in order; throws where one is closed that isn't open. */
function tags(html: string): { name: string; attributes: string; depth: number }[] {
  const open: string[] = [];
  const found: { name: string; attributes: string; depth: number }[] = [];
  for (const [, slash, name = '', attributes = ''] of html.matchAll(
    /<(\/?)([a-z][a-z0-9]*)((?:\s+[a-z-]+(?:="[^"<>]*")?)*)\s*>/g,
  )) {
    if (slash === '/') {
      const last = open.pop();
      if (last !== name) throw new Error(`</${name}> closes <${last}>`);
      continue;
    }
    found.push({ name, attributes, depth: open.length });
    if (!VOID.has(name)) open.push(name);
  }
  if (open.length > 0) throw new Error(`left open: ${open.join(', ')}`);
  return found;
}

test('every tag is known and closed, and there is no other angle bracket', () => {
  const found = tags(body.replace('<!doctype html>', ''));
  expect(found.filter(({ name }) => !KNOWN.has(name))).toEqual([]);
  const rest = body.replace('<!doctype html>', '').replace(/<\/?[a-z][a-z0-9]*(?:\s+[a-z-]+(?:="[^"<>]*")?)*\s*>/g, '');
  expect(rest).not.toMatch(/[<>]/);
  expect(found.filter(({ name }) => name === 'h1')).toHaveLength(1);
});

test('nothing is loaded and nothing runs', () => {
  expect(page).not.toMatch(/<script|<link|<img|<iframe|<object|@import|url\(|\son[a-z]+=|javascript:/i);
  expect(body.match(/(?:href|src)="[^"]*"/g)?.every((reference) => reference.startsWith('href="#'))).toBe(true);
  expect(page).toContain(`content="default-src 'none'; style-src 'unsafe-inline'"`);
});

test('each link on the page leads to a part of it, and each part has a title', () => {
  const ids = [...body.matchAll(/<section id="([a-z]+)" aria-labelledby="\1-title"><h2 id="\1-title">/g)].map(
    ([, id]) => id,
  );
  expect(ids).toEqual([
    'systems',
    'packages',
    'kernel',
    'units',
    'etc',
    'stages',
    'overlay',
    'writes',
    'cost',
    'applying',
    'files',
  ]);
  const targets = [...body.matchAll(/href="#([a-z]+)"/g)].map(([, id]) => id);
  expect(targets.length).toBeGreaterThan(4);
  expect(targets.filter((id) => !ids.includes(id))).toEqual([]);
});

test('names from packages, steps and files are text', () => {
  expect(body).toContain('&lt;script&gt;alert(1)&lt;/script&gt;');
  expect(body).toContain('tune the kernel &lt;b&gt;');
  expect(escapeText('a\u202eb\x1b[31m"\'&')).toBe('a�b�[31m&quot;&#39;&amp;');
});

test('what the document says is on the page', () => {
  for (const { path } of [...samplePlan.etc.files, ...samplePlan.files.paths]) expect(body).toContain(path);
  for (const { name } of samplePlan.packages.changes) expect(body).toContain(escapeText(name));
  for (const { summary } of samplePlan.apply) expect(body).toContain(escapeText(summary));
  expect(body).toContain('holdfast upgrade --apply 3f9c1ab27d04');
  expect(body).toContain('<meta name="holdfast-plan" content="3f9c1ab27d04">');
  expect(body).toContain('+PermitRootLogin no');
  expect(body).toContain('The content is not shown: it holds secrets.');
});

test('an image that nobody vouches for is told at the top', () => {
  const told = planPage({
    ...samplePlan,
    trust: { verified: false, by: null, words: 'no signature (registry)' },
    warnings: [],
  });
  expect(told).toMatch(/<strong>1 warning<\/strong><ul><li>NOT VERIFIED: no signature \(registry\)/);
  expect(planPage({ ...samplePlan, warnings: [] })).not.toContain('class="notice"');
});

test('a plan in which nothing changes has no empty list', () => {
  const quiet = planPage({
    ...samplePlan,
    packages: { manager: 'dpkg', changes: [] },
    units: [],
    etc: { files: [], omitted: 0 },
    stages: [],
    overlay: null,
    writes: [],
    warnings: [],
    files: { added: 0, removed: 0, changed: 0, contentBytes: 0, paths: [], omitted: 0 },
  });
  expect(quiet).not.toMatch(/<ul class="rows"><\/ul>|<section id="(?:overlay|writes)"/);
  expect(quiet).toContain('no package changes');
  expect(() => tags(quiet.replace(/<style>[\s\S]*<\/style>/, '').replace('<!doctype html>', ''))).not.toThrow();
});

test('both schemes have a value for each colour, and no rule asks for one that there is not', () => {
  const [light = '', dark = ''] = PAGE_STYLE.split('@media (prefers-color-scheme: dark)');
  const names = (text: string) => [...new Set([...text.matchAll(/(--[a-z-]+):/g)].map(([, name]) => name))].sort();
  const colours = names(light);
  expect(names(dark.slice(0, dark.indexOf('\n}\n')))).toEqual(colours);
  const used = [...new Set([...PAGE_STYLE.matchAll(/var\((--[a-z-]+)\)/g)].map(([, name]) => name))];
  expect(used.filter((name) => !colours.includes(name))).toEqual([]);
});

test('a long list shows its beginning, and a rest of a few at once', () => {
  const list = (count: number) =>
    rows(
      Array.from({ length: count }, (_, index) => ({ sign: 'added' as const, name: `n${index}` })),
      5,
      'names',
    );
  expect(list(8)).not.toContain('<details');
  expect(list(9)).toContain('4 more names');
  expect(list(0)).toBe('');
});
