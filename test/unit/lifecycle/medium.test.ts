// The systems of installation media, and where a downloaded ISO goes.

import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { fetchIso } from '../../../src/lifecycle/fetch-iso.ts';
import { liveRecovery, liveSystem } from '../../../src/lifecycle/medium.ts';
import { UndoStack } from '../../../src/system/plan.ts';
import { temporaryRoot } from '../stages/temporary-root.ts';

test('the system of the running medium, if there is one', async () => {
  const { directory } = temporaryRoot();
  expect(liveSystem(join(directory, 'rootfsbase'))).toBeUndefined();
  mkdirSync(join(directory, 'rootfsbase'));
  expect(liveSystem(join(directory, 'rootfsbase'))).toBeUndefined();
  writeFileSync(join(directory, 'rootfsbase/etc'), '');
  expect(liveSystem(join(directory, 'rootfsbase'))).toBe(`dir:${directory}/rootfsbase`);
  expect(await liveRecovery(directory)).toBeUndefined();
  writeFileSync(join(directory, 'recovery.squashfs'), 'no squashfs');
  await expect(liveRecovery(directory)).rejects.toThrow('holds nothing that is known, not a recovery system');
});

async function serve(body: Buffer, announce: number): Promise<string> {
  const server = createServer((_, response) => {
    response.setHeader('content-length', announce);
    response.end(body);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => {
    server.close();
  });
  const address = server.address() as AddressInfo;
  return `http://127.0.0.1:${address.port}/os.iso`;
}

test('an ISO goes where there is room, and is gone afterwards', async () => {
  const { directory } = temporaryRoot();
  const undo = new UndoStack();
  const url = await serve(Buffer.from('an iso'), 6);
  const { signal } = new AbortController();
  const file = await fetchIso(url, { undo, signal, directories: ['/nowhere', directory] });
  expect(file.startsWith(`${directory}/`)).toBe(true);
  expect(readFileSync(file, 'utf8')).toBe('an iso');
  expect(await undo.unwind(false)).toEqual([]);
  expect(() => readFileSync(file)).toThrow('ENOENT');
});

test('an ISO that is elsewhere: who has to know is told where', async () => {
  const { directory } = temporaryRoot();
  const there = await serve(Buffer.from('an iso'), 6);
  const server = createServer((_, response) => response.writeHead(302, { location: there }).end());
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => {
    server.close();
  });
  const addresses: string[] = [];
  await fetchIso(`http://127.0.0.1:${(server.address() as AddressInfo).port}/os.iso`, {
    undo: new UndoStack(),
    signal: new AbortController().signal,
    directories: [directory],
    onAddress: (url) => addresses.push(url),
  });
  expect(addresses).toEqual([there]);
});

test('an ISO for which there is no room is refused with the figures before it comes', async () => {
  const { directory } = temporaryRoot();
  const url = await serve(Buffer.from('an iso'), 2 ** 50);
  const { signal } = new AbortController();
  const fetched = fetchIso(url, { undo: new UndoStack(), signal, directories: [directory] });
  await expect(fetched).rejects.toMatchObject({
    code: 'HF-NO-SPACE',
    message: expect.stringMatching(/^there is no room for the ISO, which needs 1024 TiB: \S+ has /),
  });
});
