// Whatever a registry does, a pull gives the image itself or an error that says what was wrong, in bounded time, memory
// and number of requests; in both runtimes. Takes about fifteen seconds.

import { randomBytes } from 'node:crypto';
import { mkdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { beforeEach, expect, test } from 'vitest';
import { bunProgram } from '../../../lab/executable.ts';
import { openLayout } from '../../../src/image/layout.ts';
import { unpackLayers } from '../../../src/image/unpack.ts';
import { run } from '../../../src/system/process.ts';
import { temporaryDirectory, writeLayers } from '../../unit/image/fixture.ts';
import { type LocalServer, serveLayout } from '../../unit/image/registry/local-registry.ts';
import { snapshot } from '../../unit/image/snapshot.ts';
import { dir, file } from '../../unit/image/tarball.ts';
import { type HostilePull, pullAll } from './hostile-pulls.ts';
import { HOSTILE, type Parts } from './hostile-registry.ts';

const MAX_REQUESTS = 16;
const MAX_PEAK_BYTES = 400 << 20;

let directory: string;
let parts: Parts;
let expected: ReturnType<typeof snapshot>;
beforeEach(async () => {
  directory = temporaryDirectory();
  const layout = `${directory}/layout`;
  await writeLayers(layout, 'v1', [[dir('.'), file('large', randomBytes(300_000))], [file('small', 'x')]], 'none');
  const image = await openLayout(layout);
  const config: string = JSON.parse(image.manifest.bytes.toString()).config.digest;
  parts = { layout, manifest: image.digest, config, layer: image.layers[0]?.digest ?? '' };
  mkdirSync(`${directory}/expected`);
  await unpackLayers(image, image.layers, `${directory}/expected`);
  expected = snapshot(`${directory}/expected`);
});

test.each(['Node', 'Bun'])(
  'in %s',
  async (runtime) => {
    const pulls: HostilePull[] = [];
    const servers = new Map<string, LocalServer>();
    for (const [at, { name, behave }] of HOSTILE.entries()) {
      const server = await serveLayout(parts.layout, behave(parts));
      servers.set(name, server);
      mkdirSync(`${directory}/${at}`);
      pulls.push({ name, image: `${server.host}/os@${parts.manifest}`, target: `${directory}/${at}` });
    }
    let results: Record<string, string>;
    if (runtime === 'Node') results = await pullAll(pulls);
    else {
      const program = fileURLToPath(new URL('hostile-pulls.ts', import.meta.url));
      const { stdout, stderr } = await run([bunProgram(), program, JSON.stringify(pulls)], { timeoutMs: 100_000 });
      expect(stderr).toBe('');
      const answer: { results: Record<string, string>; peakBytes: number } = JSON.parse(stdout);
      ({ results } = answer);
      expect(answer.peakBytes).toBeLessThan(MAX_PEAK_BYTES);
    }
    expect(results).toEqual(Object.fromEntries(HOSTILE.map(({ name, expected }) => [name, expected])));
    const tooMany = [...servers].filter(([, { requests }]) => requests.length > MAX_REQUESTS).map(([name]) => name);
    expect(tooMany).toEqual([]);
    for (const [at, { name, expected: outcome }] of HOSTILE.entries()) {
      if (outcome === 'ok') expect([name, snapshot(`${directory}/${at}`)]).toEqual([name, expected]);
    }
  },
  120_000,
);
