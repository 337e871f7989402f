// The host's end of a machine's serial port: a TCP port of 127.0.0.1 that QEMU connects to before it starts the guest, so
// that the first byte is never lost. It is no UNIX socket because QEMU sends single bytes: of those such a socket holds 278,
// then the guest's kernel waits ten milliseconds and drops what it prints; TCP holds four million.

import { createServer, type Server, type Socket } from 'node:net';

export class SerialPort {
  readonly #server: Server;
  /** Settles when QEMU has connected. */
  readonly connected: Promise<Socket>;

  private constructor(server: Server) {
    this.#server = server;
    this.connected = new Promise((resolve) => {
      server.once('connection', (socket) => {
        socket.setNoDelay(true);
        socket.on('error', () => {});
        resolve(socket);
        server.close();
      });
    });
  }

  static async open(): Promise<SerialPort> {
    const server = createServer();
    const port = new SerialPort(server);
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen(0, '127.0.0.1', resolve);
    });
    return port;
  }

  get port(): number {
    const address = this.#server.address();
    return typeof address === 'object' && address !== null ? address.port : 0;
  }

  /** Gives up waiting. */
  close(): void {
    this.#server.close();
  }
}
