// The QEMU command line, as a pure function of what a machine shall be. Disks are raw files with discard passed
// through, so that images stay sparse.

import { fileURLToPath } from 'node:url';

/** Connects its standard input and output to a port of 127.0.0.1. */
const RELAY = fileURLToPath(new URL('./relay.mjs', import.meta.url));

/** A disk of the machine, in the order that the firmware tries them. */
export interface Disk {
  file: string;
  /** Default `raw`. */
  format?: 'raw' | 'qcow2';
  readOnly?: boolean;
  /** Gives the guest `/dev/disk/by-id/virtio-SERIAL`; at most 20 characters. */
  serial?: string;
  /**
   * Default `virtio`; `nvme` is built into Debian's cloud kernel, which can then boot without an initramfs; `scsi` disks are
   * /dev/sda, /dev/sdb in the guest, in no order that one can count on.
   */
  bus?: 'virtio' | 'nvme' | 'scsi';
  /** Writes go to a qcow2 file beside the machine's log; the disk's own file is not touched. */
  throwAway?: boolean;
}

/** A kernel that QEMU loads itself, without firmware and boot loader. */
export interface DirectKernel {
  kernel: string;
  initrd?: string;
  commandLine: string;
}

/**
 * `user`: the guest reaches whatever the host reaches, and the host's 127.0.0.1 as 10.0.2.2.
 * `restricted`: an interface with DHCP, and nothing behind it but the forwards.
 */
export type Network = 'user' | 'restricted' | 'none';

/** A TCP port of the host's 127.0.0.1 that the guest sees at an address of its own network. */
export interface Forward {
  /** Within 10.0.2.0/24 and free: 10.0.2.100 to 10.0.2.254. */
  address: string;
  /** Where the guest finds it there; default 80. */
  guestPort?: number;
  port: number;
}

export interface MachineShape {
  disks: readonly Disk[];
  /** The address of an iPXE script that the machine starts with, before any disk; its network card has iPXE in it. */
  networkBoot?: string;
  memoryMiB: number;
  cpus: number;
  network: Network;
  forwards: readonly Forward[];
  /**
   * `tcg-counted`: software emulation of one processor whose clock counts instructions, two nanoseconds each. What a
   * busy host takes away isn't seen in the guest's time, so measurements can be repeated; `cpus` has to be 1.
   */
  accelerator: 'tcg' | 'kvm' | 'tcg-counted';
  firmware: { kind: 'bios' } | { kind: 'uefi'; code: string; variables: string; secureBoot?: boolean };
  direct?: DirectKernel;
  serialLog: string;
  extraArguments: readonly string[];
}

export interface MachineSockets {
  /** A TCP port of 127.0.0.1 that somebody listens on (SerialPort says why). */
  serialPort: number;
  /** The path of a UNIX socket that QEMU listens on. */
  monitorSocket: string;
}

/**
 * The arguments of `qemu-system-x86_64`.
 *
 * The guest sees disks with a write cache that it has to flush (`cache.writeback=on`), as real disks have. On the host
 * flushes are left out (`cache.no-flush=on`) since a power cut here is a SIGKILL of QEMU: what was written to a raw
 * file is then in the host's page cache and stays, flushed or not, and waiting for the host's disk would buy nothing.
 * A power cut therefore loses what the guest hadn't yet sent to its disk, and no more; writes that a disk had accepted
 * and then lost are the crash tests' business, which replay recorded writes. A qcow2 file keeps its flushes, since
 * QEMU itself holds back that format's tables until one.
 */
