import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { cacheDirectory, cached, keyOf, keyOfFiles, pruneCache } from '../../../lab/cache.ts';

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'holdfast-cache-'));
  vi.stubEnv('HOLDFAST_CACHE', directory);
});
afterEach(() => {
  vi.unstubAllEnvs();
  rmSync(directory, { recursive: true, force: true });
});

describe('the cache', () => {
  test('is where HOLDFAST_CACHE says', () => {
    expect(cacheDirectory()).toBe(directory);
  });

  test('makes a thing once', async () => {
    let times = 0;
    const make = async (path: string) => {
      times++;
      writeFileSync(path, 'made');
    };
    expect((await cached('thing', make)).made).toBe(true);
    const second = await cached('thing', make);
    expect(second.made).toBe(false);
    expect(readFileSync(second.path, 'utf8')).toBe('made');
    expect(times).toBe(1);
  });

  test('has nothing under the name when making it failed, and nothing left over', async () => {
    const failing = cached('thing', async (path) => {
      mkdirSync(path);
      writeFileSync(join(path, 'half'), '');
      throw new Error('interrupted');
    });
    await expect(failing).rejects.toThrow('interrupted');
    expect(readdirSync(directory)).toEqual([]);
  });

  test('keeps the newest of several versions', async () => {
    for (const [index, name] of ['a-1', 'a-2', 'a-3', 'b-1'].entries()) {
      mkdirSync(join(directory, name));
      const { utimesSync } = await import('node:fs');
      utimesSync(join(directory, name), index, index);
    }
    await pruneCache(directory, /^a-/, 2);
    expect(readdirSync(directory).sort()).toEqual(['a-2', 'a-3', 'b-1']);
  });
});

describe('a key', () => {
  test('changes with any part, and with how they are divided', () => {
    const keys = [keyOf('a', 'bc'), keyOf('ab', 'c'), keyOf('abc'), keyOf('a', 'b', 'c')];
    expect(new Set(keys).size).toBe(4);
    expect(keyOf('a', 'bc')).toBe(keys[0]);
  });

  test('of files changes with content, name and presence', () => {
    const tree = join(directory, 'tree');
    const keys = [keyOfFiles([tree])];
    mkdirSync(tree);
    keys.push(keyOfFiles([tree]));
    writeFileSync(join(tree, 'a'), '1');
    keys.push(keyOfFiles([tree]));
    writeFileSync(join(tree, 'a'), '2');
    keys.push(keyOfFiles([tree]));
    rmSync(join(tree, 'a'));
    writeFileSync(join(tree, 'b'), '2');
    keys.push(keyOfFiles([tree]));
    expect(new Set(keys).size).toBe(5);
    expect(existsSync(join(tree, 'b'))).toBe(true);
  });
});
