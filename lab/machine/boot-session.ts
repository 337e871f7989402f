// One boot of a machine: a QEMU process with its serial port and its monitor, from power-on to a reset or the end. A
// reset ends the process and the machine starts another, because under software emulation a kernel that boots again in
// the same process costs more than twice the CPU time of the first (measured: 63 s against 25 s).

import { existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { HoldfastError } from '../../src/system/errors.ts';
import { type MachineShape, qemuArguments } from './command-line.ts';
import { Monitor } from './monitor.ts';
import { QemuProcess } from './qemu-process.ts';
import { SerialPort } from './serial-port.ts';

export interface SessionEnd {
  /** Whether it ended because the machine was reset, by the guest or by us. */
  reset: boolean;
  /** How QEMU ended, for an error message. */
  how: string;
}

export class BootSession {
  readonly monitor: Monitor;
  readonly ended: Promise<SessionEnd>;
  readonly #qemu: QemuProcess;
  readonly #serial: Socket;
  #reset = false;

  private constructor(qemu: QemuProcess, serial: Socket, monitor: Monitor, socketDirectory: string) {
    this.#qemu = qemu;
    this.#serial = serial;
    this.monitor = monitor;
    serial.on('error', () => {});
    monitor.on('event', (name, data) => {
      if (name === 'SHUTDOWN' && typeof data['reason'] === 'string') this.#reset ||= data['reason'].endsWith('-reset');
    });
    const serialClosed = new Promise((resolve) => serial.once('close', resolve));
    this.ended = Promise.all([qemu.ended, monitor.closed, serialClosed]).then(([{ status, signal }]) => {
      rmSync(socketDirectory, { recursive: true, force: true });
      const complaints = qemu.complaints === '' ? '' : `: ${qemu.complaints}`;
      return { reset: this.#reset, how: `QEMU ended with ${signal ?? `status ${status}`}${complaints}` };
    });
  }

  /** @throws HoldfastError HF-TOOL-MISSING without QEMU, HF-COMMAND with its complaint when it doesn't start. */
  static async start(shape: MachineShape, onOutput: (chunk: Buffer) => void): Promise<BootSession> {
    const socketDirectory = makeSocketDirectory();
    const monitorSocket = join(socketDirectory, 'monitor');
    const serialPort = await SerialPort.open();
    let qemu: QemuProcess | undefined;
    try {
      qemu = QemuProcess.start(qemuArguments(shape, { serialPort: serialPort.port, monitorSocket }));
      const serial = await Promise.race([serialPort.connected, qemu.ended]);
      if (!(serial instanceof Socket)) throw new HoldfastError('HF-COMMAND', 'QEMU did not start: it said nothing');
      serial.on('data', onOutput);
      const monitor = await Monitor.open(await qemu.connect(monitorSocket));
      return new BootSession(qemu, serial, monitor, socketDirectory);
    } catch (error) {
      serialPort.close();
      await qemu?.kill();
      rmSync(socketDirectory, { recursive: true, force: true });
      if (qemu === undefined || qemu.complaints === '') throw error;
      throw new HoldfastError('HF-COMMAND', `QEMU did not start: ${qemu.complaints}`, { cause: error });
    }
  }

  get pid(): number | undefined {
    return this.#qemu.pid;
  }

  send(text: string): void {
    this.#serial.write(text);
  }

  /** Ends QEMU at once. */
  async kill(): Promise<void> {
    await this.#qemu.kill();
    this.monitor.close();
    this.#serial.destroy();
    await this.ended;
  }
}

/** A short path, since names of sockets are short; what killed processes left of theirs is removed on the way. */
function makeSocketDirectory(): string {
  for (const name of readdirSync(tmpdir())) {
    const pid = /^holdfast-machine-(\d+)-/.exec(name)?.[1];
    if (pid !== undefined && !existsSync(`/proc/${pid}`))
      rmSync(join(tmpdir(), name), { recursive: true, force: true });
  }
  return mkdtempSync(join(tmpdir(), `holdfast-machine-${process.pid}-`));
}
