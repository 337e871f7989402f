// `downloads` from a real server: what is there afterwards is the server's file, whole, with the mode that was asked
// for; a second run costs as little as the server allows; and nothing half is ever seen.

import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { runStage } from '../../../../src/stages/run.ts';
import { silent } from '../../../../src/system/events.ts';
import type { Root } from '../../../../src/system/root.ts';
import { failuresOf, runSteps, self, temporaryRoot } from '../temporary-root.ts';

const OLD = 'Wed, 21 Oct 2015 07:28:00 GMT';
const mine = `owner: ${self.uid}, group: ${self.gid}`;

type Answer = (request: IncomingMessage, response: ServerResponse, count: number) => void;

/** A server that gives each request to `answer`; returns its address and the number of requests. */
async function serve(answer: Answer): Promise<{ url: string; count: () => number }> {
  let count = 0;
  const server = createServer((request, response) => answer(request, response, ++count));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, count: () => count };
}

const download = (root: Root, entry: string) => runSteps(root, `- downloads: [{${mine}, ${entry}}]`);
const modeOf = (root: Root, path: string) => (statSync(root.resolve(path)).mode & 0o7777).toString(8);

describe('a download', () => {
  it('is stored with mode and owner, parents are made, and only the file remains', async () => {
    const { url } = await serve((_, response) => response.end('content'));
    const root = temporaryRoot();
    const result = await download(root, `path: /a/b/f, permissions: 0755, url: "${url}/x"`);
    expect(failuresOf(result)).toEqual([]);
    expect(result.problems).toEqual([]);
    expect(result.steps[0]?.changedFiles).toEqual(['/a', '/a/b', '/a/b/f']);
    expect(readFileSync(root.resolve('/a/b/f'), 'utf8')).toBe('content');
    expect([modeOf(root, '/a/b/f'), modeOf(root, '/a/b')]).toEqual(['755', '755']);
    expect(root.list('/a/b')).toEqual(['f']);
  });

  it('follows redirects and asks for the bytes as they are', async () => {
    const { url } = await serve((request, response) => {
      if (request.url === '/from') response.writeHead(302, { location: '/to' }).end();
      else response.end(`${request.url} ${request.headers['accept-encoding']}`);
    });
    const root = temporaryRoot();
    await download(root, `path: /f, permissions: 0644, url: "${url}/from"`);
    expect(readFileSync(root.resolve('/f'), 'utf8')).toBe('/to identity');
  });

  it.each([
    ['the server names it', { 'content-disposition': 'attachment; filename="../../named"' }, '/x', 'named'],
    ['the address names it', {}, '/files/tool%201', 'tool 1'],
  ])('into a directory: %s', async (_, headers, path, name) => {
    const { url } = await serve((__, response) => response.writeHead(200, headers).end('content'));
    const root = temporaryRoot();
    mkdirSync(join(root.directory, 'dir'));
    const result = await download(root, `path: /dir, permissions: 0600, url: "${url}${path}"`);
    expect(failuresOf(result)).toEqual([]);
    expect(root.list('/dir')).toEqual([name]);
    expect(result.steps[0]?.changedFiles).toEqual([`/dir/${name}`]);
    expect([modeOf(root, `/dir/${name}`), modeOf(root, '/dir')]).toEqual(['600', '755']);
  });

  it('a path with a slash at its end is a directory that is made', async () => {
    const { url } = await serve((_, response) => response.end('content'));
    const root = temporaryRoot();
    const result = await download(root, `path: /new/dir/, permissions: 0644, url: "${url}/f"`);
    expect(result.steps[0]?.changedFiles).toEqual(['/new', '/new/dir', '/new/dir/f']);
  });

  it('stays inside the root when its path leads through links', async () => {
    const { url } = await serve((_, response) => response.end('content'));
    const root = temporaryRoot();
    mkdirSync(join(root.directory, 'etc'));
    symlinkSync('/etc/target', join(root.directory, 'link'));
    await download(root, `path: /link, permissions: 0644, url: "${url}/f"`);
    expect(readFileSync(join(root.directory, 'etc/target'), 'utf8')).toBe('content');
  });

  it('fails alone: the others of the list are done', async () => {
    const { url } = await serve((request, response) => response.writeHead(request.url === '/no' ? 404 : 200).end('x'));
    const root = temporaryRoot();
    mkdirSync(join(root.directory, 'dir'));
    const result = await runSteps(
      root,
      `- downloads:
    - {${mine}, path: /a, permissions: 0644, url: "${url}/no"}
    - {${mine}, path: /b, permissions: 0644}
    - {${mine}, permissions: 0644, url: "${url}/x"}
    - {${mine}, path: /c, permissions: 0644, url: "ftp://host/x"}
    - {${mine}, path: /dir, permissions: 0644, url: "${url}/"}
    - {${mine}, path: /e, permissions: 0644, url: "${url}/x"}`,
    );
    expect(failuresOf(result)).toEqual([
      `downloads: ${url}/no answered with status 404; ` +
        'a download without a url (a download needs both, "path: /…" and "url: https://…"); ' +
        'a download without a path (a download needs both, "path: /…" and "url: https://…"); ' +
        'ftp://host/x is no address of a web server (write http://… or https://…); ' +
        `${url}/ gives the file no name (write the whole path of the file, not only its directory)`,
    ]);
    expect(root.list('/')).toEqual(['dir', 'e']);
    expect(root.list('/dir')).toEqual([]);
  });
});

