// `holdfast pull` from a registry that is slow: killed at fifty moments of the fetch it goes on where it was, and what it
// makes in the end is what an undisturbed pull makes. Takes about half a minute.

import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { ensureExecutable } from '../../../lab/executable.ts';
import { mount, unmount } from '../../../src/system/mounts.ts';
import { run } from '../../../src/system/process.ts';
import { temporaryDirectory, writeLayers } from '../../unit/image/fixture.ts';
import { type Behaviour, blobFile, serveLayout } from '../../unit/image/registry/local-registry.ts';
import { snapshot } from '../../unit/image/snapshot.ts';
import { dir, file, hardlink } from '../../unit/image/tarball.ts';

const KILLS = 50;

let holdfast: string;
beforeAll(async () => {
  holdfast = await ensureExecutable(() => {});
}, 120_000);

let directory: string;
let digest: string;
let layers: { digest: string; size: number }[];
beforeEach(async () => {
  directory = temporaryDirectory();
  // Nothing that could be packed, or there would be little to fetch.
  const system = [
    dir('.'),
    dir('etc'),
    dir('opt'),
    dir('usr'),
    file('usr/large', randomBytes(9 << 20)),
    hardlink('usr/same', 'usr/large'),
  ];
  const upper = [file('usr/other', randomBytes(5 << 20)), file('etc/hostname', 'a')];
  const last = [file('etc/hostname', 'b'), file('opt/data', randomBytes(3 << 20))];
  ({ digest, layers } = await writeLayers(`${directory}/layout`, 'v1', [system, upper, last], 'none'));
});

/** Small parts with a pause after each; tells how much it has sent. */
function slowly(sent: (bytes: number) => void, partBytes = 16 << 10): Behaviour {
  return (request, response) => {
    const layer = layers.find((one) => request.path.endsWith(`/blobs/${one.digest}`));
    if (layer === undefined) return false;
    const bytes = readFileSync(blobFile(`${directory}/layout`, layer.digest));
    const [, first, last] = /^bytes=(\d+)-(\d*)$/.exec(request.headers.range ?? '') ?? [];
    const from = Number(first ?? 0);
    const end = last ? Number(last) + 1 : bytes.length;
    const headers = { 'content-length': end - from, 'content-range': `bytes ${from}-${end - 1}/${bytes.length}` };
    response.writeHead(first === undefined ? 200 : 206, headers);
    const send = (at: number) => {
      if (response.destroyed) return;
      if (at >= end) {
        response.end();
        return;
      }
      const part = bytes.subarray(at, Math.min(end, at + partBytes));
      response.write(part, () => {
        sent(part.length);
        setTimeout(() => send(at + part.length), 1);
      });
    };
    send(from);
    return true;
  };
}

/** The same sequence of numbers below one, each time. */
function random(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
}

test(`killed at ${KILLS} moments of the fetch, it resumes, and the result is identical`, async () => {
  let budget = Number.POSITIVE_INFINITY;
  let victim: ReturnType<typeof spawn> | undefined;
  const server = await serveLayout(
    `${directory}/layout`,
    slowly((bytes) => {
      budget -= bytes;
      if (budget <= 0) victim?.kill('SIGKILL');
    }),
  );
  const name = `docker:${server.host}/os/base@${digest}`;
  const total = layers.reduce((sum, { size }) => sum + size, 0);
  const next = random(6);
  const signals: (string | null)[] = [];
  for (let kill = 0; kill < KILLS; kill += 1) {
    // In all, the kills use up most of the image.
    budget = Math.ceil((next() * 1.6 * total) / KILLS);
    victim = spawn(holdfast, ['pull', '--resume', name, `${directory}/killed`], { stdio: 'ignore' });
    const [, signal]: (string | null)[] = await once(victim, 'exit');
    signals.push(signal ?? null);
    expect(existsSync(`${directory}/killed`)).toBe(false);
  }
  expect(signals).toEqual(Array(KILLS).fill('SIGKILL'));
  budget = Number.POSITIVE_INFINITY;
  const last = await run([holdfast, 'pull', '--resume', name, `${directory}/killed`]);
  expect(last).toMatchObject({ status: 0 });
  expect(last.stdout).toMatch(/layer sha256:[0-9a-f]{12}: \d+ of \d+ bytes are here already/);

  // Each request for a layer begins where the one before had come to, or behind that, and the last ones far behind.
  let continued = 0;
  for (const layer of layers) {
    const starts = server.requests
      .filter(({ path, headers }) => path.endsWith(layer.digest) && !/-\d+$/.test(headers.range ?? ''))
      .map(({ headers }) => Number(/\d+/.exec(headers.range ?? '')?.[0] ?? 0));
    expect(starts).toEqual([...starts].sort((a, b) => a - b));
    continued += starts.at(-1) ?? 0;
  }
  expect(continued).toBeGreaterThan(total / 4);

  const undisturbed = await run([holdfast, 'pull', `oci-layout:${directory}/layout:v1`, `${directory}/whole`]);
  expect(undisturbed).toMatchObject({ status: 0 });
  expect(snapshot(`${directory}/killed`)).toEqual(snapshot(`${directory}/whole`));
  // Nothing is left beside it.
  expect(readdirSync(directory).sort()).toEqual(['killed', 'layout', 'whole']);
}, 240_000);

