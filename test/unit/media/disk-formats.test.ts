// Disk formats: sizes, names, the footer of a VHD, an OVF package's texts.

import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { convertedName, parseDiskFormat, parseDiskSize } from '../../../src/media/disk-formats.ts';
import { machineName, ovfDescriptor, ovfManifest, settleVmdkDescriptor } from '../../../src/media/disk-ova.ts';
import { parseVhdFooter, settleVhdFooter } from '../../../src/media/disk-vhd.ts';

const MIB = 1 << 20;

test.each([
  ['20G', 20 * 1024 * MIB],
  ['20GiB', 20 * 1024 * MIB],
  ['8192M', 8192 * MIB],
  ['8192', 8192 * MIB],
  ['1t', 1024 * 1024 * MIB],
])('%s is a size', (text, bytes) => {
  expect(parseDiskSize(text)).toBe(bytes);
});

test.each(['', '0', '-1G', '1.5G', '20X', '99999999T', 'G'])('%j is no size', (text) => {
  expect(() => parseDiskSize(text)).toThrow(expect.objectContaining({ code: 'HF-USAGE' }));
});

test('an unknown type is refused with a list of those that there are', () => {
  expect(() => parseDiskFormat('vdi')).toThrow(expect.objectContaining({ hint: expect.stringContaining('azure:') }));
});

test.each([
  ['disk.raw', 'azure', 'disk.vhd'],
  ['a/b.img', 'gce', 'a/b.tar.gz'],
  ['disk', 'qcow2', 'disk.qcow2'],
] as const)('%s becomes, for %s, %s', (raw, format, name) => {
  expect(convertedName(raw, format)).toBe(name);
});

/** A footer as the specification has it, of a disk of 100 MiB. */
function footer(): Buffer {
  const bytes = Buffer.alloc(512);
  bytes.write('conectix', 0, 'latin1');
  bytes.writeUInt32BE(2, 8);
  bytes.writeUInt32BE(0x10000, 12);
  bytes.fill(0xff, 16, 24);
  bytes.writeUInt32BE(12345, 24);
  bytes.writeBigUInt64BE(100n * BigInt(MIB), 40);
  bytes.writeBigUInt64BE(100n * BigInt(MIB), 48);
  bytes.writeUInt16BE(203, 56);
  bytes.writeUInt8(16, 58);
  bytes.writeUInt8(63, 59);
  bytes.writeUInt32BE(2, 60);
  bytes.writeUInt32BE(~bytes.reduce((sum, byte) => sum + byte, 0) >>> 0, 64);
  return bytes;
}

describe('the footer of a VHD', () => {
  test('says what it is', () => {
    expect(parseVhdFooter(footer())).toEqual({
      timeSeconds: Date.UTC(2000, 0, 1) / 1000 + 12345,
      sizeBytes: 100 * MIB,
      geometry: { cylinders: 203, heads: 16, sectors: 63 },
      id: '0'.repeat(32),
    });
  });

  test('any time and number can be given to it, and its checksum stays right', () => {
    fc.assert(
      fc.property(fc.integer({ min: 946_684_800, max: 5_000_000_000 }), fc.uuid(), (timeSeconds, uuid) => {
        const settled = parseVhdFooter(settleVhdFooter(footer(), { timeSeconds, uuid }));
        expect(settled).toMatchObject({ timeSeconds, id: uuid.replaceAll('-', ''), sizeBytes: 100 * MIB });
      }),
    );
  });

  test('any damaged byte is noticed', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 511 }), fc.integer({ min: 1, max: 255 }), (at, change) => {
        const bytes = footer();
        bytes[at] = (bytes[at] ?? 0) ^ change;
        expect(() => parseVhdFooter(bytes)).toThrow(expect.objectContaining({ code: 'HF-IMAGE' }));
      }),
    );
  });

  test('another file is none', () => {
    expect(() => parseVhdFooter(Buffer.alloc(512))).toThrow('it has no footer');
    expect(() => parseVhdFooter(Buffer.alloc(10))).toThrow('its footer has 10 bytes');
  });
});

describe('an OVF package', () => {
  test('names in it can’t break out of its XML', () => {
    const text = ovfDescriptor({ name: `a"<b>&'`, diskBytes: 1, fileBytes: 2, bootBy: 'efi' });
    expect(text).not.toContain('<b>');
    expect(text).toContain('ovf:id="a&#34;&#60;b&#62;&#38;&#39;"');
  });

  test('what is opened in it is closed, in order', () => {
    const open: string[] = [];
    const text = ovfDescriptor({ name: 'os', diskBytes: 1, fileBytes: 2, bootBy: 'efi' });
    for (const [, end, name = '', alone] of text.matchAll(/<(\/?)([\w:]+)(?:\s+[\w:]+="[^"<]*")*(\/?)>/g)) {
      if (end === '/') expect(open.pop()).toBe(name);
      else if (alone !== '/') open.push(name);
    }
    expect(open).toEqual([]);
    expect(text.replace(/<[^<>]*>/g, '')).not.toMatch(/[<>]/);
  });

  test('the fields of its items are in the order that the schema wants', () => {
    const text = ovfDescriptor({ name: 'os', diskBytes: 1, fileBytes: 2, bootBy: 'efi' });
    for (const [, item = ''] of text.matchAll(/<Item>([\s\S]*?)<\/Item>/g)) {
      const names = [...item.matchAll(/<rasd:(\w+)>/g)].map(([, name]) => name);
      expect(names).toEqual([...names].sort());
      expect(names).toContain('InstanceID');
    }
  });

  test('its manifest has a line for each file', () => {
    expect(
      ovfManifest([
        { name: 'a.ovf', sha256: '00' },
        { name: 'a.vmdk', sha256: 'ff' },
      ]),
    ).toBe('SHA256(a.ovf)= 00\nSHA256(a.vmdk)= ff\n');
  });

  test.each([
    ['os.ova', 'os'],
    ['my os (2).ova', 'my-os-2'],
    ['.ova', 'disk'],
  ])('the machine of %s is %s', (file, name) => {
    expect(machineName(file)).toBe(name);
  });

  test('a VMDK’s descriptor keeps its length', () => {
    const old = Buffer.from('version=1\nCID=c88f480c\nparentCID=ffffffff\n\0\0');
    const fresh = settleVmdkDescriptor(old, '01234567');
    expect(fresh.toString('latin1')).toBe('version=1\nCID=01234567\nparentCID=ffffffff\n\0\0');
    // A number without leading zeros, as qemu-img writes it.
    const short = Buffer.from('CID=48f480c\nparentCID=ffffffff\n\0\0');
    expect(settleVmdkDescriptor(short, '01234567').toString('latin1')).toBe('CID=01234567\nparentCID=ffffffff\n\0');
    expect(() => settleVmdkDescriptor(Buffer.from('nothing'), '01234567')).toThrow('no content id');
  });
});
