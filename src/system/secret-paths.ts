// Files that hold secrets by their nature, wherever a tree is: password databases, private keys, tokens. What is read in
// terminals, kept in lists and packed into reports has nothing of their content, not even its digest: a short secret can be
// guessed from that.

/** Absolute paths. */
const PATTERNS: readonly RegExp[] = [
  /^\/etc\/g?shadow[-~]?(?:\.|$)/,
  /^\/etc\/(?:security\/opasswd|subversion\/.*auth|krb5\.keytab|ppp\/(?:chap|pap)-secrets|machine-id$)/,
  /^\/etc\/ssh\/ssh_host_[^/]*key$/,
  /^\/etc\/(?:ssl|pki|letsencrypt|wireguard|openvpn|ipsec\.d|swanctl)\/(?:.*\/)?private\//,
  /^\/etc\/(?:wireguard|wpa_supplicant|iwd|NetworkManager\/system-connections|openvpn|ppp|ipsec\.d)\//,
  /^\/var\/lib\/(?:iwd|private|sss\/secrets|NetworkManager\/secret_key|systemd\/credential\.secret)/,
  /\/(?:id_(?:rsa|dsa|ecdsa|ed25519)|\.netrc|\.pgpass|kubeconfig)$/,
  /^\/(?:root|home\/[^/]+)\/(?:\.ssh\/(?!authorized_keys|known_hosts|config$|.*\.pub$)|\.gnupg\/|\.aws\/|\.kube\/|\.docker\/config\.json|\.netrc|\.pgpass|\.git-credentials|\.config\/gh\/)/,
  /^\/etc\/rancher\/|^\/var\/lib\/rancher\/[^/]+\/server\/(?:tls|cred|token|node-token|agent-token)/,
  /^\/(?:etc|var\/lib)\/kubernetes\/|^\/var\/lib\/kubelet\/(?:pki|config\.json)/,
  /^\/etc\/(?:ceph|restic|borg|rclone|smbcredentials|cifs-credentials|netrc|fetchmailrc|msmtprc)/,
  /\/(?:[^/]*[._-])?(?:secrets?|credentials?|tokens?|passwords?|passphrase|api[_-]?keys?)(?:\.(?:ya?ml|json|toml|ini|conf|txt|env|key))?$/i,
  /\.(?:key|pem|p12|pfx|jks|keystore|keytab|kdbx|psk|age)$/i,
  /\/\.env(?:\.[^/]*)?$/,
];

/** Certificates and public keys are no secrets, whatever their names end in. */
const PUBLIC: readonly RegExp[] = [
  /^\/(?:etc|usr\/share|usr\/local\/share)\/(?:ssl\/certs|ca-certificates|pki\/(?:ca-trust|trust|rpm-gpg)|apt\/(?:trusted\.gpg\.d|keyrings))\//,
  /^\/usr\/(?:share|lib)\//,
];

/**
 * Whether a file holds secrets by its name.
 * @param path absolute.
 */
export function isSecretPath(path: string): boolean {
  return PATTERNS.some((pattern) => pattern.test(path)) && !PUBLIC.some((pattern) => pattern.test(path));
}
