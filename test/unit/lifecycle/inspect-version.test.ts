// Which version counts as the installed one, and what the labels of two images say before anything is downloaded.

import { describe, expect, test } from 'vitest';
import { openLayout } from '../../../src/image/layout.ts';
import { parseOsRelease } from '../../../src/lifecycle/bootable.ts';
import { installedVersion, recoveryVersion, refuseOlderImage } from '../../../src/lifecycle/inspect-version.ts';
import { type SystemVersion, systemVersion, VERSION_LABEL } from '../../../src/lifecycle/version-rule.ts';
import type { Deployment } from '../../../src/slots/state-file.ts';
import { formatState, parseState } from '../../../src/slots/state-file.ts';
import { writeLayers } from '../image/fixture.ts';
import { file } from '../image/tarball.ts';
import { temporaryRoot } from '../stages/temporary-root.ts';

const deployment = (own: Partial<Deployment> = {}): Deployment => ({
  source: 'docker:registry.example/os:v1',
  layers: [],
  uuid: 'u',
  date: '2026-01-01T00:00:00Z',
  fromAction: 'upgrade',
  verified: 'unknown',
  ...own,
});
const running = (own: Partial<Parameters<typeof installedVersion>[0]['booted']> = {}) => ({
  slot: 'active' as const,
  uuid: 'u',
  replaced: false,
  ...own,
});

describe('what os-release says', () => {
  test.each<[string, string, SystemVersion]>([
    ['a distribution', 'ID=debian\nVERSION_ID="12"\n', { id: 'debian', version: '12', from: 'VERSION_ID' }],
    [
      'an image of one',
      'ID=debian\nVERSION_ID="12"\nIMAGE_ID=kiosk\nIMAGE_VERSION=2026.1\n',
      { id: 'kiosk', version: '2026.1', from: 'IMAGE_VERSION' },
    ],
    [
      'an image without a name',
      'ID=debian\nVERSION_ID="12"\nIMAGE_VERSION=7\n',
      { id: 'debian', version: '7', from: 'IMAGE_VERSION' },
    ],
    ['a rolling distribution', 'ID=arch\n', { id: 'arch', version: undefined }],
    ['nothing', '', { id: undefined, version: undefined }],
  ])('%s', (_name, text, wanted) => {
    expect(systemVersion(parseOsRelease(text))).toEqual(wanted);
  });
});

describe('the installed version', () => {
  const root = () => temporaryRoot({ '/etc/os-release': 'ID=demo\nVERSION_ID=3.0\n' });
  test('is what was recorded, also after a round through state.yaml', () => {
    const active = deployment({ os: 'demo', version: '1.10', imageVersion: '5' });
    const { active: read } = parseState(formatState({ active }, '2026-01-01T00:00:00Z'));
    expect(read).toMatchObject({ os: 'demo', version: '1.10', imageVersion: '5' });
    expect(installedVersion({ installed: { active: read ?? active }, booted: running() }, root())).toEqual({
      id: 'demo',
      version: '1.10',
    });
  });

  test('is that of the fallback while the machine runs it: the active system did not work', () => {
    const installed = {
      active: deployment({ os: 'demo', version: '4' }),
      passive: deployment({ os: 'demo', version: '2' }),
    };
    const version = (slot: 'active' | 'passive' | 'recovery') =>
      installedVersion({ installed, booted: { ...running(), slot } }, root())?.version;
    expect([version('active'), version('passive'), version('recovery')]).toEqual(['4', '2', '4']);
  });

  test('is that of the running system where nothing was recorded and it is the active one', () => {
    const installed = { active: deployment() };
    expect(installedVersion({ installed, booted: running() }, root())).toEqual({
      id: 'demo',
      version: '3.0',
      from: 'VERSION_ID',
    });
    for (const booted of [
      running({ replaced: true }),
      { ...running(), slot: 'recovery' as const },
      { ...running(), slot: undefined },
    ]) {
      expect(installedVersion({ installed, booted }, root())).toBeUndefined();
    }
  });
});

test('the recovery system’s version is as recorded, or as it says itself while it runs', () => {
  const root = temporaryRoot({ '/etc/os-release': 'ID=demo\nVERSION_ID=3.0\n' });
  const recorded = deployment({ os: 'demo', version: '2' });
  const inRecovery = { ...running(), slot: 'recovery' as const };
  const version = (own: Parameters<typeof recoveryVersion>[0]) => recoveryVersion(own, root)?.version;
  expect(version({ deployment: recorded, booted: inRecovery })).toBe('2');
  expect(version({ deployment: deployment(), booted: inRecovery })).toBe('3.0');
  expect(version({ deployment: undefined, booted: { ...inRecovery, replaced: true } })).toBeUndefined();
  expect(version({ deployment: deployment(), booted: running() })).toBeUndefined();
});

describe('the labels of two images', () => {
  const judge = async (label: string | undefined, installed: string | undefined, allowDowngrade = false) => {
    const layout = `${temporaryRoot().directory}/layout`;
    await writeLayers(layout, 'v1', [[file('a')]]);
    const image = await openLayout(layout);
    const labels: Record<string, string> = label === undefined ? {} : { [VERSION_LABEL]: label };
    const active = deployment(installed === undefined ? {} : { imageVersion: installed });
    refuseOlderImage(
      { image: { ...image, config: { ...image.config, labels } }, allowDowngrade },
      { installed: { active }, booted: running() },
    );
  };
  test.each<[string | undefined, string | undefined]>([
    ['2', '1'],
    ['1', '1'],
    ['1', undefined],
    [undefined, '1'],
  ])('%s over %s goes on', async (label, installed) => {
    await expect(judge(label, installed)).resolves.toBeUndefined();
  });
  test('1.9 over 1.10 does not, unless it is told to', async () => {
    await expect(judge('1.9', '1.10')).rejects.toMatchObject({ code: 'HF-TRUST' });
    await expect(judge('1.9', '1.10', true)).resolves.toBeUndefined();
  });
});
