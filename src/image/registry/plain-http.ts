// Where a registry may be reached without TLS: this machine itself, and what its owner named insecure.

/** @param host with its port, as in an image's name. @param insecure hosts with or without port, as the owner named them. */
export function mayBePlain(host: string, insecure: readonly string[]): boolean {
  const name = host.replace(/:\d+$/, '').toLowerCase();
  const isLoopback = name === 'localhost' || /^127(?:\.\d{1,3}){3}$/.test(name) || name === '[::1]';
  return isLoopback || insecure.some((entry) => [host.toLowerCase(), name].includes(entry.toLowerCase()));
}
