// Passwords, tokens and keys in texts that are shown: results, plans and excerpts of files are read in terminals, kept in
// logs and pasted into reports. What looks like a secret is masked; better one word too many than one too few.

const NAME =
  '(?!lock_)(?:[\\w-]{0,60}(?:passw(?:or)?d|passphrase|secret|token|(?:api|access|private|auth|encryption|wep|luks|pre-?shared)[_-]?key)[\\w-]{0,60}|(?:[\\w-]{0,60}[_-])?psk|[\\w-]{1,60}_(?:pass|pwd))';
const VALUE = '"[^"\\n]+"|\'[^\'\\n]+\'';

/** Quotes before an argument, those of a line that is quoted once more too. They stay. */
const OPEN = '["\'\\\\]*';
/** An argument behind {@link OPEN}. */
const ARGUMENT = '(?<=")[^"\\n]+?(?=\\\\?")|(?<=\')[^\'\\n]+?(?=\\\\?\')|[^\\s"\'`|;&()<>]+';
/** The rest of a program's arguments, as far as one looks. */
const REST = '[^\\n|;&]{0,200}?';

/** Behind the pipe: programs that read a password, which is all that goes in. */
const READERS = `\\|\\s{0,9}(?:sudo\\s+(?:-\\w+\\s+){0,3})?(?:/[\\w/-]{0,40}/)?(?:(?!chpasswd)\\w{0,9}passwd|openssl\\s+passwd|cryptsetup|kinit|sudo\\s+-S|(?:docker|podman)\\s+secret\\s+create|\\w[^\\n|;&]{0,200}--(?:password|passphrase|token)-(?:stdin|fd))\\b`;
const CHPASSWD = '\\|[^\\n|;]{0,80}\\bchpasswd\\b';

/** `user:password` of an option, in these quotes. Programs that take `user:group` there keep it. */
function loginOption(quote: string, rest: string): RegExp {
  const option = '(?:^|\\s)(?:-[uU]|--(?:proxy-|http-)?user)[ =]?';
  const noGroup = '(?<!\\b(?:docker|podman|nerdctl|buildah)\\b(?:(?!\\bcurl\\b)[^\\n|;&]){0,200})';
  return new RegExp(`(${option}(?!\\d+:\\d+(?!\\S))${OPEN}${quote}[\\w.@+-]+:)${noGroup}(${rest})`, 'g');
}