export function qemuArguments(shape: MachineShape, sockets: MachineSockets): string[] {
  // A reset ends the process (BootSession says why).
  const args = ['-action', 'reboot=shutdown', '-nodefaults', '-no-user-config', '-display', 'none'];
  // Its firmware keeps the variables to itself, in a mode of the processor that no guest can enter.
  const secureBoot = shape.firmware.kind === 'uefi' && shape.firmware.secureBoot === true;
  args.push('-machine', secureBoot ? 'q35,smm=on' : 'q35');
  if (secureBoot) args.push('-global', 'driver=cfi.pflash01,property=secure,value=on');
  args.push(...acceleratorArguments(shape.accelerator));
  args.push('-smp', String(shape.cpus), '-m', String(shape.memoryMiB));
  args.push(
    '-chardev',
    properties('socket', {
      id: 'serial0',
      host: '127.0.0.1',
      port: String(sockets.serialPort),
      nodelay: 'on',
      logfile: shape.serialLog,
      logappend: 'on',
    }),
  );
  args.push('-serial', 'chardev:serial0');
  args.push('-chardev', properties('socket', { id: 'qmp0', path: sockets.monitorSocket, server: 'on', wait: 'off' }));
  args.push('-mon', 'chardev=qmp0,mode=control');
  if (shape.firmware.kind === 'uefi') {
    const flash = (unit: string, file: string, more: Record<string, string>) =>
      properties('if=pflash', { format: 'raw', unit, ...more, file });
    args.push('-drive', flash('0', shape.firmware.code, { readonly: 'on' }));
    args.push('-drive', flash('1', shape.firmware.variables, {}));
  }
  if (shape.direct) {
    args.push('-kernel', shape.direct.kernel, '-append', shape.direct.commandLine);
    if (shape.direct.initrd !== undefined) args.push('-initrd', shape.direct.initrd);
  }
  if (shape.disks.some(({ bus }) => bus === 'scsi')) args.push('-device', 'virtio-scsi-pci,id=scsi');
  for (const [index, disk] of shape.disks.entries()) args.push(...diskArguments(disk, index));
  args.push(...networkArguments(shape), ...shape.extraArguments);
  return args;
}

/**
 * What software emulation is slower with, a tenth of a boot in all: `rep movsb` is carried out byte by byte, so a guest must
 * not prefer it, and SMAP ends a translated block at each access to a process's memory. (Not XSAVE, which would be as much
 * again: the kernel's AES then takes AVX for granted and dies of it.)
 */
const COSTLY_FEATURES = ['erms', 'smap'];

/** An accelerator with the processor that goes with it. */
export function acceleratorArguments(accelerator: MachineShape['accelerator']): string[] {
  switch (accelerator) {
    case 'kvm':
      return ['-accel', 'kvm', '-cpu', 'host'];
    case 'tcg-counted':
      return ['-accel', 'tcg,thread=single', '-icount', 'shift=1', '-cpu', 'max'];
    default:
      return ['-accel', 'tcg,thread=multi', '-cpu', `max,${COSTLY_FEATURES.map((name) => `${name}=off`).join(',')}`];
  }
}

function diskArguments(disk: Disk, index: number): string[] {
  const format = disk.format ?? 'raw';
  const id = `disk${index}`;
  const drive = properties('if=none', {
    id,
    format,
    discard: 'unmap',
    'cache.writeback': 'on',
    ...(format === 'raw' ? { 'cache.no-flush': 'on' } : {}),
    ...(disk.readOnly ? { readonly: 'on' } : {}),
    file: disk.file,
  });
  const bus = disk.bus ?? 'virtio';
  // NVMe insists on a serial number.
  const serial = disk.serial ?? (bus === 'nvme' ? id : undefined);
  const device = properties({ virtio: 'virtio-blk-pci', nvme: 'nvme', scsi: 'scsi-hd,bus=scsi.0' }[bus], {
    drive: id,
    // 0 is taken by a direct kernel.
    bootindex: String(index + 1),
    ...(serial === undefined ? {} : { serial }),
  });
  return ['-drive', drive, '-device', device];
}

function networkArguments({ network, forwards, networkBoot }: MachineShape): string[] {
  if (network === 'none') return ['-nic', 'none'];
  const guestForwards = forwards
    .map(({ address, guestPort = 80, port }) => {
      // With a fixed connection QEMU would send everything that the guest opens through one and the same; with a
      // command there is a process for each. QEMU splits it as a shell does, and its own option at commas.
      const command = [process.execPath, RELAY, String(port)]
        .map((word) => `'${word.replaceAll("'", "'\\''")}'`)
        .join(' ');
      return `,guestfwd=tcp:${address}:${guestPort}-cmd:${escapeComma(command)}`;
    })
    .join('');
  const restrict = network === 'restricted' ? ',restrict=on' : '';
  // No option ROM where nothing boots from the network: loading one costs firmware time.
  const [bootFile, card] =
    networkBoot === undefined ? ['', 'romfile='] : [`,bootfile=${escapeComma(networkBoot)}`, 'bootindex=0'];
  return [
    '-netdev',
    `user,id=net0${restrict}${bootFile}${guestForwards}`,
    '-device',
    `virtio-net-pci,netdev=net0,${card}`,
  ];
}

function properties(head: string, values: Record<string, string>): string {
  return [head, ...Object.entries(values).map(([key, value]) => `${key}=${escapeComma(value)}`)].join(',');
}

function escapeComma(text: string): string {
  return text.replaceAll(',', ',,');
}