describe('a second run', () => {
  it('a changed file of equal size is updated, also within the same second', async () => {
    let content = 'aaaa';
    const now = new Date().toUTCString();
    const { url } = await serve((_, response) => response.writeHead(200, { 'last-modified': now }).end(content));
    const root = temporaryRoot();
    const entry = `path: /f, permissions: 0644, url: "${url}/f"`;
    await download(root, entry);
    content = 'bbbb';
    expect((await download(root, entry)).steps[0]?.changedFiles).toEqual(['/f']);
    expect(readFileSync(root.resolve('/f'), 'utf8')).toBe('bbbb');
  });

  it.each([
    ['with a time of change, without reading the file', { 'last-modified': OLD }, 'head'],
    ['without one, by comparing', {}, 'body'],
  ])('the same file changes nothing: %s', async (_, headers, second) => {
    const body = Buffer.alloc(3 << 20, 'x');
    const { url, count } = await serve((__, response, number) => {
      response.writeHead(200, { ...headers, 'content-length': body.length });
      // Who waits for this body waits in vain.
      if (number === 2 && second === 'head') response.flushHeaders();
      else response.end(body);
    });
    const root = temporaryRoot();
    const entry = `path: /f, permissions: 0644, timeout: 4, url: "${url}/f"`;
    await download(root, entry);
    const before = statSync(root.resolve('/f'));
    const again = await download(root, entry);
    expect(failuresOf(again)).toEqual([]);
    expect(again.steps[0]?.changedFiles).toEqual([]);
    expect(statSync(root.resolve('/f')).ino).toBe(before.ino);
    expect(count()).toBe(2);
    expect(root.list('/')).toEqual(['f']);
  });

  it('a file that was changed here is fetched again', async () => {
    const { url } = await serve((_, response) => response.writeHead(200, { 'last-modified': OLD }).end('aaaa'));
    const root = temporaryRoot();
    const entry = `path: /f, permissions: 0644, url: "${url}/f"`;
    await download(root, entry);
    writeFileSync(root.resolve('/f'), 'mine');
    expect((await download(root, entry)).steps[0]?.changedFiles).toEqual(['/f']);
    expect(readFileSync(root.resolve('/f'), 'utf8')).toBe('aaaa');
  });

  it('only the mode is put right where the content is', async () => {
    const { url } = await serve((_, response) => response.writeHead(200, { 'last-modified': OLD }).end('aaaa'));
    const root = temporaryRoot();
    await download(root, `path: /f, permissions: 0644, url: "${url}/f"`);
    const { ino } = statSync(root.resolve('/f'));
    const result = await download(root, `path: /f, permissions: 0750, url: "${url}/f"`);
    expect(result.steps[0]?.changedFiles).toEqual(['/f']);
    expect(modeOf(root, '/f')).toBe('750');
    expect(statSync(root.resolve('/f')).ino).toBe(ino);
  });
});

