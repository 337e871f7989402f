// Tells when `sh` stumbles over something that only bash understands. The originals run everything with `sh`, which was
// bash on openSUSE; where it is dash or busybox, the same line fails, or worse, means the opposite.

/** What the shells say when they meet such a thing: dash, busybox ash, and bash called as sh. */
const COMPLAINTS: readonly RegExp[] = [
  /(?:^|\s)(?:\[\[|source|declare|shopt|mapfile|readarray|let|pushd|popd|function): (?:command )?not found/m,
  /: (?:\[\[|source|declare|shopt|mapfile|readarray|let|pushd|popd|function): not found/,
  /syntax error: (?:redirection unexpected|"\(" unexpected|unexpected "?\()/i,
  /bad substitution/i,
  /unexpected operator/i,
];

/** Syntax that only bash and its like have. */
const BASH_ONLY =
  /\[\[|<<<|(?:^|[;&|(\s])(?:source|declare|shopt|mapfile|readarray|let|pushd|popd|function)\s|&>|[<>]\(|\$\{\w+(?:\/|\^|,|@|:\d)|\w+=\(|\[ [^\]]*==/m;

/** What to say about a script that failed with this output; undefined when it doesn't look like bash. */
export function explainBashism(script: string, output: string): string | undefined {
  if (!BASH_ONLY.test(script) || !COMPLAINTS.some((complaint) => complaint.test(output))) return undefined;
  return 'this looks like bash, and it is run by sh';
}
