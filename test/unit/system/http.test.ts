// HTTP against real servers on loopback: what is tried again, what is final, bounds, and what an error says.

import { createServer, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, describe, expect, test } from 'vitest';
import { httpDownload, httpGet, httpRequest, withoutSecrets } from '../../../src/system/http.ts';

const servers: Server[] = [];
afterEach(() => {
  for (const server of servers.splice(0)) {
    server.closeAllConnections();
    server.close();
  }
});

async function serve(listener: RequestListener): Promise<string> {
  const server = createServer(listener);
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return `http://127.0.0.1:${port}`;
}

const quick = { delayMs: 1 };

describe('a request', () => {
  test('returns the answer whatever its status', async () => {
    const url = await serve((_request, response) => response.writeHead(404).end('no such thing'));
    const { status, body } = await httpRequest(url, quick);
    expect([status, Buffer.from(body).toString()]).toEqual([404, 'no such thing']);
  });

  test.each([500, 502, 503, 504, 429])('status %i is tried again', async (status) => {
    let tries = 0;
    const url = await serve((_request, response) => {
      tries += 1;
      response.writeHead(tries < 3 ? status : 200).end(`try ${tries}`);
    });
    expect(Buffer.from((await httpGet(url, quick)).body).toString()).toBe('try 3');
  });

  test('a status that stays is the answer after the last try', async () => {
    let tries = 0;
    const url = await serve((_request, response) => {
      tries += 1;
      response.writeHead(503).end();
    });
    await expect(httpGet(url, { ...quick, attempts: 2 })).rejects.toMatchObject({
      code: 'HF-NETWORK',
      message: `${url}/ answered with status 503`,
    });
    expect(tries).toBe(2);
  });

  test('a connection that breaks off is tried again', async () => {
    let tries = 0;
    const url = await serve((request, response) => {
      tries += 1;
      if (tries < 3) request.socket.destroy();
      else response.end('whole');
    });
    expect(Buffer.from((await httpGet(url, quick)).body).toString()).toBe('whole');
  });

  test('a body that ends too early is no answer', async () => {
    const url = await serve((request, response) => {
      response.writeHead(200, { 'content-length': '100' }).write('only this');
      setImmediate(() => request.socket.destroy());
    });
    await expect(httpGet(url, { ...quick, attempts: 2 })).rejects.toMatchObject({ code: 'HF-NETWORK' });
  });

  test('each try has a limit of its own', async () => {
    let tries = 0;
    const url = await serve((_request, response) => {
      tries += 1;
      if (tries === 2) response.end('at last');
    });
    expect(Buffer.from((await httpGet(url, { ...quick, timeoutMs: 200 })).body).toString()).toBe('at last');
  });

  test('a larger answer than allowed is final, and not taken into memory', async () => {
    let tries = 0;
    const url = await serve((_request, response) => {
      tries += 1;
      response.end('x'.repeat(2000));
    });
    await expect(httpGet(url, { ...quick, maxBytes: 1000 })).rejects.toMatchObject({
      code: 'HF-UNSUPPORTED',
      message: expect.stringContaining('larger than 1000 bytes'),
    });
    expect(tries).toBe(1);
  });

  test('nothing at the other end is said in plain words', async () => {
    const url = await serve(() => {});
    servers.splice(0).forEach((server) => void server.close());
    await expect(httpGet(url, { ...quick, attempts: 1 })).rejects.toMatchObject({
      message: `${url}/ can't be read: nothing answers there (connection refused)`,
    });
  });

  test('an address that leads to itself is said in plain words', async () => {
    const url = await serve((_request, response) => response.writeHead(302, { location: '/' }).end());
    await expect(httpGet(url, { ...quick, attempts: 1 })).rejects.toMatchObject({
      message: `${url}/ can't be read: it redirects too often`,
    });
  });

  test('an interruption ends it at once, also between two tries', async () => {
    const stop = new AbortController();
    const url = await serve((_request, response) => {
      response.writeHead(503).end();
      setImmediate(() => stop.abort());
    });
    await expect(httpGet(url, { delayMs: 60_000, signal: stop.signal })).rejects.toMatchObject({
      code: 'HF-INTERRUPTED',
    });
  });

  test.each(['file:///etc/passwd', 'ftp://example.org/', 'no address'])('%s is refused', async (url) => {
    await expect(httpRequest(url)).rejects.toMatchObject({ code: 'HF-CONFIG' });
  });
});

test('a download that breaks off begins anew with an empty sink', async () => {
  let tries = 0;
  const url = await serve((request, response) => {
    tries += 1;
    response.writeHead(200, { 'content-length': '6' }).write('abc');
    if (tries === 1) setImmediate(() => request.socket.destroy());
    else response.end('def');
  });
  let text = '';
  await httpDownload(
    url,
    () => {
      text = '';
      return (chunk) => {
        text += Buffer.from(chunk).toString();
      };
    },
    quick,
  );
  expect([text, tries]).toEqual(['abcdef', 2]);
});

test('user, password and query of an address are not printed', () => {
  expect(withoutSecrets('https://user:password@example.org/a/b?token=x#y')).toBe('https://example.org/a/b?…');
});

test('the password of an address that fetch refuses is not printed', async () => {
  const url = await serve((_request, response) => response.end('x'));
  const asked = httpRequest(url.replace('//', '//user:s3cret@'), { ...quick, attempts: 1 });
  const message = await asked.then(() => 'no error', String);
  expect(message).toContain(`${url}/ can't be read`);
  expect(message).not.toContain('s3cret');
});