/** The first group stays, the second is masked. */
const PATTERNS: readonly RegExp[] = [
  /()(-----BEGIN [A-Z ]*PRIVATE KEY-----[\s\S]*?(?:-----END [A-Z ]*PRIVATE KEY-----|$))/g,
  // Logins in addresses.
  /(\b[a-z][a-z0-9+.-]{0,30}:\/\/)([^\s/@]+)(?=@)/gi,
  // Signed addresses.
  /([?&](?:sig|signature|x-amz-(?:signature|credential|security-token)|x-goog-signature)=)([^&\s"'<>]+)/gi,
  // What chpasswd reads: each user's name stays. Several lines, a text in the shell's script, then one line.
  new RegExp(
    `(["'])([\\w.%-]+:\\S[^\\n]{0,200}(?:\\n[ \\t]*[\\w.%-]+:\\S[^\\n]{0,200}){1,20})(?=["']\\s{0,9}${CHPASSWD})`,
    'g',
  ),
  /((?:\bchpasswd\b[^\n]{0,80}?<<|<<[^\n|]{0,80}\|[^\n]{0,80}?\bchpasswd\b)[^\n]{0,80}\n)([ \t]*[^\s:]+:\S[^\n]*(?:\n[ \t]*[^\s:]+:\S[^\n]*)*)/g,
  new RegExp(`((?<![\\w.%\${}-])[\\w.%\${}-]+:)((?=\\S)[^\\n]{1,400}?)(?=["'\\\\\\s]{0,20}${CHPASSWD})`, 'g'),
  new RegExp(`(\\b\\w{0,9}passwd\\b${REST}<<<[ \\t]*${OPEN})(${ARGUMENT})`, 'g'),
  new RegExp(
    `(\\b(?:echo|printf)[ \\t]+(?:-\\w+[ \\t]+)*${OPEN})([^\\n]{1,400}?)(?=["'\\\\\\s;)}]{0,20}${READERS})`,
    'g',
  ),
  // Arguments of programs.
  loginOption('"', '[^"\\n]+?(?=\\\\?")'),
  loginOption("'", "[^'\\n]+?(?=\\\\?')"),
  loginOption('', '[^\\s"\'|;&]+'),
  new RegExp(`((?:^|\\s)(?:-U|--user)[ =]?${OPEN}[\\w.@/-]+%)([^\\s"'|;&]+)`, 'g'),
  new RegExp(`(\\bsshpass\\s+-p[ \\t]*${OPEN})(${ARGUMENT})`, 'g'),
  new RegExp(`(\\b(?:mysql|mariadb)[\\w-]{0,20}${REST}[ \\t]-p${OPEN})(${ARGUMENT})`, 'g'),
  new RegExp(
    `(\\b(?:docker|podman|nerdctl|buildah|skopeo|helm|oc)[ \\t]${REST}\\blogin\\b${REST}[ \\t]-p[ \\t=]?${OPEN})(${ARGUMENT})`,
    'g',
  ),
  new RegExp(`(\\buser(?:add|mod)\\b${REST}[ \\t](?:-p|--password)[ \\t=]+${OPEN})(?![$\`])(${ARGUMENT})`, 'g'),
  new RegExp(
    `(\\bopenssl[ \\t]+passwd[ \\t]+(?:-(?:salt|in)[ \\t]+\\S+[ \\t]+|-[\\w-]+[ \\t]+)*${OPEN})(?!-)(${ARGUMENT})`,
    'g',
  ),
  new RegExp(
    `(\\bmkpasswd[ \\t]+(?:(?:-[mSRP]|--(?:method|salt|rounds))[ \\t=]+\\S+[ \\t]+|-[^\\s"']+[ \\t]+)*${OPEN})(?!-)(${ARGUMENT})`,
    'g',
  ),
  new RegExp(
    `(\\bhtpasswd(?=[ \\t]+(?:-\\w+[ \\t]+)*-\\w*b)[ \\t]+(?:-\\w+[ \\t]+)+(?:\\S+[ \\t]+){1,2}${OPEN})(${ARGUMENT})`,
    'g',
  ),
  new RegExp(`(\\bnmcli\\b${REST}[ \\t][\\w.-]*(?:password|psk)[ \\t]+${OPEN})(${ARGUMENT})`, 'g'),
  new RegExp(`(\\bwpa_passphrase[ \\t]+(?:${VALUE}|\\S+)[ \\t]+${OPEN})(${ARGUMENT})`, 'g'),
  new RegExp(`([ \\t]-pass(?:in|out)?[ \\t]+${OPEN}pass:)([^\\s"']+)`, 'g'),
  /(^[ \t]*wpa-(?:psk|passphrase|password|wep-key\d?)[ \t]+)(\S[^\n]*)/gm,
  // Names with values. `passwd: files` is where names of users are looked up.
  new RegExp(`((?<![\\w-])--(?!no-|disabled-)${NAME}(?:=| (?!--?[a-z])))(${VALUE}|[^\\s"']+)`, 'gi'),
  new RegExp(
    `((?<![\\w/-])${NAME}["']?\\s*[:=][ \\t]*)(?!(?:files|compat)(?:[ \\t\\n]|$))(${VALUE}|[^\\s"',;&{}]+)`,
    'gi',
  ),
  /(\bAuthorization:\s*(?:Basic|Bearer|Token|Digest|Negotiate)\s+)([^\s"']+)/gi,
  /(\bCookie:[ \t]*)([^\s"'][^"'\n]*)/gi,
  // Hashes of crypt(3) with their salt.
  /()(\$(?:[1567y]|2[aby]|gy|sha1)\$[^\s'":]{8,})/g,
  // JSON web tokens, and tokens that say what they are by how they begin; the last ones are of k3s and rke2.
  /()\b(eyJ[\w-]{8,}\.[\w-]{8,}\.[\w-]*)/g,
  /()\b((?:gh[opusr]_|github_pat_|glpat-|xox[abeprs]-|npm_|dckr_pat_|hvs\.|[rs]k_live_|tskey-)[\w-]{16,})/g,
  /()\b((?:AKIA|ASIA)[A-Z0-9]{16})\b/g,
  /()\b(K10[0-9a-f]{64}::[\w:.-]+)/g,
];

/** Beyond those, for texts that leave the machine: what is a plain word as often as not, and whose a public key is. */
const PUBLISHED: readonly RegExp[] = [
  /(\b(?:sk-)?(?:ssh-(?:rsa|dss|ed25519)|ecdsa-sha2-[\w-]+)(?:@openssh\.com)?\s+)(AAAA[A-Za-z0-9+/=]{20,}(?:[ \t]+[^\s'",]+)?)/g,
  /([?&](?:code|auth)=)([^&\s"'<>]+)/gi,
  new RegExp(
    `((?<![\\w/-])["']?(?:passin|pass|pwd|auth|cookie|bearer|credentials?|community|pin|otp|seed)["']?\\s*[:=][ \\t]*)(${VALUE}|[^\\s"',;&{}]+)`,
    'gi',
  ),
];

const NAMED = new RegExp(`^${NAME}$`, 'i');

/** What every one of {@link PATTERNS} has. Most texts have nothing of it, and this is much faster to see. */
const TRACE =
  /pass|secret|token|key|psk|pwd|@|\$|authorization|cookie|-u|login|cryptsetup|kinit|sudo|useradd|usermod|mysql|mariadb|nmcli|eyJ|gh[opusr]_|glpat|xox|npm_|dckr|hvs\.|k_live|AKIA|ASIA|K10|sig|wpa-/i;

/** Whether a variable or setting of this name holds a secret. */
export function isSecretName(name: string): boolean {
  return NAMED.test(name);
}

export interface MaskOptions {
  /** One letter for each, so that columns stay where they are. */
  keepLength?: boolean;
  /** For a text that leaves the machine: goes further. */
  isPublished?: boolean;
}

/** The text with everything that looks like a secret masked. */
export function maskSecrets(text: string, { keepLength, isPublished }: MaskOptions = {}): string {
  const patterns = [...(TRACE.test(text) ? PATTERNS : []), ...(isPublished ? PUBLISHED : [])];
  return patterns.reduce(
    (masked, pattern) =>
      masked.replace(pattern, (_, kept: string, secret: string) => kept + maskOf(secret, keepLength)),
    text,
  );
}

function maskOf(secret: string, keepLength = false): string {
  return keepLength ? '*'.repeat(secret.length) : '***';
}
