// Whether machines run under KVM or in software. `/dev/kvm` can be there and hang for ever at the first instruction, so
// its presence proves nothing: a guest of 512 bytes has to have run to its end under it, within seconds.

import { existsSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { HoldfastError } from '../../src/system/errors.ts';
import { run } from '../../src/system/process.ts';
import { cacheDirectory } from '../cache.ts';
import { acceleratorArguments, type MachineShape } from './command-line.ts';

export type Accelerator = MachineShape['accelerator'];

/**
 * What programs of the guest are told. Under software emulation what a compiler makes at run time is translated once more:
 * without its optimising part our commands take half as long. A counted clock leaves them alone. (Without any compiler there
 * would be no foreign functions either, and so no times to the nanosecond.)
 */
export function environmentUnder(accelerator: Accelerator): Readonly<Record<string, string>> {
  return accelerator === 'tcg' ? { BUN_JSC_useDFGJIT: '0' } : {};
}

/** QEMU's isa-debug-exit ends it with status 2·value+1. */
const PROBE_VALUE = 0x10;
const PROBE_STATUS = PROBE_VALUE * 2 + 1;

/**
 * A boot sector: `mov ecx, 100000000; loop $; mov al, 0x10; out 0xf4, al; hlt; jmp -3`, and the signature that the BIOS
 * wants. It counts for a while, since a KVM was met that ran a few instructions and then stood still.
 */
function probeBootSector(): Buffer {
  const sector = Buffer.alloc(512);
  const count = [0x66, 0xb9, 0x00, 0xe1, 0xf5, 0x05, 0x67, 0xe2, 0xfd];
  Buffer.from([...count, 0xb0, PROBE_VALUE, 0xe6, 0xf4, 0xf4, 0xeb, 0xfd]).copy(sector);
  sector.writeUInt16LE(0xaa55, 510);
  return sector;
}

/**
 * Whether a guest comes up with this accelerator, and the processor that machines get with it, within `timeoutMs`; QEMU
 * is killed when it does not.
 */
export async function probeAccelerator(accelerator: Accelerator, timeoutMs = 5000): Promise<boolean> {
  const directory = mkdtempSync(join(tmpdir(), 'holdfast-probe-'));
  try {
    const disk = join(directory, 'boot.img');
    writeFileSync(disk, probeBootSector());
    const result = await run(
      [
        'qemu-system-x86_64',
        ...[...acceleratorArguments(accelerator), '-machine', 'pc', '-m', '64', '-nodefaults', '-no-user-config'],
        ...['-display', 'none', '-nic', 'none', '-device', 'isa-debug-exit,iobase=0xf4,iosize=4'],
        ...['-drive', `file=${disk.replaceAll(',', ',,')},format=raw,if=floppy`],
      ],
      { timeoutMs, graceMs: 200 },
    );
    return result.status === PROBE_STATUS;
  } catch (error) {
    if (error instanceof HoldfastError && error.code === 'HF-COMMAND') return false;
    throw error;
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

/** What the environment asks for: `HOLDFAST_ACCEL` as `tcg` or `kvm`; undefined leaves it to the probe. */
export function requestedAccelerator(value: string | undefined): Accelerator | undefined {
  if (value === undefined || value === '' || value === 'auto') return undefined;
  if (value === 'tcg' || value === 'kvm') return value;
  throw new HoldfastError('HF-USAGE', `HOLDFAST_ACCEL is ${value}, but only tcg, kvm and auto are known`);
}

/** The accelerator for machines on this host. The probe runs once per boot of the host; its result is kept. */
export async function chooseAccelerator(): Promise<Accelerator> {
  const requested = requestedAccelerator(process.env['HOLDFAST_ACCEL']);
  if (requested !== undefined) return requested;
  if (!existsSync('/dev/kvm')) return 'tcg';
  const bootId = readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
  const file = join(cacheDirectory(), 'accelerator');
  const known = existsSync(file) ? readFileSync(file, 'utf8').trim().split(' ') : [];
  if (known[0] === bootId && (known[1] === 'kvm' || known[1] === 'tcg')) return known[1];
  // Twice: a KVM that only sometimes works is of no use.
  const works = (await probeAccelerator('kvm')) && (await probeAccelerator('kvm'));
  const accelerator = works ? 'kvm' : 'tcg';
  writeFileSync(`${file}.${process.pid}.tmp`, `${bootId} ${accelerator}\n`);
  renameSync(`${file}.${process.pid}.tmp`, file);
  return accelerator;
}
