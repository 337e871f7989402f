// QEMU's machine protocol (QMP): one JSON object per line over a socket; commands are answered in order, events come in
// between.

import { EventEmitter } from 'node:events';
import type { Socket } from 'node:net';
import { HoldfastError } from '../../src/system/errors.ts';

interface Pending {
  command: string;
  resolve: (value: unknown) => void;
  reject: (error: Error) => void;
}

/** A QMP connection. Emits `event` with the name and data of each of QEMU's events. */
export class Monitor extends EventEmitter<{ event: [name: string, data: Readonly<Record<string, unknown>>] }> {
  readonly #socket: Socket;
  readonly #pending: Pending[] = [];
  #rest = '';
  #isClosed = false;
  /** Settles when QEMU has ended or the connection was given up. */
  readonly closed: Promise<void>;

  private constructor(socket: Socket) {
    super();
    this.#socket = socket;
    socket.setEncoding('utf8');
    socket.on('data', (chunk: string) => this.#receive(chunk));
    // QEMU ends while connected when a machine is switched off; whoever waits for an answer learns it from `close`.
    socket.on('error', () => {});
    this.closed = new Promise((resolve) => {
      socket.on('close', () => {
        this.#isClosed = true;
        for (const { command, reject } of this.#pending.splice(0)) reject(endedBefore(command));
        resolve();
      });
    });
  }

  /** Takes over a connected socket and leaves QMP's negotiation mode. */
  static async open(socket: Socket): Promise<Monitor> {
    const monitor = new Monitor(socket);
    await monitor.execute('qmp_capabilities');
    return monitor;
  }

  /**
   * Sends a command and returns its answer.
   * @throws HoldfastError HF-COMMAND when QEMU refuses it or ends before it has answered.
   */
  execute(command: string, parameters: Readonly<Record<string, unknown>> = {}): Promise<unknown> {
    if (this.#isClosed) return Promise.reject(endedBefore(command));
    return new Promise((resolve, reject) => {
      this.#pending.push({ command, resolve, reject });
      this.#socket.write(`${JSON.stringify({ execute: command, arguments: parameters })}\n`);
    });
  }

  close(): void {
    this.#socket.destroy();
  }

  #receive(chunk: string): void {
    const lines = (this.#rest + chunk).split('\n');
    this.#rest = lines.pop() ?? '';
    for (const line of lines) {
      const message: unknown = line.trim() === '' ? undefined : JSON.parse(line);
      if (!isRecord(message)) continue;
      if (typeof message['event'] === 'string') {
        this.emit('event', message['event'], isRecord(message['data']) ? message['data'] : {});
      } else if ('return' in message) {
        this.#pending.shift()?.resolve(message['return']);
      } else if (isRecord(message['error'])) {
        const pending = this.#pending.shift();
        const reason = String(message['error']['desc']);
        pending?.reject(new HoldfastError('HF-COMMAND', `QEMU refused ${pending.command}: ${reason}`));
      }
    }
  }
}

function endedBefore(command: string): HoldfastError {
  return new HoldfastError('HF-COMMAND', `QEMU ended before it answered ${command}`);
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
