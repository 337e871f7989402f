// One request over TLS with more than the machine's own authorities: further ones, and a certificate of our own. Bun's fetch
// takes them as an option; Node's has no such option before undici is there as a module, so its https client is dressed up.

import { request as httpsRequest } from 'node:https';
import type { Readable } from 'node:stream';
import { rootCertificates } from 'node:tls';
import { trustStore } from './http.ts';

/** All in PEM. */
export interface TlsMaterial {
  /** Authorities that are trusted too. */
  authorities?: readonly string[];
  /** Only those are trusted: the server is one that has an authority of its own. */
  authoritiesOnly?: boolean;
  /** Shown to the server where it asks. */
  certificate?: string | undefined;
  key?: string | undefined;
}

export interface TlsRequest {
  method: string;
  headers: Readonly<Record<string, string>>;
  body?: string | Uint8Array;
  redirect: 'manual';
  signal: AbortSignal;
}

/** The answer, whatever its status; redirects aren't followed. Rejects as fetch does, with the cause's own code. */
export function tlsFetch(url: string, request: TlsRequest, material: TlsMaterial): Promise<Response> {
  const tls = {
    ca: [...(material.authoritiesOnly ? [] : usualAuthorities()), ...(material.authorities ?? [])],
    ...(material.certificate !== undefined && { cert: material.certificate }),
    ...(material.key !== undefined && { key: material.key }),
  };
  if (process.versions['bun'] !== undefined) {
    const options = { ...request, tls };
    return fetch(url, options);
  }
  return new Promise((resolve, reject) => {
    const { method, headers, body, signal } = request;
    const client = httpsRequest(url, { method, headers, signal, ...tls }, (answer) => {
      const status = answer.statusCode ?? 0;
      const fields = new Headers();
      for (let at = 0; at + 1 < answer.rawHeaders.length; at += 2) {
        fields.append(answer.rawHeaders[at] ?? '', answer.rawHeaders[at + 1] ?? '');
      }
      const isEmpty = method === 'HEAD' || status === 204 || status === 205 || status === 304;
      if (isEmpty) answer.resume();
      try {
        resolve(new Response(isEmpty ? null : streamOf(answer), { status, headers: fields }));
      } catch (error) {
        // A status or a header that no answer may have.
        answer.destroy();
        reject(error);
      }
    });
    client.on('error', reject);
    client.end(body);
  });
}

function usualAuthorities(): readonly string[] {
  const { certificates } = trustStore();
  return certificates === undefined ? rootCertificates : [certificates];
}

function streamOf(answer: Readable): ReadableStream<Uint8Array> {
  const chunks = answer[Symbol.asyncIterator]();
  return new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        const { done, value } = await chunks.next();
        if (done) controller.close();
        else controller.enqueue(value);
      },
      cancel() {
        answer.destroy();
      },
    },
    { highWaterMark: 0 },
  );
}
