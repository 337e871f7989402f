// Stands between a registry and whoever pulls from it, and counts what comes through: headers, manifests and layers.

import { connect, createServer } from 'node:net';

export interface CountingProxy {
  /** `127.0.0.1:PORT`. */
  host: string;
  /** Bytes from the registry since the last call. */
  take: () => number;
  close: () => Promise<void>;
}

export async function startCountingProxy(port: number): Promise<CountingProxy> {
  let count = 0;
  const server = createServer((client) => {
    const upstream = connect(port, '127.0.0.1');
    upstream.on('data', (chunk) => {
      count += chunk.length;
    });
    client.pipe(upstream).pipe(client);
    // Whoever ends first ends both; what was cut off is the other side's to report.
    client.on('error', () => upstream.destroy());
    upstream.on('error', () => client.destroy());
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  if (address === null || typeof address === 'string') throw new TypeError('a server without a port');
  return {
    host: `127.0.0.1:${address.port}`,
    take: () => {
      const taken = count;
      count = 0;
      return taken;
    },
    close: () => new Promise((resolve) => server.close(() => resolve())),
  };
}
