import {
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { version1Files, version2Files, writeDemoFiles } from '../../../lab/demo/content.ts';
import { requestedAccelerator } from '../../../lab/machine/accelerator.ts';
import { servePackages } from '../../../lab/packages/server.ts';

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'holdfast-demo-'));
});
afterEach(() => {
  rmSync(directory, { recursive: true, force: true });
});

describe('the files of the demo system', () => {
  test('name it and its version', () => {
    writeDemoFiles(directory, version1Files(), { timeSeconds: 1000, whiteouts: false });
    const release = readFileSync(join(directory, 'usr/lib/os-release'), 'utf8');
    for (const line of ['PRETTY_NAME="Holdfast demo 1"', 'IMAGE_ID=holdfast-demo', 'IMAGE_VERSION="1"', 'ID=debian']) {
      expect(release.split('\n')).toContain(line);
    }
    expect(lstatSync(join(directory, 'usr/lib/os-release')).mtimeMs).toBe(1_000_000);
    expect(readlinkSync(join(directory, 'etc/systemd/system/apt-daily.timer'))).toBe('/dev/null');
  });

  test('version 2 on top of version 1 has other contents, one file more and one less', () => {
    const options = { timeSeconds: 1000, whiteouts: false };
    writeDemoFiles(directory, version1Files(), options);
    writeDemoFiles(directory, version2Files(), options);
    expect(readdirSync(join(directory, 'usr/share/holdfast-demo')).sort()).toEqual(['new-in-version-2', 'version']);
    expect(readFileSync(join(directory, 'usr/share/holdfast-demo/version'), 'utf8')).toBe('2\n');
  });

  test('as a layer, what is removed is a whiteout', () => {
    writeDemoFiles(directory, version2Files(), { timeSeconds: 1000, whiteouts: true });
    expect(readdirSync(join(directory, 'usr/share/holdfast-demo')).sort()).toEqual([
      '.wh.only-in-version-1',
      'new-in-version-2',
      'version',
    ]);
  });

  test('replace whatever was there, links too', () => {
    mkdirSync(join(directory, 'etc'));
    writeFileSync(join(directory, 'etc/real'), 'real');
    writeDemoFiles(directory, { 'etc/name': { link: 'real' } }, { timeSeconds: 1, whiteouts: false });
    writeDemoFiles(directory, { 'etc/name': { text: 'new' } }, { timeSeconds: 1, whiteouts: false });
    expect(readFileSync(join(directory, 'etc/real'), 'utf8')).toBe('real');
    expect(readFileSync(join(directory, 'etc/name'), 'utf8')).toBe('new');
  });
});

test.each([
  [undefined, undefined],
  ['', undefined],
  ['auto', undefined],
  ['tcg', 'tcg'],
  ['kvm', 'kvm'],
])('HOLDFAST_ACCEL=%s asks for %s', (value, accelerator) => {
  expect(requestedAccelerator(value)).toBe(accelerator);
});

test('an accelerator that nobody knows is refused', () => {
  expect(() => requestedAccelerator('hvf')).toThrow('HOLDFAST_ACCEL is hvf');
});

test('the package server gives out the files of its directory and nothing else', async () => {
  const repository = join(directory, 'repository');
  mkdirSync(repository);
  writeFileSync(join(directory, 'secret'), 'secret');
  writeFileSync(join(repository, 'vim_2-9.0+b1.deb'), 'package');
  const server = await servePackages({ directory: repository });
  const get = async (path: string) => {
    const response = await fetch(`http://127.0.0.1:${server.port}${path}`);
    return [response.status, await response.text()];
  };
  try {
    expect(await get('/./vim_2-9.0%2bb1.deb')).toEqual([200, 'package']);
    expect(await get('/')).toEqual([404, '']);
    expect(await get('/%2e%2e/secret')).toEqual([404, '']);
    expect(await get('/..%2fsecret')).toEqual([404, '']);
    expect(server.requests).toContain('200 /vim_2-9.0+b1.deb');
  } finally {
    await server.close();
  }
});
