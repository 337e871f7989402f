// Passwords, tokens and keys in texts that are shown: results, plans and excerpts of files are read in terminals, kept in
// logs and pasted into reports. What looks like a secret is masked; better one word too many than one too few.

const NAME =
  '(?!lock_)[\\w-]*(?:passw(?:or)?d|passphrase|secret|token|api[_-]?key|access[_-]?key|private[_-]?key)[\\w-]*';
const VALUE = '"[^"\\n]+"|\'[^\'\\n]+\'';

/** The first group stays, the second is masked. */
const PATTERNS: readonly RegExp[] = [
  /()(-----BEGIN [A-Z ]*PRIVATE KEY-----[\s\S]*?(?:-----END [A-Z ]*PRIVATE KEY-----|$))/g,
  // Logins in addresses.
  /(\b[a-z][a-z0-9+.-]*:\/\/)([^\s/@]+)(?=@)/gi,
  new RegExp(`(--${NAME}[ =])(${VALUE}|[^\\s"']+)`, 'gi'),
  new RegExp(`((?<![\\w/-])${NAME}["']?\\s*[:=][ \\t]*)(${VALUE}|[^\\s"',;&{}]+)`, 'gi'),
  /(\bAuthorization:\s*(?:Basic|Bearer)\s+)([^\s"']+)/gi,
  // Hashes of crypt(3) with their salt.
  /()(\$(?:[1567y]|2[aby]|gy|sha1)\$[^\s'":]{8,})/g,
];

const NAMED = new RegExp(`^${NAME}$`, 'i');

/** What every one of them has. Most texts have nothing of it, and this is much faster to see. */
const TRACE = /pass|secret|token|key|@|\$|authorization/i;

/** Whether a variable or setting of this name holds a secret. */
export function isSecretName(name: string): boolean {
  return NAMED.test(name);
}

/**
 * The text with everything that looks like a secret masked.
 * @param options.keepLength one letter for each, so that columns stay where they are.
 */
export function maskSecrets(text: string, options: { keepLength?: boolean } = {}): string {
  if (!TRACE.test(text)) return text;
  let masked = text;
  for (const pattern of PATTERNS) {
    masked = masked.replace(pattern, (_, kept: string, secret: string) => kept + maskOf(secret, options.keepLength));
  }
  return masked;
}

function maskOf(secret: string, keepLength = false): string {
  return keepLength ? '*'.repeat(secret.length) : '***';
}
