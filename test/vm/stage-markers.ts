// A stage file whose steps note where they ran: which stage, whether `/` was still the initramfs, and what could be
// written. One line for each of the 21 stages of a boot, in the order in which they ran.

export const BOOT_STAGES = ['pre-rootfs', 'rootfs', 'initramfs', 'fs', 'boot', 'network', 'reconcile'] as const;

/** Where the notes are; /run moves from the initramfs into the running system. */
export const MARKERS = '/run/markers';

/** One note. */
export interface Marker {
  stage: string;
  /** What `/` was: the initramfs, the new root before it takes over, or the running system. */
  root: string;
  /** Of the directories that were tried, those that could be written. */
  writable: string[];
  /** The mode files that were there. */
  modes: string[];
}

const TRIED = ['/', '/usr', '/sysroot/usr', '/etc', '/var', '/oem', '/usr/local'];

const SCRIPT = `
root=running
if [ -e /etc/initrd-release ]; then root=initramfs; elif [ -e /proc/1/root/etc/initrd-release ]; then root=new-root; fi
writable=
for directory in ${TRIED.join(' ')}; do
  [ -d "$directory" ] || continue
  if (: > "$directory/.marker") 2> /dev/null; then writable="$writable $directory"; rm "$directory/.marker"; fi
done
modes=
for file in /run/cos/*_mode; do [ -e "$file" ] && modes="$modes \${file##*/}"; done
echo "STAGE|$root|$writable|$modes" >> ${MARKERS}
`;

/** The stage file. */
export function markerStages(): string {
  const stages: Record<string, unknown> = {};
  for (const stage of allStages()) stages[stage] = [{ name: 'Note', commands: [SCRIPT.replace('STAGE', stage)] }];
  return `${JSON.stringify({ name: 'Markers', stages }, null, 2)}\n`;
}

/** The stages of a boot with `.before` and `.after`, in order. */
export function allStages(stages: readonly string[] = BOOT_STAGES): string[] {
  return stages.flatMap((stage) => [`${stage}.before`, stage, `${stage}.after`]);
}

/** Reads the notes. */
export function parseMarkers(text: string): Marker[] {
  return text
    .trim()
    .split('\n')
    .map((line) => {
      const [stage = '', root = '', writable = '', modes = ''] = line.split('|');
      return { stage, root, writable: words(writable), modes: words(modes) };
    });
}

function words(text: string): string[] {
  return text.split(' ').filter((word) => word !== '');
}
