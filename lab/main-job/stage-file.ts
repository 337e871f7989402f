// The stage file of the main job: the example of cOS's page "Runtime persistent changes", with its `stages` key twice
// as it stands there, and Debian's package manager in place of openSUSE's.

/** @param options.useLabRepository packages come from the list in /oem instead of the system's own. */
export function stageFile(options: { useLabRepository: boolean }): string {
  const source = options.useLabRepository
    ? ' -o Dir::Etc::SourceList=/oem/lab.list -o Dir::Etc::SourceParts=/dev/null'
    : '';
  return `stages:
name: "Install something"
stages:
   after-upgrade-chroot:
     - commands:
        - apt-get${source} update
        - apt-get${source} install -y --no-install-recommends vim
`;
}

/** An apt source for the lab's repository as a guest sees it. It is local and not signed. */
export function guestSourceLine(address: string): string {
  return `deb [trusted=yes] http://${address}/ ./\n`;
}
