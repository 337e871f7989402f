// Connects its standard input and output to a port of 127.0.0.1; QEMU starts one for each connection that a guest opens
// to a forwarded address. Plain JavaScript, since the runtime that starts the machine starts this too.

import { createConnection } from 'node:net';

const socket = createConnection({ host: '127.0.0.1', port: Number(process.argv[2]), allowHalfOpen: true });
process.stdin.pipe(socket);
socket.pipe(process.stdout);
socket.on('end', () => process.stdout.end());
socket.on('close', () => process.exit(0));
socket.on('error', (error) => {
  process.stderr.write(`${error.message}\n`);
  process.exit(1);
});
process.stdout.on('error', () => process.exit(0));
