// The stage file of the main job: the example of cOS's page "Runtime persistent changes", with its `stages` key twice
// as it stands there, and Debian's package manager in place of openSUSE's.

/** @param options.useLabRepository packages come from the list in /oem instead of the system's own. */
export function stageFile(options: { useLabRepository: boolean }): string {
  const install = 'install -y --no-install-recommends vim';
  const lab = '-o Dir::Etc::SourceList=/oem/lab.list -o Dir::Etc::SourceParts=/dev/null';
  // The image brings package lists; they are fetched again only when they have become too old.
  const command = options.useLabRepository
    ? `apt-get ${lab} update && apt-get ${lab} ${install}`
    : `apt-get ${install} || { apt-get update && apt-get ${install}; }`;
  return `stages:
name: "Install something"
stages:
   after-upgrade-chroot:
     - commands:
        - ${command}
`;
}

/** An apt source for the lab's repository as a guest sees it. It is local and not signed. */
export function guestSourceLine(address: string): string {
  return `deb [trusted=yes] http://${address}/ ./\n`;
}
