// Runs simulated services inside of a network that a test has made. The one argument is the plan as JSON; each request
// is added to the log file as one line; "ready" on standard output says that all are listening.

import { appendFileSync, readFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type RequestListener } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import { azure, azureHost } from './azure.ts';
import { digitalocean, gcp, hetzner, metaldata, packet, vultr } from './clouds.ts';
import { aws, openstack } from './ec2.ts';
import { scaleway } from './scaleway.ts';
import { NOT_FOUND, type Request, type Service, type Settings } from './service.ts';

const SERVICES = {
  aws,
  openstack,
  hetzner,
  gcp,
  azure,
  azureHost,
  digitalocean,
  vultr,
  packet,
  scaleway,
  metaldata,
} satisfies Record<string, Service>;

export interface ServicePlan {
  log: string;
  /** What listens where; several services at one address are asked one after the other. */
  servers: readonly {
    address: string;
    /** With a certificate it is HTTPS on port 443. */
    certificate?: { key: string; cert: string };
    services: readonly { name: keyof typeof SERVICES; settings: Settings }[];
  }[];
}

const plan: ServicePlan = JSON.parse(process.argv[2] ?? '');
const failed = new Set<string>();

const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

async function bodyOf(message: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of message) chunks.push(Buffer.from(chunk));
  return Buffer.concat(chunks).toString();
}

function listenerFor(services: ServicePlan['servers'][number]['services']): RequestListener {
  return async (message, response) => {
    const request: Request = {
      method: message.method ?? '',
      path: message.url ?? '',
      headers: Object.fromEntries(Object.entries(message.headers).map(([name, text]) => [name, String(text)])),
      remotePort: message.socket.remotePort ?? 0,
      body: await bodyOf(message),
    };
    appendFileSync(plan.log, `${JSON.stringify(request)}\n`);
    for (const { name, settings } of services) {
      const answer = SERVICES[name](request, settings);
      if (answer === undefined) continue;
      if (settings.late?.includes(request.path)) await pause(700);
      if (settings.slow?.includes(request.path)) await pause(8000);
      if (settings.failOnce?.includes(request.path) && !failed.has(request.path)) {
        failed.add(request.path);
        response.writeHead(503).end();
        return;
      }
      response.writeHead(answer.status, { ...answer.headers }).end(answer.body);
      return;
    }
    response.writeHead(NOT_FOUND.status).end(NOT_FOUND.body);
  };
}

await Promise.all(
  plan.servers.map(({ address, certificate, services }) => {
    const listener = listenerFor(services);
    const server =
      certificate === undefined
        ? createServer(listener)
        : createTlsServer({ key: readFileSync(certificate.key), cert: readFileSync(certificate.cert) }, listener);
    return new Promise<void>((resolve) => {
      server.listen(certificate === undefined ? 80 : 443, address, resolve);
    });
  }),
);
// A network without any service is kept up as well.
setInterval(() => {}, 60_000);
process.stdout.write('ready\n');
