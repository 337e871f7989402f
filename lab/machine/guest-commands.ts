// How a command travels over a serial console and its result comes back whole. The console is shared: the kernel and
// systemd print on it whenever they like, in the middle of a line too. So commands go as short base64 lines that are
// acknowledged with their length, output is kept in files in the guest, and what is printed of it carries a checksum;
// a damaged answer is asked for again. The guest needs a POSIX shell, coreutils and a writable /run, nothing else.

import { createHash } from 'node:crypto';

/** A terminal's line buffer holds 4095 characters; longer input lines lose their end without a word. */
const CHUNK_CHARACTERS = 2800;

/** Where the guest keeps commands and results; a tmpfs, so that a restart forgets them. */
export const GUEST_DIRECTORY = '/run/holdfast-lab';

/** Makes the login shell a plain one that echoes nothing; it then prints {@link readyMarker}. */
export function quietShellLine(attempt: number): string {
  // `exec` twice so that the marker is printed after the terminal has changed. A kernel message in an answer costs
  // a second request, so only emergencies go on being printed here; the journal has them all.
  const inner = `stty -echo -onlcr; dmesg -n emerg 2>/dev/null; printf "<<lab-%s>>\\n" ready-${attempt}; PS1= exec sh`;
  return `exec sh -c '${inner}'\n`;
}

export function readyMarker(attempt: number): string {
  return `<<lab-ready-${attempt}>>`;
}

/**
 * Shell functions, one line each, for a shell that {@link quietShellLine} has made. The last one prints its marker.
 * @param environment what commands get beside the shell's own.
 */
export function setupLines(
  attempt: number,
  d = GUEST_DIRECTORY,
  environment: Readonly<Record<string, string>> = {},
): readonly string[] {
  return [
    ...Object.entries(environment).map(([name, value]) => `export ${name}=${quote(value)}`),
    // A shell with line editing would read the terminal key by key and echo.
    'set +o emacs +o vi 2>/dev/null; PS1=; PS2=; unset HISTFILE',
    `mkdir -p ${d}; chmod 700 ${d}`,
    `lab_put() { printf %s "$3" >${d}/$1.$2.part; printf '\\n<<lab-put-%s-%s-%s>>\\n' "$1" "$2" "\${#3}"; }`,
    // A single part, the usual case, costs no process for joining.
    `lab_join() { i=1; while [ $i -lt $2 ]; do cat $1.$i.part >>$1.0.part; i=$((i+1)); done; base64 -d <$1.0.part; }`,
    `lab_sh=$(command -v bash || echo sh)`,
    `lab_go() { cd ${d}; lab_join $1 $2 >$1.sh; cd /; $lab_sh ${d}/$1.sh >${d}/$1.out 2>${d}/$1.err </dev/null; echo $? >${d}/$1.status; lab_show $1; }`,
    `lab_show() { cd ${d}; s=lost; [ -e $1.status ] && read s <$1.status; [ $s = lost ] && : >$1.out && : >$1.err; printf '\\n<<lab-result-%s:%s\\n' $1 $s; cat $1.out $1.err | sha256sum; base64 $1.out; echo :; base64 $1.err; printf ':lab-end-%s>>\\n' $1; cd /; }`,
    `printf '\\n<<lab-%s>>\\n' functions-${attempt}`,
  ].map((line) => `${line}\n`);
}

export function functionsMarker(attempt: number): string {
  return `<<lab-functions-${attempt}>>`;
}

/** Splits content into the lines that put it into the guest, each with the answer that says that it arrived. */
export function putLines(id: number, content: Uint8Array): { line: string; acknowledgement: string }[] {
  const encoded = Buffer.from(content).toString('base64');
  const lines = [];
  for (let at = 0, index = 0; at < encoded.length; at += CHUNK_CHARACTERS, index++) {
    const chunk = encoded.slice(at, at + CHUNK_CHARACTERS);
    lines.push({
      line: `lab_put ${id} ${index} ${chunk}\n`,
      acknowledgement: `<<lab-put-${id}-${index}-${chunk.length}>>`,
    });
  }
  return lines;
}

/** A script that makes a file of what `putLines` has brought, whole or not at all. */
export function installScript(
  id: number,
  chunks: number,
  path: string,
  mode: number,
  directory = GUEST_DIRECTORY,
): string {
  const target = quote(path);
  const temporary = quote(`${path}.lab-put`);
  const parts = `i=0; while [ $i -lt ${chunks} ]; do cat ${directory}/${id}.$i.part; i=$((i+1)); done`;
  return [
    'set -e',
    `mkdir -p "$(dirname ${target})"`,
    `{ ${parts}; } | base64 -d >${temporary}`,
    `chmod ${mode.toString(8)} ${temporary}`,
    `mv -f ${temporary} ${target}`,
    `rm -f ${directory}/${id}.*.part`,
  ].join('\n');
}

/** The line that runs what `putLines` has brought as a shell script and then prints the result. */
export function goLine(id: number, chunks: number): string {
  return `lab_go ${id} ${chunks}\n`;
}

/** The line that prints a result again. */
export function showLine(id: number): string {
  return `lab_show ${id}\n`;
}

export function resultMarkers(id: number): { begin: string; end: string } {
  return { begin: `<<lab-result-${id}:`, end: `:lab-end-${id}>>` };
}

/** A word for a POSIX shell. */
export function quote(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}

export interface RawResult {
  status: number;
  stdout: Buffer;
  stderr: Buffer;
}

/**
 * Reads what stood between the markers of a result.
 * @returns `damaged` when something else was printed into it, `lost` when the guest knows nothing of the command.
 */
export function parseResult(text: string): RawResult | 'damaged' | 'lost' {
  const match = /^(\d+|lost)\s+([0-9a-f]{64})\s+-\s+([^:]*):([^:]*)$/.exec(text);
  if (match === null) return 'damaged';
  const [, status = '', checksum, out = '', err = ''] = match;
  if (status === 'lost') return 'lost';
  const stdout = Buffer.from(out, 'base64');
  const stderr = Buffer.from(err, 'base64');
  const actual = createHash('sha256').update(stdout).update(stderr).digest('hex');
  return actual === checksum ? { status: Number(status), stdout, stderr } : 'damaged';
}
