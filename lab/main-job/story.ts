// The main job as steps that each do something to a real machine, look at what came of it, and fail when it isn't so:
// `npm start` shows them to a person, test/vm checks them in CI. Nothing here prints.

import { existsSync, mkdirSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { HoldfastError } from '../../src/system/errors.ts';
import { runChecked } from '../../src/system/process.ts';
import { type DemoImages, ensureDemoImages } from '../demo/images.ts';
import { installOn } from '../demo/installed.ts';
import { Machine } from '../machine/machine.ts';
import { ensurePackageRepository } from '../packages/repository.ts';
import { type PackageServer, servePackages } from '../packages/server.ts';
import { Publisher } from '../registry/publisher.ts';
import { guestSourceLine, stageFile } from './stage-file.ts';

export interface StoryOptions {
  /** Disk image, logs and firmware variables are kept here; a disk from an earlier run is replaced. */
  directory: string;
  executable: string;
  signal: AbortSignal;
  /** Progress of what takes long, line by line. */
  log: (line: string) => void;
  /** Cuts the guest off from everything but the lab's own package server. */
  offline?: boolean;
}

/** What a step has shown, as sentences with the figures that prove them. */
export interface Shown {
  shown: string[];
  /** How much of what it took, for the summary. */
  bytes?: { count: number; of: string };
}

export class Story {
  readonly disk: string;
  readonly consoleLog: string;
  readonly #options: StoryOptions;
  #images: DemoImages | undefined;
  #machine: Machine | undefined;
  #server: PackageServer | undefined;
  #publisher: Publisher | undefined;

  constructor(options: StoryOptions) {
    this.#options = options;
    this.disk = join(options.directory, 'disk.img');
    this.consoleLog = join(options.directory, 'console.log');
    mkdirSync(options.directory, { recursive: true });
  }

  get #log(): (line: string) => void {
    return this.#options.log;
  }

  /** The machine that is switched on. */
  get machine(): Machine {
    if (this.#machine === undefined) throw new HoldfastError('HF-STATE', 'the demo machine is switched off');
    return this.#machine;
  }

  /** Version 1 and 2 of the demo system as container images. */
  async buildImages(): Promise<Shown> {
    const { log, signal } = this.#options;
    this.#images = await ensureDemoImages({ log, signal });
    const { tags } = this.#images;
    const count = await directoryBytes(this.#images.layout);
    return {
      shown: [`v1 is ${short(tags.v1.digest)}, v2 is ${short(tags.v2.digest)} and shares v1's base layer`],
      bytes: { count, of: 'images' },
    };
  }

  /** Both versions in a registry; only version 1 is signed so far. */
  async publish(): Promise<Shown> {
    const directory = join(this.#options.directory, 'publisher');
    rmSync(directory, { recursive: true, force: true });
    const publisher = await Publisher.start(directory, REGISTRY_NAME);
    this.#publisher = publisher;
    const { layout } = this.#requireImages();
    for (const tag of ['v1', 'v2']) await publisher.push(layout, tag);
    await this.sign('v1');
    return { shown: [`${publisher.repository} has v1 and v2; v1 is signed`] };
  }

  /** The publisher says which image a tag is. */
  async sign(tag: 'v1' | 'v2'): Promise<void> {
    const { layout, tags } = this.#requireImages();
    const { digest } = tags[tag];
    const { size: sizeBytes } = statSync(join(layout, 'blobs/sha256', digest.replace('sha256:', '')));
    await this.publisher.sign(tag, { digest, sizeBytes });
  }

  get publisher(): Publisher {
    if (this.#publisher === undefined) throw new HoldfastError('HF-STATE', 'nothing is published yet');
    return this.#publisher;
  }

  /** Version 1 onto a sparse disk image. */
  async install(): Promise<Shown> {
    const { signal } = this.#options;
    await installOn(this.disk, `oci-layout:${this.#requireImages().layout}:v1`, { log: this.#log, signal });
    return {
      shown: ['a GPT disk with COS_GRUB, COS_OEM, COS_RECOVERY, COS_STATE and COS_PERSISTENT'],
      bytes: { count: this.#diskBytes(), of: 'on the disk' },
    };
  }

  /** Switches the machine on and waits for a shell. */
  async switchOn(): Promise<Shown> {
    const { directory, signal } = this.#options;
    signal.throwIfAborted();
    this.#server = await servePackages(await ensurePackageRepository({ log: this.#log, signal }));
    this.#machine = await Machine.boot({
      disks: [{ file: this.disk, format: 'raw', serial: 'system' }],
      logFile: this.consoleLog,
      firmwareVariables: freshVariables(directory),
      network: this.#options.offline ? 'restricted' : 'user',
      forwards: [
        { address: REGISTRY_ADDRESS, guestPort: 443, port: this.publisher.front.port },
        ...(this.#options.offline ? [{ address: OFFLINE_ADDRESS, port: this.#server.port }] : []),
      ],
    });
    await this.machine.login();
    const root = (await this.machine.runChecked('findmnt -no SOURCE,FSTYPE,OPTIONS /')).trim();
    const failed = (await this.machine.runChecked('systemctl --failed --no-legend --plain')).trim();
    expectThat(failed === '', `no unit has failed (${failed})`);
    return { shown: [`${await this.prettyName()} runs; its root is ${root}`, 'no unit has failed'] };
  }

  /** The root can't be written, and a change below /etc is gone after a restart. */
  async showImmutable(): Promise<Shown> {
    const write = await this.machine.run('touch /usr/bin/mine');
    expectThat(write.status !== 0 && /Read-only file system/.test(write.stderr), 'a write to /usr fails');
    await this.machine.runChecked('echo mine > /etc/mine; echo kept > /usr/local/kept');
    const before = await this.machine.runChecked('cat /etc/machine-id');
    await this.restart();
    expectThat((await this.machine.run('cat /etc/mine')).status !== 0, 'a change below /etc is gone after a reboot');
    expectThat((await this.machine.runChecked('cat /usr/local/kept')) === 'kept\n', '/usr/local keeps what is written');
    expectThat((await this.machine.runChecked('cat /etc/machine-id')) === before, 'the machine-id is the same');
    return {
      shown: [
        `touch /usr/bin/mine → ${write.stderr.trim()}`,
        '/etc/mine was there, and is gone after a reboot; /usr/local/kept is still there',
      ],
    };
  }

  /** The owner's wish, in the odd shape that the documentation of cOS gave it. */
  async dropStageFile(): Promise<Shown> {
    const mirror = this.#options.offline ? undefined : await this.#reachableMirror();
    const port = this.#server?.port ?? 0;
    const address = this.#options.offline ? `${OFFLINE_ADDRESS}` : `10.0.2.2:${port}`;
    expectThat((await this.machine.run('command -v vim')).status !== 0, 'vim is not there yet');
    if (mirror === undefined) await this.machine.putFile('/oem/lab.list', guestSourceLine(address));
    await this.machine.putFile('/oem/install.yaml', stageFile({ useLabRepository: mirror === undefined }));
    return {
      shown: [
        'vim: command not found',
        `/oem/install.yaml says: in after-upgrade-chroot, apt-get install vim (from ${
          mirror === undefined ? "the lab's own package repository" : "Debian's packages"
        })`,
      ],
    };
  }

  /** The lab's packages are the only ones that the machine's package manager knows, until the next reboot. */
  async usePackageServer(): Promise<void> {
    await this.machine.putFile('/etc/apt/sources.list', guestSourceLine(OFFLINE_ADDRESS));
  }

  /** The machine learns where the registry is and whose certificate it has, as its owner would tell it. */
  async meetRegistry(): Promise<void> {
    await this.machine.runChecked(`echo ${REGISTRY_ADDRESS} ${REGISTRY_NAME} >> /etc/hosts`);
    await this.machine.runChecked('mkdir -p /usr/local/share/ca-certificates');
    await this.machine.putFile('/usr/local/share/ca-certificates/lab.crt', this.publisher.front.authority);
    await this.machine.runChecked('update-ca-certificates');
  }

  /** Version 2 is in the registry, and nobody has signed it: anybody may have put it there. Then its publisher signs it. */
  async showTrust(): Promise<Shown> {
    await this.meetRegistry();
    const slots = 'ls -i /run/initramfs/cos-state/cOS';
    const was = await this.machine.runChecked(slots);
    const refused = await this.machine.run(`holdfast upgrade ${this.image}`);
    const reason = /^.*is not signed.*$/m.exec(refused.stderr)?.[0] ?? refused.stderr;
    expectThat(refused.status !== 0 && reason !== refused.stderr, `what is not signed is refused (${reason})`);
    expectThat((await this.machine.runChecked(slots)) === was, 'nothing on the disk has changed');
    await this.sign('v2');
    return { shown: [reason.trim(), 'now its publisher signs it'] };
  }

  /** What the machine upgrades to. */
  get image(): string {
    return `${this.publisher.repository}:v2`;
  }

  /** `holdfast upgrade` inside the machine, by tag. */
  async upgrade(): Promise<Shown> {
    const stop = this.#followUpgrade();
    const before = this.#diskBytes();
    const result = await this.machine.run(
      `set -o pipefail; holdfast upgrade ${this.image} 2>&1 | tee /run/upgrade.log /dev/ttyS0 >/dev/null`,
      { timeoutMs: 900_000 },
    );
    stop();
    const log = await this.machine.runChecked('cat /run/upgrade.log');
    if (result.status !== 0) throw new HoldfastError('HF-COMMAND', 'the upgrade failed', { outputTail: log });
    expectThat(log.includes('Upgrade completed'), 'the upgrade says that it is completed');
    expectThat(/is verified: Notary/.test(log), 'the upgrade says who verified the image');
    const summary = log.split('\n').filter((line) => /^ {2}(active|passive|next) |is verified: /.test(line));
    return {
      shown: summary.map((line) => line.trim().replace(/\s+/g, ' ')),
      bytes: { count: this.#diskBytes() - before, of: 'more on the disk' },
    };
  }

  /** Version 2 with the owner's package; version 1 is still there, and the machine is still itself. */
  async showUpgraded(): Promise<Shown> {
    const identity = await this.machine.runChecked('cat /etc/machine-id');
    await this.restart();
    expectThat((await this.machine.runChecked('cat /etc/machine-id')) === identity, 'the machine-id is the same');
    expectThat((await this.prettyName()) === 'Holdfast demo 2', 'version 2 runs');
    const vim = (await this.machine.runChecked('vim --version')).split('\n')[0] ?? '';
    expectThat(vim.startsWith('VIM - Vi IMproved'), 'vim runs');
    const gone = await this.machine.run('test -e /usr/share/holdfast-demo/only-in-version-1');
    expectThat(gone.status !== 0, 'what version 2 removed is gone');
    const status = await this.machine.runChecked('holdfast status');
    expectThat(/^active\s+Holdfast demo 2 .*running/m.test(status), 'status shows version 2 as active and running');
    expectThat(/^passive\s+Holdfast demo 1 /m.test(status), 'status shows version 1 as passive');
    return { shown: [`Holdfast demo 2 runs, and ${vim.replace(/ \(.*/, '')} with it`, ...status.trim().split('\n')] };
  }

  /** Back to the version before, and forward again. */
  async showRollback(): Promise<Shown> {
    await this.machine.runChecked('holdfast rollback');
    await this.restart();
    expectThat((await this.prettyName()) === 'Holdfast demo 1', 'after a rollback version 1 runs');
    const booted = await this.machine.runChecked('cat /proc/cmdline; ls /run/cos');
    expectThat(/active\.img[\s\S]*^active_mode$/m.test(booted), 'it is the active slot that was booted');
    expectThat((await this.machine.run('command -v vim')).status !== 0, 'version 1 has no vim');
    const status = await this.machine.runChecked('holdfast status');
    expectThat(/^passive\s+Holdfast demo 2 /m.test(status), 'version 2 is the passive system now');
    await this.machine.runChecked('holdfast rollback');
    const back = await this.machine.runChecked('holdfast status');
    expectThat(/^active\s+Holdfast demo 2 .*next reboot/m.test(back), 'a second rollback brings version 2 back');
    return {
      shown: [
        'holdfast rollback, reboot: Holdfast demo 1, without vim',
        'holdfast rollback once more: the next boot is version 2 again',
      ],
    };
  }

  async prettyName(): Promise<string> {
    return (await this.machine.runChecked('. /etc/os-release; echo "$PRETTY_NAME"')).trim();
  }

  async restart(): Promise<void> {
    this.#options.signal.throwIfAborted();
    await this.machine.reboot();
  }

  /** Shuts the machine down, so that its disk can be looked at. */
  async switchOff(): Promise<void> {
    await this.#machine?.powerOff();
    this.#machine = undefined;
    await this.#closeServers();
  }

  /** Ends whatever still runs; for every way out. */
  async end(): Promise<void> {
    await this.#machine?.powerCut();
    this.#machine = undefined;
    await this.#closeServers();
  }

  async #closeServers(): Promise<void> {
    await this.#server?.close();
    await this.#publisher?.close();
    this.#server = undefined;
    this.#publisher = undefined;
  }

  /** What the sparse disk image takes on this machine. */
  #diskBytes(): number {
    return statSync(this.disk).blocks * 512;
  }

  #requireImages(): DemoImages {
    if (this.#images === undefined) throw new HoldfastError('HF-STATE', 'the demo images are not built yet');
    return this.#images;
  }

  /** The archive of the guest's own apt configuration, if the guest reaches it. */
  async #reachableMirror(): Promise<string | undefined> {
    const probe = await this.machine.run(
      `set -- $(sed -n 's/^deb \\(\\[[^]]*\\] \\)\\?\\(http[^ ]*\\) \\([^ ]*\\) .*/\\2 \\3/p' /etc/apt/sources.list | head -n 1)
       test -n "$2" && timeout 30 /usr/lib/apt/apt-helper download-file "$1/dists/$2/InRelease" /tmp/InRelease >&2 && echo "$1"`,
      { timeoutMs: 120_000 },
    );
    return probe.status === 0 ? probe.stdout.trim() : undefined;
  }

  /** Passes the upgrade's own lines on while it runs. */
  #followUpgrade(): () => void {
    const decoder = new TextDecoder();
    let rest = '';
    let following = true;
    this.machine.onOutput((chunk) => {
      if (!following) return;
      const lines = (rest + decoder.decode(chunk, { stream: true })).split(/\r?\n/);
      rest = lines.pop() ?? '';
      for (const line of lines) if (/^ +\[ *\d+\/\d+\] /.test(line)) this.#log(line);
    });
    return () => {
      following = false;
    };
  }
}

/** What a guest calls the lab's package server when it reaches nothing else. */
const OFFLINE_ADDRESS = '10.0.2.100';
/** Where it finds the registry, and how it calls it. */
const REGISTRY_ADDRESS = '10.0.2.101';
const REGISTRY_NAME = 'registry.lab';

function expectThat(fact: boolean, what: string): void {
  if (!fact) throw new HoldfastError('HF-STATE', `this should be so and is not: ${what}`);
}

function short(digest: string): string {
  return digest.slice(0, 'sha256:'.length + 12);
}

/** Firmware variables begin anew with each story: what an earlier one left must not decide what boots. */
function freshVariables(directory: string): string {
  const file = join(directory, 'firmware-variables.fd');
  if (existsSync(file)) rmSync(file);
  return file;
}

async function directoryBytes(directory: string): Promise<number> {
  return Number((await runChecked(['du', '--summarize', '--block-size=1', directory])).split('\t')[0]);
}
