import { describe, expect, test } from 'vitest';
import { type MachineShape, qemuArguments } from '../../../lab/machine/command-line.ts';

const SOCKETS = { serialPort: 4711, monitorSocket: '/s/monitor' };
const SHAPE: MachineShape = {
  disks: [{ file: '/d/disk.img', serial: 'system' }],
  memoryMiB: 1024,
  cpus: 2,
  network: 'none',
  forwards: [],
  accelerator: 'tcg',
  firmware: { kind: 'bios' },
  serialLog: '/d/serial.log',
  extraArguments: [],
};

/** The arguments that follow each occurrence of an option. */
function valuesOf(option: string, shape: Partial<MachineShape>): string[] {
  const args = qemuArguments({ ...SHAPE, ...shape }, SOCKETS);
  return args.flatMap((word, index) => (word === option ? [args[index + 1] ?? ''] : []));
}

describe('the command line of QEMU', () => {
  test('starts from nothing: no defaults, no window, no configuration of the user', () => {
    const args = qemuArguments(SHAPE, SOCKETS);
    expect(args).toEqual(expect.arrayContaining(['-nodefaults', '-no-user-config', '-display', 'none']));
  });

  test('waits for the driver before the guest runs, and logs the console from its first byte', () => {
    expect(valuesOf('-chardev', {})[0]).toBe(
      'socket,id=serial0,host=127.0.0.1,port=4711,nodelay=on,logfile=/d/serial.log,logappend=on',
    );
  });

  const disks: [string, MachineShape['disks'][number], string, string][] = [
    [
      'a raw disk keeps what was written at a power cut, so flushes are left out',
      { file: '/d/a.img' },
      'if=none,id=disk0,format=raw,discard=unmap,cache.writeback=on,cache.no-flush=on,file=/d/a.img',
      'virtio-blk-pci,drive=disk0,bootindex=1',
    ],
    [
      'a qcow2 disk keeps its flushes',
      { file: '/d/a.qcow2', format: 'qcow2' },
      'if=none,id=disk0,format=qcow2,discard=unmap,cache.writeback=on,file=/d/a.qcow2',
      'virtio-blk-pci,drive=disk0,bootindex=1',
    ],
    [
      'a read-only disk with a serial number and a comma in its name',
      { file: '/d/a,b.img', readOnly: true, serial: 'delivery' },
      'if=none,id=disk0,format=raw,discard=unmap,cache.writeback=on,cache.no-flush=on,readonly=on,file=/d/a,,b.img',
      'virtio-blk-pci,drive=disk0,bootindex=1,serial=delivery',
    ],
    [
      'an NVMe disk has a serial number always',
      { file: '/d/a.img', bus: 'nvme' },
      'if=none,id=disk0,format=raw,discard=unmap,cache.writeback=on,cache.no-flush=on,file=/d/a.img',
      'nvme,drive=disk0,bootindex=1,serial=disk0',
    ],
  ];
  test.each(disks)('%s', (_, disk, drive, device) => {
    expect(valuesOf('-drive', { disks: [disk] })).toEqual([drive]);
    expect(valuesOf('-device', { disks: [disk] })).toEqual([device]);
  });

  test('SCSI disks share one adapter', () => {
    const scsi = { file: '/d/a.img', bus: 'scsi' } as const;
    expect(valuesOf('-device', { disks: [scsi, scsi] })).toEqual([
      'virtio-scsi-pci,id=scsi',
      'scsi-hd,bus=scsi.0,drive=disk0,bootindex=1',
      'scsi-hd,bus=scsi.0,drive=disk1,bootindex=2',
    ]);
  });

  test('UEFI is two flash chips, of which one can be written', () => {
    const firmware = { kind: 'uefi', code: '/f/CODE.fd', variables: '/d/VARS.fd' } as const;
    expect(valuesOf('-drive', { firmware, disks: [] })).toEqual([
      'if=pflash,format=raw,unit=0,readonly=on,file=/f/CODE.fd',
      'if=pflash,format=raw,unit=1,file=/d/VARS.fd',
    ]);
  });

  test('a direct kernel comes with its command line', () => {
    const direct = { kernel: '/k', initrd: '/i', commandLine: 'root=/dev/vda rw' };
    const args = qemuArguments({ ...SHAPE, direct }, SOCKETS).join('\n');
    expect(args).toContain('-kernel\n/k\n-append\nroot=/dev/vda rw\n-initrd\n/i');
  });

  test('without a network there is no interface', () => {
    expect(valuesOf('-nic', { network: 'none' })).toEqual(['none']);
    expect(valuesOf('-netdev', { network: 'none' })).toEqual([]);
  });

  test('a restricted network reaches the forwards and nothing else', () => {
    const [netdev = ''] = valuesOf('-netdev', {
      network: 'restricted',
      forwards: [{ address: '10.0.2.100', port: 4711 }],
    });
    expect(netdev).toMatch(/^user,id=net0,restrict=on,guestfwd=tcp:10\.0\.2\.100:80-cmd:'.*' '.*\/relay\.mjs' '4711'$/);
  });

  test('a forward has the port that the guest expects, 80 when it says nothing', () => {
    const forwards = [{ address: '10.0.2.101', guestPort: 443, port: 4712 }];
    expect(valuesOf('-netdev', { network: 'restricted', forwards })[0]).toContain('guestfwd=tcp:10.0.2.101:443-cmd:');
  });

  test.each([
    ['tcg', ['tcg,thread=multi'], ['max,erms=off,smap=off']],
    ['tcg-counted', ['tcg,thread=single'], ['max']],
    ['kvm', ['kvm'], ['host']],
  ] as const)('the accelerator %s', (accelerator, accel, cpu) => {
    expect(valuesOf('-accel', { accelerator })).toEqual(accel);
    expect(valuesOf('-cpu', { accelerator })).toEqual(cpu);
    expect(valuesOf('-icount', { accelerator })).toEqual(accelerator === 'tcg-counted' ? ['shift=1'] : []);
  });
});
