// Features: what is listed, what a change of them does, and that no name leads out of the two directories.

import { existsSync, lstatSync, readlinkSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it, test } from 'vitest';
import {
  type FeatureVerb,
  featurePerformers,
  featurePlaces,
  listFeatures,
  planFeatures,
} from '../../../src/lifecycle/features.ts';
import { runStage } from '../../../src/stages/run.ts';
import { silent } from '../../../src/system/events.ts';
import { apply } from '../../../src/system/plan.ts';
import type { Root } from '../../../src/system/root.ts';
import { self, temporaryRoot } from '../stages/temporary-root.ts';

const PLACES = { catalogue: '/system/features', enabled: '/oem/features' };
const STEP = `{directories: [{path: /ran, permissions: 0755, owner: ${self.uid}, group: ${self.gid}}]}`;

const machine = () =>
  temporaryRoot({
    'system/features/k3s.yaml': `name: Kubernetes\nstages: {boot: [${STEP}]}`,
    'system/features/vagrant.yaml': 'stages: {}',
    'system/features/README': 'no feature',
    'oem/features/mine.yaml': 'name: Mine\nstages: {}',
  });

async function change(root: Root, verb: FeatureVerb, ...names: string[]) {
  const plan = planFeatures(verb, names, listFeatures(root, PLACES), PLACES);
  await apply(plan, featurePerformers, { state: { root }, events: silent });
  return plan.changes.map((each) => `${each.name} ${each.change}`);
}

const states = (root: Root) =>
  listFeatures(root, PLACES).map(
    ({ name, enabled, inImage }) => `${name}${enabled ? ' enabled' : ''}${inImage ? '' : ' gone'}`,
  );

it('lists what the image has, what is enabled, and what the owner has put there', () => {
  const root = machine();
  expect(listFeatures(root, PLACES)).toEqual([
    { name: 'k3s', enabled: false, inImage: true, link: 'none', description: 'Kubernetes' },
    { name: 'mine', enabled: true, inImage: false, link: 'file', description: 'Mine' },
    { name: 'vagrant', enabled: false, inImage: true, link: 'none' },
  ]);
});

it('enables by a link into the catalogue, and only once', async () => {
  const root = machine();
  expect(await change(root, 'enable', 'k3s', 'k3s')).toEqual(['k3s enabled']);
  expect(readlinkSync(join(root.directory, 'oem/features/k3s.yaml'))).toBe('/system/features/k3s.yaml');
  expect(await change(root, 'enable', 'k3s')).toEqual(['k3s enabled-already']);
  expect(states(root)).toEqual(['k3s enabled', 'mine enabled gone', 'vagrant']);
});

it('makes the directory of enabled features when it is not there', async () => {
  const root = machine();
  rmSync(join(root.directory, 'oem'), { recursive: true });
  await change(root, 'enable', 'vagrant');
  expect(states(root)).toEqual(['k3s', 'vagrant enabled']);
});

it('runs an enabled feature with its stage, and not one that is disabled again', async () => {
  const root = machine();
  const boot = () => runStage({ stage: 'boot', root, sources: ['/system/oem', '/oem'], events: silent });
  const ran = () => existsSync(join(root.directory, 'ran'));
  await boot();
  expect(ran()).toBe(false);
  await change(root, 'enable', 'k3s');
  expect((await boot()).steps).toHaveLength(1);
  expect(ran()).toBe(true);
  expect(await change(root, 'disable', 'k3s', 'vagrant')).toEqual(['k3s disabled', 'vagrant not-enabled']);
  expect((await boot()).steps).toHaveLength(0);
});

it('a feature that left the image is listed, warned of by the stages without failing them, and can be disabled', async () => {
  const root = machine();
  await change(root, 'enable', 'k3s');
  rmSync(join(root.directory, 'system/features/k3s.yaml'));
  expect(states(root)).toEqual(['k3s enabled gone', 'mine enabled gone', 'vagrant']);
  const result = await runStage({ stage: 'boot', root, sources: ['/oem'], events: silent });
  expect(result.outcome).toBe('skipped');
  expect(result.problems).toMatchObject([
    {
      severity: 'warning',
      message: 'the feature k3s is enabled, but the image has it no more (a link to nothing)',
      hint: 'holdfast feature disable k3s',
    },
  ]);
  expect(await change(root, 'disable', 'k3s')).toEqual(['k3s disabled']);
  expect(states(root)).toEqual(['mine enabled gone', 'vagrant']);
});

it('a link that leads into another catalogue is made anew', async () => {
  const root = machine();
  const link = join(root.directory, 'oem/features/k3s.yaml');
  symlinkSync('/elsewhere/k3s.yaml', link);
  expect(await change(root, 'enable', 'k3s')).toEqual(['k3s enabled']);
  expect(readlinkSync(link)).toBe('/system/features/k3s.yaml');
});

it('never removes or replaces a file of the owner', async () => {
  const root = machine();
  writeFileSync(join(root.directory, 'oem/features/k3s.yaml'), 'stages: {}');
  expect(await change(root, 'enable', 'k3s')).toEqual(['k3s enabled-already']);
  await expect(change(root, 'disable', 'k3s')).rejects.toThrow(
    '/oem/features/k3s.yaml is a file of its own, not a feature of the image',
  );
  expect(lstatSync(join(root.directory, 'oem/features/k3s.yaml')).isFile()).toBe(true);
});

test.each([
  ['k3z', 'did you mean k3s?'],
  ['harvester', 'the image has k3s, vagrant'],
  ['../../etc/shadow', 'the image has k3s, vagrant'],
  ['/system/features/k3s', 'the image has k3s, vagrant'],
  ['..', 'the image has k3s, vagrant'],
  ['', 'the image has k3s, vagrant'],
])('enabling %j is refused, and so are the names beside it', async (name, hint) => {
  const root = machine();
  await expect(change(root, 'enable', 'vagrant', name)).rejects.toMatchObject({ code: 'HF-USAGE', hint });
  expect(states(root)).toEqual(['k3s', 'mine enabled gone', 'vagrant']);
});

test.each(['../../etc/passwd', 'a/b', '.', '-x'])('disabling %j is refused', async (name) => {
  await expect(change(machine(), 'disable', name)).rejects.toMatchObject({ code: 'HF-USAGE' });
});

test.each([
  ['nothing', {}, '', PLACES],
  ['the environment', { COS_FEATURESDIR: '/f/', OEM_LABELDIR: '/e' }, '', { catalogue: '/f', enabled: '/e/features' }],
  ['the configuration', {}, 'COS_FEATURESDIR="/f"\n', { ...PLACES, catalogue: '/f' }],
  [
    'both',
    { COS_FEATURESDIR: '/mine' },
    'COS_FEATURESDIR=/f\nOEM_LABELDIR=/e',
    { catalogue: '/mine', enabled: '/e/features' },
  ],
  ['its older name', { COS_OEMDIR: '/e' }, '', { ...PLACES, enabled: '/e/features' }],
  ['empty words', { COS_FEATURESDIR: '' }, 'OEM_LABELDIR=', PLACES],
])('the directories by %s', (_, environment, config, places) => {
  expect(featurePlaces(temporaryRoot({ 'etc/cos/config': config }), environment)).toEqual(places);
});

it('a directory that is no absolute path is refused', () => {
  expect(() => featurePlaces(temporaryRoot(), { OEM_LABELDIR: 'oem' })).toThrow(
    'OEM_LABELDIR must be an absolute path, not "oem"',
  );
});
