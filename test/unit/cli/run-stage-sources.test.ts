// Where run-stage reads stage files: the default places, then what the root's settings name, then the flag.

import { expect, test } from 'vitest';
import { machineRequest } from '../../../src/cli/run-stage.ts';
import type { Event } from '../../../src/system/events.ts';
import { PLAIN } from '../../../src/system/paint.ts';
import { temporaryRoot } from '../stages/temporary-root.ts';

async function sourcesOf(files: Record<string, string>) {
  const said: string[] = [];
  const events = (event: Event) => said.push(event.type === 'notice' ? event.text : '');
  const reporter = { events, result: () => {}, error: () => 1, paint: PLAIN };
  const root = temporaryRoot(files).directory;
  const request = await machineRequest({ reporter }, 'boot', { root, cloudInitPaths: '/flag' });
  return { sources: request.sources, said };
}

const DEFAULT = ['/system/oem', '/oem', '/usr/local/cloud-config'];

test.each<[Record<string, string>, string[]]>([
  [{}, []],
  [{ '/etc/cos/config': 'CLOUD_INIT_PATHS="/a /b"' }, ['/a', '/b']],
  [{ '/etc/elemental/config.yaml': 'cloud-init-paths: [/c]' }, ['/c']],
  [{ '/etc/cos/config': 'CLOUD_INIT_PATHS=/a', '/etc/elemental/config.d/x.yaml': 'cloud-init-paths: [/d]' }, ['/d']],
])('%j', async (files, extra) => {
  expect(await sourcesOf(files)).toEqual({ sources: [...DEFAULT, ...extra, '/flag'], said: [] });
});

test('broken settings are said and stop no stage', async () => {
  const { sources, said } = await sourcesOf({ '/etc/elemental/config.yaml': 'strict: [a]' });
  expect(sources).toEqual([...DEFAULT, '/flag']);
  expect(said).toEqual([
    '/etc/elemental/config.yaml:1: settings are not used: strict must be true or false, not a list',
  ]);
});
