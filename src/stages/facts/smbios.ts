// The firmware's raw SMBIOS table: what it says about memory modules and the processor's clock. Readable by root only.
// The table is whatever a vendor has put there, so every length in it is checked.

export interface SmbiosFacts {
  memoryType: string;
  /** Mega-transfers per second. */
  memorySpeed: number;
  memoryMebibytes: number;
  /** Current clock of the first processor in MHz. */
  processorMegahertz: number;
}

/** SMBIOS 3.8, 7.18.2: names of memory types from 1 on. */
const MEMORY_TYPES =
  'Other|Unknown|DRAM|EDRAM|VRAM|SRAM|RAM|ROM|FLASH|EEPROM|FEPROM|EPROM|CDRAM|3DRAM|SDRAM|SGRAM|RDRAM|DDR|DDR2|DDR2 FB-DIMM|Reserved|Reserved|Reserved|DDR3|FBD2|DDR4|LPDDR|LPDDR2|LPDDR3|LPDDR4|Logical non-volatile device|HBM|HBM2|DDR5|LPDDR5|HBM3'.split(
    '|',
  );

const PROCESSOR = 4;
const MEMORY_DEVICE = 17;
const MEMORY_ARRAY_ADDRESS = 19;
const END_OF_TABLE = 127;

/** Reads the table (`/sys/firmware/dmi/tables/DMI`). Memory modules are added up; without any, address ranges are. */
export function parseSmbios(table: Uint8Array): SmbiosFacts {
  const facts: SmbiosFacts = { memoryType: '', memorySpeed: 0, memoryMebibytes: 0, processorMegahertz: 0 };
  let mapped = 0;
  for (const { type, body } of structures(table)) {
    if (type === PROCESSOR && body.byteLength >= 0x18) facts.processorMegahertz ||= body.getUint16(0x16, true);
    if (type === MEMORY_DEVICE) addModule(facts, body);
    if (type === MEMORY_ARRAY_ADDRESS) mapped += mappedMebibytes(body);
  }
  if (facts.memoryMebibytes === 0 && mapped > 0) return { ...facts, memoryType: 'DRAM', memoryMebibytes: mapped };
  return facts;
}

function* structures(table: Uint8Array): Generator<{ type: number; body: DataView }> {
  for (let at = 0; at + 4 <= table.length; ) {
    const [type = END_OF_TABLE, length = 0] = table.subarray(at, at + 2);
    if (type === END_OF_TABLE || length < 4 || at + length > table.length) return;
    yield { type, body: new DataView(table.buffer, table.byteOffset + at, length) };
    at += length;
    // Texts follow, each ended by a NUL, and one more NUL after the last.
    while (at + 1 < table.length && (table[at] !== 0 || table[at + 1] !== 0)) at += 1;
    at += 2;
  }
}

function addModule(facts: SmbiosFacts, body: DataView): void {
  if (body.byteLength < 0x15) return;
  let size = body.getUint16(0x0c, true);
  // 0: empty slot; 0xffff: unknown; the highest bit: kibibytes, of which no module has a useful number.
  if (size === 0 || size >= 0x8000) return;
  if (size === 0x7fff) {
    if (body.byteLength < 0x20) return;
    size = body.getUint32(0x1c, true);
  }
  facts.memoryMebibytes += size;
  facts.memoryType ||= MEMORY_TYPES[body.getUint8(0x12) - 1] ?? '';
  if (body.byteLength >= 0x17) facts.memorySpeed ||= body.getUint16(0x15, true);
}

function mappedMebibytes(body: DataView): number {
  if (body.byteLength < 0x0c) return 0;
  const start = body.getUint32(0x04, true);
  const end = body.getUint32(0x08, true);
  if (start !== 0xffffffff || end !== 0xffffffff) return Math.floor(Math.max(0, end - start + 1) / 1024);
  if (body.byteLength < 0x1f) return 0;
  return Math.max(0, Number((body.getBigUint64(0x17, true) - body.getBigUint64(0x0f, true) + 1n) / 1048576n));
}
