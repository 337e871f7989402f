// A virtual machine as a test sees it: switch on, wait for something on the console, run commands, restart, cut the
// power. A restart is another QEMU process, and is checked by the kernel's boot id, so the old boot is never mistaken
// for the new one.

import { appendFileSync, mkdirSync, rmSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { HoldfastError, messageOf } from '../../src/system/errors.ts';
import { runChecked } from '../../src/system/process.ts';
import { type Accelerator, chooseAccelerator, environmentUnder } from './accelerator.ts';
import { BootSession } from './boot-session.ts';
import type { DirectKernel, Disk, Forward, MachineShape, Network } from './command-line.ts';
import { Console } from './console.ts';
import { prepareFirmware } from './firmware.ts';
import { GUEST_DIRECTORY } from './guest-commands.ts';
import { GuestShell } from './guest-shell.ts';
import { guestProcessors } from './guests.ts';
import { BOOT_TIMEOUT_MS, COMMAND_TIMEOUT_MS, SHUTDOWN_TIMEOUT_MS } from './timings.ts';

export interface BootOptions {
  /** In the order that the firmware tries them. */
  disks: readonly Disk[];
  /** The serial console, complete from the first byte. Beside it, `….commands` gets what was run, with its output. */
  logFile: string;
  /** Default 1024. */
  memoryMiB?: number;
  /** Default 2, and 1 in tests that run beside others. */
  cpus?: number;
  /** Default `user`. */
  network?: Network;
  forwards?: readonly Forward[];
  /** The address of an iPXE script to start with, before any disk. */
  networkBoot?: string;
  /** Default `uefi`; not looked at with a direct kernel. `secure-boot` is UEFI that starts only what is signed. */
  firmware?: 'uefi' | 'secure-boot' | 'bios';
  /** The file with this machine's UEFI variables; default: fresh ones beside the log. */
  firmwareVariables?: string;
  direct?: DirectKernel;
  /**
   * `skip` (default) presses Enter as soon as GRUB's menu is there, which boots what the menu would have booted after
   * its timeout, ten seconds earlier; `keep` leaves the menu to the caller.
   */
  bootMenu?: 'skip' | 'keep';
  /** Keeps what the log files hold already. */
  appendLog?: boolean;
  accelerator?: Accelerator;
  extraArguments?: readonly string[];
}

export interface CommandResult {
  status: number;
  stdout: string;
  stderr: string;
}

export interface Timeout {
  timeoutMs?: number;
}

export class Machine {
  readonly logFile: string;
  readonly commandLog: string;
  readonly accelerator: Accelerator;
  readonly #shape: MachineShape;
  readonly #skipBootMenu: boolean;
  readonly #console: Console;
  readonly #shell: GuestShell;
  readonly #started = Date.now();
  readonly #outputListeners: ((chunk: Buffer) => void)[] = [];
  readonly #waitingForReset: (() => void)[] = [];
  /** Settles when the machine is off for good. */
  readonly #off: Promise<void>;
  #turnedOff: () => void = () => {};
  #session: BootSession | undefined;
  #isOff = false;
  #cut = false;
  #resets = 0;
  #bootId: string | undefined;

  private constructor(shape: MachineShape, skipBootMenu: boolean) {
    this.#skipBootMenu = skipBootMenu;
    this.#shape = shape;
    this.logFile = shape.serialLog;
    this.commandLog = commandLogOf(shape.serialLog);
    this.accelerator = shape.accelerator;
    this.#console = new Console(shape.serialLog);
    const environment = environmentUnder(shape.accelerator);
    this.#shell = new GuestShell(this.#console, (text) => this.send(text), GUEST_DIRECTORY, environment);
    this.#off = new Promise((resolve) => {
      this.#turnedOff = resolve;
    });
  }

  /**
   * Switches a machine on.
   * @throws HoldfastError HF-TOOL-MISSING without QEMU or firmware, HF-COMMAND when QEMU doesn't start.
   */
  static async boot(options: BootOptions): Promise<Machine> {
    const { logFile } = options;
    mkdirSync(dirname(logFile), { recursive: true });
    if (options.appendLog !== true) for (const file of [logFile, commandLogOf(logFile)]) rmSync(file, { force: true });
    const variables = options.firmwareVariables ?? `${logFile}.uefi-variables`;
    if (options.firmwareVariables === undefined) rmSync(variables, { force: true });
    const uefi = options.direct === undefined && options.firmware !== 'bios';
    const machine = new Machine(
      {
        disks: await Promise.all(options.disks.map((disk, index) => throwAwayCopy(disk, `${logFile}.disk${index}`))),
        memoryMiB: options.memoryMiB ?? 1024,
        cpus: options.cpus ?? guestProcessors(),
        network: options.network ?? 'user',
        forwards: options.forwards ?? [],
        ...(options.networkBoot !== undefined && { networkBoot: options.networkBoot }),
        accelerator: options.accelerator ?? (await chooseAccelerator()),
        firmware: uefi
          ? prepareFirmware(variables, { secureBoot: options.firmware === 'secure-boot' })
          : { kind: 'bios' },
        ...(options.direct && { direct: options.direct }),
        serialLog: logFile,
        extraArguments: options.extraArguments ?? [],
      },
      options.bootMenu !== 'keep',
    );
    await machine.#powerOn();
    return machine;
  }

  async #powerOn(): Promise<void> {
    let menu = this.#skipBootMenu ? new MenuWatch() : undefined;
    const session: BootSession = await BootSession.start(this.#shape, (chunk) => {
      if (menu?.seenIn(chunk)) {
        menu = undefined;
        this.send('\r');
      }
      this.#console.feed(chunk);
      for (const listener of this.#outputListeners) listener(chunk);
    });
    this.#session = session;
    // The power was cut while this boot was being started.
    if (this.#cut) void session.kill();
    void session.ended.then(({ reset, how }) => this.#sessionEnded(reset, how));
  }

  /** A reset is followed by the next boot, unless the power was cut meanwhile. */
  async #sessionEnded(reset: boolean, how: string): Promise<void> {
    this.#session = undefined;
    this.#shell.forget();
    let why = how;
    if (reset && !this.#cut) {
      this.#console.restart();
      try {
        await this.#powerOn();
        this.#resets++;
        for (const resolve of this.#waitingForReset.splice(0)) resolve();
        return;
      } catch (error) {
        why = messageOf(error);
      }
    }
    this.#isOff = true;
    this.#console.end(`the machine is off (${why})`);
    this.#turnedOff();
  }

  get isRunning(): boolean {
    return !this.#isOff;
  }

  /** The id of QEMU's process; another one after a reset. */
  get pid(): number | undefined {
    return this.#session?.pid;
  }

  /** The id that the guest's kernel gave the boot of the last login; each boot has another. */
  get bootId(): string | undefined {
    return this.#bootId;
  }

  /** How often the machine was reset since it was switched on, by the guest or by us. */
  get resets(): number {
    return this.#resets;
  }

  /** Types on the serial console. */
  send(text: string): void {
    this.#session?.send(text);
  }

  /** Raw console output from now on, for a terminal that shows it. */
  onOutput(listener: (chunk: Buffer) => void): void {
    this.#outputListeners.push(listener);
  }

  /**
   * Waits until something is printed on the console that no earlier wait has seen.
   * @throws HoldfastError HF-COMMAND with the last 40 lines and the log's path when it isn't in time (default 300 s), or
   *   the machine ends before. A restart does not end the wait.
   */
  waitFor(pattern: RegExp | string, { timeoutMs = BOOT_TIMEOUT_MS }: Timeout = {}): Promise<RegExpExecArray> {
    return this.#console.waitFor(pattern, { timeoutMs });
  }

  /** Waits for a root shell on the console: the automatic login, or an emergency shell. Then commands can be run. */
  async login({ timeoutMs = BOOT_TIMEOUT_MS }: Timeout = {}): Promise<void> {
    await this.#shell.login(timeoutMs);
    const id = await this.#shell.run('cat /proc/sys/kernel/random/boot_id');
    this.#bootId = id.stdout.toString().trim();
  }

  /** As {@link login}, after something else took the console over, such as a login by hand: the shell is a new one. */
  async loginAgain(timeout: Timeout = {}): Promise<void> {
    this.#shell.forget();
    await this.login(timeout);
  }

  /** Runs a POSIX shell script as root in the guest, whatever its status; logs in first when needed. */
  async run(script: string, { timeoutMs = COMMAND_TIMEOUT_MS }: Timeout = {}): Promise<CommandResult> {
    const started = Date.now();
    this.#note(`# ${this.#clock()}\n${script.replace(/^/gm, '$ ')}\n`);
    const raw = await this.#shell.run(script, timeoutMs);
    const result = { status: raw.status, stdout: raw.stdout.toString(), stderr: raw.stderr.toString() };
    const seconds = ((Date.now() - started) / 1000).toFixed(1);
    this.#note(`${result.stdout}${result.stderr.replace(/^(?=.)/gm, '! ')}# status ${result.status}, ${seconds} s\n\n`);
    return result;
  }

  /**
   * Runs a script that must succeed and returns its standard output.
   * @throws HoldfastError HF-COMMAND with its output when the status isn't 0.
   */
  async runChecked(script: string, timeout: Timeout = {}): Promise<string> {
    const { status, stdout, stderr } = await this.run(script, timeout);
    if (status === 0) return stdout;
    throw new HoldfastError(
      'HF-COMMAND',
      `in the guest, status ${status} from: ${script}\n${stderr}${stdout}(all commands: ${this.commandLog})`,
    );
  }

  /** Writes a file in the guest, at most 8 MiB, by way of a temporary name; missing directories are made. */
  putFile(path: string, content: string | Uint8Array, mode = 0o644): Promise<void> {
    this.#note(`# ${this.#clock()} put ${path}\n\n`);
    return this.#shell.putFile(path, typeof content === 'string' ? Buffer.from(content) : content, mode);
  }

  getFile(path: string): Promise<Buffer> {
    return this.#shell.getFile(path);
  }

  /**
   * Restarts the guest in order and waits until the new boot has a shell.
   * @param options.command what starts the restart, in the guest's shell.
   * @throws HoldfastError HF-COMMAND when it doesn't restart or doesn't come back.
   */
  async reboot(options: Timeout & { command?: string } = {}): Promise<void> {
    await this.startReboot(options);
    await this.#loginToNewBoot(options.timeoutMs);
  }

  /** Restarts the guest in order and waits for the reset only; what then appears on the console is the caller's. */
  async startReboot({ command = 'systemctl reboot' }: { command?: string } = {}): Promise<void> {
    const before = this.#resets;
    // The boot to compare with is the one that is left now.
    if (!this.#shell.isReady) await this.login();
    this.#note(`# ${this.#clock()}\n$ ${command}\n\n`);
    await this.#shell.start(command);
    await this.waitForReset(before);
  }

  /** Waits until the machine has been reset more than `before` times. */
  async waitForReset(before: number, { timeoutMs = SHUTDOWN_TIMEOUT_MS }: Timeout = {}): Promise<void> {
    const reset = new Promise<void>((resolve) => {
      if (this.#resets > before) resolve();
      else this.#waitingForReset.push(resolve);
    });
    await this.#within(timeoutMs, 'the machine did not restart', reset);
  }

  /** Presses the reset button: no shutdown, but the disks' contents stay as the guest has written them. */
  async reset(): Promise<void> {
    const before = this.#resets;
    await this.#requireOn().monitor.execute('system_reset');
    await this.waitForReset(before);
  }

  /** Logs in after a restart that something else caused, and makes sure that it is another boot than the last one. */
  async #loginToNewBoot(timeoutMs = BOOT_TIMEOUT_MS): Promise<void> {
    const old = this.#bootId;
    await this.login({ timeoutMs });
    if (old !== undefined && old === this.#bootId) {
      throw new HoldfastError('HF-COMMAND', `the machine was reset, but its kernel still says that it is boot ${old}`);
    }
  }

  /** Plugs in another SCSI disk while the machine is on (one of its disks must be on that bus). It is gone after a reset. */
  async plugIn(file: string, scsiId: number): Promise<void> {
    const { monitor } = this.#requireOn();
    const node = `plugged${scsiId}`;
    await monitor.execute('blockdev-add', {
      driver: 'raw',
      'node-name': node,
      file: { driver: 'file', filename: file },
    });
    await monitor.execute('device_add', { driver: 'scsi-hd', bus: 'scsi.0', drive: node, 'scsi-id': scsiId });
  }

  /**
   * Presses the power button and waits until the guest has shut down.
   * @throws HoldfastError HF-COMMAND with the console's end when it doesn't; the machine then still runs.
   */
  async powerOff({ timeoutMs = SHUTDOWN_TIMEOUT_MS }: Timeout = {}): Promise<void> {
    if (!this.isRunning) return;
    await this.#requireOn().monitor.execute('system_powerdown');
    await this.#within(timeoutMs, 'the machine did not switch off', this.#off);
  }

  /** Settles when the machine is off, however that came. */
  untilOff(): Promise<void> {
    return this.#off;
  }

  /** Cuts the power; see `qemuArguments` for what that loses. Also the way to be rid of a machine after a test. */
  async powerCut(): Promise<void> {
    this.#cut = true;
    await this.#session?.kill();
    await this.#off;
  }

  /** The console's last lines. */
  consoleTail(lines?: number): string {
    return this.#console.tail(lines);
  }

  /** Waits for something that has to happen while the machine is on. */
  async #within(timeoutMs: number, complaint: string, fact: Promise<unknown>): Promise<void> {
    let timer: NodeJS.Timeout | undefined;
    const outcome = await Promise.race([
      fact.then(() => 'done' as const),
      this.#off.then(() => 'off' as const),
      new Promise<'late'>((resolve) => {
        timer = setTimeout(() => resolve('late'), timeoutMs);
      }),
    ]);
    clearTimeout(timer);
    if (outcome === 'done') return;
    const why = outcome === 'off' ? 'it is off' : `within ${Math.round(timeoutMs / 1000)} s`;
    throw new HoldfastError(
      'HF-COMMAND',
      `${complaint}: ${why}; the end of its console (all of it: ${this.logFile}):\n${this.consoleTail()}`,
    );
  }

  #requireOn(): BootSession {
    if (this.#session === undefined) throw new HoldfastError('HF-COMMAND', 'the machine is off');
    return this.#session;
  }

  #note(text: string): void {
    appendFileSync(this.commandLog, text);
  }

  #clock(): string {
    return `${((Date.now() - this.#started) / 1000).toFixed(1)} s`;
  }
}

/** Looks for the title of GRUB's menu in what one boot prints. */
class MenuWatch {
  #tail = '';

  seenIn(chunk: Buffer): boolean {
    const text = this.#tail + chunk.toString('latin1');
    this.#tail = text.slice(-32);
    // The menu may not read keys yet; the serial port keeps the one that is typed until it does.
    return text.includes('GNU GRUB');
  }
}

/** A disk whose writes shall be thrown away gets a file for them that outlives the single boots. */
async function throwAwayCopy(disk: Disk, file: string): Promise<Disk> {
  if (disk.throwAway !== true) return disk;
  rmSync(file, { force: true });
  await runChecked([
    'qemu-img',
    'create',
    '-q',
    '-f',
    'qcow2',
    '-b',
    resolve(disk.file),
    '-F',
    disk.format ?? 'raw',
    file,
  ]);
  return { ...disk, file, format: 'qcow2' };
}

function commandLogOf(logFile: string): string {
  return `${logFile}.commands`;
}