describe('trouble', () => {
  it('a transfer that breaks off is tried again, and the old file is there meanwhile', async () => {
    const root = temporaryRoot({ f: 'old' });
    const seen: string[][] = [];
    const { url, count } = await serve((_, response, number) => {
      seen.push(root.list('/').map((name) => (name === 'f' ? readFileSync(root.resolve('/f'), 'utf8') : name)));
      response.writeHead(200, { 'content-length': 8 });
      response.write('1234');
      if (number === 1) setTimeout(() => response.destroy(), 50);
      else response.end('5678');
    });
    const result = await download(root, `path: /f, permissions: 0644, url: "${url}/f"`);
    expect(failuresOf(result)).toEqual([]);
    expect(count()).toBe(2);
    expect(readFileSync(root.resolve('/f'), 'utf8')).toBe('12345678');
    expect(seen[1]?.filter((name) => name === 'old')).toEqual(['old']);
    expect(root.list('/')).toEqual(['f']);
  });

  it('a server that takes too long leaves the old file', async () => {
    const { url, count } = await serve((_, response, number) => {
      if (number === 1) response.writeHead(200, { 'content-length': 8 }).write('1234');
      else response.writeHead(410).end();
    });
    const root = temporaryRoot({ f: 'old' });
    const result = await download(root, `path: /f, permissions: 0644, timeout: 1, url: "${url}/f"`);
    expect(failuresOf(result)).toEqual([`downloads: ${url}/f answered with status 410`]);
    expect(count()).toBe(2);
    expect(readFileSync(root.resolve('/f'), 'utf8')).toBe('old');
    expect(root.list('/')).toEqual(['f']);
  });

  it('an interruption leaves the old file and nothing else', async () => {
    const controller = new AbortController();
    const { url } = await serve((_, response) => {
      response.writeHead(200, { 'content-length': 8 }).write('1234', () => controller.abort());
    });
    const root = temporaryRoot({ f: 'old' });
    const text = `stages: {s: [{downloads: [{${mine}, path: /f, permissions: 0644, url: "${url}/f"}]}]}`;
    const { signal } = controller;
    const documents = [{ name: 'test.yaml', text }];
    await expect(runStage({ stage: 's', root, sources: [], documents, events: silent, signal })).rejects.toMatchObject({
      code: 'HF-INTERRUPTED',
    });
    expect(readFileSync(root.resolve('/f'), 'utf8')).toBe('old');
    expect(root.list('/')).toEqual(['f']);
  });

  it('what a killed process left is removed, what a living one writes is not', async () => {
    const { url } = await serve((_, response) => response.end('new'));
    const root = temporaryRoot({
      '.f.999999999.download': 'part',
      '.f.1.download': 'part',
      '.g.999999999.download': '',
    });
    await download(root, `path: /f, permissions: 0644, url: "${url}/f"`);
    expect(readdirSync(root.directory).sort()).toEqual(['.f.1.download', '.g.999999999.download', 'f']);
  });

  it('more than there is room for is not begun, nor is it tried again', async () => {
    const { url, count } = await serve((_, response) => {
      response.writeHead(200, { 'content-length': 2 ** 52 }).write('x');
    });
    const root = temporaryRoot();
    const [failure] = failuresOf(await download(root, `path: /f, permissions: 0644, url: "${url}/f"`));
    expect(failure).toMatch(
      /^downloads: there is no room for \/f: it has 4503599627370496 bytes, and only \d+ are free$/,
    );
    expect(count()).toBe(1);
    expect(existsSync(root.resolve('/f'))).toBe(false);
    expect(root.list('/')).toEqual([]);
  });
});
