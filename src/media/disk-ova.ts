// An OVF package (DMTF DSP0243 1.1) around one disk: the description that VMware and VirtualBox read, and its manifest. The
// machine has what an image of ours can drive everywhere: an LSI Logic SCSI controller and an E1000 network card.

import { HoldfastError } from '../system/errors.ts';

export interface OvfOptions {
  /** Of the machine and the files; letters, digits and `._-`. */
  name: string;
  diskBytes: number;
  /** Of the compressed disk. */
  fileBytes: number;
  bootBy: 'efi' | 'bios';
}

/** The OVF descriptor. */
export function ovfDescriptor({ name, diskBytes, fileBytes, bootBy }: OvfOptions): string {
  const title = escapeXml(name);
  // The schema wants the elements of an item in the order of their names.
  const item = (fields: Readonly<Record<string, string | number>>) => {
    const lines = Object.entries(fields)
      .sort(([one], [other]) => (one < other ? -1 : 1))
      .map(([key, value]) => `        <rasd:${key}>${value}</rasd:${key}>\n`);
    return `      <Item>\n${lines.join('')}      </Item>\n`;
  };
  return `<?xml version="1.0" encoding="UTF-8"?>
<Envelope xmlns="http://schemas.dmtf.org/ovf/envelope/1" xmlns:ovf="http://schemas.dmtf.org/ovf/envelope/1" xmlns:rasd="http://schemas.dmtf.org/wbem/wscim/1/cim-schema/2/CIM_ResourceAllocationSettingData" xmlns:vssd="http://schemas.dmtf.org/wbem/wscim/1/cim-schema/2/CIM_VirtualSystemSettingData" xmlns:vmw="http://www.vmware.com/schema/ovf">
  <References>
    <File ovf:id="file1" ovf:href="${title}-disk1.vmdk" ovf:size="${fileBytes}"/>
  </References>
  <DiskSection>
    <Info>The disks of the machine</Info>
    <Disk ovf:diskId="disk1" ovf:fileRef="file1" ovf:capacity="${diskBytes}" ovf:capacityAllocationUnits="byte" ovf:format="http://www.vmware.com/interfaces/specifications/vmdk.html#streamOptimized"/>
  </DiskSection>
  <NetworkSection>
    <Info>The networks of the machine</Info>
    <Network ovf:name="VM Network">
      <Description>Any network with DHCP</Description>
    </Network>
  </NetworkSection>
  <VirtualSystem ovf:id="${title}">
    <Info>A machine with this disk</Info>
    <Name>${title}</Name>
    <OperatingSystemSection ovf:id="101" vmw:osType="otherLinux64Guest">
      <Info>The operating system</Info>
      <Description>Linux, 64 bits</Description>
    </OperatingSystemSection>
    <VirtualHardwareSection>
      <Info>What the machine is made of</Info>
      <System>
        <vssd:ElementName>Virtual Hardware Family</vssd:ElementName>
        <vssd:InstanceID>0</vssd:InstanceID>
        <vssd:VirtualSystemIdentifier>${title}</vssd:VirtualSystemIdentifier>
        <vssd:VirtualSystemType>vmx-10</vssd:VirtualSystemType>
      </System>
${item({ InstanceID: 1, ResourceType: 3, ElementName: 'Processors', VirtualQuantity: 2 })}\
${item({ InstanceID: 2, ResourceType: 4, ElementName: 'Memory', AllocationUnits: 'byte * 2^20', VirtualQuantity: 2048 })}\
${item({ InstanceID: 3, ResourceType: 6, ElementName: 'SCSI controller', ResourceSubType: 'lsilogic', Address: 0 })}\
${item({ InstanceID: 4, ResourceType: 17, ElementName: 'Disk', HostResource: 'ovf:/disk/disk1', Parent: 3, AddressOnParent: 0 })}\
${item({ InstanceID: 5, ResourceType: 10, ElementName: 'Network card', ResourceSubType: 'E1000', Connection: 'VM Network', AutomaticAllocation: 'true' })}\
      <vmw:Config ovf:required="false" vmw:key="firmware" vmw:value="${bootBy}"/>
    </VirtualHardwareSection>
  </VirtualSystem>
</Envelope>
`;
}

/** The manifest: a digest for every other file of the package, in their order. */
export function ovfManifest(files: readonly { name: string; sha256: string }[]): string {
  return files.map(({ name, sha256 }) => `SHA256(${name})= ${sha256}\n`).join('');
}

/** The name of a machine, made of the name of a file. */
export function machineName(fileName: string): string {
  const name = fileName
    .replace(/\.[A-Za-z0-9]+$/, '')
    .replace(/[^A-Za-z0-9._-]+/g, '-')
    .replace(/^[-.]+|[-.]+$/g, '');
  return name === '' ? 'disk' : name.slice(0, 60);
}

/** Where the text of an embedded descriptor lies in a VMDK: a sector number and a count of sectors, little endian. */
const VMDK = { magic: 'KDMV', descriptorAt: 28, descriptorSectors: 36, sectorBytes: 512 } as const;

/** Where a VMDK has its descriptor, in bytes. @throws HoldfastError HF-IMAGE */
export function vmdkDescriptorPlace(header: Buffer): { startBytes: number; sizeBytes: number } {
  if (header.length < VMDK.sectorBytes || header.toString('latin1', 0, 4) !== VMDK.magic) {
    throw new HoldfastError('HF-IMAGE', 'this is no VMDK in one file');
  }
  return {
    startBytes: Number(header.readBigUInt64LE(VMDK.descriptorAt)) * VMDK.sectorBytes,
    sizeBytes: Number(header.readBigUInt64LE(VMDK.descriptorSectors)) * VMDK.sectorBytes,
  };
}

/**
 * A VMDK's descriptor with a content id of our choice in place of a drawn one, as long as before.
 * @throws HoldfastError HF-IMAGE when it has none.
 */
export function settleVmdkDescriptor(descriptor: Buffer, contentId: string): Buffer {
  const end = descriptor.indexOf(0);
  const text = descriptor.toString('latin1', 0, end < 0 ? descriptor.length : end);
  // qemu-img writes a number without leading zeros.
  const changed = text.replace(/^CID=[0-9a-f]{1,8}$/m, `CID=${contentId}`);
  if (!changed.includes(`CID=${contentId}`) || changed.length > descriptor.length) {
    throw new HoldfastError('HF-IMAGE', 'the VMDK has no content id');
  }
  const settled = Buffer.alloc(descriptor.length);
  settled.write(changed, 'latin1');
  return settled;
}

function escapeXml(text: string): string {
  return text.replace(/[&<>"']/g, (found) => `&#${found.charCodeAt(0)};`);
}
