// Builds tar streams for tests byte by byte, so that they can hold what no honest tool writes.

/** Text is bytes as latin1. */
export interface Member {
  name: string;
  /** The type flag's character; default `0`, a file. */
  flag?: string;
  mode?: number;
  uid?: number;
  gid?: number;
  mtime?: number;
  linkName?: string;
  content?: string | Buffer;
  /** Stated size, when it shall differ from the content's. */
  size?: number;
  major?: number;
  minor?: number;
  /** Records of an extended header before this member. */
  pax?: Record<string, string | Buffer>;
  /** `ustar\0` + `00` by default. */
  magic?: string;
}

const octal = (value: number, length: number) => `${value.toString(8).padStart(length - 1, '0')}\0`;

export function header(member: Member): Buffer {
  const block = Buffer.alloc(512);
  const content = bytes(member.content ?? '');
  block.write(member.name, 0, 100, 'latin1');
  block.write(octal(member.mode ?? (member.flag === '5' ? 0o755 : 0o644), 8), 100, 'latin1');
  block.write(octal(member.uid ?? process.getuid?.() ?? 0, 8), 108, 'latin1');
  block.write(octal(member.gid ?? process.getgid?.() ?? 0, 8), 116, 'latin1');
  block.write(octal(member.size ?? content.length, 12), 124, 'latin1');
  block.write(octal(member.mtime ?? 1_600_000_000, 12), 136, 'latin1');
  block.write(member.flag ?? '0', 156, 'latin1');
  block.write(member.linkName ?? '', 157, 100, 'latin1');
  block.write(member.magic ?? 'ustar\x0000', 257, 'latin1');
  block.write(octal(member.major ?? 0, 8), 329, 'latin1');
  block.write(octal(member.minor ?? 0, 8), 337, 'latin1');
  return withChecksum(block);
}

export function withChecksum(block: Buffer): Buffer {
  block.fill(' ', 148, 156);
  const sum = block.reduce((total, byte) => total + byte, 0);
  block.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148, 'latin1');
  return block;
}

export function paxRecord(key: string, value: string | Buffer): Buffer {
  const rest = Buffer.concat([Buffer.from(` ${key}=`, 'latin1'), bytes(value), Buffer.from('\n')]);
  let length = rest.length + 1;
  while (String(length).length + rest.length !== length) length = String(length).length + rest.length;
  return Buffer.concat([Buffer.from(String(length)), rest]);
}

export function member(given: Member): Buffer {
  const content = bytes(given.content ?? '');
  const pax = { ...given.pax };
  if (given.name.length > 100) pax['path'] ??= given.name;
  if ((given.linkName ?? '').length > 100) pax['linkpath'] ??= given.linkName ?? '';
  const records = Buffer.concat(Object.entries(pax).map(([key, value]) => paxRecord(key, value)));
  const extended = records.length === 0 ? [] : [header({ name: 'pax', flag: 'x', content: records }), padded(records)];
  return Buffer.concat([...extended, header(given), padded(content)]);
}

export function tarball(members: readonly Member[]): Buffer {
  return Buffer.concat([...members.map(member), Buffer.alloc(1024)]);
}

export function padded(content: Buffer): Buffer {
  return Buffer.concat([content, Buffer.alloc((512 - (content.length % 512)) % 512)]);
}

export const dir = (name: string, more: Partial<Member> = {}): Member => ({ name: `${name}/`, flag: '5', ...more });
export const file = (name: string, content: string | Buffer = '', more: Partial<Member> = {}): Member => ({
  name,
  content,
  ...more,
});
export const symlink = (name: string, linkName: string, more: Partial<Member> = {}): Member => ({
  name,
  flag: '2',
  linkName,
  ...more,
});
export const hardlink = (name: string, linkName: string, more: Partial<Member> = {}): Member => ({
  name,
  flag: '1',
  linkName,
  ...more,
});
export const whiteout = (name: string): Member => ({ name });

function bytes(value: string | Buffer): Buffer {
  return typeof value === 'string' ? Buffer.from(value, 'latin1') : value;
}
