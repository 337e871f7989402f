// One line of authorized_keys(5): what makes it the same key as another, and whether it is a key at all. The key's own
// bytes begin with its type, which tells a key from anything that a web server may answer instead.

export interface PublicKey {
  /** `command="…",no-pty`, empty when there are none. */
  options: string;
  type: string;
  /** Base64. */
  blob: string;
}

/** `ssh-ed25519`, `sk-ecdsa-sha2-nistp256@openssh.com`, `rsa-sha2-256-cert-v01@openssh.com`. */
const TYPE = /^(?:ssh|ecdsa|sk|rsa|x509v3|webauthn)-[A-Za-z0-9@.-]+$/;
const MAX_TYPE_LENGTH = 64;

/** The key of a line, undefined when there is none. Its bytes are looked at by {@link isGenuine}. */
export function parsePublicKey(line: string): PublicKey | undefined {
  const text = line.trim();
  if (text === '' || text.startsWith('#')) return undefined;
  const [first = '', second = ''] = text.split(/[ \t]+/, 2);
  if (TYPE.test(first)) return second === '' ? undefined : { options: '', type: first, blob: second };
  const end = endOfOptions(text);
  const [type = '', blob = ''] = text
    .slice(end)
    .trim()
    .split(/[ \t]+/, 2);
  return TYPE.test(type) && blob !== '' ? { options: text.slice(0, end), type, blob } : undefined;
}

/** Whether the bytes of a key are those of its type (RFC 4253, 6.6). */
export function isGenuine({ type, blob }: PublicKey): boolean {
  if (!/^[A-Za-z0-9+/]+={0,2}$/.test(blob)) return false;
  const bytes = Buffer.from(blob, 'base64');
  const length = bytes.length < 4 ? 0 : bytes.readUInt32BE(0);
  return length <= MAX_TYPE_LENGTH && bytes.length > 4 + length && bytes.toString('latin1', 4, 4 + length) === type;
}

/** What two lines have in common when one makes the other superfluous: type and key, or the whole text of no key. */
export function identityOf(line: string): string {
  const key = parsePublicKey(line);
  return key === undefined ? line.trim() : `${key.type} ${key.blob}`;
}

/** Options end at the first blank that is in no quotes. */
function endOfOptions(text: string): number {
  let quoted = false;
  for (let at = 0; at < text.length; at += 1) {
    const character = text.charAt(at);
    if (character === '\\' && text.charAt(at + 1) === '"') at += 1;
    else if (character === '"') quoted = !quoted;
    else if (!quoted && (character === ' ' || character === '\t')) return at;
  }
  return text.length;
}