describe('a pull', () => {
  const local = () => `oci-layout:${directory}/layout:v1`;
  const pull = (...args: string[]) => run([holdfast, 'pull', ...args]);

  test('that is interrupted leaves what was fetched with --resume, and nothing without it', async () => {
    for (const [args, left] of [
      [[], ['layout']],
      [['--resume'], ['.out.holdfast-pull', 'layout']],
    ] as const) {
      let victim: ReturnType<typeof spawn> | undefined;
      let sent = 0;
      const server = await serveLayout(
        `${directory}/layout`,
        slowly((bytes) => {
          sent += bytes;
          if (sent > 1 << 20) victim?.kill('SIGTERM');
        }),
      );
      const name = `docker:${server.host}/os/base@${digest}`;
      victim = spawn(holdfast, ['pull', ...args, name, `${directory}/out`], { stdio: 'ignore' });
      expect((await once(victim, 'exit'))[0]).toBe(130);
      expect(readdirSync(directory).sort()).toEqual(left);
    }
    const kept = `${directory}/.out.holdfast-pull`;
    expect(existsSync(`${kept}/tree`)).toBe(false);
    expect(readdirSync(`${kept}/fetched`).filter((path) => path.endsWith('.part'))).toHaveLength(3);
  });

  test('replaces an empty directory, and nothing else', async () => {
    mkdirSync(`${directory}/empty`);
    expect(await pull(local(), `${directory}/empty`)).toMatchObject({ status: 0 });
    expect(readFileSync(`${directory}/empty/etc/hostname`, 'utf8')).toBe('b');
    const again = await pull(local(), `${directory}/empty`);
    expect(again).toMatchObject({ status: 47, stderr: expect.stringContaining(`${directory}/empty is not empty`) });
    writeFileSync(`${directory}/file`, '');
    expect(await pull(local(), `${directory}/file`)).toMatchObject({ status: 47 });
    expect(await pull(local(), `${directory}/gone/below`)).toMatchObject({
      status: 47,
      stderr: expect.stringContaining(`${directory}/gone is not a directory`),
    });
  });

  test('into a mounted file system unpacks in place', async () => {
    mkdirSync(`${directory}/disk`);
    await mount('tmpfs', `${directory}/disk`, { type: 'tmpfs', options: ['size=64m'] });
    try {
      expect(await pull('--resume', local(), `${directory}/disk`)).toMatchObject({
        status: 1,
        stderr: expect.stringContaining("a pull into it can't be continued"),
      });
      expect(await pull(local(), `${directory}/disk`)).toMatchObject({ status: 0 });
      expect(readdirSync(`${directory}/disk`).sort()).toEqual(['etc', 'opt', 'usr']);
    } finally {
      await unmount(`${directory}/disk`);
    }
  });

  test('waits for nobody for long: two into the same directory', async () => {
    mkdirSync(`${directory}/.out.holdfast-pull`, { mode: 0o700 });
    const holder = spawn('flock', ['--no-fork', `${directory}/.out.holdfast-pull`, 'sh', '-c', 'echo held; cat'], {
      stdio: ['pipe', 'pipe', 'ignore'],
    });
    await once(holder.stdout, 'data');
    const second = await pull(local(), `${directory}/out`);
    holder.stdin.end();
    await once(holder, 'exit');
    expect(second).toMatchObject({ status: 92, stderr: expect.stringContaining('is locked by another process') });
    expect(await pull(local(), `${directory}/out`)).toMatchObject({ status: 0 });
  });

  test('says what it would do', async () => {
    const planned = await pull('--dry-run', '--json', local(), `${directory}/out`);
    const result = JSON.parse(planned.stdout.trim().split('\n').at(-1) ?? '');
    expect(result.plan.actions.map(({ kind }: { kind: string }) => kind)).toEqual(['prepare', 'unpack', 'place']);
    expect(readdirSync(directory)).toEqual(['layout']);
  });
});
