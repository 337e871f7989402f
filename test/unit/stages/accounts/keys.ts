// Public keys for tests: the bytes have the form of a key, and belong to nobody.

/** The base64 part of a key of this type; another number gives another key. */
export function keyBlob(type: string, number: number): string {
  const part = (bytes: Buffer) => {
    const length = Buffer.alloc(4);
    length.writeUInt32BE(bytes.length);
    return Buffer.concat([length, bytes]);
  };
  return Buffer.concat([part(Buffer.from(type)), part(Buffer.alloc(32, number))]).toString('base64');
}

/** A whole line. */
export function keyLine(number: number, comment = `key-${number}`): string {
  return `ssh-ed25519 ${keyBlob('ssh-ed25519', number)} ${comment}`;
}
